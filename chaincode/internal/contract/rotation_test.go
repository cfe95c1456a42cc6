package contract

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// rotation is a rotation as the patient's device would prepare it.
type rotation struct {
	argument  ledger.RotateRecord
	fragments []ledger.SealedFragment
	metadata  ledger.Metadata
	salt      ledger.Salt
}

// newRotation prepares the next version of a record; kept grants go to their holders.
func (c *consortium) newRotation(v ledger.RecordVersion, metadata ledger.Metadata, kept map[ledger.ID]*person) *rotation {
	c.t.Helper()
	next := v.Version + 1
	r := &rotation{metadata: metadata, salt: ledger.NewSalt(), fragments: []ledger.SealedFragment{}, argument: ledger.RotateRecord{
		RecordVersion: v, CID: cidOf(v.Record, next), SHA256: ledger.DigestOf([]byte{byte(next)}), Size: 4321, Capsule: make([]byte, 98),
		RecordKey: c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: v.Record, Version: next}),
	}}
	for _, grant := range slices.Sorted(maps.Keys(kept)) {
		fragments, sealed := c.newFragments(grant, kept[grant])
		r.argument.Grants = append(r.argument.Grants, ledger.RotatedGrant{Grant: grant, Fragments: fragments})
		r.fragments = append(r.fragments, sealed...)
	}
	return r
}

func (r *rotation) transient() []any {
	return []any{ledger.TransientMetadata, r.metadata, ledger.TransientSalt, r.salt, ledger.TransientFragments, r.fragments}
}

func (c *consortium) rotate(r *rotation) ledger.Record {
	c.t.Helper()
	return must[ledger.Record](c.world, c.patient, ledger.TxRotateRecord, r.argument, r.transient()...)
}

// under is the metadata with the salt that a rotation gave it.
func (r *rotation) under() ledger.Metadata {
	metadata := r.metadata
	metadata.Salt = r.salt
	return metadata
}

func TestRotationReplacesAVersion(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	kept, dropped := c.grant(u, c.colleague), c.grant(u, c.colleague)
	own := u.slot().Grant
	open := c.open(kept, c.colleague)
	r := c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{kept.ID: c.colleague, own: c.author})
	c.clock = c.clock.Add(time.Minute)
	record := c.rotate(r)
	c.emitted(ledger.EventRecordRotated)
	if c.event.payload.Version != 2 || c.event.payload.Replicas != 2 {
		t.Errorf("event %+v", c.event.payload)
	}
	registered := registrationOf(u, ledger.LevelPrivate)
	if record.Version != 2 || record.State != ledger.RecordConfirmed || record.CID != r.argument.CID || record.Commitment != registered.Commitment ||
		record.Author != c.author.user || record.Level != ledger.LevelPrivate || !record.Registered.Equal(noon) || record.Policy.Replicas != 2 {
		t.Errorf("record %+v", record)
	}
	next := ledger.RecordVersion{Record: record.ID, Version: 2}
	c.checkNewestAlone(u, next, r)

	// Kept grants open the new version, and all of them no more the old one.
	again := kept
	again.Version = 2
	release := must[ledger.Release](c.world, c.gatewayB, ledger.TxReadRelease, ledger.ReadRelease{Record: record.ID, Open: c.open(again, c.colleague).Open})
	if release.Grant.Issuer != c.patient.user || !release.Grant.Expiry.Equal(kept.Expiry) || release.Grant.Request != kept.Request || release.RecordKey != r.argument.RecordKey {
		t.Errorf("release %+v", release)
	}
	c.refused(fault.StateConflict, c.gatewayB, ledger.TxReadRelease, ledger.ReadRelease{Record: record.ID, Open: open.Open})
	for _, grant := range []ledger.ID{kept.ID, dropped.ID, own} {
		for _, key := range c.fragmentsOf(grant) {
			if grant == dropped.ID || strings.Contains(key, string(record.ID)+"/1/") {
				t.Errorf("the fragment %s is still there", key)
			}
		}
	}
	dropped.Version = 2
	if refused := c.open(dropped, c.colleague); refused.Decision.Code != fault.PermissionDenied {
		t.Errorf("a grant that was not kept: %+v", refused.Decision)
	}
	held := must[ledger.List[ledger.Grant]](c.world, c.colleague, ledger.TxListGrants, ledger.ListGrants{})
	if len(held.Rows) != 1 || held.Rows[0].Version != 2 {
		t.Errorf("held %+v", held.Rows)
	}
}

