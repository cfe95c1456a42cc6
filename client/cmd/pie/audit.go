package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// audited is an access with the name of who tried.
type audited struct {
	ledger.Access
	Name    string `json:"name,omitempty"`
	BadCard bool   `json:"badCard,omitempty"` // it does not verify, so it says nothing
}

func (a *app) audit() *cobra.Command {
	command := &cobra.Command{
		Use:   "audit RECORD",
		Short: "Show who opened a record or tried to, when, what for, and with what outcome",
		Long: `Show who opened a record or tried to, when, what for, and with what outcome.

This is what your gateway tells. To have it proven, and to ask the other hospitals what
your own may hide: pie audit verify.`,
		Example: "  pie audit 4v7…q2",
		Args:    usage.Exactly("RECORD"),
		RunE: func(command *cobra.Command, arguments []string) error {
			c, err := a.open()
			if err != nil {
				return err
			}
			accesses, err := c.Accesses(command.Context(), ledger.ID(arguments[0]))
			if err != nil {
				return err
			}
			return a.printAccesses(command.Context(), newPeople(c.CardOf), accesses)
		},
	}
	command.AddCommand(a.verify(), a.auditReport())
	return command
}

func (a *app) printAccesses(ctx context.Context, people *people, accesses []ledger.Access) error {
	shown := []audited{}
	rows := table{accessHead}
	for _, access := range accesses {
		card, err := people.card(ctx, access.User.User)
		if err != nil {
			return err
		}
		shown = append(shown, audited{access, card.Name, card.bad})
		rows = append(rows, accessRow(access, card))
	}
	return a.printValue(shown, rows)
}

var accessHead = []string{"TIME", "NAME", "ROLE", "USER", "PURPOSE", "OUTCOME", "GRANT", "REQUEST", "TRANSACTION"}

func accessRow(access ledger.Access, by card) []string {
	outcome := "opened"
	if !access.Decision.Allowed {
		outcome = "refused: " + string(access.Decision.Code) + " (" + access.Decision.Rule + ")"
	}
	return []string{date(access.Time), by.shownName(), string(access.User.Role), access.User.User.String(),
		dash(access.Purpose), outcome, string(access.Grant), dash(access.Request), access.Open}
}

// people remembers cards, so that each is asked for once.
type people struct {
	ask   func(context.Context, ledger.UserID) (trust.Card, bool, error)
	cards map[ledger.UserID]card
}

// card is the zero card for those who have none, and a mark for one that does not verify.
type card struct {
	trust.Card
	bad bool
}

func (c card) shownName() string {
	if c.bad {
		return "card does not verify"
	}
	return dash(c.Name)
}

func newPeople(ask func(context.Context, ledger.UserID) (trust.Card, bool, error)) *people {
	return &people{ask: ask, cards: map[ledger.UserID]card{}}
}

// card looks somebody's card up. A bad one is a mark: it is not to keep the others from
// being shown.
func (p *people) card(ctx context.Context, user ledger.UserID) (card, error) {
	if known, found := p.cards[user]; found {
		return known, nil
	}
	signed, _, err := p.ask(ctx, user)
	var bad *client.CardError
	if err != nil && !errors.As(err, &bad) && !errors.Is(err, fault.New(fault.NotFound, "")) {
		return card{}, err
	}
	p.cards[user] = card{signed, bad != nil}
	return p.cards[user], nil
}
