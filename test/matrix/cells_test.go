package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// cells are those of one transaction.
func (w *world) cells(t *testing.T, tx ledger.Transaction) []cell {
	t.Helper()
	list, known := map[ledger.Transaction]func(*testing.T) []cell{
		ledger.TxRegisterOrganization: w.registerOrganization, ledger.TxRegisterUser: w.registerUser, ledger.TxReplaceCard: w.replaceCard,
		ledger.TxReadOrganizations: w.readOrganizations, ledger.TxReadUser: w.readUser,
		ledger.TxAuthorizeSlots: w.authorizeSlots, ledger.TxRegisterRecord: w.registerRecord,
		ledger.TxAppendSegments: w.appendSegments, ledger.TxListSegments: w.listSegments,
		ledger.TxRegisterUnattended: w.registerUnattended, ledger.TxReadKeyEscrow: w.readKeyEscrow,
		ledger.TxConfirmRecord: w.confirmRecord, ledger.TxDisputeRecord: w.disputeRecord,
		ledger.TxReadRecord: w.readRecord, ledger.TxReadHistory: w.readHistory, ledger.TxReadContent: w.readContent, ledger.TxReadSlot: w.readSlot,
		ledger.TxRequestAccess: w.requestAccess, ledger.TxGrantAccess: w.grantAccess, ledger.TxDenyAccess: w.denyAccess,
		ledger.TxOpenRecord: w.openRecord, ledger.TxRevokeGrant: w.revokeGrant, ledger.TxChangePolicy: w.changePolicy, ledger.TxWhoCanRead: w.whoCanRead,
		ledger.TxReadRequest:  w.readRequest,
		ledger.TxListAccesses: w.listAccesses, ledger.TxReadAccess: w.readAccess, ledger.TxReadRelease: w.readRelease,
		ledger.TxListSlots: w.listSlots, ledger.TxListRequests: w.listRequests, ledger.TxListGrants: w.listGrants, ledger.TxListAnswers: w.listAnswers,
		ledger.TxListGivenGrants: w.listGivenGrants, ledger.TxListDisclosures: w.listDisclosures,
		ledger.TxSearchRecords: w.searchRecords, ledger.TxConfirmReplicas: w.confirmReplicas, ledger.TxReadReplicas: w.readReplicas,
		ledger.TxRotateRecord: w.rotateRecord, ledger.TxEraseRecord: w.eraseRecord, ledger.TxReadErasure: w.readErasure,
		ledger.TxConfirmErasure: w.confirmErasure, ledger.TxReadContentReferences: w.readContentReferences,
		ledger.TxReplaceKeys: w.replaceKeys, ledger.TxRequestKeyReplacement: w.requestKeyReplacement,
		ledger.TxApproveKeyReplacement: w.approveKeyReplacement, ledger.TxRejectKeyReplacement: w.rejectKeyReplacement,
		ledger.TxListKeyReplacements: w.listKeyReplacements,
		ledger.TxSetResponders:       w.setResponders, ledger.TxSetEmergencyPolicy: w.setEmergencyPolicy, ledger.TxDeclareBreakGlass: w.declareBreakGlass,
		ledger.TxApproveBreakGlass: w.approveBreakGlass, ledger.TxCloseBreakGlass: w.closeBreakGlass, ledger.TxReviewBreakGlass: w.reviewBreakGlass,
		ledger.TxEraseNarratives: w.eraseNarratives,
		ledger.TxGrantCustodian:  w.grantCustodian, ledger.TxIssueEmergencyGrant: w.issueEmergencyGrant,
		ledger.TxReadDeclaration: w.readDeclaration, ledger.TxListDeclarations: w.listDeclarations, ledger.TxListEmergencyRecords: w.listEmergencyRecords,
	}[tx]
	if !known {
		t.Fatalf("%s has no cells", tx)
	}
	return list(t)
}

// product is a cell for each of the people and objects.
func product(people []*person, objects []object, do func(*person, object) call) []cell {
	var cells []cell
	for _, o := range objects {
		for _, by := range people {
			cells = append(cells, cell{by: by, call: do(by, o), o: o})
		}
	}
	return cells
}

// nothing is the object of transactions that are about none.
var nothing = []object{{}}

// missing names a record that nobody authorised.
func missing() object {
	return object{state: absent, about: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}, request: ledger.NewID()}
}

// unregistered is a slot seen as a record: there is none yet.
func (w *world) unregistered() object {
	o := w.free.object
	o.state = absent
	return o
}

