package main

import (
	"context"
	"encoding/csv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (a *app) auditReport() *cobra.Command {
	var within span
	var file string
	command := &cobra.Command{
		Use:   "report",
		Short: "Account for who saw what of all your records, what for, and under which rule",
		Long: `Account for who saw what of all your records, what for, and under which rule; refused
accesses too. All hospitals are asked, so that none can hide an entry alone; to have the
entries of a record proven: pie audit verify. Erased records are in it.`,
		Example: "  pie audit report --from 2026-01-01 --to 2026-12-31\n  pie audit report --csv disclosures.csv",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			a.saySpan(within)
			c, err := a.open()
			if err != nil {
				return err
			}
			if c.Identity().Role != ledger.RolePatient {
				return fault.New(fault.PermissionDenied, "a report is about a patient's own records; see: pie audit RECORD")
			}
			return a.report(command.Context(), c, within, file)
		},
	}
	within.define(command, "accesses")
	command.Flags().StringVar(&file, "csv", "", "file to write as CSV instead")
	return command
}

func (a *app) report(ctx context.Context, c *client.Client, within span, file string) error {
	accesses, err := c.Disclosures(ctx, within.from.at, within.to.at)
	if err != nil {
		return err
	}
	people := newPeople(c.CardOf)
	shown := []audited{}
	rows := table{{"TIME", "RECORD", "NAME", "ROLE", "USER", "PURPOSE", "OUTCOME", "RULE", "DECLARATION", "REQUEST", "TRANSACTION"}}
	for _, access := range accesses {
		card, err := people.card(ctx, access.User.User)
		if err != nil {
			return err
		}
		shown = append(shown, audited{access, card.Name, card.bad})
		rows = append(rows, reportRow(access, card))
	}
	if file != "" {
		return writeCSV(file, rows)
	}
	return a.printValue(shown, rows)
}

func reportRow(access ledger.Access, by card) []string {
	outcome := "opened"
	if !access.Decision.Allowed {
		outcome = "refused: " + string(access.Decision.Code)
	}
	return []string{date(access.Time), string(access.Record), by.shownName(), string(access.User.Role), access.User.User.String(),
		dash(access.Purpose), outcome, dash(access.Decision.Rule), dash(access.Declaration), dash(access.Request), access.Open}
}

// byteOrderMark tells spreadsheets in every language that a file is UTF-8.
const byteOrderMark = "\ufeff"

func writeCSV(path string, rows table) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return durable.Write(path, []byte(byteOrderMark+text.String()), 0o600)
}

// harmless keeps a spreadsheet from taking a text that somebody chose for a formula.
func harmless(cell string) string {
	cell = printable(cell)
	if cell == "-" {
		return ""
	}
	if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@ ") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
