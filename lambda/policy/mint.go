package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

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

	// Omitted says which claims and rows were left out, or replaced by a default, because of an error, see
	// [Claim.OnError] and [Lookup.OnError]. What is absent for another cause is not listed.
	Omitted []Reason
}

// claim is a compiled [Claim].
type claim struct {
	name, path  string
	value       any
	attribute   string
	code        bool // set by Accept
	as          As
	expr, when  *expression
	claims      []claim
	required    bool
	omitOnError bool
	shape       *shape
	declared    bool    // values are held against the shape
	optional    bool    // may be absent from a token
	tokens      []Token // of a claim that is not nested
}

// certain is the value of a claim that is the same in every token.
func (c *claim) certain() (any, bool) {
	if c.when != nil || c.value == nil {
		return nil, false
	}
	return c.value, true
}

// suppression is a compiled [Suppression].
type suppression struct {
	claim, path string
	tokens      []Token
	when        *expression
}

// scope is a compiled [Scope].
type scope struct {
	name, path string
	when       *expression
}

// Mint computes the claims, scopes and groups for one sign-in. It never fails: what goes wrong is a refusal or an
// omission, whichever the policy chose, and says nothing about the user.
func (p *Program) Mint(in SignIn) Minted {
	m := minting{in: in, env: mintEnvironment(in)}
	if len(p.lookups) > 0 {
		rows := make(map[string]any, len(p.lookups))
		for i := range p.lookups {
			if v, ok := m.find(&p.lookups[i]); ok {
				rows[p.lookups[i].name] = v
			}
		}
		if len(m.refusals) > 0 {
			return Minted{Refusals: m.refusals, Fault: m.fault} // what expressions would say of the rows that lack is noise
		}
		m.env["lookup"] = rows
	}
	out := Minted{Issue: true, Access: make(map[string]any, len(p.claims)), ID: map[string]any{}}
	for i := range p.claims {
		c := &p.claims[i]
		v, ok := m.claim(c)
		if !ok {
			continue
		}
		for _, token := range c.tokens {
			switch token {
			case AccessToken:
				out.Access[c.name] = v
			case IDToken:
				out.ID[c.name] = v
			}
		}
	}
	for _, s := range p.suppress {
		if !m.applies(s.path, s.when) {
			continue
		}
		for _, token := range s.tokens {
			switch token {
			case AccessToken:
				out.SuppressInAccess = appendNew(out.SuppressInAccess, s.claim)
			case IDToken:
				out.SuppressInID = appendNew(out.SuppressInID, s.claim)
			}
		}
	}
	out.ScopesToAdd = m.scopes(p.scopes.add)
	out.ScopesToSuppress = m.scopes(p.scopes.suppress)
	if p.groups != nil && m.applies("groups", p.groupsWhen) {
		out.Groups, out.ReplaceGroups = m.groups(p.groups), true
	}
	m.fits(p.budget, &out)
	if len(m.refusals) > 0 {
		return Minted{Refusals: m.refusals}
	}
	out.Omitted = m.omitted
	return out
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// minting is the state of one call of Mint.
type minting struct {
	in                SignIn
	env               map[string]any
	refusals, omitted []Reason
	fault             bool // of the refusals, one is that of a lookup that could not be made
}

// claim computes one claim and tells whether it is present.
func (m *minting) claim(c *claim) (any, bool) {
	if c.code {
		return nil, false
	}
	if c.when != nil {
		holds, problem := c.when.holds(m.env)
		if problem != "" {
			m.trouble(c, "when: "+problem)
			return nil, false
		}
		if !holds {
			return nil, false
		}
	}
	v, problem := m.value(c)
	if problem == "" && c.declared && v != nil {
		var bad *mismatch
		if v, bad = c.shape.decode(v); bad != nil {
			problem = "type: " + bad.below(c.path).message()
		}
	}
	if problem != "" {
		m.trouble(c, problem)
		return nil, false
	}
	if v == nil && c.required {
		m.refusals = append(m.refusals, Reason{Path: c.path, Message: "is required, but the user has no value for it"})
	}
	return v, v != nil
}

// trouble records that a claim could not be computed.
func (m *minting) trouble(c *claim, problem string) {
	reason := Reason{Path: c.path, Message: problem}
	if c.omitOnError {
		m.omitted = append(m.omitted, reason)
	} else {
		m.refusals = append(m.refusals, reason)
	}
}

// value computes a claim's value; nil means that there is none.
func (m *minting) value(c *claim) (any, string) {
	switch {
	case c.expr != nil:
		v, problem := c.expr.eval(m.env)
		if problem != "" {
			return nil, "expr: " + problem
		}
		return carried(v)
	case c.attribute != "":
		return c.read(m.in.Attributes[c.attribute])
	case c.claims != nil:
		object := make(map[string]any, len(c.claims))
		for i := range c.claims {
			n := &c.claims[i]
			if v, ok := m.claim(n); ok {
				object[n.name] = v
			}
		}
		if len(object) == 0 {
			return nil, ""
		}
		return object, ""
	default:
		return c.value, ""
	}
}

// applies evaluates the condition of something that has no onError: a condition that fails refuses.
func (m *minting) applies(path string, when *expression) bool {
	if when == nil {
		return true
	}
	holds, problem := when.holds(m.env)
	if problem != "" {
		m.refusals = append(m.refusals, Reason{Path: path, Message: "when: " + problem})
	}
	return holds
}

func (m *minting) scopes(in []scope) []string {
	var out []string
	for _, s := range in {
		if m.applies(s.path, s.when) {
			out = appendNew(out, s.name)
		}
	}
	return out
}

func (m *minting) groups(e *expression) []string {
	v, problem := e.eval(m.env)
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
		m.refusals = append(m.refusals, Reason{Path: "groups", Message: "expr: " + problem})
	}
	return groups
}

