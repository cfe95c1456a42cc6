package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// own makes cells of a list that has to show to everybody what is theirs, all of it and
// nothing else.
func (w *world) own(c call, want func(*person) []ledger.ID, name string) []cell {
	cells := product(w.everybody(), nothing, func(*person, object) call { return c })
	for i := range cells {
		cells[i].look = shows(want(cells[i].by), name)
	}
	return cells
}

// shows wants a list of exactly these IDs, in any order, under that name in each row.
func shows(want []ledger.ID, name string) func(json.RawMessage) error {
	return func(result json.RawMessage) error {
		var list ledger.List[map[string]any]
		if err := json.Unmarshal(result, &list); err != nil {
			return err
		}
		var got []ledger.ID
		for _, row := range list.Rows {
			got = append(got, ledger.ID(fmt.Sprint(row[name])))
		}
		wanted := slices.Sorted(slices.Values(want))
		slices.Sort(got)
		if list.Bookmark != "" || !slices.Equal(got, wanted) {
			return fmt.Errorf("the list shows %d rows, want %d", len(got), len(wanted))
		}
		return nil
	}
}

var all = ledger.Page{Limit: ledger.MaxPage}

func (w *world) listSlots(*testing.T) []cell {
	want := func(p *person) []ledger.ID { return w.slots[p.User] }
	return w.own(call{tx: ledger.TxListSlots, argument: ledger.ListSlots{Page: all}}, want, "record")
}

func (w *world) listRequests(*testing.T) []cell {
	want := func(p *person) []ledger.ID {
		if p.Role == ledger.RolePatient {
			return w.inbox[p.User]
		}
		return w.outbox[p.User]
	}
	return w.own(call{tx: ledger.TxListRequests, argument: ledger.ListRequests{Page: all}}, want, "id")
}

func (w *world) listGrants(*testing.T) []cell {
	want := func(p *person) []ledger.ID { return w.held[p.User] }
	return w.own(call{tx: ledger.TxListGrants, argument: ledger.ListGrants{Page: all}}, want, "id")
}

// listGivenGrants shows the grants for the patient's records to the patient alone.
func (w *world) listGivenGrants(*testing.T) []cell {
	return w.patients(call{tx: ledger.TxListGivenGrants, argument: ledger.ListGivenGrants{Page: all}}, string(w.shared.wanted.Grant), "id")
}

// listDisclosures shows the accesses to the patient's records to the patient alone.
func (w *world) listDisclosures(*testing.T) []cell {
	return w.patients(call{tx: ledger.TxListDisclosures, argument: ledger.ListDisclosures{Page: all}}, w.accesses[0].open, "open")
}

// patients makes cells of a list that has a row of this name to show to the patient, and to
// nobody else.
func (w *world) patients(c call, row, name string) []cell {
	cells := product(w.everybody(), nothing, func(*person, object) call { return c })
	for i := range cells {
		to := cells[i].by
		cells[i].look = func(result json.RawMessage) error {
			var list ledger.List[map[string]any]
			if err := json.Unmarshal(result, &list); err != nil {
				return err
			}
			shown := slices.ContainsFunc(list.Rows, func(shown map[string]any) bool { return shown[name] == row })
			if shown != (to.User == w.patient.User) || to.Role != ledger.RolePatient && len(list.Rows) > 0 {
				return fmt.Errorf("the list of %s has %d rows, the patient's among them: %v", to.User, len(list.Rows), shown)
			}
			return nil
		}
	}
	return cells
}

// listAnswers shows to each patient what their own rule answered, though all name the same.
func (w *world) listAnswers(*testing.T) []cell {
	want := func(p *person) []ledger.ID { return w.answered[p.User] }
	return w.own(call{tx: ledger.TxListAnswers, argument: ledger.ListAnswers{Page: all, Rule: w.rule, Day: w.day}}, want, "request")
}

// searchRecords shows of the patient's records those that each may discover.
func (w *world) searchRecords(*testing.T) []cell {
	want := func(p *person) []ledger.ID {
		var records []ledger.ID
		for _, f := range w.records {
			if w.table.decide("discover", question{p.Identity, f.object}) == "" {
				records = append(records, f.wanted.Record)
			}
		}
		return records
	}
	return w.own(call{tx: ledger.TxSearchRecords, argument: ledger.SearchRecords{Page: all, Patient: w.patient.User}}, want, "id")
}

// What a record is about is private to the members: who asks a peer directly, and could
// put the answer into a block, is not told.
func TestOnlyGatewaysAreToldWhatRecordsAreAbout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	people := the.everybody()
	err := each(len(people), func(i int) error {
		gateway := people[i].Role == ledger.RoleGateway
		search := call{tx: ledger.TxSearchRecords, argument: ledger.SearchRecords{Class: ledger.ClassImaging}}
		if _, err := the.peers.evaluate(ctx, people[i], search); (err == nil) != gateway || err != nil && codeOf(err) != fault.PermissionDenied {
			return fmt.Errorf("a search by class by %s: %s", people[i].User, textOf(err))
		}
		read := call{tx: ledger.TxReadRecord, argument: ledger.ReadRecord{Record: the.shared.wanted.Record}}
		text, err := the.peers.evaluate(ctx, people[i], read)
		if err != nil {
			return nil //nolint:nilerr // who may not discover it is told nothing, as the cells show
		}
		var view ledger.RecordView
		if err := json.Unmarshal(text, &view); err != nil {
			return err
		}
		if (view.Metadata != nil) != gateway {
			return fmt.Errorf("%s was told %v", people[i].User, view.Metadata)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
