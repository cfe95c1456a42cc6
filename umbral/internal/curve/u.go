package curve

import (
	"sync"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
)

// U is the scheme's second base point, whose discrete logarithm nobody knows: RFC
// 9380 secp256k1_XMD:SHA-256_SSWU_RO_ with the tag "PARAMETERS" of the message
// "POINT_U".
var U = constantPoint([PointSize]byte{
	0x03, 0x07, 0x93, 0x90, 0xd0, 0xfb, 0xe2, 0x20, 0xfc, 0x34, 0xaa,
	0xb8, 0xec, 0xbf, 0x49, 0x09, 0x80, 0x98, 0x03, 0x68, 0x20, 0xfa,
	0xdb, 0x98, 0xc0, 0x31, 0x43, 0xe5, 0x5d, 0xb8, 0xec, 0x73, 0xcd,
})

// constantPoint decodes a constant of this package, which its tests check.
func constantPoint(wire [PointSize]byte) *Point {
	p, _ := ParsePoint(wire[:])
	return p
}

// MultiplyU returns s·u in constant time, faster than a general multiplication
// because all doublings are in a table.
func MultiplyU(s *secp256k1.Scalar) *secp256k1.Point {
	table := tableU()
	sum := secp256k1.NewIdentityPoint()
	term := secp256k1.NewIdentityPoint()
	for i, b := range s.Bytes() {
		row := 2 * (ScalarSize - 1 - i)
		sum.Add(sum, table[row].lookup(term, b&0x0f))
		sum.Add(sum, table[row+1].lookup(term, b>>4))
	}
	return sum
}

// multiples holds 1·P to 15·P.
type multiples [15]secp256k1.Point

// lookup sets out to digit·P and returns it. It reads the whole row so that memory
// access does not tell the digit.
func (m *multiples) lookup(out *secp256k1.Point, digit byte) *secp256k1.Point {
	out.Identity()
	for i := range m {
		out.ConditionalSelect(out, &m[i], equal(byte(i+1), digit))
	}
	return out
}

// equal returns 1 if a and b, both below 128, are equal and 0 otherwise.
func equal(a, b byte) uint64 {
	return (uint64(a^b) - 1) >> 63
}

// tableU returns the multiples of 16ⁱ·u for each of the 64 digits of a scalar. It
// takes less than a millisecond and 100 kB, so it waits for the first use.
var tableU = sync.OnceValue(func() *[2 * ScalarSize]multiples {
	table := new([2 * ScalarSize]multiples)
	base := secp256k1.NewPointFrom(U.Group())
	for row := range table {
		table[row][0].Set(base)
		for i := 1; i < len(table[row]); i++ {
			table[row][i].Add(&table[row][i-1], base)
		}
		base.Add(&table[row][len(table[row])-1], base)
	}
	return table
})
