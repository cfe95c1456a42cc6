package walletcard_test

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/walletcard"
	"github.com/pie-consortium/pie/ledger"
)

func TestACardSaysTheNameAndNothingElse(t *testing.T) {
	patient := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k2a"}
	made, err := walletcard.For(patient)
	if err != nil {
		t.Fatal(err)
	}
	image, err := png.Decode(bytes.NewReader(made.PNG()))
	if err != nil || image.Bounds().Dx() < 100 {
		t.Errorf("the image: %v, %v", err, image)
	}
	if err := xml.Unmarshal([]byte(made.SVG()), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("the SVG: %v", err)
	}
	if !strings.Contains(made.SVG(), ">7f3k2a<") || !strings.Contains(made.Text(), "--patient HospitalA/7f3k2a\n") {
		t.Error("the name is not on the card in letters")
	}
	lines := strings.Split(made.Text(), "\n")
	if !strings.ContainsAny(made.Text(), "█▀▄") || len([]rune(lines[1])) != len([]rune(lines[2])) {
		t.Errorf("the code in the terminal:\n%s", made.Text())
	}
}
