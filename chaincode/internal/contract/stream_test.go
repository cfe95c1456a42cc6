package contract

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// newStream is an authorisation of a stream that is not granted yet.
func (c *consortium) newStream() *upload {
	u := c.newUpload(ledger.ClassSensor)
	u.slot().Stream = true
	return u
}

// segments are those from one number on.
func segments(u *upload, first, count int) ledger.AppendSegments {
	a := ledger.AppendSegments{Stream: u.slot().Record}
	for number := first; number < first+count; number++ {
		content := registrationOf(u, "")
		at := noon.Add(time.Duration(number) * time.Hour)
		a.Segments = append(a.Segments, ledger.Segment{
			Number: number, CID: cidOf(a.Stream, number), Size: content.Size, Capsule: content.Capsule,
			SHA256: ledger.DigestOf(fmt.Append(nil, number)), Commitment: content.Commitment,
			Readings: 1000, From: at, To: at.Add(time.Hour),
		})
	}
	return a
}

func (c *consortium) append(u *upload, first, count int) ledger.Record {
	c.t.Helper()
	if first > 1 {
		return must[ledger.Record](c.world, c.author, ledger.TxAppendSegments, segments(u, first, count))
	}
	return must[ledger.Record](c.world, c.author, ledger.TxAppendSegments, segments(u, first, count), ledger.TransientMetadata, u.metadata)
}

// stream is a stream of some segments.
func (c *consortium) stream(count int) *upload {
	c.t.Helper()
	u := c.newStream()
	c.authorize(u)
	c.append(u, 1, count)
	return u
}

func TestAStreamGrows(t *testing.T) {
	c := newConsortium(t)
	u := c.newStream()
	c.authorize(u)
	record := c.append(u, 1, 2)
	c.emitted(ledger.EventSegmentsAppended)
	if !record.Stream || record.Level != ledger.LevelModerate || record.CID != "" || record.Size != 0 || record.Capsule != nil {
		t.Errorf("record %+v", record)
	}
	if got := c.event.payload; !slices.Equal(got.Segments, []int{1, 2}) || got.Replicas != 2 || got.Version != 1 {
		t.Errorf("event %+v", got)
	}
	c.clock = c.clock.Add(time.Minute)
	if again := c.append(u, 1, 2); again.Registered != record.Registered {
		t.Error("a repeat changed the record")
	}
	c.append(u, 3, ledger.MaxSegments)
	c.append(u, 3, ledger.MaxSegments)

	list := must[ledger.List[ledger.Segment]](c.world, c.colleague, ledger.TxListSegments,
		ledger.ListSegments{RecordVersion: u.version(), Page: ledger.Page{Limit: 20}})
	if len(list.Rows) != 20 || list.Rows[9].Number != 10 || list.Rows[9].To != segments(u, 10, 1).Segments[0].To || list.Bookmark == "" {
		t.Errorf("list %+v", list)
	}
	grants := must[ledger.List[ledger.Grant]](c.world, c.author, ledger.TxListGrants, ledger.ListGrants{})
	if len(grants.Rows) != 1 || grants.Rows[0].State != ledger.GrantActive {
		t.Errorf("the author's grants are %+v", grants.Rows)
	}
	found := must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, ledger.SearchRecords{Class: ledger.ClassSensor})
	if len(found.Rows) != 1 || !found.Rows[0].Stream {
		t.Errorf("a search finds %+v", found.Rows)
	}
}

