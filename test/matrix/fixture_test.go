package matrix

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// fixture is a slot, and the record in it once it is registered.
type fixture struct {
	object
	patient, author *person
	becomes         ledger.RecordState // what is to be made of it
	wanted          ledger.NewSlot
	sealed          []ledger.SealedFragment
	registration    ledger.RegisterRecord
	metadata        ledger.Metadata
}

// terms are what a patient allows.
type terms struct {
	level   ledger.Level
	policy  ledger.Policy
	becomes ledger.RecordState
	expiry  time.Time // of the author's grant
	stream  bool
}

// classes are one of each level.
var classes = map[ledger.Level]ledger.Class{
	ledger.LevelLow: ledger.ClassClinicalObservation, ledger.LevelModerate: ledger.ClassSensor, ledger.LevelPrivate: ledger.ClassImaging,
}

func wide() ledger.Policy {
	return ledger.Policy{Roles: ledger.Roles(), Purposes: ledger.Purposes(), Replicas: 1}
}

func narrow() ledger.Policy {
	return ledger.Policy{
		Roles: []ledger.Role{ledger.RolePhysician}, Purposes: []ledger.Purpose{ledger.PurposeTreatment},
		Organizations: []string{"HospitalA", "HospitalB"}, Replicas: 1,
	}
}

func ended() ledger.Policy {
	policy := wide()
	policy.NotAfter = time.Now().Add(-time.Hour).UTC()
	return policy
}

func (w *world) newFixture(patient, author *person, t terms) (*fixture, error) {
	record, grant := ledger.NewID(), ledger.NewID()
	key, err := patient.state(trust.KeyStatement{Kind: ledger.KeyRecord, Key: patient.receiving.PublicKey().Bytes(), Record: record, Version: 1})
	if err != nil {
		return nil, err
	}
	fragments, sealed := w.fragments(grant, author)
	f := &fixture{patient: patient, author: author, becomes: t.becomes, sealed: sealed, wanted: ledger.NewSlot{
		Record: record, RecordKey: key, Author: ledger.PersonSubject(author.User), Stream: t.stream, Policy: t.policy,
		Grant: grant, Expiry: t.expiry.UTC(), Fragments: fragments,
	}}
	f.about = ledger.RecordVersion{Record: record, Version: 1}
	f.state = "open"
	f.record.Patient, f.record.Author = patient.User, author.User
	capsule := make([]byte, 98)
	rand.Read(capsule)
	f.registration = ledger.RegisterRecord{Record: record, Capsule: capsule, Level: t.level}
	f.use(content{unregisteredCID(), ledger.DigestOf([]byte(record)), int64(len(record))}) // until it has some on a node
	f.metadata = ledger.Metadata{Salt: ledger.NewSalt(), Class: classes[t.level], MediaType: "text/plain"}
	return f, nil
}

// fragments stand for key fragments: the ledger compares them with what the grant
// commits to, and does not see what is in them.
func (w *world) fragments(grant ledger.ID, grantee *person) (ledger.Fragments, []ledger.SealedFragment) {
	fragments := ledger.Fragments{ReceivingKey: ledger.DigestOf(grantee.receiving.PublicKey().Bytes())}
	var sealed []ledger.SealedFragment
	for _, organization := range w.network.Organizations {
		text := []byte("for " + organization.MSP + " under " + string(grant))
		fragments.Proxies = append(fragments.Proxies, ledger.FragmentDigest{Proxy: organization.MSP, SHA256: ledger.DigestOf(text)})
		sealed = append(sealed, ledger.SealedFragment{Grant: grant, Proxy: organization.MSP, Salt: ledger.NewSalt(), Sealed: text})
	}
	fragments.Threshold = ledger.Threshold(len(sealed))
	return fragments, sealed
}

// content is something on a hospital's IPFS node.
type content struct {
	cid    string
	sha256 ledger.Digest
	size   int64
}

func (f *fixture) use(c content) {
	f.registration.CID, f.registration.SHA256, f.registration.Size = c.cid, c.sha256, c.size
}

