package client

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// away is a patient who has written rules and gone, with a physician who has asked.
type away struct {
	household
	evaluator *Evaluator
}

// household is a trio whose patient's home is known.
type household struct {
	trio
	home string
}

func newHousehold(t *testing.T) household {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	patient, err := Enroll(t.Context(), dir, invite(t, patientOfA), nil)
	if err != nil {
		t.Fatal(err)
	}
	return household{trio{patient, enroll(t, physicianOfA), enroll(t, physicianOfB)}, dir}
}

// leave has the patient write the rules and takes the seed off the device.
func (p household) leave(t *testing.T, rules ...rule.Rule) away {
	t.Helper()
	if err := p.patient.SetRules(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(p.home, "keys.json"), filepath.Join(t.TempDir(), "seed")); err != nil {
		t.Fatal(err)
	}
	evaluator, err := OpenEvaluator(p.home)
	if err != nil {
		t.Fatal(err)
	}
	return away{p, evaluator}
}

// forRequester grants the requester anything for treatment.
func (p trio) forRequester() rule.Rule {
	return rule.Rule{ID: ledger.NewID(), Physicians: []ledger.UserID{p.requester.identity.User},
		Purposes: []ledger.Purpose{ledger.PurposeTreatment}, Level: ledger.LevelPrivate, Days: 30, Daily: 3}
}

// forHospital grants the requester's colleagues what is not private.
func (p trio) forHospital() rule.Rule {
	r := p.forRequester()
	r.Physicians, r.Hospital, r.Level = nil, p.requester.identity.User.MSP, ledger.LevelModerate
	return r
}

