package program

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Request is the request that a rule decides about. Expressions see it as request.
type Request struct {
	// Method is request.method, such as "GET".
	Method string

	// Path is request.path: the path as the client sent it, with the stage where the API has one in its URL.
	Path string

	// RouteKey is request.routeKey: the route that API Gateway chose, such as "GET /documents/{id}".
	RouteKey string

	// PathParameters are request.pathParameters, by the names in the route key.
	PathParameters map[string]string

	// QueryParameters are request.queryParameters. Several values of one name are joined with commas, as HTTP APIs do.
	QueryParameters map[string]string

	// Headers are request.headers, by lower-case name.
	Headers map[string]string

	// SourceIP is request.sourceIp: the address of the immediate client.
	SourceIP string

	// Params are params: the values of the policy's deploy-time params.
	Params map[string]string
}

// Decision is the answer to one request. The zero value denies.
type Decision struct {
	// Allowed tells whether every rule is met.
	Allowed bool

	// Reasons are the rules that are not met, all of them, in policy order: default rules first.
	Reasons []Reason
}

// Checker is one compiled authorizer of a policy. It is safe for concurrent use. The zero value denies every request.
type Checker struct {
	name          string
	authorizer    contract.Authorizer
	idTokensUntil time.Time
	claims        []string // that rules read, sorted: a claim's place is its index
	shapes        []*contract.Shape
	defaults      []rule
	routes        map[string][]rule
}

// rule is a rule and the places of the claims that it reads.
type rule struct {
	*contract.Rule
	claims []int
}

// newChecker refuses what policy.Compile would not have written: a decision would stumble over it.
func newChecker(name string, a *contract.Authorizer) (*Checker, error) {
	if a == nil {
		return nil, errors.New("there is no authorizer")
	}
	c := &Checker{name: name, authorizer: *a, claims: contract.SortedKeys(a.Claims), routes: make(map[string][]rule, len(a.Routes))}
	for _, claim := range c.claims {
		if a.Claims[claim] == nil {
			return nil, fmt.Errorf("claim %q has no type", claim)
		}
		c.shapes = append(c.shapes, a.Claims[claim])
	}
	var err error
	if c.defaults, err = c.rules(a.Default); err != nil {
		return nil, err
	}
	for key, rules := range a.Routes {
		if c.routes[key], err = c.rules(rules); err != nil {
			return nil, err
		}
	}
	if until := a.IDTokens.Until; until != "" {
		if c.idTokensUntil, err = time.Parse(time.DateOnly, until); err != nil {
			return nil, fmt.Errorf("ID tokens are accepted until %q, which is no day", until)
		}
	}
	return c, nil
}

func (c *Checker) rules(in []contract.Rule) ([]rule, error) {
	rules := make([]rule, len(in))
	for i := range in {
		rules[i].Rule = &in[i]
		for _, claim := range in[i].Claims {
			place, known := slices.BinarySearch(c.claims, claim)
			if !known {
				return nil, fmt.Errorf("%s reads claim %q, which has no type", in[i].Path, claim)
			}
			rules[i].claims = append(rules[i].claims, place)
		}
	}
	return rules, nil
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

// Reads is what the decisions depend on besides the token.
func (c *Checker) Reads() Reads { return Reads(c.authorizer.Reads) }

// Routes are the route keys that the policy names, sorted.
func (c *Checker) Routes() []string { return contract.SortedKeys(c.routes) }

// HasRoute tells whether the policy names a route.
func (c *Checker) HasRoute(key string) bool {
	_, ok := c.routes[key]
	return ok
}

// CoversAll tells whether there are default rules. Without them a route that the policy does not name is refused.
func (c *Checker) CoversAll() bool { return len(c.defaults) > 0 }

// AcceptsIDToken tells whether a request for that route may have an ID token instead of an access token at that time.
func (c *Checker) AcceptsIDToken(route string, now time.Time) bool {
	routes := c.authorizer.IDTokens.Routes
	return now.Before(c.idTokensUntil) && (routes == nil || slices.Contains(routes, route))
}

// IDTokensUntil is when ID tokens are no longer accepted on any route; the zero time if they never are.
func (c *Checker) IDTokensUntil() time.Time { return c.idTokensUntil }

// Context picks out of a verified token's payload the claims that the backend gets, under the names that rules have for
// them: the scopes and groups as lists. A claim that the token lacks is left out.
func (c *Checker) Context(payload map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range c.authorizer.Context {
			if v, ok := claimOf(payload, name); ok && !yield(name, v) {
				return
			}
		}
	}
}

