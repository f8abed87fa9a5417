// Package policy is the claim policy: one document that says which custom claims Amazon Cognito puts into a token, and
// which API routes demand what of them.
//
// [Parse] reads the document, or it is written as Go values ([Policy]). [Compile] checks all of it, the expressions
// included, and returns a [Program] or every problem at once. [Program.Mint] computes the claims for one sign-in;
// [Checker.Check] decides about one request. Both are pure functions: no AWS, no clock, no I/O, no state.
//
// Expressions are CEL (https://cel.dev) with optional values and the strings, lists, sets and math extensions. They are
// type-checked when the policy is compiled: a rule about a claim that nobody mints does not compile.
//
// # Compatibility
//
// The policy document and the type names in it are stable within a major version: what compiles today compiles
// tomorrow and means the same. The texts of problems are for people and may change.
package policy

import (
	"encoding/json"
	"slices"
)

// Program is a compiled policy. It is safe for concurrent use. The zero value mints nothing and has no checkers.
type Program struct {
	source   *source
	document []byte
	params   []string

	lookups    []lookup
	claims     []claim
	suppress   []suppression
	scopes     struct{ add, suppress []scope }
	groups     *expression // nil: left as they are
	groupsWhen *expression
	budget     int
	servers    map[string]map[string]string

	checkers    map[string]*Checker
	mint, check *language
	warnings    Problems // found while compiling
}

// Compile checks a policy and makes it executable. The error is [Problems]: everything that is wrong, in document order
// where the policy was parsed from a file and sorted by path otherwise.
func Compile(p *Policy) (*Program, error) {
	c := newCompiler(p.source)
	prog := c.policy(p)
	if len(c.problems) > 0 {
		c.problems.sort()
		return nil, c.problems
	}
	prog.source, prog.warnings = p.source, c.warnings
	return prog, nil
}

// Params are the names of the deploy-time values that the policy declares, in its order.
func (p *Program) Params() []string { return slices.Clone(p.params) }

// ShapesAccessTokens tells whether the policy puts claims or scopes into access tokens, or takes some out: what the trigger's
// version V1_0 cannot do. Groups it can replace in both tokens.
func (p *Program) ShapesAccessTokens() bool {
	return len(p.scopes.add)+len(p.scopes.suppress) > 0 ||
		slices.ContainsFunc(p.claims, func(c claim) bool { return slices.Contains(c.tokens, AccessToken) }) ||
		slices.ContainsFunc(p.suppress, func(s suppression) bool { return slices.Contains(s.tokens, AccessToken) })
}

// Attributes are the user attributes that the policy reads by name, sorted: those that claims name, and those that
// expressions read with a literal name. An attribute whose name an expression computes is not among them.
func (p *Program) Attributes() []string {
	names := map[string]bool{}
	p.eachExpression(func(_ string, e *expression) {
		for _, read := range e.reads {
			if len(read.names) > 2 && read.names[0] == "user" && read.names[1] == "attributes" {
				names[read.names[2]] = true
			}
		}
	})
	eachClaim(p.claims, func(c *claim) {
		if c.attribute != "" {
			names[c.attribute] = true
		}
	})
	return sortedKeys(names)
}

// eachExpression visits the expressions of minting, each with its path.
func (p *Program) eachExpression(visit func(path string, e *expression)) {
	each := func(path, key string, e *expression) {
		if e != nil {
			visit(child(path, key), e)
		}
	}
	for _, l := range p.lookups {
		for _, attribute := range sortedKeys(l.key) {
			each(child(l.path, "key"), attribute, l.key[attribute])
		}
		each(l.path, "when", l.when)
	}
	eachClaim(p.claims, func(c *claim) {
		each(c.path, "expr", c.expr)
		each(c.path, "when", c.when)
	})
	for _, s := range p.suppress {
		each(s.path, "when", s.when)
	}
	for _, s := range slices.Concat(p.scopes.add, p.scopes.suppress) {
		each(s.path, "when", s.when)
	}
	each("groups", "expr", p.groups)
	each("groups", "when", p.groupsWhen)
}

// eachClaim visits claims and those inside them.
func eachClaim(claims []claim, visit func(*claim)) {
	for i := range claims {
		visit(&claims[i])
		eachClaim(claims[i].claims, visit)
	}
}

// MarshalJSON returns the policy as a document that [Parse] reads: the form in which it travels to the functions. Equal
// policies give equal bytes.
func (p *Program) MarshalJSON() ([]byte, error) {
	if p.document == nil {
		return []byte("{}"), nil
	}
	return p.document, nil
}

var _ json.Marshaler = (*Program)(nil)

// Problem makes a problem at the place in the document with that path, or at the closest enclosing one. It is for tools
// that know more than the policy says, such as which routes an API has.
func (p *Program) Problem(path, message string) Problem { return p.source.problem(path, message) }

// Checker returns the compiled authorizer of that name, and whether the policy has one.
func (p *Program) Checker(name string) (*Checker, bool) {
	c, ok := p.checkers[name]
	return c, ok
}

// CheckerNames are the names of the policy's authorizers, sorted.
func (p *Program) CheckerNames() []string { return sortedKeys(p.checkers) }

// Reason is one cause of a refusal. It contains nothing but the policy's own words, so it may be logged; it is not meant
// for clients.
type Reason struct {
	// Path is the place in the policy, such as authorizers.Documents.default[0].
	Path string `json:"path"`

	// Message says what was not met.
	Message string `json:"message"`
}
