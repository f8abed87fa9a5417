package main

import (
	"slices"
	"strings"
	"testing"
)

// Nobody is compared who accepts what must be refused.
func TestEverybodyRefusesBadTokens(t *testing.T) {
	w, err := newWorld(1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	own, err := w.own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	others, err := w.others(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat([]peer{w.bare()}, own, others) {
		if err := w.fair(p); err != nil {
			t.Error(err)
		}
	}
	if w.node.missing != "" {
		t.Logf("without aws-jwt-verify: %s", w.node.missing)
	}
	careless := peer{name: "careless", verify: func(string) error { return nil }}
	if w.fair(careless) == nil {
		t.Error("who accepts everything counts as fair")
	}
}

func TestRatiosAreOfOneRound(t *testing.T) {
	t.Parallel()
	machine := 1.0 // gets slower all the time
	does := func(name string, ns float64) contestant {
		return contestant{name, func() (sample, error) { machine *= 1.01; return sample{nanoseconds: ns * machine}, nil }}
	}
	r, err := compete(5, does("a", 100), does("b", 200))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ratio("b", "a", nanoseconds); got < 2.01 || got > 2.03 {
		t.Errorf("ratio %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median %v", got)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := &report{rounds: 3, machine: [][]string{{"Go", "go1"}}, sections: []section{{
		title: "Things", short: "A thing takes 1.0 µs.", text: "What they are.", header: []string{"", "median"}, rows: [][]string{{"thing", "1.0 µs"}, {"other"}},
		chart:   &chart{file: "things.svg", title: "All things"},
		targets: []target{atMost("a thing", 1, 2, "%.1f µs"), atLeast("another", 1, 2, "%.0f × faster")},
	}}}
	var got strings.Builder
	r.print(&got, "performance")
	want := "# Performance\n\n`make bench` measured what is here in one run and wrote this file; edit [tools/bench](../tools/bench) instead. " +
		`What is compared took turns, for 3 rounds. Figures are the medians of the rounds, and a ratio is the median of theirs.

- A thing takes 1.0 µs.

## Targets

| target  | limit        | measured   |          |
| ------- | ------------ | ---------- | -------- |
| a thing | ≤ 2.0 µs     | 1.0 µs     | pass     |
| another | ≥ 2 × faster | 1 × faster | **miss** |

## The machine

|     |     |
| --- | --- |
| Go  | go1 |

## Things

What they are.

![All things](performance/things.svg)

|       | median |
| ----- | ------ |
| thing | 1.0 µs |
| other |        |
`
	if got.String() != want {
		t.Errorf("got\n%s", &got)
	}
}