// Check decides about a request with a verified access token. claims is the token's payload, numbers as [json.Number].
// All rules are evaluated, so that every reason is known. A rule that cannot be evaluated, for instance because it reads
// a claim that the token lacks, is not met; the same holds for one that reads a claim of another type than the policy
// mints.
func (c *Checker) Check(claims map[string]any, request Request) Decision {
	rules, named := c.routes[request.RouteKey]
	if !named && !c.CoversAll() {
		return Decision{Reasons: []Reason{{
			Path:    contract.Child(contract.Child("authorizers", c.name), "routes"),
			Message: fmt.Sprintf("no rule covers route %q", request.RouteKey),
		}}}
	}
	d := decision{checker: c, payload: claims, request: request, claims: make([]claimValue, len(c.claims))}
	var reasons []Reason
	for _, set := range [][]rule{c.defaults, rules} {
		for i := range set {
			if problem, met := d.check(&set[i]); !met {
				reasons = append(reasons, Reason{Path: set[i].Path, Message: set[i].Message + problem})
			}
		}
	}
	return Decision{Allowed: len(reasons) == 0, Reasons: reasons}
}

// decision is the state of one call of Check, and the variables that rules know.
type decision struct {
	checker *Checker
	payload map[string]any
	request Request
	claims  []claimValue // by their places; made when the first rule reads them
}

// claimValue is what the token has of a claim.
type claimValue struct {
	made, present bool
	value         any
	bad           *contract.Mismatch // it is of another shape
}

// check evaluates one rule. The problem, if any, is in brackets.
func (d *decision) check(r *rule) (problem string, met bool) {
	for _, place := range r.claims {
		if bad := d.claim(place).bad; bad != nil {
			return " (" + bad.Message() + ")", false
		}
	}
	met, problem = r.Rule.Rule.Holds(d)
	if problem != "" {
		return " (" + problem + ")", false
	}
	return "", met
}

func (d *decision) claim(place int) *claimValue {
	c := &d.claims[place]
	if c.made {
		return c
	}
	c.made = true
	name := d.checker.claims[place]
	v, present := claimOf(d.payload, name)
	if !present {
		return c
	}
	decoded, bad := d.checker.shapes[place].Decode(v)
	if bad != nil {
		c.bad = bad.Below(contract.Child("claims", name))
		return c
	}
	c.present, c.value = true, decoded
	return c
}

// Variable is the value of a variable by its name in rules.
func (d *decision) Variable(name string) any {
	switch name {
	case "claims":
		return (*claimsObject)(d)
	case "request":
		return (*requestObject)(d)
	case "params":
		return orEmpty(d.request.Params)
	default:
		return nil
	}
}

// claimsObject is claims, of which rules read single members.
type claimsObject decision

func (o *claimsObject) Member(name string) (any, bool) {
	place, known := slices.BinarySearch(o.checker.claims, name)
	if !known {
		return nil, false
	}
	c := (*decision)(o).claim(place)
	return c.value, c.present
}

// requestObject is request, of which rules read single members.
type requestObject decision

func (o *requestObject) Member(name string) (any, bool) {
	r := &o.request
	switch name {
	case "method":
		return r.Method, true
	case "path":
		return r.Path, true
	case "routeKey":
		return r.RouteKey, true
	case "pathParameters":
		return orEmpty(r.PathParameters), true
	case "queryParameters":
		return orEmpty(r.QueryParameters), true
	case "headers":
		return orEmpty(r.Headers), true
	case "sourceIp":
		return r.SourceIP, true
	default:
		return nil, false
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
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
