package consortium

import (
	"context"
	"fmt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/membership"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// SetResponders has a hospital's administrator list its physicians who respond to
// emergencies, in the place of those listed before.
func (n *Network) SetResponders(ctx context.Context, msp string, physicians []ledger.UserID) error {
	list := ledger.SetResponders{Listed: []string{}}
	for _, physician := range physicians {
		if physician.MSP != msp {
			return fmt.Errorf("%s is of another hospital than %s", physician, msp)
		}
		list.Listed = append(list.Listed, physician.Pseudonym)
	}
	if err := list.Validate(); err != nil {
		return err
	}
	admin, err := n.admin(msp)
	if err != nil {
		return err
	}
	peer, err := n.dial(msp, n.Table.Of(settings.Peer, msp)[0])
	if err != nil {
		return err
	}
	defer peer.Close()
	target := membership.Ledger{Channel: n.Consortium.Channel, Chaincode: n.Consortium.Chaincode, Peer: peer}
	return target.SetResponders(ctx, admin, list)
}
