package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// audited is an access with the name of who tried.
type audited struct {
	ledger.Access
	Name string `json:"name,omitempty"`
}

func (a *app) audit() *cobra.Command {
	return &cobra.Command{
		Use:     "audit RECORD",
		Short:   "Show who opened a record or tried to, when, what for, and with what outcome",
		Example: "  pie audit 4v7…q2",
		Args:    exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			accesses, err := c.Accesses(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.printAccesses(command.Context(), c, accesses)
		},
	}
}

func (a *app) printAccesses(ctx context.Context, c *client.Client, accesses []ledger.Access) error {
	shown, people := []audited{}, newPeople(c)
	rows := table{{"TIME", "NAME", "ROLE", "USER", "PURPOSE", "OUTCOME"}}
	for _, access := range accesses {
		card, err := people.card(ctx, access.User.User)
		if err != nil {
			return err
		}
		outcome := "opened"
		if !access.Decision.Allowed {
			outcome = "refused: " + string(access.Decision.Code) + " (" + access.Decision.Rule + ")"
		}
		shown = append(shown, audited{access, card.Name})
		rows = append(rows, []string{date(access.Time), dash(card.Name), string(access.User.Role),
			access.User.User.String(), dash(access.Purpose), outcome})
	}
	return a.printValue(shown, rows)
}

// people remembers cards, so that each is asked for once.
type people struct {
	c     *client.Client
	cards map[ledger.UserID]trust.Card
}

func newPeople(c *client.Client) *people {
	return &people{c: c, cards: map[ledger.UserID]trust.Card{}}
}

// card is the zero card for those who have none.
func (p *people) card(ctx context.Context, user ledger.UserID) (trust.Card, error) {
	if card, known := p.cards[user]; known {
		return card, nil
	}
	card, _, err := p.c.CardOf(ctx, user)
	if err != nil && !errors.Is(err, fault.New(fault.NotFound, "")) {
		return card, err
	}
	p.cards[user] = card
	return card, nil
}
