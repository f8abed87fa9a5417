// Package program is a compiled claim policy as the functions run it: [Program.Mint] computes the claims for one sign-in,
// [Checker.Check] decides about one request. Both are pure functions: no AWS, no clock, no I/O, no state.
//
// A program is made by policy.Compile at synth. It travels as the file [File] beside a function's executable, where [Load]
// reads it: its expressions are parsed and type-checked already, so that a function needs neither the CEL library nor a
// YAML parser, and starts fast. Nothing but the standard library is linked.
package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// File is the name of the file that a program travels as. Its format is that of the version of Claimsmith that wrote it: it
// is no interface.
const File = "program.json"

// Program is a compiled policy. It is safe for concurrent use. The zero value mints nothing and has no checkers.
type Program struct {
	policy   contract.Policy
	checkers map[string]*Checker
}

// New makes a program of a compiled policy. Programs outside this module get theirs from policy.Compile or [Load].
func New(p *contract.Policy) (*Program, error) {
	out := &Program{policy: *p, checkers: make(map[string]*Checker, len(p.Authorizers))}
	for name, a := range p.Authorizers {
		var err error
		if out.checkers[name], err = newChecker(name, a); err != nil {
			return nil, fmt.Errorf("%s: %w", contract.Child("authorizers", name), err)
		}
	}
	return out, nil
}

// Load reads the program that lies in a folder as [File].
func Load(dir fs.FS) (*Program, error) {
	data, err := fs.ReadFile(dir, File)
	if err != nil {
		return nil, err
	}
	var p contract.Policy
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a demand that this version does not know must not be overlooked
	err = d.Decode(&p)
	if _, end := d.Token(); err == nil && end != io.EOF {
		err = errors.New("something follows it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no program of this version of Claimsmith: %w", File, err)
	}
	if p.Format != contract.Format {
		return nil, fmt.Errorf("%s is no program of this version of Claimsmith: its format is %d, not %d", File, p.Format, contract.Format)
	}
	return New(&p)
}

// Params are the names of the deploy-time values that the policy declares, in its order.
func (p *Program) Params() []string { return slices.Clone(p.policy.Params) }

// ShapesAccessTokens tells whether the policy puts claims or scopes into access tokens, or takes some out: what the trigger's
// version V1_0 cannot do. Groups it can replace in both tokens.
func (p *Program) ShapesAccessTokens() bool {
	return len(p.policy.AddScopes)+len(p.policy.SuppressScopes) > 0 ||
		slices.ContainsFunc(p.policy.Claims, func(c contract.Claim) bool { return c.Access }) ||
		slices.ContainsFunc(p.policy.Suppress, func(s contract.Suppression) bool { return s.Access })
}

// Checker returns the compiled authorizer of that name, and whether the policy has one.
func (p *Program) Checker(name string) (*Checker, bool) {
	c, ok := p.checkers[name]
	return c, ok
}

// CheckerNames are the names of the policy's authorizers, sorted.
func (p *Program) CheckerNames() []string { return contract.SortedKeys(p.checkers) }

// Reason is one cause of a refusal. It contains nothing but the policy's own words, so it may be logged; it is not meant
// for clients.
type Reason struct {
	// Path is the place in the policy, such as authorizers.Documents.default[0].
	Path string `json:"path"`

	// Message says what was not met.
	Message string `json:"message"`
}
