package rules

import (
	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// claimContent notes to which record version a ciphertext belongs. It belongs to that one
// for ever: nobody else registers it again, so that hospitals would keep what its patient
// erases. Every encryption is another ciphertext, so no two honest ones are alike.
func claimContent(ctx *state.Context, cid string, v ledger.RecordVersion) error {
	_, claimed, err := state.Contents.Find(ctx, cid)
	if err != nil {
		return err
	}
	if claimed {
		return fault.New(fault.AlreadyExists, "content %s is, or was, that of another record or version; encrypt anew", cid)
	}
	return state.Contents.Insert(ctx, v, cid)
}

// readContent says where the ciphertext of a record version, or of a stream's segment, is,
// to the patient, the author and those with a grant that opens.
func readContent(ctx *state.Context, q ledger.ReadContent) (ledger.ContentView, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.ContentView{}, err
	}
	record, err := readVersion(ctx, q.RecordVersion)
	if err != nil {
		return ledger.ContentView{}, err
	}
	allowed, err := mayFetch(ctx, reader, record)
	if err != nil {
		return ledger.ContentView{}, err
	}
	if !allowed {
		return ledger.ContentView{}, fault.New(fault.PermissionDenied, "content is for the patient, the author and those with a grant")
	}
	if record.Stream || q.Segment != 0 {
		return segmentContent(ctx, record, q.Segment)
	}
	return ledger.ContentView{CID: record.CID, Size: record.Size, SHA256: record.SHA256}, nil
}

// mayFetch tells those who had a share in a version that has ended what became of it.
func mayFetch(ctx *state.Context, reader ledger.Identity, record ledger.Record) (bool, error) {
	if reader.User == record.Patient || reader.User == record.Author {
		return true, record.Live()
	}
	return opens(ctx, reader, record)
}

// opens reports whether somebody holds a grant that opens a record version now.
func opens(ctx *state.Context, reader ledger.Identity, record ledger.Record) (bool, error) {
	grants, err := state.Grants.All(ctx, recordKey(record.ID, record.Version)...)
	if err != nil {
		return false, err
	}
	for _, grant := range grants {
		if grant.Grantee.Includes(reader) && record.Live() != nil {
			return false, record.Live()
		}
		question, err := openQuestion(ctx, reader, record, grant, "")
		if err != nil {
			return false, err
		}
		question.Action = policy.Fetch
		if policy.Decide(question).Allowed {
			return true, nil
		}
	}
	return false, nil
}
