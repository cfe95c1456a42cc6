package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) events() *cobra.Command {
	var after string
	command := &cobra.Command{
		Use:   "events",
		Short: "Follow what concerns you, as it happens",
		Long: `Follow what concerns you, as it happens: a patient's records and emergencies, a
requester's requests and grants, a privacy officer's hospital's emergencies.

Each line is a reference to something that you may read. The first column is its place
on the ledger: with --after the next call goes on behind it, and misses nothing. With
--json each line is an object. It ends by Ctrl-C.`,
		Example: "  pie events\n  pie events --after 1207-3 --json",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			a.progress.step("waiting for events")
			err = c.Events(command.Context(), after, a.printNotice)
			if errors.Is(err, context.Canceled) {
				return nil // Ctrl-C
			}
			return err
		},
	}
	command.Flags().StringVar(&after, "after", "", "place to go on behind, 0-0 for the beginning (default: now)")
	return command
}

// printNotice writes one line at once: lines are read as they come.
func (a *app) printNotice(notice ledger.Notice) error {
	a.progress.stop()
	if a.json {
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(notice)
	}
	id := notice.ID.String()
	if notice.ID == (ledger.EventID{}) {
		id = "-"
	}
	line := id
	if !a.quiet {
		line = strings.Join([]string{id, date(notice.Time), string(notice.Name), about(notice), "by " + notice.Actor.String()}, "  ")
	}
	_, err := fmt.Fprintln(a.out, printable(line))
	return err
}

// about names what a notice refers to, as other commands want it.
func about(notice ledger.Notice) string {
	switch {
	case notice.Declaration != "" && notice.Grant == "":
		return ledger.DeclarationName{Patient: notice.Patient, Declaration: notice.Declaration}.String()
	case notice.Request != "":
		return "request " + string(notice.Request)
	case notice.Grant != "":
		return "grant " + string(notice.Grant)
	case notice.User != (ledger.UserID{}):
		return notice.User.String()
	}
	var records []string
	for _, record := range notice.Records {
		records = append(records, string(record))
	}
	return dash(strings.Join(records, ","))
}