// fits refuses what Cognito or API Gateway would not take.
func (m *minting) fits(budget int, out *Minted) {
	groups := m.in.Groups
	if out.ReplaceGroups {
		groups = out.Groups
	}
	count := cognitoClaimCount + len(out.Access) + len(out.ID) + len(m.in.Scopes) + len(out.ScopesToAdd)
	if count > maxClaims {
		m.refusals = append(m.refusals, Reason{Path: "claims", Message: fmt.Sprintf(
			"there would be %d claims and scopes in the tokens; Cognito's quota is %d", count, maxClaims)})
	}
	parts := make([]part, 0, len(out.Access)+2)
	for name, v := range out.Access {
		parts = append(parts, part{child("claims", name), quotedSize(name) + 2 + jsonSize(v)})
	}
	parts = append(parts, part{"groups", listSize(groups)}, part{"scopes", listSize(m.in.Scopes) + listSize(out.ScopesToAdd)})
	if problem := overBudget(budget, parts); problem != "" {
		m.refusals = append(m.refusals, Reason{Path: "tokenBudget", Message: problem})
	}
}

// read reads an attribute's text; nil means that there is none.
func (c *claim) read(text string) (any, string) {
	if text == "" {
		return nil, ""
	}
	var v any
	var err error
	switch c.as {
	case AsList:
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
	case AsInt:
		v, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	case AsDouble:
		f, parseErr := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, "attribute: is no number that JSON can carry"
		}
		v, err = f, parseErr
	case AsBool:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return true, ""
		case "false":
			return false, ""
		}
		return nil, "attribute: is neither true nor false"
	case AsJSON:
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil || d.More() {
			return nil, "attribute: is no JSON"
		}
		v = decodeAny(v)
		if problem := refuseValue(v, false, 0); problem != "" {
			return nil, "attribute: " + problem
		}
		return v, ""
	default:
		return text, ""
	}
	if err != nil {
		return nil, fmt.Sprintf("attribute: is no %s", c.as)
	}
	return v, ""
}

// refuseValue says why a value that was JSON cannot be carried. It is empty when it can.
func refuseValue(v any, inList bool, depth int) string {
	if depth > maxDepth {
		return fmt.Sprintf("is nested more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return "holds null, which Cognito documents no way to carry"
	case []any:
		if inList {
			return listInList
		}
		for _, e := range v {
			if problem := refuseValue(e, true, depth+1); problem != "" {
				return problem
			}
		}
	case map[string]any:
		if inList {
			return objectInList
		}
		for _, key := range sortedKeys(v) {
			if problem := refuseValue(v[key], false, depth+1); problem != "" {
				return problem
			}
		}
	}
	return ""
}

const (
	listInList   = "holds a list inside a list, which Cognito documents no way to carry"
	objectInList = "holds an object inside a list, which Cognito documents no way to carry"
)

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// carried converts a CEL value to one that a token carries. nil without a problem means that there is no value.
func carried(v ref.Val) (any, string) {
	if o, ok := v.(*types.Optional); ok {
		if !o.HasValue() {
			return nil, ""
		}
		v = o.GetValue()
	}
	return convert(v, false)
}

func convert(v ref.Val, inList bool) (any, string) {
	switch v := v.(type) {
	case types.String:
		return string(v), ""
	case types.Bool:
		return bool(v), ""
	case types.Int:
		return int64(v), ""
	case types.Uint:
		if uint64(v) > math.MaxInt64 {
			return nil, "yields an integer beyond 64 bits"
		}
		return int64(v), ""
	case types.Double:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return nil, "yields a number that JSON cannot carry"
		}
		return float64(v), ""
	case traits.Lister:
		if inList {
			return nil, listInList
		}
		size, _ := v.Size().(types.Int)
		list := make([]any, 0, size)
		for it := v.Iterator(); it.HasNext() == types.True; {
			e, problem := convert(it.Next(), true)
			if problem != "" {
				return nil, problem
			}
			list = append(list, e)
		}
		return list, ""
	case traits.Mapper:
		if inList {
			return nil, objectInList
		}
		object := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key, ok := it.Next().(types.String)
			if !ok {
				return nil, "yields an object whose keys are no strings"
			}
			e, problem := convert(v.Get(key), false)
			if problem != "" {
				return nil, problem
			}
			object[string(key)] = e
		}
		return object, ""
	default:
		return nil, fmt.Sprintf("yields a value of type %s, which a token cannot carry", v.Type().TypeName())
	}
}
