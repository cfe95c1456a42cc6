package consortium

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	fabric "github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"google.golang.org/grpc"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/channel"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// InviteAgain makes another invitation for a user who was registered before: for a new
// device, or a new key after a certificate's revocation. Pseudonym, role and clearance
// stay; the name is for a professional's card. Whether the ledger lets the new key take the
// old one's place, the hospital does not decide.
func (n *Network) InviteAgain(ctx context.Context, user ledger.UserID, name string) (trust.Invitation, error) {
	if name != "" {
		if err := ledger.ValidateName("name", name, ledger.MaxName); err != nil {
			return trust.Invitation{}, err
		}
	}
	account, err := n.Registrar(ctx, user.MSP)
	if err != nil {
		return trust.Invitation{}, err
	}
	secret, attributes, err := account.Invite(ctx, user.Pseudonym)
	if err != nil {
		return trust.Invitation{}, err
	}
	guest := Guest{MSP: user.MSP, Role: ledger.Role(attributes[trust.RoleAttribute]), Department: attributes[trust.DepartmentAttribute], Name: name}
	return n.invitation(user, guest, secret)
}

// Revoke revokes the certificates of a user, or the one of the serial number unless that
// is nil, and voids their enrolment secret in the first case. The hospital's list goes
// into the channel's configuration, signed by its administrator; Revoke returns once the
// hospital's own peer has it. Repeated, it publishes the list again when that is missing.
func (n *Network) Revoke(ctx context.Context, user ledger.UserID, serial *big.Int) ([]*x509.Certificate, error) {
	account, err := n.Registrar(ctx, user.MSP)
	if err != nil {
		return nil, err
	}
	if serial == nil {
		if err := account.Suspend(ctx, user.Pseudonym); err != nil {
			return nil, err
		}
	}
	revoked, err := account.Revoke(ctx, user.Pseudonym, serial)
	if err != nil {
		return nil, err
	}
	list, err := account.RevocationList(ctx)
	if err != nil {
		return revoked, err
	}
	return revoked, n.PublishRevocations(ctx, user.MSP, list)
}

// PublishRevocations puts a member's list, PEM or DER, into the channel's configuration, and
// returns once the hospital's own peer has it.
func (n *Network) PublishRevocations(ctx context.Context, msp string, list []byte) error {
	admin, err := n.admin(msp)
	if err != nil {
		return err
	}
	peer, err := n.dial(msp, n.Table.Of(settings.Peer, msp)[0])
	if err != nil {
		return err
	}
	defer peer.Close()
	return retry(ctx, func() error { return n.publishOnce(ctx, publication{admin, peer, list}) })
}

// publication is a list on its way into the channel's configuration.
type publication struct {
	admin fabric.SigningIdentity
	peer  *grpc.ClientConn // of the administrator's hospital
	list  []byte           // PEM or DER
}

var errUnseen = errors.New("the hospital's peer has not seen the revocation yet")

// publishOnce is nil when the peer has the list. Until then it submits the change: one
// that is submitted twice is refused the second time, and does no harm.
func (n *Network) publishOnce(ctx context.Context, p publication) error {
	configuration, err := channel.ReadConfiguration(ctx, p.peer, p.admin, n.Consortium.Channel)
	if err != nil {
		return err
	}
	update, err := channel.Revocation(n.Consortium.Channel, configuration, p.admin.MspID(), p.list)
	if err != nil || update == nil {
		return err
	}
	var refusals []error
	for _, node := range n.Table.Of(settings.Orderer, "") {
		connection, err := n.dial(p.admin.MspID(), node)
		if err == nil {
			err = channel.Submit(ctx, connection, p.admin, update)
			connection.Close()
		}
		if err == nil {
			return errUnseen
		}
		refusals = append(refusals, fmt.Errorf("%s: %w", node.Name, err))
	}
	return errors.Join(refusals...)
}
