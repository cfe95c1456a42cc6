package receipt

import (
	"encoding/json"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// FuzzVerify wants no bytes to prove anything but the access that they are of.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	s := w.newScene()
	r := s.receipt()
	proof, err := r.Verify(w.bundle)
	w.check(err)
	f.Add(r.Block)
	f.Fuzz(func(t *testing.T, block []byte) {
		forged := Receipt{Access: s.shown, Block: block}
		if got, err := forged.Verify(w.bundle); err == nil && got.Header != proof.Header {
			t.Errorf("%x proves block %d", block, got.Block)
		}
		forged.Access.Purpose = ledger.PurposeResearch
		if _, err := forged.Verify(w.bundle); err == nil {
			t.Errorf("%x proves another access", block)
		}
	})
}

func FuzzReadTransaction(f *testing.F) {
	w := newWorld(f)
	s := w.newScene()
	f.Add(s.envelope())
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if read, err := readTransaction(envelope); err == nil {
			shown := s.shown
			shown.Purpose = ledger.PurposeResearch
			if _, err := read.prove(shown, w.bundle); err == nil {
				t.Errorf("%x proves another access", envelope)
			}
		}
	})
}

func FuzzAccessIn(f *testing.F) {
	s := newWorld(f).newScene()
	f.Add(s.outcome().Results)
	f.Fuzz(func(t *testing.T, results []byte) {
		if _, err := accessIn(results, s.shown.Record, s.shown.Open); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

func FuzzParse(f *testing.F) {
	text, err := json.Marshal(newWorld(f).newScene().receipt())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := Parse(text); err == nil {
			if _, err := r.Verify(w.bundle); err == nil {
				t.Errorf("%s proves something to strangers", text)
			}
		}
	})
}
