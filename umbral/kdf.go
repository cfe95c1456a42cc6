package umbral

import "crypto/sha256"

// deriveKey is HKDF of RFC 5869 with SHA-256 and no salt. It differs from
// crypto/hkdf in having no error, since no secret or info is refused; length is at
// most 255 · 32.
func deriveKey(secret, info []byte, length int) []byte {
	extracted := mac(make([]byte, sha256.Size), secret)
	var out, block []byte
	for counter := byte(1); len(out) < length; counter++ {
		block = mac(extracted, block, info, []byte{counter})
		out = append(out, block...)
	}
	return out[:length]
}
