package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Decision is the answer to one request. The zero value denies.
type Decision struct {
	// Allowed tells whether every rule is met.
	Allowed bool

	// Reasons are the rules that are not met, all of them, in policy order: default rules first.
	Reasons []Reason
}

// Checker is one compiled authorizer of a policy. It is safe for concurrent use. The zero value denies every request.
type Checker struct {
	name     string
	defaults []rule
	routes   map[string][]rule
	claims   map[string]*shape // top-level claims that rules read
	context  []string
	idTokens idTokens
	reads    Reads
	asks     []string // the fields of request that rules read
}

// rule is a compiled [Rule].
type rule struct {
	path, message string
	expression    *expression
	claims        []string // top-level claims that it reads
}

// Reads is what a decision depends on besides the token. It decides on what API Gateway may key a cached decision.
type Reads struct {
	// Route tells that decisions differ by route.
	Route bool

	// Method, Path and SourceIP tell that a rule reads request.method, request.path or request.pathParameters, and
	// request.sourceIp.
	Method, Path, SourceIP bool

	// Headers and Query are header names (lower-case) and query parameters without which every request is denied, so
	// that a cache may demand them.
	Headers, Query []string

	// Unkeyable says, rule by rule, what is read that no cache can be keyed on: a header that may be absent, one whose
	// name is computed, all headers. Unless it is empty, decisions must not be cached.
	Unkeyable []string
}

// Routes are the route keys that the policy names, sorted.
func (c *Checker) Routes() []string { return sortedKeys(c.routes) }

// HasRoute tells whether the policy names a route.
func (c *Checker) HasRoute(key string) bool {
	_, ok := c.routes[key]
	return ok
}

// CoversAll tells whether there are default rules. Without them a route that the policy does not name is refused.
func (c *Checker) CoversAll() bool { return len(c.defaults) > 0 }

// Context picks out of a verified token's payload the claims that the backend gets, under the names that rules have for
// them: the scopes and groups as lists. A claim that the token lacks is left out.
func (c *Checker) Context(payload map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range c.context {
			if v, ok := claimOf(payload, name); ok && !yield(name, v) {
				return
			}
		}
	}
}

// Reads is what the decisions depend on besides the token.
func (c *Checker) Reads() Reads { return c.reads }

// Check decides about a request with a verified access token. claims is the token's payload, numbers as [json.Number].
// All rules are evaluated, so that every reason is known. A rule that cannot be evaluated, for instance because it reads
// a claim that the token lacks, is not met; the same holds for one that reads a claim of another type than the policy
// mints.
func (c *Checker) Check(claims map[string]any, request Request) Decision {
	rules, named := c.routes[request.RouteKey]
	if !named && len(c.defaults) == 0 {
		return Decision{Reasons: []Reason{{
			Path:    child(child("authorizers", c.name), "routes"),
			Message: fmt.Sprintf("no rule covers route %q", request.RouteKey),
		}}}
	}
	token, bad := c.token(claims)
	env := &checkEnvironment{claims: token, request: request, asks: c.asks}
	var reasons []Reason
	for _, set := range [][]rule{c.defaults, rules} {
		for i := range set {
			if reason, met := set[i].check(env, bad); !met {
				reasons = append(reasons, reason)
			}
		}
	}
	return Decision{Allowed: len(reasons) == 0, Reasons: reasons}
}

// checkEnvironment resolves the names that rules know. The request's is made when a rule asks for it.
type checkEnvironment struct {
	claims  map[string]any
	request Request
	asks    []string // the fields of request that rules read
	asked   map[string]any
}

func (e *checkEnvironment) ResolveName(name string) (any, bool) {
	switch name {
	case "claims":
		return e.claims, true
	case "params":
		return orEmpty(e.request.Params), true
	case "request":
		if e.asked == nil {
			e.asked = make(map[string]any, len(e.asks))
			for _, field := range e.asks {
				e.asked[field] = e.request.field(field)
			}
		}
		return e.asked, true
	default:
		return nil, false
	}
}

