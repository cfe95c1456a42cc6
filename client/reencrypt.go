package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// opening is one access, allowed by the ledger, for proxies to serve.
type opening struct {
	agreed
	grant       ledger.Grant
	from        *gateway  // who told of the grant
	under       ledger.ID // the declaration that a custodian opens under
	transaction string
	segments    []ledger.Segment              // of a stream: those to open
	meanwhile   []func(context.Context) error // to be done while the access is being recorded
}

// contents are what proxies must say of the ciphertexts to open.
func (o opening) contents() []trust.Reencrypted {
	if !o.Stream {
		content := trust.Reencrypted{Capsule: o.Capsule, SHA256: o.SHA256, Commitment: o.Commitment}
		if o.grant.OneTimeKey != nil {
			content.Capsule = o.grant.OneTimeKey.Capsule
		}
		return []trust.Reencrypted{content}
	}
	var contents []trust.Reencrypted
	for _, s := range o.segments {
		contents = append(contents, trust.Reencrypted{Number: s.Number, Capsule: s.Capsule, SHA256: s.SHA256, Commitment: s.Commitment})
	}
	return contents
}

// numbers are those of the segments to open; none of an ordinary record.
func (o opening) numbers() []int {
	var numbers []int
	for _, s := range o.segments {
		numbers = append(numbers, s.Number)
	}
	return numbers
}

// parties are the keys that a capsule fragment must be signed for.
type parties struct {
	capsules                         []*umbral.Capsule // of the contents, in their order
	verifying, delegating, receiving *umbral.PublicKey
}

// part is what proxies are asked for at once.
type part struct {
	opening opening
	parties parties
}

// parts are all of an ordinary opening, and a bounded number of segments each of a stream's.
func (o opening) parts(p parties) []part {
	if !o.Stream {
		return []part{{o, p}}
	}
	var parts []part
	for first := 0; first < len(o.segments); first += ledger.MaxReleased {
		end := min(first+ledger.MaxReleased, len(o.segments))
		some := part{o, p}
		some.opening.segments, some.parties.capsules = o.segments[first:end], p.capsules[first:end]
		parts = append(parts, some)
	}
	return parts
}

// served is what came of asking one proxy.
type served struct {
	proxy  string
	cfrags []*umbral.VerifiedCapsuleFrag // of the contents, in their order
	err    error
}

// reencrypt asks as many proxies as the grant's threshold, at the same time, and
// another one for each that fails or is slow. It names those that altered something, and when too
// few are left, names all that failed. It returns the fragments of each content.
func (c *Client) reencrypt(ctx context.Context, o opening, p parties) ([][]*umbral.VerifiedCapsuleFrag, []*AlteredError, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	proxies := c.ownFirst(o.grant.Fragments.Proxies)
	answers := make(chan served, len(proxies))
	ask := func(proxy string) {
		cfrags, err := c.reencryptAt(ctx, proxy, o, p)
		answers <- served{proxy, cfrags, err}
	}
	threshold := o.grant.Fragments.Threshold
	for _, proxy := range proxies[:threshold] {
		go ask(proxy)
	}
	c.step("waiting for the proxies' capsule fragments")
	spare, asked := proxies[threshold:], threshold
	cfrags, good := make([][]*umbral.VerifiedCapsuleFrag, len(p.capsules)), 0
	var failed []served
	for good < threshold {
		if asked == good+len(failed) {
			return nil, alterations(failed), tooFew(o.grant.Fragments, failed)
		}
		answer, answered := await(answers, hedge)
		if answered && answer.err == nil {
			good++
			for i, cfrag := range answer.cfrags {
				cfrags[i] = append(cfrags[i], cfrag)
			}
			continue
		}
		if answered {
			failed = append(failed, answer)
		}
		if len(spare) > 0 {
			go ask(spare[0])
			spare, asked = spare[1:], asked+1
		}
	}
	return cfrags, alterations(failed), nil
}

// await reports false when nothing came in time.
func await(answers <-chan served, patience time.Duration) (served, bool) {
	select {
	case answer := <-answers:
		return answer, true
	case <-time.After(patience):
		return served{}, false
	}
}

// parties verifies every key that the fragments depend on.
func (c *Client) parties(ctx context.Context, o opening) (parties, error) {
	if err := o.grant.Fragments.Validate(); err != nil {
		return parties{}, altered(o.from.name(), "the grant %s that it shows cannot be one of the ledger's: %v", o.grant.ID, err)
	}
	delegating, err := o.key, error(nil)
	if o.grant.OneTimeKey != nil {
		if delegating, err = c.emergencyKey(o); err != nil {
			return parties{}, err
		}
	} else if !o.MayIssue(o.grant.Issuer) {
		return parties{}, altered(o.from.name(), "the grant %s that it shows is of %s, who issues none for this record", o.grant.ID, o.grant.Issuer)
	}
	issuer, err := c.person(ctx, o.grant.Issuer)
	if err != nil {
		return parties{}, err
	}
	verifying, err := issuer.key(ledger.KeyVerifying)
	if err != nil {
		return parties{}, err
	}
	receiving := c.keys.receiving().PublicKey()
	if ledger.DigestOf(receiving.Bytes()) != o.grant.Fragments.ReceivingKey {
		return parties{}, fault.New(fault.FragmentInvalid, "grant %s is for another receiving key than this device's", o.grant.ID)
	}
	p := parties{verifying: verifying, delegating: delegating, receiving: receiving}
	for _, content := range o.contents() {
		capsule, err := umbral.ParseCapsule(content.Capsule)
		if err != nil {
			return parties{}, &AlteredError{Code: fault.Altered, Who: maker(o.Record), What: "the registered capsule is none"}
		}
		p.capsules = append(p.capsules, capsule)
	}
	return p, nil
}

