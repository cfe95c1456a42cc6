package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// remains is what no erasure reaches.
const remains = "pseudonyms, times, organisations, CIDs and digests in the blocks; backups of nodes; what readers kept"

func (a *app) erase() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "erase RECORD",
		Short: "Erase a record of yours, or take back a slot that nobody has used",
		Long: `Erase a record of yours, all versions of it, or take back a slot that nobody has used.

Gone are: the ciphertext at every hospital, the key fragments of every grant, and what
the record is about (class, codes, sex, age band). It cannot be undone. The audit trail
stays, and so do ` + remains + `.

Hospitals confirm that they have removed the ciphertext: pie record erasure-certificate.
Interrupted, run it again.`,
		Example: "  pie record erase 4v7…q2\n  pie record erase 4v7…q2 --yes",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			if !yes {
				if err := a.confirmErasure(arguments[0]); err != nil {
					return err
				}
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			erasure, err := c.Erase(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.print(erasure, table{
				{"record", string(erasure.Record)}, {"erased", date(erasure.Time)},
				{"transaction", erasure.Transaction}, {"to confirm", dash(strings.Join(erasure.Members, " "))},
			})
		},
	}
	command.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return command
}

// confirmErasure asks on the terminal.
func (a *app) confirmErasure(record string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage.Errorf("an erasure cannot be undone, and there is no terminal to ask on; use --yes")
	}
	_, _ = fmt.Fprintf(a.err, "Erase record %s at every hospital? It cannot be undone.\nWhat remains: %s.\nType the record's ID to erase it: ",
		printable(record), remains)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != record {
		return fmt.Errorf("nothing was erased")
	}
	return nil
}

// certificate is what says how far an erasure is, and what it does not reach.
type certificate struct {
	ledger.ErasureView
	Complete bool   `json:"complete"`
	Remains  string `json:"remains"`
}

func (a *app) erasureCertificate() *cobra.Command {
	return &cobra.Command{
		Use:   "erasure-certificate RECORD",
		Short: "Show what became of an erasure: who confirmed it, who has not, and what remains",
		Long: `Show what became of an erasure: who confirmed it, who has not, and what remains.

For the patient, the author, and privacy officers of their hospitals. A hospital that
keeps a ciphertext does so for a live record that has the very same.`,
		Example: "  pie record erasure-certificate 4v7…q2\n  pie record erasure-certificate 4v7…q2 --json",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			view, err := c.Erasure(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.print(certificate{view, len(view.Missing) == 0, remains}, certificateRows(view))
		},
	}
}

func certificateRows(view ledger.ErasureView) table {
	rows := table{
		{"record", string(view.Record)}, {"patient", view.Patient.String()},
		{"erased", date(view.Time)}, {"transaction", view.Transaction},
	}
	for _, version := range view.Versions {
		rows = append(rows, []string{fmt.Sprintf("version %d", version.Version), version.CID})
	}
	for _, confirmation := range view.Confirmations {
		outcomes := []string{}
		for _, content := range confirmation.Contents {
			outcomes = append(outcomes, string(content.Outcome))
		}
		rows = append(rows, []string{confirmation.MSP, "confirmed " + date(confirmation.Time) + " " + strings.Join(outcomes, " ")})
	}
	for _, msp := range view.Missing {
		rows = append(rows, []string{msp, "has not confirmed yet"})
	}
	return append(rows, []string{"what remains", remains})
}
