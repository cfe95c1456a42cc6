package contract

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/pie-consortium/pie/chaincode/rules"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// sent is a transaction as it is sent.
type sent struct {
	by        *person
	argument  any
	transient []any
}

// repeatable is a transaction that has been committed when it is made, and what differs
// from it under the same name.
type repeatable struct {
	sent
	others map[string]sent
}

// sets are the transactions whose last word counts, and those that have none but one.
var sets = map[ledger.Transaction]string{
	ledger.TxRegisterOrganization: "describes anew", ledger.TxReplaceCard: "replaces", ledger.TxChangePolicy: "replaces",
	ledger.TxSetResponders: "replaces", ledger.TxSetEmergencyPolicy: "replaces", ledger.TxDisputeRecord: "says another reason",
	ledger.TxConfirmReplicas: "says what is kept now", ledger.TxOpenRecord: "each is one access",
	ledger.TxConfirmRecord: "has one meaning", ledger.TxRevokeGrant: "has one meaning", ledger.TxEraseRecord: "has one meaning",
	ledger.TxRejectKeyReplacement: "has one meaning", ledger.TxApproveBreakGlass: "has one meaning", ledger.TxCloseBreakGlass: "has one meaning",
	ledger.TxEraseNarratives: "has one meaning",
	ledger.TxRotateRecord:    "see TestRotatingAgainChangesNothing", ledger.TxConfirmErasure: "see its own test",
	ledger.TxReplaceKeys: "wants a proof of its own for other keys", ledger.TxApproveKeyReplacement: "names no more than it approves",
	ledger.TxIssueEmergencyGrant: "see its own test",
}

