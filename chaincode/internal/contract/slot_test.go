package contract

import (
	"fmt"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// cardiology is the department of everybody in these tests.
var cardiology = ledger.DepartmentSubject("HospitalA", "cardiology")

// forDepartment is an authorisation of one slot for a department's physicians.
func (c *consortium) forDepartment() *upload {
	u := c.newUpload(ledger.ClassImaging)
	wanted := u.slot()
	wanted.Author, wanted.Grant, wanted.Fragments = cardiology, "", ledger.Fragments{}
	u.fragments = nil
	return u
}

// fragmentless authorises a slot that comes without fragments.
func (c *consortium) fragmentless(u *upload) {
	c.t.Helper()
	must[[]ledger.Slot](c.world, c.patient, ledger.TxAuthorizeSlots, u.argument)
}

// slots reads all pages of somebody's list.
func (c *consortium) slots(by *person, q ledger.ListSlots) []ledger.Slot {
	c.t.Helper()
	var all []ledger.Slot
	for {
		page := must[ledger.List[ledger.Slot]](c.world, by, ledger.TxListSlots, q)
		all = append(all, page.Rows...)
		if page.Bookmark == "" {
			return all
		}
		q.Bookmark = page.Bookmark
	}
}

func TestPhysiciansOfADepartmentShareItsSlots(t *testing.T) {
	c := newConsortium(t)
	second := newRole(t, "HospitalA/second", ledger.RolePhysician, ledger.LevelPrivate)
	c.enrol(second)
	u, own := c.forDepartment(), c.newUpload(ledger.ClassImaging)
	c.fragmentless(u)
	c.fragmentless(u) // a repeat succeeds
	c.authorize(own)
	for by, want := range map[*person]int{c.author: 2, second: 1, c.patient: 2, c.colleague: 0, c.researcher: 0, c.neighbour: 0} {
		if all := c.slots(by, ledger.ListSlots{}); len(all) != want {
			t.Errorf("%s sees %d slots, want %d", by.user, len(all), want)
		}
	}
	must[ledger.Slot](c.world, second, ledger.TxReadSlot, ledger.ReadSlot{Record: u.slot().Record})

	a := registrationOf(u, ledger.LevelPrivate)
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	record := must[ledger.Record](c.world, second, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	if record.Author != second.user || record.Patient != c.patient.user {
		t.Errorf("record %+v", record)
	}
	must[ledger.Record](c.world, second, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	if held := must[ledger.List[ledger.Grant]](c.world, second, ledger.TxListGrants, ledger.ListGrants{}); len(held.Rows) != 0 {
		t.Errorf("a department's slot came with the grants %+v", held.Rows)
	}
}

func TestStockShowsWhatIsFree(t *testing.T) {
	c := newConsortium(t)
	const each = 3
	var shared []*upload
	for range each {
		u := c.forDepartment()
		c.fragmentless(u)
		shared = append(shared, u)
		c.authorize(c.newUpload(ledger.ClassImaging))
	}
	q := ledger.ListSlots{FreeOf: c.patient.user, Page: ledger.Page{Limit: 2}}
	if free := c.slots(c.author, q); len(free) != 2*each {
		t.Errorf("%d slots are free, want %d", len(free), 2*each)
	}
	used := shared[1]
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(used, ledger.LevelPrivate), ledger.TransientMetadata, used.metadata)
	for _, slot := range c.slots(c.author, q) {
		if slot.Record == used.slot().Record || slot.Used {
			t.Errorf("%+v is shown as free", slot)
		}
	}
	q.FreeOf = c.neighbour.user
	if free := c.slots(c.author, q); len(free) != 0 {
		t.Errorf("another patient's slots %+v", free)
	}
	q.FreeOf, q.Bookmark = c.patient.user, "\x00stock\x00HospitalB\x00colleague\x00"
	c.refused(fault.InvalidArgument, c.author, ledger.TxListSlots, q)
}

func TestSlotsEnd(t *testing.T) {
	c := newConsortium(t)
	early, late, shared := c.newUpload(ledger.ClassImaging), c.newUpload(ledger.ClassImaging), c.forDepartment()
	for _, u := range []*upload{early, late} {
		c.authorize(u)
	}
	c.fragmentless(shared)
	a := registrationOf(early, ledger.LevelPrivate)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, early.metadata)
	c.clock = late.slot().Expiry
	for _, u := range []*upload{late, shared} {
		c.refused(fault.ConsentExpired, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
	}
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, early.metadata) // a repeat
	if free := c.slots(c.author, ledger.ListSlots{FreeOf: c.patient.user}); len(free) != 0 {
		t.Errorf("slots that have ended are free: %+v", free)
	}
}

// What a hospital calls a department in certificates can be authorised.
func TestDepartmentsOfAnyNameHaveSlots(t *testing.T) {
	c := newConsortium(t)
	for i, name := range []string{"Innere Medizin", "R&D", "Kardiologie (Süd) / 3. OG", "内科", "department:x", "../x"} {
		physician := newPerson(t, fmt.Sprintf("HospitalA/p%d", i), map[string]string{
			trust.RoleAttribute: string(ledger.RolePhysician), trust.ClearanceAttribute: string(ledger.LevelPrivate), trust.DepartmentAttribute: name,
		})
		c.enrol(physician)
		u := c.forDepartment()
		u.slot().Author = ledger.DepartmentSubject("HospitalA", name)
		c.fragmentless(u)
		if free := c.slots(physician, ledger.ListSlots{FreeOf: c.patient.user}); len(free) != 1 || free[0].Author != u.slot().Author {
			t.Errorf("%q: the free slots are %+v", name, free)
		}
		c.refused(fault.PermissionDenied, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
		must[ledger.Record](c.world, physician, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
	}
}

func TestDepartmentSlotsAreRefused(t *testing.T) {
	c := newConsortium(t)
	for name, test := range map[string]struct {
		code   fault.Code
		change func(*ledger.NewSlot)
	}{
		"with a grant":           {fault.InvalidArgument, func(s *ledger.NewSlot) { s.Grant = ledger.NewID() }},
		"with fragments":         {fault.InvalidArgument, func(s *ledger.NewSlot) { s.Fragments, _ = c.newFragments(ledger.NewID(), c.author) }},
		"without an end":         {fault.InvalidArgument, func(s *ledger.NewSlot) { s.Expiry = time.Time{} }},
		"that have ended":        {fault.InvalidArgument, func(s *ledger.NewSlot) { s.Expiry = c.clock }},
		"of no member":           {fault.NotFound, func(s *ledger.NewSlot) { s.Author.User.MSP = "HospitalZ" }},
		"of a name not as shown": {fault.InvalidArgument, func(s *ledger.NewSlot) { s.Author.User.Pseudonym = "cardio\u200blogy" }},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			u := c.forDepartment()
			test.change(u.slot())
			argument := fmt.Sprintf(`{"slots": [{"author": %s}]}`, jsonOf(t, u.slot().Author.String()))
			if u.slot().Author.Validate() != nil { // it cannot even be written
				c.refused(test.code, c.patient, ledger.TxAuthorizeSlots, argument)
				return
			}
			c.refused(test.code, c.patient, ledger.TxAuthorizeSlots, u.argument)
		})
	}
	c.t = t
	u := c.forDepartment()
	c.fragmentless(u)
	u.slot().Expiry = u.slot().Expiry.Add(time.Hour)
	c.refused(fault.AlreadyExists, c.patient, ledger.TxAuthorizeSlots, u.argument)
}
