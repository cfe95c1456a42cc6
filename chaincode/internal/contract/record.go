package contract

import (
	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// registerRecord puts a record into the slot that its patient authorised, as the author
// the slot is addressed to, and activates the author's grant.
func registerRecord(ctx *state.Context, a ledger.RegisterRecord) (ledger.Record, error) {
	if err := ctx.RequireRole(ledger.Physician, ledger.Emergency, ledger.Researcher, ledger.Patient); err != nil {
		return ledger.Record{}, err
	}
	if _, err := ctx.Registered(); err != nil {
		return ledger.Record{}, err
	}
	upload, err := findUpload(ctx, a.Record)
	if err != nil {
		return ledger.Record{}, err
	}
	if !upload.Author.Includes(ctx.Caller) {
		return ledger.Record{}, fault.New(fault.PermissionDenied, "record %s is authorised for another author", a.Record)
	}
	if upload.Stream {
		return ledger.Record{}, fault.New(fault.StateConflict, "record %s is a stream; segments are appended to it", a.Record)
	}
	summary, err := transientSummary(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	record := ledger.Record{
		Record: a.Record, Version: firstVersion, State: ledger.Registered,
		Patient: upload.Patient, Author: ctx.Caller.User, Registered: ctx.Now,
		CID: a.CID, SHA256: a.SHA256, Size: a.Size, Capsule: a.Capsule, Commitment: a.Commitment,
		Level: a.Level, Policy: upload.Policy, Emergency: upload.Emergency,
	}
	if err := requireAgreed(upload, summary); err != nil {
		return record, err
	}
	if level := requiredLevel(summary.Class, upload.Policy); a.Level != level {
		return record, fault.New(fault.InvalidArgument, "the level of a record of class and policy such as these is %s", level)
	}
	if upload.Used {
		return repeatedRegistration(ctx, record, summary)
	}
	if !ctx.Now.Before(upload.Expiry) {
		return record, fault.New(fault.ConsentExpired, "the slot of record %s ended on %s; ask the patient for another", a.Record, written(upload.Expiry))
	}
	if err := storeRecord(ctx, record, summary); err != nil {
		return record, err
	}
	if err := activateGrant(ctx, upload); err != nil {
		return record, err
	}
	if err := useSlot(ctx, upload); err != nil {
		return record, err
	}
	return record, ctx.Emit(ledger.RecordRegistered, recordEvent(record))
}

// requireAgreed wants an emergency summary in the slots that the patient opened for one,
// and nothing else there: no author's choice of class alone makes a record one that a
// single hospital opens in an emergency.
func requireAgreed(upload ledger.Upload, summary ledger.Summary) error {
	if is := summary.Class == ledger.EmergencySummary; is == upload.Emergency {
		return nil
	}
	return fault.New(fault.PermissionDenied, "an emergency summary goes into a slot that its patient authorised for one, and nothing else does: record %s", upload.Record)
}

// requiredLevel is the class's level, or the policy's when that is higher.
func requiredLevel(class ledger.Class, policy ledger.Policy) ledger.Level {
	if policy.Level.AtLeast(class.Level()) {
		return policy.Level
	}
	return class.Level()
}

// repeatedRegistration accepts the same registration again, without changing anything.
func repeatedRegistration(ctx *state.Context, record ledger.Record, summary ledger.Summary) (ledger.Record, error) {
	key := recordKey(record.Record, record.Version)
	old, err := state.Records.Get(ctx, key...)
	if err != nil {
		return record, err
	}
	record.State, record.Registered, record.Reason = old.State, old.Registered, old.Reason
	record.Policy, record.Level = old.Policy, old.Level // what the patient made of it since
	sameSummary, err := state.SummaryRows.Holds(ctx, summary, summary.Salt, key...)
	if err != nil {
		return record, err
	}
	if sameSummary && state.Same(old, record) {
		return old, nil
	}
	return record, fault.New(fault.AlreadyExists, "record %s is registered with other content", record.Record)
}

func storeRecord(ctx *state.Context, record ledger.Record, summary ledger.Summary) error {
	key := recordKey(record.Record, record.Version)
	if err := state.Records.Insert(ctx, record, key...); err != nil {
		return err
	}
	time := state.TimePart(record.Registered)
	if err := state.ByPatient.Add(ctx, append([]string{record.Patient.MSP, record.Patient.Pseudonym, time}, key...)...); err != nil {
		return err
	}
	if err := state.ByHospital.Add(ctx, append([]string{record.Author.MSP, time}, key...)...); err != nil {
		return err
	}
	if !record.Stream {
		if err := claimContent(ctx, record.CID, ledger.RecordVersion{Record: record.Record, Version: record.Version}); err != nil {
			return err
		}
	}
	if record.Emergency {
		if err := state.BySummary.Add(ctx, append([]string{record.Patient.MSP, record.Patient.Pseudonym, time}, key...)...); err != nil {
			return err
		}
	}
	return storeSummary(ctx, record, summary)
}

func storeSummary(ctx *state.Context, record ledger.Record, summary ledger.Summary) error {
	key := recordKey(record.Record, record.Version)
	if err := state.SummaryRows.Put(ctx, summary, summary.Salt, key...); err != nil {
		return err
	}
	time := state.TimePart(record.Registered)
	if err := state.ByClass.Put(ctx, summary.Salt, summary.Salt, append([]string{string(summary.Class), time}, key...)...); err != nil {
		return err
	}
	for _, code := range summary.Codes {
		if err := state.ByCode.Put(ctx, summary.Salt, summary.Salt, append([]string{code, time}, key...)...); err != nil {
			return err
		}
	}
	return nil
}

// activateGrant lets the author open what they registered; a department's slot came
// without a grant.
func activateGrant(ctx *state.Context, upload ledger.Upload) error {
	if upload.Grant == "" {
		return nil
	}
	grant, err := state.Grants.Get(ctx, string(upload.Record), state.VersionPart(firstVersion), string(upload.Grant))
	if err != nil {
		return err
	}
	if grant.State == ledger.Revoked {
		return fault.New(fault.ConsentRevoked, "the patient has taken back the authorisation of record %s", upload.Record)
	}
	if err := grant.State.Becomes(ledger.Active); err != nil {
		return err
	}
	grant.State = ledger.Active
	return state.Grants.Update(ctx, grant, grantKey(grant)...)
}

// transientSummary wants the summary; beside it stand the entries of these names.
func transientSummary(ctx *state.Context) (ledger.Summary, error) {
	var summary ledger.Summary
	found, err := ctx.Transient(ledger.TransientSummary, &summary)
	if err != nil {
		return summary, err
	}
	if !found {
		return summary, fault.New(fault.InvalidArgument, "the transient entry %q is missing", ledger.TransientSummary)
	}
	return summary, summary.Validate()
}

// confirmRecord says that the patient could read what the author registered.
func confirmRecord(ctx *state.Context, a ledger.ConfirmRecord) (ledger.Record, error) {
	return changeOwnRecord(ctx, a.RecordVersion, ledger.RecordConfirmed, func(record *ledger.Record) error {
		err := record.State.Becomes(ledger.Confirmed)
		record.State = ledger.Confirmed
		return err
	})
}

// disputeRecord says that the patient could not read it or does not recognise it.
func disputeRecord(ctx *state.Context, a ledger.DisputeRecord) (ledger.Record, error) {
	return changeOwnRecord(ctx, a.RecordVersion, ledger.RecordDisputed, func(record *ledger.Record) error {
		err := record.State.Becomes(ledger.Disputed)
		record.State, record.Reason = ledger.Disputed, string(a.Reason)
		return err
	})
}

// changesOfRecord are counted together: each writes the row that openings read.
const changesOfRecord = ledger.TxChangePolicy

// changeOwnRecord changes the caller's own record; a change to what it is already is a
// repeat, which succeeds and writes nothing.
func changeOwnRecord(ctx *state.Context, v ledger.RecordVersion, event ledger.EventName, change func(*ledger.Record) error) (ledger.Record, error) {
	record, err := ownVersion(ctx, v)
	if err != nil {
		return record, err
	}
	if err := record.Live(); err != nil {
		return record, err
	}
	old := record
	if err := change(&record); err != nil {
		return record, err
	}
	if state.Same(old, record) {
		return record, nil
	}
	if err := takeChange(ctx, changesOfRecord, recordKey(v.Record, v.Version)...); err != nil {
		return record, err
	}
	if err := state.Records.Update(ctx, record, recordKey(v.Record, v.Version)...); err != nil {
		return record, err
	}
	return record, ctx.Emit(event, recordEvent(record))
}

// readRecord shows a record version to those who may discover or open it.
func readRecord(ctx *state.Context, q ledger.ReadRecord) (ledger.RecordView, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.RecordView{}, err
	}
	record, err := recordVersion(ctx, q.Record, q.Version)
	if err != nil {
		return ledger.RecordView{}, err
	}
	if err := mayDiscover(ctx, reader, record); err != nil {
		return ledger.RecordView{}, err
	}
	return viewRecord(ctx, record)
}

// mayDiscover refuses those who may neither discover a record version nor open it: whom a
// policy leaves out that was changed since can still use what they were granted.
func mayDiscover(ctx *state.Context, reader ledger.Identity, record ledger.Record) error {
	question := policy.Question{Action: policy.Discover, Identity: reader, Record: record, Now: ctx.Now}
	refusal := policy.Decide(question).Err()
	if refusal == nil {
		return nil
	}
	allowed, err := opens(ctx, reader, record)
	if err != nil || allowed {
		return err
	}
	return refusal
}

// recordVersion reads one version, the newest for version 0. It works in queries only.
func recordVersion(ctx *state.Context, id ledger.ID, version int) (ledger.Record, error) {
	if version == 0 {
		versions, err := state.Records.All(ctx, string(id))
		if err != nil {
			return ledger.Record{}, err
		}
		for _, row := range versions {
			version = max(version, row.Version)
		}
	}
	return readVersion(ctx, ledger.RecordVersion{Record: id, Version: version})
}

// viewRecord adds to a record its key statement and, for gateways alone, what it is
// about: what a query answers stands in a block when somebody submits it.
func viewRecord(ctx *state.Context, record ledger.Record) (ledger.RecordView, error) {
	view := ledger.RecordView{Record: record}
	var err error
	if view.RecordKey, err = statedKey(ctx, record); err != nil {
		return view, err
	}
	if ctx.Caller.Role != ledger.Gateway {
		return view, nil
	}
	summary, found, err := state.SummaryRows.First(ctx, recordKey(record.Record, record.Version)...)
	if found {
		view.Summary = &summary
	}
	return view, err
}

// statedKey is the statement of the key that a record version is encrypted to: the upload's
// for the version that it authorised.
func statedKey(ctx *state.Context, record ledger.Record) (string, error) {
	if record.Version > firstVersion || record.Unattended {
		return state.RecordKeys.Get(ctx, recordKey(record.Record, record.Version)...)
	}
	upload, err := state.Uploads.Get(ctx, string(record.Record))
	return upload.RecordKey, err
}

// readHistory shows what a record version was to those who may discover it.
func readHistory(ctx *state.Context, q ledger.ReadHistory) (ledger.List[ledger.HistoryEntry], error) {
	list := ledger.List[ledger.HistoryEntry]{Rows: []ledger.HistoryEntry{}}
	if _, err := readRecord(ctx, ledger.ReadRecord{OnBehalf: q.OnBehalf, Record: q.Record, Version: q.Version}); err != nil {
		return list, err
	}
	versions, err := state.Records.History(ctx, recordKey(q.Record, q.Version)...)
	if err != nil {
		return list, err
	}
	for _, v := range versions {
		list.Rows = append(list.Rows, ledger.HistoryEntry{Transaction: v.TxID, Time: v.Time, Record: v.Row})
	}
	return list, nil
}

func recordKey(record ledger.ID, version int) []string {
	return []string{string(record), state.VersionPart(version)}
}

func recordEvent(record ledger.Record) ledger.Event {
	return ledger.Event{
		Patient: record.Patient, Records: []ledger.ID{record.Record}, Version: record.Version, Replicas: record.Policy.Replicas,
		Concerned: []ledger.UserID{record.Author},
	}
}