// fill puts a ciphertext for each record on the author's hospital's node: the ledger
// registers none twice.
func (w *world) fill(ctx context.Context) error {
	client, err := w.signIn(ctx, w.author)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(w.records, w.owned, w.unused, w.streams, []*fixture{w.free}) {
		text := strings.NewReader("ciphertext of " + string(f.wanted.Record))
		answer, err := client.AddContentWithBodyWithResponse(ctx, w.free.wanted.Record, "application/octet-stream", text)
		if err != nil {
			return err
		}
		if answer.JSON200 == nil {
			return fmt.Errorf("add content: %s", answer.Body)
		}
		f.use(content{answer.JSON200.Cid, answer.JSON200.Sha256, answer.JSON200.Size})
	}
	return nil
}

// unregisteredCID is a CID that no record has.
func unregisteredCID() string {
	random := make([]byte, 64)
	rand.Read(random)
	return "bafybei" + strings.ToLower(base32.StdEncoding.EncodeToString(random))[:52]
}

// signIn is a person's own hospital's gateway with the person's token.
func (w *world) signIn(ctx context.Context, p *person) (*api.ClientWithResponses, error) {
	token, err := w.token(ctx, p)
	if err != nil {
		return nil, err
	}
	return w.client(p.User.MSP, token)
}

// authorize has every patient authorise what the cells need.
func (w *world) authorize(ctx context.Context) error {
	if err := w.plan(); err != nil {
		return err
	}
	byPatient := map[*person][]*fixture{}
	for _, f := range slices.Concat(w.records, w.owned, w.unused, w.streams, []*fixture{w.free}) {
		byPatient[f.patient] = append(byPatient[f.patient], f)
	}
	var patients []*person
	for patient := range byPatient {
		patients = append(patients, patient)
	}
	return each(len(patients), func(i int) error { return w.authorizeAll(ctx, patients[i], byPatient[patients[i]]) })
}

// plan says what there is to be.
func (w *world) plan() error {
	later := time.Now().Add(time.Hour)
	var all []terms
	for _, level := range ledger.Levels() {
		for _, state := range []ledger.RecordState{ledger.RecordRegistered, ledger.RecordConfirmed, ledger.RecordDisputed} {
			all = append(all, terms{level: level, policy: wide(), becomes: state, expiry: later})
		}
	}
	all = append(all, terms{level: ledger.LevelPrivate, policy: wide(), becomes: ledger.RecordSuperseded, expiry: later},
		terms{level: ledger.LevelPrivate, policy: wide(), becomes: ledger.RecordErased, expiry: later})
	all = append(all, terms{level: ledger.LevelModerate, policy: wide(), becomes: ledger.RecordRegistered, expiry: later, stream: true},
		terms{level: ledger.LevelLow, policy: wide(), becomes: ledger.RecordRegistered, expiry: later},
		terms{level: ledger.LevelPrivate, policy: ended(), becomes: ledger.RecordRegistered, expiry: later})
	for _, t := range append(all, terms{level: ledger.LevelLow, policy: wide(), expiry: later}) {
		f, err := w.newFixture(w.patient, w.author, t)
		if err != nil {
			return err
		}
		w.records = append(w.records, f)
	}
	w.free = w.records[len(all)]
	w.records = w.records[:len(all)]
	w.shared, w.narrowed, w.growing = w.records[0], w.records[len(all)-2], w.records[len(all)-3]
	return w.planCrowd(later)
}

// planCrowd gives everybody who may be an author a record in each state that opening
// depends on, among the crowd's patients in turn.
func (w *world) planCrowd(later time.Time) error {
	var patients, authors []*person
	for _, p := range w.crowd {
		if p.Role == ledger.RolePatient {
			patients = append(patients, p)
		}
		if slices.Contains(w.table.rows[ledger.TxRegisterRecord].roles, string(p.Role)) {
			authors = append(authors, p)
		}
	}
	all := []terms{
		{level: ledger.LevelPrivate, policy: wide(), expiry: later}, {level: ledger.LevelPrivate, policy: wide(), becomes: ledger.RecordRegistered, expiry: later},
		{level: ledger.LevelPrivate, policy: wide(), becomes: ledger.RecordRegistered, expiry: time.Now()},
		{level: ledger.LevelPrivate, policy: wide(), becomes: ledger.RecordDisputed, expiry: later},
		{level: ledger.LevelModerate, policy: wide(), expiry: later, stream: true},
	}
	for i, author := range authors {
		for _, t := range all {
			f, err := w.newFixture(patients[(i+1)%len(patients)], author, t)
			if err != nil {
				return err
			}
			switch {
			case t.stream:
				w.streams = append(w.streams, f)
			case t.becomes == "":
				w.unused = append(w.unused, f)
			default:
				w.owned = append(w.owned, f)
			}
		}
	}
	return nil
}

