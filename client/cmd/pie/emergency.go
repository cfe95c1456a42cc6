package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/client/walletcard"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) emergency() *cobra.Command {
	group := &cobra.Command{
		Use:   "emergency",
		Short: "Open what is needed when the patient cannot answer, and watch over who does",
		Example: "  pie emergency declare --patient HospitalA/7f3k2a --reason unconscious --narrative narrative.txt\n" +
			"  pie emergency open HospitalA/7f3k2a/mfz…oq --out records",
	}
	group.AddCommand(a.emergencyDeclare(), a.emergencyOpen(), a.emergencyList(), a.emergencyShow(), a.emergencyApprove(),
		a.emergencyClose(), a.emergencyReview(), a.emergencyEraseNarratives(), a.emergencyAnswer(), a.emergencyCustodian(), a.emergencyPolicy())
	return group
}

func (a *app) emergencyDeclare() *cobra.Command {
	var patient, reason, narrative string
	var records []string
	var wait time.Duration
	command := &cobra.Command{
		Use:   "declare --patient USER --reason REASON --narrative FILE",
		Short: "Say that a patient cannot answer, and wait for what it opens",
		Long: `Say that a patient cannot answer, and wait for what it opens: the emergency summary
or, with --record, records that you name. Those wait for somebody of another hospital.

It is written to the ledger, lasts four hours at most, tells the patient and privacy
officers, and is reviewed. --narrative is a file with what happened, at least 20
characters (- for standard input); it never stands on the ledger. HTEST is a drill:
everything happens, and nothing opens.`,
		Example: "  pie emergency declare --patient HospitalA/7f3k2a --reason unconscious --narrative narrative.txt\n" +
			"  pie emergency declare --patient HospitalA/7f3k2a --reason life-threat --narrative - --record 4v7…q2",
		Args: usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			user, err := parseUser(walletcard.Name(patient))
			if err != nil {
				return err
			}
			text, err := readNarrative(narrative, command.InOrStdin())
			if err != nil {
				return err
			}
			wish := client.Emergency{Patient: user, Reason: ledger.EmergencyReason(reason), Narrative: text}
			for _, record := range records {
				wish.Records = append(wish.Records, ledger.ID(record))
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			declaration, err := c.Declare(command.Context(), wish)
			repeated := declaration.Repeated
			if err == nil && wait > 0 && declaration.Reason != ledger.ReasonDrill {
				var passed client.PassedOn
				passed, err = c.AwaitEmergency(command.Context(), declaration.Name(), wait)
				if passed.Declaration.State != "" { // else it was not read, and stays in sight as it was declared
					declaration = passed.Declaration.Declaration
				}
			}
			if declaration.ID == "" {
				return err
			}
			if repeated {
				_, _ = fmt.Fprintf(a.err, "you declared this emergency already, at %s; what you wrote now is not kept\n", date(declaration.Declared))
			}
			return cmp.Or(err, a.printDeclaration(declaration))
		},
	}
	flags := command.Flags()
	flags.StringVar(&patient, "patient", "", "who cannot answer, as HospitalA/7f3k2a, or what a scanner reads from their card")
	flags.StringVar(&reason, "reason", "", "one of "+reasons())
	flags.StringVar(&narrative, "narrative", "", "file with what happened, - for standard input")
	flags.StringArrayVar(&records, "record", nil, "record to open, several times for several (default: the emergency summary)")
	flags.DurationVar(&wait, "wait", 5*time.Minute, "how long to wait for an approver and a custodian, 0 not at all")
	require(command, "patient", "reason", "narrative")
	return command
}

func reasons() string {
	var words []string
	for _, reason := range ledger.EmergencyReasons() {
		words = append(words, string(reason))
	}
	return strings.Join(words, ", ")
}

// readNarrative takes texts from files alone: arguments are seen by everybody on a machine.
func readNarrative(path string, stdin io.Reader) (string, error) {
	if path == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, 1<<16))
		if err != nil {
			return "", err
		}
		text, err = input.Named("standard input", text)
		return strings.TrimSpace(string(text)), err
	}
	text, err := input.Text(path)
	return strings.TrimSpace(string(text)), err
}

