package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// deadline bounds everything that nodes are asked for.
const deadline = 5 * time.Minute

var the *world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	network, err := networktest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	defer cancel()
	code := 1
	if the, err = build(ctx, network); err == nil {
		code = m.Run()
	}
	for _, err := range []error{err, network.Close()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// cell is one point of the matrix.
type cell struct {
	by   *person
	call call
	o    object
	// look inspects the answer of an allowed cell further; nil when there is nothing more.
	look func(result json.RawMessage) error
}

// visits remembers which cells there were.
type visits struct {
	lock sync.Mutex
	seen map[visit]int
}

type visit struct {
	tx    ledger.Transaction
	who   ledger.Identity // of the crowd, without name
	state string
}

func (v *visits) note(c cell) {
	who := c.by.Identity
	who.User.Pseudonym = ""
	v.lock.Lock()
	defer v.lock.Unlock()
	v.seen[visit{c.call.tx, who, c.o.state}]++
}

// TestEveryCellIsAsTheTableSays tries every transaction as everybody, on what is in
// every state, and compares with what docs/contract.md says.
func TestEveryCellIsAsTheTableSays(t *testing.T) {
	v := &visits{seen: map[visit]int{}}
	for tx := range the.table.rows {
		t.Run(string(tx), func(t *testing.T) {
			cells := the.cells(t, tx)
			for _, c := range cells {
				v.note(c)
			}
			outcomes := the.try(t, cells)
			t.Logf("%d cells: %v", len(cells), outcomes)
		})
	}
	t.Run("none is missing", func(t *testing.T) { the.requireAll(t, v) })
}

func (w *world) try(t *testing.T, cells []cell) map[fault.Code]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	outcomes := map[fault.Code]int{}
	for _, c := range cells {
		outcomes[w.table.expect(c.call.tx, c.by.Identity, c.o)]++
	}
	if err := each(len(cells), func(i int) error { return w.check(ctx, cells[i]) }); err != nil {
		failures := strings.Split(err.Error(), "\n")
		t.Errorf("%d of %d cells are not as the table says, the first:\n%s",
			len(failures), len(cells), strings.Join(failures[:min(len(failures), 12)], "\n"))
	}
	return outcomes
}

func (w *world) check(ctx context.Context, c cell) error {
	day, want := ledger.DayOf(time.Now()), w.table.expect(c.call.tx, c.by.Identity, c.o)
	result, err := w.peers.evaluate(ctx, c.by, c.call)
	if ledger.DayOf(time.Now()) != day { // quotas are of one
		return w.check(ctx, c)
	}
	got := codeOf(err)
	if err == nil {
		got, err = decided(c.call.tx, result)
	}
	if err == nil && got == "" && want == "" && c.look != nil {
		err = c.look(result)
	}
	if got != want || got == "" && err != nil {
		return fmt.Errorf("%s by %s %s of %s on %s: got %q, want %q (%s)",
			c.call.tx, c.by.Clearance, c.by.Role, c.by.User, c.o.state, got, want, textOf(err))
	}
	return nil
}

func textOf(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func codeOf(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.CodeOf(err)
}

// decided is the decision in the answers of the three transactions that commit it.
func decided(tx ledger.Transaction, result json.RawMessage) (fault.Code, error) {
	if tx != ledger.TxRequestAccess && tx != ledger.TxOpenRecord && tx != ledger.TxDeclareBreakGlass {
		return "", nil
	}
	var answer struct{ Decision ledger.Decision }
	err := json.Unmarshal(result, &answer)
	if err == nil && answer.Decision.Allowed != (answer.Decision.Code == "") {
		err = fmt.Errorf("the decision contradicts itself: %+v", answer.Decision)
	}
	return answer.Decision.Code, err
}

// requireAll wants a cell for every transaction by every role, clearance and
// organisation in every state that the source of package ledger knows.
func (w *world) requireAll(t *testing.T, v *visits) {
	names := constants(t)
	var transactions []ledger.Transaction
	for _, name := range names["Transaction"] {
		transactions = append(transactions, ledger.Transaction(name))
	}
	for tx, row := range w.table.rows {
		if !slices.Contains(transactions, tx) {
			t.Errorf("%s has a row for %s, which does not exist", contractPage, tx)
		}
		for _, relation := range row.relations {
			if !slices.Contains([]string{"patient", "author", "requester", "officer", "opener", "opened", "gateway", "owner", "elsewhere",
				"responder", "approver", "second", "custodian", "concerned", "reviewer", "eraser", "entitled"}, relation) {
				t.Errorf("%s: no test knows the relation %q", tx, relation)
			}
		}
	}
	for _, tx := range transactions {
		if missing := w.unvisited(v, tx, names); len(missing) > 0 {
			t.Errorf("%d cells of %s are missing, such as %+v", len(missing), tx, missing[0])
		}
	}
	for tx, lines := range w.table.sections {
		if lines["writes"] != "" && w.committed[tx] == 0 {
			t.Errorf("%s was allowed, and never committed", tx)
		}
	}
}

// unvisited is the cells of one transaction that nobody tried.
func (w *world) unvisited(v *visits, tx ledger.Transaction, names map[string][]string) []visit {
	var missing []visit
	for _, role := range names["Role"] {
		for _, clearance := range append(names["Level"], "") {
			for _, organization := range w.network.Organizations {
				who := ledger.Identity{Role: ledger.Role(role), Clearance: ledger.Level(clearance), User: ledger.UserID{MSP: organization.MSP}}
				for _, state := range statesOf(w.table.rows[tx].object, names) {
					if cell := (visit{tx, who, state}); v.seen[cell] == 0 {
						missing = append(missing, cell)
					}
				}
			}
		}
	}
	return missing
}

// statesOf is the states in which a kind of object can be met.
func statesOf(kind string, names map[string][]string) []string {
	switch kind {
	case "record":
		return append(slices.Clone(names["RecordState"]), absent)
	case "erasure":
		return []string{absent, string(ledger.RecordErased)}
	case "request":
		return append(slices.Clone(names["RequestState"]), absent)
	case "grant":
		return append(slices.Clone(names["GrantState"]), absent)
	case "replacement":
		early := func(state string) bool { return state == "used" } // takes three days
		return append(slices.DeleteFunc(slices.Clone(names["ReplacementState"]), early), absent)
	case "declaration":
		return append(slices.Clone(names["DeclarationState"]), absent)
	case "opening":
		return []string{absent, string(ledger.DeclarationActive), string(ledger.DeclarationClosed)}
	case "concern":
		return names["Concern"]
	case "slot":
		return []string{absent, "open", "used"}
	case "stream":
		return []string{absent, "whole", "stream"}
	case "access":
		return []string{absent, "fresh", "stale"}
	case "escrow":
		return []string{absent, "kept"}
	case "user":
		return []string{absent, "registered"}
	case "":
		return []string{""}
	}
	return []string{"an object of a kind that no test knows: " + kind}
}
