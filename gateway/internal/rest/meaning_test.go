package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

var signer = ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}

func proposed(name ledger.Transaction, argument string) fabric.Proposal {
	return fabric.Proposal{Transaction: name, Argument: []byte(argument), Chaincode: "pie", Channel: "pie"}
}

// Whoever signs is told what: of each transaction, everything that its argument's example
// names by an ID or a user stands in the words.
func TestEveryTransactionHasWords(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	schemas := document.Components.Schemas
	for _, listed := range schemas["Transaction"].Value.Enum {
		name := ledger.Transaction(listed.(string))
		if words[name] == nil {
			t.Errorf("there are no words for %s", name)
			continue
		}
		example := schemas[string(name)].Value.Example
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		said, err := meaning(proposed(name, string(text)), signer)
		if err != nil {
			t.Errorf("%s: the document's example: %v", name, err)
		}
		for _, field := range []string{"record", "stream", "request", "grant", "patient", "requester", "custodian", "user", "declaration", "replacement"} {
			if value, named := example.(map[string]any)[field]; named && !strings.Contains(said, value.(string)) {
				t.Errorf("%s does not say the %s: %s", name, field, said)
			}
		}
	}
}

func TestWordsSayWhatIsSigned(t *testing.T) {
	const version = `"record": "mfzwizltoqzgk43fmfzwizltoq", "version": 2`
	for argument, want := range map[string]string{
		`{` + version + `, "request": "nbswy3dpo5xxe3denbswy3dpo4", "reason": "declined"}`: "DenyAccess of chaincode pie on channel pie as HospitalA/7f3k: " +
			"deny request nbswy3dpo5xxe3denbswy3dpo4 for version 2 of record mfzwizltoqzgk43fmfzwizltoq: declined",
	} {
		if got, err := meaning(proposed(ledger.TxDenyAccess, argument), signer); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := meaning(proposed(ledger.TxDenyAccess, `{`+version+`}`), signer); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("an argument that is not valid: %v", err)
	}
}

// What is prepared is what the ledger takes: an argument with a key that it does not know,
// in another case or twice is refused before anybody signs it.
func TestPreparedArgumentsAreStrict(t *testing.T) {
	const right = `{"record": "mfzwizltoqzgk43fmfzwizltoq", "version": 1, "request": "nbswy3dpo5xxe3denbswy3dpo4", "reason": "declined"}`
	if _, err := meaning(proposed(ledger.TxDenyAccess, right), signer); err != nil {
		t.Fatal(err)
	}
	for argument, said := range map[string]string{
		strings.Replace(right, `"record"`, `"Record"`, 1):                 `"record"`,
		strings.Replace(right, `{`, `{"VERSION": 2, `, 1):                 `"version"`,
		strings.Replace(right, `{`, `{"version": 2, `, 1):                 "twice",
		strings.Replace(right, `{`, `{"note": "x", `, 1):                  "unknown",
		strings.Replace(right, `"declined"`, `{"reason": "declined"}`, 1): "type",
		right + right: "behind",
	} {
		_, err := meaning(proposed(ledger.TxDenyAccess, argument), signer)
		if fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v, want %q", argument, err, said)
		}
	}
}