func TestAppendSegmentsRefuses(t *testing.T) {
	c := newConsortium(t)
	for name, test := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.AppendSegments, *ledger.Metadata)
	}{
		"a stream nobody authorised": {fault.NotFound, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Stream = ledger.NewID() }},
		"another author":             {fault.PermissionDenied, c.colleague, func(*ledger.AppendSegments, *ledger.Metadata) {}},
		"the patient":                {fault.PermissionDenied, c.patient, func(*ledger.AppendSegments, *ledger.Metadata) {}},
		"an insurer":                 {fault.PermissionDenied, c.insurer, func(*ledger.AppendSegments, *ledger.Metadata) {}},
		"another class":              {fault.InvalidArgument, c.author, func(_ *ledger.AppendSegments, s *ledger.Metadata) { s.Class = ledger.ClassImaging }},
		"a salt too short":           {fault.InvalidArgument, c.author, func(_ *ledger.AppendSegments, s *ledger.Metadata) { s.Salt = nil }},
		"no segments":                {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments = nil }},
		"too many segments": {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) {
			*a = segments(&upload{argument: ledger.AuthorizeSlots{Slots: []ledger.NewSlot{{Record: a.Stream}}}}, 1, ledger.MaxSegments+1)
		}},
		"the number 0":                {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[0].Number = 0 }},
		"a gap":                       {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Number = 3 }},
		"a number twice":              {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Number = 1 }},
		"no readings":                 {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Readings = 0 }},
		"too many readings":           {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Readings = ledger.MaxReadings + 1 }},
		"no time":                     {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].From = time.Time{} }},
		"an end before":               {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].To = noon.Add(-time.Hour) }},
		"a path for a CID":            {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].CID = "../x" }},
		"no bytes":                    {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Size = 0 }},
		"too many bytes":              {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Size = 1 << 50 }},
		"a short capsule":             {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[1].Capsule = []byte{2} }},
		"metadata for later segments": {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Segments[0].Number, a.Segments[1].Number = 2, 3 }},
		"a name of no form":           {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) { a.Stream = "../x" }},
		"more than a stream has": {fault.InvalidArgument, c.author, func(a *ledger.AppendSegments, _ *ledger.Metadata) {
			a.Segments[1].Number, a.Segments[0].Number = ledger.MaxStream+1, ledger.MaxStream
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			u := c.newStream()
			c.authorize(u)
			a := segments(u, 1, 2)
			test.change(&a, &u.metadata)
			c.refused(test.code, test.by, ledger.TxAppendSegments, a, ledger.TransientMetadata, u.metadata)
		})
	}
	c.t = t
	u := c.newStream()
	c.authorize(u)
	c.refused(fault.InvalidArgument, c.author, ledger.TxAppendSegments, segments(u, 1, 2))
}

func TestSegmentsAreTakenOnce(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(2)
	other := segments(u, 1, 2)
	other.Segments[1].SHA256 = ledger.DigestOf([]byte("other"))
	c.refused(fault.AlreadyExists, c.author, ledger.TxAppendSegments, other, ledger.TransientMetadata, u.metadata)
	differently := u.metadata
	differently.Sex = "male"
	c.refused(fault.AlreadyExists, c.author, ledger.TxAppendSegments, segments(u, 1, 2), ledger.TransientMetadata, differently)
	c.refused(fault.AlreadyExists, c.author, ledger.TxAppendSegments, segments(u, 2, 2))       // half of them stand
	c.refused(fault.NotFound, c.author, ledger.TxAppendSegments, segments(u, 4, 1))            // after a gap
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxAppendSegments, segments(u, 3, 1)) // by somebody else
	c.append(u, 3, 1)
}

func TestAStreamIsNoOtherRecord(t *testing.T) {
	c := newConsortium(t)
	u := c.newStream()
	c.authorize(u)
	c.refused(fault.StateConflict, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelModerate), ledger.TransientMetadata, u.metadata)
	whole := c.newUpload(ledger.ClassSensor)
	c.authorize(whole)
	c.refused(fault.StateConflict, c.author, ledger.TxAppendSegments, segments(whole, 1, 1), ledger.TransientMetadata, whole.metadata)

	department := c.newStream()
	department.slot().Author = ledger.DepartmentSubject("HospitalA", "cardiology")
	c.refused(fault.InvalidArgument, c.patient, ledger.TxAuthorizeSlots, department.argument, ledger.TransientFragments, department.fragments)
	u.slot().Stream = false
	c.refused(fault.AlreadyExists, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
}

func TestThePatientEndsTheWriting(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(1)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: u.version(), Grant: u.slot().Grant})
	c.refused(fault.ConsentRevoked, c.author, ledger.TxAppendSegments, segments(u, 2, 1))
	c.append(u, 1, 1) // a repeat changes nothing

	ending := c.stream(1)
	c.clock = ending.slot().Expiry
	c.refused(fault.ConsentExpired, c.author, ledger.TxAppendSegments, segments(ending, 2, 1))

	c.clock = noon
	disputed := c.stream(1)
	must[ledger.Record](c.world, c.patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: disputed.version(), Reason: ledger.DisputeNotMine})
	c.refused(fault.StateConflict, c.author, ledger.TxAppendSegments, segments(disputed, 2, 1))
}