// ownFirst orders proxies: the nearest is asked first.
func (c *Client) ownFirst(proxies []ledger.FragmentDigest) []string {
	var own, others []string
	for _, proxy := range proxies {
		if proxy.Proxy == c.identity.User.MSP {
			own = append(own, proxy.Proxy)
		} else {
			others = append(others, proxy.Proxy)
		}
	}
	return append(own, others...)
}

// reencryptAt gets one proxy's fragments through any of its organization's gateways and
// verifies all that it says.
func (c *Client) reencryptAt(ctx context.Context, proxy string, o opening, p parties) ([]*umbral.VerifiedCapsuleFrag, error) {
	err := error(fault.New(fault.ThresholdNotMet, "the trust bundle names no gateway of %s", proxy))
	for _, g := range c.inOrder() {
		if g.msp != proxy {
			continue
		}
		var jws string
		if jws, err = c.askProxy(ctx, g, o); err == nil {
			return c.checkFragments(g, jws, o, p)
		}
		if !tryAnother(err) {
			break
		}
	}
	return nil, err
}

// askProxy repeats its request while the proxy's peer has not seen the open, or not
// received its fragment, yet.
func (c *Client) askProxy(ctx context.Context, g *gateway, o opening) (string, error) {
	var answer api.Reencryption
	notYet := func(err error) bool { return lags(err) || fault.CodeOf(err) == fault.ContentUnavailable }
	err := repeat(ctx, notYet, func() (err error) {
		answer, err = askOne[api.Reencryption](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			jws, err := c.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{
				Open: o.transaction, Record: o.grant.Record, Segments: o.numbers(), Proxy: g.msp, Issued: time.Now().UTC(),
			})
			if err != nil {
				return nil, err
			}
			return g.open.Reencrypt(ctx, api.ReencryptionRequest{Request: jws})
		})
		return err
	})
	return answer.Reencryption, err
}

// checkFragments verifies a proxy's signed answer: it is about this access, what it says
// about the record is what the hospitals agree on, and each fragment proves itself.
func (c *Client) checkFragments(g *gateway, jws string, o opening, p parties) ([]*umbral.VerifiedCapsuleFrag, error) {
	answer, err := c.bundle.VerifyReencryption(jws, g.msp)
	if err != nil {
		return nil, altered(g.name(), "its answer is not signed by the proxy of %s: %v", g.msp, err)
	}
	if answer.Open != o.transaction || answer.Record != o.grant.Record || answer.Version != o.grant.Version || answer.Grant != o.grant.ID {
		return nil, altered(g.name(), "the proxy's answer is about another access")
	}
	told, wanted := []trust.Reencrypted{answer.Reencrypted}, o.contents()
	if o.Stream {
		told = answer.Segments
	}
	if len(told) != len(wanted) {
		return nil, altered(g.name(), "asked for %d capsule fragments, the proxy answered with %d", len(wanted), len(told))
	}
	var verified []*umbral.VerifiedCapsuleFrag
	for i, content := range told {
		if !sameContent(content, wanted[i]) {
			return nil, altered(g.name(), "what the proxy says of record %s differs from what the hospitals agree on", o.grant.Record)
		}
		cfrag, err := umbral.ParseCapsuleFrag(content.CapsuleFrag)
		if err != nil {
			return nil, badFragment(g, err)
		}
		v, err := cfrag.Verify(p.capsules[i], p.verifying, p.delegating, p.receiving)
		if err != nil {
			return nil, badFragment(g, err)
		}
		verified = append(verified, v)
	}
	return verified, nil
}

// sameContent compares all but the fragments.
func sameContent(a, b trust.Reencrypted) bool {
	return a.Number == b.Number && bytes.Equal(a.Capsule, b.Capsule) && a.SHA256 == b.SHA256 && a.Commitment == b.Commitment
}

func badFragment(g *gateway, err error) error {
	return &AlteredError{Code: fault.FragmentInvalid, Who: g.name(), What: "its capsule fragment does not verify: " + err.Error()}
}

// alterations picks the proxies that altered something out of those that failed.
func alterations(failed []served) []*AlteredError {
	var alterations []*AlteredError
	for _, answer := range failed {
		var alteration *AlteredError
		if errors.As(answer.err, &alteration) {
			alterations = append(alterations, alteration)
		}
	}
	return alterations
}

// tooFew names every proxy that failed and why. A refusal that all who answered agree
// on is the proxies' own answer and stays what it is.
func tooFew(fragments ledger.Fragments, failed []served) error {
	var missing []string
	refusals := map[fault.Code]int{}
	for _, answer := range failed {
		missing = append(missing, answer.proxy+" ("+reason(answer.err)+")")
		if !tryAnother(answer.err) {
			refusals[fault.CodeOf(answer.err)]++
		}
	}
	needed := len(fragments.Proxies) - fragments.Threshold + 1
	for _, answer := range failed {
		if code := fault.CodeOf(answer.err); refusals[code] >= needed {
			return answer.err
		}
	}
	slices.Sort(missing)
	return fault.New(fault.ThresholdNotMet, "%d of %d proxies are needed; missing: %s",
		fragments.Threshold, len(fragments.Proxies), strings.Join(missing, "; "))
}

// reason is why a proxy is missing, in few words.
func reason(err error) string {
	var silence *silenceError
	var alteration *AlteredError
	switch {
	case errors.As(err, &silence):
		return "does not answer: " + silence.cause.Error()
	case errors.As(err, &alteration):
		return "altered"
	}
	return err.Error()
}