func (w *world) authorizeAll(ctx context.Context, patient *person, fixtures []*fixture) error {
	var argument ledger.AuthorizeSlots
	var sealed []ledger.SealedFragment
	for _, f := range fixtures {
		argument.Slots = append(argument.Slots, f.wanted)
		sealed = append(sealed, f.sealed...)
	}
	uploads, err := commit[[]ledger.Slot](ctx, w, patient, call{
		tx: ledger.TxAuthorizeSlots, argument: argument, at: inTime(fixtures...),
		transient: map[string]any{ledger.TransientFragments: sealed},
	})
	if err != nil {
		return err
	}
	for i, f := range fixtures {
		w.note(w.slots, patient, uploads[i].Record)
		if f.author != patient {
			w.note(w.slots, f.author, uploads[i].Record)
		}
		w.note(w.held, f.author, f.wanted.Grant)
	}
	return nil
}

// inTime is now, or just before the first of these slots ended: the ledger believes clocks
// that are up to two minutes late, and grants which it accepted then are over now.
func inTime(fixtures ...*fixture) time.Time {
	at := time.Now()
	for _, f := range fixtures {
		if last := f.wanted.Expiry.Add(-time.Second); last.Before(at) {
			at = last
		}
	}
	return at
}

// note remembers what a list has to show to somebody.
func (w *world) note(lists map[ledger.UserID][]ledger.ID, p *person, id ledger.ID) {
	w.committing.Lock()
	defer w.committing.Unlock()
	lists[p.User] = append(lists[p.User], id)
}

// record has the authors register their records.
func (w *world) record(ctx context.Context) error {
	fixtures := slices.Concat(w.records, w.owned)
	return each(len(fixtures), func(i int) error {
		f := fixtures[i]
		record, err := commit[ledger.Record](ctx, w, f.author, f.registeringThen())
		if err != nil {
			return err
		}
		f.record, f.state = record, string(record.State)
		grant := f.ownGrant()
		f.grants = append(f.grants, grant)
		return nil
	})
}

func (f *fixture) registering() call {
	if f.wanted.Stream {
		return f.appending(f.wanted.Record)
	}
	return call{tx: ledger.TxRegisterRecord, argument: f.registration, transient: map[string]any{ledger.TransientMetadata: f.metadata}}
}

// registeringThen is as old as the authorisation, if the slot is over now.
func (f *fixture) registeringThen() call {
	c := f.registering()
	c.at = inTime(f)
	return c
}

// appending is the first segment of a stream.
func (f *fixture) appending(stream ledger.ID) call {
	r, at := f.registration, time.Date(2026, 5, 4, 6, 0, 0, 0, time.UTC)
	first := ledger.Segment{
		Number: 1, CID: r.CID, SHA256: r.SHA256, Size: r.Size, Capsule: r.Capsule, Commitment: r.Commitment,
		Readings: 1, From: at, To: at,
	}
	metadata := f.metadata
	metadata.Class = ledger.ClassSensor
	return call{
		tx: ledger.TxAppendSegments, argument: ledger.AppendSegments{Stream: stream, Segments: []ledger.Segment{first}},
		transient: map[string]any{ledger.TransientMetadata: metadata},
	}
}

// ownGrant is the author's grant once the record is registered.
func (f *fixture) ownGrant() ledger.Grant {
	return ledger.Grant{
		ID: f.wanted.Grant, Record: f.wanted.Record, Version: 1, Patient: f.patient.User,
		Grantee: f.wanted.Author, State: ledger.GrantActive, Expiry: f.wanted.Expiry,
	}
}

