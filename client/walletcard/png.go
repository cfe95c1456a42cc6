package walletcard

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// resolution of the image, in pixels a millimetre: 300 to the inch.
const resolution = 300 / 25.4

// PNG is the same card as [Card.SVG], as an image of 1011 × 638 pixels.
func (c Card) PNG() ([]byte, error) {
	card := image.NewGray(image.Rect(0, 0, pixels(width), pixels(height)))
	draw.Draw(card, card.Bounds(), image.White, image.Point{}, draw.Src)
	module := pixels(side) / (c.code.Size + 2*quiet)
	for y := range c.code.Size {
		for x := range c.code.Size {
			if c.code.Black(x, y) {
				corner := image.Pt(pixels(left)+(x+quiet)*module, pixels(top)+(y+quiet)*module)
				draw.Draw(card, image.Rectangle{corner, corner.Add(image.Pt(module, module))}, image.Black, image.Point{}, draw.Src)
			}
		}
	}
	for _, line := range c.lines() {
		if err := line.draw(card); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, card)
	return out.Bytes(), err
}

// draw writes the line onto the card.
func (l line) draw(on draw.Image) error {
	parsed, err := opentype.Parse(map[style][]byte{plain: goregular.TTF, bold: gobold.TTF, mono: gomono.TTF}[l.style])
	if err != nil {
		return err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: l.size * resolution, DPI: 72}) // points are pixels then
	if err != nil {
		return err
	}
	drawer := font.Drawer{Dst: on, Src: image.Black, Face: face, Dot: fixed.P(pixels(l.x), pixels(l.y))}
	drawer.DrawString(l.text)
	return nil
}

// pixels of so many millimetres.
func pixels(mm float64) int { return int(mm * resolution) }
