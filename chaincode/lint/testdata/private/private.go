// Package private lets private values out, in every way that is known.
package private

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func read(ctx *state.Context) (ledger.Summary, error) {
	var summary ledger.Summary
	_, err := ctx.Transient(ledger.TransientSummary, &summary)
	return summary, err
}

// Into events.

func emitCode(ctx *state.Context, summary ledger.Summary) error {
	event := ledger.Event{Request: ledger.ID(summary.Codes[0])} // want `reaches the public ledger.Event`
	return ctx.Emit(ledger.RecordRegistered, event)
}

func emitIn(ctx *state.Context, summary ledger.Summary) error {
	ids := []ledger.ID{"a"}
	ids = append(ids, ledger.ID(summary.Sex))
	return ctx.Emit(ledger.RecordRegistered, ledger.Event{
		Records: ids, // want `reaches the public ledger.Event`
	})
}

func emitName(ctx *state.Context, summary ledger.Summary) error {
	return ctx.Emit(ledger.EventName("Registered"+string(summary.Class)), ledger.Event{}) // want `reaches an event`
}

func setEvent(stub shim.ChaincodeStubInterface) error {
	entries, err := stub.GetTransient()
	if err != nil {
		return err
	}
	return stub.SetEvent("Registered", entries["summary"]) // want `reaches an event`
}

// Into texts.

func refuse(summary ledger.Summary) error {
	return fault.New(fault.InvalidArgument, "sex %q is unknown", summary.Sex) // want `reaches the text of an error`
}

func refuseThrough(summary ledger.Summary) error {
	for _, code := range summary.Codes {
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
	text, err := stub.GetPrivateData(ledger.Summaries, "key")
	if err != nil {
		return fault.New(fault.Internal, "the summary cannot be read: %v", err) // want `reaches the text of an error`
	}
	var row map[string]string
	if err := json.Unmarshal(text, &row); err != nil {
		return fault.New(fault.Internal, "the summary is malformed: %v", err) // want `reaches the text of an error`
	}
	return fault.New(fault.Internal, "the summary is of %s", row["class"]) // want `reaches the text of an error`
}

func refuseCaptured(summary ledger.Summary) error {
	var sex string
	note := func() { sex = summary.Sex }
	note()
	return fault.New(fault.InvalidArgument, "sex %q is unknown", sex) // want `reaches the text of an error`
}

func refuseFilled(summary ledger.Summary) error {
	var sex string
	fill(summary, &sex)
	return fault.New(fault.InvalidArgument, "sex %q is unknown", sex) // want `reaches the text of an error`
}

func fill(summary ledger.Summary, into *string) { *into = summary.Sex }

func tell(fragment ledger.SealedFragment) {
	slog.Info("stored", "fragment", fragment.Sealed) // want `reaches a log`
}

func fall(profile ledger.Profile) {
	panic(profile.Card) // want `reaches the text of a panic`
}

// Into public rows and their keys.

func row(summary ledger.Summary) ledger.Record {
	record := ledger.Record{Reason: string(summary.Class)}       // want `reaches the public ledger.Record`
	record.Commitment = ledger.DigestOf([]byte(summary.AgeBand)) // want `reaches the public ledger.Record`
	return record
}

func firstByte(record *ledger.Record, fragment ledger.SealedFragment) {
	record.Capsule = []byte{fragment.Sealed[0]} // want `reaches the public ledger.Record`
}

func mapped(user ledger.User, profile ledger.Profile) {
	user.Keys[ledger.ProxyKey] = profile.Card // want `reaches the public ledger.User`
}

func change(profile ledger.Profile) func(*ledger.Record) {
	return func(record *ledger.Record) {
		record.Reason = profile.Card // want `reaches the public ledger.Record`
	}
}

func key(ctx *state.Context, summary ledger.Summary) error {
	return state.ByPatient.Add(ctx, "time", string(summary.Class)) // want `reaches a public row or its key`
}

func lookUp(ctx *state.Context, summary ledger.Summary) error {
	_, _, err := state.Records.Find(ctx, keyOf(summary)...) // want `reaches a public row or its key`
	return err
}

func keyOf(summary ledger.Summary) []string { return []string{"record", summary.MediaType} }

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

func answerWith(ctx *state.Context, record ledger.Record) (ledger.Summary, error) {
	summary, err := read(ctx)
	if err != nil {
		return summary, err // want `reaches the result of a transaction that writes`
	}
	return summary, state.Records.Insert(ctx, record, string(record.Record)) // want `reaches the result of a transaction that writes`
}

func answerWithView(ctx *state.Context, record ledger.Record) (ledger.RecordView, error) {
	view := ledger.RecordView{Record: record}
	summary, _, err := state.SummaryRows.First(ctx, string(record.Record))
	if err != nil {
		return ledger.RecordView{}, err
	}
	view.Summary = &summary
	return view, state.Records.Insert(ctx, record, string(record.Record)) // want `reaches the result of a transaction that writes`
}

func answerWithText(ctx *state.Context, record ledger.Record) (string, error) {
	text, err := about(ctx, record)
	if err != nil {
		return "", err
	}
	return text, state.Records.Insert(ctx, record, string(record.Record)) // want `reaches the result of a transaction that writes`
}

func about(ctx *state.Context, record ledger.Record) (string, error) {
	summary, _, err := state.SummaryRows.First(ctx, string(record.Record))
	return strings.Join(summary.Codes, ","), err
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
	summary, err := read(ctx)
	if err != nil {
		return record, err
	}
	if err := summary.Validate(); err != nil {
		return record, err
	}
	if level := summary.Class.Level(); record.Level != level {
		return record, fault.New(fault.InvalidArgument, "the level is %s, and there are %d codes", level, len(summary.Codes))
	}
	if record.Reason == summary.Sex {
		record.Version = len(summary.Codes)
	}
	if err := state.SummaryRows.Put(ctx, summary, summary.Salt, string(record.Record)); err != nil {
		return record, err
	}
	if err := state.ByClass.Put(ctx, summary.Salt, summary.Salt, string(summary.Class), string(record.Record)); err != nil {
		return record, err
	}
	return record, ctx.Emit(ledger.RecordRegistered, ledger.Event{Records: []ledger.ID{record.Record}, Version: record.Version})
}

func view(ctx *state.Context, q ledger.ReadRecord) (ledger.RecordView, error) {
	record, err := state.Records.Get(ctx, string(q.Record))
	if err != nil {
		return ledger.RecordView{}, err
	}
	summary, found, err := state.SummaryRows.First(ctx, string(q.Record))
	if !found {
		return ledger.RecordView{}, fault.New(fault.NotFound, "there is no summary of record %s", record.Record)
	}
	return ledger.RecordView{Record: record, Summary: &summary}, err
}

func release(ctx *state.Context, release ledger.Release, msp string) (ledger.Release, error) {
	fragment, found, err := state.FragmentRows.Find(ctx, string(release.Grant.Grant), msp)
	if err != nil {
		return release, err
	}
	release.Sealed = fragment.Sealed
	if !found || ledger.DigestOf(fragment.Sealed) != release.Grant.Fragments.ReceivingKey {
		return release, fault.New(fault.FragmentInvalid, "the fragment of grant %s is not the one", fragment.Grant)
	}
	upload, err := state.Uploads.Get(ctx, string(release.Record.Record))
	release.RecordKey = upload.RecordKey
	return release, err
}
