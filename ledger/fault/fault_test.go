package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestEveryCodeTravelsAsText(t *testing.T) {
	for _, code := range Codes() {
		sent := New(code, "record %s: %d of it", "x", 1)
		got, known := Parse(sent.Error())
		if !known || *got != *sent {
			t.Errorf("%q came back as %+v, %v", sent, got, known)
		}
		if wrapped := fmt.Errorf("open: %w", sent); CodeOf(wrapped) != code || !errors.Is(wrapped, New(code, "")) {
			t.Errorf("%s is lost when wrapped", code)
		}
	}
	if CodeOf(errors.New("x")) != Internal {
		t.Error("an error without a code is not internal")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("not_found: record x")
	f.Add("not_found")
	f.Add("chaincode response 500, not_found: record x")
	f.Fuzz(func(t *testing.T, text string) {
		if got, known := Parse(text); known && got.Error() != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
