package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// held is a record that a professional may write or open.
type held struct {
	Record  ledger.ID      `json:"record"`
	Patient ledger.UserID  `json:"patient"`
	As      string         `json:"as"`    // author or grantee
	State   string         `json:"state"` // authorized, uploaded; of a grant its own
	Purpose ledger.Purpose `json:"purpose,omitempty"`
	Expiry  time.Time      `json:"expiry,omitzero"`
}

func (a *app) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your records: a patient's own, anybody else's to write or to open",
		Example: "  pie record list\n" +
			"  pie record list --json",
		Args: usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			if c.Identity().Role == ledger.RolePatient {
				views, err := c.Search(command.Context(), ledger.SearchRecords{Patient: c.Identity().User})
				if err != nil {
					return err
				}
				return a.printViews(views)
			}
			records, err := heldBy(command.Context(), c)
			if err != nil {
				return err
			}
			return a.printHeld(records)
		},
	}
}

func heldBy(ctx context.Context, c *client.Client) ([]held, error) {
	uploads, err := c.Slots(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := c.Grants(ctx)
	if err != nil {
		return nil, err
	}
	records, own := []held{}, map[ledger.ID]bool{}
	for _, u := range uploads {
		state := "authorized"
		if u.Used {
			state = "uploaded"
		}
		own[u.Grant] = true
		records = append(records, held{Record: u.Record, Patient: u.Patient, As: "author", State: state})
	}
	for _, g := range grants {
		if own[g.ID] {
			continue
		}
		records = append(records, held{Record: g.Record, Patient: g.Patient, As: "grantee", State: string(g.State),
			Purpose: g.Purpose, Expiry: g.Expiry})
	}
	return records, nil
}

func (a *app) printHeld(records []held) error {
	rows := table{{"RECORD", "PATIENT", "AS", "STATE", "PURPOSE", "UNTIL"}}
	for _, r := range records {
		rows = append(rows, []string{string(r.Record), r.Patient.String(), r.As, r.State, dash(r.Purpose), date(r.Expiry)})
	}
	return a.printList(records, rows)
}
