package pressure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
)

const (
	manyRequests, someRequests = 100_000, 4_000
	senders                    = 8
	// maxFailures end a run: what comes after is more of the same.
	maxFailures = 12
)

// barrage is a run of broken requests.
type barrage struct {
	document   *openapi3.T
	operations []operation
	oracle     *oracle
	wallet     *wallet
	known      map[string][]string
	foreign    map[string][]string // tokens, by the gateway that must not take them
	assertions []string
	endorsed   []endorsed

	mutex    sync.Mutex
	outcomes map[string]int
	failures []error
}

func newBarrage(ctx context.Context) (*barrage, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, err
	}
	b := &barrage{
		document: document, operations: operations(document), wallet: &wallet{tokens: map[purse]fresh{}},
		foreign: map[string][]string{}, outcomes: map[string]int{},
	}
	if b.oracle, err = newOracle(document); err != nil {
		return nil, err
	}
	if b.endorsed, err = crowd.endorse(ctx, b.wallet); err != nil {
		return nil, err
	}
	b.known = map[string][]string{
		"ID": {string(crowd.record), string(crowd.slot)}, "TransactionID": {crowd.open, b.endorsed[0].id},
	}
	for _, who := range crowd.all {
		b.known["UserID"] = append(b.known["UserID"], who.User.String())
		b.known["Pseudonym"] = append(b.known["Pseudonym"], who.User.Pseudonym)
	}
	for _, organization := range network.Organizations {
		b.known["MSP"] = append(b.known["MSP"], organization.MSP)
	}
	return b, b.collect(ctx)
}

// collect gets what no gateway may take for a token.
func (b *barrage) collect(ctx context.Context) error {
	for i, organization := range network.Organizations {
		who := crowd.all[i]
		token, err := b.wallet.token(ctx, who, organization.GatewayURL)
		if err != nil {
			return err
		}
		late, err := expired(token, organization)
		if err != nil {
			return err
		}
		for _, other := range network.Organizations {
			if other.MSP != organization.MSP {
				b.foreign[other.GatewayURL] = append(b.foreign[other.GatewayURL], token)
			}
			b.foreign[other.GatewayURL] = append(b.foreign[other.GatewayURL], late)
		}
		assertion, err := who.creator.Signer.SignAssertion(who.User, organization.GatewayURL, time.Now().Add(-time.Hour))
		if err != nil {
			return err
		}
		statement, err := who.statement()
		if err != nil {
			return err
		}
		b.assertions = append(b.assertions, assertion, statement)
	}
	return nil
}

// request is the one of this number.
func (b *barrage) request(ctx context.Context, number uint64) (*request, string, error) {
	d := &drawer{rand.New(rand.NewPCG(*seed, number)), b.known}
	gateway := pick(d, network.Organizations).GatewayURL
	who := pick(d, crowd.all)
	token, err := b.wallet.token(ctx, who, gateway)
	if err != nil {
		return nil, "", err
	}
	w := &writer{drawer: d, document: b.document, operations: b.operations, credentials: credentials{
		who: who, token: token, foreign: b.foreign[gateway], assertions: b.assertions, endorsed: b.endorsed, now: time.Now(),
	}}
	return w.next(), gateway, nil
}

// send sends requests of these numbers and judges the answers, some at a time.
func (b *barrage) send(ctx context.Context, from, to uint64) {
	next := atomic.Uint64{}
	next.Store(from)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			open := map[string]*connection{}
			defer func() {
				for _, c := range open {
					c.Close()
				}
			}()
			for number := next.Add(1) - 1; number < to && b.going(); number = next.Add(1) - 1 {
				if err := b.one(ctx, open, number); err != nil {
					b.fail(fmt.Errorf("request %d: %w", number, err))
				}
			}
		})
	}
	sending.Wait()
}

func (b *barrage) one(ctx context.Context, open map[string]*connection, number uint64) error {
	r, gateway, err := b.request(ctx, number)
	if err != nil {
		return err
	}
	c, a, err := b.ask(ctx, open, gateway, r)
	if c == nil {
		return err
	}
	b.count(a)
	if a.last || err != nil || !r.whole() || a.status == http.StatusTooManyRequests {
		c.Close()
	} else {
		open[gateway] = c
	}
	_, illegible := url.ParseRequestURI(r.target)
	switch {
	case err == nil:
		if err := b.oracle.check(ctx, r, a); err != nil {
			return fmt.Errorf("%w\n%s%s", err, r, logged(a.header.Get("X-Request-ID")))
		}
	case r.whole() && illegible == nil: // others may be hung up on
		return fmt.Errorf("no answer: %w\n%s", err, r)
	}
	return nil
}

// ask uses the open connection, or a new one when there is none or the gateway has ended it
// since: that is its right.
func (b *barrage) ask(ctx context.Context, open map[string]*connection, gateway string, r *request) (*connection, answer, error) {
	c := open[gateway]
	delete(open, gateway)
	if c != nil {
		a, err := c.ask(r)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			return c, a, err
		}
		c.Close()
	}
	c, err := dial(ctx, gateway)
	if err != nil {
		return nil, answer{}, err
	}
	a, err := c.ask(r)
	return c, a, err
}

func (b *barrage) count(a answer) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.outcomes[fmt.Sprint(a.status)]++
}

func (b *barrage) fail(err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.failures = append(b.failures, err)
}

func (b *barrage) going() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.failures) < maxFailures
}

// Whatever is sent: the answer is one that the document has, the ledger stays as it is,
// and so does the gateway.
func TestBrokenInput(t *testing.T) {
	count := uint64(someRequests)
	if *long {
		count = manyRequests
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour)
	defer cancel()
	b, err := newBarrage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.send(ctx, count, count+count/10) // until everything is warm
	before, err := measure(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.send(ctx, 0, count)
	t.Logf("seed %d: %s", *seed, b)
	for _, err := range b.failures {
		t.Error(err)
	}
	if err := before.require(ctx); err != nil {
		t.Error(err)
	}
	if err := calm(); err != nil {
		t.Error(err)
	}
}

// String counts the answers by status; 0 is none.
func (b *barrage) String() string {
	var texts []string
	for _, status := range slices.Sorted(maps.Keys(b.outcomes)) {
		texts = append(texts, fmt.Sprintf("%s: %d", status, b.outcomes[status]))
	}
	return strings.Join(texts, ", ")
}

var errGrown = errors.New("it has grown")
