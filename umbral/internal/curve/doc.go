// Package curve holds what the Umbral scheme needs of secp256k1 beyond the
// group law: points that carry their wire form, strict decoding, hashing to
// scalars under domain tags, and the second base point u.
//
// Arithmetic is that of gitlab.com/yawning/secp256k1-voi and is used directly.
// It is constant time unless a name says Vartime; such functions may see public
// data only.
package curve
