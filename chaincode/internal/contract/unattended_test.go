package contract

import (
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// foundling is a record of a patient who could authorise nothing, as its author's device
// would prepare it.
type foundling struct {
	argument  ledger.RegisterUnattended
	fragments []ledger.SealedFragment
	metadata  ledger.Metadata
	escrow    ledger.KeyEscrow
}

func (c *consortium) newFoundling(by *person) *foundling {
	u := c.newUpload(ledger.ClassImaging)
	grant, record := ledger.NewID(), u.slot().Record
	fragments, sealed := c.newFragments(grant, by)
	escrow := ledger.KeyEscrow{Sealed: []byte("sealed to the patient: " + record)}
	return &foundling{
		argument: ledger.RegisterUnattended{
			RegisterRecord: registrationOf(u, ledger.LevelPrivate), Patient: c.patient.user,
			RecordKey: by.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: record, Version: 1}),
			Escrow:    ledger.DigestOf(escrow.Sealed), Grant: grant, Expiry: c.clock.Add(time.Hour), Fragments: fragments,
		},
		fragments: sealed, metadata: u.metadata, escrow: escrow,
	}
}

func (f *foundling) private() []any {
	return []any{ledger.TransientFragments, f.fragments, ledger.TransientMetadata, f.metadata, ledger.TransientEscrow, f.escrow}
}

func (f *foundling) version() ledger.RecordVersion {
	return ledger.RecordVersion{Record: f.argument.Record, Version: 1}
}

func (c *consortium) found(f *foundling, by *person) ledger.Record {
	c.t.Helper()
	return must[ledger.Record](c.world, by, ledger.TxRegisterUnattended, f.argument, f.private()...)
}

func TestUnattendedRecordIsItsPatients(t *testing.T) {
	c := newConsortium(t)
	f := c.newFoundling(c.colleague)
	record := c.found(f, c.colleague)
	c.emitted(ledger.EventRecordRegistered)
	if !record.Unattended || record.Author != c.colleague.user || record.Patient != c.patient.user {
		t.Errorf("record %+v", record)
	}
	c.clock = c.clock.Add(time.Minute)
	if again := c.found(f, c.colleague); again.Registered != record.Registered {
		t.Error("a repeat changed the record")
	}
	view := must[ledger.RecordView](c.world, c.patient, ledger.TxReadRecord, ledger.ReadRecord{Record: record.ID})
	if view.RecordKey != f.argument.RecordKey {
		t.Error("the key is another one than the author stated")
	}

	grant := must[ledger.List[ledger.Grant]](c.world, c.colleague, ledger.TxListGrants, ledger.ListGrants{}).Rows[0]
	release := must[ledger.Release](c.world, c.gatewayA, ledger.TxReadRelease,
		ledger.ReadRelease{Record: record.ID, Open: c.open(grant, c.colleague).Open})
	if release.RecordKey != f.argument.RecordKey || release.Grant.Issuer != c.colleague.user {
		t.Errorf("release %+v", release)
	}

	q := ledger.ReadKeyEscrow{RecordVersion: f.version()}
	must[ledger.KeyEscrow](c.world, c.patient, ledger.TxReadKeyEscrow, q)
	q.Reader = c.patient.identity()
	escrow := must[ledger.KeyEscrow](c.world, c.gatewayB, ledger.TxReadKeyEscrow, q)
	if string(escrow.Sealed) != string(f.escrow.Sealed) {
		t.Error("another secret came out of escrow")
	}
	confirmed := must[ledger.Record](c.world, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: f.version()})
	if confirmed.State != ledger.RecordConfirmed {
		t.Errorf("state %s", confirmed.State)
	}
}

func TestKeyEscrowIsForThePatientAlone(t *testing.T) {
	c := newConsortium(t)
	f, attended := c.newFoundling(c.author), c.register(ledger.ClassImaging)
	c.found(f, c.author)
	q := ledger.ReadKeyEscrow{RecordVersion: f.version()}
	for _, reader := range []*person{c.author, c.neighbour, c.impostor, c.officer, c.gatewayA} {
		c.refused(fault.PermissionDenied, reader, ledger.TxReadKeyEscrow, q)
		q.Reader = reader.identity()
		c.refused(fault.PermissionDenied, c.gatewayA, ledger.TxReadKeyEscrow, q)
		q.Reader = nil
	}
	q.Reader = c.patient.identity()
	c.refused(fault.PermissionDenied, c.author, ledger.TxReadKeyEscrow, q)
	c.refused(fault.NotFound, c.patient, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{RecordVersion: attended.version()})
	c.refused(fault.NotFound, c.patient, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{})
	clear(c.private[ledger.FragmentsCollection]) // as at a peer that it has not reached
	c.refused(fault.ContentUnavailable, c.gatewayA, ledger.TxReadKeyEscrow, q)
}

