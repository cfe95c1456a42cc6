package ledger

import (
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// RequestState is where an access request stands.
type RequestState string

// pending → granted | denied. Denied is also what the decision makes of a request
// at once.
const (
	RequestPending RequestState = "pending"
	RequestGranted RequestState = "granted"
	RequestDenied  RequestState = "denied"
)

// Becomes refuses illegal transitions: a request is answered once.
func (s RequestState) Becomes(next RequestState) error {
	return become("request", s, next, map[RequestState][]RequestState{RequestPending: {RequestGranted, RequestDenied}})
}

// AccessRequest is somebody's wish to open one record version, for a purpose.
type AccessRequest struct {
	ID        ID           `json:"id"`
	Record    ID           `json:"record"`
	Version   int          `json:"version"`
	Patient   UserID       `json:"patient,omitzero"` // none of a request that the ledger denied
	Requester Identity     `json:"requester"`
	Purpose   Purpose      `json:"purpose"`
	State     RequestState `json:"state"`
	Decision  Decision     `json:"decision"` // the ledger's own, before the patient's
	Requested time.Time    `json:"requested"`
	Reason    string       `json:"reason,omitempty"` // of the patient's denial
	Grant     ID           `json:"grant,omitempty"`
	Expiry    time.Time    `json:"expiry,omitzero"` // of the grant
}

// GrantState is where a grant stands. Expiry is not a state: time decides it.
type GrantState string

// issued → active → revoked.
const (
	GrantIssued  GrantState = "issued"
	GrantActive  GrantState = "active"
	GrantRevoked GrantState = "revoked"
)

// Becomes refuses illegal transitions. A state may become itself: a repeat is not an error.
func (s GrantState) Becomes(next GrantState) error {
	return become("grant", s, next, map[GrantState][]GrantState{
		GrantIssued:  {GrantIssued, GrantActive, GrantRevoked},
		GrantActive:  {GrantActive, GrantRevoked},
		GrantRevoked: {GrantRevoked},
	})
}

// Grant lets one subject open one record version through Threshold of its proxies.
type Grant struct {
	ID        ID         `json:"id"`
	Record    ID         `json:"record"`
	Version   int        `json:"version"`
	Patient   UserID     `json:"patient"`
	Issuer    UserID     `json:"issuer"` // whose verifying key signed the fragments: the patient, or the author of an unattended record
	Grantee   Subject    `json:"grantee"`
	Purpose   Purpose    `json:"purpose"`
	State     GrantState `json:"state"`
	Request   ID         `json:"request,omitempty"`   // empty for an author's own
	Standing  Standing   `json:"standing,omitzero"`   // the rule that answered; zero when the patient did
	Custodian bool       `json:"custodian,omitempty"` // opens only under a declaration that covers the record
	// Declaration is what a custodian issued the grant under; empty for all others.
	Declaration ID `json:"declaration,omitempty"`
	// Emergency is what proxies re-encrypt for such a grant, in place of the record's capsule.
	OneTimeKey *OneTimeKey `json:"oneTimeKey,omitempty"`
	Granted    time.Time   `json:"granted"`
	Expiry     time.Time   `json:"expiry"`
	Fragments  Fragments   `json:"fragments"`
}

// Fragments describes the key fragments of a grant without holding them.
type Fragments struct {
	Threshold    int              `json:"threshold"`
	ReceivingKey Digest           `json:"receivingKey"` // SHA-256 of the grantee's receiving key, its 33 bytes
	Proxies      []FragmentDigest `json:"proxies"`
}

// FragmentDigest commits to the sealed fragment of one proxy.
type FragmentDigest struct {
	Proxy  string `json:"proxy"`  // MSP
	SHA256 Digest `json:"sha256"` // SHA-256 of the sealed fragment, all bytes of the age file
}

// Threshold is how many of n proxies must cooperate: ⌊n/2⌋+1.
func Threshold(n int) int { return n/2 + 1 }

// Validate refuses a threshold other than ⌊n/2⌋+1 of 1 to 5 distinct proxies.
func (f Fragments) Validate() error {
	if len(f.Proxies) < 1 || len(f.Proxies) > MaxProxies {
		return fault.New(fault.InvalidArgument, "a grant needs 1 to %d proxies", MaxProxies).At("proxies")
	}
	if f.Threshold != Threshold(len(f.Proxies)) {
		return fault.New(fault.InvalidArgument, "the threshold of %d proxies is %d", len(f.Proxies), Threshold(len(f.Proxies))).At("threshold")
	}
	seen := map[string]bool{}
	for _, p := range f.Proxies {
		if seen[p.Proxy] || !mspForm.MatchString(p.Proxy) {
			return fault.New(fault.InvalidArgument, "proxies must be distinct MSP names").At("proxies")
		}
		seen[p.Proxy] = true
	}
	return nil
}

// Proxy returns the digest of the MSP's fragment.
func (f Fragments) Proxy(msp string) (FragmentDigest, bool) {
	i := slices.IndexFunc(f.Proxies, func(d FragmentDigest) bool { return d.Proxy == msp })
	if i < 0 {
		return FragmentDigest{}, false
	}
	return f.Proxies[i], true
}

// SealedFragment is one key fragment, sealed to a proxy (an age file). It travels
// in the transient map and stands in the private collection [FragmentsCollection].
type SealedFragment struct {
	Grant  ID     `json:"grant"`
	Proxy  string `json:"proxy"`
	Salt   Salt   `json:"salt"`
	Sealed []byte `json:"sealed"`
}

// Validate refuses malformed names and oversized fragments.
func (f SealedFragment) Validate() error {
	if !mspForm.MatchString(f.Proxy) || len(f.Sealed) == 0 || len(f.Sealed) > maxSealed {
		return fault.New(fault.InvalidArgument, "a sealed fragment names a proxy and has 1 to %d bytes", maxSealed)
	}
	return firstError(f.Grant.Validate(), f.Salt.Validate())
}

// Access is one attempt to open a record, allowed or refused: the audit trail.
type Access struct {
	Open        string    `json:"open"` // transaction ID
	Record      ID        `json:"record"`
	Version     int       `json:"version"`
	Grant       ID        `json:"grant"`
	Request     ID        `json:"request,omitempty"` // that the grant answers; empty for an author's own
	User        Identity  `json:"user"`
	Certificate Digest    `json:"certificate"`           // SHA-256 of the certificate that signed, DER
	Declaration ID        `json:"declaration,omitempty"` // of an emergency
	Purpose     Purpose   `json:"purpose,omitempty"`
	Decision    Decision  `json:"decision"`
	Time        time.Time `json:"time"`
}

// Release is what a proxy needs to re-encrypt once for one open, and only the
// proxy of that organisation can read.
type Release struct {
	Access       Access    `json:"access"`
	Grant        Grant     `json:"grant"`
	Record       Record    `json:"record"`
	Segments     []Segment `json:"segments,omitempty"` // of a stream: those asked for
	Sealed       []byte    `json:"sealed"`
	RecordKey    string    `json:"recordKey"`    // key statements, JWS
	VerifyingKey string    `json:"verifyingKey"` //
	ReceivingKey string    `json:"receivingKey"` //
}
