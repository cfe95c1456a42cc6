package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (a *app) access() *cobra.Command {
	group := &cobra.Command{
		Use:     "access",
		Short:   "Ask for records, and answer those who ask",
		Example: "  pie access request 4v7…q2 --purpose TREAT\n  pie access list",
	}
	group.AddCommand(a.request(), a.requests(), a.grant(), a.deny(), a.given(), a.revoke())
	return group
}

func (a *app) request() *cobra.Command {
	var purpose string
	command := &cobra.Command{
		Use:     "request RECORD --purpose PURPOSE",
		Short:   "Ask the patient for a record",
		Example: "  pie access request 4v7…q2 --purpose TREAT",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			version := ledger.RecordVersion{Record: ledger.ID(arguments[0])}
			asked, err := c.Request(command.Context(), version, ledger.Purpose(purpose))
			if err != nil {
				return err
			}
			return a.printRequest(asked)
		},
	}
	command.Flags().StringVar(&purpose, "purpose", "", "purpose of use, such as TREAT, ETREAT or HRESCH")
	require(command, "purpose")
	return command
}

// asked is a request with the card of who asks.
type asked struct {
	ledger.AccessRequest
	Name       string      `json:"name,omitempty"`
	Department string      `json:"department,omitempty"`
	CardRole   ledger.Role `json:"cardRole,omitempty"`
	BadCard    bool        `json:"badCard,omitempty"` // it does not verify, so it says nothing
}

func (a *app) requests() *cobra.Command {
	var state string
	command := &cobra.Command{
		Use:   "list",
		Short: "List requests: for a patient's records, or those you made",
		Long: `List requests: for a patient's records, or those you made.

Name, department and role come from a card that the requester's own hospital signed.`,
		Example: "  pie access list\n  pie access list --state pending",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			requests, err := c.Requests(command.Context(), ledger.RequestState(state))
			if err != nil {
				return err
			}
			return a.printRequests(command.Context(), newPeople(c.CardOf), requests)
		},
	}
	command.Flags().StringVar(&state, "state", "", "pending, granted or denied (default all)")
	return command
}

func (a *app) printRequests(ctx context.Context, people *people, requests []ledger.AccessRequest) error {
	shown := []asked{}
	rows := table{{"REQUEST", "RECORD", "PURPOSE", "STATE", "NAME", "ROLE", "DEPARTMENT", "USER", "REQUESTED", "UNTIL"}}
	for _, r := range requests {
		card, err := people.card(ctx, r.Requester.User)
		if err != nil {
			return err
		}
		shown = append(shown, asked{r, card.Name, card.Department, card.Role, card.bad})
		rows = append(rows, []string{string(r.ID), string(r.Record), string(r.Purpose), string(r.State),
			card.shownName(), dash(card.Role), dash(card.Department), r.Requester.User.String(), date(r.Requested), date(r.Expiry)})
	}
	return a.printList(shown, rows)
}

func (a *app) grant() *cobra.Command {
	var expires when
	command := &cobra.Command{
		Use:   "grant REQUEST",
		Short: "Let who asked open the record",
		Long: `Let who asked open the record, until an end.

The answer says the end in your zone. A request that is granted stays as it is: another
end is refused with the one that holds.`,
		Example: "  pie access grant 6tq…m4 --expires 30d\n  pie access grant 6tq…m4 --expires 2026-12-31",
		Args:    usage.Exactly("REQUEST"),
		RunE: func(command *cobra.Command, arguments []string) error {
			if err := a.sureUntil(&expires); err != nil {
				return err
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			granted, err := c.Grant(command.Context(), ledger.ID(arguments[0]), expires.at)
			standard := !command.Flags().Changed("expires")
			if held := granted.Expiry; fault.CodeOf(err) == fault.AlreadyExists && (standard || expires.repeats(held)) {
				err = nil
			}
			if err != nil {
				return err
			}
			return a.printRequest(granted)
		},
	}
	a.defineExpires(command, &expires, "30d", "how long the record may be opened")
	return command
}

func (a *app) given() *cobra.Command {
	return &cobra.Command{
		Use:   "given",
		Short: "List the grants for your records, whoever issued them",
		Long: `List the grants for your records, oldest first, those that have ended too. You issued
them, or a standing rule of yours did, or a custodian in an emergency.`,
		Example: "  pie access given\n  pie access given --json",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			grants, err := c.GivenGrants(command.Context())
			if err != nil {
				return err
			}
			rows := table{{"GRANT", "RECORD", "TO", "PURPOSE", "STATE", "BY", "GRANTED", "UNTIL"}}
			for _, g := range grants {
				rows = append(rows, []string{string(g.ID), string(g.Record), g.Grantee.String(), dash(g.Purpose), string(g.State),
					g.Issuer.String(), date(g.Granted), date(g.Expiry)})
			}
			return a.printList(grants, rows)
		},
	}
}

func (a *app) deny() *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:     "deny REQUEST",
		Short:   "Refuse who asked",
		Example: "  pie access deny 6tq…m4 --reason unknown-requester",
		Args:    usage.Exactly("REQUEST"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			denied, err := c.Deny(command.Context(), ledger.ID(arguments[0]), ledger.DenyReason(reason))
			if err != nil {
				return err
			}
			return a.printRequest(denied)
		},
	}
	command.Flags().StringVar(&reason, "reason", string(ledger.DenyDeclined), "declined, unknown-requester or purpose-unclear")
	return command
}

func (a *app) printRequest(r ledger.AccessRequest) error {
	return a.print(r, table{
		{"request", string(r.ID)}, {"record", string(r.Record)}, {"requester", r.Requester.User.String()},
		{"purpose", string(r.Purpose)}, {"state", string(r.State)}, {"grant", dash(r.Grant)}, {"until", date(r.Expiry)},
	})
}
