package walletcard_test

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/pie-consortium/pie/client/walletcard"
	"github.com/pie-consortium/pie/ledger"
)

var patient = ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k2amq5xwz4bnd"}

func card(t *testing.T) walletcard.Card {
	t.Helper()
	made, err := walletcard.For(patient)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func picture(t *testing.T) image.Image {
	t.Helper()
	text, err := card(t).PNG()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestACardSaysTheNameAndNothingElse(t *testing.T) {
	made := card(t)
	if err := xml.Unmarshal([]byte(made.SVG()), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("the SVG: %v", err)
	}
	if !strings.Contains(made.SVG(), ">7f3k2amq5xwz4bnd<") || !strings.Contains(made.Text(), "--patient HospitalA/7f3k2amq5xwz4bnd\n") {
		t.Error("the name is not on the card in letters")
	}
	lines := strings.Split(made.Text(), "\n")
	if !strings.ContainsAny(made.Text(), "█▀▄") || len([]rune(lines[1])) != len([]rune(lines[2])) {
		t.Errorf("the code in the terminal:\n%s", made.Text())
	}
}

// What a scanner reads says what it is, and is taken for the name.
func TestScannedNames(t *testing.T) {
	for scanned, want := range map[string]string{
		card(t).Code: patient.String(), card(t).Code + "\n": patient.String(), patient.String(): patient.String(), "": "",
	} {
		if got := walletcard.Name(scanned); got != want {
			t.Errorf("%q: got %q, want %q", scanned, got, want)
		}
	}
	if !strings.HasPrefix(card(t).Code, "PIE emergency card") {
		t.Errorf("a phone shows %q", card(t).Code)
	}
}

// The code is read from the image as it is and as cameras see it, by somebody else's reader.
func TestTheCodeIsRead(t *testing.T) {
	whole := picture(t)
	if b := whole.Bounds(); b.Dx() != 1011 || b.Dy() != 637 {
		t.Errorf("the card has %d × %d pixels", b.Dx(), b.Dy())
	}
	code := image.Rect(47, 47, 591, 591) // 4 to 50 mm
	for name, seen := range map[string]image.Image{
		"as it is":  whole,
		"small":     drawn(whole, code, 120, 0, draw.CatmullRom),
		"blurred":   drawn(drawn(whole, code, 150, 0, draw.BiLinear), image.Rect(0, 0, 150, 150), 600, 0, draw.BiLinear),
		"turned":    drawn(whole, code, 600, 7*math.Pi/180, draw.BiLinear),
		"scratched": scratched(drawn(whole, code, 600, 0, draw.BiLinear)),
	} {
		t.Run(name, func(t *testing.T) {
			bitmap, err := gozxing.NewBinaryBitmapFromImage(seen)
			if err != nil {
				t.Fatal(err)
			}
			read, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
			if err != nil || read.GetText() != card(t).Code {
				t.Errorf("read %v, %v", read, err)
			}
		})
	}
}

// drawn is a part of an image, so many pixels wide and turned, on white.
func drawn(from image.Image, part image.Rectangle, pixels int, angle float64, by draw.Interpolator) *image.Gray {
	to := image.NewGray(image.Rect(0, 0, pixels, pixels))
	draw.Draw(to, to.Bounds(), image.White, image.Point{}, draw.Src)
	if angle == 0 {
		by.Scale(to, to.Bounds(), from, part, draw.Src, nil)
		return to
	}
	scale, middle := 0.85*float64(pixels)/float64(part.Dx()), float64(pixels)/2
	sin, cos := scale*math.Sin(angle), scale*math.Cos(angle)
	x, y := float64(part.Min.X+part.Max.X)/2, float64(part.Min.Y+part.Max.Y)/2
	by.Transform(to, f64.Aff3{cos, -sin, middle - cos*x + sin*y, sin, cos, middle - sin*x - cos*y}, from, part, draw.Src, nil)
	return to
}

// scratched loses a tenth of the code's surface, away from its corners.
func scratched(code *image.Gray) *image.Gray {
	b := code.Bounds()
	for y := b.Dy() * 45 / 100; y < b.Dy()*75/100; y++ {
		for x := b.Dx() * 45 / 100; x < b.Dx()*78/100; x++ {
			code.SetGray(x, y, color.Gray{0xff})
		}
	}
	return code
}

// The image is like the print: the name in letters, and the advice.
func TestTheImageIsLikeThePrint(t *testing.T) {
	whole := picture(t)
	for name, box := range map[string]image.Rectangle{ // mm
		"heading": image.Rect(51, 10, 84, 15), "hospital": image.Rect(51, 21, 84, 25), "pseudonym": image.Rect(51, 27, 84, 31), "advice": image.Rect(51, 38, 84, 45),
	} {
		dark := 0
		for y := box.Min.Y * 1181 / 100; y < box.Max.Y*1181/100; y++ {
			for x := box.Min.X * 1181 / 100; x < box.Max.X*1181/100; x++ {
				if r, _, _, _ := whole.At(x, y).RGBA(); r < 0x8000 {
					dark++
				}
			}
		}
		if dark < 100 {
			t.Errorf("%s: %d dark pixels", name, dark)
		}
	}
	for x := range 3 { // the letters end before the card does
		for y := range whole.Bounds().Dy() {
			if r, _, _, _ := whole.At(whole.Bounds().Dx()-1-x, y).RGBA(); r < 0x8000 {
				t.Fatal("the letters go beyond the card")
			}
		}
	}
}
