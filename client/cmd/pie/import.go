package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// outcome is what became of one of many.
type outcome struct {
	File   string             `json:"file,omitempty"`
	Bytes  []byte             `json:"fileBytes,omitempty"` // of a name that is not UTF-8, which File only resembles
	Record ledger.ID          `json:"record,omitempty"`
	State  ledger.RecordState `json:"state,omitempty"`
	Error  string             `json:"error,omitempty"`
}

// importAll uploads many files and prints what became of each, in the order given.
func (a *app) importAll(ctx context.Context, files []client.NewRecord, upload way) error {
	ended := map[string]outcome{}
	var first error
	client.Import(ctx, files, upload, func(done client.Imported) {
		first = keepFirst(first, done.Err)
		o := outcomeOf(done.Record, done.Err)
		o.name(done.File)
		ended[done.File] = o
		a.progress.count(len(ended), len(files), "files")
	})
	var outcomes []outcome
	for _, file := range files {
		outcomes = append(outcomes, ended[file.File])
	}
	return a.printOutcomes(outcomes, first)
}

// name says which file it was, so that a program finds that file again.
func (o *outcome) name(file string) {
	o.File = strings.ToValidUTF8(file, "\ufffd")
	if o.File != file {
		o.Bytes = []byte(file)
	}
}

func outcomeOf(record ledger.Record, err error) outcome {
	o := outcome{Record: record.ID, State: record.State}
	if err != nil {
		o.Error = describe(err)
	}
	return o
}

func keepFirst(first, next error) error {
	if first != nil {
		return first
	}
	return next
}

// printOutcomes ends with the first failure, whose code is the command's.
func (a *app) printOutcomes(outcomes []outcome, first error) error {
	failed := 0
	rows := table{{"RECORD", "STATE", "FILE", "ERROR"}}
	for _, o := range outcomes {
		if o.Error != "" {
			failed++
		}
		rows = append(rows, []string{dash(o.Record), dash(o.State), dash(o.File), o.Error})
	}
	if outcomes == nil {
		outcomes = []outcome{}
	}
	if err := a.printList(outcomes, rows); err != nil {
		return err
	}
	if first != nil {
		return fmt.Errorf("%d of %d failed; the same command again repeats those alone; the first: %w", failed, len(outcomes), first)
	}
	return nil
}