// field is a field of the request by the name that rules have for it.
func (r *Request) field(name string) any {
	switch name {
	case "method":
		return r.Method
	case "path":
		return r.Path
	case "routeKey":
		return r.RouteKey
	case "pathParameters":
		return orEmpty(r.PathParameters)
	case "queryParameters":
		return orEmpty(r.QueryParameters)
	case "headers":
		return orEmpty(r.Headers)
	case "sourceIp":
		return r.SourceIP
	default:
		panic("internal error: no field of request: " + name)
	}
}

func (e *checkEnvironment) Parent() cel.Activation { return nil }

func (r *rule) check(env *checkEnvironment, bad map[string]*mismatch) (Reason, bool) {
	for _, name := range r.claims {
		if m := bad[name]; m != nil {
			return Reason{Path: r.path, Message: r.message + " (" + m.message() + ")"}, false
		}
	}
	holds, problem := r.expression.holds(env)
	if problem != "" {
		return Reason{Path: r.path, Message: r.message + " (" + problem + ")"}, false
	}
	return Reason{Path: r.path, Message: r.message}, holds
}

// token makes the claims that rules read out of a token's payload, and says which of them have another shape.
func (c *Checker) token(payload map[string]any) (map[string]any, map[string]*mismatch) {
	token := make(map[string]any, len(c.claims))
	var bad map[string]*mismatch
	for name, s := range c.claims {
		v, present := claimOf(payload, name)
		if !present {
			continue
		}
		decoded, m := s.decode(v)
		if m != nil {
			if bad == nil {
				bad = map[string]*mismatch{}
			}
			bad[name] = m.below(child("claims", name))
			continue
		}
		token[name] = decoded
	}
	return token, bad
}

// claimOf is the claim that rules call by that name. groups, scopes and is_machine are there in any token.
func claimOf(payload map[string]any, name string) (any, bool) {
	switch name {
	case "is_machine":
		// Cognito gives a username to users' tokens alone, and no trigger can set or suppress it. The sub tells nothing:
		// AWS's pages disagree on whether machines have one. Neither does the lack of groups, which a user may lack too.
		// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
		_, isUser := payload["username"]
		return !isUser && payload["token_use"] != "id", true // an ID token is a user's
	case "groups":
		if v, ok := payload["cognito:groups"]; ok {
			return v, true
		}
		return []string{}, true
	case "scopes":
		v, ok := payload["scope"]
		if text, isText := v.(string); isText || !ok {
			return strings.Fields(text), true
		}
		return v != nil, true // not the text that it must be, hence no list of scopes either
	default:
		v, ok := payload[name]
		return v, ok
	}
}

// each visits the rules, default rules first.
func (c *Checker) each(visit func(*rule)) {
	for i := range c.defaults {
		visit(&c.defaults[i])
	}
	for _, key := range c.Routes() {
		for i := range c.routes[key] {
			visit(&c.routes[key][i])
		}
	}
}

// derive computes from the rules what decisions depend on.
func (c *Checker) derive(l *language) {
	c.claims = map[string]*shape{}
	c.reads.Route = len(c.routes) > 0
	add := func(rules []rule, onEveryRoute bool) {
		for i := range rules {
			c.reads.add(&rules[i], onEveryRoute)
			for _, read := range rules[i].expression.reads {
				switch {
				case read.names[0] != "request":
				case len(read.names) == 1:
					c.asks = append(c.asks, sortedKeys(requestShape.fields)...)
				default:
					c.asks = append(c.asks, read.names[1])
				}
			}
			for _, name := range rules[i].claims {
				c.claims[name] = l.vars["claims"].fields[name].shape
			}
		}
	}
	add(c.defaults, true)
	for _, key := range c.Routes() {
		add(c.routes[key], false)
	}
	for _, list := range []*[]string{&c.reads.Headers, &c.reads.Query, &c.reads.Unkeyable, &c.asks} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

func (r *Reads) add(rule *rule, onEveryRoute bool) {
	for _, read := range rule.expression.reads {
		if read.names[0] != "request" {
			continue
		}
		field := ""
		if len(read.names) > 1 {
			field = read.names[1]
		}
		// A gateway answers a request that lacks an identity source with 401 before the function is asked. So a header or
		// query parameter can be one only if nothing is allowed without it, on any route.
		keyable := len(read.names) == 3 && read.always && !read.presence && onEveryRoute
		switch {
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