func TestRegisterUnattendedRefuses(t *testing.T) {
	c := newConsortium(t)
	insider := newRole(t, "HospitalA/insider", ledger.RolePhysician, ledger.LevelPrivate)
	authorized := c.newUpload(ledger.ClassImaging)
	c.authorize(authorized)
	other := c.newFoundling(c.author)
	for name, test := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*foundling)
	}{
		"a patient":               {fault.PermissionDenied, c.neighbour, func(*foundling) {}},
		"a researcher":            {fault.PermissionDenied, c.researcher, func(*foundling) {}},
		"an unregistered author":  {fault.NotFound, insider, func(*foundling) {}},
		"an unregistered patient": {fault.NotFound, c.author, func(f *foundling) { f.argument.Patient.Pseudonym = "nobody" }},
		"no patient":              {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Patient = c.colleague.user }},
		"nobody":                  {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Patient = ledger.UserID{} }},
		"no expiry":               {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Expiry = time.Time{} }},
		"an expiry in the past":   {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Expiry = c.clock }},
		"no grant":                {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Grant = "" }},
		"a level lowered":         {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Level = ledger.LevelLow }},
		"an unknown class":        {fault.InvalidArgument, c.author, func(f *foundling) { f.metadata.Class = "gossip" }},
		"no content":              {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Size = 0 }},
		"another's statement": {fault.InvalidArgument, c.author, func(f *foundling) {
			f.argument.RecordKey = c.colleague.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: f.argument.Record, Version: 1})
		}},
		"another record's key": {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.RecordKey = other.argument.RecordKey }},
		"a receiving key": {fault.InvalidArgument, c.author, func(f *foundling) {
			f.argument.RecordKey = c.author.statement(trust.KeyStatement{Kind: ledger.KeyReceiving})
		}},
		"another secret":      {fault.InvalidArgument, c.author, func(f *foundling) { f.escrow = other.escrow }},
		"no secret":           {fault.InvalidArgument, c.author, func(f *foundling) { f.escrow.Sealed = nil }},
		"an oversized secret": {fault.InvalidArgument, c.author, func(f *foundling) { f.escrow.Sealed = make([]byte, 1<<20) }},
		"a salt too short":    {fault.InvalidArgument, c.author, func(f *foundling) { f.metadata.Salt = nil }},
		"no fragments":        {fault.FragmentInvalid, c.author, func(f *foundling) { f.fragments = nil }},
		"a fragment too many": {fault.FragmentInvalid, c.author, func(f *foundling) { f.fragments = append(f.fragments, other.fragments[0]) }},
		"fragments swapped": {fault.FragmentInvalid, c.author, func(f *foundling) {
			f.fragments[0].Sealed, f.fragments[1].Sealed = f.fragments[1].Sealed, f.fragments[0].Sealed
		}},
		"another's receiving key":  {fault.FragmentInvalid, c.author, func(f *foundling) { f.argument.Fragments.ReceivingKey = ledger.DigestOf(c.colleague.point) }},
		"a patient's slot":         {fault.AlreadyExists, c.author, func(f *foundling) { f.argument.Record = authorized.slot().Record }},
		"a path for a record's ID": {fault.InvalidArgument, c.author, func(f *foundling) { f.argument.Record = "../x" }},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			f := c.newFoundling(c.author)
			test.change(f)
			c.refused(test.code, test.by, ledger.TxRegisterUnattended, f.argument, f.private()...)
		})
	}
	c.t = t
	f := c.newFoundling(c.author)
	whole := f.private()
	for i := 0; i < len(whole); i += 2 { // each private entry left out
		c.refused(fault.InvalidArgument, c.author, ledger.TxRegisterUnattended, f.argument, append(append([]any{}, whole[:i]...), whole[i+2:]...)...)
	}
	c.refused(fault.InvalidArgument, c.author, ledger.TxRegisterUnattended, f.argument, append(whole, "other", "x")...)
}

func TestUnattendedRecordIsRegisteredOnce(t *testing.T) {
	c := newConsortium(t)
	f := c.newFoundling(c.author)
	c.found(f, c.author)
	for name, change := range map[string]func(*foundling){
		"another content": func(f *foundling) { f.argument.SHA256 = ledger.DigestOf([]byte("other")) },
		"another patient": func(f *foundling) { f.argument.Patient = c.neighbour.user },
		"another secret": func(f *foundling) {
			f.escrow.Sealed = []byte("other")
			f.argument.Escrow = ledger.DigestOf(f.escrow.Sealed)
		},
		"other metadata": func(f *foundling) { f.metadata.Sex = "male" },
		"another key": func(f *foundling) {
			f.argument.RecordKey = c.author.statement(trust.KeyStatement{
				Kind: ledger.KeyRecord, Record: f.argument.Record, Version: 1, Issued: c.clock.Add(-time.Second),
			})
		},
		"another end":   func(f *foundling) { f.argument.Expiry = f.argument.Expiry.Add(time.Hour) },
		"another grant": func(f *foundling) { f.argument.Grant = ledger.NewID() },
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			changed := *f
			change(&changed)
			c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterUnattended, changed.argument, changed.private()...)
		})
	}
	c.t = t
	c.refused(fault.AlreadyExists, c.colleague, ledger.TxRegisterUnattended, f.argument, f.private()...)
	u := c.newUpload(ledger.ClassImaging) // nobody opens a slot over it
	u.slot().Record = f.argument.Record
	u.slot().RecordKey = c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: f.argument.Record, Version: 1})
	c.refused(fault.AlreadyExists, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
}
