package emergency

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/test/people"
)

// hammer asks one proxy for the same opening again and again.
type hammer struct {
	msp     string
	gateway *api.Client
	mu      sync.Mutex
	asked   []asking
}

// asking is one request to a proxy.
type asking struct {
	begun time.Time
	err   error
}

func (h *hammer) run(ctx context.Context, d *device, record ledger.ID, open string) {
	for ctx.Err() == nil {
		a := asking{begun: time.Now()}
		if _, a.err = d.Reencrypt(ctx, h.gateway, h.msp, record, open); ctx.Err() == nil {
			h.mu.Lock()
			h.asked = append(h.asked, a)
			h.mu.Unlock()
		}
	}
}

// since returns what was asked after a moment.
func (h *hammer) since(begin time.Time) (later []asking) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.asked {
		if a.begun.After(begin) {
			later = append(later, a)
		}
	}
	return later
}

func (h *hammer) fragments() (count int) {
	for _, a := range h.since(time.Time{}) {
		if a.err == nil {
			count++
		}
	}
	return count
}

// hammering has all proxies asked for an opening of the summary, each of which has served
// it by now, until it is stopped, at the test's end at the latest.
func hammering(t *testing.T, d *device, open string) (hammers []*hammer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	for _, o := range network.Organizations {
		h := &hammer{msp: o.MSP, gateway: d.connect(t, o.MSP)}
		hammers = append(hammers, h)
		running.Go(func() { h.run(ctx, d, the.summary, open) })
	}
	for _, h := range hammers {
		eventually(t, h.msp+" serves the opening", func() bool { return h.fragments() >= 10 })
	}
	return hammers, stop
}

// A responder does nothing but ask all proxies while a privacy officer closes the
// emergency. From the moment when a proxy's own peer has the block, that proxy answers
// with no fragment.
func TestCloseEndsReencryptionAtEachPeersBlock(t *testing.T) {
	attend(t)
	by := responder(t, "HospitalC")
	name := declare(t, by)
	open, grant := opens(t, by, name, summaryText).Open, grantUnder(t, by, name).ID
	d := deviceOf(t, by)
	hammers, stop := hammering(t, d, open)
	officer := deviceOf(t, the.officer)
	closed, err := officer.Commit(t.Context(), officer.connect(t, "HospitalA"),
		people.Call{Transaction: ledger.TxCloseBreakGlass, Arguments: ledger.CloseBreakGlass{DeclarationName: name}})
	if err != nil {
		t.Fatal(err)
	}
	committed := map[*hammer]time.Time{}
	for _, h := range hammers {
		eventually(t, h.msp+" has the block", func() bool { return has(t.Context(), h.gateway, closed.ID) })
		committed[h] = time.Now()
	}
	for _, h := range hammers {
		eventually(t, h.msp+" is asked after the block", func() bool { return len(h.since(committed[h])) >= 30 })
	}
	stop()
	for _, h := range hammers {
		after := h.since(committed[h])
		for _, a := range after {
			if fault.CodeOf(a.err) != fault.BreakGlassRefused || a.err == nil {
				t.Errorf("%s answered %v to a request after its peer's block", h.msp, a.err)
			}
		}
		t.Logf("%s: %d fragments before, %d refusals after its peer's block", h.msp, h.fragments(), len(after))
	}
	err = tryOpening(t, by, name)
	wantCode(t, err, fault.BreakGlassRefused)
	again := d.open(t, "HospitalC", ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: the.summary, Version: 1}, Grant: grant,
	})
	wantCode(t, again.Decision.Err(), fault.BreakGlassRefused)
	passed, err := the.author.AnswerEmergency(t.Context(), name)
	if err != nil || len(passed) != 0 {
		t.Errorf("after the end, %v were passed on, %v", passed, err)
	}
}

// grantUnder is the one that was passed on under a declaration.
func grantUnder(t *testing.T, by *client.Client, name ledger.DeclarationName) ledger.Grant {
	t.Helper()
	var grants []ledger.Grant
	eventually(t, "the responder's hospital has the one grant", func() bool {
		var err error
		grants, err = by.EmergencyGrants(t.Context(), name)
		return err == nil && len(grants) == 1
	})
	return grants[0]
}
