package rules

import (
	"slices"
	"strings"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
)

// currentDeclaration is the one that the responder has for the same patient and scope and
// that goes on: another one is a repeat of it, from whatever device it comes and whatever
// it says, and takes no place of a quota. Of two at the same instant one is committed: both
// read and write the same row.
func currentDeclaration(ctx *state.Context, wanted ledger.Declaration) (current ledger.Declaration, goesOn bool, err error) {
	last, found, err := state.CurrentDeclarations.Find(ctx, scopeKey(wanted)...)
	if err != nil || !found {
		return wanted, false, err
	}
	current, err = state.Declarations.Get(ctx, wanted.Patient.MSP, wanted.Patient.Pseudonym, string(last))
	if err != nil {
		return wanted, false, err
	}
	current.Repeated = true
	return current, current.GoesOn(ctx.Now), nil
}

// scopeKey is what a responder declares of a patient. Drills are apart, and so are other
// records.
func scopeKey(declaration ledger.Declaration) []string {
	patient, responder := declaration.Patient, declaration.Responder.User
	scope := string(declaration.Scope)
	if len(declaration.Records) > 0 {
		var records []string
		for _, record := range declaration.Records {
			records = append(records, string(record))
		}
		slices.Sort(records)
		scope = ledger.DigestOf([]byte(strings.Join(records, " "))).String()
	}
	if declaration.Reason == ledger.ReasonDrill {
		scope = "drill " + scope
	}
	return []string{patient.MSP, patient.Pseudonym, responder.MSP, responder.Pseudonym, scope}
}