func (a *app) emergencyOpen() *cobra.Command {
	var out string
	command := a.onDeclaration("open", "Open what custodians have passed on to you under your declaration",
		`Each access is written to the ledger first.

Emergency summaries are shown as a page, the newest first. With --out each record goes
to a file of its ID in the directory as well, a summary as FHIR; records that are no
summaries need it.`,
		func(command *cobra.Command, c *client.Client, name ledger.DeclarationName) error {
			passed, err := c.PassedOn(command.Context(), name)
			if err != nil {
				return err
			}
			if out == "" {
				return a.showEmergency(command.Context(), passed)
			}
			return a.saveEmergency(command.Context(), passed, out)
		})
	command.Example += "\n" + command.Example + " --out records"
	command.Flags().StringVar(&out, "out", "", "directory to write to")
	return command
}

// showEmergency shows summaries, and leaves no file behind.
func (a *app) showEmergency(ctx context.Context, passed client.PassedOn) error {
	if passed.Declaration.Scope != ledger.ScopeSummary {
		return usage.Errorf("these are not summaries; say where to write them with --out")
	}
	texts, err := passed.Read(ctx)
	pages := []summary.Page{}
	for _, text := range texts {
		a.warn(text.Altered)
		page, errRead := summary.Read(text.Text)
		if errRead != nil {
			err = errors.Join(err, fmt.Errorf("record %s cannot be shown, save it with --out: %w", text.Record.ID, errRead))
			continue
		}
		pages = append(pages, page)
	}
	if a.json {
		return errors.Join(a.printValue(pages, nil), err)
	}
	return errors.Join(a.printPages(pages), err)
}

func (a *app) printPages(pages []summary.Page) error {
	for i, page := range pages {
		if i > 0 {
			_, _ = fmt.Fprintln(a.out)
		}
		if err := page.Write(a.out); err != nil {
			return err
		}
	}
	return nil
}

// saveEmergency writes records to files, and shows those that are summaries to people.
func (a *app) saveEmergency(ctx context.Context, passed client.PassedOn, dir string) error {
	opened, err := passed.Save(ctx, dir)
	if len(opened) == 0 {
		return err
	}
	slices.SortStableFunc(opened, func(a, b client.EmergencyFile) int { return b.Record.Registered.Compare(a.Record.Registered) })
	rows := table{{"RECORD", "FILE", "BYTES", "ACCESS"}}
	var pages []summary.Page
	for _, one := range opened {
		a.warn(one.Altered)
		rows = append(rows, []string{string(one.Record.ID), one.File, fmt.Sprint(one.Size), one.Open})
		if !one.Record.IsSummary || a.json || a.quiet {
			continue
		}
		text, errRead := os.ReadFile(one.File)
		page, errPage := summary.Read(text)
		if errRead := cmp.Or(errRead, errPage); errRead != nil {
			_, _ = fmt.Fprintln(a.err, printable(fmt.Sprintf("warning: %s cannot be shown as a page: %v", one.File, errRead)))
			continue
		}
		pages = append(pages, page)
	}
	return errors.Join(a.printList(opened, rows), a.printPages(pages), err)
}

func (a *app) emergencyList() *cobra.Command {
	var concern string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the declarations that concern you",
		Long: `List the declarations that concern you: about-me (patients), by-me (responders),
to-approve (that wait for somebody of another hospital), to-answer (custodians),
to-review (privacy officers). Without --concern it lists what your role is asked for first:
about-me, to-review, to-answer or by-me.`,
		Example: "  pie emergency list\n  pie emergency list --concern to-approve",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			if concern == "" {
				concern = string(concernOf(c.Identity().Role))
			}
			declarations, err := c.Emergencies(command.Context(), ledger.Concern(concern))
			if err != nil {
				return err
			}
			rows := table{{"DECLARATION", "STATE", "SCOPE", "REASON", "RESPONDER", "DECLARED", "UNTIL", "REVIEW DUE"}}
			for _, d := range declarations {
				rows = append(rows, []string{d.Name().String(), string(d.State), string(d.Scope), string(d.Reason),
					d.Responder.User.String(), date(d.Declared), date(d.Expiry), date(d.Due)})
			}
			return a.printList(declarations, rows)
		},
	}
	command.Flags().StringVar(&concern, "concern", "", "about-me, by-me, to-approve, to-answer or to-review (default: by your role)")
	return command
}

