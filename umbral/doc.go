// Package umbral implements Umbral threshold proxy re-encryption over secp256k1.
//
// # What the caller must guarantee
//
// The package is mathematics without I/O and without a clock. It holds its
// promises only when its caller keeps these:
//
//   - Keys are authentic. Nothing here says whose a PublicKey is. Whoever encrypts
//     to, grants to or verifies under a key that an attacker supplied has given
//     the data to the attacker.
//   - One delegating key protects one record. A key fragment re-encrypts every
//     capsule under its delegating key, not one of them, and threshold proxies
//     that collude with the delegatee recover the delegating secret key itself.
//     Derive a key for each record with SecretKeyFactory.
//   - Key fragments stay secret and apart. Each goes to one proxy over a channel
//     that hides it from the others and from the delegatee. A proxy that kept its
//     fragment after the grant ended can still use it: expiry and revocation are
//     the caller's.
//   - Proxies pass both keys to KeyFrag.Verify, so that a fragment made for other
//     parties is refused.
//   - The random source is a cryptographic one. Pass nil for the operating
//     system's. A repeated stream reveals plaintexts and signing keys.
//   - Plaintexts fit in memory and are short, such as a file key. Package agefile
//     encrypts files.
//
// # Roles
//
// The delegator owns a delegating key pair and a signer. Anybody can Encrypt to
// the delegating key; the delegator reads with DecryptOriginal. To share, the
// delegator calls GenerateKeyFrags for a receiving key and gives each proxy one
// fragment. A proxy checks it with KeyFrag.Verify and turns capsules into capsule
// fragments with Reencrypt. The delegatee checks those with CapsuleFrag.Verify
// and opens the ciphertext with any threshold of them, by DecryptReencrypted.
// What has been checked is of another type than what has not: only a
// VerifiedKeyFrag re-encrypts, only a VerifiedCapsuleFrag decrypts.
//
// # Compatibility
//
// Given the same random bytes, keys, signatures, capsules, fragments and
// ciphertexts are byte-identical to those of umbral-pre 0.10 and 0.11. Objects
// have up to two encodings: Bytes and Parse… are the simple one, a concatenation
// of fields; MarshalMsgpack and Parse…Msgpack are the MessagePack one.
//
// Decoding is stricter than there: one encoding for each object, exact lengths,
// compressed points only, scalars from 1 to n−1, signatures with low s, and the
// constant u instead of whichever a fragment brings.
//
// Operations on secrets take constant time. Verification, which sees public data
// only, does not. Types that hold secrets print as a placeholder under every verb
// of fmt and in slog.
package umbral
