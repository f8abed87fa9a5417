// Package policy is the claim policy: one document that says which custom claims Amazon Cognito puts into a token, and
// which API routes demand what of them.
//
// [Parse] reads the document, or it is written as Go values ([Policy]). [Compile] checks all of it, the expressions
// included, and returns a [Compiled] policy or every problem at once. What it says is executed by package program:
// [program.Program.Mint] computes the claims for one sign-in, [program.Checker.Check] decides about one request.
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
	"errors"
	"slices"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Compiled is a compiled policy: the program that the functions run, and what tools want to know of the policy. It is safe
// for concurrent use. The zero value mints nothing and has no checkers.
type Compiled struct {
	// Program is what the functions run, and runs here as it does there.
	program.Program

	contract *contract.Policy
	document []byte
	source   *source

	lookups    []lookup
	claims     []claim
	suppress   []suppression
	scopes     struct{ add, suppress []scope }
	groups     *expression // nil: left as they are
	groupsWhen *expression
	budget     int
	servers    map[string]map[string]string

	authorizers map[string]*authorizer
	mint, check *language
	warnings    Problems // found while compiling
}

// Compile checks a policy and makes it executable. The error is [Problems]: everything that is wrong, in document order
// where the policy was parsed from a file and sorted by path otherwise.
func Compile(p *Policy) (*Compiled, error) {
	c := newCompiler(p.source)
	out := c.policy(p)
	if len(c.problems) > 0 {
		c.problems.sort()
		return nil, c.problems
	}
	out.source, out.warnings = p.source, c.warnings
	out.contract = out.travelling(p.Params)
	prog, err := program.New(out.contract)
	if err != nil {
		return nil, err
	}
	out.Program = *prog
	return out, nil
}

// Files are what a function needs beside its executable, by name: [program.File], which it runs, and policy.json, which is
// [Compiled.MarshalJSON], for those who look at the function and want to know what it enforces. Equal policies give equal
// bytes.
func (p *Compiled) Files() (map[string][]byte, error) {
	if p.contract == nil {
		return nil, errors.New("a policy that was not compiled has no files")
	}
	travelling, err := json.Marshal(p.contract)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{program.File: travelling, "policy.json": p.document}, nil
}

// Attributes are the user attributes that the policy reads by name, sorted: those that claims name, and those that
// expressions read with a literal name. An attribute whose name an expression computes is not among them.
func (p *Compiled) Attributes() []string {
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
	return contract.SortedKeys(names)
}

// eachExpression visits the expressions of minting, each with its path.
func (p *Compiled) eachExpression(visit func(path string, e *expression)) {
	each := func(path, key string, e *expression) {
		if e != nil {
			visit(contract.Child(path, key), e)
		}
	}
	for _, l := range p.lookups {
		for _, attribute := range contract.SortedKeys(l.key) {
			each(contract.Child(l.Path, "key"), attribute, l.key[attribute])
		}
		each(l.Path, "when", l.when)
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
func (p *Compiled) MarshalJSON() ([]byte, error) {
	if p.document == nil {
		return []byte("{}"), nil
	}
	return p.document, nil
}

var _ json.Marshaler = (*Compiled)(nil)

// Problem makes a problem at the place in the document with that path, or at the closest enclosing one. It is for tools
// that know more than the policy says, such as which routes an API has.
func (p *Compiled) Problem(path, message string) Problem { return p.source.problem(path, message) }
