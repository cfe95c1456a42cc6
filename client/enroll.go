package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// askAgain is what to do when an invitation or a certificate is of no more use.
const askAgain = "ask your hospital's IT for a new invitation, then: pie enroll --invitation FILE"

// registration is what the user registers, kept so that a repeat is identical.
type registration struct {
	Arguments ledger.RegisterUser `json:"arguments"`
	Profile   *ledger.Profile     `json:"profile,omitempty"` // nil without a card
}

// holds reports whether the card is the one that is registered, or none came since.
func (r registration) holds(card string) bool {
	return card == "" || r.Profile != nil && r.Profile.Card == card
}

// Enroll makes a home in the directory for the invited user: keys made here, a
// certificate from the hospital's CA, a registration on the ledger. The keys come
// under the passphrase unless it is nil. Interrupted, it finishes when called again.
//
// A fresh invitation for the user of an old home brings the trust bundle up to date, and
// the certificate when that is in the last third of its life or over; keys stay. When the
// certificate was revoked, the home gets a new identity key and takes its own old one's
// place. A card that comes with the invitation replaces the one before. In a home of
// [Recover], Enroll makes the new device the user's.
func Enroll(ctx context.Context, dir string, invitation *trust.Invitation, passphrase func() (string, error)) (*Client, error) {
	e, err := enter(dir, invitation, passphrase)
	if err != nil {
		return nil, err
	}
	c, fresh, err := e.certified(ctx)
	if err != nil {
		return nil, err
	}
	err = c.register(ctx)
	if fault.CodeOf(err) != fault.Unauthenticated || fresh {
		return c, err
	}
	if c, err = e.returned(ctx, err); err != nil {
		return nil, err
	}
	return c, c.register(ctx)
}

// enrolment is a home on its way to a certificate.
type enrolment struct {
	store      *home.Home
	invitation *trust.Invitation
	keys       home.Keys
	passphrase string // that the keys are under; empty when they are in clear
	traffic    *meter
}

func enter(dir string, invitation *trust.Invitation, passphrase func() (string, error)) (*enrolment, error) {
	store, err := home.Create(dir)
	if err != nil {
		return nil, err
	}
	if err := adopt(store, invitation); err != nil {
		return nil, err
	}
	e := &enrolment{store: store, invitation: invitation, traffic: new(meter)}
	if passphrase != nil {
		ask := passphrase
		passphrase = func() (_ string, err error) {
			e.passphrase, err = ask()
			return e.passphrase, err
		}
	}
	e.keys, err = ownKeys(store, passphrase)
	return e, err
}

// certified is the client of somebody invited, who may not be registered yet, and whether
// it has got its certificate just now.
func (e *enrolment) certified(ctx context.Context) (c *Client, fresh bool, err error) {
	fresh, err = certificateDue(e.store, &e.invitation.Bundle, e.keys)
	if err != nil {
		return nil, fresh, err
	}
	if fresh {
		if err := e.certify(ctx); err != nil {
			return nil, fresh, err
		}
	}
	c, err = open(e.store, e.keys, e.traffic)
	return c, fresh, err
}

// returned is the client of somebody whose certificate no gateway takes, with another for
// a new identity key: who revoked the old one may have done so as others had that key. The
// refusal is what they are told when the invitation does not help.
func (e *enrolment) returned(ctx context.Context, refusal error) (*Client, error) {
	old := e.keys
	fresh, err := home.NewKeys()
	if err != nil {
		return nil, err
	}
	e.keys.Identity = fresh.Identity
	if err := e.store.WriteKeys(e.keys, e.passphrase); err != nil { // before anything is asked for with it
		return nil, err
	}
	if err := e.certify(ctx); err != nil {
		return nil, errors.Join(refusal, err, e.store.WriteKeys(old, e.passphrase))
	}
	return open(e.store, e.keys, e.traffic)
}

// certify gets the home's certificate.
func (e *enrolment) certify(ctx context.Context) error {
	csr, err := e.request()
	if err != nil {
		return err
	}
	certificate, err := e.ask(ctx, csr)
	if err != nil {
		return err
	}
	if err := e.store.Write(certificateFile, []byte(certificate)); err != nil {
		return err
	}
	return e.store.Remove(requestFile)
}

// request is the request for a certificate, PEM. It is kept before it is sent: when the
// answer is lost, the gateway gives the same one to who sends the very same again.
func (e *enrolment) request() ([]byte, error) {
	if e.store.Has(requestFile) {
		kept, err := e.store.Read(requestFile)
		if err != nil || isRequestOf(kept, e.keys, e.invitation.Pseudonym) {
			return kept, err
		}
	}
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: e.invitation.Pseudonym}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, e.keys.Identity)
	if err != nil {
		return nil, err
	}
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return csr, e.store.Write(requestFile, csr)
}

