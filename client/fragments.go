package client

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// share is one grant to be cut into fragments.
type share struct {
	version ledger.RecordVersion
	grant   ledger.ID
	grantee ledger.UserID
}

// fragments cuts a grant: each proxy's fragment is sealed to that proxy, signed for
// exactly this record key and this receiving key. The grantee's card, when they have
// one, is verified too.
func (c *Client) fragments(ctx context.Context, s share) (ledger.Fragments, []ledger.SealedFragment, error) {
	proxies := c.proxies(s.version.Record)
	var receiving *umbral.PublicKey
	var recipients []string
	looking, lookingCtx := errgroup.WithContext(ctx)
	looking.Go(func() (err error) {
		receiving, err = c.receivingKey(lookingCtx, s.grantee)
		return err
	})
	looking.Go(func() (err error) {
		recipients, err = c.proxyKeys(lookingCtx, proxies)
		return err
	})
	if err := looking.Wait(); err != nil {
		return ledger.Fragments{}, nil, err
	}
	described := ledger.Fragments{
		Threshold: ledger.Threshold(len(proxies)), ReceivingKey: ledger.DigestOf(receiving.Bytes()),
	}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: c.keys.record(s.version.Record, s.version.Version), ReceivingPK: receiving,
		Signer: c.keys.signer(), Threshold: described.Threshold, Shares: len(proxies),
		SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		return ledger.Fragments{}, nil, err
	}
	var sealed []ledger.SealedFragment
	for i, proxy := range proxies {
		fragment, err := c.sealFragment(s, proxy, recipients[i], kfrags[i])
		if err != nil {
			return ledger.Fragments{}, nil, err
		}
		sealed = append(sealed, fragment)
		described.Proxies = append(described.Proxies, ledger.FragmentDigest{Proxy: proxy, SHA256: ledger.DigestOf(fragment.Sealed)})
	}
	return described, sealed, nil
}

func (c *Client) sealFragment(s share, proxy, recipient string, kfrag *umbral.VerifiedKeyFrag) (ledger.SealedFragment, error) {
	text, err := trust.SealKeyFrag(trust.KeyFragEnvelope{
		Channel: c.bundle.Channel, Record: s.version.Record, Version: s.version.Version, Grant: s.grant,
		Grantee: ledger.PersonSubject(s.grantee), Proxy: proxy, KeyFrag: kfrag.MarshalMsgpack(),
	}, recipient)
	return ledger.SealedFragment{Grant: s.grant, Proxy: proxy, Salt: ledger.NewSalt(), Sealed: text}, err
}

// receivingKey is the key of a grantee whose card vouches for them, unless they have none.
func (c *Client) receivingKey(ctx context.Context, grantee ledger.UserID) (*umbral.PublicKey, error) {
	p, err := c.person(ctx, grantee)
	if err != nil {
		return nil, err
	}
	if _, _, err := p.card(); err != nil {
		return nil, err
	}
	return p.key(ledger.ReceivingKey)
}

// proxies chooses the members whose gateways are to hold a record's fragments: all of
// them up to five, beyond that five by rendezvous hashing, so that each record has its
// own and one member more moves few.
func (c *Client) proxies(record ledger.ID) []string {
	members := ledger.Rendezvous(record, c.members())
	return members[:min(len(members), ledger.MaxProxies)]
}

// members are the MSPs of the hospitals that have a gateway, by the trust bundle.
func (c *Client) members() []string {
	var members []string
	for _, organization := range c.bundle.Organizations {
		if len(organization.Gateways) > 0 {
			members = append(members, organization.MSP)
		}
	}
	return members
}

// proxyKeys returns the age recipient that each proxy's own gateway stated. One that
// is missing is an error: who hides proxies would lower the threshold.
func (c *Client) proxyKeys(ctx context.Context, proxies []string) ([]string, error) {
	organizations, from, err := c.organizations(ctx)
	if err != nil {
		return nil, err
	}
	recipients := make([]string, len(proxies))
	looking, ctx := errgroup.WithContext(ctx)
	for n, msp := range proxies {
		looking.Go(func() (err error) {
			i := slices.IndexFunc(organizations, func(o ledger.Organization) bool { return o.MSP == msp })
			if i < 0 {
				return fault.New(fault.NotFound, "%s does not know %s, which the trust bundle names; ask its operator", from.name(), msp)
			}
			if recipients[n], err = c.proxyKey(ctx, organizations[i], from); err != nil {
				return fmt.Errorf("proxy of %s: %w", msp, err)
			}
			return nil
		})
	}
	return recipients, looking.Wait()
}

func (c *Client) proxyKey(ctx context.Context, organization ledger.Organization, from *gateway) (string, error) {
	if organization.Proxy.MSP != organization.MSP {
		return "", liar(from.name(), "it names %s as the proxy of %s", organization.Proxy, organization.MSP)
	}
	proxy, err := c.person(ctx, organization.Proxy)
	if err != nil {
		return "", err
	}
	statement, err := proxy.statement(ledger.ProxyKey)
	return string(statement.Key), err
}
