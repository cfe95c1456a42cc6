package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	// enough is how many attempts must end while a fault is there.
	enough = 9
	// recovery bounds how long people may wait for success once a fault is gone.
	recovery = 2 * time.Minute
)

func TestFaultsUnderLoad(t *testing.T) {
	t.Logf("seed %d", *seed)
	var parties []*party
	for i := range network.Organizations {
		p, err := enrol(t.Context(), i, folder(t, fmt.Sprint("party-", i)))
		if err != nil {
			t.Fatal(err)
		}
		parties = append(parties, p)
	}
	l := start(parties, *seed)
	survive(t, l, schedule(l, rand.New(rand.NewPCG(*seed, *seed))))
	stories := l.stop()
	verify(t, stories)
	t.Logf("%d stories", len(stories))
}

// folder is one for devices, which only their owners can enter.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// survive lets one fault after the other happen.
func survive(t *testing.T, l *load, faults []injectedFault) {
	t.Helper()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			began := time.Now()
			if err := l.suffer(t.Context(), f); err != nil {
				t.Error(err)
			}
			t.Logf("%.1f s, longest time without a success %.1f s", time.Since(began).Seconds(), l.pulse.silence(began).Seconds())
			for _, m := range l.failures(began) {
				t.Logf("party %d: %s %s after %.1f s: %v", m.party, m.step, m.outcome, m.ended.Sub(m.at).Seconds(), m.err)
			}
		})
	}
}

// suffer injects a fault under load, heals it, and waits until everybody is served
// again.
func (l *load) suffer(ctx context.Context, f injectedFault) error {
	faulty, cancel := context.WithTimeout(ctx, f.lasts+2*recovery)
	defer cancel()
	if err := f.inject(faulty); err != nil {
		return fmt.Errorf("inject: %w", err)
	}
	began := time.Now()
	lasts := f.lasts
	if lasts == 0 {
		lasts = recovery / 4
	}
	lasting, end := context.WithTimeout(faulty, lasts)
	defer end()
	// That people are told something while the fault is there is no promise.
	_ = l.pulse.await(lasting, began, func(marks []mark) bool { return f.lasts == 0 && len(marks) >= enough })
	if err := f.heal(faulty); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	healed := time.Now() // which may have taken long: a peer without its ledger fetches every block
	recovering, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	return l.pulse.await(recovering, healed, l.everybody)
}

// failures are the attempts that ended after a time and were not acknowledged.
func (l *load) failures(begin time.Time) []mark {
	marks, _ := l.pulse.since(begin)
	return slices.DeleteFunc(marks, func(m mark) bool { return m.outcome == acknowledged })
}

// everybody reports whether each party was acknowledged something.
func (l *load) everybody(marks []mark) bool {
	served := map[int]bool{}
	for _, m := range marks {
		if m.outcome == acknowledged {
			served[m.party] = true
		}
	}
	return len(served) == len(l.parties)
}

// schedule draws the faults of a run: all of them, or a selection with one of each sort.
func schedule(l *load, dice *rand.Rand) []injectedFault {
	hospitals := network.Organizations
	var sorts [][]injectedFault
	for _, leads := range []bool{true, false} {
		sorts = append(sorts, []injectedFault{orderer(leads, dice, killed), orderer(leads, dice, paused), orderer(leads, dice, wiped)})
	}
	var peers, rules, contents, gateways, whole, disks []injectedFault
	for _, o := range hospitals {
		peer := o.Peers[0]
		peers = append(peers, killed(peer), paused(peer), wiped(peer))
		rules = append(rules, killed(o.Chaincode), paused(o.Chaincode))
		contents = append(contents, killed(o.IPFS), paused(o.IPFS), wipedContent(l, o))
		gateways = append(gateways, killed(o.Gateway), paused(o.Gateway), wipedGateway(o))
		whole = append(whole, lost(o), parted(o), slowed(o))
		disks = append(disks, damagedBlocks(l, o), damagedLedger(peer), filled(peer), filled(o.Orderer), filled(o.IPFS), filled(o.Gateway), unsynced(peer), unsynced(o.Orderer))
	}
	sorts = append(sorts, peers, rules, contents, gateways, whole, disks)
	return draw(sorts, dice)
}

func draw(sorts [][]injectedFault, dice *rand.Rand) []injectedFault {
	var faults []injectedFault
	for _, sort := range sorts {
		if *long {
			faults = append(faults, sort...)
		} else {
			faults = append(faults, sort[dice.IntN(len(sort))])
		}
	}
	dice.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}
