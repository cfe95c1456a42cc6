package main

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client/agent"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (a *app) agent() *cobra.Command {
	group := &cobra.Command{
		Use:     "agent",
		Short:   "Let rules of yours answer requests while you are away",
		Example: "  pie agent rule add --physician HospitalB/k4wq7h\n  pie agent run",
	}
	group.AddCommand(a.agentRun(), a.agentDesk(), a.agentRule(), a.agentInbox(), a.agentRefresh())
	return group
}

func (a *app) agentRun() *cobra.Command {
	var once bool
	command := &cobra.Command{
		Use:   "run",
		Short: "Grant requests that a rule covers, until it is stopped, and leave the rest in the inbox",
		Long: `Grant requests that a rule covers, until it is stopped, and leave the rest in the inbox.

It needs the agent's keys in the home directory and no passphrase. Rules that are added or
removed while it runs are followed at once. Stop it with an interrupt, or kill it: what it
answered stands on the ledger, and it answers nothing twice.`,
		Example: "  pie agent run\n  pie agent run --once",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			runner := a.newAgent()
			if !once {
				return runner.Run(command.Context())
			}
			done, err := runner.Once(command.Context())
			if err != nil {
				return err
			}
			return a.print(done, table{
				{"granted", strconv.Itoa(done.Granted)}, {"left to you", strconv.Itoa(done.Left)}, {"to be tried again", strconv.Itoa(done.Later)},
			})
		},
	}
	command.Flags().BoolVar(&once, "once", false, "look at what is open now and end, as a timer wants it")
	return command
}

func (a *app) agentDesk() *cobra.Command {
	return &cobra.Command{
		Use:   "desk",
		Short: "Be a hospital's emergency desk, until it is stopped",
		Long: `Be a hospital's emergency desk, until it is stopped: pass on to responders what patients
entrusted the desk with, when an emergency that was declared covers it.

Run it as an OS user and on a machine of its own, never with a gateway, with the home of
a user of role emergency-desk.`,
		Example: "  pie agent desk --home /var/lib/pie-desk",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			if role := c.Identity().Role; role != ledger.RoleEmergencyDesk {
				return fault.New(fault.PermissionDenied, "this home is of a %s; an emergency desk has the role %s", role, ledger.RoleEmergencyDesk)
			}
			a.progress.stop()
			c.Progress = nil
			desk := agent.Desk{Client: c, Log: a.logger()}
			return desk.Run(command.Context())
		},
	}
}

func (a *app) newAgent() *agent.Agent {
	return &agent.Agent{Home: a.home, Gateway: a.gateway, Log: a.logger()}
}

func (a *app) logger() *slog.Logger {
	if a.json {
		return slog.New(slog.NewJSONHandler(a.err, nil))
	}
	return slog.New(slog.NewTextHandler(a.err, nil))
}

func (a *app) agentInbox() *cobra.Command {
	return &cobra.Command{
		Use:   "inbox",
		Short: "List the requests that wait for you, and why no rule answers them",
		Long: `List the requests that wait for you, and why no rule answers them.

Answer them with: pie access grant, or pie access deny.`,
		Example: "  pie agent inbox",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			runner := a.newAgent()
			inbox, err := runner.Inbox(command.Context())
			if err != nil {
				return err
			}
			return a.printInbox(command.Context(), newPeople(runner.CardOf), inbox)
		},
	}
}

// waiting is a request with the card of who asks and why it waits.
type waiting struct {
	asked
	Why string `json:"why"`
}

func (a *app) printInbox(ctx context.Context, people *people, inbox []agent.Left) error {
	shown := []waiting{}
	rows := table{{"REQUEST", "RECORD", "PURPOSE", "NAME", "ROLE", "DEPARTMENT", "USER", "REQUESTED", "WHY IT WAITS"}}
	for _, left := range inbox {
		card, err := people.card(ctx, left.Requester.User)
		if err != nil {
			return err
		}
		shown = append(shown, waiting{asked{left.AccessRequest, card.Name, card.Department, card.Role, card.bad}, left.Why})
		rows = append(rows, []string{string(left.ID), string(left.Record), string(left.Purpose), card.shownName(),
			dash(card.Role), dash(card.Department), left.Requester.User.String(), date(left.Requested), left.Why})
	}
	return a.printList(shown, rows)
}

func (a *app) agentRefresh() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh",
		Short: "Give the agent the keys of the records that your rules reach, and take all others from it",
		Long: `Give the agent the keys of the records that your rules reach, and take all others from it.

Adding or removing a rule does this, and authorising a record gives its key; it takes
another refresh when records or their versions came about on another device or without
you, and when you have replaced keys.`,
		Example: "  pie agent refresh",
		Args:    usage.Exactly(),
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			count, err := c.RefreshAgentKeys(command.Context())
			if err != nil {
				return err
			}
			return a.print(map[string]int{"keys": count}, table{{"keys", strconv.Itoa(count)}})
		},
	}
}
