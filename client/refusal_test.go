package client

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func wantCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != want || err == nil {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRefusalsReachTheUserWithTheirCodes(t *testing.T) {
	t.Parallel()
	p, researcher := newTrio(t), enroll(t, researcherOfC)
	record := p.upload(t, []byte("emr"))
	version := ledger.RecordVersion{Record: record, Version: firstVersion}
	out := filepath.Join(t.TempDir(), "out")

	denied, err := researcher.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeResearch)
	wantCode(t, err, fault.PermissionDenied) // the role comes first
	if denied.State != ledger.RequestDenied || denied.Decision.Allowed {
		t.Errorf("the refused request came back as %+v", denied)
	}
	requests, err := researcher.Requests(t.Context(), ledger.RequestDenied)
	if err != nil || len(requests) != 1 {
		t.Errorf("the denial is not on the ledger: %v, %v", requests, err)
	}

	_, err = p.requester.Request(t.Context(), version, ledger.PurposePayment)
	wantCode(t, err, fault.PurposeNotPermitted)
	_, err = p.requester.Open(t.Context(), record, 0, out)
	wantCode(t, err, fault.PermissionDenied)
	_, err = researcher.Open(t.Context(), record, 0, out)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.author.Confirm(t.Context(), record)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.requester.Accesses(t.Context(), record)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.requester.Upload(t.Context(), p.newRecord(t, ledger.NewID(), nil))
	wantCode(t, err, fault.NotFound)
	_, err = p.patient.Grant(t.Context(), ledger.NewID(), time.Now().Add(time.Hour))
	wantCode(t, err, fault.NotFound)
	_, err = p.requester.Record(t.Context(), "../../etc/passwd", 0)
	wantCode(t, err, fault.InvalidArgument)
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

func TestDeniedRequestStaysDenied(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	request := p.request(t, p.upload(t, []byte("emr")))
	if _, err := p.patient.Deny(t.Context(), request.ID, ledger.DenyUnknownRequester); err != nil {
		t.Fatal(err)
	}
	_, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
	wantCode(t, err, fault.StateConflict)
}

func TestGrantOfOneRecordServesNoOther(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, other := p.share(t, []byte("emr")), p.upload(t, []byte("secret"))
	a, err := p.requester.agree(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	var opened Opened
	if _, err := p.requester.identitiesFor(t.Context(), &opening{agreed: a}, nil, &opened); err != nil {
		t.Fatal(err)
	}
	for _, g := range p.requester.gateways {
		stolen := opening{transaction: opened.Open, grant: ledger.Grant{Record: other}}
		if _, err := p.requester.askProxy(t.Context(), g, stolen); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%s: got %v, want %s", g.name(), err, fault.NotFound)
		}
		if _, err := p.author.askProxy(t.Context(), g, opening{transaction: opened.Open, grant: ledger.Grant{Record: record}}); fault.CodeOf(err) != fault.PermissionDenied {
			t.Errorf("%s served somebody else's open: %v", g.name(), err)
		}
	}
}

func TestGrantEnds(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	request := p.request(t, record)
	if _, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	open := func() error {
		_, err := p.requester.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
		return err
	}
	eventually(t, func() bool { return open() != nil })
	wantCode(t, open(), fault.ConsentExpired)
	eventually(t, func() bool { // the patient's hospital may be a block behind
		accesses, err := p.patient.Accesses(t.Context(), record)
		return err == nil && accesses[len(accesses)-1].Decision.Code == fault.ConsentExpired
	})
}

// wantSoon wants something to be refused once the hospital that is asked knows what another
// one has committed.
func wantSoon(t *testing.T, want fault.Code, do func() error) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if last = do(); last != nil && fault.CodeOf(last) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v, want %s", last, want)
		}
	}
}

// eventually waits for a condition, for a minute at most.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came about")
		}
	}
}

func TestUploadRepeatedAfterACrashFinishes(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.authorize(t, ledger.ClassMedicalInformation)
	n := p.newRecord(t, record, []byte("emr"))
	n.Metadata.Salt = ledger.NewSalt()
	file, err := os.Open(n.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	begun, err := p.author.beginAuthorized(t.Context(), n, file) // and then the device dies
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		registered, err := p.author.Upload(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if registered.CID != begun.Arguments.CID {
			t.Errorf("registered %s, want %s of the first attempt", registered.CID, begun.Arguments.CID)
		}
	}
	_, err = p.author.Upload(t.Context(), p.newRecord(t, record, []byte("another")))
	wantCode(t, err, fault.AlreadyExists)
}

func TestUploadRepeatedWithOtherMetadataTakesThem(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	n := p.newRecord(t, p.authorize(t, ledger.ClassMedicalInformation), []byte("emr"))
	file, err := os.Open(n.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mistaken := n
	mistaken.Metadata.Salt, mistaken.Metadata.Codes = ledger.NewSalt(), []string{"http://snomed.info/sct|38341003"}
	if _, err := p.author.beginAuthorized(t.Context(), mistaken, file); err != nil { // and then the physician thinks better of it
		t.Fatal(err)
	}
	registered, err := p.author.Upload(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	view, err := p.author.Record(t.Context(), n.Record, 0)
	if err != nil {
		t.Fatal(err)
	}
	if view.Metadata == nil || !sameMetadata(*view.Metadata, n.Metadata) {
		t.Errorf("registered %+v, want %+v", view.Metadata, n.Metadata)
	}
	_, err = p.author.Upload(t.Context(), mistaken) // too late
	wantCode(t, err, fault.AlreadyExists)
	again, err := p.author.Upload(t.Context(), n)
	if err != nil || again.CID != registered.CID {
		t.Errorf("an identical repeat: %+v, %v", again, err)
	}
}

func TestUploadWhoseContentIsGoneBeginsAnew(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	n := p.newRecord(t, p.authorize(t, ledger.ClassMedicalInformation), []byte("emr"))
	file, err := os.Open(n.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n.Metadata.Salt = ledger.NewSalt()
	entry, err := p.author.beginAuthorized(t.Context(), n, file)
	if err != nil {
		t.Fatal(err)
	}
	entry.Arguments.CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku" // what no node has
	if err := p.author.home.WriteJSON(journalName(n.Record), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := p.author.Upload(t.Context(), n); err != nil {
		t.Error(err)
	}
}

func TestSlotTakesNoSecondRecord(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	other, err := home.Create(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	p.author.home = other // a device that has forgotten
	_, err = p.author.Upload(t.Context(), p.newRecord(t, record, []byte("another")))
	wantCode(t, err, fault.AlreadyExists)
}

func TestForgedInvitationCardIsRefused(t *testing.T) {
	t.Parallel()
	invitation, stranger := invite(t, physicianOfA), enroll(t, physicianOfB)
	card, err := stranger.creator.Signer.SignCard(trust.Card{
		User: ledger.UserID{MSP: invitation.MSP, Pseudonym: invitation.Pseudonym}, Role: ledger.RolePhysician, Name: "Dr. Nobody", Issued: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	invitation.Card = card
	if _, err := Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), invitation, nil); err == nil {
		t.Error("the forged card was registered")
	}
}
