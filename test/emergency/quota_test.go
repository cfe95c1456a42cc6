package emergency

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/test/people"
)

// An adversary with all of hospital B, the entrusted desk included, opens no record that a
// summary is not: its approvers are of the responder's hospital, whatever name its CA gives
// them.
func TestHospitalAloneOpensNoRecords(t *testing.T) {
	approvers := mint(t, 1)
	for _, role := range []ledger.Role{ledger.Physician, ledger.PrivacyOfficer} {
		c, _, err := the.enroll(t.Context(), staff("HospitalB", role))
		if err != nil {
			t.Fatal(err)
		}
		approvers = append(approvers, c)
	}
	waits := waiting(t, approvers[0])
	for _, c := range approvers {
		_, err := c.ApproveEmergency(t.Context(), waits)
		wantCode(t, err, fault.BreakGlassRefused)
	}
	_, err := the.desk.ApproveEmergency(t.Context(), waits)
	wantCode(t, err, fault.PermissionDenied)
	borrowed := deviceOf(t, approvers[1])
	borrowed.Creator.MSP = "HospitalA"
	_, err = borrowed.Endorse(t.Context(), deviceOf(t, approvers[1]).connect(t, "HospitalB"),
		people.Call{Transaction: ledger.TxApproveBreakGlass, Arguments: ledger.ApproveBreakGlass{DeclarationName: waits}})
	if err == nil {
		t.Error("a name that another hospital's CA gave was believed")
	}
	opensNothing(t, waits)
}

// opensNothing has the desk's keys try under a declaration, and every proxy.
func opensNothing(t *testing.T, waits ledger.DeclarationName) {
	t.Helper()
	_, err := the.desk.Open(t.Context(), the.record, 0, filepath.Join(t.TempDir(), "out"))
	wantCode(t, err, fault.BreakGlassRefused)
	d := deviceOf(t, the.desk)
	opened := d.open(t, "HospitalB", ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: the.record, Version: 1},
		Grant:         the.custody[the.record].Grant, Declaration: waits.Declaration,
	})
	wantCode(t, opened.Decision.Err(), fault.BreakGlassRefused)
	for _, o := range network.Organizations {
		gateway := d.connect(t, o.MSP)
		eventually(t, o.MSP+" has the block", func() bool { return has(t.Context(), gateway, opened.Open) })
		_, err := d.Reencrypt(t.Context(), gateway, o.MSP, the.record, opened.Open)
		wantCode(t, err, fault.BreakGlassRefused)
	}
}

// waiting is a declaration of a minted responder's that names the record.
func waiting(t *testing.T, by *client.Client) ledger.DeclarationName {
	t.Helper()
	declaration, err := by.Declare(t.Context(), emergency(the.record))
	if err != nil {
		t.Fatal(err)
	}
	the.spent[ledger.DayOf(declaration.Declared)]++
	if declaration.State != ledger.Declared {
		t.Fatalf("the declaration is %s before anybody approved", declaration.State)
	}
	return declaration.Name()
}

// An adversary with hospital B mints responders, who declare a hundred emergencies at once
// to have summaries: as many as the quotas say are allowed, the others stand on the ledger
// as refused, and hospital A is to review each that was allowed.
func TestHospitalThatMintsRespondersIsStoppedAtTheQuota(t *testing.T) {
	const minted, each = 20, 5
	oneDay(t)
	responders := mint(t, minted)
	allowed, refused := map[ledger.ID]bool{}, map[ledger.ID]bool{}
	var mu sync.Mutex
	var declaring sync.WaitGroup
	for _, by := range responders {
		for range each {
			declaring.Go(func() {
				declaration, err := declareOnce(t.Context(), by)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					allowed[declaration.Declaration] = true
				case fault.CodeOf(err) == fault.BreakGlassRefused && declaration.State == ledger.DeniedEmergency:
					refused[declaration.Declaration] = true
				default:
					t.Errorf("%s: %v", by.Identity().User, err)
				}
			})
		}
	}
	declaring.Wait()
	left := ledger.HospitalQuota - the.spent[ledger.DayOf(time.Now())]
	if len(allowed) != left || len(refused) != minted*each-left {
		t.Errorf("%d allowed, %d refused, want %d and %d", len(allowed), len(refused), left, minted*each-left)
	}
	onLedger(t, responders, allowed, refused)
	due, err := the.officer.Emergencies(t.Context(), ledger.ToReview)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		delete(allowed, d.Declaration)
	}
	if len(allowed) != 0 {
		t.Errorf("HospitalA is not to review %d of them", len(allowed))
	}
	t.Logf("%d declarations at once: %d allowed, %d refused, %d repeated by hand after conflicts", minted*each, left, len(refused), conflicts.Load())
}

// mint has hospital B's CA certify responders.
func mint(t *testing.T, n int) []*client.Client {
	t.Helper()
	responders := make([]*client.Client, n)
	minting, ctx := errgroup.WithContext(t.Context())
	minting.SetLimit(4)
	for i := range responders {
		minting.Go(func() (err error) {
			responders[i], _, err = the.enroll(ctx, staff("HospitalB", ledger.Emergency))
			return err
		})
	}
	if err := minting.Wait(); err != nil {
		t.Fatal(err)
	}
	return responders
}

// conflicts counts how often the client gave up, and the declaration was made once more.
var conflicts atomic.Int64

// declareOnce declares until the ledger has decided: a conflict with others changes
// nothing, and its code says so.
func declareOnce(ctx context.Context, by *client.Client) (ledger.Declaration, error) {
	for {
		declaration, err := by.Declare(ctx, emergency())
		if fault.CodeOf(err) != fault.ConcurrentUpdate {
			return declaration, err
		}
		conflicts.Add(1)
	}
}

// onLedger wants the ledger to have these declarations of the responders and no others.
func onLedger(t *testing.T, responders []*client.Client, allowed, refused map[ledger.ID]bool) {
	t.Helper()
	var found int
	for _, by := range responders {
		declared, err := by.Emergencies(t.Context(), ledger.ByMe)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range declared {
			found++
			if allowed[d.Declaration] != (d.State == ledger.ActiveEmergency) || refused[d.Declaration] != (d.State == ledger.DeniedEmergency) {
				t.Errorf("declaration %s is %s", d.Declaration, d.State)
			}
		}
	}
	if found != len(allowed)+len(refused) {
		t.Errorf("the ledger has %d declarations, want %d", found, len(allowed)+len(refused))
	}
}

// One responder declares many at once: as many as one may in a day are allowed.
func TestResponderIsStoppedAtTheQuota(t *testing.T) {
	oneDay(t)
	by := responder(t, "HospitalA")
	states := make([]ledger.DeclarationState, 3*ledger.ResponderQuota)
	var declaring sync.WaitGroup
	for i := range states {
		declaring.Go(func() {
			declaration, err := declareOnce(t.Context(), by)
			if states[i] = declaration.State; err != nil && fault.CodeOf(err) != fault.BreakGlassRefused {
				t.Error(err)
			}
		})
	}
	declaring.Wait()
	active := len(slices.DeleteFunc(slices.Clone(states), func(s ledger.DeclarationState) bool { return s != ledger.ActiveEmergency }))
	denied := len(slices.DeleteFunc(slices.Clone(states), func(s ledger.DeclarationState) bool { return s != ledger.DeniedEmergency }))
	if active != ledger.ResponderQuota || active+denied != len(states) {
		t.Errorf("%d allowed, %d refused of %d", active, denied, len(states))
	}
}
