package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func TestCellsPlayNoTricksOnATerminal(t *testing.T) {
	for name, text := range map[string]string{
		"an escape sequence":    "x\x1b[2Jy",
		"an 8-bit sequence":     "x\u009b2Jy",
		"a line break":          "x\ny",
		"another column":        "x\ty",
		"a change of direction": "x\u202ey",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{out: &out}
			for _, print := range []func(any, table) error{a.print, a.printList, a.printValue} {
				out.Reset()
				if err := print(nil, table{{"HEAD", text, "z"}, {text, "y", "z"}}); err != nil {
					t.Fatal(err)
				}
				for _, r := range out.String() {
					if r != '\n' && r != ' ' && !strings.ContainsRune("HEADxyz[2J", r) {
						t.Errorf("%q was printed in %q", r, out.String())
					}
				}
				if lines := strings.Count(out.String(), "\n"); lines != 2 {
					t.Errorf("%d lines instead of two: %q", lines, out.String())
				}
			}
		})
	}
}

// Characters that take two places of a terminal, or none, move no column.
func TestColumnsStandBelowEachOther(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	rows := table{{"NAME", "WARD", "FROM"}, {"Dr. Mori", "surgery", "HospitalA"}, {"森 太郎", "外科", "HospitalB"}, {"Noe\u0308l", "ICU", "HospitalC"}, {"", "", "HospitalD"}}
	if err := a.printTable(rows); err != nil {
		t.Fatal(err)
	}
	want := "NAME      WARD     FROM\n" +
		"Dr. Mori  surgery  HospitalA\n" +
		"森 太郎   外科     HospitalB\n" +
		"Noe\u0308l      ICU      HospitalC\n" +
		"                   HospitalD\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	if err := a.printTable(table{{"a long cell that is the last one"}, {"a", "b", ""}}); err != nil || out.String() != "a long cell that is the last one\na  b\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// One requester's junk keeps nobody else's request from being read.
func TestBadCardIsAMarkInItsRow(t *testing.T) {
	good, bad := ledger.UserID{MSP: "HospitalA", Pseudonym: "good"}, ledger.UserID{MSP: "HospitalB", Pseudonym: "bad"}
	cards := func(_ context.Context, user ledger.UserID) (trust.Card, bool, error) {
		if user == bad {
			return trust.Card{}, false, &client.CardError{User: user, Cause: fault.New(fault.InvalidArgument, "junk")}
		}
		return trust.Card{Name: "Dr. Good"}, true, nil
	}
	var out bytes.Buffer
	a := &app{out: &out}
	requests := func() error {
		return a.printRequests(t.Context(), newPeople(cards), []ledger.AccessRequest{
			{ID: "one", Requester: ledger.Identity{User: bad}}, {ID: "two", Requester: ledger.Identity{User: good}},
		})
	}
	accesses := func() error {
		return a.printAccesses(t.Context(), newPeople(cards), []ledger.Access{{User: ledger.Identity{User: bad}}, {User: ledger.Identity{User: good}}})
	}
	for name, print := range map[string]func() error{"access list": requests, "audit": accesses} {
		for a.json, a.quiet = range map[bool]bool{false: false, true: false} {
			out.Reset()
			if err := print(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			mark := "card does not verify"
			if a.json {
				mark = `"badCard": true`
			}
			if strings.Count(out.String(), mark) != 1 || !strings.Contains(out.String(), "Dr. Good") {
				t.Errorf("%s: %s", name, out.String())
			}
		}
	}
}
