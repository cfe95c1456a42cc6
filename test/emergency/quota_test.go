package emergency

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

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
	for _, role := range []ledger.Role{ledger.RolePhysician, ledger.RolePrivacyOfficer} {
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
		Grant:         the.custodian[the.record].ID, Declaration: waits.Declaration,
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
	if declaration.State != ledger.DeclarationDeclared {
		t.Fatalf("the declaration is %s before anybody approved", declaration.State)
	}
	return declaration.Name()
}

// An adversary with hospital B mints responders, who declare a hundred emergencies of five
// patients at once to have summaries: as many as the quotas say are allowed, the others stand on the ledger
// as refused, and hospital A is to review each that was allowed.
func TestHospitalThatMintsRespondersIsStoppedAtTheQuota(t *testing.T) {
	const minted, each = 20, 5
	responders, patients := mint(t, minted), others(t, each)
	allowed, refused := map[ledger.ID]bool{}, map[ledger.ID]bool{}
	days := map[string]*day{}
	var mu sync.Mutex
	var declaring sync.WaitGroup
	for _, by := range responders {
		for _, patient := range patients {
			declaring.Go(func() {
				declaration, err := declareOnce(t.Context(), by, of(patient))
				mu.Lock()
				defer mu.Unlock()
				note(days, declaration)
				switch {
				case err == nil:
					allowed[declaration.ID] = true
				case fault.CodeOf(err) == fault.BreakGlassRefused && declaration.State == ledger.DeclarationDenied:
					refused[declaration.ID] = true
				default:
					t.Errorf("%s: %v", by.Identity().User, err)
				}
			})
		}
	}
	declaring.Wait()
	for name, day := range days {
		day.want(t, name, ledger.HospitalQuota-the.spent[name])
	}
	onLedger(t, responders, allowed, refused)
	due, err := the.officer.Emergencies(t.Context(), ledger.ConcernToReview)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		delete(allowed, d.ID)
	}
	if len(allowed) != 0 {
		t.Errorf("HospitalA is not to review %d of them", len(allowed))
	}
	t.Logf("%d declarations at once on %d days: %d refused, %d repeated by hand after conflicts", minted*each, len(days), len(refused), conflicts.Load())
}

// day counts what the ledger decided on one day. Midnight (UTC) may come at any moment:
// which day a declaration counts for, it says itself.
type day struct{ allowed, refused int }

func note(days map[string]*day, declaration ledger.Declaration) {
	name := ledger.DayOf(declaration.Declared)
	if days[name] == nil {
		days[name] = &day{}
	}
	switch declaration.State {
	case ledger.DeclarationActive:
		days[name].allowed++
	case ledger.DeclarationDenied:
		days[name].refused++
	}
}

// want wants a day to have allowed as many as there was place for, and refused the others.
func (d *day) want(t *testing.T, name string, places int) {
	t.Helper()
	if tried := d.allowed + d.refused; d.allowed != min(tried, places) {
		t.Errorf("on %s, %d of %d were allowed, want %d", name, d.allowed, tried, min(tried, places))
	}
}

// mint has hospital B's CA certify responders.
func mint(t *testing.T, n int) []*client.Client {
	t.Helper()
	responders := make([]*client.Client, n)
	minting, ctx := errgroup.WithContext(t.Context())
	minting.SetLimit(4)
	for i := range responders {
		minting.Go(func() (err error) {
			responders[i], _, err = the.enroll(ctx, staff("HospitalB", ledger.RoleEmergency))
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
func declareOnce(ctx context.Context, by *client.Client, e client.Emergency) (ledger.Declaration, error) {
	for {
		declaration, err := by.Declare(ctx, e)
		if fault.CodeOf(err) != fault.ConcurrentUpdate {
			return declaration, err
		}
		conflicts.Add(1)
	}
}

// onLedger wants the ledger to have these declarations of the responders and no others. A
// busy hospital's peer may be some blocks behind the one that told of a commit.
func onLedger(t *testing.T, responders []*client.Client, allowed, refused map[ledger.ID]bool) {
	t.Helper()
	var declared []ledger.Declaration
	eventually(t, fmt.Sprintf("the ledger has %d declarations", len(allowed)+len(refused)), func() bool {
		declared = nil
		for _, by := range responders {
			theirs, err := by.Emergencies(t.Context(), ledger.ConcernByMe)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, theirs...)
		}
		return len(declared) >= len(allowed)+len(refused)
	})
	for _, d := range declared {
		if allowed[d.ID] != (d.State == ledger.DeclarationActive) || refused[d.ID] != (d.State == ledger.DeclarationDenied) {
			t.Errorf("declaration %s is %s", d.ID, d.State)
		}
	}
	if len(declared) != len(allowed)+len(refused) {
		t.Errorf("the ledger has %d declarations, want %d", len(declared), len(allowed)+len(refused))
	}
}

// One responder declares of many patients at once: as many as one may in a day are allowed.
func TestResponderIsStoppedAtTheQuota(t *testing.T) {
	by := responder(t, "HospitalA")
	patients := others(t, 3*ledger.ResponderQuota)
	made := make([]ledger.Declaration, len(patients))
	var declaring sync.WaitGroup
	for i, patient := range patients {
		declaring.Go(func() {
			var err error
			if made[i], err = declareOnce(t.Context(), by, of(patient)); err != nil && fault.CodeOf(err) != fault.BreakGlassRefused {
				t.Error(err)
			}
		})
	}
	declaring.Wait()
	days, decided := map[string]*day{}, 0
	for _, declaration := range made {
		note(days, declaration)
	}
	for name, day := range days {
		decided += day.allowed + day.refused
		day.want(t, name, ledger.ResponderQuota)
	}
	if decided != len(made) {
		t.Errorf("%d of %d were decided", decided, len(made))
	}
}

// One responder taps many times at once, on two devices: it is one declaration, and takes
// one place of the quota.
func TestTapsAtTheSameInstantAreOneDeclaration(t *testing.T) {
	by := responder(t, "HospitalA")
	second, err := client.Open(the.home(by.Identity().User), nil)
	if err != nil {
		t.Fatal(err)
	}
	patients := others(t, ledger.ResponderQuota)
	made := make([]ledger.Declaration, 3*ledger.ResponderQuota)
	var declaring sync.WaitGroup
	for i := range made {
		declaring.Go(func() {
			device := []*client.Client{by, second}[i%2]
			var err error
			if made[i], err = declareOnce(t.Context(), device, of(patients[0])); err != nil {
				t.Error(err)
			}
		})
	}
	declaring.Wait()
	for _, d := range made {
		if d.ID != made[0].ID || d.State != ledger.DeclarationActive {
			t.Errorf("one tap is declaration %s, another one %s, %s", made[0].ID, d.ID, d.State)
		}
	}
	for _, patient := range patients[1:] {
		if _, err := by.Declare(t.Context(), of(patient)); err != nil {
			t.Errorf("another patient's emergency: %v", err)
		}
	}
}
