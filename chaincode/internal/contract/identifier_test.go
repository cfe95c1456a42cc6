package contract

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// ids says of every kind of ID in transactions who draws it, and where there is one alone
// of its kind. A lookup by what is in "unique" finds one thing, whoever draws what.
var ids = map[string]struct {
	drawn  string
	unique string
	second func(*emergency) error // makes another of the ID, of somebody else or elsewhere
}{
	"Record": {"patient, or author of an unattended record", "ledger", func(e *emergency) error {
		u := e.newUpload(ledger.ClassImaging)
		wanted := u.slot()
		wanted.Record = e.record.slot().Record
		wanted.RecordKey = e.neighbour.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: wanted.Record, Version: 1})
		return e.tried(e.neighbour, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	}},
	"Request": {"requester", "ledger", func(e *emergency) error {
		id := e.request(e.record, e.colleague, ledger.PurposeTreatment).ID
		return e.tried(e.colleague, ledger.TxRequestAccess,
			ledger.RequestAccess{RecordVersion: e.summary.version(), Request: id, Purpose: ledger.PurposeTreatment})
	}},
	"Grant": {"patient, or author of an unattended record", "ledger", func(e *emergency) error {
		a, sealed := e.grantFor(e.request(e.summary, e.colleague, ledger.PurposeTreatment), e.colleague)
		a.Grant = e.record.slot().Grant
		for i := range sealed {
			sealed[i].Grant = a.Grant
		}
		return e.tried(e.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	}},
	"Declaration": {"responder", "ledger", func(e *emergency) error {
		a := e.ofSummary()
		a.Declaration = e.declare(e.responder, a).ID
		a.Patient = e.neighbour.user
		return e.tried(e.outsider, ledger.TxDeclareBreakGlass, a, ledger.TransientNarrative, narrative())
	}},
	"Open":        {"ledger: a transaction's ID", "ledger", nil},
	"Replacement": {"who asks", "user: every lookup names whose keys they are", nil},
	"Rule":        {"patient", "patient: looked up by that patient alone", nil},
}

// idNames are the names under which IDs of a kind stand in arguments.
var idNames = map[string]string{
	"Record": "Record", "Records": "Record", "Stream": "Record", "Request": "Request", "Grant": "Grant",
	"Declaration": "Declaration", "Replacement": "Replacement", "Rule": "Rule",
}

func (e *emergency) tried(by *person, tx ledger.Transaction, argument any, transient ...any) error {
	e.t.Helper()
	_, err := e.call(by, tx, argument, transient...)
	return err
}

func TestIDsAreUniqueWhereTheyAreLookedUp(t *testing.T) {
	for name, of := range ids {
		t.Run(name, func(t *testing.T) {
			if of.unique != "ledger" || of.second == nil {
				return
			}
			if err := of.second(newEmergency(t)); fault.CodeOf(err) != fault.AlreadyExists {
				t.Errorf("a second one of the ID: %v, want %s", err, fault.AlreadyExists)
			}
		})
	}
}

// No argument holds an ID of a kind that the table does not know.
func TestTheTableKnowsEveryID(t *testing.T) {
	for tx, argument := range arguments {
		for _, name := range idsIn(reflect.TypeOf(argument)) {
			if _, known := ids[idNames[name]]; !known {
				t.Errorf("%s takes an ID called %s: say in the table where it is unique", tx, name)
			}
		}
	}
}

// idsIn are the names of the fields that hold IDs.
func idsIn(t reflect.Type) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for field := range t.Fields() {
		of := field.Type
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of == reflect.TypeFor[ledger.ID]() {
			names = append(names, field.Name)
		} else if field.IsExported() {
			names = append(names, idsIn(of)...)
		}
	}
	return names
}

// What custodians issue has a name that follows from what it is for, and nobody can have
// taken it: a drawn ID is never one that something derives to.
func TestNobodyTakesADerivedName(t *testing.T) {
	e := newEmergency(t)
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.colleague)
	derived := ledger.EmergencyGrantID(d.ID, e.record.version(), e.desk.user)
	taking, sealed := e.custodianGrant(e.record)
	taking.Grant = derived
	for i := range sealed {
		sealed[i].Grant = derived
	}
	e.refused(fault.InvalidArgument, e.patient, ledger.TxGrantCustodian, taking, ledger.TransientFragments, sealed)
	again := e.ofSummary()
	again.Declaration = derived
	e.refused(fault.InvalidArgument, e.responder, ledger.TxDeclareBreakGlass, again, ledger.TransientNarrative, narrative())
	request := ledger.RequestAccess{RecordVersion: e.record.version(), Request: derived, Purpose: ledger.PurposeTreatment}
	e.refused(fault.InvalidArgument, e.colleague, ledger.TxRequestAccess, request)
	for range 1000 {
		name := ledger.EmergencyGrantID(ledger.NewID(), e.record.version(), e.desk.user)
		if drawn := ledger.NewID(); drawn.Derived() || !name.Derived() || name.Validate() != nil {
			t.Fatal(fmt.Sprint(drawn, name))
		}
	}
}