// isRequestOf reports whether a request is for the keys and the name of now.
func isRequestOf(text []byte, keys home.Keys, pseudonym string) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	return err == nil && keys.Identity.PublicKey.Equal(csr.PublicKey) && csr.Subject.CommonName == pseudonym
}

// certificateDue reports whether a certificate is wanted: there is none, it is another
// key's, the members do not vouch for it any more, or less than a third of its life is left.
func certificateDue(store *home.Home, bundle *trust.Bundle, keys home.Keys) (bool, error) {
	if !store.Has(certificateFile) {
		return true, nil
	}
	certificate, err := readCertificate(store)
	if err != nil {
		return false, err
	}
	if !keys.Identity.PublicKey.Equal(certificate.PublicKey) {
		return true, nil // interrupted when it got a new identity key
	}
	now, life := time.Now(), certificate.NotAfter.Sub(certificate.NotBefore)
	return certificate.NotAfter.Sub(now) < life/3 || !vouches(bundle, certificate), nil
}

func vouches(bundle *trust.Bundle, certificate *x509.Certificate) bool {
	_, err := bundle.Identify(certificate, time.Now())
	return err == nil
}

// adopt keeps the invitation without its secret. A home with a certificate belongs to
// its user and takes no other's; without a new card the old one stays.
func adopt(store *home.Home, invitation *trust.Invitation) error {
	var old trust.Invitation
	if store.Has(certificateFile) {
		if err := store.ReadJSON(invitationFile, &old); err != nil {
			return err
		}
		if old.MSP != invitation.MSP || old.Pseudonym != invitation.Pseudonym {
			return fault.New(fault.AlreadyExists, "this home belongs to %s/%s; choose another with --home", old.MSP, old.Pseudonym)
		}
	}
	kept := *invitation
	kept.Secret, kept.Card = "", cmp.Or(kept.Card, old.Card)
	return store.WriteJSON(invitationFile, kept)
}

// ownKeys makes keys the first time.
func ownKeys(store *home.Home, passphrase func() (string, error)) (home.Keys, error) {
	if store.HasKeys() {
		if passphrase == nil {
			passphrase = func() (string, error) { return "", errors.New("the keys are under a passphrase; give it again") }
		}
		return store.ReadKeys(passphrase)
	}
	var secret string
	if passphrase != nil {
		var err error
		if secret, err = passphrase(); err != nil {
			return home.Keys{}, err
		}
	}
	keys, err := home.NewKeys()
	if err != nil {
		return home.Keys{}, err
	}
	return keys, store.WriteKeys(keys, secret)
}

// ask gets the certificate: the private key stays here, the request for it goes out with
// the secret of the invitation.
func (e *enrolment) ask(ctx context.Context, csr []byte) (string, error) {
	invitation := e.invitation
	organization, ok := invitation.Bundle.Organization(invitation.MSP)
	if !ok {
		return "", fmt.Errorf("invitation: its trust bundle does not know %s", invitation.MSP)
	}
	g, err := newGateway(organization, invitation.Gateway, e.traffic.dial)
	if err != nil {
		return "", err
	}
	answer, err := askOne[api.Enrollment](ctx, g, writeTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.open.Enroll(ctx, api.EnrollmentRequest{
			Csr: string(csr), Pseudonym: invitation.Pseudonym, Secret: invitation.Secret,
		})
	})
	if fault.CodeOf(err) == fault.Unauthenticated {
		err = fmt.Errorf("%w; %s", err, askAgain)
	}
	if err != nil {
		return "", fmt.Errorf("certificate for %s/%s: %w", invitation.MSP, invitation.Pseudonym, err)
	}
	if err := checkCertificate(answer.Certificate, e.keys, invitation); err != nil {
		return "", altered(g.name(), "the certificate it gave: %v", err)
	}
	return answer.Certificate, nil
}

// checkCertificate wants the user's own key and name, vouched for by their hospital.
// Whether it is valid now is not asked: this device's clock may be wrong, and the secret
// is spent.
func checkCertificate(text string, keys home.Keys, invitation *trust.Invitation) error {
	certificate, err := trust.ParseCertificate([]byte(text))
	if err != nil {
		return err
	}
	if _, err := trust.NewSigner(certificate, keys.Identity); err != nil {
		return err
	}
	identity, err := invitation.Bundle.Identify(certificate, certificate.NotBefore)
	if err != nil {
		return err
	}
	if want := (ledger.UserID{MSP: invitation.MSP, Pseudonym: invitation.Pseudonym}); identity.User != want {
		return fmt.Errorf("it is for %s, not for %s", identity.User, want)
	}
	return nil
}

