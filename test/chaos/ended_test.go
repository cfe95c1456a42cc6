package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger/fault"
)

// endings are the commands by which patients end what was: rotations and erasures. Run
// again after a kill, each finishes what was begun, once.
type endings struct {
	*assassin
	pie   string
	party *party
	dice  *rand.Rand
}

// killed tries a command on a record of its own: undisturbed first, and then killed at
// every request, early and late, or once as the dice choose.
func (e *endings) killed(t *testing.T, command []string, check func(*testing.T, *story)) {
	t.Helper()
	e.once(t, moment{}, command, check)
	for _, at := range chosen(e.dice, e.counted()) {
		e.once(t, at, command, check)
	}
}

func (e *endings) once(t *testing.T, at moment, command []string, check func(*testing.T, *story)) {
	t.Helper()
	s := &story{party: e.party, content: content(e.dice)}
	e.aim(0, false, nil)
	for _, do := range []stepFunc{(*story).authorize, (*story).upload, (*story).ask, (*story).grant} {
		if err := do(s, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	arguments := append([]string{"--home", s.home("patient")}, append(command, string(s.record))...)
	if _, err := e.launch(e.pie, at.nth, at.late, arguments); err != nil {
		if _, err = e.launch(e.pie, 0, false, arguments); err != nil {
			t.Fatalf("%v killed at request %d (late: %t) and run again, it fails: %v", command, at.nth, at.late, err)
		}
	}
	e.aim(0, false, nil)
	check(t, s)
}

// rotatedOnce wants one new version, which those who had a grant open as before.
func rotatedOnce(t *testing.T, s *story) {
	t.Helper()
	err := eventually(t.Context(), func(ctx context.Context) error {
		view, err := s.patient.Record(ctx, s.record, 0)
		if err == nil && view.Version != 2 {
			err = fmt.Errorf("the newest version is %d, want 2", view.Version)
		}
		return err
	})
	if err != nil {
		t.Errorf("record %s: %v", s.record, err)
	}
	for name, reader := range map[string]*client.Client{"reader": s.reader(), "author": s.author, "patient": s.patient} {
		if _, read, err := s.read(t.Context(), reader); err != nil || !bytes.Equal(read, s.content) {
			t.Errorf("record %s: the %s reads %d of %d bytes: %v", s.record, name, len(read), len(s.content), err)
		}
	}
}

// erasedOnce wants nobody to open anything, and one erasure.
func erasedOnce(t *testing.T, s *story) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := eventually(ctx, func(ctx context.Context) error { // the reader's hospital may be some blocks behind
		if _, _, err := s.read(ctx, s.reader()); fault.CodeOf(err) != fault.Erased {
			return errors.Join(errors.New("after its erasure it is opened"), err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("record %s: %v", s.record, err)
	}
	err = eventually(t.Context(), func(ctx context.Context) error {
		view, err := s.patient.Erasure(ctx, s.record)
		if err == nil && (view.Transaction == "" || len(view.Versions) != 1) {
			err = errors.New("the erasure is not the record's")
		}
		return err
	})
	if err != nil {
		t.Errorf("record %s: %v", s.record, err)
	}
}
