package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) record() *cobra.Command {
	group := &cobra.Command{
		Use:     "record",
		Short:   "Upload, find and open records",
		Example: "  pie record list\n  pie record open 4v7…q2 --out bundle.json",
	}
	group.AddCommand(a.authorize(), a.slots(), a.upload(), a.takeOver(), a.confirm(), a.dispute(), a.list(), a.search(), a.show(), a.replicas(), a.openRecord(), a.policy(), a.whoCanRead(),
		a.rotate(), a.erase(), a.erasureCertificate())
	return group
}

func (a *app) confirm() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "confirm RECORD|--all",
		Short: "Read what was uploaded about you and confirm that you could",
		Long: `Read what was uploaded about you and confirm that you could: one record, or all that
wait for it.

When the content is not what its author registered, the record is disputed instead.`,
		Example: "  pie record confirm 4v7…q2\n  pie record confirm --all",
		RunE: func(command *cobra.Command, arguments []string) error {
			if all {
				return a.confirmAll(command, arguments)
			}
			if err := usage.Exactly("RECORD")(command, arguments); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			record, err := c.Confirm(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.printRecord(record)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "all records that wait for it")
	return command
}

func (a *app) confirmAll(command *cobra.Command, arguments []string) error {
	if err := usage.Exactly()(command, arguments); err != nil {
		return err
	}
	c, err := a.open()
	if err != nil {
		return err
	}
	var outcomes []outcome
	var first error
	err = c.ConfirmAll(command.Context(), func(done client.Confirmed, of int) {
		first = keepFirst(first, done.Err)
		outcomes = append(outcomes, outcomeOf(done.Record, done.Err))
		outcomes[len(outcomes)-1].Record = done.ID
		a.progress.count(len(outcomes), of, "records")
	})
	if err != nil {
		return err
	}
	return a.printOutcomes(outcomes, first)
}

func (a *app) dispute() *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:     "dispute RECORD --reason REASON",
		Short:   "Say that a record about you is wrong",
		Example: "  pie record dispute 4v7…q2 --reason not-mine",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			view, err := c.Record(command.Context(), ledger.ID(arguments[0]), 0)
			if err != nil {
				return err
			}
			version := ledger.RecordVersion{Record: view.ID, Version: view.Version}
			record, err := c.Dispute(command.Context(), version, ledger.DisputeReason(reason))
			if err != nil {
				return err
			}
			return a.printRecord(record)
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "unreadable, altered, not-mine or incorrect")
	require(command, "reason")
	return command
}

func (a *app) search() *cobra.Command {
	var patient string
	var within span
	var q ledger.SearchRecords
	command := &cobra.Command{
		Use:     "search",
		Short:   "Find records that you may discover",
		Example: "  pie record search --patient HospitalA/k4wq7h\n  pie record search --class clinical-observation --age-band 40-49",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := fillSearch(&q, patient, within); err != nil {
				return err
			}
			a.saySpan(within)
			c, err := a.open()
			if err != nil {
				return err
			}
			views, err := c.Search(command.Context(), q)
			if err != nil {
				return err
			}
			return a.printViews(views)
		},
	}
	flags := command.Flags()
	flags.StringVar(&patient, "patient", "", "whose records, as HospitalA/k4wq7h")
	flags.StringVar(&q.Hospital, "hospital", "", "MSP of the author")
	flags.StringVar((*string)(&q.Class), "class", "", "kind of data")
	flags.StringVar(&q.Code, "code", "", "what it is about, as system|code")
	flags.StringVar(&q.Sex, "sex", "", "female, male, other or unknown")
	flags.StringVar(&q.AgeBand, "age-band", "", "such as 40-49")
	within.define(command, "registered")
	return command
}

func fillSearch(q *ledger.SearchRecords, patient string, within span) (err error) {
	if patient != "" {
		if q.Patient, err = ledger.ParseUserID(patient); err != nil {
			return err
		}
	}
	q.From, q.To = within.from.at, within.to.at
	return nil
}

func (a *app) printViews(views []ledger.RecordView) error {
	rows := table{{"RECORD", "STATE", "CLASS", "LEVEL", "PATIENT", "AUTHOR", "REGISTERED"}}
	for _, v := range views {
		class := "-"
		if v.Metadata != nil {
			class = string(v.Metadata.Class)
		}
		rows = append(rows, []string{string(v.ID), string(v.State), class, string(v.Level),
			v.Patient.String(), v.Author.String(), date(v.Registered)})
	}
	if views == nil {
		views = []ledger.RecordView{}
	}
	return a.printList(views, rows)
}

func (a *app) show() *cobra.Command {
	return &cobra.Command{
		Use:     "show RECORD",
		Short:   "Show a record's metadata and what became of it",
		Example: "  pie record show 4v7…q2",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			return a.printShown(command, c, ledger.ID(arguments[0]))
		},
	}
}

func (a *app) printShown(command *cobra.Command, c *client.Client, id ledger.ID) error {
	view, err := c.Record(command.Context(), id, 0)
	if err != nil {
		return err
	}
	history, err := c.History(command.Context(), ledger.RecordVersion{Record: id, Version: view.Version})
	if err != nil {
		return err
	}
	rows := table{
		{"record", string(view.ID)}, {"version", strconv.Itoa(view.Version)}, {"state", string(view.State)},
		{"patient", view.Patient.String()}, {"author", view.Author.String()},
	}
	rows = append(rows, policyRows(view.Record)...)
	rows = append(rows, contentRows(view.Record)...)
	if view.Unattended {
		rows = append(rows, []string{"key", "made by the author, without the patient"})
	}
	if s := view.Metadata; s != nil {
		rows = append(rows, []string{"class", string(s.Class)}, []string{"media type", s.MediaType},
			[]string{"codes", strings.Join(s.Codes, " ")}, []string{"sex", dash(s.Sex)}, []string{"age band", dash(s.AgeBand)})
	}
	for _, entry := range history {
		rows = append(rows, []string{date(entry.Time), string(entry.Record.State)})
	}
	return a.print(struct {
		ledger.RecordView
		History []ledger.HistoryEntry `json:"history"`
	}{view, history}, rows)
}

// contentRows say what the ciphertext of a record is; a stream has many.
func contentRows(r ledger.Record) table {
	if r.Stream {
		return table{{"content", "a stream; see: pie stream list " + string(r.ID)}}
	}
	return table{{"cid", r.CID}, {"sha256", r.SHA256.String()}, {"ciphertext", fmt.Sprintf("%d bytes", r.Size)}}
}

func organizations(policy ledger.Policy) string {
	if len(policy.Organizations) == 0 {
		return "all"
	}
	return strings.Join(policy.Organizations, " ")
}
