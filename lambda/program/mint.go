package program

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"github.com/claimsmith/claimsmith/lambda/internal/expr"
)

// SignIn is what minting knows about one token request. Expressions see it under the names given here.
type SignIn struct {
	// UserName is user.name.
	UserName string

	// Attributes are user.attributes: all text, as Cognito hands them over. Empty for machines.
	Attributes map[string]string

	// Groups are user.groups. Empty for machines.
	Groups []string

	// ClientID is client.id, the app client.
	ClientID string

	// Machine is client.is_machine: the token is for the client itself (client credentials), not for a user.
	Machine bool

	// ClientMetadata is client.metadata. The caller chooses it freely and Cognito does not check it: it is no ground to
	// grant anything on.
	ClientMetadata map[string]string

	// Scopes are scopes: those that the user requested and the client may have.
	Scopes []string

	// TriggerSource is trigger.source. AWS's own pages disagree on which value means what, so it does not tell refresh
	// from sign-in nor federated from local users.
	TriggerSource string

	// PoolID and PoolRegion are pool.id and pool.region.
	PoolID, PoolRegion string

	// Params are params: the values of the policy's deploy-time params.
	Params map[string]string

	// Found is what [Program.Lookups] came to, by the lookup's name. Expressions see the rows as lookup.<name>.
	Found map[string]Found
}

// variables are the values of the names that expressions of minting know, but for lookup.
func (in *SignIn) variables() expr.Map {
	return expr.Map{
		"user":    map[string]any{"name": in.UserName, "attributes": orEmpty(in.Attributes), "groups": in.Groups},
		"client":  map[string]any{"id": in.ClientID, "is_machine": in.Machine, "metadata": orEmpty(in.ClientMetadata)},
		"scopes":  in.Scopes,
		"trigger": map[string]any{"source": in.TriggerSource},
		"pool":    map[string]any{"id": in.PoolID, "region": in.PoolRegion},
		"params":  orEmpty(in.Params),
	}
}

// Minted is what a policy makes of one sign-in. The zero value refuses.
type Minted struct {
	// Issue tells whether tokens may be issued. When it is false, nothing but Refusals and Fault is set.
	Issue bool

	// Refusals say why no tokens may be issued.
	Refusals []Reason

	// Fault tells that a lookup could not be made, so that it is no verdict about the user: the next attempt may succeed.
	Fault bool

	// Access and ID are the claims to add to the access token and to the ID token. Values are strings, bools, int64,
	// float64, []any and map[string]any.
	Access, ID map[string]any

	// SuppressInAccess and SuppressInID are the claims to take out of the tokens, without duplicates, in policy order.
	SuppressInAccess, SuppressInID []string

	// ScopesToAdd and ScopesToSuppress are changes to the access token's scopes, without duplicates, in policy order.
	ScopesToAdd, ScopesToSuppress []string

	// Groups replaces the user's groups when ReplaceGroups is true. Otherwise they must be left alone.
	Groups        []string
	ReplaceGroups bool

	// Omitted says which claims and rows were left out, or replaced by a default, because of an error, where the policy
	// says onError: omit or gives a default. What is absent for another cause is not listed.
	Omitted []Reason
}

// Mint computes the claims, scopes and groups for one sign-in. It never fails: what goes wrong is a refusal or an
// omission, whichever the policy chose, and says nothing about the user.
func (p *Program) Mint(in SignIn) Minted {
	m := minting{in: in, vars: in.variables()}
	if len(p.policy.Lookups) > 0 {
		rows := make(map[string]any, len(p.policy.Lookups))
		for i := range p.policy.Lookups {
			l := &p.policy.Lookups[i]
			if v, ok := m.find(l); ok {
				rows[l.Name] = v
			}
		}
		if len(m.refusals) > 0 {
			return Minted{Refusals: m.refusals, Fault: m.fault} // what expressions would say of the rows that lack is noise
		}
		m.vars["lookup"] = rows
	}
	out := Minted{Issue: true, Access: make(map[string]any, len(p.policy.Claims)), ID: map[string]any{}}
	for i := range p.policy.Claims {
		c := &p.policy.Claims[i]
		v, ok := m.claim(c)
		if !ok {
			continue
		}
		if c.Access {
			out.Access[c.Name] = v
		}
		if c.ID {
			out.ID[c.Name], _ = carry(v, false) // another copy
		}
	}
	for _, s := range p.policy.Suppress {
		if !m.applies(s.Path, s.When) {
			continue
		}
		if s.Access {
			out.SuppressInAccess = appendNew(out.SuppressInAccess, s.Claim)
		}
		if s.ID {
			out.SuppressInID = appendNew(out.SuppressInID, s.Claim)
		}
	}
	out.ScopesToAdd = m.scopes(p.policy.AddScopes)
	out.ScopesToSuppress = m.scopes(p.policy.SuppressScopes)
	if p.policy.Groups != nil && m.applies("groups", p.policy.GroupsWhen) {
		out.Groups, out.ReplaceGroups = m.groups(p.policy.Groups), true
	}
	m.fits(p.policy.TokenBudget, &out)
	if len(m.refusals) > 0 {
		return Minted{Refusals: m.refusals}
	}
	out.Omitted = m.omitted
	return out
}

