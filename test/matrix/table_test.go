package matrix

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// table is what docs/contract.md says about who may do what.
type table struct {
	rows     map[ledger.Transaction]row
	sections map[ledger.Transaction]map[string]string // transaction → line → text
	rules    map[string][]string                      // action → rules in order
	codes    map[string]fault.Code                    // rule → code
	purposes map[ledger.Role][]ledger.Purpose
}

// row is what one transaction asks for, in this order; what is empty it does not ask for.
type row struct {
	roles     []string
	object    string
	relations []string
	unrelated fault.Code // for whoever stands in none of them
	states    []string
	otherwise fault.Code // for other states
	decision  string     // action
	openers   bool       // are let in, too
}

const contractPage = "../../docs/contract.md"

func readTable() (table, error) {
	text, err := os.ReadFile(contractPage)
	if err != nil {
		return table{}, err
	}
	page := string(text)
	t := table{
		rows: map[ledger.Transaction]row{}, sections: sectionsOf(page), rules: map[string][]string{},
		codes: map[string]fault.Code{}, purposes: map[ledger.Role][]ledger.Purpose{},
	}
	for _, cells := range rowsUnder(page, "| action | rules, in order |") {
		action, _, _ := strings.Cut(cells[0], ":")
		t.rules[action] = ruleNames(cells[1])
	}
	for _, cells := range rowsUnder(page, "| rule | code |") {
		for _, rule := range words(cells[0]) {
			t.codes[rule] = fault.Code(strings.Trim(cells[1], "`"))
		}
	}
	for _, cells := range rowsUnder(page, "| role | purposes |") {
		for _, purpose := range words(cells[1]) {
			role := ledger.Role(cells[0])
			t.purposes[role] = append(t.purposes[role], ledger.Purpose(purpose))
		}
	}
	for _, cells := range rowsUnder(page, "| transaction | roles | object | relation | states | decision |") {
		if len(cells) != 6 {
			return t, fmt.Errorf("%s: the row of %s has %d cells", contractPage, cells[0], len(cells))
		}
		relations, unrelated := alternative(cells[3], fault.PermissionDenied)
		states, otherwise := alternative(cells[4], "")
		decision, openers := strings.CutSuffix(cells[5], ", or opener")
		t.rows[ledger.Transaction(cells[0])] = row{
			roles: words(cells[1]), object: cells[2], relations: words(relations), unrelated: unrelated,
			states: words(states), otherwise: otherwise, decision: decision, openers: openers,
		}
	}
	return t, nil
}

// alternative splits what a cell asks for from the code of everything else.
func alternative(cell string, otherwise fault.Code) (string, fault.Code) {
	asked, code, found := strings.Cut(cell, " else ")
	if found {
		otherwise = fault.Code(strings.Trim(code, "`"))
	}
	return asked, otherwise
}