// checkNewestAlone wants lists to show the new version only, and who turns to the old
// one to be told of the new one.
func (c *consortium) checkNewestAlone(u *upload, next ledger.RecordVersion, r *rotation) {
	c.t.Helper()
	for name, q := range map[string]ledger.SearchRecords{
		"patient": {Patient: c.patient.user}, "hospital": {Hospital: "HospitalA"}, "class": {Class: ledger.ClassImaging}, "code": {Code: u.metadata.Codes[0]},
	} {
		q.Reader = c.colleague.identity()
		list := must[ledger.List[ledger.RecordView]](c.world, c.gatewayB, ledger.TxSearchRecords, q)
		if len(list.Rows) != 1 || list.Rows[0].Version != next.Version || list.Rows[0].Metadata == nil {
			c.t.Errorf("by %s: %+v", name, list.Rows)
		}
	}
	view := must[ledger.RecordView](c.world, c.gatewayA, ledger.TxReadRecord, ledger.ReadRecord{Record: next.Record})
	if view.Version != next.Version || view.RecordKey != r.argument.RecordKey || view.Metadata == nil || string(view.Metadata.Salt) != string(r.salt) {
		c.t.Errorf("newest %+v", view)
	}
	old := must[ledger.RecordView](c.world, c.patient, ledger.TxReadRecord, ledger.ReadRecord{Record: next.Record, Version: 1})
	if old.State != ledger.RecordSuperseded || old.SupersededBy != next.Version {
		c.t.Errorf("the old version is %+v", old.Record)
	}
	for key := range c.private[ledger.MetadataCollection] {
		if strings.Contains(key, string(next.Record)+"/1/") {
			c.t.Errorf("the private row %s is still there", key)
		}
	}
	for _, by := range []*person{c.patient, c.author, c.colleague} {
		_, err := c.call(by, ledger.TxReadContent, ledger.ReadContent{RecordVersion: u.version()})
		if fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), "version 2") {
			c.t.Errorf("content of the old version for %s: %v", by.user, err)
		}
	}
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	if err := request.Decision.Err(); request.State != ledger.RequestDenied || fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), "version 2") {
		c.t.Errorf("a request for the old version: %+v", request)
	}
	opened := c.open(ledger.Grant{Record: next.Record, Version: 1, ID: u.slot().Grant}, c.author)
	if opened.Decision.Rule != "superseded" || opened.Decision.SupersededBy != 2 {
		c.t.Errorf("an opening of the old version: %+v", opened.Decision)
	}
}

func TestRotatingAgainChangesNothing(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	r := c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{u.slot().Grant: c.author})
	c.rotate(r)
	before := maps.Clone(c.public)
	c.rotate(r)
	if c.event != nil || !maps.EqualFunc(before, c.public, slices.Equal) {
		t.Errorf("a repeat wrote something, event %v", c.event)
	}
	for name, change := range map[string]func(*rotation){
		"other content":   func(r *rotation) { r.argument.CID = cidOf(r.argument.Record, 9) },
		"another capsule": func(r *rotation) { r.argument.Capsule[5] = 1 },
		"another key": func(r *rotation) {
			r.argument.RecordKey = c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: r.argument.Record, Version: 2})
		},
		"another grant": func(r *rotation) { r.argument.Grants[0].Grant = ledger.NewID() },
		"fewer grants":  func(r *rotation) { r.argument.Grants = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			other := c.newRotation(u.version(), u.metadata, nil)
			other.argument = r.argument
			other.argument.Capsule, other.argument.Grants = slices.Clone(r.argument.Capsule), slices.Clone(r.argument.Grants)
			change(other)
			_, err := c.call(c.patient, ledger.TxRotateRecord, other.argument, other.transient()...)
			if fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), "version 2") {
				t.Errorf("got %v", err)
			}
		})
	}
	c.t = t
	// A second rotation is one of the second version; a repeat of the first is still none.
	third := c.newRotation(ledger.RecordVersion{Record: u.slot().Record, Version: 2}, r.under(), nil)
	if record := c.rotate(third); record.Version != 3 {
		t.Errorf("version %d", record.Version)
	}
	if record := c.rotate(r); record.Version != 2 || record.SupersededBy != 3 {
		t.Errorf("a late repeat of the first rotation: %+v", record)
	}
	newest := must[ledger.RecordView](c.world, c.patient, ledger.TxReadRecord, ledger.ReadRecord{Record: u.slot().Record})
	if newest.Version != 3 {
		t.Errorf("newest %d", newest.Version)
	}
}

func TestRotateRecordRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	revoked := c.grant(u, c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(revoked))
	for name, test := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*rotation)
	}{
		"another patient":                   {fault.PermissionDenied, c.neighbour, func(*rotation) {}},
		"the same name of another hospital": {fault.PermissionDenied, c.impostor, func(*rotation) {}},
		"another key of the patient's name": {fault.PermissionDenied, newRole(t, "HospitalA/patient", ledger.RolePatient, ""), func(*rotation) {}},
		"the author":                        {fault.PermissionDenied, c.author, func(*rotation) {}},
		"another record":                    {fault.NotFound, c.patient, func(r *rotation) { r.argument.Record = ledger.NewID() }},
		"another version":                   {fault.NotFound, c.patient, func(r *rotation) { r.argument.Version = 2 }},
		"the last version":                  {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Version = ledger.MaxVersions }},
		"no content":                        {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Size = 0 }},
		"a path for a CID":                  {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.CID = "../../x" }},
		"half a capsule":                    {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Capsule = r.argument.Capsule[:49] }},
		"the old content":                   {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.CID = registrationOf(u, "").CID }},
		"a key of the old version": {fault.InvalidArgument, c.patient, func(r *rotation) {
			r.argument.RecordKey = c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: r.argument.Record, Version: 1})
		}},
		"somebody else's key": {fault.InvalidArgument, c.patient, func(r *rotation) {
			r.argument.RecordKey = c.author.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: r.argument.Record, Version: 2})
		}},
		"no key":                      {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.RecordKey = "" }},
		"other metadata":              {fault.InvalidArgument, c.patient, func(r *rotation) { r.metadata.Sex = "male" }},
		"another salt":                {fault.InvalidArgument, c.patient, func(r *rotation) { r.metadata.Salt = ledger.NewSalt() }},
		"the old salt again":          {fault.InvalidArgument, c.patient, func(r *rotation) { r.salt = r.metadata.Salt }},
		"a short salt":                {fault.InvalidArgument, c.patient, func(r *rotation) { r.salt = r.salt[:8] }},
		"a grant kept twice":          {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Grants = append(r.argument.Grants, r.argument.Grants[0]) }},
		"too many grants":             {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Grants = make([]ledger.RotatedGrant, ledger.MaxKept+1) }},
		"a grant that was never":      {fault.NotFound, c.patient, func(r *rotation) { c.keepInstead(r, ledger.NewID()) }},
		"a grant that was revoked":    {fault.NotFound, c.patient, func(r *rotation) { c.keepInstead(r, revoked.ID) }},
		"another key of the grantee":  {fault.FragmentInvalid, c.patient, func(r *rotation) { r.argument.Grants[0].Fragments.ReceivingKey = ledger.DigestOf(c.author.point) }},
		"a fragment missing":          {fault.FragmentInvalid, c.patient, func(r *rotation) { r.fragments = r.fragments[:2] }},
		"a fragment altered":          {fault.FragmentInvalid, c.patient, func(r *rotation) { r.fragments[0].Sealed = []byte("x") }},
		"a fragment of another grant": {fault.FragmentInvalid, c.patient, func(r *rotation) { r.fragments[0].Grant = ledger.NewID() }},
		"a threshold too low":         {fault.InvalidArgument, c.patient, func(r *rotation) { r.argument.Grants[0].Fragments.Threshold = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			r := c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{grant.ID: c.colleague})
			test.change(r)
			private := maps.Clone(c.private[ledger.FragmentsCollection])
			c.refused(test.code, test.by, ledger.TxRotateRecord, r.argument, r.transient()...)
			if !maps.EqualFunc(private, c.private[ledger.FragmentsCollection], slices.Equal) {
				t.Error("a refused rotation changed fragments")
			}
		})
	}
	c.t = t
	r := c.newRotation(u.version(), u.metadata, nil)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRotateRecord, r.argument)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRotateRecord, r.argument, r.transient()[:2]...)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRotateRecord, r.argument, r.transient()[:4]...)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRotateRecord, r.argument, append(r.transient(), ledger.TransientProfile, "x")...)
	c.clock = grant.Expiry // it cannot be kept when it is over
	late := c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{grant.ID: c.colleague})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRotateRecord, late.argument, late.transient()...)
}

func (c *consortium) keepInstead(r *rotation, grant ledger.ID) {
	fragments, sealed := c.newFragments(grant, c.colleague)
	r.argument.Grants, r.fragments = []ledger.RotatedGrant{{Grant: grant, Fragments: fragments}}, sealed
}

// Disputed records can be rotated too, and are the patient's own word from then on.
func TestRotationSettlesADispute(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	must[ledger.Record](c.world, c.patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: u.version(), Reason: ledger.DisputeIncorrect})
	record := c.rotate(c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{u.slot().Grant: c.author}))
	if record.State != ledger.RecordConfirmed || record.Reason != "" {
		t.Errorf("record %+v", record)
	}
	if access := c.open(ledger.Grant{Record: record.ID, Version: 2, ID: u.slot().Grant}, c.author); !access.Decision.Allowed {
		t.Errorf("decision %+v", access.Decision)
	}
}

