package contract

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pie-consortium/pie/chaincode/rules"
	"github.com/pie-consortium/pie/ledger"
)

// observed is what every transaction was seen to do in all tests of this package.
var observed = observations{seen: map[ledger.Transaction]map[string]map[string]bool{}}

type observations struct {
	lock sync.Mutex
	seen map[ledger.Transaction]map[string]map[string]bool // transaction → reads, writes … → names
}

func (o *observations) note(tx ledger.Transaction, what, name string) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.seen[tx] == nil {
		o.seen[tx] = map[string]map[string]bool{}
	}
	if o.seen[tx][what] == nil {
		o.seen[tx][what] = map[string]bool{}
	}
	o.seen[tx][what][name] = true
}

// TestMain compares what was observed with docs/contract.md once all tests have run:
// the table tells no less and no more than what the transactions do.
func TestMain(m *testing.M) {
	code := m.Run()
	complete := !slices.ContainsFunc(os.Args, func(argument string) bool {
		return strings.HasPrefix(argument, "-test.run=") || strings.HasPrefix(argument, "-test.fuzz=") || strings.HasPrefix(argument, "-test.skip=")
	})
	if code == 0 && complete && !documented(os.Stderr) {
		code = 1
	}
	os.Exit(code)
}

func documented(complaints io.Writer) bool {
	text, err := os.ReadFile("../../../docs/contract.md")
	if err != nil {
		fmt.Fprintln(complaints, err)
		return false
	}
	agrees := true
	table := parseContract(string(text))
	for tx := range rules.Transactions() {
		for _, name := range fieldsOf(arguments[tx]) {
			observed.note(tx, "arguments", name)
		}
		for _, what := range []string{"arguments", "transient", "reads", "writes", "event", "refusals"} {
			said, seen := table[tx][what], slices.Sorted(maps.Keys(observed.seen[tx][what]))
			if !slices.Equal(said, seen) {
				fmt.Fprintf(complaints, "docs/contract.md: %s %s\n  says %s\n  does %s\n", tx, what, strings.Join(said, " "), strings.Join(seen, " "))
				agrees = false
			}
		}
	}
	for tx := range table {
		if _, exists := rules.Transactions()[tx]; !exists {
			fmt.Fprintf(complaints, "docs/contract.md describes %s, which does not exist\n", tx)
			agrees = false
		}
	}
	return agrees
}

var (
	heading = regexp.MustCompile("^### `(\\w+)`$")
	line    = regexp.MustCompile(`^- (\w+): (.*)$`)
	word    = regexp.MustCompile("`([^`]+)`")
)

// parseContract reads the sections of docs/contract.md: transaction → line → sorted words.
func parseContract(text string) map[ledger.Transaction]map[string][]string {
	table := map[ledger.Transaction]map[string][]string{}
	var current map[string][]string
	for row := range strings.Lines(text) {
		row = strings.TrimSpace(row)
		if match := heading.FindStringSubmatch(row); match != nil {
			current = map[string][]string{}
			table[ledger.Transaction(match[1])] = current
		} else if match := line.FindStringSubmatch(row); match != nil && current != nil {
			for _, found := range word.FindAllStringSubmatch(match[2], -1) {
				current[match[1]] = append(current[match[1]], found[1])
			}
			slices.Sort(current[match[1]])
		}
	}
	return table
}

