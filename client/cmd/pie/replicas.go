package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// kept is where a record version's ciphertext is, and at how many hospitals it is to be.
type kept struct {
	Record   ledger.ID        `json:"record"`
	Version  int              `json:"version"`
	Wanted   int              `json:"wanted"`
	Replicas []ledger.Replica `json:"replicas"`
}

func (a *app) replicas() *cobra.Command {
	var version int
	command := &cobra.Command{
		Use:   "replicas RECORD",
		Short: "Show which hospitals keep a record's ciphertext",
		Long: `Show which hospitals keep a record's ciphertext, since when, and how many its policy wants.

Each hospital says so itself, within seconds of having it. One that lost it takes its word
back until it has it again.`,
		Example: "  pie record replicas 4v7…q2\n  pie record replicas 4v7…q2 --version 1",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			if version < 0 {
				return usage.Errorf("--version must be 1 or more")
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			record, err := c.Record(command.Context(), ledger.ID(arguments[0]), version)
			if err != nil {
				return err
			}
			shown := kept{Record: record.ID, Version: record.Version, Wanted: record.Policy.Replicas}
			shown.Replicas, err = c.Replicas(command.Context(), ledger.RecordVersion{Record: shown.Record, Version: shown.Version})
			if err != nil {
				return err
			}
			return a.printKept(shown)
		},
	}
	command.Flags().IntVar(&version, "version", 0, "which version (default: the newest)")
	return command
}

func (a *app) printKept(k kept) error {
	rows := table{
		{"record", string(k.Record)}, {"version", strconv.Itoa(k.Version)},
		{"replicas", fmt.Sprintf("%d of %d", len(k.Replicas), k.Wanted)},
	}
	for _, replica := range k.Replicas {
		rows = append(rows, []string{replica.MSP, "since " + date(replica.Time)})
	}
	return a.print(k, rows)
}