// concernOf is what somebody of the role has to do with emergencies before all else.
func concernOf(role ledger.Role) ledger.Concern {
	switch role {
	case ledger.RolePatient:
		return ledger.ConcernAboutMe
	case ledger.RolePrivacyOfficer:
		return ledger.ConcernToReview
	case ledger.RoleEmergencyDesk:
		return ledger.ConcernToAnswer
	}
	return ledger.ConcernByMe
}

func (a *app) emergencyShow() *cobra.Command {
	return a.onDeclaration("show", "Show a declaration with what was said of it", "", func(command *cobra.Command, c *client.Client, name ledger.DeclarationName) error {
		view, err := c.Emergency(command.Context(), name)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(view, nil)
		}
		return cmp.Or(a.printDeclaration(view.Declaration), a.printTable(table{{"narrative", view.Narrative}, {"note", dash(view.Note)}}))
	})
}

func (a *app) emergencyApprove() *cobra.Command {
	return a.onDeclaration("approve", "Be the second pair of eyes, of another hospital than the responder's",
		"Read it first: pie emergency show DECLARATION. Approving opens the records that it names for four hours.",
		a.changing((*client.Client).ApproveEmergency))
}

func (a *app) emergencyClose() *cobra.Command {
	return a.onDeclaration("close", "End an emergency: nothing opens after it", "", a.changing((*client.Client).CloseEmergency))
}

func (a *app) emergencyEraseNarratives() *cobra.Command {
	return a.onDeclaration("erase-narratives", "Make the hospitals forget what was said of an emergency",
		`What responder and reviewers wrote is purged at every hospital, once the emergency is over
and reviewed. That it was, when, by whom, and the verdict stay. For its patient, and
privacy officers of the hospital that reviewed it (the patient's when none did).`,
		a.changing((*client.Client).EraseNarratives))
}

// changing prints the declaration as something left it.
func (a *app) changing(do func(*client.Client, context.Context, ledger.DeclarationName) (ledger.Declaration, error)) aboutDeclaration {
	return func(command *cobra.Command, c *client.Client, name ledger.DeclarationName) error {
		declaration, err := do(c, command.Context(), name)
		if err != nil {
			return err
		}
		return a.printDeclaration(declaration)
	}
}

func (a *app) emergencyAnswer() *cobra.Command {
	return a.onDeclaration("answer", "Pass on to a responder what you hold of what a declaration covers",
		"For authors of records. An emergency desk answers by itself: pie agent run.",
		func(command *cobra.Command, c *client.Client, name ledger.DeclarationName) error {
			passed, err := c.AnswerEmergency(command.Context(), name)
			rows := table{{"RECORD"}}
			for _, record := range passed {
				rows = append(rows, []string{string(record)})
			}
			return cmp.Or(err, a.printList(passed, rows))
		})
}

func (a *app) emergencyReview() *cobra.Command {
	var verdict, note string
	command := a.onDeclaration("review", "Say what you found out about an emergency that is over",
		"--note is a file with your reasons, at least 20 characters; it never stands on the ledger. escalated leaves the review open.",
		func(command *cobra.Command, c *client.Client, name ledger.DeclarationName) error {
			text, err := readNarrative(note, command.InOrStdin())
			if err != nil {
				return err
			}
			return a.changing(func(c *client.Client, ctx context.Context, name ledger.DeclarationName) (ledger.Declaration, error) {
				return c.ReviewEmergency(ctx, name, ledger.Verdict(verdict), text)
			})(command, c, name)
		})
	command.Use += " --verdict VERDICT --note FILE"
	command.Example += " --verdict justified --note note.txt"
	command.Flags().StringVar(&verdict, "verdict", "", "justified, unjustified or escalated")
	command.Flags().StringVar(&note, "note", "", "file with your reasons, - for standard input")
	require(command, "verdict", "note")
	return command
}

