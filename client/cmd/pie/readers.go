package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// reading is somebody who could read, with the name on their card.
type reading struct {
	ledger.Reader
	Name    string `json:"name,omitempty"`
	BadCard bool   `json:"badCard,omitempty"` // it does not verify, so it says nothing
}

func (a *app) whoCanRead() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "who-can-read RECORD",
		Short: "Show everybody who could open a record now, and by which rule",
		Long: `Show everybody who could open a record now, and by which rule.

It is the rule that decides when they do open it, asked of every hospital. With --all
also those whom a grant does not help any more, and why.`,
		Example: "  pie record who-can-read 4v7…q2\n  pie record who-can-read 4v7…q2 --all",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			readers, err := c.WhoCanRead(command.Context(), ledger.ID(arguments[0]), 0)
			if err != nil {
				return err
			}
			return a.printReaders(command.Context(), newPeople(c.CardOf), readers, all)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "also who held a grant that opens nothing now")
	return command
}

func (a *app) printReaders(ctx context.Context, people *people, readers []ledger.Reader, all bool) error {
	shown := []reading{}
	rows := table{{"USER", "NAME", "ROLE", "RULE", "PURPOSE", "UNTIL", "GRANT"}}
	for _, r := range readers {
		if !r.Decision.Allowed && !all {
			continue
		}
		card, err := people.card(ctx, r.Identity.User)
		if err != nil {
			return err
		}
		rule := r.Decision.Rule
		if !r.Decision.Allowed {
			rule = "refused: " + string(r.Decision.Code) + " (" + rule + ")"
		}
		shown = append(shown, reading{r, card.Name, card.bad})
		rows = append(rows, []string{r.Identity.User.String(), card.shownName(), dash(r.Identity.Role), rule,
			dash(r.Purpose), date(r.Expiry), dash(r.Grant)})
	}
	return a.printList(shown, rows)
}
