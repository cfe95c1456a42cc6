package javascript

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// practice is the patient's app and the people around it, who use the Go client.
type practice struct {
	*app
	origin                             string // of apps in browsers that may call
	author, colleague, desk, responder *client.Client
}

const emr = `{"resourceType": "Bundle", "type": "collection", "entry": []}`

// What a patient does, each flow on records of its own.
func TestPatientApp(t *testing.T) {
	install(t, ".")
	origin := "http://" + freeAddress(t, "127.0.0.1")
	network, err := networktest.Start(networktest.Origins(origin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &practice{
		origin:    origin,
		author:    enrol(t, network, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePhysician}),
		colleague: enrol(t, network, networktest.Guest{MSP: "HospitalB", Role: ledger.RolePhysician}),
		desk:      enrol(t, network, networktest.Guest{MSP: "HospitalB", Role: ledger.RoleEmergencyDesk}),
		responder: enrol(t, network, networktest.Guest{MSP: "HospitalB", Role: ledger.RoleEmergency}),
		app:       newApp(t, network),
	}
	for _, flow := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"share, audit, revoke", p.share}, {"slots", p.slots}, {"rotate", p.rotate}, {"take over", p.takeOver}, {"change the policy", p.policy},
		{"stream", p.stream}, {"emergency", p.emergency}, {"erase", p.erase}, {"clients of others", p.clients}, {"guardians", p.guardians}, {"other keys", p.otherKeys},
	} {
		if !t.Run(flow.name, func(t *testing.T) { p.t = t; flow.run(t) }) {
			break // the app's memory may be anything now
		}
	}
	p.t = t
}

func (p *practice) share(t *testing.T) {
	record := p.authorize(t, p.author)
	p.upload(t, record)
	var confirmed ledger.Record
	p.run(&confirmed, "confirm", record)
	if confirmed.State != ledger.RecordConfirmed {
		t.Errorf("the record is %s", confirmed.State)
	}
	var found []ledger.RecordView
	p.run(&found, "search", ledger.ClassMedicalInformation)
	if len(found) != 1 || found[0].ID != record {
		t.Errorf("found %+v", found)
	}
	p.opens(t, record)
	asked := p.request(t, record)
	var pending []struct {
		ID   ledger.ID
		Card struct{ Name string }
	}
	p.run(&pending, "requests", ledger.RequestPending)
	if len(pending) != 1 || pending[0].ID != asked.ID || pending[0].Card.Name != "Dr. Sato" {
		t.Errorf("pending %+v", pending)
	}
	var grant ledger.Grant
	p.run(&grant, "grant", asked.ID, soon())
	p.colleagueOpens(t, record)
	p.audit(t, record, grant)
	p.run(&grant, "revoke", record, grant.Version, grant.ID)
	for end := time.Now().Add(2 * time.Minute); ; { // the colleague's hospital may be some blocks behind
		err := p.colleagueFails(t, record)
		if fault.CodeOf(err) == fault.ConsentRevoked {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the revocation: %v", err)
		}
	}
	asked = p.request(t, record)
	if message := p.fails("deny", asked.ID, "nonsense"); !strings.HasPrefix(message, "invalid_argument: ") {
		t.Errorf("what is not a reason was answered with %s", message)
	}
	p.run(&asked, "deny", asked.ID, ledger.DenyDeclined)
	if asked.State != ledger.RequestDenied {
		t.Errorf("the request is %s", asked.State)
	}
	p.told(t, ledger.EventRecordRegistered, ledger.EventAccessRequested, ledger.EventRecordOpened, ledger.EventGrantRevoked, ledger.EventAccessRequested, ledger.EventAccessDenied)
}

