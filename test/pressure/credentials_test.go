package pressure

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
)

// credentials are those with which one request is made.
type credentials struct {
	who        *person
	token      string   // theirs, for the gateway that is asked
	foreign    []string // tokens that this gateway must not take
	assertions []string // for tokens: used, for another gateway, of another kind
	endorsed   []endorsed
	now        time.Time
}

// endorsed is a transaction that needs one more signature, which nobody gives.
type endorsed struct {
	id      string
	payload []byte
	wrong   []byte // another person's signature
}

// authorization is the header's value: mostly good.
func (w *writer) authorization() string {
	if w.chance(75) {
		return "Bearer " + w.token
	}
	return pick(w.drawer, []string{
		"", "Bearer", "Bearer  " + w.token, "bearer " + w.token, "Basic " + w.token, "Bearer " + w.token + "x", "Bearer " + w.token[1:],
		"Bearer " + pick(w.drawer, w.foreign), "Bearer " + pick(w.drawer, w.assertions), "Bearer " + strings.Repeat("a.", 2000), "Bearer \t\u00ff",
		"Bearer " + w.letters(60), "Bearer e30.e30.", "Bearer " + unsigned(w.token),
	})
}

// unsigned is a token that says it needs no signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
}

// wallet keeps everybody's tokens fresh.
type wallet struct {
	mutex  sync.Mutex
	tokens map[purse]fresh
}

type purse struct {
	who     *person
	gateway string
}

type fresh struct {
	token string
	since time.Time
}

// half a token's life is how long one is used.
const half = 2 * time.Minute

func (w *wallet) token(ctx context.Context, who *person, gateway string) (string, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	kept := w.tokens[purse{who, gateway}]
	if time.Since(kept.since) < half {
		return kept.token, nil
	}
	token, err := crowd.token(ctx, who, gateway)
	if err == nil {
		w.tokens[purse{who, gateway}] = fresh{token, time.Now()}
	}
	return token, err
}

// expired is a token that a gateway itself signed, of which the time is over.
func expired(token string, gateway networktest.Organization) (string, error) {
	signer, err := signerOf(gateway.GatewayIdentity)
	if err != nil {
		return "", err
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return "", err
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	claims["exp"] = fmt.Append(nil, time.Now().Add(-time.Second).Unix())
	if text, err = json.Marshal(claims); err != nil {
		return "", err
	}
	secret, err := signer.Key.Bytes()
	if err != nil {
		return "", err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "pie gateway tokens", sha256.Size)
	if err != nil {
		return "", err
	}
	signing, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return "", err
	}
	object, err := signing.Sign(text)
	if err != nil {
		return "", err
	}
	return object.CompactSerialize()
}

// endorse has requests for access endorsed that are never signed a second time.
func (p *people) endorse(ctx context.Context, w *wallet) ([]endorsed, error) {
	who := p.of(p.Colleague.Identity().User)
	gateway, err := network.Organization(who.User.MSP)
	if err != nil {
		return nil, err
	}
	door, err := p.door(w, who, gateway.GatewayURL)
	if err != nil {
		return nil, err
	}
	argument, err := json.Marshal(ledger.RequestAccess{
		RecordVersion: ledger.RecordVersion{Record: p.record, Version: 1}, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	})
	if err != nil {
		return nil, err
	}
	made, err := proposal.New(who.creator, proposal.Invocation{Channel: network.Channel, Transaction: ledger.TxRequestAccess, Arguments: argument}, time.Now())
	if err != nil {
		return nil, err
	}
	signature, err := who.creator.Sign(made.Bytes)
	if err != nil {
		return nil, err
	}
	answer, err := door.EndorseTransactionWithResponse(ctx, made.TransactionID, api.SignedProposal{Proposal: made.Bytes, Signature: signature})
	if err != nil {
		return nil, err
	}
	if answer.JSON200 == nil {
		return nil, fmt.Errorf("endorse: %s", answer.Body)
	}
	wrong, err := p.of(p.Patient.Identity().User).creator.Sign(answer.JSON200.Transaction)
	return []endorsed{{made.TransactionID, answer.JSON200.Transaction, wrong}, {made.TransactionID, made.Bytes, signature}}, err
}

// of is who has the name.
func (p *people) of(user ledger.UserID) *person {
	for _, who := range p.all {
		if who.User == user {
			return who
		}
	}
	return nil
}

// statement is something else that the identity key signed.
func (p *person) statement() (string, error) {
	return p.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{Open: crowd.open, Record: crowd.record, Proxy: "HospitalA", Issued: time.Now().UTC()})
}