// pending is what the evaluator sees as open.
func (a away) pending(t *testing.T) []ledger.AccessRequest {
	t.Helper()
	var all []ledger.AccessRequest
	err := a.evaluator.Pending(t.Context(), time.Time{}, func(some []ledger.AccessRequest) error {
		all = append(all, some...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// answer has the evaluator judge a request and grant it in a place when a rule does.
func (a away) answer(t *testing.T, request ledger.AccessRequest, place int) (Verdict, error) {
	t.Helper()
	verdict, err := a.evaluator.Judge(t.Context(), request)
	if err != nil || len(verdict.Rules) == 0 {
		return verdict, err
	}
	_, err = a.evaluator.Grant(t.Context(), request, StandingAnswer{Rule: verdict.Rules[0], Place: place, Until: verdict.Until})
	return verdict, err
}

// wantNothing wants the ledger to hold no grant for somebody.
func wantNothing(t *testing.T, holder *Client) {
	t.Helper()
	grants, err := holder.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(grants) > 0 {
		t.Errorf("%s holds %d grants, want none", holder.identity.User, len(grants))
	}
}

func TestDeputyGrantsWithoutTheSeed(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	record, other := p.upload(t, []byte("emr")), p.upload(t, []byte("other"))
	only := p.forRequester()
	only.Records = []ledger.ID{record}
	seed := p.patient.keys.record(other, firstVersion).Bytes()
	a := p.leave(t, only)

	kept, err := os.ReadFile(filepath.Join(p.home, "agent-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte("seed")) || bytes.Contains(kept, seed) || a.evaluator.c.keys.record(other, firstVersion) != nil {
		t.Error("the evaluator has more than the keys of what its rules reach")
	}
	p.request(t, other)
	covered := p.request(t, record)
	for _, request := range a.pending(t) {
		verdict, err := a.answer(t, request, 1)
		if err != nil || (len(verdict.Rules) == 1) != (request.ID == covered.ID) {
			t.Errorf("%+v: %v", verdict, err)
		}
	}
	if left := a.pending(t); len(left) != 1 || left[0].Record != other {
		t.Errorf("open are %+v", left)
	}
	if _, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Error(err)
	}
	given, err := p.requester.Grants(t.Context())
	if err != nil || len(given) != 1 {
		t.Fatalf("granted are %+v, %v", given, err)
	}
	answers, err := a.evaluator.Answers(t.Context(), only.ID, ledger.DayOf(given[0].Granted))
	if err != nil || len(answers) != 1 || answers[0].Request != covered.ID {
		t.Errorf("the ledger says that the rule answered %+v, %v", answers, err)
	}
	again, err := a.answer(t, covered, 2) // a peer that lags may show it again
	wantCode(t, err, fault.StateConflict)
	if len(again.Rules) != 1 {
		t.Errorf("%+v", again)
	}
	// The place has been used today, or will have been when midnight (UTC) has just come.
	if _, err = a.answer(t, p.request(t, record), 1); err == nil {
		_, err = a.answer(t, p.request(t, record), 1)
	}
	wantCode(t, err, fault.AlreadyExists)
	if given, err = p.requester.Grants(t.Context()); err != nil {
		t.Fatal(err)
	}
	days := map[string]int{}
	for _, grant := range given {
		if days[ledger.DayOf(grant.Granted)]++; days[ledger.DayOf(grant.Granted)] > 1 {
			t.Errorf("the place was used twice on one day: %+v", given)
		}
	}
}

// What a gateway makes of a request does not become a grant.
func TestDeputyGrantsNoDoctoredRequest(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	record, other := p.upload(t, []byte("emr")), p.upload(t, []byte("other"))
	stranger := enroll(t, physicianOfB)
	asked, err := stranger.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeEmergencyTreatment)
	if err != nil {
		t.Fatal(err)
	}
	a := p.leave(t, p.forRequester())
	for name, change := range map[string]func(*ledger.AccessRequest){
		"another requester": func(r *ledger.AccessRequest) { r.Requester, r.Purpose = p.requester.identity, ledger.PurposeTreatment },
		"another record": func(r *ledger.AccessRequest) {
			r.Requester, r.Purpose, r.Record = p.requester.identity, ledger.PurposeTreatment, other
		},
		"an invented request": func(r *ledger.AccessRequest) {
			r.Requester, r.Purpose, r.ID = p.requester.identity, ledger.PurposeTreatment, ledger.NewID()
		},
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, a.evaluator.c, "HospitalA", rewrite(t, "/v1/access-requests", func(requests *ledger.List[ledger.AccessRequest]) {
				change(&requests.Rows[0])
			}))
			verdict, err := a.answer(t, a.pending(t)[0], 1)
			if len(verdict.Rules) == 0 || err == nil {
				t.Errorf("nothing was tried, or it succeeded: %+v", verdict)
			}
		})
	}
	wantNothing(t, stranger)
	wantNothing(t, p.requester)
	request, err := p.requester.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeEmergencyTreatment)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("another purpose", func(t *testing.T) {
		request.Purpose = ledger.PurposeTreatment
		_, err := a.answer(t, request, 1)
		wantCode(t, err, fault.InvalidArgument)
	})
	t.Run("somebody else's record", func(t *testing.T) {
		asked.Patient, asked.Requester, asked.Purpose = p.author.identity.User, p.requester.identity, ledger.PurposeTreatment
		if verdict, err := a.answer(t, asked, 1); err != nil || len(verdict.Rules) > 0 {
			t.Errorf("%+v, %v", verdict, err)
		}
	})
	wantNothing(t, p.requester)
}

// A rule for records up to a level is not widened by who tells a lower one.
func TestDeputyBelievesNoSingleGatewayAboutALevel(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	record := p.upload(t, []byte("emr"))
	everything := p.forRequester()
	everything.Physicians = []ledger.UserID{p.author.identity.User} // for the key alone
	request := p.request(t, record)
	a := p.leave(t, p.forHospital(), everything)

	verdict, err := a.answer(t, request, 1)
	if err != nil || len(verdict.Rules) > 0 || !strings.Contains(verdict.Reason, "its level is private") {
		t.Errorf("%+v, %v", verdict, err)
	}
	betray(t, a.evaluator.c, "HospitalA", rewrite(t, "/v1/records/*", func(view *ledger.RecordView) { view.Level = ledger.LevelLow }))
	clear(a.evaluator.known)
	_, err = a.answer(t, request, 1)
	wantAltered(t, err, "HospitalA")
	wantNothing(t, p.requester)
}

