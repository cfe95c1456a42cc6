package content

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"filippo.io/age"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

func ciphertext(t *testing.T) ([]byte, Claim) {
	t.Helper()
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	writer, err := age.Encrypt(&file, agefile.NewRecipient(key.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	capsule, err := agefile.ReadCapsule(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), Claim{SHA256: ledger.DigestOf(file.Bytes()), Size: int64(file.Len()), Capsule: capsule.Bytes()}
}

func TestVerify(t *testing.T) {
	file, claim := ciphertext(t)
	if err := verify(bytes.NewReader(file), claim); err != nil {
		t.Fatal(err)
	}
	other, _ := ciphertext(t)
	plain := make([]byte, len(file))
	for name, c := range map[string]struct {
		file   []byte
		change func(*Claim)
	}{
		"another size, larger":  {file, func(c *Claim) { c.Size++ }},
		"another size, smaller": {file, func(c *Claim) { c.Size-- }},
		"another hash":          {file, func(c *Claim) { c.SHA256[0] ^= 1 }},
		"another capsule":       {file, func(c *Claim) { c.Capsule = bytes.Clone(c.Capsule); c.Capsule[40] ^= 1 }},
		"another file":          {other, func(*Claim) {}},
		"plaintext":             {plain, func(c *Claim) { c.SHA256 = ledger.DigestOf(plain) }},
		"an empty file":         {nil, func(*Claim) {}},
	} {
		changed := claim
		c.change(&changed)
		if err := verify(bytes.NewReader(c.file), changed); fault.CodeOf(err) != fault.Altered {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A content that breaks off is not a content that was altered: it may come whole later.
func TestVerifyPassesOnWhatBroke(t *testing.T) {
	file, claim := ciphertext(t)
	broke := errors.New("connection reset")
	for _, length := range []int{10, len(file) / 2} {
		stream := io.MultiReader(bytes.NewReader(file[:length]), failing{broke})
		if err := verify(stream, claim); !errors.Is(err, broke) {
			t.Errorf("after %d bytes: %v", length, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
