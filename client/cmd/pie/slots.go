package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) slots() *cobra.Command {
	return &cobra.Command{
		Use:   "slots",
		Short: "List slots: a patient's own, or those you may upload into",
		Long: `List slots: a patient's own, or those that you or your department may
upload into. A slot is free until a record is in it or its time is over.`,
		Example: "  pie record slots\n  pie record slots --json",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			uploads, err := c.Slots(command.Context())
			if err != nil {
				return err
			}
			return a.printSlots(uploads)
		},
	}
}

func (a *app) printSlots(uploads []ledger.Slot) error {
	rows := table{{"RECORD", "STATE", "FOR", "PATIENT", "AUTHORIZED", "UNTIL"}}
	for _, u := range uploads {
		rows = append(rows, []string{string(u.Record), slotState(u, time.Now()), u.Author.String(), u.Patient.String(),
			date(u.Authorized), date(u.Expiry)})
	}
	if uploads == nil {
		uploads = []ledger.Slot{}
	}
	return a.printList(uploads, rows)
}

func slotState(u ledger.Slot, now time.Time) string {
	switch {
	case u.Used:
		return "used"
	case !now.Before(u.Expiry):
		return "ended"
	}
	return "free"
}
