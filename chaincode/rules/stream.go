package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// appendSegments puts segments behind those that a stream has, while its author's own
// grant holds: with that the patient ends the writing too. The first make the stream a
// record.
func appendSegments(ctx *state.Context, a ledger.AppendSegments) (ledger.Record, error) {
	slot, err := authorizedStream(ctx, a.Stream)
	if err != nil {
		return ledger.Record{}, err
	}
	metadata, err := streamMetadata(ctx, a)
	if err != nil {
		return ledger.Record{}, err
	}
	known, err := knownSegments(ctx, a)
	if err != nil {
		return ledger.Record{}, err
	}
	if known {
		return repeatedAppend(ctx, slot, metadata)
	}
	if err := requireWritable(ctx, slot); err != nil {
		return ledger.Record{}, err
	}
	var record ledger.Record
	if metadata != nil {
		record, err = beginStream(ctx, slot, *metadata)
	} else {
		record, err = continueStream(ctx, a)
	}
	if err != nil {
		return record, err
	}
	if err := storeSegments(ctx, record, a.Segments); err != nil {
		return record, err
	}
	event := recordEvent(record)
	for _, segment := range a.Segments {
		event.Segments = append(event.Segments, segment.Number)
	}
	return record, ctx.Emit(ledger.EventSegmentsAppended, event)
}

// streamMetadata is what the stream is about, which comes with the first segments; nil
// with others.
func streamMetadata(ctx *state.Context, a ledger.AppendSegments) (*ledger.Metadata, error) {
	if a.Segments[0].Number != 1 {
		return nil, ctx.OnlyTransient()
	}
	metadata, err := transientMetadata(ctx)
	if err != nil {
		return nil, err
	}
	if metadata.Class != ledger.ClassSensor {
		return nil, fault.New(fault.InvalidArgument, "a stream is of class %s", ledger.ClassSensor)
	}
	return &metadata, nil
}

// authorizedStream is the slot of a stream that the caller may append to.
func authorizedStream(ctx *state.Context, stream ledger.ID) (ledger.Slot, error) {
	if err := ctx.RequireRole(ledger.RolePhysician, ledger.RoleEmergency, ledger.RoleResearcher, ledger.RolePatient); err != nil {
		return ledger.Slot{}, err
	}
	if _, err := ctx.Registered(); err != nil {
		return ledger.Slot{}, err
	}
	slot, err := findUpload(ctx, stream)
	if err != nil {
		return slot, err
	}
	if !slot.Author.Includes(ctx.Caller) {
		return slot, fault.New(fault.PermissionDenied, "stream %s is authorised for another author", stream)
	}
	if !slot.Stream {
		return slot, fault.New(fault.StateConflict, "record %s is not a stream; its content is registered whole", stream)
	}
	return slot, nil
}

// requireWritable refuses once the author's own grant has ended.
func requireWritable(ctx *state.Context, slot ledger.Slot) error {
	grant, err := state.Grants.Get(ctx, string(slot.Record), state.VersionPart(firstVersion), string(slot.Grant))
	if err != nil {
		return err
	}
	if grant.State == ledger.GrantRevoked {
		return fault.New(fault.ConsentRevoked, "the patient has ended the author's grant, and with it the writing of stream %s", slot.Record)
	}
	if !ctx.Now.Before(grant.Expiry) {
		return fault.New(fault.ConsentExpired, "the author's grant has ended, and with it the writing of stream %s", slot.Record)
	}
	return nil
}

// knownSegments reports whether all segments stand there already, exactly as these are.
// A number that is taken by another one is a conflict.
func knownSegments(ctx *state.Context, a ledger.AppendSegments) (bool, error) {
	known := 0
	for _, segment := range a.Segments {
		old, found, err := state.Segments.Find(ctx, segmentKey(a.Stream, firstVersion, segment.Number)...)
		if err != nil {
			return false, err
		}
		if found && !state.Same(old, inUTC(segment)) {
			return false, fault.New(fault.AlreadyExists, "segment %d of stream %s exists with other content", segment.Number, a.Stream)
		}
		if found {
			known++
		}
	}
	if known != 0 && known != len(a.Segments) {
		return false, fault.New(fault.AlreadyExists, "some of these segments of stream %s exist already", a.Stream)
	}
	return known > 0, nil
}