// A record that was made without its patient is under a key of theirs afterwards, which
// its author does not know; the secret that was left for them goes.
func TestRotationTakesOver(t *testing.T) {
	for _, keep := range []bool{true, false} {
		c := newConsortium(t)
		f := c.newFoundling(c.author)
		c.found(f, c.author)
		kept := map[ledger.ID]*person{}
		if keep {
			kept[f.argument.Grant] = c.author
		}
		record := c.rotate(c.newRotation(f.version(), f.metadata, kept))
		if record.Unattended || record.Escrow != (ledger.Digest{}) || record.KeyOwner() != c.patient.user || record.MayIssue(c.author.user) {
			t.Errorf("record %+v", record)
		}
		for key := range c.private[ledger.FragmentsCollection] {
			if strings.Contains(key, "escrow") {
				t.Errorf("%s is still there", key)
			}
		}
		c.refused(fault.StateConflict, c.patient, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{RecordVersion: f.version()})
		access := c.open(ledger.Grant{Record: record.ID, Version: 2, ID: f.argument.Grant}, c.author)
		if access.Decision.Allowed != keep {
			t.Errorf("kept %t: %+v", keep, access.Decision)
		}
	}
}

func TestErasingWhatWasMadeWithoutThePatient(t *testing.T) {
	c := newConsortium(t)
	f := c.newFoundling(c.author)
	c.found(f, c.author)
	c.erase(f.argument.Record, f.metadata)
	for collection, rows := range c.private {
		for key := range rows {
			if strings.Contains(key, string(f.argument.Record)) {
				t.Errorf("%s: %s is still there", collection, key)
			}
		}
	}
	c.refused(fault.Erased, c.patient, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{RecordVersion: f.version()})
	c.refused(fault.Erased, c.author, ledger.TxRegisterUnattended, f.argument, f.private()...)
}

// Versions that have ended are neither confirmed nor disputed nor granted any more.
func TestSupersededVersionsAreNotWrittenTo(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	grant, sealed := c.grantFor(request, c.colleague)
	c.rotate(c.newRotation(u.version(), u.metadata, nil))
	c.refused(fault.StateConflict, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: u.version()})
	c.refused(fault.StateConflict, c.patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: u.version(), Reason: ledger.DisputeIncorrect})
	c.refused(fault.StateConflict, c.patient, ledger.TxGrantAccess, grant, ledger.TransientFragments, sealed)
	// Nobody can answer the request: it is denied, and says by what.
	for _, by := range []*person{c.patient, c.colleague} {
		for _, q := range []ledger.ListRequests{{}, {State: ledger.RequestDenied}} {
			rows := must[ledger.List[ledger.AccessRequest]](c.world, by, ledger.TxListRequests, q).Rows
			if len(rows) != 1 || rows[0].State != ledger.RequestDenied || rows[0].Decision.Rule != "superseded" || rows[0].Decision.SupersededBy != 2 {
				t.Errorf("%s sees %+v", by.user, rows)
			}
		}
		if rows := must[ledger.List[ledger.AccessRequest]](c.world, by, ledger.TxListRequests, ledger.ListRequests{State: ledger.RequestPending}).Rows; len(rows) > 0 {
			t.Errorf("%s sees %+v as pending", by.user, rows)
		}
		read := must[ledger.AccessRequest](c.world, by, ledger.TxReadRequest, ledger.ReadRequest{RecordVersion: u.version(), Request: request.ID})
		if read.State != ledger.RequestDenied {
			t.Errorf("%s reads %+v", by.user, read)
		}
	}
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess, ledger.DenyAccess{RecordVersion: u.version(), Request: request.ID, Reason: ledger.DenyDeclined})
}

func TestARecordWithTooManyGrantsIsToBeClearedFirst(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	for i := range ledger.MaxGrants {
		if i%ledger.RequestQuota == 0 {
			c.clock = ledger.NextDay(c.clock)
		}
		argument, sealed := c.grantFor(c.request(u, c.colleague, ledger.PurposeTreatment), c.colleague)
		argument.Expiry = c.clock.Add(30 * 24 * time.Hour)
		must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, argument, ledger.TransientFragments, sealed)
	}
	r := c.newRotation(u.version(), u.metadata, nil)
	c.refused(fault.StateConflict, c.patient, ledger.TxRotateRecord, r.argument, r.transient()...)
	c.refused(fault.StateConflict, c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: u.slot().Record}, ledger.TransientMetadata, u.metadata)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: u.version(), Grant: u.slot().Grant})
	if record := c.rotate(r); record.Version != 2 {
		t.Errorf("record %+v", record)
	}
}

func TestAStreamIsNotRotated(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(1)
	r := c.newRotation(u.version(), u.metadata, nil)
	c.refused(fault.StateConflict, c.patient, ledger.TxRotateRecord, r.argument, r.transient()...)
	c.erase(u.slot().Record, u.metadata)
	c.refused(fault.Erased, c.author, ledger.TxAppendSegments, segments(u, 2, 1))
}
