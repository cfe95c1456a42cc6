package agent

import (
	"context"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Left is a request that waits for the patient, and why no rule answers it.
type Left struct {
	ledger.AccessRequest
	Why string `json:"why"`
}

// Inbox lists everything that nobody has answered yet, oldest first.
func (a *Agent) Inbox(ctx context.Context) ([]Left, error) {
	if err := a.open(); err != nil {
		return nil, err
	}
	inbox := []Left{}
	err := a.evaluator.Pending(ctx, time.Time{}, func(requests []ledger.AccessRequest) error {
		for _, request := range requests {
			why, err := a.why(ctx, request)
			if err != nil {
				return err
			}
			inbox = append(inbox, Left{request, why})
		}
		return nil
	})
	return inbox, err
}

// why says what keeps a request from being granted; what could not be found out is told
// of that request alone.
func (a *Agent) why(ctx context.Context, request ledger.AccessRequest) (string, error) {
	verdict, err := a.evaluator.Judge(ctx, request)
	if err != nil && ctx.Err() == nil {
		return err.Error(), nil
	}
	if err != nil || len(verdict.Rules) == 0 {
		return verdict.Reason, err
	}
	by, err := a.places.first(ctx, verdict)
	if err != nil {
		return "", err
	}
	if by.Rule == nil {
		return "the rules have no grant left today: " + string(verdict.Rules[0].ID), nil
	}
	a.places.giveBack(by)
	return "the agent grants it when it runs, by rule " + string(by.Rule.ID), nil
}

// CardOf returns the professional card of somebody who asks; see [client.Client.CardOf].
func (a *Agent) CardOf(ctx context.Context, user ledger.UserID) (trust.Card, bool, error) {
	return a.evaluator.CardOf(ctx, user)
}
