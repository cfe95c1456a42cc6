package client

import (
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// readersOf is who holds which grant, with the rule, as somebody is told.
func readersOf(t *testing.T, c *Client, record ledger.ID) map[ledger.ID]ledger.Reader {
	t.Helper()
	readers, err := c.WhoCanRead(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	byGrant := map[ledger.ID]ledger.Reader{}
	for _, r := range readers {
		byGrant[r.Grant] = r
	}
	return byGrant
}

// No hospital, the patient's own least of all, keeps a reader from being seen.
func TestOneHospitalHidesNoReader(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*ledger.List[ledger.Reader]){
		"left out": func(list *ledger.List[ledger.Reader]) {
			list.Rows = slices.DeleteFunc(list.Rows, func(r ledger.Reader) bool { return r.Grant != "" })
		},
		"passed off as revoked": func(list *ledger.List[ledger.Reader]) {
			for i := range list.Rows {
				list.Rows[i].State = ledger.GrantRevoked
				list.Rows[i].Decision = ledger.Decision{Code: fault.ConsentRevoked, Rule: "grant-revoked"}
			}
		},
		"of an older version": func(list *ledger.List[ledger.Reader]) {
			list.Rows = list.Rows[:1]
			list.Rows[0].Version = 7
		},
		"passed off as somebody else": func(list *ledger.List[ledger.Reader]) {
			for i := range list.Rows {
				list.Rows[i].Identity.User.Pseudonym = "nobody"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrio(t)
			record := p.share(t, []byte("emr"))
			grant := p.held(t, p.requester, record).grant.ID
			betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*/readers", lie))
			readers, err := p.patient.WhoCanRead(t.Context(), record, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(readers, func(r ledger.Reader) bool {
				return r.Grant == grant && r.Identity.User == p.requester.identity.User && r.Decision.Allowed
			}) {
				t.Errorf("the requester is not among the readers: %+v", readers)
			}
		})
	}
}

// What a patient does not change about a policy is not what one hospital says it is.
func TestPolicyIsNotOneHospitalsWord(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*", func(view *ledger.RecordView) {
		view.Policy.Roles = ledger.Roles()
	}))
	_, err := p.patient.Policy(t.Context(), record, 0)
	wantAltered(t, err, "HospitalA")
}

func TestRevokedReaderIsShownAsRefused(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.share(t, []byte("emr"))
	grant := p.held(t, p.requester, record).grant
	if before := readersOf(t, p.patient, record); !before[grant.ID].Decision.Allowed || !before[""].Decision.Allowed || len(before) != 3 {
		t.Errorf("readers %+v", before)
	}
	version := ledger.RecordVersion{Record: record, Version: firstVersion}
	for range 2 { // again is not an error
		if _, err := p.patient.Revoke(t.Context(), version, grant.ID); err != nil {
			t.Fatal(err)
		}
	}
	if after := readersOf(t, p.patient, record); after[grant.ID].Decision.Code != fault.ConsentRevoked || !after[""].Decision.Allowed {
		t.Errorf("readers %+v", after)
	}
	_, err := p.requester.Revoke(t.Context(), version, p.held(t, p.author, record).grant.ID)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.requester.WhoCanRead(t.Context(), record, 0)
	wantCode(t, err, fault.PermissionDenied)
	_, err = p.patient.WhoCanRead(t.Context(), ledger.NewID(), 0)
	wantCode(t, err, fault.NotFound)
	_, err = p.patient.WhoCanRead(t.Context(), "../../etc/passwd", 0)
	wantCode(t, err, fault.InvalidArgument)
	_, err = p.patient.Revoke(t.Context(), version, "x")
	wantCode(t, err, fault.InvalidArgument)
}
