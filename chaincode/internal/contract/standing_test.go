package contract

import (
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// standingGrant is a yes to a new request of the colleague's, by a rule in a place.
func (c *consortium) standingGrant(u *upload, standing ledger.Standing) (ledger.GrantAccess, []ledger.SealedFragment) {
	c.t.Helper()
	a, sealed := c.grantFor(c.request(u, c.colleague, ledger.PurposeTreatment), c.colleague)
	a.Standing = standing
	return a, sealed
}

func TestSlotOfAStandingRuleIsTakenOnceADay(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	standing := ledger.Standing{Rule: ledger.NewID(), Place: 1}
	a, sealed := c.standingGrant(u, standing)
	grant := must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	if grant.Standing != standing {
		t.Errorf("the grant does not name the rule that gave it: %+v", grant)
	}
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed) // a repeat succeeds

	second, secondSealed := c.standingGrant(u, standing)
	c.refused(fault.AlreadyExists, c.patient, ledger.TxGrantAccess, second, ledger.TransientFragments, secondSealed)
	if answers := c.answers(c.patient, standing.Rule); len(answers) != 1 || answers[0].Request != a.Request || answers[0].Grant != a.Grant {
		t.Errorf("answers %+v", answers)
	}

	second.Standing.Place = 2
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, second, ledger.TransientFragments, secondSealed)
	if answers := c.answers(c.patient, standing.Rule); len(answers) != 2 || answers[1].Place != 2 {
		t.Errorf("answers %+v", answers)
	}
	if answers := c.answers(c.neighbour, standing.Rule); len(answers) != 0 {
		t.Errorf("somebody else is told of %+v", answers)
	}

	c.clock = c.clock.Add(24 * time.Hour)
	third, thirdSealed := c.standingGrant(u, standing)
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, third, ledger.TransientFragments, thirdSealed)
	if answers := c.answers(c.patient, standing.Rule); len(answers) != 1 || answers[0].Day != "2030-03-05" {
		t.Errorf("answers of the next day %+v", answers)
	}
}

func (c *consortium) answers(by *person, rule ledger.ID) []ledger.Answer {
	c.t.Helper()
	q := ledger.ListAnswers{Rule: rule, Day: ledger.DayOf(c.clock)}
	return must[ledger.List[ledger.Answer]](c.world, by, ledger.TxListAnswers, q).Rows
}

func TestStandingRefuses(t *testing.T) {
	c := newConsortium(t)
	for name, standing := range map[string]ledger.Standing{
		"no rule":         {Place: 1},
		"no place":        {Rule: ledger.NewID()},
		"a place below":   {Rule: ledger.NewID(), Place: -1},
		"a place too far": {Rule: ledger.NewID(), Place: ledger.MaxDaily + 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			a, sealed := c.standingGrant(c.register(ledger.ClassImaging), standing)
			c.refused(fault.InvalidArgument, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
		})
	}
	c.t = t
	q := ledger.ListAnswers{Rule: ledger.NewID(), Day: "yesterday"}
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListAnswers, q)
	q.Day = ledger.DayOf(c.clock)
	q.Reader = &ledger.Identity{User: c.neighbour.user}
	c.refused(fault.PermissionDenied, c.patient, ledger.TxListAnswers, q)
}

// What a patient has answered does not make the list of what is open longer.
func TestAnsweredRequestsLeaveThePendingOnes(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a, sealed := c.grantFor(c.request(u, c.colleague, ledger.PurposeTreatment), c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	denied := c.request(u, c.colleague, ledger.PurposeTreatment)
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess,
		ledger.DenyAccess{RecordVersion: u.version(), Request: denied.ID, Reason: ledger.DenyDeclined})
	c.request(u, c.insurer, ledger.PurposePayment) // refused by the policy, and nothing to answer
	early := c.request(u, c.colleague, ledger.PurposeTreatment)
	c.clock = c.clock.Add(time.Hour)
	late := c.request(u, c.colleague, ledger.PurposeResearch)

	q := ledger.ListRequests{State: ledger.RequestPending, Page: ledger.Page{Limit: 1}}
	page := must[ledger.List[ledger.AccessRequest]](c.world, c.patient, ledger.TxListRequests, q)
	if len(page.Rows) != 1 || page.Rows[0].ID != early.ID || page.Bookmark == "" {
		t.Errorf("the first page of one begins with %+v", page)
	}
	q.From = c.clock.Add(-time.Minute)
	page = must[ledger.List[ledger.AccessRequest]](c.world, c.patient, ledger.TxListRequests, q)
	if len(page.Rows) != 1 || page.Rows[0].ID != late.ID || page.Bookmark != "" {
		t.Errorf("from a minute ago there is %+v", page)
	}
}
