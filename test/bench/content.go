package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// uploads measures an upload into an authorised slot: encrypted, stored, registered.
func (s *stage) uploads(ctx context.Context, p plan) ([]result, error) {
	var results []result
	for _, l := range p.uploads {
		r, err := s.upload(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", human(l.size), err)
		}
		results = append(results, r)
	}
	return results, nil
}

func (s *stage) upload(ctx context.Context, l load) (result, error) {
	r := result{job: "upload " + human(l.size), floor: "Kubo add, one commit", aim: 1.25, paper: "2.1 s to 100 MB"}
	if l.size >= gB {
		r.aim, r.paper = 1.6, "5.7 s"
	}
	slots, err := authorize(ctx, s.Patient, s.Physician, ledger.ClassMedicalInformation, l.pairs+1)
	if err != nil {
		return r, err
	}
	r.pairs, err = turns(ctx, l.pairs,
		func(ctx context.Context, _ int) error {
			return errors.Join(s.nodes["HospitalA"].add(ctx, ciphertext(l.size)), s.commit(ctx, "HospitalA"))
		},
		func(ctx context.Context, i int) error {
			n, err := s.newRecord(slots[i], ledger.ClassMedicalInformation, l.size)
			if err != nil {
				return err
			}
			_, err = s.Physician.Upload(ctx, n)
			return err
		})
	return r, err
}

// ciphertext is the size of an EMR's ciphertext: header, 32 random bytes, and a tag of
// 16 bytes for each 64 KiB.
func ciphertext(size int64) int64 {
	const header, blind, chunk, tag = 289 + 16, 32, 64 << 10, 16
	return header + blind + size + tag*((blind+size+chunk-1)/chunk)
}

// downloads measures how the patient opens a record of theirs: fetched, decrypted,
// verified, written.
func (s *stage) downloads(ctx context.Context, p plan) ([]result, error) {
	var results []result
	for _, l := range p.downloads {
		record, err := s.publish(ctx, ledger.ClassMedicalInformation, l.size)
		if err != nil {
			return nil, err
		}
		r := result{job: "fetch and decrypt " + human(l.size), floor: "Kubo cat", aim: 1.3, paper: "–"}
		if l.size == mB {
			r.paper = "10.1 ms"
		}
		if r.pairs, err = turns(ctx, l.pairs, s.catting("HospitalA", record), s.opening(s.Patient, record)); err != nil {
			return nil, fmt.Errorf("%s: %w", human(l.size), err)
		}
		results = append(results, r)
	}
	return results, nil
}

func (s *stage) catting(msp string, record ledger.Record) step {
	return func(ctx context.Context, _ int) error {
		return s.nodes[msp].cat(ctx, record.CID, filepath.Join(s.dir, "catted"))
	}
}

func (s *stage) opening(as *client.Client, record ledger.Record) step {
	return func(ctx context.Context, _ int) error { return s.open(ctx, as, record.ID) }
}

// opens measures how a grantee of another hospital opens a record: recorded on the
// ledger, re-encrypted by two proxies, fetched, decrypted, verified.
func (s *stage) opens(ctx context.Context, p plan) ([]result, error) {
	var results []result
	for _, size := range []int64{400, mB} {
		record, err := s.publish(ctx, ledger.ClassMedicalInformation, size)
		if err != nil {
			return nil, err
		}
		if err := s.Share(ctx, record.ID, s.Colleague, ledger.PurposeTreatment); err != nil {
			return nil, err
		}
		r := result{job: "open " + human(size), floor: "one commit, Kubo cat", aim: 1.25, paper: "–"}
		cat := s.catting("HospitalB", record)
		if r.pairs, err = turns(ctx, p.pairs, func(ctx context.Context, i int) error {
			return errors.Join(s.commit(ctx, "HospitalB"), cat(ctx, i))
		}, s.opening(s.Colleague, record)); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// shares measures the whole of algorithm 2 after the search.
func (s *stage) shares(ctx context.Context, p plan) ([]result, error) {
	record, err := s.publish(ctx, ledger.ClassMedicalInformation, 400)
	if err != nil {
		return nil, err
	}
	r := result{job: "request, grant, open, re-encrypt", floor: "three commits", aim: 1.25, paper: "3.3543 s"}
	r.pairs, err = turns(ctx, p.pairs,
		func(ctx context.Context, _ int) error {
			return errors.Join(s.commit(ctx, "HospitalB"), s.commit(ctx, "HospitalA"), s.commit(ctx, "HospitalB"))
		},
		func(ctx context.Context, _ int) error {
			if err := s.Share(ctx, record.ID, s.Colleague, ledger.PurposeTreatment); err != nil {
				return err
			}
			return s.open(ctx, s.Colleague, record.ID)
		})
	return []result{r}, err
}

// human writes a size.
func human(size int64) string {
	switch {
	case size >= gB:
		return fmt.Sprintf("%d GB", size/gB)
	case size >= mB:
		return fmt.Sprintf("%d MB", size/mB)
	}
	return fmt.Sprintf("%.1f kB", float64(size)/kB)
}
