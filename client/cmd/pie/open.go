package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) openRecord() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use:   "open RECORD --out FILE",
		Short: "Open a record: your own, or one that was granted to you",
		Long: `Open a record: your own, or one that was granted to you.

The access is written to the ledger first. The file appears once everything about it
has been verified; --out - writes it to standard output then.`,
		Example: "  pie record open 4v7…q2 --out bundle.json\n  pie record open 4v7…q2 --out - | jq .",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			var opened client.Opened
			if out == "-" {
				opened, err = c.OpenTo(command.Context(), ledger.ID(arguments[0]), 0, a.out)
			} else {
				opened, err = c.Open(command.Context(), ledger.ID(arguments[0]), 0, out)
			}
			a.warn(opened.Altered)
			if err != nil || out == "-" {
				return err
			}
			return a.print(opened, table{{"record", arguments[0]}, {"file", out},
				{"bytes", fmt.Sprint(opened.Size)}, {"access", dash(opened.Open)}})
		},
	}
	command.Flags().StringVar(&out, "out", "", "file to write, - for standard output")
	require(command, "out")
	return command
}