// anyRecord is every record of the patient, and the two that are not there.
func (w *world) anyRecord() []object {
	objects := []object{missing(), w.unregistered()}
	for _, f := range w.records {
		objects = append(objects, f.object)
	}
	return objects
}

// eachState is one private record of the patient in each state, and one that is not there.
func (w *world) eachState() []object {
	objects := []object{missing()}
	for _, f := range w.records {
		if f.record.Level == ledger.LevelPrivate {
			objects = append(objects, f.object)
		}
	}
	return objects
}

func (w *world) registerOrganization(t *testing.T) []cell {
	// One is committed, and says what stands there already.
	admin := w.member(ledger.RoleOrgAdmin, ledger.LevelPrivate, "HospitalC")
	argument := func(by *person) ledger.RegisterOrganization {
		organization, err := w.network.Organization(by.User.MSP)
		if err != nil {
			t.Fatal(err)
		}
		return ledger.RegisterOrganization{Name: organization.Name, Gateways: []string{organization.GatewayURL}, Proxy: "gateway"}
	}
	row, err := commit[ledger.Organization](t.Context(), w, admin, call{tx: ledger.TxRegisterOrganization, argument: argument(admin)})
	if err != nil || row.MSP != admin.User.MSP {
		t.Errorf("%+v, %v", row, err)
	}
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		return call{tx: ledger.TxRegisterOrganization, argument: argument(by)}
	})
}

// member is somebody of the crowd.
func (w *world) member(role ledger.Role, clearance ledger.Level, msp string) *person {
	i := slices.IndexFunc(w.crowd, func(p *person) bool {
		return p.Role == role && p.Clearance == clearance && p.User.MSP == msp
	})
	return w.crowd[i]
}

func (w *world) registerUser(*testing.T) []cell {
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		return by.registration()
	})
}

func (w *world) replaceCard(t *testing.T) []cell {
	w.author.profile = &ledger.Profile{Salt: ledger.NewSalt(), Card: w.author.profile.Card}
	if _, err := commit[ledger.User](t.Context(), w, w.author, call{tx: ledger.TxReplaceCard, argument: ledger.ReplaceCard{}, transient: w.author.carded()}); err != nil {
		t.Error(err)
	}
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		return call{tx: ledger.TxReplaceCard, argument: ledger.ReplaceCard{}, transient: by.carded()}
	})
}

func (w *world) readOrganizations(*testing.T) []cell {
	return product(w.everybody(), nothing, func(*person, object) call {
		return call{tx: ledger.TxReadOrganizations, argument: ledger.ReadOrganizations{}}
	})
}

func (w *world) readUser(*testing.T) []cell {
	names := map[string]ledger.UserID{absent: {MSP: "HospitalA", Pseudonym: "nobody"}, "registered": w.patient.User}
	return product(w.everybody(), []object{{state: absent}, {state: "registered"}}, func(_ *person, o object) call {
		return call{tx: ledger.TxReadUser, argument: ledger.ReadUser{User: names[o.state]}}
	})
}

func (w *world) authorizeSlots(t *testing.T) []cell {
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		f, err := w.newFixture(by, w.author, terms{level: ledger.LevelLow, policy: wide(), expiry: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return call{
			tx: ledger.TxAuthorizeSlots, argument: ledger.AuthorizeSlots{Slots: []ledger.NewSlot{f.wanted}},
			transient: map[string]any{ledger.TransientFragments: f.sealed},
		}
	})
}

func (w *world) registerRecord(*testing.T) []cell {
	used := *w.shared // with other content than was registered
	used.state = "used"
	used.registration.Commitment = ledger.DigestOf([]byte("other"))
	nowhere := *w.free
	nowhere.state = absent
	nowhere.registration.Record = ledger.NewID()
	var cells []cell
	for _, f := range []*fixture{w.free, &used, &nowhere} {
		cells = append(cells, product(w.everybody(), []object{f.object}, func(*person, object) call { return f.registering() })...)
	}
	for _, f := range w.unused {
		cells = append(cells, cell{by: f.author, call: f.registering(), o: f.object})
	}
	return cells
}

// appendSegments tries the stream, a slot that is none, and nothing at all; and each role
// as the author of a stream.
func (w *world) appendSegments(*testing.T) []cell {
	whole, nowhere := *w.free, *w.growing
	whole.state, nowhere.state = "whole", absent
	nowhere.about.Record = ledger.NewID()
	var cells []cell
	for _, f := range []*fixture{w.growing, &whole, &nowhere} {
		o := f.object
		if f == w.growing {
			o.state = "stream"
		}
		cells = append(cells, product(w.everybody(), []object{o}, func(*person, object) call { return f.appending(o.about.Record) })...)
	}
	for _, f := range w.streams {
		o := f.object
		o.state = "stream"
		cells = append(cells, cell{by: f.author, call: f.appending(o.about.Record), o: o})
	}
	return cells
}

