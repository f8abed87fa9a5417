package policy

import (
	"fmt"
	"slices"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// authorizer is a compiled [Authorizer].
type authorizer struct {
	name     string
	defaults []rule
	routes   map[string][]rule
	claims   map[string]*contract.Shape // top-level claims that rules read
	context  []string
	idTokens contract.IDTokens
	reads    contract.Reads
}

// rule is a compiled [Rule].
type rule struct {
	path, message string
	expression    *expression
	claims        []string // top-level claims that it reads
}

// each visits the rules, default rules first.
func (a *authorizer) each(visit func(*rule)) {
	for i := range a.defaults {
		visit(&a.defaults[i])
	}
	for _, key := range contract.SortedKeys(a.routes) {
		for i := range a.routes[key] {
			visit(&a.routes[key][i])
		}
	}
}

// derive computes from the rules what decisions depend on.
func (a *authorizer) derive(l *language) {
	a.claims = map[string]*contract.Shape{}
	a.reads.Route = len(a.routes) > 0
	add := func(rules []rule, onEveryRoute bool) {
		for i := range rules {
			addReads(&a.reads, &rules[i], onEveryRoute)
			for _, name := range rules[i].claims {
				a.claims[name] = l.vars["claims"].Fields[name].Shape
			}
		}
	}
	add(a.defaults, true)
	for _, key := range contract.SortedKeys(a.routes) {
		add(a.routes[key], false)
	}
	for _, list := range []*[]string{&a.reads.Headers, &a.reads.Query, &a.reads.Unkeyable} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// addReads adds what a rule reads of the request.
func addReads(r *contract.Reads, rule *rule, onEveryRoute bool) {
	for _, read := range rule.expression.reads {
		if read.names[0] != "request" || len(read.names) == 1 {
			continue
		}
		// A gateway answers a request that lacks an identity source with 401 before the function is asked. So a header or
		// query parameter can be one only if nothing is allowed without it, on any route.
		keyable := len(read.names) == 3 && read.always && !read.presence && onEveryRoute
		switch field := read.names[1]; {
		case field == "method":
			r.Method = true
		case field == "path" || field == "pathParameters":
			r.Path = true
		case field == "routeKey":
			r.Route = true
		case field == "sourceIp":
			r.SourceIP = true
		case field == "headers" && keyable:
			r.Headers = append(r.Headers, read.names[2])
		case field == "queryParameters" && keyable:
			r.Query = append(r.Query, read.names[2])
		default:
			r.Unkeyable = append(r.Unkeyable, fmt.Sprintf("%s reads %s", rule.path, dotted("request", read.names[1:])))
		}
	}
}
