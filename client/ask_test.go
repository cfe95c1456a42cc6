package client

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// behaviour is how a gateway meets a request.
type behaviour func(context.Context) (*http.Response, error)

func tells(context.Context) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`"told"`))}, nil
}

func hangs(ctx context.Context) (*http.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func breaks(context.Context) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func refuses(context.Context) (*http.Response, error) {
	return nil, fault.New(fault.NotFound, "not here")
}

// later is another behaviour after some hedges.
func later(hedges int, b behaviour) behaviour {
	return func(ctx context.Context) (*http.Response, error) {
		time.Sleep(time.Duration(hedges)*hedge + hedge/2)
		return b(ctx)
	}
}

func TestGatewaysAreAskedInTurn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gateways []behaviour
		by       int        // who is listened to
		code     fault.Code // empty: success
		asked    int
		shunned  []int
	}{
		"the first tells":                        {gateways: []behaviour{tells, tells}, asked: 1},
		"the first refuses":                      {gateways: []behaviour{refuses, tells}, code: fault.NotFound, asked: 1},
		"the first breaks":                       {gateways: []behaviour{breaks, tells}, by: 1, asked: 2, shunned: []int{0}},
		"all break":                              {gateways: []behaviour{breaks, breaks, breaks}, code: fault.OrderingUnavailable, asked: 3, shunned: []int{0, 1, 2}},
		"the first breaks, the next refuses":     {gateways: []behaviour{breaks, refuses, tells}, by: 1, code: fault.NotFound, asked: 2, shunned: []int{0}},
		"the first hangs":                        {gateways: []behaviour{hangs, tells, tells}, by: 1, asked: 2, shunned: []int{0}},
		"two hang":                               {gateways: []behaviour{hangs, hangs, tells}, by: 2, asked: 3, shunned: []int{0, 1}},
		"the first hangs, the next breaks":       {gateways: []behaviour{hangs, breaks, tells}, by: 2, asked: 3, shunned: []int{0, 1}},
		"the first is slow, the next refuses":    {gateways: []behaviour{later(2, tells), refuses, tells}, asked: 2},
		"the first is slow to refuse":            {gateways: []behaviour{later(1, refuses), hangs}, code: fault.NotFound, asked: 2},
		"the first is slow, the next hangs":      {gateways: []behaviour{later(1, tells), hangs, hangs}, asked: 2},
		"the first is slow to break":             {gateways: []behaviour{later(1, breaks), later(1, tells)}, by: 1, asked: 2, shunned: []int{0}},
		"the first hangs, the next refuses":      {gateways: []behaviour{hangs, refuses}, by: 1, code: fault.NotFound, asked: 2, shunned: []int{0}},
		"one gateway is all there is, and hangs": {gateways: []behaviour{hangs}, code: fault.OrderingUnavailable, asked: 1, shunned: []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var order, asked []*gateway
				for range c.gateways {
					order = append(order, new(gateway))
				}
				answer := askInTurn[string](t.Context(), order, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
					asked = append(asked, g)
					return c.gateways[slices.Index(order, g)](ctx)
				})
				if by := slices.Index(order, answer.by); by != c.by {
					t.Errorf("gateway %d was listened to, want gateway %d", by, c.by)
				}
				if c.code == "" && time.Since(began) >= readTimeout {
					t.Errorf("it was waited for over %s, as if nobody else could be asked", readTimeout)
				}
				if c.code == "" && (answer.err != nil || answer.value != "told") || c.code != "" && fault.CodeOf(answer.err) != c.code {
					t.Errorf("it says %q, %v; want %q", answer.value, answer.err, c.code)
				}
				if len(asked) != c.asked {
					t.Errorf("%d gateways were asked, want %d", len(asked), c.asked)
				}
				for i, g := range order {
					if shunned := g.shunned.Load() > time.Now().UnixNano(); shunned != slices.Contains(c.shunned, i) {
						t.Errorf("gateway %d shunned: %t", i, shunned)
					}
				}
			})
		})
	}
}

// What one hospital does not know yet, the next one is asked about, also if that was slow
// a moment ago.
func TestAnotherHospitalIsAskedEachTime(t *testing.T) {
	t.Parallel()
	for name, shunned := range map[string][]int{"all well": nil, "the others slow": {1, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &Client{gateways: []*gateway{{msp: "HospitalA"}, {msp: "HospitalB"}, {msp: "HospitalC"}}, first: new(atomic.Pointer[gateway])}
			for _, i := range shunned {
				c.gateways[i].shun()
			}
			answer, from, err := askPatiently[string](t.Context(), c, func(ctx context.Context, g *gateway) (*http.Response, error) {
				if g.msp == "HospitalC" {
					return tells(ctx)
				}
				return refuses(ctx)
			})
			if err != nil || answer != "told" || from.msp != "HospitalC" || c.inOrder()[0].msp != "HospitalA" {
				t.Errorf("%q from %v, %v; asked first from now on: %s", answer, from, err, c.inOrder()[0].msp)
			}
		})
	}
}

// What changes something is at one gateway at a time, however slow that is.
func TestOneByOneIsNeverTwoAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gateways []behaviour
		asked    int
		code     fault.Code // empty: success
	}{
		"the first is slow":    {gateways: []behaviour{later(2, tells), tells}, asked: 1},
		"the first hangs":      {gateways: []behaviour{hangs, tells}, asked: 2},
		"the first breaks":     {gateways: []behaviour{breaks, tells}, asked: 2},
		"the first refuses":    {gateways: []behaviour{refuses, tells}, asked: 1, code: fault.NotFound},
		"both break":           {gateways: []behaviour{breaks, breaks}, asked: 2, code: fault.OrderingUnavailable},
		"the next one refuses": {gateways: []behaviour{breaks, refuses}, asked: 2, code: fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var order []*gateway
				for range c.gateways {
					order = append(order, new(gateway))
				}
				asked, busy := 0, 0
				answer, err := askOneByOne[string](t.Context(), order, writeTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
					asked++
					if busy++; busy > 1 {
						t.Error("two gateways are asked at once")
					}
					defer func() { busy-- }()
					return c.gateways[slices.Index(order, g)](ctx)
				})
				if asked != c.asked || c.code == "" && (err != nil || answer != "told") || c.code != "" && fault.CodeOf(err) != c.code {
					t.Errorf("asked %d gateways, got %q, %v; want %d and %q", asked, answer, err, c.asked, c.code)
				}
			})
		})
	}
}

func TestGatewayThatIsWellComesFirst(t *testing.T) {
	t.Parallel()
	c := &Client{gateways: []*gateway{{msp: "HospitalA"}, {msp: "HospitalB"}, {msp: "HospitalC"}}, first: new(atomic.Pointer[gateway])}
	names := func(order []*gateway) (all string) {
		for _, g := range order {
			all += strings.TrimPrefix(g.msp, "Hospital")
		}
		return all
	}
	if got := names(c.beginningWith(c.gateways[1])); got != "BAC" {
		t.Errorf("got %s, want BAC", got)
	}
	c.gateways[1].shun()
	if got := names(c.beginningWith(c.gateways[1])); got != "ACB" {
		t.Errorf("after its silence: got %s, want ACB", got)
	}
}