func (w *world) listSegments(*testing.T) []cell {
	return product(w.everybody(), w.anyRecord(), func(_ *person, o object) call {
		return call{tx: ledger.TxListSegments, argument: ledger.ListSegments{RecordVersion: o.about}}
	})
}

// owned is what the crowd's patients own, beside what the patient does.
func (w *world) byOwner(cells []cell, do func(*person, object) call) []cell {
	for _, f := range w.owned {
		cells = append(cells, cell{by: f.patient, call: do(f.patient, f.object), o: f.object})
	}
	return cells
}

func (w *world) confirmRecord(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return call{tx: ledger.TxConfirmRecord, argument: ledger.ConfirmRecord{RecordVersion: o.about}}
	}
	return w.byOwner(product(w.everybody(), w.eachState(), do), do)
}

func (w *world) disputeRecord(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return call{tx: ledger.TxDisputeRecord, argument: ledger.DisputeRecord{RecordVersion: o.about, Reason: ledger.DisputeNotMine}}
	}
	return w.byOwner(product(w.everybody(), w.eachState(), do), do)
}

func (w *world) readRecord(*testing.T) []cell {
	return product(w.everybody(), w.anyRecord(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadRecord, argument: ledger.ReadRecord{Record: o.about.Record, Version: 1}}
	})
}

func (w *world) readHistory(*testing.T) []cell {
	return product(w.everybody(), w.anyRecord(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadHistory, argument: ledger.ReadHistory{RecordVersion: o.about}}
	})
}

func (w *world) readContent(*testing.T) []cell {
	objects := []object{missing(), w.unregistered()}
	for _, f := range w.records[:3] { // low; registered, confirmed and disputed
		objects = append(objects, f.object)
	}
	for _, f := range w.records {
		if f.record.State == ledger.RecordSuperseded || f.record.State == ledger.RecordErased {
			objects = append(objects, f.object)
		}
	}
	return product(w.everybody(), objects, func(_ *person, o object) call {
		return call{tx: ledger.TxReadContent, argument: ledger.ReadContent{RecordVersion: o.about}}
	})
}

// keep has a hospital say that its node has the shared record's content.
func (w *world) keep(ctx context.Context) error {
	gateway := w.member(ledger.RoleGateway, ledger.LevelPrivate, "HospitalB")
	_, err := commit[[]ledger.Replica](ctx, w, gateway, call{
		tx: ledger.TxConfirmReplicas, argument: ledger.ConfirmReplicas{Kept: []ledger.RecordVersion{w.shared.about}},
	})
	return err
}

func (w *world) confirmReplicas(*testing.T) []cell {
	return product(w.everybody(), w.eachState(), func(_ *person, o object) call {
		return call{tx: ledger.TxConfirmReplicas, argument: ledger.ConfirmReplicas{Kept: []ledger.RecordVersion{o.about}}}
	})
}

func (w *world) readReplicas(*testing.T) []cell {
	return product(w.everybody(), w.anyRecord(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadReplicas, argument: ledger.ReadReplicas{RecordVersion: o.about}}
	})
}

// anySlot is an upload in each state.
func (w *world) anySlot() []object {
	used := w.shared.object
	used.state = "used"
	return []object{missing(), w.free.object, used}
}

func (w *world) readSlot(*testing.T) []cell {
	return product(w.everybody(), w.anySlot(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadSlot, argument: ledger.ReadSlot{Record: o.about.Record}}
	})
}

func (w *world) requestAccess(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return call{tx: ledger.TxRequestAccess, argument: ledger.RequestAccess{
			RecordVersion: o.about, Request: ledger.NewID(), Purpose: o.purpose,
		}}
	}
	var cells []cell
	for _, purpose := range ledger.Purposes() { // every purpose on the shared record
		o := w.shared.object
		o.purpose = purpose
		cells = append(cells, product(w.everybody(), []object{o}, do)...)
	}
	for _, by := range w.everybody() { // the role's own purpose on all
		for _, o := range w.anyRecord() {
			o.purpose = ledger.PurposeTreatment
			if own := w.table.purposes[by.Role]; len(own) > 0 {
				o.purpose = own[0]
			}
			cells = append(cells, cell{by: by, call: do(by, o), o: o})
		}
	}
	for i, c := range cells {
		cells[i].o.waits = w.waits(c.by, c.o)
	}
	return cells
}

