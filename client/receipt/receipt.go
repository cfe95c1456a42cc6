// Package receipt checks, offline, that an entry of a record's audit trail stands on the
// ledger: bytes in, verdict out. Nothing in a receipt is believed because of who served
// it; the trust bundle is the one thing taken as given.
//
// A receipt is the block that holds the access's transaction. [Receipt.Verify] follows
// what is signed: a quorum of the ordering nodes signed the header, the header fixes the
// envelopes, the user signed the envelope, peers of a majority of the members signed what
// the chaincode wrote, and that holds the very entry that was shown.
//
// What nobody signs is that the transaction was valid: each peer decides that for itself
// when it commits the block. So that is the hospitals' word, and kept apart as
// [Commit].
//
// Whoever makes an access makes its envelope too, and must not be able to escape by
// adding to it what the ledger's peers do not mind. So unknown fields, surplus endorsements
// and repeated envelopes are passed over here as they are there.
package receipt

import (
	"encoding/json"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Receipt is an access as it was shown, and what proves it.
type Receipt struct {
	Access ledger.Access `json:"access"`
	Card   string        `json:"card,omitempty"`   // of who tried, JWS; empty when they have none
	Block  []byte        `json:"block"`            // a Fabric common.Block, protobuf
	Commit *Commit       `json:"commit,omitempty"` // nil when no majority of the hospitals answered
}

// Commit is what hospitals said became of the transaction. No signature stands behind it.
type Commit struct {
	Code      string    `json:"code"`      // such as VALID
	Block     uint64    `json:"block"`     // number
	Hospitals []string  `json:"hospitals"` // MSPs that said so, a majority
	Asked     time.Time `json:"asked"`
}

// Valid is the code of a transaction that took effect.
const Valid = "VALID"

// Proof is what a receipt turned out to prove.
type Proof struct {
	Block     uint64        `json:"block"`     // number
	Header    ledger.Digest `json:"header"`    // SHA-256 of the block's header, by which the next block names it
	Orderers  []string      `json:"orderers"`  // MSPs of the ordering nodes that signed the header
	Endorsers []string      `json:"endorsers"` // MSPs of the peers that signed what was written
}

// Parse reads a receipt that was saved as JSON. It proves nothing yet.
func Parse(text []byte) (Receipt, error) {
	var r Receipt
	if err := json.Unmarshal(text, &r); err != nil {
		return Receipt{}, fault.New(fault.InvalidArgument, "this is not a receipt that `pie audit verify --save` wrote")
	}
	return r, nil
}

// Verify checks the receipt against the trust bundle. It fails with [fault.Altered] when
// the receipt does not prove the access, and with [fault.StateConflict] when the bundle is
// of an invitation too old to name the ordering nodes.
func (r Receipt) Verify(bundle *trust.Bundle) (Proof, error) {
	if len(bundle.Orderers) == 0 {
		return Proof{}, fault.New(fault.StateConflict, "the trust bundle names no ordering nodes, so no receipt can be checked; ask for a new invitation and enrol with it")
	}
	b, err := readBlock(r.Block)
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{Block: b.number, Header: ledger.DigestOf(b.header)}
	if proof.Orderers, err = b.orderedBy(bundle.Orderers); err != nil {
		return Proof{}, err
	}
	if proof.Endorsers, err = b.endorsedBy(r.Access, bundle); err != nil {
		return Proof{}, err
	}
	return proof, r.Commit.agrees(proof)
}

// agrees refuses a commit that is of something else than what is proven.
func (c *Commit) agrees(proof Proof) error {
	switch {
	case c == nil:
		return nil
	case c.Code != Valid:
		return unproven("the hospitals say that its transaction is %.64q, so it took no effect", c.Code)
	case c.Block != proof.Block:
		return unproven("the hospitals say that its transaction is in block %d, and this is block %d", c.Block, proof.Block)
	}
	return nil
}

// Who is the professional card of who tried, when the receipt holds one that verifies.
func (r Receipt) Who(bundle *trust.Bundle) (trust.Card, bool) {
	if r.Card == "" {
		return trust.Card{}, false
	}
	card, err := bundle.VerifyCard(r.Card, r.Access.User.User)
	return card, err == nil
}

func unproven(format string, arguments ...any) error {
	return fault.New(fault.Altered, "the receipt does not prove the access: "+format, arguments...)
}