// ask has everybody who may ask for the shared record, and the colleague for one of
// each of the crowd's patients, for the record that is disputed afterwards, and for the
// one that is taken away again. A researcher asks for the one that the policy
// forbids to researchers later.
func (w *world) ask(ctx context.Context) error {
	var askers []*person
	for _, p := range w.crowd {
		if slices.Contains(w.table.rows[ledger.TxRequestAccess].roles, string(p.Role)) {
			askers = append(askers, p)
		}
	}
	err := each(len(askers), func(i int) error { return w.askAndGrant(ctx, w.shared, askers[i]) })
	if err != nil {
		return err
	}
	if err := w.askAndGrant(ctx, w.narrowed, w.member(ledger.RoleResearcher, ledger.LevelPrivate, "HospitalC")); err != nil {
		return err
	}
	for _, f := range w.records[1:3] {
		if err := w.askAndGrant(ctx, f, w.colleague); err != nil {
			return err
		}
	}
	first := map[*person]*fixture{}
	for _, f := range w.owned {
		if first[f.patient] == nil {
			first[f.patient] = f
		}
	}
	for _, f := range first {
		request, err := w.request(ctx, f, w.colleague)
		if err != nil {
			return err
		}
		w.asked = append(w.asked, f.requested(request))
	}
	return nil
}

// requested is a request as what a cell is about.
func (f *fixture) requested(request ledger.AccessRequest) object {
	o := f.object
	o.state, o.requester, o.request, o.purpose = string(request.State), request.Requester.User, request.ID, request.Purpose
	return o
}

func (w *world) request(ctx context.Context, f *fixture, by *person) (ledger.AccessRequest, error) {
	request, err := commit[ledger.AccessRequest](ctx, w, by, call{tx: ledger.TxRequestAccess, argument: ledger.RequestAccess{
		RecordVersion: f.about, Request: ledger.NewID(), Purpose: w.table.purposes[by.Role][0],
	}})
	w.note(w.outbox, by, request.ID)
	w.note(w.inbox, f.patient, request.ID)
	return request, err
}

func (w *world) askAndGrant(ctx context.Context, f *fixture, by *person) error {
	request, err := w.request(ctx, f, by)
	if err != nil || request.State != ledger.RequestPending {
		return err // a denial is committed, and one of the cells
	}
	return w.grant(ctx, f, by, request)
}

func (w *world) grant(ctx context.Context, f *fixture, to *person, request ledger.AccessRequest) error {
	grant, err := commit[ledger.Grant](ctx, w, f.patient, w.granting(to, request))
	w.note(w.held, to, grant.ID)
	w.committing.Lock()
	defer w.committing.Unlock()
	f.grants = append(f.grants, grant)
	return err
}

// grantByRule has a standing rule of the patient's grant a request of the colleague's.
func (w *world) grantByRule(ctx context.Context, request ledger.AccessRequest) error {
	granting := w.granting(w.colleague, request)
	argument, ok := granting.argument.(ledger.GrantAccess)
	if !ok {
		return fmt.Errorf("a grant takes a %T", granting.argument)
	}
	argument.Standing = ledger.Standing{Rule: w.rule, Place: 1}
	granting.argument = argument
	grant, err := commit[ledger.Grant](ctx, w, w.patient, granting)
	w.note(w.held, w.colleague, grant.ID)
	w.note(w.answered, w.patient, request.ID)
	w.day = ledger.DayOf(grant.Granted)
	w.shared.grants = append(w.shared.grants, grant)
	return err
}

// granting is the patient's yes to a request.
func (w *world) granting(to *person, request ledger.AccessRequest) call {
	grant := ledger.NewID()
	fragments, sealed := w.fragments(grant, to)
	return call{
		tx: ledger.TxGrantAccess, transient: map[string]any{ledger.TransientFragments: sealed},
		argument: ledger.GrantAccess{
			RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
			Request:       request.ID, Requester: request.Requester.User, Purpose: request.Purpose,
			Grant: grant, Expiry: time.Now().Add(time.Hour).UTC(), Fragments: fragments,
		},
	}
}