// waits reports whether somebody has a request for a record and purpose that nobody has
// answered.
func (w *world) waits(by *person, o object) bool {
	return slices.ContainsFunc(slices.Concat(w.requests, w.asked), func(r object) bool {
		return r.requester == by.User && r.about == o.about && r.purpose == o.purpose && r.state == string(ledger.RequestPending)
	})
}

// anyRequest is the colleague's requests in every state, and one that is not there.
func (w *world) anyRequest() []object { return append([]object{missing()}, w.requests...) }

func (w *world) grantAccess(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return w.granting(w.colleague, ledger.AccessRequest{
			Record: o.about.Record, Version: 1, ID: o.request,
			Requester: w.colleague.Identity, Purpose: w.table.purposes[w.colleague.Role][0],
		})
	}
	return w.byAsked(product(w.everybody(), w.anyRequest(), do), do)
}

func (w *world) denyAccess(*testing.T) []cell {
	do := func(_ *person, o object) call {
		c := denying(o.request, o.about)
		c.argument = ledger.DenyAccess{RecordVersion: o.about, Request: o.request, Reason: ledger.DenyPurposeUnclear}
		return c
	}
	return w.byAsked(product(w.everybody(), w.anyRequest(), do), do)
}

// byAsked adds the crowd's patients, each of whom has something to answer.
func (w *world) byAsked(cells []cell, do func(*person, object) call) []cell {
	for _, o := range w.asked {
		i := slices.IndexFunc(w.crowd, func(p *person) bool { return p.User == o.record.Patient })
		cells = append(cells, cell{by: w.crowd[i], call: do(w.crowd[i], o), o: o})
	}
	return cells
}

func (w *world) readRequest(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return call{tx: ledger.TxReadRequest, argument: ledger.ReadRequest{RecordVersion: o.about, Request: o.request}}
	}
	return w.byAsked(product(w.everybody(), w.anyRequest(), do), do)
}

func (w *world) openRecord(*testing.T) []cell {
	do := func(_ *person, o object) call {
		argument := ledger.OpenRecord{RecordVersion: o.about, Grant: ledger.NewID()}
		if o.grant != nil {
			argument.Grant = o.grant.ID
		}
		if o.declaration != nil && o.grant.Declaration == "" {
			argument.Declaration = o.declaration.ID
		}
		return call{tx: ledger.TxOpenRecord, argument: argument}
	}
	objects := append(w.eachState(), w.unregistered()) // with a grant that nobody gave
	for _, f := range w.records {
		if f.record.Level == ledger.LevelPrivate {
			objects = append(objects, f.with(f.grants[0])) // with the author's
		}
	}
	cells := product(w.everybody(), objects, do)
	for _, f := range w.owned {
		cells = append(cells, cell{by: f.author, call: do(f.author, f.with(f.grants[0])), o: f.with(f.grants[0])})
	}
	for _, f := range []*fixture{w.shared, w.records[1], w.records[2]} {
		for _, grant := range f.grants {
			holder := w.everybody()[slices.IndexFunc(w.everybody(), func(p *person) bool { return p.User == grant.Grantee.User })]
			cells = append(cells, cell{by: holder, call: do(holder, f.with(grant)), o: f.with(grant)})
		}
	}
	return append(cells, product(w.responding(), w.emergencies.grants, do)...)
}

// with is a record with the grant that an opening names.
func (f *fixture) with(grant ledger.Grant) object {
	o := f.object
	o.grant = &grant
	return o
}

// granted is one of a record's grants as what a cell is about.
func (f *fixture) granted(i int) object {
	o := f.with(f.grants[i])
	o.state = string(o.grant.State)
	return o
}

func (w *world) revokeGrant(*testing.T) []cell {
	nothing := missing()
	nothing.grant = &ledger.Grant{ID: ledger.NewID()}
	issued := w.free.with(w.free.ownGrant())
	issued.state = string(ledger.GrantIssued)
	objects := []object{nothing, issued, w.shared.granted(0), w.records[1].granted(len(w.records[1].grants) - 1)}
	do := func(_ *person, o object) call { return revoking(o) }
	cells := product(w.everybody(), objects, do)
	for _, f := range w.owned {
		cells = append(cells, cell{by: f.patient, call: revoking(f.granted(0)), o: f.granted(0)})
	}
	return cells
}

func (w *world) changePolicy(*testing.T) []cell {
	do := func(_ *person, o object) call {
		return call{tx: ledger.TxChangePolicy, argument: ledger.ChangePolicy{RecordVersion: o.about, Policy: narrow()}}
	}
	return w.byOwner(product(w.everybody(), w.eachState(), do), do)
}