func TestDeputyLeavesWhoseCardDoesNotVerify(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	record := p.upload(t, []byte("emr"))
	request := p.request(t, record)
	a := p.leave(t, p.forRequester())
	forged, err := p.author.creator.Signer.SignCard(trust.Card{User: p.requester.identity.User, Role: ledger.RolePhysician, Name: "Dr. Nobody", Issued: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for card, why := range map[string]string{forged: "does not verify", "": "no professional card"} {
		betray(t, a.evaluator.c, "HospitalA", rewrite(t, "/v1/users/HospitalB/*", func(user *ledger.UserView) { user.Card = card }))
		verdict, err := a.answer(t, request, 1)
		if err != nil || len(verdict.Rules) > 0 || !strings.Contains(verdict.Reason, why) {
			t.Errorf("%+v, %v", verdict, err)
		}
	}
	wantNothing(t, p.requester)
}

func TestDeputyFollowsTheRulesOfNow(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	record := p.upload(t, []byte("emr"))
	if err := p.patient.SetRules(t.Context(), []rule.Rule{p.forRequester()}); err != nil {
		t.Fatal(err)
	}
	evaluator, err := OpenEvaluator(p.home)
	if err != nil {
		t.Fatal(err)
	}
	if !evaluator.Current() {
		t.Error("an evaluator that was just opened is out of date")
	}
	slot := p.authorize(t, ledger.ClassImaging) // adds its key
	if evaluator.Current() {
		t.Error("a new key goes unnoticed")
	}
	if evaluator, err = OpenEvaluator(p.home); err != nil {
		t.Fatal(err)
	}
	for _, held := range []ledger.ID{record, slot} {
		if key := evaluator.c.keys.record(held, firstVersion); key == nil || !key.Equal(p.patient.keys.record(held, firstVersion)) {
			t.Errorf("the evaluator does not have the key of %s", held)
		}
	}
	if err := p.patient.SetRules(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if evaluator.Current() {
		t.Error("that there are no rules goes unnoticed")
	}
	if _, err := OpenEvaluator(p.home); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("without rules: %v", err)
	}
	if err := p.author.SetRules(t.Context(), []rule.Rule{p.forRequester()}); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("rules of a physician: %v", err)
	}
}

// A grant lasts the rule's days, and never longer than the record's policy.
func TestDeputysGrantEndsWithThePolicy(t *testing.T) {
	t.Parallel()
	p := newHousehold(t)
	policy := DefaultPolicy(ledger.ClassMedicalInformation)
	policy.NotAfter = time.Now().Add(time.Hour).UTC()
	slots, err := p.patient.Authorize(t.Context(), Authorization{
		Author: ledger.PersonSubject(p.author.identity.User), Policy: policy, Expiry: policy.NotAfter,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.author.Upload(t.Context(), p.newRecord(t, slots[0].Record, []byte("emr"))); err != nil {
		t.Fatal(err)
	}
	ending, lasting := p.request(t, slots[0].Record), p.request(t, p.upload(t, []byte("emr")))
	a := p.leave(t, p.forRequester())
	for i, request := range []ledger.AccessRequest{ending, lasting} {
		if _, err := a.answer(t, request, i+1); err != nil {
			t.Fatal(err)
		}
	}
	var grants []ledger.Grant
	eventually(t, func() bool { // the requester's own hospital may be a moment behind
		grants, err = p.requester.Grants(t.Context())
		return err == nil && len(grants) == 2
	})
	for _, grant := range grants {
		days := time.Until(grant.Expiry).Hours() / 24
		if grant.Request == ending.ID && !grant.Expiry.Equal(policy.NotAfter) || grant.Request == lasting.ID && (days < 29 || days > 30.1) {
			t.Errorf("the grant of request %s ends at %s", grant.Request, grant.Expiry)
		}
	}
}

func TestChoiceOfRules(t *testing.T) {
	t.Parallel()
	low := rule.Rule{ID: "low", Level: ledger.LevelLow}
	private := rule.Rule{ID: "private", Level: ledger.LevelPrivate}
	seen := sighting{Matter: rule.Matter{Level: ledger.LevelPrivate}, own: true, state: ledger.RecordConfirmed}
	both := []*rule.Rule{&low, &private}
	if verdict := choose(both, seen); len(verdict.Rules) != 1 || verdict.Rules[0] != &private {
		t.Errorf("%+v", verdict)
	}
	for name, change := range map[string]func(*sighting){
		"another key": func(s *sighting) { s.own = false },
		"superseded":  func(s *sighting) { s.state = ledger.RecordSuperseded },
		"erased":      func(s *sighting) { s.state = ledger.RecordErased },
	} {
		changed := seen
		change(&changed)
		if verdict := choose(both, changed); len(verdict.Rules) > 0 || !strings.Contains(verdict.Reason, name) {
			t.Errorf("%s: %+v", name, verdict)
		}
	}
}
