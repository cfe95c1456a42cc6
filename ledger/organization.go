package ledger

import "time"

// Organization is a member hospital, as its own administrator describes it.
type Organization struct {
	MSP      string    `json:"msp"`
	Name     string    `json:"name"`
	Gateways []string  `json:"gateways"` // base URLs
	Proxy    UserID    `json:"proxy"`    // the gateway's identity, which stated the proxy key
	Updated  time.Time `json:"updated"`
}

// Member is what transactions of others need to know of an organisation. It stands apart
// from the description, which its administrator changes at will.
type Member struct {
	MSP   string `json:"msp"`
	Proxy UserID `json:"proxy"`
}

// KeyKind says what a stated key is for.
type KeyKind string

// The kinds: re-encryption target, key that signs fragments, key a record is
// encrypted to, key that fragments are sealed to.
const (
	KeyReceiving KeyKind = "receiving"
	KeyVerifying KeyKind = "verifying"
	KeyRecord    KeyKind = "record"
	KeyProxy     KeyKind = "proxy"
	// KeyOneTime is a key of its own for one emergency grant.
	KeyOneTime KeyKind = "emergency"
)

// User is a registered user and the keys they stated.
type User struct {
	Identity    Identity           `json:"identity"`
	IdentityKey Digest             `json:"identityKey"` // of the public key in the certificate, DER: nobody else may act as this user
	Keys        map[KeyKind]string `json:"keys"`        // key statements, JWS
	Registered  time.Time          `json:"registered"`
	Replaced    time.Time          `json:"replaced,omitzero"` // when the keys last took the place of others
}

// Profile is a professional's card, private to the members and erasable.
type Profile struct {
	Salt Salt   `json:"salt"`
	Card string `json:"card"` // JWS of the hospital's administrator
}

// Validate refuses oversized cards.
func (p Profile) Validate() error {
	return firstError(p.Salt.Validate(), at("card", statementSize(p.Card)))
}

// Private data collections of all members.
const (
	MetadataCollection  = "metadata"
	FragmentsCollection = "keyfragments"
)

// Keys of transient maps.
const (
	TransientFragments = "fragments" // []SealedFragment
	TransientMetadata  = "metadata"  // Metadata
	TransientProfile   = "profile"   // Profile
	TransientNarrative = "narrative" // Narrative
	TransientEscrow    = "escrow"    // KeyEscrow
	TransientSalt      = "salt"      // Salt, of metadata from now on
)