func (w *world) whoCanRead(*testing.T) []cell {
	objects := w.eachState()
	foreign := slices.IndexFunc(w.owned, func(f *fixture) bool { return f.author.User.MSP != f.patient.User.MSP })
	objects = append(objects, w.owned[foreign].object, w.shared.object, w.records[1].object, w.records[2].object, w.emergencyRecord().object)
	cells := product(w.everybody(), objects, func(_ *person, o object) call {
		return call{tx: ledger.TxWhoCanRead, argument: ledger.WhoCanRead{Record: o.about.Record, Version: 1, Page: all}}
	})
	for i, c := range cells {
		cells[i].look = w.readersAre(c.o)
	}
	return cells
}

// readersAre wants of every grant what the table says of opening with it, and the patient.
func (w *world) readersAre(o object) func(json.RawMessage) error {
	return func(result json.RawMessage) error {
		var list ledger.List[ledger.Reader]
		if err := json.Unmarshal(result, &list); err != nil {
			return err
		}
		if len(list.Rows) != len(o.grants)+1 || list.Rows[0].Identity.User != o.record.Patient || list.Rows[0].Decision.Allowed != (o.record.State != ledger.RecordSuperseded) {
			return fmt.Errorf("%d rows for the patient and %d grants, the first is %+v", len(list.Rows), len(o.grants), list.Rows[0])
		}
		for _, row := range list.Rows[1:] {
			i := slices.IndexFunc(o.grants, func(g ledger.Grant) bool { return g.ID == row.Grant })
			if i < 0 || o.grants[i].Grantee.User != row.Identity.User {
				return fmt.Errorf("grant %s of %s is not one of the record's", row.Grant, row.Identity.User)
			}
			about := o
			about.grant = &o.grants[i]
			if about.grant.Declaration != "" {
				about.declaration = w.declarationOf(about.grant.Declaration).declaration
			}
			if want := w.table.decide("open", question{row.Identity, about}); row.Decision.Code != want || row.Decision.Allowed != (want == "") {
				return fmt.Errorf("grant %s of %s: %+v, want %q", row.Grant, row.Identity.User, row.Decision, want)
			}
		}
		return nil
	}
}

func (w *world) listAccesses(*testing.T) []cell {
	objects := w.eachState()
	foreign := slices.IndexFunc(w.owned, func(f *fixture) bool { return f.author.User.MSP != f.patient.User.MSP })
	return product(w.everybody(), append(objects, w.owned[foreign].object), func(_ *person, o object) call {
		return call{tx: ledger.TxListAccesses, argument: ledger.ListAccesses{Record: o.about.Record}}
	})
}

// anyAccess is those accesses, and one that nobody made.
func (w *world) anyAccess(made []access) []access {
	return append(slices.Clone(made), access{object{state: absent, about: w.shared.about}, ledger.DigestOf(nil).String(), 0})
}

func (w *world) readAccess(*testing.T) []cell {
	var cells []cell
	for _, a := range w.anyAccess(w.accesses) {
		cells = append(cells, product(w.everybody(), []object{a.object}, func(*person, object) call {
			return call{tx: ledger.TxReadAccess, argument: ledger.ReadAccess{Record: a.about.Record, Open: a.open}}
		})...)
	}
	return cells
}

// readRelease is about openings of its own: proxies serve fresh ones alone.
func (w *world) readRelease(t *testing.T) []cell {
	accesses, err := w.openings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var cells []cell
	for _, a := range w.anyAccess(accesses) {
		made := product(w.everybody(), []object{a.object}, func(*person, object) call {
			return call{tx: ledger.TxReadRelease, argument: ledger.ReadRelease{Record: a.about.Record, Open: a.open}, at: time.Now().Add(a.at)}
		})
		for i := range made {
			made[i].look = ownFragment(made[i].by.User.MSP)
		}
		cells = append(cells, made...)
	}
	return cells
}

// ownFragment wants the fragment of that hospital, and no other.
func ownFragment(msp string) func(json.RawMessage) error {
	return func(result json.RawMessage) error {
		var release ledger.Release
		if err := json.Unmarshal(result, &release); err != nil {
			return err
		}
		digest, named := release.Grant.Fragments.Proxy(msp)
		if !named || ledger.DigestOf(release.Sealed) != digest.SHA256 {
			return fmt.Errorf("%s was given another hospital's fragment", msp)
		}
		return nil
	}
}