// answer makes requests in every state, the one that waits last, as one waits at a time, and has patients confirm and dispute.
func (w *world) answer(ctx context.Context) error {
	for _, state := range []ledger.RequestState{ledger.RequestGranted, ledger.RequestDenied, ledger.RequestPending} {
		request, err := w.request(ctx, w.shared, w.colleague)
		if err == nil && state == ledger.RequestGranted {
			err = w.grantByRule(ctx, request)
		}
		if err == nil && state == ledger.RequestDenied {
			_, err = commit[ledger.AccessRequest](ctx, w, w.patient, denying(request.ID, w.shared.about))
		}
		if err != nil {
			return err
		}
		request.State = state
		w.requests = append(w.requests, w.shared.requested(request))
	}
	fixtures := slices.Concat(w.records, w.owned)
	return each(len(fixtures), func(i int) error { return w.judge(ctx, fixtures[i]) })
}

// revoke takes away what the colleague was granted for one record.
func (w *world) revoke(ctx context.Context) error {
	last := len(w.records[1].grants) - 1
	revoked, err := commit[ledger.Grant](ctx, w, w.patient, revoking(w.records[1].granted(last)))
	w.records[1].grants[last] = revoked
	return err
}

func revoking(o object) call {
	return call{tx: ledger.TxRevokeGrant, argument: ledger.RevokeGrant{RecordVersion: o.about, Grant: o.grant.ID}}
}

// narrow replaces the policy of one record.
func (w *world) narrow(ctx context.Context) (err error) {
	w.narrowed.record, err = commit[ledger.Record](ctx, w, w.patient, call{
		tx: ledger.TxChangePolicy, argument: ledger.ChangePolicy{RecordVersion: w.narrowed.about, Policy: narrow()},
	})
	return err
}

func denying(request ledger.ID, about ledger.RecordVersion) call {
	return call{tx: ledger.TxDenyAccess, argument: ledger.DenyAccess{RecordVersion: about, Request: request, Reason: ledger.DenyDeclined}}
}

func (w *world) judge(ctx context.Context, f *fixture) error {
	judgement := call{tx: ledger.TxConfirmRecord, argument: ledger.ConfirmRecord{RecordVersion: f.about}}
	switch f.becomes {
	case ledger.RecordRegistered, ledger.RecordSuperseded, ledger.RecordErased: // the last two later
		return nil
	case ledger.RecordDisputed:
		judgement = call{tx: ledger.TxDisputeRecord, argument: ledger.DisputeRecord{RecordVersion: f.about, Reason: ledger.DisputeIncorrect}}
	}
	record, err := commit[ledger.Record](ctx, w, f.patient, judgement)
	f.record, f.state = record, string(record.State)
	return err
}

// open has the colleague open the shared record, with a grant of their own, with somebody
// else's, and with their own so long ago that no proxy serves it any more.
func (w *world) open(ctx context.Context) (err error) {
	w.accesses, err = w.openings(ctx)
	return err
}

func (w *world) openings(ctx context.Context) ([]access, error) {
	var accesses []access
	own := w.shared.grants[len(w.shared.grants)-1]
	for _, c := range []struct {
		grant     ledger.Grant
		state     string
		then, now time.Duration
	}{
		{own, "fresh", 0, 0}, {w.shared.grants[0], "fresh", 0, 0}, {own, "stale", -90 * time.Second, 90 * time.Second},
	} {
		opened, err := commit[ledger.Access](ctx, w, w.colleague, call{
			tx: ledger.TxOpenRecord, at: time.Now().Add(c.then),
			argument: ledger.OpenRecord{RecordVersion: w.shared.about, Grant: c.grant.ID},
		})
		if err != nil {
			return nil, err
		}
		o := w.shared.object
		o.state, o.grant, o.opener = c.state, &c.grant, &w.colleague.Identity
		accesses = append(accesses, access{o, opened.Open, c.now})
	}
	return accesses, nil
}

// commit is a transaction that has to succeed, at every peer.
func commit[R any](ctx context.Context, w *world, by *person, c call) (R, error) {
	var result R
	text, err := w.peers.commit(ctx, by, c)
	if err != nil {
		return result, fmt.Errorf("%s by %s: %w", c.tx, by.User, err)
	}
	w.committing.Lock()
	w.committed[c.tx]++
	w.committing.Unlock()
	return result, json.Unmarshal(text, &result)
}
