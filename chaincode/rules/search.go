package rules

import (
	"slices"
	"strconv"
	"time"

	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// searchRecords goes along the narrowest index that the search names and keeps what
// matches the rest and what the reader may discover. Each page looks at as many keys
// as it has rows to give, so that no search costs a peer more than its page.
func searchRecords(ctx *state.Context, q ledger.SearchRecords) (ledger.List[ledger.RecordView], error) {
	list := ledger.List[ledger.RecordView]{Rows: []ledger.RecordView{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	if ctx.Caller.Role != ledger.RoleGateway && (q.Code != "" || q.Class != "" || q.Sex != "" || q.AgeBand != "") {
		// A bookmark is a private key, which tells of records that are not shown.
		return list, fault.New(fault.PermissionDenied, "a search by what records are about goes through a gateway")
	}
	keys, err := candidates(ctx, q)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		version, err := versionOf(parts[1], parts[2])
		if err != nil {
			return list, err
		}
		view, matches, err := match(ctx, q, reader, version)
		if err != nil {
			return list, err
		}
		if matches {
			list.Rows = append(list.Rows, view)
		}
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// versionOf reads the last two parts of an index's keys.
func versionOf(record, version string) (ledger.RecordVersion, error) {
	number, err := strconv.Atoi(version)
	return ledger.RecordVersion{Record: ledger.ID(record), Version: number}, err
}

// timeline is an index whose keys go on with time, record and version.
type timeline interface {
	Since(ctx *state.Context, begin time.Time, parts ...string) (string, error)
	Page(ctx *state.Context, page ledger.Page, parts ...string) (ledger.List[[]string], error)
}

// narrowest is the index that a search goes along, and the parts its keys begin with.
func narrowest(q ledger.SearchRecords) (timeline, []string) {
	switch {
	case q.Code != "":
		return state.ByCode, []string{q.Code}
	case q.Patient != ledger.UserID{}:
		return state.ByPatient, []string{q.Patient.MSP, q.Patient.Pseudonym}
	case q.Class != "":
		return state.ByClass, []string{string(q.Class)}
	default:
		return state.ByHospital, []string{q.Hospital}
	}
}

// candidates pages through time, record and version of what was registered in the
// search's span of time, and looks at nothing outside it.
func candidates(ctx *state.Context, q ledger.SearchRecords) (ledger.List[[]string], error) {
	index, parts := narrowest(q)
	if q.Bookmark == "" && !q.From.IsZero() {
		var err error
		if q.Bookmark, err = index.Since(ctx, q.From, parts...); err != nil {
			return ledger.List[[]string]{}, err
		}
	}
	keys, err := index.Page(ctx, q.Page, parts...)
	if err != nil || q.To.IsZero() {
		return keys, err
	}
	end := state.TimePart(q.To)
	if late := slices.IndexFunc(keys.Rows, func(row []string) bool { return row[0] >= end }); late >= 0 {
		keys.Rows, keys.Bookmark = keys.Rows[:late], ""
	}
	return keys, nil
}

func match(ctx *state.Context, q ledger.SearchRecords, reader ledger.Identity, v ledger.RecordVersion) (ledger.RecordView, bool, error) {
	record, err := state.Records.Get(ctx, recordKey(v.Record, v.Version)...)
	if err != nil {
		return ledger.RecordView{}, false, err
	}
	question := policy.Question{Action: policy.Discover, Identity: reader, Record: record, Now: ctx.Now}
	if !record.State.Live() || !policy.Decide(question).Allowed || !matchesPublic(q, record) {
		return ledger.RecordView{}, false, nil
	}
	view, err := viewRecord(ctx, record)
	return view, err == nil && matchesPrivate(q, view.Metadata), err
}

func matchesPublic(q ledger.SearchRecords, record ledger.Record) bool {
	return (q.Patient == ledger.UserID{} || q.Patient == record.Patient) &&
		(q.Hospital == "" || q.Hospital == record.Author.MSP) &&
		within(record.Registered, q.From, q.To)
}

func within(t, from, to time.Time) bool {
	return !t.Before(from) && (to.IsZero() || t.Before(to))
}

func matchesPrivate(q ledger.SearchRecords, metadata *ledger.Metadata) bool {
	if q.Class == "" && q.Code == "" && q.Sex == "" && q.AgeBand == "" {
		return true
	}
	return metadata != nil &&
		(q.Class == "" || q.Class == metadata.Class) &&
		(q.Code == "" || slices.Contains(metadata.Codes, q.Code)) &&
		(q.Sex == "" || q.Sex == metadata.Sex) &&
		(q.AgeBand == "" || q.AgeBand == metadata.AgeBand)
}
