package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) rotate() *cobra.Command {
	var keep []string
	var endAll bool
	command := &cobra.Command{
		Use:   "rotate RECORD",
		Short: "Put a record of yours under a new key",
		Long: `Put a record of yours under a new key: its content is encrypted again, as a new
version. The old ciphertext is removed at every hospital, and key fragments of the old
key open nothing any more, whoever kept some.

Grants that have not ended are kept, with purpose and end as they are: who treats you
goes on reading. Name the ones to keep with --keep, and all others end; or end all of
them with --end-all, your own reading aside. Interrupted, run it again: it finishes the
same rotation.`,
		Example: "  pie record rotate 4v7…q2\n" +
			"  pie record rotate 4v7…q2 --keep 8xs…k7\n" +
			"  pie record rotate 4v7…q2 --end-all",
		Args: usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			if endAll && len(keep) > 0 {
				return usage.Errorf("--keep and --end-all exclude each other")
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			record, err := c.Rotate(command.Context(), client.Rotation{
				Record: ledger.ID(arguments[0]), Keep: words[ledger.ID](keep), EndAll: endAll,
			})
			if err != nil {
				return err
			}
			return a.print(record, table{
				{"record", string(record.ID)}, {"version", fmt.Sprint(record.Version)},
				{"state", string(record.State)}, {"cid", record.CID},
			})
		},
	}
	command.Flags().StringSliceVar(&keep, "keep", nil, "grant to keep, all others end (repeat; default all that have not ended)")
	command.Flags().BoolVar(&endAll, "end-all", false, "keep no grant")
	return command
}