// repeatedAppend accepts the same segments again, without changing anything.
func repeatedAppend(ctx *state.Context, slot ledger.Slot, metadata *ledger.Metadata) (ledger.Record, error) {
	key := recordKey(slot.Record, firstVersion)
	record, err := state.Records.Get(ctx, key...)
	if err != nil || metadata == nil {
		return record, err
	}
	same, err := state.MetadataRows.Holds(ctx, *metadata, metadata.Salt, key...)
	if err == nil && !same {
		err = fault.New(fault.AlreadyExists, "stream %s was begun with other metadata", slot.Record)
	}
	return record, err
}

// beginStream makes the record of a stream and activates its author's grant.
func beginStream(ctx *state.Context, slot ledger.Slot, metadata ledger.Metadata) (ledger.Record, error) {
	record := ledger.Record{
		ID: slot.Record, Version: firstVersion, State: ledger.RecordRegistered, Stream: true,
		Patient: slot.Patient, Author: ctx.Caller.User, Registered: ctx.Now,
		Level: requiredLevel(metadata.Class, slot.Policy), Policy: slot.Policy,
	}
	if err := storeRecord(ctx, record, metadata); err != nil {
		return record, err
	}
	if err := activateGrant(ctx, slot); err != nil {
		return record, err
	}
	return record, useSlot(ctx, slot)
}

// continueStream is the record of a stream that the segments follow on.
func continueStream(ctx *state.Context, a ledger.AppendSegments) (ledger.Record, error) {
	record, err := readVersion(ctx, ledger.RecordVersion{Record: a.Stream, Version: firstVersion})
	if err != nil {
		return record, err
	}
	if record.State == ledger.RecordDisputed {
		return record, fault.New(fault.StateConflict, "stream %s is %s", a.Stream, record.State)
	}
	before := a.Segments[0].Number - 1
	_, err = state.Segments.Get(ctx, segmentKey(a.Stream, firstVersion, before)...)
	return record, err
}

func storeSegments(ctx *state.Context, record ledger.Record, segments []ledger.Segment) error {
	for _, segment := range segments {
		if err := state.Segments.Insert(ctx, inUTC(segment), segmentKey(record.ID, record.Version, segment.Number)...); err != nil {
			return err
		}
		if err := claimContent(ctx, segment.CID, ledger.RecordVersion{Record: record.ID, Version: record.Version}); err != nil {
			return err
		}
	}
	return nil
}

// inUTC is how a segment is stored, so that a repeat is told by its text.
func inUTC(s ledger.Segment) ledger.Segment {
	s.From, s.To = s.From.UTC(), s.To.UTC()
	return s
}

func segmentKey(stream ledger.ID, version, number int) []string {
	return append(recordKey(stream, version), state.NumberPart(number))
}

// listSegments lists a stream's segments in order to those who may discover it.
func listSegments(ctx *state.Context, q ledger.ListSegments) (ledger.List[ledger.Segment], error) {
	list := ledger.List[ledger.Segment]{}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	record, err := readVersion(ctx, q.RecordVersion)
	if err != nil {
		return list, err
	}
	if err := mayDiscover(ctx, reader, record); err != nil {
		return list, err
	}
	return state.Segments.Page(ctx, q.Page, recordKey(q.Record, q.Version)...)
}

// releasedSegments are those of a stream that a proxy is asked to re-encrypt for. A
// stream needs some, and any other record has none.
func releasedSegments(ctx *state.Context, record ledger.Record, numbers []int) ([]ledger.Segment, error) {
	if record.Stream != (len(numbers) > 0) {
		return nil, fault.New(fault.InvalidArgument, "segments are named for a stream, and for nothing else")
	}
	var segments []ledger.Segment
	for _, number := range numbers {
		segment, err := state.Segments.Get(ctx, segmentKey(record.ID, record.Version, number)...)
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment)
	}
	return segments, nil
}

// segmentContent says where the ciphertext of one segment is; zero names none.
func segmentContent(ctx *state.Context, record ledger.Record, number int) (ledger.ContentView, error) {
	var numbers []int
	if number != 0 {
		numbers = []int{number}
	}
	segments, err := releasedSegments(ctx, record, numbers)
	if err != nil {
		return ledger.ContentView{}, err
	}
	s := segments[0]
	return ledger.ContentView{CID: s.CID, Size: s.Size, SHA256: s.SHA256}, nil
}