// rowsUnder returns the cells of the table with that heading.
func rowsUnder(page, heading string) [][]string {
	_, below, _ := strings.Cut(page, heading+"\n")
	var rows [][]string
	for line := range strings.Lines(below) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var remark = regexp.MustCompile(` ?\([^)]*\)`)

// ruleNames drops what the table says besides the rules.
func ruleNames(cell string) []string {
	if _, behind, found := strings.Cut(cell, "else:"); found {
		cell = behind
	}
	return words(remark.ReplaceAllString(cell, ""))
}

func words(cell string) []string {
	var list []string
	for word := range strings.SplitSeq(cell, ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	return list
}

var (
	sectionHeading = regexp.MustCompile("^### `(\\w+)`$")
	sectionLine    = regexp.MustCompile(`^- (\w+): (.*)$`)
)

func sectionsOf(page string) map[ledger.Transaction]map[string]string {
	sections := map[ledger.Transaction]map[string]string{}
	var current map[string]string
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if match := sectionHeading.FindStringSubmatch(line); match != nil {
			current = map[string]string{}
			sections[ledger.Transaction(match[1])] = current
		} else if match := sectionLine.FindStringSubmatch(line); match != nil && current != nil {
			current[match[1]] = match[2]
		}
	}
	return sections
}

// object is what a cell's transaction is about.
type object struct {
	state     string // as on the ledger, "absent" when there is none
	record    ledger.Record
	requester ledger.UserID
	grant     *ledger.Grant        // named by an opening
	grants    []ledger.Grant       // all of the record
	opener    *ledger.Identity     // of an access
	purpose   ledger.Purpose       // of a request for access
	about     ledger.RecordVersion // what is named, whether it is there or not
	request   ledger.ID            // of a request for access
	waits     bool                 // the caller has asked for it, for the same purpose, and nobody has answered

	declaration *ledger.Declaration // of an emergency, or that an opening names
	custodians  []ledger.UserID     // of what it covers
	open        string              // transaction ID of a custodian's opening
	declaring   *declaring          // what a declaration that is to be made depends on
}

const absent = "absent"

// knowsErased are the transactions about records that go on when one is erased, or commit
// that it is.
var knowsErased = map[ledger.Transaction]bool{
	ledger.TxListAccesses: true, ledger.TxEraseRecord: true, ledger.TxConfirmReplicas: true,
	ledger.TxRequestAccess: true, ledger.TxOpenRecord: true,
}

// expect is what the table says: an empty code allows.
func (t table) expect(tx ledger.Transaction, by ledger.Identity, o object) fault.Code {
	r := t.rows[tx]
	switch {
	case len(r.roles) > 0 && !slices.Contains(r.roles, string(by.Role)):
		return fault.PermissionDenied
	case r.object != "" && o.state == absent:
		return fault.NotFound
	case r.object == "record" && o.state == string(ledger.RecordErased) && !knowsErased[tx]:
		return fault.Erased
	case len(r.relations) > 0 && !slices.ContainsFunc(r.relations, func(relation string) bool { return t.related(relation, by, o) }):
		return r.unrelated
	case len(r.states) > 0 && !slices.Contains(r.states, o.state):
		return r.otherwise
	case r.decision == "", r.openers && t.related("opener", by, o):
		return ""
	case o.opener != nil:
		by = *o.opener
	}
	if code := t.decide(r.decision, question{by, o}); code != "" || !o.waits {
		return code
	}
	return fault.StateConflict
}

// related is the relation between a caller and an object, in the words of the table.
func (t table) related(relation string, by ledger.Identity, o object) bool {
	switch relation {
	case "patient":
		return by.User == o.record.Patient
	case "gateway":
		return by.Role == ledger.RoleGateway
	case "author":
		return by.User == o.record.Author
	case "owner":
		return by.User == o.record.Patient
	case "elsewhere", "responder", "approver", "second", "custodian", "concerned", "reviewer", "eraser", "entitled":
		return relatedInEmergency(relation, by, o)
	case "requester":
		return by.User == o.requester
	case "officer":
		return by.Role == "privacy-officer" && (by.User.MSP == o.record.Patient.MSP || by.User.MSP == o.record.Author.MSP)
	case "opened":
		return o.opener != nil && by.User == o.opener.User
	case "opener":
		return slices.ContainsFunc(o.grants, func(grant ledger.Grant) bool {
			o.grant = &grant
			return t.decide("open", question{by, o}) == ""
		})
	}
	return false
}

// question is a decision to take.
type question struct {
	by ledger.Identity
	object
}

// decide asks the rules of an action in the table's order.
func (t table) decide(action string, q question) fault.Code {
	if action == "discover" && q.record.State != ledger.RecordErased && (q.by.User == q.record.Patient || q.by.User == q.record.Author || q.by.Role == "gateway") {
		return ""
	}
	if action == "open" && (q.declaration != nil || q.grant != nil && q.grant.Custodian) {
		action = "open in an emergency"
	}
	for _, rule := range t.rules[action] {
		broken, known := t.brokenRules()[rule]
		if !known {
			return fault.Code("no test knows the rule " + rule)
		}
		if broken(q) {
			return t.codes[rule]
		}
	}
	return ""
}