func TestSegmentsAreForThoseWhoMayDiscover(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(3)
	q := ledger.ListSegments{RecordVersion: u.version()}
	for _, by := range []*person{c.patient, c.author, c.colleague, c.gatewayB} {
		if list := must[ledger.List[ledger.Segment]](c.world, by, ledger.TxListSegments, q); len(list.Rows) != 3 {
			t.Errorf("%s sees %d segments", by.user, len(list.Rows))
		}
	}
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxListSegments, q)
	c.refused(fault.PolicyDenied, newRole(t, "HospitalA/uncleared", ledger.RolePhysician, ledger.LevelLow), ledger.TxListSegments, q)
	behalf := q
	behalf.Reader = c.colleague.identity()
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxListSegments, behalf)
	c.refused(fault.NotFound, c.patient, ledger.TxListSegments, ledger.ListSegments{RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListSegments, ledger.ListSegments{})
	q.Bookmark = "elsewhere"
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListSegments, q)

	ending := c.newStream()
	ending.slot().Policy.NotAfter = c.clock.Add(time.Hour)
	c.authorize(ending)
	c.append(ending, 1, 1)
	c.clock = c.clock.Add(time.Hour)
	c.refused(fault.ConsentExpired, c.colleague, ledger.TxListSegments, ledger.ListSegments{RecordVersion: ending.version()})
}

func TestContentOfSegments(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(3)
	c.grant(u, c.colleague)
	q := ledger.ReadContent{RecordVersion: u.version(), Segment: 2}
	for _, by := range []*person{c.patient, c.author, c.colleague} {
		if view := must[ledger.ContentView](c.world, by, ledger.TxReadContent, q); view.SHA256 != segments(u, 2, 1).Segments[0].SHA256 {
			t.Errorf("view %+v", view)
		}
	}
	c.refused(fault.PermissionDenied, c.neighbour, ledger.TxReadContent, q)
	q.Segment = 4
	c.refused(fault.NotFound, c.patient, ledger.TxReadContent, q)
	for _, number := range []int{0, -1} {
		q.Segment = number
		c.refused(fault.InvalidArgument, c.patient, ledger.TxReadContent, q)
	}
	whole := c.register(ledger.ClassImaging)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadContent, ledger.ReadContent{RecordVersion: whole.version(), Segment: 1})
}

func TestAReleaseIsForTheSegmentsAskedFor(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(3)
	grant := c.grant(u, c.colleague)
	q := ledger.ReadRelease{Record: grant.Record, Open: c.open(grant, c.colleague).Open, Segments: []int{1, 3}}
	release := must[ledger.Release](c.world, c.gatewayB, ledger.TxReadRelease, q)
	if len(release.Segments) != 2 || release.Segments[1].Number != 3 || len(release.Sealed) == 0 {
		t.Errorf("release %+v", release)
	}
	q.Segments = []int{3, 4}
	c.refused(fault.NotFound, c.gatewayB, ledger.TxReadRelease, q)
	for _, numbers := range [][]int{nil, {0}, {2, 1}, {1, 1}, make([]int, ledger.MaxReleased+1)} {
		q.Segments = numbers
		c.refused(fault.InvalidArgument, c.gatewayB, ledger.TxReadRelease, q)
	}
	whole := c.register(ledger.ClassImaging)
	other := c.grant(whole, c.colleague)
	c.refused(fault.InvalidArgument, c.gatewayB, ledger.TxReadRelease,
		ledger.ReadRelease{Record: other.Record, Open: c.open(other, c.colleague).Open, Segments: []int{1}})

	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: u.version(), Grant: grant.ID})
	q.Segments = []int{1}
	c.refused(fault.ConsentRevoked, c.gatewayB, ledger.TxReadRelease, q)
}

func TestAnErasedStreamLeavesNoSegment(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(3)
	grant := c.grant(u, c.colleague)
	open := c.open(grant, c.colleague)
	erasure := c.erase(u.slot().Record, u.metadata)
	if len(erasure.Versions) != 3 || erasure.Versions[2].CID != segments(u, 3, 1).Segments[0].CID {
		t.Errorf("erasure %+v", erasure)
	}
	for key := range c.public {
		if objectType(key) == "segment" {
			t.Errorf("the row %q is still there", key)
		}
	}
	c.refused(fault.Erased, c.author, ledger.TxAppendSegments, segments(u, 4, 1))
	c.refused(fault.Erased, c.patient, ledger.TxListSegments, ledger.ListSegments{RecordVersion: u.version()})
	c.refused(fault.Erased, c.gatewayA, ledger.TxListSegments, ledger.ListSegments{RecordVersion: u.version()})
	c.refused(fault.Erased, c.patient, ledger.TxReadContent, ledger.ReadContent{RecordVersion: u.version(), Segment: 1})
	c.refused(fault.Erased, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: open.Open, Segments: []int{1}})
}
