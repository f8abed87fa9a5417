package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimsmith/claimsmith/internal/runtimeapi"
)

// clients are how many requests come at a time.
const clients = 8

// load measures how many events a process answers when more of them wait all the time.
func load(_ context.Context, w *world) (section, error) {
	functions, err := w.functions()
	if err != nil {
		return section{}, err
	}
	var contestants []contestant
	var rows [][2]string // name of the contestant and what it is told
	processes := map[string]*process{}
	for _, f := range functions {
		variants := []function{f}
		if f.name == authorizer {
			repeated := f
			repeated.name, repeated.event = f.name+", the same token", func(int) []byte { return f.event(0) }
			variants = append(variants, repeated)
		}
		for _, v := range variants {
			for _, mode := range []struct{ name, env string }{{"one", "AWS_LAMBDA_MAX_CONCURRENCY=1"}, {"eight", fmt.Sprintf("AWS_LAMBDA_MAX_CONCURRENCY=%d", clients)}} {
				if mode.name != "one" && v.command[0] == w.node.program {
					continue // it has no such mode
				}
				first := runtimeapi.NewInvocation(v.event(0))
				p, err := start(v, first, mode.env)
				if err != nil {
					return section{}, err
				}
				defer p.kill()
				err = p.wait(first)
				if err == nil {
					err = v.check(first.Answer)
				}
				if err != nil {
					return section{}, fmt.Errorf("%s: %w", v.name, err)
				}
				name := v.name + ", " + mode.name
				processes[name] = p
				rows = append(rows, [2]string{v.name, mode.name})
				contestants = append(contestants, contestant{name, func() (sample, error) { return crowd(p, v, 5*benchtime) }})
			}
		}
	}
	r, err := compete(w.rounds, contestants...)
	if err != nil {
		return section{}, err
	}
	s := section{
		title: "Under load",
		text: fmt.Sprintf("%d clients that ask again as soon as they have an answer. On Lambda a process gets *one* event at a time, however many "+
			"wait: then the rate is what one sandbox can do, and Lambda starts more of them. On Lambda Managed Instances a process asks for "+
			"several, here *eight*. The times are from handing an event out to having the answer; they hold the HTTP of the runtime API, whose "+
			"server is the benchmark itself on the same processors: the bare function shows how much that is.", clients),
		header: []string{"", "events at a time", "events/s", "p50", "p99", "peak memory"},
	}
	for _, row := range rows {
		name := row[0] + ", " + row[1]
		megabytes, err := processes[name].memory()
		if err != nil {
			return section{}, err
		}
		s.rows = append(s.rows, []string{row[0], row[1], fmt.Sprintf("%.0f", r.median(name, "rate")), fine(r.median(name, "p50")),
			fine(r.median(name, "p99")), fmt.Sprintf("%.0f MB", megabytes)})
	}
	return s, nil
}

// crowd lets clients ask for a while.
func crowd(p *process, f function, d time.Duration) (sample, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var group sync.WaitGroup
	begun := time.Now()
	for range clients {
		group.Go(func() {
			for time.Since(begun) < d {
				v := runtimeapi.NewInvocation(f.event(int(next.Add(1))))
				err := p.invoke(v)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					took = append(took, v.Took)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	if failed != nil {
		return nil, failed
	}
	rate := float64(len(took)) / time.Since(begun).Seconds()
	slices.Sort(took)
	return sample{"rate": rate, "p50": took[len(took)/2].Seconds() * 1000, "p99": took[len(took)*99/100].Seconds() * 1000}, nil
}
