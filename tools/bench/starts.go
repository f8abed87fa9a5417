package main

import (
	"context"
	"fmt"
)

// starts measures cold starts, and what Lambda has to load for them.
func starts(_ context.Context, w *world) (section, error) {
	functions, err := w.functions()
	if err != nil {
		return section{}, err
	}
	sizes, err := w.sizes("arm64")
	if err != nil {
		return section{}, err
	}
	var contestants []contestant
	i := 0
	for _, f := range functions {
		contestants = append(contestants, contestant{f.name, func() (sample, error) { i++; return coldStart(f, i) }})
	}
	r, err := compete(3*w.rounds, contestants...)
	if err != nil {
		return section{}, err
	}

	s := section{
		title: "Cold start",
		text: "A process as Lambda starts it, built as it is deployed but for this machine, with its files in the page cache: from exec until it " +
			"first asks the runtime API for an event, and until it has answered that one. Authorizers fetch keys before, from this machine over " +
			"HTTP; from Cognito it is a TLS handshake more for everybody. Lambda's own part (a sandbox, loading the zip) is not in it, and a " +
			"function with little memory gets a part of a processor only. Claimsmith's functions have the benchmark's policy of ten claims. The " +
			"peer in Node has a runtime of our own that is smaller than Lambda's, and modules as npm installs them.",
		header: []string{"", "to first poll", "× bare Go", "slowest", "to first answer", "peak memory then", "zip for arm64"},
		chart:  &chart{file: "start.svg", title: "From exec to the first poll", unit: "ms"},
	}
	for _, f := range functions {
		zip := ""
		if size, ok := sizes[f.name]; ok {
			zip = fmt.Sprintf("%.2f MB", float64(size)/1e6)
		}
		s.rows = append(s.rows, []string{f.name, milliseconds(r.median(f.name, "poll")), fmt.Sprintf("%.2f", r.ratio(f.name, bareGo, "poll")),
			milliseconds(r.highest(f.name, "poll")), milliseconds(r.median(f.name, "answer")), fmt.Sprintf("%.0f MB", r.median(f.name, "memory")), zip})
		s.chart.bars = append(s.chart.bars, bar{f.name, r.median(f.name, "poll")})
	}
	s.short = fmt.Sprintf("From exec to the first poll the authorizer takes %s and the claim function %s; a function in Go that does nothing, %s",
		milliseconds(r.median(authorizer, "poll")), milliseconds(r.median(claimsFunction, "poll")), milliseconds(r.median(bareGo, "poll")))
	if w.node.missing == "" {
		s.short += fmt.Sprintf("; an authorizer in Node with aws-jwt-verify, %s", milliseconds(r.median(nodeAuthorizer, "poll")))
	}
	s.short += fmt.Sprintf(". Their zips have %.1f and %.1f MB.", float64(sizes[authorizer])/1e6, float64(sizes[claimsFunction])/1e6)
	if w.node.missing != "" {
		s.rows = append(s.rows, []string{nodeAuthorizer, "not measured: " + w.node.missing})
	}
	for _, name := range deployed {
		s.targets = append(s.targets, atMost("cold start to first poll, "+name, r.ratio(name, bareGo, "poll"), 2, "%.2f × the bare Go function"))
		if w.node.missing == "" {
			s.targets = append(s.targets, atLeast("cold start to first poll, "+name, r.ratio(nodeAuthorizer, name, "poll"), 10, "%.1f × faster than Node with aws-jwt-verify"))
		}
		s.targets = append(s.targets, atMost("zip, "+name, float64(sizes[name])/1e6, 6, "%.2f MB"))
	}
	return s, nil
}
