package client

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Files of a home, beside the keys.
const (
	invitationFile   = "invitation.json" // without its secret
	certificateFile  = "certificate.pem"
	requestFile      = "certificate-request.pem" // until there is a certificate for it
	registrationFile = "registration.json"
)

// Client acts for one enrolled user.
type Client struct {
	// Progress is called, when set, with each step of a longer operation, in words. It is set
	// before the client is used, and may be called by many goroutines at once.
	Progress func(step string)
	// Blame is called, when set, with each gateway that was outvoted about a key to seal
	// something to. It is set and called as Progress is.
	Altered func(*AlteredError)

	home     *home.Home
	identity ledger.Identity
	creator  proposal.Creator
	keys     keyring
	bundle   *trust.Bundle
	card     string                   // JWS, empty for patients
	gateways []*gateway               // of every member, the user's own hospital's first; stays as it is
	first    *atomic.Pointer[gateway] // that [Client.Ask] named; nil: the user's own one
	behind   int                      // how many gateways are to be asked last, as their peers have not seen something yet
	traffic  *meter

	agentFile *sync.Mutex // held while keys are added to those that the agent has
}

// Open returns the client of the user enrolled in the directory. The passphrase is
// asked for only when the keys are under one.
func Open(dir string, passphrase func() (string, error)) (*Client, error) {
	store, err := home.Open(dir)
	if err != nil {
		return nil, err
	}
	keys, err := store.ReadKeys(passphrase)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return open(store, keys, new(meter))
}

func open(store *home.Home, keys home.Keys, traffic *meter) (*Client, error) {
	ring, err := newKeyring(keys.Seed)
	if err != nil {
		return nil, err
	}
	return openWith(store, keys.Identity, ring, traffic)
}

func openWith(store *home.Home, identity *ecdsa.PrivateKey, keys keyring, traffic *meter) (*Client, error) {
	var invitation trust.Invitation
	if err := store.ReadJSON(invitationFile, &invitation); err != nil {
		return nil, err
	}
	certificate, err := readCertificate(store)
	if err != nil {
		return nil, err
	}
	signer, err := trust.NewSigner(certificate, identity)
	if err != nil {
		return nil, err
	}
	c := &Client{home: store, keys: keys, bundle: &invitation.Bundle, card: invitation.Card, traffic: traffic, agentFile: new(sync.Mutex)}
	c.creator = proposal.Creator{MSP: invitation.MSP, Signer: signer}
	if c.identity, err = c.bundle.Identify(certificate, time.Now()); err != nil {
		return nil, notVouched(certificate, err)
	}
	return c, c.connect(invitation.Gateway, traffic.dial)
}

func readCertificate(store *home.Home) (*x509.Certificate, error) {
	text, err := store.Read(certificateFile)
	if err != nil {
		return nil, fmt.Errorf("no certificate yet; finish enrolling: pie enroll --invitation FILE: %w", err)
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certificateFile, err)
	}
	return certificate, nil
}

// notVouched says what to do about the user's own certificate when nobody vouches for it now.
func notVouched(certificate *x509.Certificate, err error) error {
	now := time.Now()
	switch {
	case now.After(certificate.NotAfter):
		return fault.New(fault.Unauthenticated, "your certificate ended on %s; %s", certificate.NotAfter.UTC().Format(time.DateOnly), askAgain)
	case now.Before(certificate.NotBefore):
		return fault.New(fault.Unauthenticated, "your certificate begins at %s; check this device's clock", certificate.NotBefore.UTC().Format(time.RFC3339))
	}
	return fault.New(fault.Unauthenticated, "%v; %s", err, askAgain)
}

// connect prepares the gateways of all members, the user's own first. Nothing is
// dialled yet.
func (c *Client) connect(own string, dial dialer) error {
	c.gateways, c.first = nil, new(atomic.Pointer[gateway])
	for _, organization := range c.bundle.Organizations {
		for _, url := range organization.Gateways {
			g, err := newGateway(organization, url, dial)
			if err != nil {
				return err
			}
			g.signer, g.user = c.creator.Signer, c.identity.User
			if url == own {
				c.gateways = append([]*gateway{g}, c.gateways...)
			} else {
				c.gateways = append(c.gateways, g)
			}
		}
	}
	if len(c.gateways) == 0 || c.gateways[0].url != own {
		return fmt.Errorf("invitation: the trust bundle does not name the gateway %s", own)
	}
	return nil
}

// Identity is who the user is, as their certificate says.
func (c *Client) Identity() ledger.Identity { return c.identity }

// Card is the user's professional card; false when they have none.
func (c *Client) Card() (trust.Card, bool, error) {
	if c.card == "" {
		return trust.Card{}, false, nil
	}
	card, err := c.bundle.VerifyCard(c.card, c.identity.User)
	return card, true, err
}

// Gateway is the URL of the gateway that is asked first: the user's own hospital's, or
// that of [Client.Ask].
func (c *Client) Gateway() string { return c.nearest().url }

// Ask makes another gateway of the trust bundle the first to be asked: what the user's own
// hospital hides, another one may tell. What is under way may still ask in the old order.
func (c *Client) Ask(url string) error {
	i := slices.IndexFunc(c.gateways, func(g *gateway) bool { return g.url == url })
	if i < 0 {
		var known []string
		for _, g := range c.gateways {
			known = append(known, g.url)
		}
		return fault.New(fault.InvalidArgument, "the trust bundle has no gateway %.100q, but %s", url, strings.Join(known, ", "))
	}
	c.first.Store(c.gateways[i])
	return nil
}

// Traffic is what this client has sent and received so far.
func (c *Client) Traffic() Traffic {
	return Traffic{Sent: c.traffic.sent.Load(), Received: c.traffic.received.Load()}
}

func (c *Client) step(format string, arguments ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, arguments...))
	}
}
