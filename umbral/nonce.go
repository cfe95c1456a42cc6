package umbral

import (
	"crypto/hmac"
	"crypto/sha256"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// nonceSource is the generator of RFC 6979, section 3.2, with HMAC-SHA256 and
// additional data (section 3.6).
type nonceSource struct {
	k, v []byte
}

func newNonceSource(key, z *secp256k1.Scalar, additional []byte) *nonceSource {
	n := &nonceSource{k: make([]byte, sha256.Size), v: make([]byte, sha256.Size)}
	for i := range n.v {
		n.v[i] = 1
	}
	for _, separator := range []byte{0, 1} {
		n.rekey([]byte{separator}, key.Bytes(), z.Bytes(), additional)
	}
	return n
}

// next returns the next candidate that is a scalar from 1 to n−1.
func (n *nonceSource) next() *secp256k1.Scalar {
	for {
		n.v = mac(n.k, n.v)
		s, err := curve.ParseScalar(n.v)
		n.rekey([]byte{0})
		if err == nil {
			return s
		}
	}
}

func (n *nonceSource) rekey(data ...[]byte) {
	n.k = mac(n.k, append([][]byte{n.v}, data...)...)
	n.v = mac(n.k, n.v)
}

// mac returns HMAC-SHA256 under key of the concatenated data.
func mac(key []byte, data ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, d := range data {
		m.Write(d)
	}
	return m.Sum(nil)
}
