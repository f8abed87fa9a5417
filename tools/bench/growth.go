package main

import (
	"context"
	"fmt"
	"math"
	"testing/fstest"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// linear is the exponent of linear growth, with room for the caches of the processor: a policy leaves them once, somewhere
// between 300 and 1,000 expressions, and grows linearly before and after. Quadratic growth would be 2.
const linear = 1.25

var amounts = []int{10, 30, 100, 300, 1000}

// growing is something that a policy may have much of.
type growing struct {
	what    string
	each    string // what one more of it costs
	policy  func(n int) *policy.Policy
	execute func(w *world, p *policy.Compiled) (func(i int) error, error)
}

var growings = []growing{
	{"claims", "minting", func(n int) *policy.Policy {
		p := &policy.Policy{Claims: map[string]policy.Claim{}, TokenBudget: 1 << 20}
		for i := range n {
			p.Claims[fmt.Sprintf("claim_%d", i)] = policy.Claim{Expr: "'auditors' in user.groups ? 'high' : 'standard'"}
		}
		return p
	}, func(w *world, compiled *policy.Compiled) (func(int) error, error) {
		answer := mint(compiled)
		return func(int) error { _, err := answer(w.signIn); return err }, nil
	}},
	{"rules for the route", "a decision", func(n int) *policy.Policy {
		rules := make([]policy.Rule, n)
		for i := range rules {
			rules[i] = policy.Rule{Rule: "claims.compliance_level == 'high'", Message: fmt.Sprintf("rule %d", i)}
		}
		return withRules(policy.Authorizer{Default: rules})
	}, decideAgain},
	{"routes", "a decision", func(n int) *policy.Policy {
		routes := map[string][]policy.Rule{}
		for i := range n - 1 {
			routes[fmt.Sprintf("GET /things-%d/{id}", i)] = []policy.Rule{{Rule: "claims.company_id == request.pathParameters.id"}}
		}
		routes["GET /companies/{id}"] = []policy.Rule{{Rule: "claims.company_id == request.pathParameters.id"}}
		return withRules(policy.Authorizer{Routes: routes})
	}, decideAgain},
}

// withRules is the benchmark's policy with another authorizer.
func withRules(a policy.Authorizer) *policy.Policy {
	p, err := policy.Parse("policy.yaml", policyText)
	if err != nil {
		panic(err) // it was read before
	}
	p.Authorizers = map[string]policy.Authorizer{"Documents": a}
	return p
}

// decideAgain decides about a token that was seen before, so that the signature does not hide what grows.
func decideAgain(w *world, compiled *policy.Compiled) (func(int) error, error) {
	handler, err := w.decider(compiled, "Documents")
	if err != nil {
		return nil, err
	}
	event := call(apigwtest.HTTP2, w.tokens[0])
	decide := func() ([]byte, error) { return handler.Invoke(context.Background(), event) }
	answer, err := decide()
	return func(int) error { _, err := decide(); return err }, allowed(apigwtest.HTTP2, answer, err)
}

// growth measures what becomes of an event, and of the start, with much of everything.
func growth(_ context.Context, w *world) (section, error) {
	name := func(g growing, n int) string { return fmt.Sprintf("%d %s", n, g.what) }
	const starting = ", start"
	var contestants []contestant
	for _, g := range growings {
		for _, n := range amounts {
			compiled, err := policy.Compile(g.policy(n))
			if err != nil {
				return section{}, err
			}
			shipped, err := compiled.Files()
			if err != nil {
				return section{}, err
			}
			dir := fstest.MapFS{}
			for name, content := range shipped {
				dir[name] = &fstest.MapFile{Data: content}
			}
			event, err := g.execute(w, compiled)
			if err != nil {
				return section{}, err
			}
			contestants = append(contestants, does(name(g, n), event), does(name(g, n)+starting, func(int) error {
				_, err := program.Load(dir)
				return err
			}))
		}
	}
	r, err := compete(w.rounds, contestants...)
	if err != nil {
		return section{}, err
	}

	s := section{
		title: "Growth with the policy",
		text: "One event, minting for claims and a decision about a token seen before for rules and routes, and what the function does with the " +
			"policy when it starts. Every claim, rule and route has an expression. *Exponent* is that from 100 to 1,000: 1 is " +
			"linear, 2 quadratic; somewhere in between the expressions no longer fit into the processor's caches, which adds a little once.",
		header: []string{""},
		chart:  &chart{file: "growth.svg", title: "One event, and the start, by the size of the policy", unit: "µs", along: "claims, rules or routes", logarithmic: true},
	}
	for _, n := range amounts {
		s.header = append(s.header, fmt.Sprint(n))
	}
	s.header = append(s.header, "each further one", "exponent")
	for _, g := range growings {
		for _, suffix := range []string{"", starting} {
			l := line{name: g.each + ", by " + g.what}
			if suffix == starting {
				l.name = "start, by " + g.what
			}
			row := []string{l.name}
			for _, n := range amounts {
				us := r.median(name(g, n)+suffix, nanoseconds) / 1000
				l.x, l.y = append(l.x, float64(n)), append(l.y, us)
				row = append(row, duration(us))
			}
			each, exponent := l.slope(), l.exponent()
			s.rows = append(s.rows, append(row, fmt.Sprintf("%.2f µs", each), fmt.Sprintf("%.2f", exponent)))
			s.chart.lines = append(s.chart.lines, l)
			s.targets = append(s.targets, atMost("exponent, "+l.name, exponent, linear, "%.2f"))
			if suffix == "" {
				s.targets = append(s.targets, atMost("each further one, "+l.name, each, 2, "%.2f µs"))
			}
		}
	}
	return s, nil
}

// slope is what one more costs, from the first point to the last.
func (l line) slope() float64 {
	last := len(l.x) - 1
	return (l.y[last] - l.y[0]) / (l.x[last] - l.x[0])
}

// exponent is that of the growth in the last two steps. One of them alone would judge the processor's caches.
func (l line) exponent() float64 {
	last := len(l.x) - 1
	return math.Log(l.y[last]/l.y[last-2]) / math.Log(l.x[last]/l.x[last-2])
}
