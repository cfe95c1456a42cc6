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
	secret  func(context.Context) (*umbral.SecretKey, error) // of the record version
}

// fragments cuts a grant: each proxy's fragment is sealed to that proxy, signed for
// exactly this record key and this receiving key. The grantee's card, when they have
// one, is verified too.
func (c *Client) fragments(ctx context.Context, s share) (ledger.Fragments, []ledger.SealedFragment, error) {
	var receiving *umbral.PublicKey
	var proxies []proxy
	var secret *umbral.SecretKey
	looking, lookingCtx := errgroup.WithContext(ctx)
	looking.Go(func() (err error) {
		receiving, err = c.receivingKey(lookingCtx, s.grantee)
		return err
	})
	looking.Go(func() (err error) {
		proxies, err = c.proxies(lookingCtx, s.version.Record)
		return err
	})
	looking.Go(func() (err error) {
		secret, err = s.secret(lookingCtx)
		return err
	})
	if err := looking.Wait(); err != nil {
		return ledger.Fragments{}, nil, err
	}
	described := ledger.Fragments{
		Threshold: ledger.Threshold(len(proxies)), ReceivingKey: ledger.DigestOf(receiving.Bytes()),
	}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: secret, ReceivingPK: receiving,
		Signer: c.keys.signer(), Threshold: described.Threshold, Shares: len(proxies),
		SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		return ledger.Fragments{}, nil, err
	}
	var sealed []ledger.SealedFragment
	for i, to := range proxies {
		fragment, err := c.sealFragment(s, to, kfrags[i])
		if err != nil {
			return ledger.Fragments{}, nil, err
		}
		sealed = append(sealed, fragment)
		described.Proxies = append(described.Proxies, ledger.FragmentDigest{Proxy: to.msp, SHA256: ledger.DigestOf(fragment.Sealed)})
	}
	return described, sealed, nil
}

func (c *Client) sealFragment(s share, to proxy, kfrag *umbral.VerifiedKeyFrag) (ledger.SealedFragment, error) {
	text, err := trust.SealKeyFrag(trust.KeyFragEnvelope{
		Channel: c.bundle.Channel, Record: s.version.Record, Version: s.version.Version, Grant: s.grant,
		Grantee: ledger.PersonSubject(s.grantee), Proxy: to.msp, KeyFrag: kfrag.MarshalMsgpack(),
	}, to.recipient)
	return ledger.SealedFragment{Grant: s.grant, Proxy: to.msp, Salt: ledger.NewSalt(), Sealed: text}, err
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
	return p.key(ledger.KeyReceiving)
}

// proxy is a member whose gateway has stated the key that fragments are sealed to.
type proxy struct{ msp, recipient string }

// proxies chooses the members whose gateways are to hold a record's fragments: all that
// have stated a key up to five, beyond that five by rendezvous hashing, so that each
// record has its own and one member more moves few. Who hides one lowers no threshold:
// the ledger refuses a grant for fewer than it knows.
func (c *Client) proxies(ctx context.Context, record ledger.ID) ([]proxy, error) {
	named, err := c.namedProxies(ctx)
	if err != nil {
		return nil, err
	}
	ordered := ledger.Rendezvous(record, c.members())
	chosen, err := chooseProxies(ordered, func(msp string) (string, error) { return c.recipient(ctx, named[msp]) })
	if err == nil && len(chosen) == 0 {
		err = fault.New(fault.NotFound, "no hospital's gateway has stated a proxy key yet; try again when they are up")
	}
	return chosen, err
}

// chooseProxies takes the first five that have a recipient, asking for five at a time.
func chooseProxies(ordered []string, recipient func(msp string) (string, error)) ([]proxy, error) {
	var chosen []proxy
	for some := range slices.Chunk(ordered, ledger.MaxProxies) {
		found := make([]proxy, len(some))
		var looking errgroup.Group
		for i, msp := range some {
			looking.Go(func() (err error) {
				found[i].msp = msp
				found[i].recipient, err = recipient(msp)
				return err
			})
		}
		if err := looking.Wait(); err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(p proxy) bool { return p.recipient == "" })
		chosen = append(chosen, found[:min(len(found), ledger.MaxProxies-len(chosen))]...)
		if len(chosen) == ledger.MaxProxies {
			break
		}
	}
	return chosen, nil
}

// members are the MSPs of the hospitals that have a gateway, by the trust bundle.
func (c *Client) members() []string {
	return c.bundle.Members()
}

// recipient is what fragments for a member's proxy are sealed to; empty while there is no
// proxy, or it has stated no key.
func (c *Client) recipient(ctx context.Context, proxy ledger.UserID) (string, error) {
	if proxy == (ledger.UserID{}) {
		return "", nil
	}
	statement, err := c.sealingKey(ctx, proxy, ledger.KeyProxy)
	if fault.CodeOf(err) == fault.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("proxy of %s: %w", proxy.MSP, err)
	}
	return string(statement.Key), nil
}
