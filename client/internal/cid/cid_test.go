package cid_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/pie-consortium/pie/client/internal/cid"
	"github.com/pie-consortium/pie/ledger"
)

// The expected names are what Kubo prints for
// `ipfs add --only-hash --cid-version 1 --raw-leaves --chunker size-1048576`.
func TestNamesAreThoseOfKubo(t *testing.T) {
	for _, test := range []struct {
		name string
		size int64
		want string
	}{
		{"no byte", 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
		{"one byte", 1, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"},
		{"one full chunk", 1 << 20, "bafkreibq4fevl27rgurgnxbp7adh42aqiyd6ouflxhj3gzmcxcxzbh6lla"},
		{"one chunk and a byte", 1<<20 + 1, "bafybeihd4yzq7n5umhjngdum4r6k2to7egxfkf2jz6thvwzf6djus22cmq"},
		{"more chunks than one node holds", 175 << 20, "bafybeiao7cvcysbrpzqeapfsl57objgfoug63mnx65ei62c3f2ozomrw6y"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := cid.Of(io.LimitReader(zeros{}, test.size))
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if err := ledger.ValidateCID(got); err != nil {
				t.Errorf("the ledger would refuse %s: %v", got, err)
			}
		})
	}
}

func TestSmallReadsMakeTheSameName(t *testing.T) {
	content := bytes.Repeat([]byte("pie"), 1<<19)
	whole, err := cid.Of(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := cid.Of(iotest.HalfReader(bytes.NewReader(content)))
	if err != nil {
		t.Fatal(err)
	}
	if whole != pieces {
		t.Errorf("got %s in pieces, %s as a whole", pieces, whole)
	}
}

func TestFailedReadIsReported(t *testing.T) {
	broken := errors.New("broken disk")
	if _, err := cid.Of(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
