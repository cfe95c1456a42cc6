package client

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// rotate rotates a record and reads the new version back as its patient.
func (p trio) rotate(t *testing.T, wish Rotation) ledger.Record {
	t.Helper()
	record, err := p.patient.Rotate(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func (p trio) grantOf(t *testing.T, record ledger.ID, holder *Client) ledger.ID {
	t.Helper()
	readers, err := p.patient.WhoCanRead(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readers {
		if r.Identity.User == holder.identity.User && r.State == ledger.GrantActive {
			return r.Grant
		}
	}
	t.Fatalf("%s holds no grant in %+v", holder.identity.User, readers)
	return ""
}

// opensNot wants openings to be denied.
func opensNot(t *testing.T, c *Client, v ledger.RecordVersion) {
	t.Helper()
	wantSoon(t, fault.PermissionDenied, func() error { return openingOf(t, c, v) })
}

func openingOf(t *testing.T, c *Client, v ledger.RecordVersion) error {
	t.Helper()
	_, err := c.Open(t.Context(), v.Record, v.Version, filepath.Join(t.TempDir(), "out"))
	return err
}

func TestRotationCarriesGrantsOver(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	content := bytes.Repeat([]byte("reading "), 100_000)
	want := sha256.Sum256(content)
	record := p.share(t, content)
	old, err := p.patient.Record(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	rotated := p.rotate(t, Rotation{Record: record})
	if rotated.Version != 2 || rotated.State != ledger.RecordConfirmed || rotated.CID == old.CID || bytes.Equal(rotated.Capsule, old.Capsule) ||
		rotated.Commitment != old.Commitment || rotated.Size != old.Size {
		t.Errorf("rotated %+v", rotated)
	}
	for _, c := range []*Client{p.patient, p.author, p.requester} {
		openAs(t, c, record, want)
		wantSoon(t, fault.StateConflict, func() error {
			err := openingOf(t, c, ledger.RecordVersion{Record: record, Version: 1})
			if fault.CodeOf(err) == fault.StateConflict && !strings.Contains(err.Error(), "version 2") {
				t.Errorf("who opens the old version is told %v", err)
			}
			return err
		})
	}
	wantSoon(t, fault.StateConflict, func() error {
		asked, err := p.requester.Request(t.Context(), ledger.RecordVersion{Record: record, Version: 1}, ledger.PurposeTreatment)
		if asked.Decision.SupersededBy == 0 {
			return nil // not seen yet, and the request before may wait
		}
		return err
	})
	if found, err := p.requester.Search(t.Context(), ledger.SearchRecords{Patient: p.patient.identity.User}); err != nil || len(found) != 1 || found[0].Version != 2 {
		t.Errorf("found %+v, %v", found, err)
	}

	// One grant is kept by name, the other one ends.
	p.rotate(t, Rotation{Record: record, Keep: []ledger.ID{p.grantOf(t, record, p.requester)}})
	openAs(t, p.requester, record, want)
	opensNot(t, p.author, ledger.RecordVersion{Record: record})
	if last := p.rotate(t, Rotation{Record: record, EndAll: true}); last.Version != 4 {
		t.Errorf("the third rotation made version %d", last.Version)
	}
	opensNot(t, p.requester, ledger.RecordVersion{Record: record})
	openAs(t, p.patient, record, want)

	// It can be asked for and granted again.
	p.grant(t, record)
	openAs(t, p.requester, record, want)
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	_, err := p.author.Rotate(t.Context(), Rotation{Record: record})
	wantCode(t, err, fault.PermissionDenied)
	_, err = enroll(t, patientOfA).Rotate(t.Context(), Rotation{Record: record})
	if err == nil {
		t.Error("another patient rotated the record")
	}
	_, err = p.patient.Rotate(t.Context(), Rotation{Record: ledger.NewID()})
	wantCode(t, err, fault.NotFound)
	_, err = p.patient.Rotate(t.Context(), Rotation{Record: record, Keep: []ledger.ID{ledger.NewID()}})
	wantCode(t, err, fault.NotFound)
	_, err = p.patient.Rotate(t.Context(), Rotation{Record: record, Keep: []ledger.ID{ledger.NewID()}, EndAll: true})
	wantCode(t, err, fault.InvalidArgument)
	if view, err := p.patient.Record(t.Context(), record, 0); err != nil || view.Version != 1 {
		t.Errorf("refused rotations left version %d, %v", view.Version, err)
	}
	// The content of a rotation is its patient's to upload, and nobody else's.
	for name, c := range map[string]*Client{"the author": p.author, "a colleague": p.requester} {
		_, err := put(t.Context(), c.gateways[0], record, strings.NewReader("content"))
		if err == nil {
			t.Errorf("%s put content under the record", name)
		}
	}
}

// A begun rotation is finished with what the journal has; one whose kept grant has ended
// meanwhile is begun anew.
func TestBegunRotationIsFinished(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	begin := func(wish Rotation) *rotation {
		t.Helper()
		a, err := p.patient.ownRecord(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := p.patient.beginRotation(t.Context(), wish, a)
		if err != nil {
			t.Fatal(err)
		}
		return entry
	}
	entry := begin(Rotation{Record: record})
	if rotated := p.rotate(t, Rotation{Record: record}); rotated.CID != entry.Arguments.CID {
		t.Error("the repeat made another ciphertext")
	}
	// Committed, but the answer did not arrive.
	entry = begin(Rotation{Record: record})
	if _, err := p.patient.submitRotation(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if err := p.patient.home.WriteJSON(rotationName(record), entry); err != nil {
		t.Fatal(err)
	}
	if rotated := p.rotate(t, Rotation{Record: record}); rotated.Version != 3 {
		t.Errorf("the repeat of a committed rotation made version %d, want 3", rotated.Version)
	}
	if p.patient.home.Has(rotationName(record)) {
		t.Error("the journal is still there")
	}

	entry = begin(Rotation{Record: record})
	if _, err := p.patient.Revoke(t.Context(), ledger.RecordVersion{Record: record, Version: 3}, p.grantOf(t, record, p.requester)); err != nil {
		t.Fatal(err)
	}
	rotated := p.rotate(t, Rotation{Record: record})
	if rotated.Version != 4 || rotated.CID == entry.Arguments.CID {
		t.Errorf("rotated %+v", rotated)
	}
	openAs(t, p.author, record, sha256.Sum256([]byte("emr")))
	opensNot(t, p.requester, ledger.RecordVersion{Record: record})
}

// A patient can encrypt whatever they like, but the commitment is the author's.
func TestPatientWhoAltersTheContentIsFoundOutByEveryReader(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("potassium 6.1"))
	a, err := p.patient.ownRecord(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := p.patient.beginRotation(t.Context(), Rotation{Record: record}, a)
	if err != nil {
		t.Fatal(err)
	}
	key := p.patient.keys.record(record, 2).PublicKey()
	forged, err := sendTo(t.Context(), p.patient.gateways[0], record, func(w io.Writer) (emr.Sealed, error) {
		return emr.Seal(w, strings.NewReader("potassium 4.1"), key)
	})
	if err != nil {
		t.Fatal(err)
	}
	entry.Arguments.CID, entry.Arguments.SHA256, entry.Arguments.Size, entry.Arguments.Capsule = forged.CID, forged.SHA256, forged.Size, forged.Capsule
	if _, err := p.patient.submitRotation(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Client{"author": p.author, "requester": p.requester, "patient": p.patient} {
		err := openingOf(t, c, ledger.RecordVersion{Record: record})
		var alteration *AlteredError
		if !errors.As(err, &alteration) || alteration.Code != fault.Altered || alteration.Who != "the patient "+p.patient.identity.User.String() {
			t.Errorf("the %s is told %v, want the patient to be named", name, err)
		}
	}
}

// What a gateway delivers instead of the registered content never becomes a version.
func TestRotationTakesNothingFromALiar(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	content := bytes.Repeat([]byte("emr "), 50_000)
	record := p.upload(t, content)
	betray(t, p.patient, "HospitalA", func(r *http.Response, body []byte) []byte {
		if r.Request.Method == http.MethodGet && strings.HasSuffix(r.Request.URL.Path, "/content") {
			body = bytes.Clone(body)
			body[len(body)-1] ^= 1
		}
		return body
	})
	if rotated := p.rotate(t, Rotation{Record: record}); rotated.Version != 2 {
		t.Errorf("version %d", rotated.Version)
	}
	openAs(t, p.author, record, sha256.Sum256(content))
}

// A hospital that is behind tells of a version whose place another one has taken.
func TestRequestFollowsARotation(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	var old []byte
	betray(t, p.requester, "HospitalB", func(r *http.Response, body []byte) []byte {
		if r.Request.Method != http.MethodGet || !strings.HasSuffix(r.Request.URL.Path, string(record)) {
			return body
		}
		if old == nil {
			old = bytes.Clone(body)
		}
		return old
	})
	if view, err := p.requester.Record(t.Context(), record, 0); err != nil || view.Version != 1 {
		t.Fatalf("version %d, %v", view.Version, err)
	}
	p.rotate(t, Rotation{Record: record})
	if asked := p.request(t, record); asked.Version != 2 {
		t.Errorf("asked for version %d", asked.Version)
	}
	_, err := p.requester.Request(t.Context(), ledger.RecordVersion{Record: record, Version: 1}, ledger.PurposeTreatment)
	wantCode(t, err, fault.StateConflict)
}

func TestErasureEndsEverything(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	p.rotate(t, Rotation{Record: record})
	pending := p.request(t, record)
	_, err := p.author.Erase(t.Context(), record)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.patient.Erasure(t.Context(), record)
	wantCode(t, err, fault.NotFound)
	erasure, err := p.patient.Erase(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.patient.Erase(t.Context(), record); err != nil || again.Transaction != erasure.Transaction {
		t.Errorf("erasing again: %+v, %v", again, err)
	}
	for _, c := range []*Client{p.patient, p.author, p.requester} {
		for _, do := range []func() error{ // a hospital may remove the content a moment before another's peer knows why
			func() error { return openingOf(t, c, ledger.RecordVersion{Record: record}) },
			func() error { _, err := c.Record(t.Context(), record, 0); return err },
			func() error {
				_, err := c.History(t.Context(), ledger.RecordVersion{Record: record, Version: 1})
				return err
			},
		} {
			wantSoon(t, fault.Erased, do)
		}
		if grants, err := c.Grants(t.Context()); err != nil || len(grants) > 0 {
			t.Errorf("%s holds %+v, %v", c.identity.User, grants, err)
		}
		if found, err := c.Search(t.Context(), ledger.SearchRecords{Patient: p.patient.identity.User}); err != nil || len(found) > 0 {
			t.Errorf("%s finds %+v, %v", c.identity.User, found, err)
		}
	}
	_, err = p.patient.Rotate(t.Context(), Rotation{Record: record})
	wantCode(t, err, fault.Erased)
	_, err = p.requester.Request(t.Context(), ledger.RecordVersion{Record: record, Version: 2}, ledger.PurposeTreatment)
	wantCode(t, err, fault.Erased)
	_, err = p.patient.Grant(t.Context(), pending.ID, time.Now().Add(time.Hour))
	wantCode(t, err, fault.Erased)
	_, err = p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr")))
	wantCode(t, err, fault.Erased)
	p.author.loseContent(t, record)
	_, err = p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr")))
	wantCode(t, err, fault.Erased)
	if trail, err := p.patient.Accesses(t.Context(), record); err != nil {
		t.Errorf("the trail: %+v, %v", trail, err)
	}
	view, err := p.patient.Erasure(t.Context(), record)
	if err != nil || view.Transaction != erasure.Transaction || len(view.Members) != 3 || len(view.Confirmations)+len(view.Missing) != 3 {
		t.Errorf("erasure %+v, %v", view, err)
	}
	_, err = p.requester.Erasure(t.Context(), record)
	wantCode(t, err, fault.PermissionDenied)
}

// loseContent has an upload that was begun name a content that no hospital has.
func (c *Client) loseContent(t *testing.T, record ledger.ID) {
	t.Helper()
	var entry journal
	if err := c.home.ReadJSON(journalName(record), &entry); err != nil {
		t.Fatal(err)
	}
	entry.Arguments.CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
	if err := c.home.WriteJSON(journalName(record), entry); err != nil {
		t.Fatal(err)
	}
}

func TestWithdrawnSlotTakesNoUpload(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.authorize(t, ledger.ClassImaging)
	if erasure, err := p.patient.Erase(t.Context(), record); err != nil || len(erasure.Members) > 0 {
		t.Fatalf("erasure %+v, %v", erasure, err)
	}
	_, err := p.author.Upload(t.Context(), p.newRecord(t, record, []byte("emr")))
	wantCode(t, err, fault.Erased)
	slots, err := p.author.Slots(t.Context()) // other tests authorise the department
	if err != nil || slices.ContainsFunc(slots, func(u ledger.Slot) bool { return u.Record == record }) {
		t.Errorf("the slot of %s is still there, %v", record, err)
	}
}

// One hospital alone cannot make a confirmation up, nor take another erasure's.
func TestErasureIsBelievedOfAMajority(t *testing.T) {
	t.Parallel()
	erasure := ledger.Erasure{Record: ledger.NewID(), Members: []string{"HospitalA", "HospitalB"}}
	confirmed := ledger.ErasureConfirmation{MSP: "HospitalA", Time: time.Unix(1, 0)}
	other := ledger.ErasureConfirmation{MSP: "HospitalA", Time: time.Unix(2, 0)}
	view := func(confirmations ...ledger.ErasureConfirmation) ledger.ErasureView {
		return ledger.ErasureView{Erasure: erasure, Confirmations: confirmations}
	}
	for name, test := range map[string]struct {
		told []ledger.ErasureView
		want int
	}{
		"one of three":           {[]ledger.ErasureView{view(confirmed), view(), view()}, 0},
		"two of three":           {[]ledger.ErasureView{view(confirmed), view(), view(confirmed)}, 1},
		"two that differ":        {[]ledger.ErasureView{view(confirmed), view(other), view()}, 0},
		"one that says it twice": {[]ledger.ErasureView{view(confirmed, confirmed), view(), view()}, 0},
	} {
		got := viewOf(erasure, test.told, 2)
		if len(got.Confirmations) != test.want || len(got.Confirmations)+len(got.Missing) != 2 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A record that was made without its patient is under a key of theirs after its rotation,
// and its author reads it no more.
func TestRotationTakesOverWhatWasMadeWithoutThePatient(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	content := []byte("found unconscious")
	n := p.newRecord(t, "", content)
	made, err := p.author.UploadUnattended(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	openAs(t, p.author, made.ID, sha256.Sum256(content))
	rotated := p.rotate(t, Rotation{Record: made.ID, EndAll: true})
	if rotated.Unattended || rotated.KeyOwner() != p.patient.identity.User {
		t.Errorf("rotated %+v", rotated)
	}
	openAs(t, p.patient, made.ID, sha256.Sum256(content))
	opensNot(t, p.author, ledger.RecordVersion{Record: made.ID})
	p.grant(t, made.ID)
	openAs(t, p.requester, made.ID, sha256.Sum256(content))
}