// What is acknowledged is kept: a repeat with anything else in it is refused and changes
// nothing, an identical one succeeds and changes nothing.
func TestRepeatsAreTheSameOrRefused(t *testing.T) {
	scenes := map[ledger.Transaction]func(*emergency) repeatable{
		ledger.TxRegisterUser: repeatedUser, ledger.TxAuthorizeSlots: repeatedSlot, ledger.TxRegisterRecord: repeatedRecord,
		ledger.TxRegisterUnattended: repeatedFoundling, ledger.TxRequestAccess: repeatedRequest, ledger.TxGrantAccess: repeatedGrant,
		ledger.TxDenyAccess: repeatedDenial, ledger.TxAppendSegments: repeatedSegments, ledger.TxGrantCustodian: repeatedCustodian,
		ledger.TxRequestKeyReplacement: repeatedReplacement, ledger.TxDeclareBreakGlass: repeatedDeclaration, ledger.TxReviewBreakGlass: repeatedReview,
	}
	for tx := range rules.Transactions() {
		scene, told := scenes[tx]
		if !tx.Writes() || sets[tx] != "" {
			continue
		}
		if !told {
			t.Errorf("nothing says what a repeat of %s is", tx)
			continue
		}
		t.Run(string(tx), func(t *testing.T) {
			e := newEmergency(t)
			again := scene(e)
			before := maps.Clone(e.public)
			_, err := e.call(again.by, tx, again.argument, again.transient...)
			if err != nil || !maps.EqualFunc(before, e.public, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Errorf("an identical repeat: %v, or it wrote", err)
			}
			for name, other := range again.others {
				_, err := e.call(other.by, tx, other.argument, other.transient...)
				if code := fault.CodeOf(err); code != fault.AlreadyExists && code != fault.StateConflict {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !maps.EqualFunc(before, e.public, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Error("a repeat that was refused wrote")
			}
		})
	}
}

// with is the transaction with another argument.
func with[A any](s sent, change func(*A)) sent {
	var argument A
	text, err := json.Marshal(s.argument)
	if err == nil {
		err = json.Unmarshal(text, &argument)
	}
	if err != nil {
		panic(err)
	}
	change(&argument)
	s.argument = argument
	return s
}

func (s sent) beside(transient ...any) sent {
	s.transient = transient
	return s
}

// commit sends it the first time.
func (s sent) commit(e *emergency, tx ledger.Transaction) sent {
	e.t.Helper()
	must[json.RawMessage](e.world, s.by, tx, s.argument, s.transient...)
	return s
}

func repeatedUser(e *emergency) repeatable {
	profile := e.stranger.profile()
	first := sent{e.stranger, registration(e.stranger), []any{ledger.TransientProfile, profile}}.commit(e, ledger.TxRegisterUser)
	others := *e.stranger
	others.point = e.colleague.point
	return repeatable{first, map[string]sent{
		"other keys":    {e.stranger, registration(&others), first.transient},
		"one key alone": with(first, func(a *ledger.RegisterUser) { a.Keys = a.Keys[:1] }),
		"another card":  first.beside(ledger.TransientProfile, e.stranger.profile(func(c *trust.Card) { c.Name = "Dr. Other" })),
	}}
}

func repeatedSlot(e *emergency) repeatable {
	u := e.newUpload(ledger.ClassImaging)
	first := sent{e.patient, u.argument, []any{ledger.TransientFragments, u.fragments}}.commit(e, ledger.TxAuthorizeSlots)
	slot := func(change func(*ledger.NewSlot)) sent {
		return with(first, func(a *ledger.AuthorizeSlots) { change(&a.Slots[0]) })
	}
	return repeatable{first, map[string]sent{
		"another end":     slot(func(s *ledger.NewSlot) { s.Expiry = s.Expiry.Add(time.Hour) }),
		"another policy":  slot(func(s *ledger.NewSlot) { s.Policy.Replicas++ }),
		"a policy's end":  slot(func(s *ledger.NewSlot) { s.Policy.NotAfter = e.clock.Add(time.Hour) }),
		"another author":  slot(func(s *ledger.NewSlot) { s.Author = ledger.PersonSubject(e.colleague.user) }),
		"for a summary":   slot(func(s *ledger.NewSlot) { s.IsSummary = true }),
		"for a stream":    slot(func(s *ledger.NewSlot) { s.Stream = true }),
		"other fragments": slot(func(s *ledger.NewSlot) { s.Fragments.Proxies[0].SHA256 = ledger.DigestOf(nil) }),
	}}
}

func repeatedRecord(e *emergency) repeatable {
	u := e.newUpload(ledger.ClassImaging)
	e.authorize(u)
	first := sent{e.author, registrationOf(u, ledger.LevelPrivate), []any{ledger.TransientMetadata, u.metadata}}.commit(e, ledger.TxRegisterRecord)
	about := u.metadata
	about.Sex = "male"
	return repeatable{first, map[string]sent{
		"another content":    with(first, func(a *ledger.RegisterRecord) { a.CID = cidOf(a.Record, 7) }),
		"another size":       with(first, func(a *ledger.RegisterRecord) { a.Size++ }),
		"another digest":     with(first, func(a *ledger.RegisterRecord) { a.SHA256 = ledger.DigestOf(nil) }),
		"another capsule":    with(first, func(a *ledger.RegisterRecord) { a.Capsule[3]++ }),
		"another commitment": with(first, func(a *ledger.RegisterRecord) { a.Commitment = ledger.DigestOf(nil) }),
		"other metadata":     first.beside(ledger.TransientMetadata, about),
	}}
}

func repeatedFoundling(e *emergency) repeatable {
	f := e.newFoundling(e.author)
	e.found(f, e.author)
	first := sent{e.author, f.argument, f.private()}
	return repeatable{first, map[string]sent{
		"another end":  with(first, func(a *ledger.RegisterUnattended) { a.Expiry = a.Expiry.Add(time.Hour) }),
		"another size": with(first, func(a *ledger.RegisterUnattended) { a.Size++ }),
		"another key": with(first, func(a *ledger.RegisterUnattended) {
			a.RecordKey = e.author.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: a.Record, Version: 1}) + "x"
		}),
	}}
}

func repeatedRequest(e *emergency) repeatable {
	first := sent{e.colleague, ledger.RequestAccess{RecordVersion: e.record.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment}, nil}.commit(e, ledger.TxRequestAccess)
	return repeatable{first, map[string]sent{
		"another purpose": with(first, func(a *ledger.RequestAccess) { a.Purpose = ledger.PurposeResearch }),
		"somebody else's": {e.author, first.argument, nil},
	}}
}

