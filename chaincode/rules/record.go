package rules

import (
	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// registerRecord puts a record into the slot that its patient authorised, as the author
// the slot is addressed to, and activates the author's grant.
func registerRecord(ctx *state.Context, a ledger.RegisterRecord) (ledger.Record, error) {
	if err := ctx.RequireRole(ledger.RolePhysician, ledger.RoleEmergency, ledger.RoleResearcher, ledger.RolePatient); err != nil {
		return ledger.Record{}, err
	}
	if _, err := ctx.Registered(); err != nil {
		return ledger.Record{}, err
	}
	slot, err := findUpload(ctx, a.Record)
	if err != nil {
		return ledger.Record{}, err
	}
	if !slot.Author.Includes(ctx.Caller) {
		return ledger.Record{}, fault.New(fault.PermissionDenied, "record %s is authorised for another author", a.Record)
	}
	if slot.Stream {
		return ledger.Record{}, fault.New(fault.StateConflict, "record %s is a stream; segments are appended to it", a.Record)
	}
	metadata, err := transientMetadata(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	record := ledger.Record{
		ID: a.Record, Version: firstVersion, State: ledger.RecordRegistered,
		Patient: slot.Patient, Author: ctx.Caller.User, Registered: ctx.Now,
		CID: a.CID, SHA256: a.SHA256, Size: a.Size, Capsule: a.Capsule, Commitment: a.Commitment,
		Level: a.Level, Policy: slot.Policy, IsSummary: slot.IsSummary,
	}
	if err := requireAgreed(slot, metadata); err != nil {
		return record, err
	}
	if level := requiredLevel(metadata.Class, slot.Policy); a.Level != level {
		return record, fault.New(fault.InvalidArgument, "the level of a record of class and policy such as these is %s", level)
	}
	if slot.Used {
		return repeatedRegistration(ctx, record, metadata)
	}
	if !ctx.Now.Before(slot.Expiry) {
		return record, fault.New(fault.ConsentExpired, "the slot of record %s ended on %s; ask the patient for another", a.Record, written(slot.Expiry))
	}
	if err := storeRecord(ctx, record, metadata); err != nil {
		return record, err
	}
	if err := activateGrant(ctx, slot); err != nil {
		return record, err
	}
	if err := useSlot(ctx, slot); err != nil {
		return record, err
	}
	return record, ctx.Emit(ledger.EventRecordRegistered, recordEvent(record))
}

// requireAgreed wants an emergency summary in the slots that the patient opened for one,
// and nothing else there: no author's choice of class alone makes a record one that a
// single hospital opens in an emergency.
func requireAgreed(slot ledger.Slot, metadata ledger.Metadata) error {
	if is := metadata.Class == ledger.ClassSummary; is == slot.IsSummary {
		return nil
	}
	return fault.New(fault.PermissionDenied, "an emergency summary goes into a slot that its patient authorised for one, and nothing else does: record %s", slot.Record)
}

// requiredLevel is the class's level, or the policy's when that is higher.
func requiredLevel(class ledger.Class, policy ledger.Policy) ledger.Level {
	if policy.Level.AtLeast(class.Level()) {
		return policy.Level
	}
	return class.Level()
}

// repeatedRegistration accepts the same registration again, without changing anything.
func repeatedRegistration(ctx *state.Context, record ledger.Record, metadata ledger.Metadata) (ledger.Record, error) {
	key := recordKey(record.ID, record.Version)
	old, err := state.Records.Get(ctx, key...)
	if err != nil {
		return record, err
	}
	record.State, record.Registered, record.Reason = old.State, old.Registered, old.Reason
	record.Policy, record.Level = old.Policy, old.Level // what the patient made of it since
	sameSummary, err := state.MetadataRows.Holds(ctx, metadata, metadata.Salt, key...)
	if err != nil {
		return record, err
	}
	if sameSummary && state.Same(old, record) {
		return old, nil
	}
	return record, fault.New(fault.AlreadyExists, "record %s is registered with other content", record.ID)
}

func storeRecord(ctx *state.Context, record ledger.Record, metadata ledger.Metadata) error {
	key := recordKey(record.ID, record.Version)
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
		if err := claimContent(ctx, record.CID, ledger.RecordVersion{Record: record.ID, Version: record.Version}); err != nil {
			return err
		}
	}
	if record.IsSummary {
		if err := state.BySummary.Add(ctx, append([]string{record.Patient.MSP, record.Patient.Pseudonym, time}, key...)...); err != nil {
			return err
		}
	}
	return storeMetadata(ctx, record, metadata)
}

func storeMetadata(ctx *state.Context, record ledger.Record, metadata ledger.Metadata) error {
	key := recordKey(record.ID, record.Version)
	if err := state.MetadataRows.Put(ctx, metadata, metadata.Salt, key...); err != nil {
		return err
	}
	time := state.TimePart(record.Registered)
	if err := state.ByClass.Put(ctx, metadata.Salt, metadata.Salt, append([]string{string(metadata.Class), time}, key...)...); err != nil {
		return err
	}
	for _, code := range metadata.Codes {
		if err := state.ByCode.Put(ctx, metadata.Salt, metadata.Salt, append([]string{code, time}, key...)...); err != nil {
			return err
		}
	}
	return nil
}

// activateGrant lets the author open what they registered; a department's slot came
// without a grant.
func activateGrant(ctx *state.Context, slot ledger.Slot) error {
	if slot.Grant == "" {
		return nil
	}
	grant, err := state.Grants.Get(ctx, string(slot.Record), state.VersionPart(firstVersion), string(slot.Grant))
	if err != nil {
		return err
	}
	if grant.State == ledger.GrantRevoked {
		return fault.New(fault.ConsentRevoked, "the patient has taken back the authorisation of record %s", slot.Record)
	}
	if err := grant.State.Becomes(ledger.GrantActive); err != nil {
		return err
	}
	grant.State = ledger.GrantActive
	return state.Grants.Update(ctx, grant, grantKey(grant)...)
}

// transientMetadata wants the metadata; beside it stand the entries of these names.
func transientMetadata(ctx *state.Context) (ledger.Metadata, error) {
	var metadata ledger.Metadata
	found, err := ctx.Transient(ledger.TransientMetadata, &metadata)
	if err != nil {
		return metadata, err
	}
	if !found {
		return metadata, fault.New(fault.InvalidArgument, "the transient entry %q is missing", ledger.TransientMetadata)
	}
	return metadata, metadata.Validate()
}

// confirmRecord says that the patient could read what the author registered.
func confirmRecord(ctx *state.Context, a ledger.ConfirmRecord) (ledger.Record, error) {
	return changeOwnRecord(ctx, a.RecordVersion, ledger.EventRecordConfirmed, func(record *ledger.Record) error {
		err := record.State.Becomes(ledger.RecordConfirmed)
		record.State = ledger.RecordConfirmed
		return err
	})
}

// disputeRecord says that the patient could not read it or does not recognise it.
func disputeRecord(ctx *state.Context, a ledger.DisputeRecord) (ledger.Record, error) {
	return changeOwnRecord(ctx, a.RecordVersion, ledger.EventRecordDisputed, func(record *ledger.Record) error {
		err := record.State.Becomes(ledger.RecordDisputed)
		record.State, record.Reason = ledger.RecordDisputed, string(a.Reason)
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
		version = firstVersion
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
	if ctx.Caller.Role != ledger.RoleGateway {
		return view, nil
	}
	metadata, found, err := state.MetadataRows.First(ctx, recordKey(record.ID, record.Version)...)
	if found {
		view.Metadata = &metadata
	}
	return view, err
}

// statedKey is the statement of the key that a record version is encrypted to: the upload's
// for the version that it authorised.
func statedKey(ctx *state.Context, record ledger.Record) (string, error) {
	if record.Version > firstVersion || record.Unattended {
		return state.RecordKeys.Get(ctx, recordKey(record.ID, record.Version)...)
	}
	slot, err := state.Slots.Get(ctx, string(record.ID))
	return slot.RecordKey, err
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
		Patient: record.Patient, Records: []ledger.ID{record.ID}, Version: record.Version, Replicas: record.Policy.Replicas,
		Concerned: []ledger.UserID{record.Author},
	}
}
