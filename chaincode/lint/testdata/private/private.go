// Package private lets private values out, in every way that is known.
package private

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func read(ctx *state.Context) (ledger.Metadata, error) {
	var metadata ledger.Metadata
	_, err := ctx.Transient(ledger.TransientMetadata, &metadata)
	return metadata, err
}

// Into events.

func emitCode(ctx *state.Context, metadata ledger.Metadata) error {
	event := ledger.Event{Request: ledger.ID(metadata.Codes[0])} // want `reaches the public ledger.Event`
	return ctx.Emit(ledger.EventRecordRegistered, event)
}

func emitIn(ctx *state.Context, metadata ledger.Metadata) error {
	ids := []ledger.ID{"a"}
	ids = append(ids, ledger.ID(metadata.Sex))
	return ctx.Emit(ledger.EventRecordRegistered, ledger.Event{
		Records: ids, // want `reaches the public ledger.Event`
	})
}

func emitName(ctx *state.Context, metadata ledger.Metadata) error {
	return ctx.Emit(ledger.EventName("Registered"+string(metadata.Class)), ledger.Event{}) // want `reaches an event`
}

func setEvent(stub shim.ChaincodeStubInterface) error {
	entries, err := stub.GetTransient()
	if err != nil {
		return err
	}
	return stub.SetEvent("Registered", entries["metadata"]) // want `reaches an event`
}

// Into texts.

func refuse(metadata ledger.Metadata) error {
	return fault.New(fault.InvalidArgument, "sex %q is unknown", metadata.Sex) // want `reaches the text of an error`
}

func refuseThrough(metadata ledger.Metadata) error {
	for _, code := range metadata.Codes {
		if err := wellFormed(strings.ToLower(code)); err != nil {
			return err
		}
	}
	return nil
}

func wellFormed(code string) error {
	if code == "" {
		return fmt.Errorf("code %s is malformed", code) // want `reaches the text of an error`
	}
	return nil
}

func refuseDecoding(stub shim.ChaincodeStubInterface) error {
	text, err := stub.GetPrivateData(ledger.MetadataCollection, "key")
	if err != nil {
		return fault.New(fault.Internal, "the metadata cannot be read: %v", err) // want `reaches the text of an error`
	}
	var row map[string]string
	if err := json.Unmarshal(text, &row); err != nil {
		return fault.New(fault.Internal, "the metadata is malformed: %v", err) // want `reaches the text of an error`
	}
	return fault.New(fault.Internal, "the metadata is of %s", row["class"]) // want `reaches the text of an error`
}

func refuseCaptured(metadata ledger.Metadata) error {
	var sex string
	note := func() { sex = metadata.Sex }
	note()
	return fault.New(fault.InvalidArgument, "sex %q is unknown", sex) // want `reaches the text of an error`
}

func refuseFilled(metadata ledger.Metadata) error {
	var sex string
	fill(metadata, &sex)
	return fault.New(fault.InvalidArgument, "sex %q is unknown", sex) // want `reaches the text of an error`
}

func fill(metadata ledger.Metadata, into *string) { *into = metadata.Sex }

func tell(fragment ledger.SealedFragment) {
	slog.Info("stored", "fragment", fragment.Sealed) // want `reaches a log`
}

func fall(profile ledger.Profile) {
	panic(profile.Card) // want `reaches the text of a panic`
}

// Into public rows and their keys.

func row(metadata ledger.Metadata) ledger.Record {
	record := ledger.Record{Reason: string(metadata.Class)}       // want `reaches the public ledger.Record`
	record.Commitment = ledger.DigestOf([]byte(metadata.AgeBand)) // want `reaches the public ledger.Record`
	return record
}

func firstByte(record *ledger.Record, fragment ledger.SealedFragment) {
	record.Capsule = []byte{fragment.Sealed[0]} // want `reaches the public ledger.Record`
}

func mapped(user ledger.User, profile ledger.Profile) {
	user.Keys[ledger.KeyProxy] = profile.Card // want `reaches the public ledger.User`
}

func change(profile ledger.Profile) func(*ledger.Record) {
	return func(record *ledger.Record) {
		record.Reason = profile.Card // want `reaches the public ledger.Record`
	}
}

func key(ctx *state.Context, metadata ledger.Metadata) error {
	return state.ByPatient.Add(ctx, "time", string(metadata.Class)) // want `reaches a public row or its key`
}

