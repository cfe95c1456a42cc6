package consortium

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/identity"
	"github.com/pie-consortium/pie/network/internal/registrar"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// pseudonymBytes is how much chance is in a pseudonym: 16 characters of base32.
const pseudonymBytes = 10

// gatewayPseudonym is the name of a gateway inside its organisation.
const gatewayPseudonym = "gateway"

// Guest is somebody to invite.
type Guest struct {
	// MSP is the hospital that invites and vouches.
	MSP  string
	Role ledger.Role
	// Clearance is the highest level the user may read; patients need none.
	Clearance ledger.Level
	// Department and Name stand on a professional's card. A patient's name is
	// nobody's business.
	Department, Name string
}

// Validate reports everything that is wrong with the guest.
func (g Guest) Validate() error {
	var violations []error
	if g.MSP == "" {
		violations = append(violations, errors.New("org: the MSP of the hospital that invites is needed"))
	}
	if !slices.Contains(guestRoles(), g.Role) {
		violations = append(violations, fmt.Errorf("role: %q is none of %v", g.Role, guestRoles()))
	}
	if g.Clearance != "" && !slices.Contains(ledger.Levels(), g.Clearance) {
		violations = append(violations, fmt.Errorf("clearance: %q is none of %v", g.Clearance, ledger.Levels()))
	}
	if g.Department != "" {
		violations = append(violations, ledger.ValidateName("department", g.Department, ledger.MaxDepartment))
	}
	if g.Name != "" {
		violations = append(violations, ledger.ValidateName("name", g.Name, ledger.MaxName))
	}
	if g.Role == ledger.RolePatient && (g.Clearance != "" || g.Department != "" || g.Name != "") {
		violations = append(violations, errors.New("role patient: a patient has no clearance, department or name here; the pseudonym is all that the consortium knows"))
	}
	if g.Role != ledger.RolePatient && g.Name == "" {
		violations = append(violations, errors.New("name: patients are shown a professional's name, so it is needed"))
	}
	return errors.Join(violations...)
}

// guestRoles are all roles but those whose identities are made with the network.
func guestRoles() []ledger.Role {
	return slices.DeleteFunc(ledger.Roles(), func(role ledger.Role) bool {
		return role == ledger.RoleOrgAdmin || role == ledger.RoleGateway
	})
}

// Invite registers the guest under a new random pseudonym at the hospital's CA. The
// invitation holds a secret that works once: hand it over in person.
func (n *Network) Invite(ctx context.Context, guest Guest) (trust.Invitation, error) {
	if err := guest.Validate(); err != nil {
		return trust.Invitation{}, err
	}
	user := ledger.UserID{MSP: guest.MSP, Pseudonym: newPseudonym()}
	account, err := n.Registrar(ctx, guest.MSP)
	if err != nil {
		return trust.Invitation{}, err
	}
	secret, err := account.Register(ctx, user.Pseudonym, guest.attributes())
	if err != nil {
		return trust.Invitation{}, err
	}
	return n.invitation(user, guest, secret)
}

// invitation is what a registered user enrols with. Patients have no card, nor has who
// gave no name.
func (n *Network) invitation(user ledger.UserID, guest Guest, secret string) (trust.Invitation, error) {
	bundle, err := n.Bundle()
	if err != nil {
		return trust.Invitation{}, err
	}
	invitation := trust.Invitation{MSP: user.MSP, Pseudonym: user.Pseudonym, Secret: secret, Bundle: bundle}
	if gateways := n.gateways(user.MSP); len(gateways) > 0 {
		invitation.Gateway = gateways[0]
	}
	if guest.Role != ledger.RolePatient && guest.Name != "" {
		invitation.Card, err = n.card(user, guest)
	}
	return invitation, err
}

// attributes are what the guest's certificates will carry.
func (g Guest) attributes() map[string]string {
	attributes := map[string]string{trust.RoleAttribute: string(g.Role)}
	if g.Clearance != "" {
		attributes[trust.ClearanceAttribute] = string(g.Clearance)
	}
	if g.Department != "" {
		attributes[trust.DepartmentAttribute] = g.Department
	}
	return attributes
}

// Registrar signs in to a hospital's CA, which registers whomever it is told to: names
// and attributes are the hospital's own affair.
func (n *Network) Registrar(ctx context.Context, msp string) (*registrar.Account, error) {
	cas := n.Table.Of(settings.CA, msp)
	if msp == "" || len(cas) == 0 {
		return nil, fmt.Errorf("no hospital has the MSP %q", msp)
	}
	secret, err := trust.ReadSecretFile(n.Table.RegistrarSecret(msp))
	if err != nil {
		return nil, fmt.Errorf("registrar's secret: %w", err)
	}
	configuration, err := n.memberTLS(msp)
	if err != nil {
		return nil, err
	}
	login := registrar.Login{Name: settings.RegistrarName(secret), Secret: string(secret)}
	return registrar.CA{URL: cas[0].CAURL(), TLS: configuration}.SignIn(ctx, n.Table.Registrar(msp), login)
}

// enrolRegistrars signs in to every hospital's CA, so that secrets of the first time are
// of no use any more.
func (n *Network) enrolRegistrars(ctx context.Context) error {
	for _, ca := range n.Table.Of(settings.CA, "") {
		if _, err := n.Registrar(ctx, ca.MSP); err != nil {
			return err
		}
	}
	return nil
}

// card signs, as the hospital's administrator, who the professional is.
func (n *Network) card(user ledger.UserID, guest Guest) (string, error) {
	dir := filepath.Join(n.Table.Organization(user.MSP), "admin")
	certificate, err := identity.ReadCertificate(filepath.Join(dir, "signcerts", "cert.pem"))
	if err != nil {
		return "", err
	}
	key, err := identity.ReadKey(filepath.Join(dir, "keystore", "key.pem"))
	if err != nil {
		return "", err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("the administrator's key of %s is not an ECDSA key", user.MSP)
	}
	signer, err := trust.NewSigner(certificate, private)
	if err != nil {
		return "", err
	}
	return signer.SignCard(trust.Card{
		User: user, Role: guest.Role, Name: guest.Name, Department: guest.Department, Issued: time.Now().UTC(),
	})
}

// newPseudonym draws a name that says nothing about its bearer.
func newPseudonym() string {
	bytes := make([]byte, pseudonymBytes)
	rand.Read(bytes)
	return strings.ToLower(base32.StdEncoding.EncodeToString(bytes))
}
