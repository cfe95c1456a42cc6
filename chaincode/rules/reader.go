package rules

import (
	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// whoCanRead asks the decision itself about everybody who has the key of a record version
// or a grant for it. Those with the key stand on the first page.
func whoCanRead(ctx *state.Context, q ledger.WhoCanRead) (ledger.List[ledger.Reader], error) {
	list := ledger.List[ledger.Reader]{Rows: []ledger.Reader{}}
	asking, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	record, err := recordVersion(ctx, q.Record, q.Version)
	if err != nil {
		return list, err
	}
	if asking.User != record.Patient && !officerOf(record, asking) {
		return list, fault.New(fault.PermissionDenied, "who can read record %s is for its patient and privacy officers", q.Record)
	}
	if q.Bookmark == "" {
		if list.Rows, err = keyHolders(ctx, record); err != nil {
			return list, err
		}
	}
	grants, err := state.Grants.Page(ctx, q.Page, recordKey(record.ID, record.Version)...)
	if err != nil {
		return list, err
	}
	for _, grant := range grants.Rows {
		holder, err := registeredAs(ctx, grant.Grantee.User)
		if err != nil {
			return list, err
		}
		question, err := openQuestion(ctx, holder, record, grant, "")
		if err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, ledger.Reader{
			Record: record.ID, Version: record.Version, Identity: holder, Decision: policy.Decide(question),
			Grant: grant.ID, State: grant.State, Purpose: grant.Purpose, Expiry: grant.Expiry,
		})
	}
	list.Bookmark = grants.Bookmark
	return list, nil
}

// keyHolders are the patient and, of a record that somebody registered without them, who
// made its key.
func keyHolders(ctx *state.Context, record ledger.Record) ([]ledger.Reader, error) {
	holders := []ledger.UserID{record.Patient}
	if record.KeyOwner() != record.Patient {
		holders = append(holders, record.KeyOwner())
	}
	var readers []ledger.Reader
	for _, user := range holders {
		identity, err := registeredAs(ctx, user)
		if err != nil {
			return nil, err
		}
		question := policy.Question{Action: policy.OpenOwn, Identity: identity, Record: record, Now: ctx.Now}
		readers = append(readers, ledger.Reader{
			Record: record.ID, Version: record.Version, Identity: identity, Decision: policy.Decide(question),
		})
	}
	return readers, nil
}

// registeredAs is the identity that somebody registered, which has neither role nor
// clearance when there is none.
func registeredAs(ctx *state.Context, id ledger.UserID) (ledger.Identity, error) {
	user, found, err := state.Users.Find(ctx, id.MSP, id.Pseudonym)
	if err != nil || !found {
		return ledger.Identity{User: id}, err
	}
	return user.Identity, nil
}

// officerOf reports whether somebody is a privacy officer of the patient's or the author's
// hospital.
func officerOf(record ledger.Record, somebody ledger.Identity) bool {
	return somebody.Role == ledger.RolePrivacyOfficer &&
		(somebody.User.MSP == record.Patient.MSP || somebody.User.MSP == record.Author.MSP)
}
