package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
)

// confirmReplicas notes which ciphertexts the caller's hospital keeps. What says so is the
// hospital's gateway: nobody else can know, so nobody else is asked.
func confirmReplicas(ctx *state.Context, a ledger.ConfirmReplicas) ([]ledger.Replica, error) {
	if err := ctx.RequireRole(ledger.RoleGateway); err != nil {
		return nil, err
	}
	if _, err := ctx.Registered(); err != nil {
		return nil, err
	}
	added, err := addReplicas(ctx, a.Kept)
	if err != nil {
		return nil, err
	}
	removed, err := state.Replicas.RemoveExisting(ctx, replicaKeys(ctx, a.Lost))
	if err != nil || len(added)+removed == 0 {
		return added, err
	}
	return added, ctx.Emit(ledger.EventReplicasConfirmed, ledger.Event{})
}

func addReplicas(ctx *state.Context, versions []ledger.RecordVersion) ([]ledger.Replica, error) {
	records, err := state.Records.GetEach(ctx, recordKeys(versions))
	if err != nil {
		return nil, err
	}
	var live []ledger.RecordVersion
	var replicas []ledger.Replica
	for i, record := range records {
		if record.Live() == nil {
			live = append(live, versions[i])
			replicas = append(replicas, ledger.Replica{
				Record: record.ID, Version: record.Version, MSP: ctx.Caller.User.MSP, Time: ctx.Now,
			})
		}
	}
	return state.Replicas.InsertMissing(ctx, replicas, replicaKeys(ctx, live))
}

func recordKeys(versions []ledger.RecordVersion) [][]string {
	var keys [][]string
	for _, v := range versions {
		keys = append(keys, recordKey(v.Record, v.Version))
	}
	return keys
}

// replicaKeys are those of the caller's own hospital.
func replicaKeys(ctx *state.Context, versions []ledger.RecordVersion) [][]string {
	keys := recordKeys(versions)
	for i := range keys {
		keys[i] = append(keys[i], ctx.Caller.User.MSP)
	}
	return keys
}

// readReplicas lists who keeps a record version's ciphertext.
func readReplicas(ctx *state.Context, q ledger.ReadReplicas) (ledger.List[ledger.Replica], error) {
	list := ledger.List[ledger.Replica]{Rows: []ledger.Replica{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	record, err := state.Records.Get(ctx, recordKey(q.Record, q.Version)...)
	if err != nil {
		return list, err
	}
	if err := mayDiscover(ctx, reader, record); err != nil {
		return list, err
	}
	rows, err := state.Replicas.All(ctx, recordKey(q.Record, q.Version)...)
	list.Rows = append(list.Rows, rows...)
	return list, err
}
