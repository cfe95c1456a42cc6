package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// slotsAtOnce is how many slots one transaction opens.
const slotsAtOnce = 20

// commits measures what a bare commit takes alone and among many, to choose the batch
// interval by. There is no job: floor and job are the same.
func (s *stage) commits(ctx context.Context, p plan) ([]result, error) {
	alone := result{job: "bare commit", floor: "bare commit", paper: "–"}
	commit := func(ctx context.Context, _ int) error { return s.commit(ctx, "HospitalA") }
	var err error
	if alone.pairs, err = turns(ctx, p.pairs, commit, commit); err != nil {
		return nil, err
	}
	many := result{job: fmt.Sprintf("bare commits, %d clients", p.clients), floor: "bare commits", paper: "–", rate: true}
	msps := s.members()
	bare := func(ctx context.Context, c, _ int) error { return s.commit(ctx, msps[c%len(msps)]) }
	for range 3 {
		var both pair
		if both.floor, err = rate(ctx, p, bare); err != nil {
			return nil, err
		}
		if both.job, err = rate(ctx, p, bare); err != nil {
			return nil, err
		}
		many.pairs = append(many.pairs, both)
	}
	return []result{alone, many}, nil
}

// registrations measures how many records a second are registered by many clients at
// all hospitals, against the same rows written past PIE: no gateway, no rules.
func (s *stage) registrations(ctx context.Context, p plan) ([]result, error) {
	t, err := s.template(ctx)
	if err != nil {
		return nil, err
	}
	authors, err := s.authors(ctx, (p.clients+3)/4)
	if err != nil {
		return nil, err
	}
	r := result{job: "registrations a second", floor: "the same rows by fabric-gateway", aim: 0.9, rate: true, paper: "–"}
	for round := range p.rounds + 1 {
		var both pair
		if both.floor, err = rate(ctx, p, s.copying(t, round*p.clients*p.each, p.each)); err != nil {
			return nil, fmt.Errorf("floor: %w", err)
		}
		prepared, err := s.prepareRegistrations(ctx, p, authors)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		if both.job, err = rate(ctx, p, func(ctx context.Context, c, i int) error {
			_, err := authors[c%len(authors)].Upload(ctx, prepared[c][i])
			return err
		}); err != nil {
			return nil, err
		}
		if round > 0 { // the first warms up
			r.pairs = append(r.pairs, both)
		}
	}
	return []result{r}, nil
}

// copying writes the rows of a registration under other names, a transaction each.
func (s *stage) copying(t template, first, each int) func(context.Context, int, int) error {
	msps := s.members()
	ballast := strings.Repeat("0", t.Argument)
	return func(ctx context.Context, c, i int) error {
		return s.peers[msps[c%len(msps)]].submit(ctx, call{
			chaincode: floorName, function: "put", arguments: []string{ballast}, private: t.copy(first + c*each + i),
		})
	}
}

// rate has every client do something p.each times, all at once, and returns how many
// were done a second.
func rate(ctx context.Context, p plan, do func(ctx context.Context, c, i int) error) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for c := range p.clients {
		group.Go(func() error {
			for i := range p.each {
				if err := do(ctx, c, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(p.clients*p.each) / time.Since(began).Seconds(), err
}

// authors enrols physicians at all hospitals.
func (s *stage) authors(ctx context.Context, n int) ([]*client.Client, error) {
	msps := s.members()
	authors := make([]*client.Client, n)
	for i := range authors {
		invitation, err := s.network.Invite(ctx, networktest.Guest{
			MSP: msps[i%len(msps)], Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "cardiology", Name: "Dr. Mori",
		})
		if err != nil {
			return nil, err
		}
		if authors[i], err = client.Enroll(ctx, filepath.Join(s.dir, fmt.Sprintf("author-%d", i)), &invitation, nil); err != nil {
			return nil, err
		}
	}
	return authors, nil
}

// prepareRegistrations takes every upload to the point where only its registration is
// missing: an upload that is interrupted there goes on from there when it is repeated.
func (s *stage) prepareRegistrations(ctx context.Context, p plan, authors []*client.Client) ([][]client.NewRecord, error) {
	prepared := make([][]client.NewRecord, p.clients)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(len(authors))
	for a, author := range authors {
		group.Go(func() error {
			for c := a; c < p.clients; c += len(authors) {
				records, err := s.authorizeAll(ctx, author, p.each)
				if err != nil {
					return err
				}
				for _, record := range records {
					n, err := s.uploadOnly(ctx, author, record)
					if err != nil {
						return err
					}
					prepared[c] = append(prepared[c], n)
				}
			}
			return nil
		})
	}
	return prepared, group.Wait()
}

// authorizeAll opens more slots than one transaction takes.
func (s *stage) authorizeAll(ctx context.Context, author *client.Client, n int) ([]ledger.ID, error) {
	var all []ledger.ID
	for len(all) < n {
		records, err := authorize(ctx, s.Patient, author, ledger.ClassAdmission, min(slotsAtOnce, n-len(all)))
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

func (s *stage) uploadOnly(ctx context.Context, author *client.Client, record ledger.ID) (client.NewRecord, error) {
	n, err := s.newRecord(record, ledger.ClassAdmission, 400)
	if err != nil {
		return n, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	author.Progress = func(step string) {
		if strings.HasPrefix(step, "registering record") {
			cancel()
		}
	}
	defer func() { author.Progress = nil }()
	if _, err = author.Upload(ctx, n); errors.Is(err, context.Canceled) {
		return n, nil
	}
	return n, fmt.Errorf("upload of %s was not interrupted: %w", record, err)
}

func (s *stage) members() []string {
	var members []string
	for _, organization := range s.network.Organizations {
		members = append(members, organization.MSP)
	}
	return members
}
