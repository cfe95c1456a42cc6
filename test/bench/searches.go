package main

import (
	"context"
	"fmt"
	"os"
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
	sought = "http://snomed.info/sct|38341003"
)

// searches measures the same searches, with the same ten hits, among more and more
// records. There being no turns between a small ledger and a large one, the floor of
// each is the median of its own at the smallest.
func (s *stage) searches(ctx context.Context, p plan) ([]result, error) {
	t, err := s.template(ctx)
	if err != nil {
		return nil, err
	}
	before := time.Now().UTC()
	patient, err := s.publishSought(ctx)
	if err != nil {
		return nil, err
	}
	kinds := []struct {
		name  string
		query ledger.SearchRecords
	}{
		{"patient and class", ledger.SearchRecords{Patient: patient, Class: ledger.Imaging}},
		{"class", ledger.SearchRecords{Class: ledger.Imaging}},
		{"code", ledger.SearchRecords{Code: sought}},
		{"hospital and date", ledger.SearchRecords{Hospital: "HospitalA", From: before}},
	}
	floors := make([]float64, len(kinds))
	var results []result
	there := hits
	for _, records := range p.records {
		if err := s.fill(ctx, t, there, records); err != nil {
			return nil, fmt.Errorf("fill the ledger: %w", err)
		}
		there = records
		for k, kind := range kinds {
			r := result{job: fmt.Sprintf("search by %s among %d", kind.name, records), floor: fmt.Sprintf("among %d", p.records[0]), aim: 1.5, paper: "–"}
			if r.pairs, err = s.search(ctx, p.searches, kind.query, floors[k]); err != nil {
				return nil, fmt.Errorf("%s: %w", r.job, err)
			}
			if records == p.records[0] {
				floors[k] = r.jobMedian()
				fmt.Fprintf(os.Stderr, "bench:   search by %s among %d: %s\n", kind.name, records, r.quantity(floors[k]))
				continue
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// publishSought registers the records that searches find, of a patient who has no others.
func (s *stage) publishSought(ctx context.Context) (ledger.UserID, error) {
	invitation, err := s.network.Invite(ctx, networktest.Guest{MSP: "HospitalA", Role: ledger.Patient})
	if err != nil {
		return ledger.UserID{}, err
	}
	patient, err := client.Enroll(ctx, s.Home("sought"), &invitation, nil)
	if err != nil {
		return ledger.UserID{}, err
	}
	user := patient.Identity().User
	records, err := authorize(ctx, patient, s.Physician, ledger.Imaging, hits)
	if err != nil {
		return user, err
	}
	for _, record := range records {
		n, err := s.newRecord(record, ledger.Imaging, 400)
		if err != nil {
			return user, err
		}
		n.Patient, n.Summary.Codes = user, []string{sought}
		if _, err := s.Physician.Upload(ctx, n); err != nil {
			return user, err
		}
	}
	return user, nil
}

// search repeats a search and checks what it finds.
func (s *stage) search(ctx context.Context, n int, query ledger.SearchRecords, floor float64) ([]pair, error) {
	var pairs []pair
	for i := range n {
		took, err := timed(ctx, i, func(ctx context.Context, _ int) error { return finds(ctx, s.Physician, query) })
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{floor: floor, job: took})
	}
	return pairs, nil
}

func finds(ctx context.Context, as *client.Client, query ledger.SearchRecords) error {
	views, err := as.Search(ctx, query)
	if err == nil && len(views) != hits {
		err = fmt.Errorf("%d records were found, not %d", len(views), hits)
	}
	return err
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
