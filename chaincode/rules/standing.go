package rules

import (
	"fmt"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
)

// takePlace takes the place of the day that a standing rule answers with: each can be taken
// once, so that a rule of five places answers five times a day whoever counts. The day is
// that of the transaction.
func takePlace(ctx *state.Context, grant ledger.Grant) error {
	if grant.Standing == (ledger.Standing{}) {
		return nil
	}
	answer := ledger.Answer{
		Standing: grant.Standing, Day: ledger.DayOf(ctx.Now), Request: grant.Request, Grant: grant.ID,
		Record: grant.Record, Version: grant.Version, Answered: ctx.Now,
	}
	return state.Answers.Insert(ctx, answer, append(answersOf(grant.Patient, answer.Rule, answer.Day), placePart(answer.Place))...)
}

// listAnswers lists what a standing rule of the reader's answered on one day.
func listAnswers(ctx *state.Context, q ledger.ListAnswers) (ledger.List[ledger.Answer], error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.List[ledger.Answer]{Rows: []ledger.Answer{}}, err
	}
	return state.Answers.Page(ctx, q.Page, answersOf(reader.User, q.Rule, q.Day)...)
}

func answersOf(patient ledger.UserID, rule ledger.ID, day string) []string {
	return []string{patient.MSP, patient.Pseudonym, string(rule), day}
}

// placePart is a place as a part of a key: keys sort as the numbers do.
func placePart(place int) string { return fmt.Sprintf("%06d", place) }