func repeatedGrant(e *emergency) repeatable {
	argument, fragments := e.grantFor(e.request(e.record, e.colleague, ledger.PurposeTreatment), e.colleague)
	first := sent{e.patient, argument, []any{ledger.TransientFragments, fragments}}.commit(e, ledger.TxGrantAccess)
	anew, fragmentsAnew := e.grantFor(ledger.AccessRequest{ID: argument.Request, Record: argument.Record, Version: argument.Version, Purpose: argument.Purpose}, e.colleague)
	return repeatable{first, map[string]sent{
		"a later end":     with(first, func(a *ledger.GrantAccess) { a.Expiry = a.Expiry.Add(time.Minute) }),
		"an earlier end":  with(first, func(a *ledger.GrantAccess) { a.Expiry = a.Expiry.Add(-time.Minute) }),
		"a rule's answer": with(first, func(a *ledger.GrantAccess) { a.Standing = ledger.Standing{Rule: ledger.NewID(), Place: 1} }),
		"another grant":   {e.patient, anew, []any{ledger.TransientFragments, fragmentsAnew}},
	}}
}

func repeatedDenial(e *emergency) repeatable {
	request := e.request(e.record, e.colleague, ledger.PurposeTreatment)
	first := sent{e.patient, ledger.DenyAccess{RecordVersion: e.record.version(), Request: request.ID, Reason: ledger.DenyDeclined}, nil}.commit(e, ledger.TxDenyAccess)
	return repeatable{first, map[string]sent{
		"another reason": with(first, func(a *ledger.DenyAccess) { a.Reason = ledger.DenyUnknownRequester }),
	}}
}

func repeatedSegments(e *emergency) repeatable {
	u := e.stream(2)
	first := sent{e.author, segments(u, 1, 2), []any{ledger.TransientMetadata, u.metadata}}
	about := u.metadata
	about.Sex = "male"
	return repeatable{first, map[string]sent{
		"another segment": with(first, func(a *ledger.AppendSegments) { a.Segments[1].Size++ }),
		"another span":    with(first, func(a *ledger.AppendSegments) { a.Segments[1].To = a.Segments[1].To.Add(time.Second) }),
		"other metadata":  first.beside(ledger.TransientMetadata, about),
	}}
}

func repeatedCustodian(e *emergency) repeatable {
	grant := ledger.NewID()
	fragments, sealed := e.newFragments(grant, e.desk)
	first := sent{e.patient, ledger.GrantCustodian{
		RecordVersion: e.record.version(), Custodian: e.desk.user, Grant: grant, Expiry: e.clock.Add(time.Hour), Fragments: fragments,
	}, []any{ledger.TransientFragments, sealed}}.commit(e, ledger.TxGrantCustodian)
	return repeatable{first, map[string]sent{
		"another end": with(first, func(a *ledger.GrantCustodian) { a.Expiry = a.Expiry.Add(time.Hour) }),
	}}
}

func repeatedReplacement(e *emergency) repeatable {
	device := newRole(e.t, "HospitalA/patient", ledger.RolePatient, "")
	first := sent{device, ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: registration(device).Keys}, nil}.commit(e, ledger.TxRequestKeyReplacement)
	others := *device
	others.point = e.colleague.point
	return repeatable{first, map[string]sent{
		"other keys": with(first, func(a *ledger.RequestKeyReplacement) { a.Keys = registration(&others).Keys }),
	}}
}

func repeatedDeclaration(e *emergency) repeatable {
	first := sent{e.responder, e.ofSummary(), []any{ledger.TransientNarrative, narrative()}}.commit(e, ledger.TxDeclareBreakGlass)
	return repeatable{first, map[string]sent{
		"another reason":  with(first, func(a *ledger.DeclareBreakGlass) { a.Reason = ledger.ReasonLifeThreat }),
		"somebody else's": {e.outsider, first.argument, first.transient},
		"for records": with(first, func(a *ledger.DeclareBreakGlass) {
			a.Scope, a.Records = ledger.ScopeRecords, []ledger.ID{e.record.slot().Record}
		}),
	}}
}

func repeatedReview(e *emergency) repeatable {
	d := e.declare(e.responder, e.ofSummary())
	e.close(d, e.responder)
	officer := map[string]*person{"HospitalB": e.officerB, "HospitalC": e.officerC}[d.ReviewedBy]
	first := sent{officer, ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: ledger.VerdictJustified}, []any{ledger.TransientNarrative, narrative()}}.commit(e, ledger.TxReviewBreakGlass)
	return repeatable{first, map[string]sent{
		"another verdict": with(first, func(a *ledger.ReviewBreakGlass) { a.Verdict = ledger.VerdictUnjustified }),
	}}
}
