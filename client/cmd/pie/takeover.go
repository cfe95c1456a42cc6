package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) takeOver() *cobra.Command {
	var keepAuthor bool
	command := &cobra.Command{
		Use:   "take-over RECORD",
		Short: "Put a record that was made without you under a key of your own",
		Long: `Put a record that was made without you under a key of your own: a rotation. Its
author's device had the key so far; what it may have kept opens nothing new any more.

The author's own access ends unless you keep it; what you granted others stays.`,
		Example: "  pie record take-over 4v7…q2\n  pie record take-over 4v7…q2 --keep-author",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			record, err := c.TakeOver(command.Context(), ledger.ID(arguments[0]), keepAuthor)
			if err != nil {
				return err
			}
			return a.print(record, table{
				{"record", string(record.ID)}, {"version", strconv.Itoa(record.Version)},
				{"state", string(record.State)}, {"cid", record.CID},
			})
		},
	}
	command.Flags().BoolVar(&keepAuthor, "keep-author", false, "the author may go on opening it")
	return command
}