// minting is the state of one call of Mint.
type minting struct {
	in                SignIn
	vars              expr.Map
	refusals, omitted []Reason
	fault             bool // of the refusals, one is that of a lookup that could not be made
}

func (m *minting) refuse(path, message string) {
	m.refusals = append(m.refusals, Reason{Path: path, Message: message})
}

// claim computes one claim and tells whether it is present.
func (m *minting) claim(c *contract.Claim) (any, bool) {
	if c.Code {
		return nil, false
	}
	if c.When != nil {
		holds, problem := c.When.Holds(m.vars)
		if problem != "" {
			m.trouble(c, "when: "+problem)
			return nil, false
		}
		if !holds {
			return nil, false
		}
	}
	v, problem := m.value(c)
	if problem == "" && c.Declared && v != nil {
		var bad *contract.Mismatch
		if v, bad = c.Shape.Decode(v); bad != nil {
			problem = "type: " + bad.Below(c.Path).Message()
		}
	}
	if problem != "" {
		m.trouble(c, problem)
		return nil, false
	}
	if v == nil && c.Required {
		m.refuse(c.Path, "is required, but the user has no value for it")
	}
	return v, v != nil
}

// trouble records that a claim could not be computed.
func (m *minting) trouble(c *contract.Claim, problem string) {
	if c.OmitOnError {
		m.omitted = append(m.omitted, Reason{Path: c.Path, Message: problem})
	} else {
		m.refuse(c.Path, problem)
	}
}

// value computes a claim's value; nil means that there is none.
func (m *minting) value(c *contract.Claim) (any, string) {
	switch {
	case c.Expr != nil:
		v, problem := c.Expr.Eval(m.vars)
		if problem != "" {
			return nil, "expr: " + problem
		}
		return carried(v)
	case c.Attribute != "":
		return read(m.in.Attributes[c.Attribute], c.As)
	case c.Claims != nil:
		object := make(map[string]any, len(c.Claims))
		for i := range c.Claims {
			n := &c.Claims[i]
			if v, ok := m.claim(n); ok {
				object[n.Name] = v
			}
		}
		if len(object) == 0 {
			return nil, ""
		}
		return object, ""
	case c.Value != nil:
		return carry(c.Value.V, false) // a copy: own code may change it
	default:
		return nil, ""
	}
}

// applies evaluates the condition of something that has no onError: a condition that fails refuses.
func (m *minting) applies(path string, when *contract.Expression) bool {
	if when == nil {
		return true
	}
	holds, problem := when.Holds(m.vars)
	if problem != "" {
		m.refuse(path, "when: "+problem)
	}
	return holds
}

func (m *minting) scopes(in []contract.Scope) []string {
	var out []string
	for _, s := range in {
		if m.applies(s.Path, s.When) {
			out = appendNew(out, s.Name)
		}
	}
	return out
}

func (m *minting) groups(e *contract.Expression) []string {
	v, problem := e.Eval(m.vars)
	groups := []string{}
	if problem == "" {
		var list any
		if list, problem = carried(v); problem == "" {
			for _, g := range list.([]any) {
				name, ok := g.(string)
				if !ok {
					problem = "yields a group that is no string"
				}
				groups = append(groups, name)
			}
		}
	}
	if problem != "" {
		m.refuse("groups", "expr: "+problem)
	}
	return groups
}

