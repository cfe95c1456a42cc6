package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// pair is one measurement of a job and the one of its floor next to it.
type pair struct {
	floor, job float64 // seconds, or events a second
}

// ratio is above 1 for a job that does worse than its floor takes.
func (p pair) ratio() float64 { return p.job / p.floor }

// result is a measured job.
type result struct {
	job, floor string
	paper      string  // what the paper reports, "–" when nothing
	aim        float64 // for the median ratio; 0 for none
	rate       bool    // pairs are events a second: the more the better
	pairs      []pair
}

// step does something once; i is different at each call of a series.
type step func(ctx context.Context, i int) error

// turns measures floor and job in turns. The first turn warms up and does not count.
func turns(ctx context.Context, n int, floor, job step) ([]pair, error) {
	var pairs []pair
	for i := range n + 1 {
		var p pair
		var err error
		if p.floor, err = timed(ctx, i, floor); err != nil {
			return nil, fmt.Errorf("floor: %w", err)
		}
		if p.job, err = timed(ctx, i, job); err != nil {
			return nil, err
		}
		if i > 0 {
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}

func timed(ctx context.Context, i int, do step) (float64, error) {
	began := time.Now()
	err := do(ctx, i)
	return time.Since(began).Seconds(), err
}

// spread is the five numbers of a distribution.
type spread struct{ min, lower, median, upper, max float64 }

// over describes what a function of the pairs gives.
func over(pairs []pair, value func(pair) float64) spread {
	var values []float64
	for _, p := range pairs {
		values = append(values, value(p))
	}
	slices.Sort(values)
	at := func(fraction float64) float64 {
		position := fraction * float64(len(values)-1)
		below := int(position)
		above := min(below+1, len(values)-1)
		return values[below] + (position-float64(below))*(values[above]-values[below])
	}
	return spread{at(0), at(0.25), at(0.5), at(0.75), at(1)}
}

func (r result) ratios() spread { return over(r.pairs, pair.ratio) }

// met reports whether the median is within its aim.
func (r result) met() bool {
	median := r.ratios().median
	if r.rate {
		return median >= r.aim
	}
	return median <= r.aim
}

func (r result) String() string {
	s := r.ratios()
	return fmt.Sprintf("%-44s %6.2f (%.2f–%.2f–%.2f–%.2f) aim %.2f; floor %s, job %s", r.job, s.median, s.min, s.lower, s.upper, s.max,
		r.aim, r.quantity(r.floorMedian()), r.quantity(r.jobMedian()))
}

func (r result) floorMedian() float64 {
	return over(r.pairs, func(p pair) float64 { return p.floor }).median
}

func (r result) jobMedian() float64 {
	return over(r.pairs, func(p pair) float64 { return p.job }).median
}

// above is how many milliseconds the job takes more than its floor.
func (r result) above() float64 {
	return 1000 * over(r.pairs, func(p pair) float64 { return p.job - p.floor }).median
}

// quantity writes a measurement with its unit.
func (r result) quantity(v float64) string {
	switch {
	case r.rate:
		return fmt.Sprintf("%.0f/s", v)
	case v >= 1:
		return fmt.Sprintf("%.2f s", v)
	}
	return fmt.Sprintf("%.1f ms", 1000*v)
}
