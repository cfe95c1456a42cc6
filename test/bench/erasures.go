package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
)

// atOnce is how many of a patient's records are uploaded, or erased, at the same time.
const atOnce = 8

// erasures measures uploads and openings at a hospital that deletes a great many contents,
// against the same ones before: for each deletion an IPFS node walks all that it keeps.
func (s *stage) erasures(ctx context.Context, p plan) (results []result, err error) {
	doomed, err := s.publishMany(ctx, p.erasures)
	if err != nil {
		return nil, err
	}
	kept, err := s.publish(ctx, ledger.ClassMedicalInformation, 100*kB)
	if err != nil {
		return nil, err
	}
	slots, err := authorize(ctx, s.Patient, s.Physician, ledger.ClassMedicalInformation, 2*(p.pairs+1))
	if err != nil {
		return nil, err
	}
	upload, open := s.uploading(slots), s.opening(s.Patient, kept)
	before, err := alternately(ctx, p.pairs, upload, open)
	if err != nil {
		return nil, err
	}
	if err := s.erase(ctx, doomed); err != nil {
		return nil, err
	}
	during, err := alternately(ctx, p.pairs, func(ctx context.Context, i int) error { return upload(ctx, p.pairs+1+i) }, open)
	if err != nil {
		return nil, err
	}
	for i, job := range []string{"upload 100.0 kB", "open 100.0 kB"} {
		r := result{job: job + " beside erasures", floor: "the same before", aim: 2, paper: "–"}
		for n := range before[i] {
			r.pairs = append(r.pairs, pair{floor: before[i][n], job: during[i][n]})
		}
		results = append(results, r)
	}
	return results, nil
}

// erase has the ledger say that records are erased. That is soon done: hospitals delete
// their contents for a while afterwards.
func (s *stage) erase(ctx context.Context, records []ledger.ID) error {
	erasing, ctx := errgroup.WithContext(ctx)
	erasing.SetLimit(atOnce)
	for _, record := range records {
		erasing.Go(func() error { _, err := s.Patient.Erase(ctx, record); return err })
	}
	return erasing.Wait()
}

// publishMany puts small EMRs on the ledger, and returns their IDs.
func (s *stage) publishMany(ctx context.Context, n int) ([]ledger.ID, error) {
	var slots []ledger.ID
	for len(slots) < n {
		more, err := authorize(ctx, s.Patient, s.Physician, ledger.ClassMedicalInformation, min(slotsAtOnce, n-len(slots)))
		if err != nil {
			return nil, err
		}
		slots = append(slots, more...)
	}
	upload := s.uploading(slots)
	uploads, ctx := errgroup.WithContext(ctx)
	uploads.SetLimit(atOnce)
	for i := range slots {
		uploads.Go(func() error { return upload(ctx, i) })
	}
	return slots, uploads.Wait()
}

// uploading uploads an EMR of 100 kB into a slot.
func (s *stage) uploading(slots []ledger.ID) step {
	return func(ctx context.Context, i int) error {
		n, err := s.newRecord(slots[i], ledger.ClassMedicalInformation, 100*kB)
		if err != nil {
			return err
		}
		_, err = s.Physician.Upload(ctx, n)
		return err
	}
}

// alternately times two jobs in turns, each n times after a first time that does not count.
func alternately(ctx context.Context, n int, one, other step) (times [2][]float64, err error) {
	both, err := turns(ctx, n, one, other)
	for _, p := range both {
		times[0], times[1] = append(times[0], p.floor), append(times[1], p.job)
	}
	return times, err
}