// fits refuses what Cognito or API Gateway would not take.
func (m *minting) fits(budget int, out *Minted) {
	groups := m.in.Groups
	if out.ReplaceGroups {
		groups = out.Groups
	}
	count := contract.CognitoClaimCount + len(out.Access) + len(out.ID) + len(m.in.Scopes) + len(out.ScopesToAdd)
	if count > contract.MaxClaims {
		m.refuse("claims", fmt.Sprintf("there would be %d claims and scopes in the tokens; Cognito's quota is %d", count, contract.MaxClaims))
	}
	parts := make([]contract.Part, 0, len(out.Access)+2)
	for name, v := range out.Access {
		parts = append(parts, contract.ClaimPart(name, v))
	}
	parts = append(parts, contract.ListPart("groups", groups), contract.ListPart("scopes", m.in.Scopes, out.ScopesToAdd))
	if problem := contract.OverBudget(budget, parts); problem != "" {
		m.refuse("tokenBudget", problem)
	}
}

// read reads an attribute's text as the policy says (policy.As); nil means that there is none.
func read(text, as string) (any, string) {
	if text == "" {
		return nil, ""
	}
	var v any
	var err error
	switch as {
	case "list":
		list := []any{}
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				list = append(list, word)
			}
		}
		if len(list) == 0 {
			return nil, ""
		}
		return list, ""
	case "int":
		v, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	case "double":
		f, parseErr := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, "attribute: is no number that JSON can carry"
		}
		v, err = f, parseErr
	case "bool":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return true, ""
		case "false":
			return false, ""
		}
		return nil, "attribute: is neither true nor false"
	case "json":
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if !json.Valid([]byte(text)) || d.Decode(&v) != nil { // a decoder alone does not mind what follows
			return nil, "attribute: is no JSON"
		}
		v = contract.DecodeAny(v)
		if problem := refuseValue(v, false, 0); problem != "" {
			return nil, "attribute: " + problem
		}
		return v, ""
	default:
		return text, ""
	}
	if err != nil {
		return nil, "attribute: is no " + as
	}
	return v, ""
}

// refuseValue says why a value that was JSON cannot be carried. It is empty when it can.
func refuseValue(v any, inList bool, depth int) string {
	if depth > contract.MaxDepth {
		return fmt.Sprintf("is nested more than %d deep", contract.MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return "holds null, which Cognito documents no way to carry"
	case []any:
		if inList {
			return contract.ListInList
		}
		for _, e := range v {
			if problem := refuseValue(e, true, depth+1); problem != "" {
				return problem
			}
		}
	case map[string]any:
		if inList {
			return contract.ObjectInList
		}
		for _, key := range contract.SortedKeys(v) {
			if problem := refuseValue(v[key], false, depth+1); problem != "" {
				return problem
			}
		}
	}
	return ""
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// carried converts what an expression yields to what a token carries. nil without a problem means that there is no value.
func carried(v any) (any, string) {
	if o, ok := v.(*expr.Optional); ok {
		if v, ok = o.Value(); !ok {
			return nil, ""
		}
	}
	return carry(v, false)
}

func carry(v any, inList bool) (any, string) {
	switch v := v.(type) {
	case string, bool, int64:
		return v, ""
	case uint64:
		if v > math.MaxInt64 {
			return nil, "yields an integer beyond 64 bits"
		}
		return int64(v), ""
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, "yields a number that JSON cannot carry"
		}
		return v, ""
	case []string:
		return carryList(v, inList)
	case []any:
		return carryList(v, inList)
	case map[string]string:
		return carryObject(v, inList)
	case map[string]any:
		return carryObject(v, inList)
	case map[any]any:
		if inList {
			return nil, contract.ObjectInList
		}
		return nil, "yields an object whose keys are no strings"
	default:
		return nil, "yields a value of type " + string(expr.TypeOf(v)) + ", which a token cannot carry"
	}
}

func carryList[T any](in []T, inList bool) (any, string) {
	if inList {
		return nil, contract.ListInList
	}
	list := make([]any, len(in))
	for i, e := range in {
		var problem string
		if list[i], problem = carry(e, true); problem != "" {
			return nil, problem
		}
	}
	return list, ""
}

func carryObject[T any](in map[string]T, inList bool) (any, string) {
	if inList {
		return nil, contract.ObjectInList
	}
	object := make(map[string]any, len(in))
	for key, e := range in {
		var problem string
		if object[key], problem = carry(e, false); problem != "" {
			return nil, problem
		}
	}
	return object, ""
}
