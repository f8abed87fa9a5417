package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

// tokenSize measures how a decision grows with the token.
func tokenSize(ctx context.Context, w *world) (section, error) {
	s := section{
		title: "Growth with the token",
		text: "A decision of an HTTP API (2.0) about tokens with ever more claims of 40 bytes. API Gateway takes 10,240 bytes of headers, so " +
			"8 KB is about the most.",
		header: []string{"bytes of the token", bareRSA, "first seen", "× bare", "again"},
		chart:  &chart{file: "token.svg", title: "A decision by the size of the token", unit: "µs", along: "bytes", lines: []line{{name: bareRSA}, {name: "first seen"}, {name: "again"}}},
	}
	own, err := w.minted()
	if err != nil {
		return s, err
	}
	var contestants []contestant
	var sizes []int
	columns := func(size int) []string {
		return []string{fmt.Sprint("bare ", size), fmt.Sprint("first ", size), fmt.Sprint("again ", size)}
	}
	for _, more := range []int{0, 17, 57, 135} {
		claims := maps.Clone(own)
		for i := range more {
			claims[fmt.Sprintf("further_claim_%03d", i)] = "a value of 16 by"
		}
		tokens := w.signed(len(w.tokens), claims)
		handler, err := w.decider(w.compiled, "Documents")
		if err != nil {
			return s, err
		}
		events := calls(apigwtest.HTTP2, tokens)
		decide := func(i int) error { _, err := handler.Invoke(ctx, events[i%len(events)]); return err }
		answer, err := handler.Invoke(ctx, events[0])
		if err := allowed(apigwtest.HTTP2, answer, err); err != nil {
			return s, err
		}
		size := len(tokens[0])
		names := columns(size)
		sizes = append(sizes, size)
		contestants = append(contestants,
			does(names[0], rsaAlone(w, tokens)),
			does(names[1], decide),
			does(names[2], func(int) error { return decide(0) }))
	}
	r, err := compete(w.rounds, contestants...)
	if err != nil {
		return s, err
	}
	for _, size := range sizes {
		names := columns(size)
		row := []string{fmt.Sprint(size)}
		for i, name := range names {
			ns := r.median(name, nanoseconds)
			row = append(row, microseconds(ns))
			if i == 1 {
				row = append(row, fmt.Sprintf("%.2f", r.ratio(name, names[0], nanoseconds)))
			}
			l := &s.chart.lines[i]
			l.x, l.y = append(l.x, float64(size)), append(l.y, ns/1000)
		}
		s.rows = append(s.rows, row)
	}
	for _, l := range s.chart.lines[1:] {
		s.targets = append(s.targets, atMost("exponent, a decision, by bytes of the token, "+l.name, l.exponent(), linear, "%.2f"))
	}
	return s, nil
}