// aboutDeclaration does something about a declaration.
type aboutDeclaration func(*cobra.Command, *client.Client, ledger.DeclarationName) error

// onDeclaration is a command about one declaration.
func (a *app) onDeclaration(use, short, long string, do aboutDeclaration) *cobra.Command {
	return &cobra.Command{
		Use: use + " DECLARATION", Short: short, Long: strings.TrimSpace(short + ".\n\n" + long),
		Example: "  pie emergency " + use + " HospitalA/7f3k2a/mfz…oq",
		Args:    usage.Exactly("DECLARATION"),
		RunE: func(command *cobra.Command, arguments []string) error {
			name, err := ledger.ParseDeclarationName(arguments[0])
			if err != nil {
				return usage.Errorf("%w", err)
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			return do(command, c, name)
		},
	}
}

func (a *app) printDeclaration(d ledger.Declaration) error {
	rows := table{{"declaration", d.Name().String()}, {"state", string(d.State)}, {"scope", string(d.Scope)},
		{"reason", string(d.Reason)}, {"responder", d.Responder.User.String()}, {"declared", date(d.Declared)}, {"until", date(d.Expiry)}}
	if d.Approver.User != (ledger.UserID{}) {
		rows = append(rows, []string{"approver", d.Approver.User.String()})
	}
	if d.ReviewedBy != "" {
		rows = append(rows, []string{"reviewed by", d.ReviewedBy}, []string{"review due", date(d.Due)})
	}
	if d.Review.Verdict != "" {
		rows = append(rows, []string{"verdict", string(d.Review.Verdict)})
	}
	return a.print(d, rows)
}

func (a *app) emergencyCustodian() *cobra.Command {
	var desk string
	var expires when
	command := &cobra.Command{
		Use:   "custodian RECORD --desk USER",
		Short: "Let an emergency desk pass a record of yours on in an emergency",
		Long: `Let an emergency desk pass a record of yours on in an emergency. Hospitals re-encrypt
for it under an active declaration that covers the record, and otherwise never.`,
		Example: "  pie emergency custodian 4v7…q2 --desk HospitalB/k4wq7h",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			user, err := parseUser(desk)
			if err := cmp.Or(err, a.sureUntil(&expires)); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			grant, err := c.GrantCustodian(command.Context(), ledger.ID(arguments[0]), user, expires.at)
			if err != nil {
				return err
			}
			return a.print(grant, table{{"grant", string(grant.ID)}, {"desk", desk}, {"until", date(grant.Expiry)}})
		},
	}
	command.Flags().StringVar(&desk, "desk", "", "the emergency desk, as HospitalB/k4wq7h")
	a.defineExpires(command, &expires, "365d", "how long the desk may pass it on")
	require(command, "desk")
	return command
}

func (a *app) emergencyPolicy() *cobra.Command {
	var trusted []string
	command := &cobra.Command{
		Use:   "policy approved|trusted|never",
		Short: "Say who may have records of yours opened in an emergency",
		Long: `Say who may have records of yours opened in an emergency: whoever a second hospital
approves, of those only the responders you trust, or nobody. The summary always opens.`,
		Example: "  pie emergency policy never\n  pie emergency policy trusted --trust HospitalB/k4wq7h",
		Args:    usage.Exactly("approved|trusted|never"),
		RunE: func(command *cobra.Command, arguments []string) error {
			users, err := parseUsers(trusted)
			if err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			stated, err := c.SetEmergencyPolicy(command.Context(), ledger.EmergencyRule(arguments[0]), users)
			if err != nil {
				return err
			}
			return a.print(stated, table{{"records", string(stated.Records)}, {"trusted", strings.Join(trusted, ", ")}})
		},
	}
	command.Flags().StringArrayVar(&trusted, "trust", nil, "a responder, several times for several")
	return command
}

func parseUser(text string) (ledger.UserID, error) {
	user, err := ledger.ParseUserID(text)
	if err != nil {
		return user, usage.Errorf("%w", err)
	}
	return user, nil
}

func parseUsers(texts []string) ([]ledger.UserID, error) {
	var users []ledger.UserID
	for _, text := range texts {
		user, err := parseUser(text)
		if err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	return users, nil
}
