package client

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/client/receipt"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// audit is a record that its author and the requester opened.
func (p trio) audit(t *testing.T) (ledger.ID, []ledger.Access) {
	t.Helper()
	content := []byte("emr")
	record := p.share(t, content)
	for _, by := range []*Client{p.author, p.requester} {
		openAs(t, by, record, sha256.Sum256(content))
	}
	var trail []ledger.Access
	eventually(t, func() (all bool) { // a peer may be a block behind
		var err error
		trail, err = p.patient.Accesses(t.Context(), record)
		return err == nil && len(trail) == 2
	})
	return record, trail
}

// proven wants the receipt to prove the access, and all hospitals to say that it took effect.
func proven(t *testing.T, by *Client, access ledger.Access) receipt.Receipt {
	t.Helper()
	r, proof, err := by.Check(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	if len(proof.Orderers) < 3 || len(proof.Endorsers) < 2 || r.Commit == nil || r.Commit.Code != receipt.Valid || r.Commit.Block != proof.Block {
		t.Errorf("proof %+v, commit %+v", proof, r.Commit)
	}
	return r
}

func TestEveryAccessIsProven(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, trail := p.audit(t)
	for _, access := range trail {
		r := proven(t, p.patient, access)
		if card, known := r.Who(p.patient.bundle); !known || card.User != access.User.User {
			t.Errorf("the receipt says that it was %+v", card)
		}
	}
	if trail[0].Request != "" || trail[1].Request == "" {
		t.Errorf("requests %q of the author, %q of the requester", trail[0].Request, trail[1].Request)
	}
	// Whoever opened has a receipt of it as well, and of nobody else's.
	if r, _, err := p.requester.CheckOpen(t.Context(), record, trail[1].Open); err != nil || r.Access != trail[1] {
		t.Errorf("%+v, %v", r.Access, err)
	}
	_, _, err := p.requester.CheckOpen(t.Context(), record, trail[0].Open)
	wantCode(t, err, fault.PermissionDenied)
	_, _, err = p.patient.CheckOpen(t.Context(), record, "x")
	wantCode(t, err, fault.InvalidArgument)
}

func TestARefusedOpeningIsProvenAsWell(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	refused, _, err := submit[ledger.Access](t.Context(), p.requester, change{name: ledger.TxOpenRecord, arguments: ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: record, Version: firstVersion}, Grant: ledger.NewID(),
	}})
	if err != nil || refused.Decision.Allowed {
		t.Fatalf("%+v, %v", refused, err)
	}
	if r := proven(t, p.patient, refused); r.Access.Decision.Rule != "grant" {
		t.Errorf("decision %+v", r.Access.Decision)
	}
}

// One honest hospital is enough to be told of an access.
func TestHiddenAccessIsToldByAnotherHospital(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, all := p.audit(t)
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*/accesses", func(list *ledger.List[ledger.Access]) { list.Rows = list.Rows[:0] }))
	if hidden, err := p.patient.Accesses(t.Context(), record); err != nil || len(hidden) > 0 {
		t.Fatalf("nothing was hidden: %v, %v", hidden, err)
	}
	eventually(t, func() bool {
		trail, err := p.patient.Trail(t.Context(), record)
		return err == nil && slices.Equal(trail, all)
	})
	proven(t, p.patient, all[1])
}

func TestAlteredAndInventedAccessesAreNotProven(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, all := p.audit(t)
	invented := all[1]
	invented.Open = ledger.DigestOf([]byte("nothing")).String()
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*/accesses", func(list *ledger.List[ledger.Access]) {
		for i := range list.Rows {
			list.Rows[i].User.User = p.patient.identity.User // as if the patient had opened it
		}
		list.Rows = append(list.Rows, invented)
	}))
	eventually(t, func() bool {
		trail, err := p.patient.Trail(t.Context(), record)
		return err == nil && len(trail) == 5 // two as they are, two altered, one invented
	})
	trail, err := p.patient.Trail(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	for _, access := range trail {
		_, _, err := p.patient.Check(t.Context(), access)
		switch {
		case slices.Contains(all, access):
			if err != nil {
				t.Errorf("what happened is not proven: %v", err)
			}
		case access.Open == invented.Open:
			wantCode(t, err, fault.NotFound)
		default:
			wantCode(t, err, fault.Altered)
		}
	}
}

func TestBadReceiptIsAskedForElsewhere(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, trail := p.audit(t)
	other, _, err := p.patient.Check(t.Context(), trail[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*api.Receipt){
		"no block":               func(r *api.Receipt) { r.Block = nil },
		"a block with a bit off": func(r *api.Receipt) { r.Block[len(r.Block)/2] ^= 1 },
		"another access":         func(r *api.Receipt) { r.Access, r.Block = other.Access, other.Block },
	} {
		t.Run(name, func(t *testing.T) {
			betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*/accesses/*/receipt", spoil))
			proven(t, p.patient, trail[1])
			if r, _, err := p.patient.CheckOpen(t.Context(), record, trail[1].Open); err != nil || r.Access != trail[1] {
				t.Errorf("%+v, %v", r.Access, err)
			}
			_, _, err := p.patient.only(p.patient.gateways[0]).CheckOpen(t.Context(), record, trail[1].Open)
			wantCode(t, err, fault.Altered)
		})
	}
}

// What took effect is not a single hospital's word.
func TestALieAboutTheCommitIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	_, trail := p.audit(t)
	for _, lie := range []func(*api.TransactionStatus){
		func(s *api.TransactionStatus) { s.Code = "MVCC_READ_CONFLICT" },
		func(s *api.TransactionStatus) { s.Block++ },
	} {
		betray(t, p.patient, "HospitalA", rewrite(t, "/v1/transactions/*", lie))
		_, _, err := p.patient.Check(t.Context(), trail[1])
		wantAltered(t, err, "HospitalA")
	}
}

func TestReceiptsNeedABundleThatNamesTheOrderingNodes(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	_, trail := p.audit(t)
	old := *p.patient.bundle
	old.Orderers = nil
	p.patient.bundle = &old
	_, _, err := p.patient.Check(t.Context(), trail[0])
	wantCode(t, err, fault.StateConflict)
}
