package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Sizes in bytes.
const (
	kB = 1000
	mB = 1000 * kB
	gB = 1000 * mB
)

// plan says how much is measured.
type plan struct {
	uploads   []load // sizes of records and pairs of each
	downloads []load
	pairs     int   // of jobs without content
	rounds    int   // of registrations
	clients   int   // that register at the same time
	each      int   // registrations of a client in a round
	records   []int // on the ledger, for searches; the first is their floor
	searches  int   // of each kind, at each number of records
	batch     int   // re-encryptions in one measurement
	erasures  int   // of records, at the same time
	large     int64 // content whose memory is looked at; 0 for none
}

type load struct {
	size  int64
	pairs int
}

// full is what `make bench` measures.
var full = plan{
	uploads:   []load{{400, 25}, {mB, 25}, {10 * mB, 15}, {100 * mB, 9}, {gB, 5}},
	downloads: []load{{mB, 25}, {100 * mB, 11}, {gB, 5}},
	pairs:     25, rounds: 5, clients: 64, each: 5,
	records: []int{100, 10_000, 100_000}, searches: 60, batch: 500, erasures: 5_000, large: gB,
}

// measurement is one kind of job, measured at one network.
type measurement struct {
	name string
	run  func(*stage, context.Context, plan) ([]result, error)
}

// measurements of each network, small things first: large content leaves the disk
// busy. Erasures have nodes of their own, and searches a ledger of their own, whose number
// of records is known.
var measurements = [][]measurement{
	{
		{"re-encryptions", (*stage).reencryptions},
		{"commits", (*stage).commits},
		{"shares", (*stage).shares},
		{"opens", (*stage).opens},
		{"emergencies", (*stage).emergencies},
		{"uploads", (*stage).uploads},
		{"downloads", (*stage).downloads},
		{"registrations", (*stage).registrations},
		{"memory", (*stage).memory},
	},
	{{"erasures", (*stage).erasures}},
	{{"searches", (*stage).searches}},
}

// measure runs everything in the plan, each part at a network of its own.
func measure(ctx context.Context, p plan, parts [][]measurement) ([]result, error) {
	var results []result
	for _, part := range parts {
		measured, err := measurePart(ctx, p, part)
		if err != nil {
			return nil, err
		}
		results = append(results, measured...)
	}
	return results, nil
}

func measurePart(ctx context.Context, p plan, part []measurement) (results []result, err error) {
	s, err := openStage(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, m := range part {
		began := time.Now()
		measured, err := m.run(s, ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %.0f s\n", m.name, time.Since(began).Seconds())
		for _, r := range measured {
			fmt.Fprintln(os.Stderr, "bench:  ", r)
		}
		results = append(results, measured...)
	}
	return results, nil
}
