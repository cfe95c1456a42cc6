package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

const (
	hits   = 10  // of every search
	cloned = 250 // records that one transaction writes
	code   = "http://snomed.info/sct|38341003"
)

// kind is a way to search.
type kind struct {
	name  string
	query func(sought) ledger.SearchRecords
}

var kinds = []kind{
	{"patient and class", func(s sought) ledger.SearchRecords {
		return ledger.SearchRecords{Patient: s.patient, Class: ledger.ClassImaging}
	}},
	{"class", func(sought) ledger.SearchRecords { return ledger.SearchRecords{Class: ledger.ClassImaging} }},
	{"code", func(sought) ledger.SearchRecords { return ledger.SearchRecords{Code: code} }},
	{"hospital and date", func(s sought) ledger.SearchRecords {
		return ledger.SearchRecords{Hospital: "HospitalA", From: s.since}
	}},
}

// sought is what tells the records that searches find from all others.
type sought struct {
	patient ledger.UserID
	since   time.Time
	others  template
}

// searches measures the same searches, with the same ten hits, at a network with few
// records and at one with more and more.
func (s *stage) searches(ctx context.Context, p plan) (results []result, err error) {
	large, err := openStage(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, large.Close()) }()
	return s.searchesBeside(ctx, large, p)
}

// searchesBeside measures at two networks, or in a test at one that is both.
func (s *stage) searchesBeside(ctx context.Context, large *stage, p plan) ([]result, error) {
	few, err := s.seek(ctx, p.records[0])
	if err != nil {
		return nil, err
	}
	many := few
	if large != s {
		if many, err = large.seek(ctx, p.records[0]); err != nil {
			return nil, err
		}
	}
	var results []result
	for i, records := range p.records[1:] {
		if err := large.fill(ctx, many.others, p.records[i], records); err != nil {
			return nil, fmt.Errorf("fill the ledger: %w", err)
		}
		for _, k := range kinds {
			r := result{job: fmt.Sprintf("search by %s among %d", k.name, records), floor: fmt.Sprintf("among %d", p.records[0]), aim: 1.5, paper: "–"}
			if r.pairs, err = turns(ctx, p.searches, s.searching(k.query(few)), large.searching(k.query(many))); err != nil {
				return nil, fmt.Errorf("%s: %w", r.job, err)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// seek registers what is to be found, among a number of records.
func (s *stage) seek(ctx context.Context, records int) (sought, error) {
	t, err := s.template(ctx)
	if err != nil {
		return sought{}, err
	}
	if err := s.fill(ctx, t, 0, records-hits); err != nil {
		return sought{}, err
	}
	since := time.Now().UTC()
	patient, err := s.publishSought(ctx)
	return sought{patient, since, t}, err
}

// searching searches and checks what is found.
func (s *stage) searching(query ledger.SearchRecords) step {
	return func(ctx context.Context, _ int) error {
		views, err := s.Physician.Search(ctx, query)
		if err == nil && len(views) != hits {
			err = fmt.Errorf("%d records were found, not %d", len(views), hits)
		}
		return err
	}
}

// publishSought registers the records that searches find, of a patient who has no others.
func (s *stage) publishSought(ctx context.Context) (ledger.UserID, error) {
	invitation, err := s.network.Invite(ctx, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	if err != nil {
		return ledger.UserID{}, err
	}
	patient, err := client.Enroll(ctx, s.Home("sought"), &invitation, nil)
	if err != nil {
		return ledger.UserID{}, err
	}
	user := patient.Identity().User
	records, err := authorize(ctx, patient, s.Physician, ledger.ClassImaging, hits)
	if err != nil {
		return user, err
	}
	for _, record := range records {
		n, err := s.newRecord(record, ledger.ClassImaging, 400)
		if err != nil {
			return user, err
		}
		n.Patient, n.Metadata.Codes = user, []string{code}
		if _, err := s.Physician.Upload(ctx, n); err != nil {
			return user, err
		}
	}
	return user, nil
}

// fill registers copies of the template, from a number of records to another.
func (s *stage) fill(ctx context.Context, t template, from, to int) error {
	return s.inPlaceOfPIE(ctx, func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(2)
		for first := from; first < to; first += cloned {
			group.Go(func() error {
				return s.peers["HospitalA"].submit(ctx, call{
					chaincode: s.network.Chaincode, function: "clone", private: t,
					arguments: []string{strconv.Itoa(first), strconv.Itoa(min(first+cloned, to) - 1)},
				})
			})
		}
		return group.Wait()
	})
}
