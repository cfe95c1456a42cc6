package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/client/walletcard"
	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (a *app) summary() *cobra.Command {
	group := &cobra.Command{
		Use:   "summary",
		Short: "Have ready what somebody must know who treats you in an emergency",
		Example: "  pie summary update --desk HospitalB/k4wq7h bundle.json\n" +
			"  pie summary card --out card.svg",
	}
	group.AddCommand(a.summaryUpdate(), a.summaryCard())
	return group
}

func (a *app) summaryUpdate() *cobra.Command {
	var names []string
	command := &cobra.Command{
		Use:   "update FILE…",
		Short: "Make your emergency summary from FHIR files, and put it in the place of the older one",
		Long: `Make your emergency summary from FHIR R4 files (bundles, single resources or NDJSON, in
JSON): an International Patient Summary of allergies, medications and problems that are
current. What the files are silent about it calls unknown; what contradicts, is about
somebody else or cannot be read it names, and tells you of. Identifiers, addresses and who
treated you stay out. Give all files of one export in one call, and each page of a list.

It is a new record of yours of class summary, which emergency desks can pass on: those
named, or those that have the older one. Then the older ones that you made are erased.
Summaries that physicians made stay. Interrupted, run it again.`,
		Example: "  pie summary update --desk HospitalB/k4wq7h bundle.json\n" +
			"  pie summary update bundle.json discharge.json\n" +
			"  pie summary update export.ndjson",
		Args: someFiles,
		RunE: func(command *cobra.Command, files []string) error {
			desks, err := parseUsers(names)
			if err != nil {
				return err
			}
			document, err := makeSummary(files)
			if err != nil {
				return err
			}
			notes, err := notesOf(document)
			if err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			updated, err := c.UpdateSummary(command.Context(), document, desks)
			if updated.Record.ID == "" {
				return err
			}
			return errors.Join(a.printUpdated(madeSummary{updated, notes}), err)
		},
	}
	command.Flags().StringArrayVar(&names, "desk", nil, "emergency desk that can pass it on, several times for several (default: those of the older one)")
	return command
}

func makeSummary(files []string) ([]byte, error) {
	var sources [][]byte
	for _, file := range files {
		text, err := input.Read(file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, text)
	}
	document, err := summary.Make(time.Now(), sources...)
	var about *summary.SourceError
	if errors.As(err, &about) {
		return nil, fmt.Errorf("%s: %w", files[about.Source], about.Err)
	}
	return document, err
}

// madeSummary is a summary that has taken its place, with what a responder is told beside it.
type madeSummary struct {
	client.UpdatedSummary
	Notes []string `json:"notes,omitempty"`
}

// notesOf is what a summary says of itself: what contradicts, is missing or was left out. It
// names medical facts, so it belongs into the output and into no warning.
func notesOf(document []byte) ([]string, error) {
	page, err := summary.Read(document)
	if err != nil {
		return nil, err
	}
	notes := page.Notes
	for _, s := range page.Sections {
		for _, note := range s.Notes {
			notes = append(notes, s.Title+": "+note)
		}
	}
	return notes, nil
}

func (a *app) printUpdated(updated madeSummary) error {
	rows := table{{"record", string(updated.Record.ID)}, {"state", string(updated.Record.State)}}
	for _, desk := range updated.Desks {
		rows = append(rows, []string{"desk", desk.String()})
	}
	for _, record := range updated.Replaced {
		rows = append(rows, []string{"replaced", string(record)})
	}
	for _, note := range updated.Notes {
		rows = append(rows, []string{"note", note})
	}
	return a.print(updated, rows)
}

func (a *app) summaryCard() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use:   "card",
		Short: "Make a card for your wallet that responders find you by",
		Long: `Make a card for your wallet that responders find you by: your name here, in letters
and as a QR code, and nothing else. Who reads it can declare an emergency if they are a
responder, and nothing if they are not.`,
		Example: "  pie summary card\n  pie summary card --out card.svg\n  pie summary card --out card.png",
		Args:    usage.Exactly(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			if c.Identity().Role != ledger.RolePatient {
				return fault.New(fault.PermissionDenied, "cards are for patients; you are a %s", c.Identity().Role)
			}
			made, err := walletcard.For(c.Identity().User)
			if err != nil {
				return err
			}
			if out == "" {
				return a.printCard(made)
			}
			return writeCard(out, made)
		},
	}
	command.Flags().StringVar(&out, "out", "", "file to write, .svg or .png (default: text for the terminal)")
	return command
}

func (a *app) printCard(made walletcard.Card) error {
	if a.json || a.quiet {
		return a.print(made, table{{"patient", made.Patient}})
	}
	_, err := fmt.Fprint(a.out, made.Text())
	return err
}

func writeCard(path string, made walletcard.Card) error {
	var image []byte
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".svg":
		image = []byte(made.SVG())
	case ".png":
		image, err = made.PNG()
	default:
		return usage.Errorf("a card is written as .svg or .png, not to %s", path)
	}
	if err != nil {
		return err
	}
	return durable.Write(path, image, 0o600)
}
