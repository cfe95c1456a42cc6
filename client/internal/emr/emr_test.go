package emr

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// sealFor seals content to a new key and describes it as the ledger would.
func sealFor(t testing.TB, content []byte) (*umbral.SecretKey, ledger.Record, []byte) {
	t.Helper()
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var ciphertext bytes.Buffer
	s, err := Seal(&ciphertext, bytes.NewReader(content), key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return key, ledger.Record{
		CID: s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule, Commitment: s.Commitment,
	}, ciphertext.Bytes()
}

func TestSealSaysWhatItWrote(t *testing.T) {
	_, record, ciphertext := sealFor(t, []byte("emr"))
	if record.Size != int64(len(ciphertext)) || record.SHA256 != ledger.DigestOf(ciphertext) {
		t.Error("size or digest are not those of the ciphertext")
	}
	_, again, _ := sealFor(t, []byte("emr"))
	if record.Commitment == again.Commitment {
		t.Error("the commitment tells that two EMRs are the same")
	}
	if record.Commitment == sha256.Sum256([]byte("emr")) {
		t.Error("the commitment hides nothing")
	}
}

// An EMR is known again by the random bytes that stood before it.
func TestCommitKnowsTheSameEMR(t *testing.T) {
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Seal(io.Discard, bytes.NewReader([]byte("emr")), key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	same, err := Commit(s.Blind, bytes.NewReader([]byte("emr")))
	if err != nil || same != s.Commitment || len(s.Blind) != blindSize {
		t.Errorf("the same EMR after %d bytes: %v, %v", len(s.Blind), same == s.Commitment, err)
	}
	if other, err := Commit(s.Blind, bytes.NewReader([]byte("another"))); err != nil || other == s.Commitment {
		t.Errorf("another EMR has the commitment too: %v", err)
	}
	broken := errors.New("broken disk")
	if _, err := Commit(s.Blind, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a failing EMR: got %v, want %v", err, broken)
	}
}

func TestSealReportsWhatFails(t *testing.T) {
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken disk")
	if _, err := Seal(io.Discard, iotest.ErrReader(broken), key.PublicKey()); !errors.Is(err, broken) {
		t.Errorf("a failing EMR: got %v, want %v", err, broken)
	}
	reader, writer := io.Pipe()
	reader.CloseWithError(broken)
	if _, err := Seal(writer, bytes.NewReader(make([]byte, 1<<20)), key.PublicKey()); !errors.Is(err, broken) {
		t.Errorf("a failing upload: got %v, want %v", err, broken)
	}
}

func TestWhatWasNotCommittedToDoesNotOpen(t *testing.T) {
	key, record, ciphertext := sealFor(t, []byte("emr"))
	_, other, foreign := sealFor(t, []byte("emr"))
	for name, test := range map[string]struct {
		change     func(*ledger.Record)
		ciphertext []byte
	}{
		"another commitment": {func(r *ledger.Record) { r.Commitment = other.Commitment }, ciphertext},
		"another capsule":    {func(r *ledger.Record) { r.Capsule = other.Capsule }, ciphertext},
		"another file":       {func(*ledger.Record) {}, foreign},
		"no header":          {func(*ledger.Record) {}, []byte("age-encryption.org/v1\n")},
		"no payload":         {func(*ledger.Record) {}, ciphertext[:agefile.HeaderSize]},
	} {
		t.Run(name, func(t *testing.T) {
			told := record
			test.change(&told)
			_, err := Open(bufio.NewReader(bytes.NewReader(test.ciphertext)), told, agefile.NewIdentity(key), io.Discard)
			if !errors.Is(err, ErrNotRegistered) {
				t.Errorf("got %v, want %v", err, ErrNotRegistered)
			}
		})
	}
}

func TestFullDiskIsNobodysLie(t *testing.T) {
	key, record, ciphertext := sealFor(t, []byte("emr"))
	full := errors.New("no space left on device")
	_, err := Open(bufio.NewReader(bytes.NewReader(ciphertext)), record, agefile.NewIdentity(key), failing{full})
	if !errors.Is(err, full) || errors.Is(err, ErrNotRegistered) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func FuzzOpen(f *testing.F) {
	key, record, ciphertext := sealFor(f, []byte("emr"))
	f.Add(ciphertext)
	f.Fuzz(func(t *testing.T, forged []byte) {
		var emr bytes.Buffer
		_, err := Open(bufio.NewReader(bytes.NewReader(forged)), record, agefile.NewIdentity(key), &emr)
		if err == nil && emr.String() != "emr" {
			t.Errorf("%q opened instead of what was committed to", emr.String())
		}
	})
}