// told wants the patient to have been told of all this, in that order.
func (p *practice) told(t *testing.T, want ...ledger.EventName) {
	t.Helper()
	var notices []ledger.Notice
	p.run(&notices, "notices", "0-0", want[len(want)-1])
	for _, notice := range notices {
		if len(want) > 0 && notice.Name == want[0] {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("the patient was not told of %v", want)
	}
}

// audit wants the colleague's one access, proven, and the grant among the readers.
func (p *practice) audit(t *testing.T, record ledger.ID, grant ledger.Grant) {
	var accesses []ledger.Access
	p.run(&accesses, "accesses", record)
	if len(accesses) != 1 || accesses[0].User.User != p.colleague.Identity().User {
		t.Fatalf("accesses %+v", accesses)
	}
	var proven struct{ Block uint64 }
	p.run(&proven, "receipt", record, accesses[0].Open)
	if proven.Block == 0 {
		t.Error("the receipt proves no block")
	}
	var readers []ledger.Reader
	p.run(&readers, "readers", record)
	if !slices.ContainsFunc(readers, func(r ledger.Reader) bool { return r.Grant == grant.ID && r.Decision.Allowed }) {
		t.Errorf("readers %+v", readers)
	}
}

func (p *practice) slots(t *testing.T) {
	var records []ledger.ID
	p.run(&records, "authorize", "department:HospitalA/"+department, policy(), soon(), map[string]int{"count": 2})
	p.upload(t, records[0])
	var free []ledger.Slot
	p.run(&free, "freeSlots")
	if len(free) != 1 || free[0].Record != records[1] {
		t.Errorf("free slots %+v", free)
	}
	var disputed ledger.Record
	p.run(&disputed, "dispute", records[0], ledger.DisputeNotMine)
	if disputed.State != ledger.RecordDisputed {
		t.Errorf("the record is %s", disputed.State)
	}
	var withdrawn ledger.Erasure
	p.run(&withdrawn, "erase", records[1])
	p.run(&free, "freeSlots")
	if len(free) != 0 {
		t.Errorf("after the withdrawal, free slots %+v", free)
	}
}

func (p *practice) rotate(t *testing.T) {
	record := p.authorize(t, p.author)
	p.upload(t, record)
	asked := p.request(t, record)
	var grant ledger.Grant
	rule := ledger.Standing{Rule: ledger.NewID(), Place: 1}
	p.run(&grant, "grant", asked.ID, soon(), rule)
	var answers []ledger.Answer
	p.run(&answers, "answers", rule.Rule, ledger.DayOf(grant.Granted))
	if len(answers) != 1 || answers[0].Grant != grant.ID {
		t.Errorf("answers %+v", answers)
	}
	var rotated ledger.Record
	p.run(&rotated, "rotate", record, []ledger.ID{grant.ID})
	if rotated.Version != 2 {
		t.Errorf("rotated %+v", rotated)
	}
	p.opens(t, record)
	p.colleagueOpens(t, record)
	var history []ledger.HistoryEntry
	p.run(&history, "history", record, 1)
	if len(history) == 0 || history[0].Record.State != ledger.RecordSuperseded {
		t.Errorf("history %+v", history)
	}
}

func (p *practice) takeOver(t *testing.T) {
	made, err := p.author.UploadUnattended(t.Context(), client.NewRecord{
		Patient: p.user, File: write(t, "emr.json", emr), Metadata: ledger.Metadata{Class: ledger.ClassAdmission, MediaType: "application/fhir+json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.opens(t, made.ID)
	var own ledger.Record
	p.run(&own, "takeOver", made.ID)
	if own.Version != 2 || own.Unattended {
		t.Errorf("taken over: %+v", own)
	}
	p.opens(t, made.ID)
	_, err = p.author.Open(t.Context(), made.ID, 0, filepath.Join(t.TempDir(), "emr"))
	if fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("the author: %v", err)
	}
}

func (p *practice) policy(t *testing.T) {
	record := p.authorize(t, p.author)
	p.upload(t, record)
	var changed ledger.Record
	p.run(&changed, "changePolicy", record, map[string][]string{"organizations": {"HospitalA"}})
	if len(changed.Policy.Roles) != 1 || !slices.Equal(changed.Policy.Organizations, []string{"HospitalA"}) {
		t.Errorf("policy %+v", changed.Policy)
	}
	if _, err := p.colleague.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeTreatment); err == nil {
		t.Error("somebody of another hospital could ask")
	}
	deadline := time.Now().Add(2 * time.Minute)
	for replicas := []ledger.Replica(nil); len(replicas) < changed.Policy.Replicas; {
		if p.run(&replicas, "replicas", record); time.Now().After(deadline) {
			t.Fatalf("replicas %+v", replicas)
		}
	}
}

func (p *practice) stream(t *testing.T) {
	var records []ledger.ID
	p.run(&records, "authorize", ledger.PersonSubject(p.user), policy(), soon(), map[string]bool{"stream": true})
	lines := []string{`{"time":"2026-05-04T09:00:00Z","value":61}`, `{"time":"2026-05-04T10:00:00Z","value":62}`}
	var appended []ledger.Segment
	p.run(&appended, "append", records[0], lines[:1], ledger.Metadata{Class: ledger.ClassSensor, MediaType: "application/x-ndjson"})
	p.run(&appended, "append", records[0], lines[1:])
	if len(appended) != 1 || appended[0].Number != 2 {
		t.Errorf("appended %+v", appended)
	}
	var readings []string
	p.run(&readings, "readings", records[0], "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z")
	if !slices.Equal(readings, lines) {
		t.Errorf("readings %v", readings)
	}
}

func (p *practice) emergency(t *testing.T) {
	var updated struct {
		Record   ledger.ID
		Replaced []ledger.ID
	}
	document := []byte(`{"resourceType": "Bundle", "type": "document", "entry": []}`)
	p.run(&updated, "updateSummary", document, p.desk.Identity().User)
	first := updated.Record
	p.run(&updated, "updateSummary", document, p.desk.Identity().User)
	if !slices.Equal(updated.Replaced, []ledger.ID{first}) {
		t.Errorf("updated %+v", updated)
	}
	declared, err := p.responder.Declare(t.Context(), client.Emergency{
		Patient: p.user, Reason: ledger.ReasonUnconscious, Narrative: "found on the floor of the ward, no reaction",
	})
	if err != nil {
		t.Fatal(err)
	}
	if passed, err := p.desk.AnswerEmergency(t.Context(), declared.Name()); err != nil || len(passed) != 1 {
		t.Fatalf("the desk passed on %v: %v", passed, err)
	}
	passed, err := p.responder.PassedOn(t.Context(), declared.Name())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := passed.Save(t.Context(), t.TempDir())
	if err != nil || len(opened) != 1 {
		t.Fatalf("the responder opened %+v: %v", opened, err)
	}
	if text, err := os.ReadFile(opened[0].File); err != nil || string(text) != string(document) {
		t.Errorf("the responder opened %q, %v", text, err)
	}
	var about []ledger.Declaration
	p.run(&about, "emergencies")
	var seen ledger.DeclarationView
	p.run(&seen, "emergency", declared.ID)
	if len(about) != 1 || about[0].ID != declared.ID || !strings.Contains(seen.Narrative, "ward") {
		t.Errorf("about the patient: %+v, %+v", about, seen)
	}
	p.run(&declared, "closeEmergency", declared.ID)
	if declared.State != ledger.DeclarationClosed {
		t.Errorf("the emergency is %s", declared.State)
	}
	var allowed ledger.EmergencyPolicy
	p.run(&allowed, "emergencyPolicy", ledger.EmergencyRuleNever)
	if allowed.Records != ledger.EmergencyRuleNever {
		t.Errorf("the policy is %+v", allowed)
	}
}

func (p *practice) erase(t *testing.T) {
	record := p.authorize(t, p.author)
	p.upload(t, record)
	var erased ledger.Erasure
	p.run(&erased, "erase", record)
	if message := p.fails("open", record); !strings.HasPrefix(message, "erased: ") {
		t.Errorf("the erased record answers %s", message)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for certificate := (ledger.ErasureView{}); len(certificate.Confirmations) < 3 || len(certificate.Missing) > 0; {
		if p.run(&certificate, "erasure", record); time.Now().After(deadline) {
			t.Fatalf("certificate %+v", certificate)
		}
	}
}

func policy() ledger.Policy { return client.DefaultPolicy(ledger.ClassMedicalInformation) }

func soon() time.Time { return time.Now().Add(time.Hour).UTC() }

func (p *practice) authorize(t *testing.T, author *client.Client) ledger.ID {
	t.Helper()
	var records []ledger.ID
	p.run(&records, "authorize", ledger.PersonSubject(author.Identity().User), policy(), soon())
	return records[0]
}

// write makes a file that only its owner can read.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (p *practice) upload(t *testing.T, record ledger.ID) {
	t.Helper()
	_, err := p.author.Upload(t.Context(), client.NewRecord{
		Patient: p.user, Record: record, File: write(t, "emr.json", emr),
		Metadata: ledger.Metadata{Class: ledger.ClassMedicalInformation, MediaType: "application/fhir+json"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *practice) opens(t *testing.T, record ledger.ID) {
	t.Helper()
	var opened struct{ EMR []byte }
	if p.run(&opened, "open", record); string(opened.EMR) != emr {
		t.Errorf("the patient opened %q", opened.EMR)
	}
}

func (p *practice) request(t *testing.T, record ledger.ID) ledger.AccessRequest {
	t.Helper()
	asked, err := p.colleague.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeTreatment)
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

func (p *practice) colleagueOpens(t *testing.T, record ledger.ID) {
	t.Helper()
	file := filepath.Join(t.TempDir(), fmt.Sprint("opened-", record))
	if _, err := p.colleague.Open(t.Context(), record, 0, file); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != emr {
		t.Errorf("the colleague opened %q, %v", text, err)
	}
}

func (p *practice) colleagueFails(t *testing.T, record ledger.ID) error {
	t.Helper()
	_, err := p.colleague.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "emr"))
	return err
}
