// Command describe writes into openapi.yaml what devices sign: the schema of every
// transaction's argument and private inputs, and of the statements beside them, from the
// types of packages ledger and trust and the comments on them.
//
//	go run ./describe
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// The generated part of the document stands between these lines.
const (
	begin = "    # begin: written by go generate from packages ledger and trust\n"
	end   = "    # end: written by go generate\n"
)

// described are the types that devices make themselves and that no route names.
var described = []any{
	ledger.RegisterOrganization{}, ledger.RegisterUser{}, ledger.ReplaceCard{}, ledger.AuthorizeSlots{}, ledger.RegisterRecord{}, ledger.RegisterUnattended{},
	ledger.ConfirmRecord{}, ledger.DisputeRecord{}, ledger.RequestAccess{}, ledger.GrantAccess{}, ledger.DenyAccess{},
	ledger.OpenRecord{}, ledger.RevokeGrant{}, ledger.ChangePolicy{}, ledger.AppendSegments{}, ledger.ConfirmReplicas{}, ledger.ConfirmErasure{},
	ledger.ReplaceKeys{}, ledger.RequestKeyReplacement{}, ledger.ApproveKeyReplacement{}, ledger.RejectKeyReplacement{},
	ledger.RotateRecord{}, ledger.EraseRecord{},
	ledger.SetResponders{}, ledger.SetEmergencyPolicy{}, ledger.DeclareBreakGlass{}, ledger.ApproveBreakGlass{},
	ledger.CloseBreakGlass{}, ledger.ReviewBreakGlass{}, ledger.EraseNarratives{}, ledger.GrantCustodian{}, ledger.IssueEmergencyGrant{}, ledger.Narrative{},
	ledger.SealedFragment{}, ledger.Profile{}, ledger.Notice{}, trust.EscrowEnvelope{}, trust.ShareEnvelope{},
	trust.KeyStatement{}, trust.KeyFragEnvelope{}, trust.Assertion{}, trust.ReencryptionRequest{}, trust.Reencryption{},
	trust.Card{}, trust.Invitation{}, trust.Replacement{}, trust.Objection{},
}

const document = "openapi.yaml"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "describe:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	if text, err = refreshed(text); err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return os.WriteFile(document, text, 0o600)
}

// refreshed is the document with its generated part written anew.
func refreshed(text []byte) ([]byte, error) {
	head, rest, found := bytes.Cut(text, []byte(begin))
	_, tail, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		return nil, errors.New("the lines that the generated part stands between are missing")
	}
	var written struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := yaml.Unmarshal(slices.Concat(head, tail), &written); err != nil {
		return nil, err
	}
	comments, err := readComments("../../ledger", "../../ledger/trust")
	if err != nil {
		return nil, err
	}
	w := writer{known: written.Components.Schemas, comments: comments, done: map[reflect.Type]bool{}}
	for _, value := range described {
		if err := w.describe(reflect.TypeOf(value)); err != nil {
			return nil, err
		}
	}
	return bytes.Join([][]byte{head, []byte(begin), w.text.Bytes(), []byte(end), tail}, nil), nil
}
