package contract

import (
	"strconv"

	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// readContent says whether the reader may fetch a CID: as the patient, the author or
// the holder of a grant that opens a record which refers to it.
func readContent(ctx *state.Context, q ledger.ReadContent) (ledger.ContentView, error) {
	view := ledger.ContentView{Records: []ledger.RecordVersion{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return view, err
	}
	keys, err := state.ByContent.Page(ctx, ledger.Page{Limit: ledger.MaxPage}, q.CID)
	if err != nil {
		return view, err
	}
	if len(keys.Rows) == 0 {
		return view, fault.New(fault.NotFound, "no record refers to this content")
	}
	for _, parts := range keys.Rows {
		record, err := state.Records.Get(ctx, parts...)
		if err != nil {
			return view, err
		}
		allowed, err := mayFetch(ctx, reader, record)
		if err != nil {
			return view, err
		}
		if !allowed {
			continue
		}
		version, err := strconv.Atoi(parts[1])
		if err != nil {
			return view, err
		}
		view.Records = append(view.Records, ledger.RecordVersion{Record: record.Record, Version: version})
		view.Size, view.SHA256 = record.Size, record.SHA256
	}
	if len(view.Records) == 0 {
		return view, fault.New(fault.PermissionDenied, "content is for the patient, the author and those with a grant")
	}
	return view, nil
}

func mayFetch(ctx *state.Context, reader ledger.Identity, record ledger.Record) (bool, error) {
	if record.State == ledger.ErasedRow {
		return false, nil
	}
	if reader.User == record.Patient || reader.User == record.Author {
		return true, nil
	}
	grants, err := state.Grants.All(ctx, recordKey(record.Record, record.Version)...)
	if err != nil {
		return false, err
	}
	for _, grant := range grants {
		question := policy.Question{Action: policy.Open, Identity: reader, Record: record, Grant: grant, Now: ctx.Now}
		if policy.Decide(question).Allowed {
			return true, nil
		}
	}
	return false, nil
}