// arguments is the type of every transaction's argument, which has its name.
var arguments = map[ledger.Transaction]any{
	ledger.TxRegisterOrganization: ledger.RegisterOrganization{},
	ledger.TxRegisterUser:         ledger.RegisterUser{},
	ledger.TxReplaceCard:          ledger.ReplaceCard{},
	ledger.TxAuthorizeSlots:       ledger.AuthorizeSlots{},
	ledger.TxRegisterRecord:       ledger.RegisterRecord{},
	ledger.TxRegisterUnattended:   ledger.RegisterUnattended{},
	ledger.TxConfirmRecord:        ledger.ConfirmRecord{},
	ledger.TxDisputeRecord:        ledger.DisputeRecord{},
	ledger.TxRequestAccess:        ledger.RequestAccess{},
	ledger.TxGrantAccess:          ledger.GrantAccess{},
	ledger.TxDenyAccess:           ledger.DenyAccess{},
	ledger.TxOpenRecord:           ledger.OpenRecord{},
	ledger.TxSetResponders:        ledger.SetResponders{},
	ledger.TxSetEmergencyPolicy:   ledger.SetEmergencyPolicy{},
	ledger.TxDeclareBreakGlass:    ledger.DeclareBreakGlass{},
	ledger.TxApproveBreakGlass:    ledger.ApproveBreakGlass{},
	ledger.TxCloseBreakGlass:      ledger.CloseBreakGlass{},
	ledger.TxReviewBreakGlass:     ledger.ReviewBreakGlass{},
	ledger.TxEraseNarratives:      ledger.EraseNarratives{},
	ledger.TxGrantCustodian:       ledger.GrantCustodian{},
	ledger.TxIssueEmergencyGrant:  ledger.IssueEmergencyGrant{},
	ledger.TxReadDeclaration:      ledger.ReadDeclaration{},
	ledger.TxListDeclarations:     ledger.ListDeclarations{},
	ledger.TxListEmergencyRecords: ledger.ListEmergencyRecords{},
	ledger.TxRevokeGrant:          ledger.RevokeGrant{},
	ledger.TxChangePolicy:         ledger.ChangePolicy{},
	ledger.TxWhoCanRead:           ledger.WhoCanRead{},
	ledger.TxRotateRecord:         ledger.RotateRecord{},
	ledger.TxEraseRecord:          ledger.EraseRecord{},
	ledger.TxReadOrganizations:    ledger.ReadOrganizations{},
	ledger.TxReadUser:             ledger.ReadUser{},
	ledger.TxReadRecord:           ledger.ReadRecord{},
	ledger.TxSearchRecords:        ledger.SearchRecords{},
	ledger.TxReadHistory:          ledger.ReadHistory{},
	ledger.TxReadContent:          ledger.ReadContent{},
	ledger.TxListSlots:            ledger.ListSlots{},
	ledger.TxListRequests:         ledger.ListRequests{},
	ledger.TxReadRequest:          ledger.ReadRequest{},
	ledger.TxListGrants:           ledger.ListGrants{},
	ledger.TxListGivenGrants:      ledger.ListGivenGrants{},
	ledger.TxListAnswers:          ledger.ListAnswers{},
	ledger.TxListAccesses:         ledger.ListAccesses{},
	ledger.TxListDisclosures:      ledger.ListDisclosures{},
	ledger.TxReadAccess:           ledger.ReadAccess{},
	ledger.TxReadRelease:          ledger.ReadRelease{},
	ledger.TxReadSlot:             ledger.ReadSlot{},
	ledger.TxAppendSegments:       ledger.AppendSegments{},
	ledger.TxListSegments:         ledger.ListSegments{},
	ledger.TxConfirmReplicas:      ledger.ConfirmReplicas{},
	ledger.TxConfirmErasure:       ledger.ConfirmErasure{},
	ledger.TxReadReplicas:         ledger.ReadReplicas{},
	ledger.TxReadKeyEscrow:        ledger.ReadKeyEscrow{},

	ledger.TxReplaceKeys:           ledger.ReplaceKeys{},
	ledger.TxRequestKeyReplacement: ledger.RequestKeyReplacement{},
	ledger.TxApproveKeyReplacement: ledger.ApproveKeyReplacement{},
	ledger.TxRejectKeyReplacement:  ledger.RejectKeyReplacement{},
	ledger.TxListKeyReplacements:   ledger.ListKeyReplacements{},
	ledger.TxReadErasure:           ledger.ReadErasure{},
	ledger.TxReadContentReferences: ledger.ReadContentReferences{},
}

// fieldsOf lists the JSON names of a struct's fields, those of embedded structs included.
func fieldsOf(value any) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
