package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/agent"
	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// patience is how long a responder waits for the desk.
const patience = time.Minute

// emergencies measures the time from a declaration to the patient's summary on the screen:
// an emergency desk of hospital B passes it on to a responder of hospital C. What cannot be
// had with fewer commits is the declaration, the desk's opening, the grant that it issues
// and the responder's opening.
func (s *stage) emergencies(ctx context.Context, p plan) (results []result, err error) {
	desk, err := s.emergencyStaff(ctx, "HospitalB", ledger.RoleEmergencyDesk, "desk")
	if err != nil {
		return nil, err
	}
	if err := s.prepareSummary(ctx, desk); err != nil {
		return nil, err
	}
	responders, err := s.responders(ctx, p.pairs+1)
	if err != nil {
		return nil, err
	}
	attending, leave := context.WithCancel(ctx)
	left := make(chan error, 1)
	go func() { left <- (&agent.Desk{Client: desk, Log: slog.New(slog.DiscardHandler)}).Run(attending) }()
	defer func() { leave(); err = errors.Join(err, <-left) }()
	r := result{job: "emergency: declaration to summary on screen", floor: "four commits", aim: 1.3, paper: "–"}
	r.pairs, err = turns(ctx, p.pairs,
		func(ctx context.Context, _ int) error {
			return errors.Join(s.commit(ctx, "HospitalC"), s.commit(ctx, "HospitalB"), s.commit(ctx, "HospitalB"), s.commit(ctx, "HospitalC"))
		},
		func(ctx context.Context, i int) error { return s.seeSummary(ctx, responders[i]) })
	return []result{r}, err
}

// seeSummary does what `pie emergency declare` and `pie emergency open` do.
func (s *stage) seeSummary(ctx context.Context, by *client.Client) error {
	declaration, err := by.Declare(ctx, client.Emergency{
		Patient: s.Patient.Identity().User, Reason: ledger.ReasonUnconscious, Narrative: "found on the floor of the ward, no reaction",
	})
	if err != nil {
		return err
	}
	passed, err := by.AwaitEmergency(ctx, declaration.Name(), patience)
	if err != nil {
		return err
	}
	texts, err := passed.Read(ctx)
	if err != nil {
		return err
	}
	if len(texts) != 1 {
		return fmt.Errorf("%d summaries are shown", len(texts))
	}
	page, err := summary.Read(texts[0].Text)
	if err != nil {
		return err
	}
	return page.Write(io.Discard)
}

// prepareSummary has the patient make a summary and entrust a desk with it.
func (s *stage) prepareSummary(ctx context.Context, desk *client.Client) error {
	document, err := summary.Make(time.Now(), []byte(`{"resourceType": "Patient", "name": [{"family": "Mori", "given": ["Mika"]}], "birthDate": "1980-01-02"}`))
	if err != nil {
		return err
	}
	_, err = s.Patient.UpdateSummary(ctx, document, []ledger.UserID{desk.Identity().User})
	return err
}

// responders are as many as declarations: another one of the same responder's for the
// patient would be a repeat.
func (s *stage) responders(ctx context.Context, declarations int) ([]*client.Client, error) {
	var all []*client.Client
	for i := range declarations {
		responder, err := s.emergencyStaff(ctx, "HospitalC", ledger.RoleEmergency, fmt.Sprintf("responder-%d", i))
		if err != nil {
			return nil, err
		}
		all = append(all, responder)
	}
	return all, nil
}

func (s *stage) emergencyStaff(ctx context.Context, msp string, role ledger.Role, home string) (*client.Client, error) {
	invitation, err := s.network.Invite(ctx, networktest.Guest{MSP: msp, Role: role, Clearance: ledger.LevelPrivate, Department: "emergency", Name: "Dr. Mori"})
	if err != nil {
		return nil, err
	}
	return client.Enroll(ctx, s.Home(home), &invitation, nil)
}
