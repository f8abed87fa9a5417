// Package contract is a compiled policy in the form in which it travels to the functions, and what those who write it
// (lambda/policy, at synth) and those who run it (lambda/program, in the functions) have to agree on: the types of claims,
// what Cognito protects, sizes, and how a place in a policy is called. Nothing but the standard library is in it, since it
// is part of every cold start.
package contract

import (
	"encoding/json"

	"github.com/claimsmith/claimsmith/lambda/internal/expr"
)

// Format is the number of the form in which policies travel. It changes with the meaning of anything in it, so that a
// function that was built with another version refuses to start.
const Format = 1

// Policy is a compiled policy. Lists are sorted as they are evaluated.
type Policy struct {
	Format         int                    `json:"format"`
	Params         []string               `json:"params,omitempty"`
	Lookups        []Lookup               `json:"lookups,omitempty"`
	Claims         []Claim                `json:"claims,omitempty"`
	Suppress       []Suppression          `json:"suppress,omitempty"`
	AddScopes      []Scope                `json:"addScopes,omitempty"`
	SuppressScopes []Scope                `json:"suppressScopes,omitempty"`
	Groups         *Expression            `json:"groups,omitempty"` // nil: left as they are
	GroupsWhen     *Expression            `json:"groupsWhen,omitempty"`
	TokenBudget    int                    `json:"tokenBudget"`
	Authorizers    map[string]*Authorizer `json:"authorizers,omitempty"`
}

// Claim is a claim. Nested ones have no tokens of their own.
type Claim struct {
	Name        string      `json:"name"`
	Path        string      `json:"path"`
	Access      bool        `json:"access,omitempty"` // it is in access tokens
	ID          bool        `json:"id,omitempty"`     // it is in ID tokens
	Value       *Value      `json:"value,omitempty"`
	Attribute   string      `json:"attribute,omitempty"`
	As          string      `json:"as,omitempty"`
	Expr        *Expression `json:"expr,omitempty"`
	Code        bool        `json:"code,omitempty"` // own code sets it
	Claims      []Claim     `json:"claims,omitempty"`
	When        *Expression `json:"when,omitempty"`
	Required    bool        `json:"required,omitempty"`
	OmitOnError bool        `json:"omitOnError,omitempty"`
	Shape       *Shape      `json:"shape"`
	Declared    bool        `json:"declared,omitempty"` // values are held against the shape
}

// In tells whether the claim is in that token.
func (c *Claim) In(t Token) bool { return t == AccessToken && c.Access || t == IDToken && c.ID }

// Suppression takes a claim out of tokens.
type Suppression struct {
	Claim  string      `json:"claim"`
	Path   string      `json:"path"`
	Access bool        `json:"access,omitempty"`
	ID     bool        `json:"id,omitempty"`
	When   *Expression `json:"when,omitempty"`
}

// Scope is a scope that is added or suppressed.
type Scope struct {
	Name string      `json:"name"`
	Path string      `json:"path"`
	When *Expression `json:"when,omitempty"`
}

// Lookup is a row of a table, or several.
type Lookup struct {
	Name         string                 `json:"name"`
	Path         string                 `json:"path"`
	Table        string                 `json:"table"`
	Index        string                 `json:"index,omitempty"`
	Key          map[string]*Expression `json:"key"`
	Limit        int                    `json:"limit,omitempty"` // 0: the one row with that primary key
	Consistent   bool                   `json:"consistent,omitempty"`
	Attributes   []string               `json:"attributes"`
	CacheSeconds int                    `json:"cacheSeconds,omitempty"`
	Row          *Shape                 `json:"row"`
	When         *Expression            `json:"when,omitempty"`
	OnMissing    Fallback               `json:"onMissing,omitzero"`
	OnError      Fallback               `json:"onError,omitzero"`
}

// Fallback is what stands in for rows. The zero value refuses the sign-in.
type Fallback struct {
	Omit  bool   `json:"omit,omitempty"`
	Value *Value `json:"value,omitempty"`
}

// Authorizer is what an API demands of a token.
type Authorizer struct {
	Default  []Rule            `json:"default,omitempty"`
	Routes   map[string][]Rule `json:"routes,omitempty"`
	Claims   map[string]*Shape `json:"claims,omitempty"` // top-level claims that rules read
	Context  []string          `json:"context"`
	IDTokens IDTokens          `json:"idTokens,omitzero"`
	Reads    Reads             `json:"reads,omitzero"`
}

// Rule is one demand.
type Rule struct {
	Path    string      `json:"path"`
	Message string      `json:"message"`
	Rule    *Expression `json:"rule"`
	Claims  []string    `json:"claims,omitempty"` // top-level claims that it reads
}

// IDTokens is how long, and where, ID tokens are accepted. The zero value accepts none.
type IDTokens struct {
	Until  string   `json:"until"`            // a day in UTC, the first on which they are refused
	Routes []string `json:"routes,omitempty"` // nil: any
}

// Expression is an expression that can be evaluated. In JSON it is its tree.
type Expression struct {
	tree    *expr.Node
	program *expr.Expression
}

// NewExpression prepares an expression. The error says what of it cannot be evaluated.
func NewExpression(tree *expr.Node) (*Expression, error) {
	program, err := expr.New(tree)
	if err != nil {
		return nil, err
	}
	return &Expression{tree, program}, nil
}

// MarshalJSON writes the tree.
func (e *Expression) MarshalJSON() ([]byte, error) { return json.Marshal(e.tree) }

// UnmarshalJSON reads the tree and prepares it.
func (e *Expression) UnmarshalJSON(data []byte) error {
	var tree expr.Node
	if err := json.Unmarshal(data, &tree); err != nil {
		return err
	}
	prepared, err := NewExpression(&tree)
	if err != nil {
		return err
	}
	*e = Expression{program: prepared.program} // nobody writes it again
	return nil
}

// Eval evaluates the expression. The problem, if any, is in words that hold no value of the variables. No expression is one.
func (e *Expression) Eval(vars expr.Variables) (v any, problem string) {
	if e == nil {
		return nil, "there is no expression"
	}
	v, err := e.program.Eval(vars)
	if err != nil {
		return nil, err.Error()
	}
	return v, ""
}

// Holds evaluates a condition.
func (e *Expression) Holds(vars expr.Variables) (holds bool, problem string) {
	v, problem := e.Eval(vars)
	return problem == "" && v == true, problem
}

// Reads is what decisions depend on besides the token. See program.Reads.
type Reads struct {
	Route     bool     `json:"route,omitempty"`
	Method    bool     `json:"method,omitempty"`
	Path      bool     `json:"path,omitempty"`
	SourceIP  bool     `json:"sourceIp,omitempty"`
	Headers   []string `json:"headers,omitempty"`
	Query     []string `json:"query,omitempty"`
	Unkeyable []string `json:"unkeyable,omitempty"`
}
