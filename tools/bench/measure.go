package main

import (
	"fmt"
	"slices"
	"testing"
)

// sample is one measurement, by what was measured.
type sample map[string]float64

// A contestant is something that is measured beside others.
type contestant struct {
	name   string
	sample func() (sample, error)
}

// results are what contestants were measured to need, by name and quantity, a value for each round.
type results map[string]map[string][]float64

// compete lets the contestants take turns, so that what else the machine does falls on all of them alike.
func compete(rounds int, contestants ...contestant) (results, error) {
	r := results{}
	for range rounds {
		for _, c := range contestants {
			s, err := c.sample()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if r[c.name] == nil {
				r[c.name] = map[string][]float64{}
			}
			for quantity, value := range s {
				r[c.name][quantity] = append(r[c.name][quantity], value)
			}
		}
	}
	return r, nil
}

func (r results) median(name, quantity string) float64 { return median(r[name][quantity]) }

// ratio is the median of what each round says, in which both were measured within a moment.
func (r results) ratio(name, base, quantity string) float64 {
	var ratios []float64
	for i, value := range r[name][quantity] {
		ratios = append(ratios, value/r[base][quantity][i])
	}
	return median(ratios)
}

func (r results) highest(name, quantity string) float64 { return slices.Max(r[name][quantity]) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// The quantities of an operation.
const (
	nanoseconds = "ns"
	allocations = "allocations"
	allocated   = "bytes"
)

// operation measures a call. It gets numbers that count up.
func operation(run func(i int) error) (sample, error) {
	var failed error
	result := testing.Benchmark(func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if failed = run(i); failed != nil {
				b.FailNow()
			}
		}
	})
	if failed != nil {
		return nil, failed
	}
	return sample{
		nanoseconds: float64(result.T.Nanoseconds()) / float64(result.N),
		allocations: float64(result.AllocsPerOp()),
		allocated:   float64(result.AllocedBytesPerOp()),
	}, nil
}

// does is a contestant that is an operation.
func does(name string, run func(i int) error) contestant {
	return contestant{name, func() (sample, error) { return operation(run) }}
}
