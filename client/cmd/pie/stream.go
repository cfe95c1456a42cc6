package main

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) stream() *cobra.Command {
	group := &cobra.Command{
		Use:   "stream",
		Short: "Append readings to a stream, and open them under one grant",
		Long: `Append readings to a stream, and open them under one grant.

A stream is a record that grows: one key, one policy, one grant for all its readings,
those to come too. It is requested, granted, revoked and audited like any record.`,
		Example: "  pie stream create\n  pie stream append 4v7…q2 today.ndjson\n  pie stream open 4v7…q2 --out -",
	}
	group.AddCommand(a.createStream(), a.appendStream(), a.listStream(), a.openStream())
	return group
}

func (a *app) createStream() *cobra.Command {
	var author string
	var policy policyFlags
	var expires when
	command := &cobra.Command{
		Use:   "create",
		Short: "Begin a stream of readings about you, written by you or somebody else",
		Long: `Begin a stream of readings about you, written by you or somebody else.

Whoever is granted it reads all of it, past and future, until the grant ends or you
revoke it. When the author's own grant ends, nothing can be appended any more.`,
		Example: "  pie stream create\n  pie stream create --author HospitalA/7f3k2a --role physician --organization HospitalA",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cmp.Or(a.sureUntil(&expires), policy.sure(a)); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			writer, err := orSelf(author, c)
			if err != nil {
				return err
			}
			wish := client.Authorization{Author: ledger.PersonSubject(writer), Stream: true, Expiry: expires.at}
			if wish.Policy, err = policy.change(client.DefaultPolicy(ledger.ClassSensor), command); err != nil {
				return err
			}
			uploads, err := c.Authorize(command.Context(), wish)
			if err != nil {
				return err
			}
			u := uploads[0]
			return a.print(u, table{{"stream", string(u.Record)}, {"author", u.Author.User.String()}, {"authorized", date(u.Authorized)}, {"until", date(u.Expiry)}})
		},
	}
	command.Flags().StringVar(&author, "author", "", "who appends, as HospitalA/7f3k2a (default: you)")
	policy.define(command)
	a.defineExpires(command, &expires, "365d", "how long the author may append and open")
	return command
}

func (a *app) appendStream() *cobra.Command {
	var patient string
	var n client.NewReadings
	command := &cobra.Command{
		Use:   "append STREAM FILE...",
		Short: "Encrypt readings and append them to a stream",
		Long: `Encrypt readings and append them to a stream.

A file has one reading a line, a JSON object such as a FHIR Observation, with its time
in effectiveDateTime, effectiveInstant, effectivePeriod.start or time. What has been
appended from a file before is passed over, so that one that grows at its end is given
again and again. Interrupted, run it again: each reading is appended once.`,
		Example: "  pie stream append 4v7…q2 today.ndjson\n  pie stream append --patient HospitalA/k4wq7h 4v7…q2 ward/*.ndjson",
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) > 1 {
				return nil
			}
			return usage.Exactly("STREAM", "FILE...")(command, nil)
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			n.Stream, n.Files = ledger.ID(arguments[0]), arguments[1:]
			if n.Patient, err = orSelf(patient, c); err != nil {
				return err
			}
			appended, err := c.Append(command.Context(), n)
			if err != nil {
				return err
			}
			return a.print(appended, table{{"stream", arguments[0]}, {"readings", strconv.Itoa(appended.Readings)},
				{"segments", strconv.Itoa(appended.Segments)}, {"transactions", strconv.Itoa(appended.Transactions)}})
		},
	}
	flags := command.Flags()
	flags.StringVar(&patient, "patient", "", "whose stream, as they told you (default: you)")
	flags.StringVar(&n.Metadata.MediaType, "media-type", "application/fhir+ndjson", "media type, said with the first readings")
	flags.StringSliceVar(&n.Metadata.Codes, "code", nil, "what it is about, as system|code (repeat), said with the first readings")
	flags.StringVar(&n.Metadata.Sex, "sex", "", "female, male, other or unknown, said with the first readings")
	flags.StringVar(&n.Metadata.AgeBand, "age-band", "", "such as 40-49, said with the first readings")
	return command
}

// orSelf is the user named, or the one whose device this is.
func orSelf(name string, c *client.Client) (ledger.UserID, error) {
	if name == "" {
		return c.Identity().User, nil
	}
	return ledger.ParseUserID(name)
}

func (a *app) listStream() *cobra.Command {
	return &cobra.Command{
		Use:     "list STREAM",
		Short:   "List a stream's segments: how many readings, from when to when",
		Example: "  pie stream list 4v7…q2",
		Args:    usage.Exactly("STREAM"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			segments, alterations, err := c.Segments(command.Context(), ledger.ID(arguments[0]))
			a.warn(alterations)
			if err != nil {
				return err
			}
			rows := table{{"SEGMENT", "READINGS", "FROM", "TO", "CIPHERTEXT"}}
			for _, s := range segments {
				rows = append(rows, []string{strconv.Itoa(s.Number), strconv.Itoa(s.Readings), date(s.From), date(s.To), fmt.Sprintf("%d bytes", s.Size)})
			}
			return a.printList(segments, rows)
		},
	}
}

func (a *app) openStream() *cobra.Command {
	var within span
	var out string
	command := &cobra.Command{
		Use:   "open STREAM --out FILE",
		Short: "Open a stream's readings: your own, or those that were granted to you",
		Long: `Open a stream's readings: your own, or those that were granted to you.

They are written a line each, in the order in which they were appended. The access is
written to the ledger first. The file appears once everything about it has been
verified; --out - writes it to standard output then.`,
		Example: "  pie stream open 4v7…q2 --out readings.ndjson\n" +
			"  pie stream open 4v7…q2 --from 2026-05-01 --to 2026-05-31 --out - | jq .valueQuantity.value",
		Args: usage.Exactly("STREAM"),
		RunE: func(command *cobra.Command, arguments []string) error {
			span := client.Span{From: within.from.at, To: within.to.at}
			a.saySpan(within)
			c, err := a.open()
			if err != nil {
				return err
			}
			var opened client.OpenedStream
			if out == "-" {
				opened, err = c.OpenStreamTo(command.Context(), ledger.ID(arguments[0]), span, a.out)
			} else {
				opened, err = c.OpenStream(command.Context(), ledger.ID(arguments[0]), span, out)
			}
			a.warn(opened.Altered)
			if err != nil || out == "-" {
				return err
			}
			return a.print(opened, table{{"stream", arguments[0]}, {"file", out}, {"readings", strconv.Itoa(opened.Readings)},
				{"segments", strconv.Itoa(opened.Segments)}, {"bytes", fmt.Sprint(opened.Size)}, {"access", dash(opened.Open)}})
		},
	}
	flags := command.Flags()
	flags.StringVar(&out, "out", "", "file to write, - for standard output")
	within.define(command, "readings taken")
	require(command, "out")
	return command
}

// warn names those whose answers were altered.
func (a *app) warn(alterations []*client.AlteredError) {
	for _, alteration := range alterations {
		_, _ = fmt.Fprintln(a.err, printable("warning: "+alteration.Error()))
	}
}
