package umbral

import (
	"bytes"
	"fmt"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// format is one of the two encodings of an object. Both hold the same fields in
// the same order; MessagePack adds headers of fixed value.
type format int

const (
	simple format = iota
	msgpack
)

// Headers of MessagePack. Arrays here have fewer than 16 items, byte strings fewer
// than 256 bytes.
const (
	headArray = 0x90
	headBytes = 0xc4
	headFalse = 0xc2
	headTrue  = 0xc3
)

// encoder appends the fields of an object.
type encoder struct {
	format format
	out    []byte
}

func (e *encoder) array(items int) {
	if e.format == msgpack {
		e.out = append(e.out, headArray|byte(items))
	}
}

func (e *encoder) bytes(b []byte) {
	if e.format == msgpack {
		e.out = append(e.out, headBytes, byte(len(b)))
	}
	e.out = append(e.out, b...)
}

func (e *encoder) points(points ...*curve.Point) {
	for _, p := range points {
		e.bytes(p.Append(nil))
	}
}

// flag is for MessagePack only; no object with flags has a simple encoding.
func (e *encoder) flag(set bool) {
	if set {
		e.out = append(e.out, headTrue)
	} else {
		e.out = append(e.out, headFalse)
	}
}

// decoder takes the fields of an object from the front of rest. After the first
// failure, kept in err, it returns zero values.
type decoder struct {
	format format
	rest   []byte
	err    error
}

// newDecoder decodes b, which must have size bytes. All objects have a fixed size,
// so nothing can be left over at the end.
func newDecoder(f format, b []byte, size int) *decoder {
	d := &decoder{format: f, rest: b}
	if len(b) != size {
		d.fail(fmt.Errorf("%w: %d bytes instead of %d", ErrLength, len(b), size))
	}
	return d
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// take returns the next n bytes. Only a decoder that failed has fewer.
func (d *decoder) take(n int) []byte {
	if len(d.rest) < n {
		d.fail(ErrLength)
		return make([]byte, n)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) header(want ...byte) {
	if d.format == simple {
		return
	}
	if got := d.take(len(want)); !bytes.Equal(got, want) {
		d.fail(fmt.Errorf("%w: %x where %x belongs", ErrFraming, got, want))
	}
}

func (d *decoder) array(items int) {
	d.header(headArray | byte(items))
}

func (d *decoder) bytes(n int) []byte {
	d.header(headBytes, byte(n))
	return d.take(n)
}

func (d *decoder) point(name string) *curve.Point {
	return parseField(d, name, curve.PointSize, curve.ParsePoint)
}

func (d *decoder) scalar(name string) *secp256k1.Scalar {
	return parseField(d, name, curve.ScalarSize, curve.ParseScalar)
}

func (d *decoder) signature(name string) *Signature {
	return parseField(d, name, SignatureSize, ParseSignature)
}

func (d *decoder) flag(name string) bool {
	b := d.take(1)[0]
	if d.err == nil && b != headTrue && b != headFalse {
		d.fail(fmt.Errorf("%s: %w: %x is not a truth value", name, ErrFraming, b))
	}
	return b == headTrue
}

func parseField[T any](d *decoder, name string, size int, parse func([]byte) (*T, error)) *T {
	b := d.bytes(size)
	if d.err != nil {
		return nil
	}
	v, err := parse(b)
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", name, err))
	}
	return v
}
