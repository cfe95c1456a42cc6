package client

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// abreast is how many records are uploaded or confirmed at the same time.
const abreast = 8

// Imported is what became of one file of an import.
type Imported struct {
	File   string
	Record ledger.Record
	Err    error
}

// Import uploads many files by [Stock.Upload] or [Client.UploadUnattended], some at a
// time, and tells of each when it is done, one after the other. What failed may be run
// again with the rest: files that have become records stay what they are.
func Import(ctx context.Context, files []NewRecord, upload func(context.Context, NewRecord) (ledger.Record, error), tell func(Imported)) {
	inParallel(len(files), func(i int) Imported {
		done := Imported{File: files[i].File}
		done.Record, done.Err = unhurried(ctx, func() (ledger.Record, error) { return upload(ctx, files[i]) })
		return done
	}, tell)
}

// inParallel does n things, some at a time, and tells of each as it ends.
func inParallel[T any](n int, do func(i int) T, tell func(T)) {
	var telling sync.Mutex
	var group errgroup.Group
	group.SetLimit(abreast)
	for i := range n {
		group.Go(func() error {
			done := do(i)
			telling.Lock()
			defer telling.Unlock()
			tell(done)
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
}

// unhurried does something again, a few times, that a gateway refused because there is
// much to do at once.
func unhurried(ctx context.Context, do func() (ledger.Record, error)) (record ledger.Record, err error) {
	err = repeat(ctx, crowded, func() (err error) {
		record, err = do()
		return err
	})
	return record, err
}

func crowded(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.RateLimited || code == fault.Overloaded
}
