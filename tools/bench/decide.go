package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

const jsonFloor = "JSON round trip of the event"

// decide measures what it costs to verify a token, and to decide about a request, beside the floor and the others.
func decide(ctx context.Context, w *world) (section, error) {
	own, err := w.own(ctx)
	if err != nil {
		return section{}, err
	}
	others, err := w.others(ctx)
	if err != nil {
		return section{}, err
	}
	peers := slices.Concat([]peer{w.bare()}, own, others)

	const again = ", again"
	named := func(p peer, what string) string { return p.name + ", " + what }
	var contestants []contestant
	for _, p := range peers {
		if err := w.fair(p); err != nil {
			return section{}, err
		}
		if p.verify != nil {
			contestants = append(contestants, contestant{named(p, verifying), func() (sample, error) { return p.sample(verifying, len(w.tokens)) }})
		}
		if p.decide != nil {
			contestants = append(contestants,
				contestant{named(p, deciding), func() (sample, error) { return p.sample(deciding, len(w.tokens)) }},
				contestant{named(p, deciding+again), func() (sample, error) { return p.sample(deciding, 1) }})
		}
	}
	event := call(apigwtest.HTTP2, w.tokens[0])
	contestants = append(contestants, does(jsonFloor, func(int) error { return roundTrip(event) }))
	r, err := compete(w.rounds, contestants...)
	if err != nil {
		return section{}, err
	}
	floor := bareRSA + ", " + verifying
	if r.ratio(named(own[0], verifying), floor, nanoseconds) < 1 {
		return section{}, fmt.Errorf("%d tokens are not more than Claimsmith remembers: make more of them", len(w.tokens))
	}

	s := section{
		title: "Deciding about a request",
		text: fmt.Sprintf("The same %d tokens of %d bytes for everybody, with the ten claims of the [policy](../tools/bench/policy.yaml). They "+
			"take turns, and are more than Claimsmith remembers; *again* is one of them all the time. *Verify* is the same check for everybody: RS256, "+
			"signature, issuer, expiry, client and kind of token, with keys at hand. *Decide* is an authorizer's whole work, from an event of an "+
			"HTTP API (2.0), or another kind where that is said, to the answer, three rules and a log line included, metrics not; beside Claimsmith it is written by "+
			"hand. Before anything is measured, everybody accepts a good token and refuses bad ones.", len(w.tokens), len(w.tokens[0])),
		header: []string{"", "verify", "× bare", "decide", "× bare", "decide again", "allocations", "how"},
		chart:  &chart{file: "decide.svg", title: "Deciding about a token that was not seen before", unit: "µs"},
	}
	cell := func(name string, format func(name string) string) string {
		if r[name] == nil {
			return ""
		}
		return format(name)
	}
	time := func(name string) string { return microseconds(r.median(name, nanoseconds)) }
	ratio := func(name string) string { return fmt.Sprintf("%.2f", r.ratio(name, floor, nanoseconds)) }
	for _, p := range peers {
		s.rows = append(s.rows, []string{p.name,
			cell(named(p, verifying), time), cell(named(p, verifying), ratio),
			cell(named(p, deciding), time), cell(named(p, deciding), ratio), cell(named(p, deciding+again), time),
			count(r[named(p, deciding)][allocations]), p.does})
		what := deciding
		if p.decide == nil {
			what = verifying
		}
		s.chart.bars = append(s.chart.bars, bar{p.name, r.median(named(p, what), nanoseconds) / 1000})
	}
	s.rows = append(s.rows, []string{jsonFloor, "", "", time(jsonFloor), ratio(jsonFloor), "", count(r[jsonFloor][allocations]), "for comparison: decoded into any, and encoded"})
	if w.node.missing != "" {
		s.rows = append(s.rows, []string{awsJWTVerify, "not measured: " + w.node.missing})
	}

	s.short = fmt.Sprintf("A decision about a request takes %s with a token that was not seen before and %s with one that was",
		time(named(own[0], deciding)), time(named(own[0], deciding+again)))
	for _, p := range others {
		s.short += fmt.Sprintf("; written by hand with %s, %s", p.name, time(named(p, deciding)))
	}
	s.short += fmt.Sprintf(". The RSA signature alone is %s.", time(floor))

	// The kind of event that is slowest is held against the limits.
	slowest := func(what string) peer {
		return slices.MaxFunc(own, func(a, b peer) int {
			return int(r.median(named(a, what), nanoseconds) - r.median(named(b, what), nanoseconds))
		})
	}
	first, repeated := slowest(deciding), slowest(deciding+again)
	s.targets = []target{
		atMost(fmt.Sprintf("a decision about a token not seen before (%s)", first.api), r.ratio(named(first, deciding), floor, nanoseconds), 1.4, "%.2f × bare RSA"),
		atMost(fmt.Sprintf("a decision about a token seen before (%s)", repeated.api), r.median(named(repeated, deciding+again), nanoseconds)/1000, 5, "%.1f µs"),
	}
	for _, p := range others {
		for _, what := range []string{deciding, verifying} {
			s.targets = append(s.targets, atMost(fmt.Sprintf("%s, not seen before, beside %s", what, p.name),
				r.ratio(named(own[0], what), named(p, what), nanoseconds), 1, "%.2f × its time"))
		}
	}
	return s, nil
}

func roundTrip(event []byte) error {
	var v any
	if err := json.Unmarshal(event, &v); err != nil {
		return err
	}
	_, err := json.Marshal(v)
	return err
}