func lookUp(ctx *state.Context, metadata ledger.Metadata) error {
	_, _, err := state.Records.Find(ctx, keyOf(metadata)...) // want `reaches a public row or its key`
	return err
}

func keyOf(metadata ledger.Metadata) []string { return []string{"record", metadata.MediaType} }

func copied(stub shim.ChaincodeStubInterface, profile ledger.Profile) error {
	text := make([]byte, len(profile.Card))
	copy(text, profile.Card)
	return stub.PutState("profile", text) // want `reaches a public row or its key`
}

func put(stub shim.ChaincodeStubInterface, profile ledger.Profile) error {
	text, err := json.Marshal(profile)
	if err != nil {
		return err
	}
	return stub.PutState("profile", text) // want `reaches a public row or its key`
}

// Into results.

func answerWith(ctx *state.Context, record ledger.Record) (ledger.Metadata, error) {
	metadata, err := read(ctx)
	if err != nil {
		return metadata, err // want `reaches the result of a transaction that writes`
	}
	return metadata, state.Records.Insert(ctx, record, string(record.ID)) // want `reaches the result of a transaction that writes`
}

func answerWithView(ctx *state.Context, record ledger.Record) (ledger.RecordView, error) {
	view := ledger.RecordView{Record: record}
	metadata, _, err := state.MetadataRows.First(ctx, string(record.ID))
	if err != nil {
		return ledger.RecordView{}, err
	}
	view.Metadata = &metadata
	return view, state.Records.Insert(ctx, record, string(record.ID)) // want `reaches the result of a transaction that writes`
}

func answerWithText(ctx *state.Context, record ledger.Record) (string, error) {
	text, err := about(ctx, record)
	if err != nil {
		return "", err
	}
	return text, state.Records.Insert(ctx, record, string(record.ID)) // want `reaches the result of a transaction that writes`
}

func about(ctx *state.Context, record ledger.Record) (string, error) {
	metadata, _, err := state.MetadataRows.First(ctx, string(record.ID))
	return strings.Join(metadata.Codes, ","), err
}

// Unknown private types.

var cards = state.PrivateTable[string]{} // want `string is not among the linter's private types`

func unknown(ctx *state.Context) error {
	var note ledger.Decision
	_, err := ctx.Transient("note", &note) // want `Decision is not among the linter's private types`
	return err
}

// What is right: private rows, comparisons, sizes, levels, IDs, views of queries.

func store(ctx *state.Context, record ledger.Record) (ledger.Record, error) {
	metadata, err := read(ctx)
	if err != nil {
		return record, err
	}
	if err := metadata.Validate(); err != nil {
		return record, err
	}
	if level := metadata.Class.Level(); record.Level != level {
		return record, fault.New(fault.InvalidArgument, "the level is %s, and there are %d codes", level, len(metadata.Codes))
	}
	if record.Reason == metadata.Sex {
		record.Version = len(metadata.Codes)
	}
	if err := state.MetadataRows.Put(ctx, metadata, metadata.Salt, string(record.ID)); err != nil {
		return record, err
	}
	if err := state.ByClass.Put(ctx, metadata.Salt, metadata.Salt, string(metadata.Class), string(record.ID)); err != nil {
		return record, err
	}
	return record, ctx.Emit(ledger.EventRecordRegistered, ledger.Event{Records: []ledger.ID{record.ID}, Version: record.Version})
}

func view(ctx *state.Context, q ledger.ReadRecord) (ledger.RecordView, error) {
	record, err := state.Records.Get(ctx, string(q.Record))
	if err != nil {
		return ledger.RecordView{}, err
	}
	metadata, found, err := state.MetadataRows.First(ctx, string(q.Record))
	if !found {
		return ledger.RecordView{}, fault.New(fault.NotFound, "there is no metadata of record %s", record.ID)
	}
	return ledger.RecordView{Record: record, Metadata: &metadata}, err
}

func release(ctx *state.Context, release ledger.Release, msp string) (ledger.Release, error) {
	fragment, found, err := state.FragmentRows.Find(ctx, string(release.Grant.ID), msp)
	if err != nil {
		return release, err
	}
	release.Sealed = fragment.Sealed
	if !found || ledger.DigestOf(fragment.Sealed) != release.Grant.Fragments.ReceivingKey {
		return release, fault.New(fault.FragmentInvalid, "the fragment of grant %s is not the one", fragment.Grant)
	}
	upload, err := state.Slots.Get(ctx, string(release.Record.ID))
	release.RecordKey = upload.RecordKey
	return release, err
}