// register publishes the user's keys, with the card for those who have one.
func (c *Client) register(ctx context.Context) error {
	statement, err := c.registration()
	if err != nil {
		return err
	}
	var private transient
	if statement.Profile != nil {
		private = transient{ledger.TransientProfile: statement.Profile}
	}
	c.step("registering %s", c.identity.User)
	user, _, err := submit[ledger.User](ctx, c, change{name: ledger.TxRegisterUser, arguments: statement.Arguments, private: private})
	if fault.CodeOf(err) == fault.AlreadyExists {
		return c.checkRegistered(ctx)
	}
	if err != nil {
		return fmt.Errorf("register %s: %w", c.identity.User, err)
	}
	if user.Identity.User != c.identity.User {
		return fault.New(fault.Internal, "the ledger registered %s as somebody else", c.identity.User)
	}
	return nil
}

// checkRegistered wants the ledger to hold this device's keys. Signed under a certificate
// that has been replaced since, they read otherwise there, and that is as good. A device
// that has the user's seed and another identity key takes the old device's place.
func (c *Client) checkRegistered(ctx context.Context) error {
	p, err := c.person(ctx, c.identity.User)
	if err != nil {
		return err
	}
	for kind, own := range map[ledger.KeyKind]*umbral.PublicKey{
		ledger.KeyReceiving: c.keys.receiving().PublicKey(), ledger.KeyVerifying: c.keys.signer().VerifyingKey(),
	} {
		key, err := p.key(kind)
		if err != nil {
			return err
		}
		if !key.Equal(own) {
			return fault.New(fault.AlreadyExists, otherKeys, c.identity.User)
		}
	}
	if p.view.IdentityKey != trust.IdentityKeyDigest(c.creator.Signer.Certificate) {
		if err := c.replaceKeys(ctx, p.view.User); err != nil {
			return err
		}
	}
	if c.card == "" || c.card == p.view.Card {
		return nil
	}
	return c.replaceCard(ctx)
}

// otherKeys says each way on from a home whose keys are not the user's.
const otherKeys = `%s is registered with other keys than this home's, and this invitation is used now.
With the home that was enrolled first: ask your hospital's IT for another invitation, then: pie --home THAT enroll --invitation FILE
With guardians' shares: ask for another invitation, then: pie --home NEW recovery combine FILE FILE…; pie --home NEW enroll --invitation FILE
With neither: go on in this home, which another hospital has to approve: pie recovery request`

// replaceCard shows others the card that came with the invitation.
func (c *Client) replaceCard(ctx context.Context) error {
	statement, err := c.registration()
	if err != nil {
		return err
	}
	c.step("replacing the card of %s", c.identity.User)
	_, _, err = submit[ledger.User](ctx, c, change{
		name: ledger.TxReplaceCard, arguments: ledger.ReplaceCard{}, private: transient{ledger.TransientProfile: statement.Profile},
	})
	return err
}

// registration is the kept one, or a new one that is kept before it is used: a
// signature made anew would make another registration of the same keys. One that the
// ledger would refuse is made anew: the device's clock was wrong, or the certificate has
// been replaced.
func (c *Client) registration() (registration, error) {
	var kept registration
	if c.home.Has(registrationFile) {
		if err := c.home.ReadJSON(registrationFile, &kept); err != nil {
			return kept, err
		}
		refused := func(jws string) bool {
			_, err := trust.ReadKeyStatement(jws, c.identity.User, c.creator.Signer.Certificate, time.Now())
			return err != nil
		}
		if !slices.ContainsFunc(kept.Arguments.Keys, refused) && kept.holds(c.card) {
			return kept, nil
		}
	}
	keys, err := c.keys.statements(c.creator.Signer, c.identity.User)
	if err != nil {
		return kept, err
	}
	made := registration{Arguments: ledger.RegisterUser{Keys: keys}, Profile: kept.Profile}
	if _, has, err := c.Card(); err != nil {
		return made, fmt.Errorf("the invitation's professional card: %w", err)
	} else if has && !kept.holds(c.card) {
		made.Profile = &ledger.Profile{Salt: ledger.NewSalt(), Card: c.card}
	}
	return made, c.home.WriteJSON(registrationFile, made)
}
