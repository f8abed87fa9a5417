package policy

import (
	"fmt"
	"math"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Minted is what a policy makes of one sign-in. The zero value refuses.
type Minted struct {
	// Issue tells whether tokens may be issued. When it is false, nothing but Refusals is set.
	Issue bool

	// Refusals say why no tokens may be issued.
	Refusals []Reason

	// Access are the claims to add to the access token. Values are strings, bools, int64, float64, []any and
	// map[string]any.
	Access map[string]any

	// ScopesToAdd and ScopesToSuppress are changes to the access token's scopes, without duplicates, in policy order.
	ScopesToAdd, ScopesToSuppress []string

	// Omitted says which claims were left out because of an error, see [Claim.OnError]. A claim that is absent for
	// another cause is not listed.
	Omitted []Reason
}

// claim is a compiled [Claim].
type claim struct {
	name, path  string
	value       any
	attribute   string
	expr, when  *expression
	claims      []claim
	required    bool
	omitOnError bool
	shape       *shape
	optional    bool // may be absent from a token
}

type scope struct {
	name, path string
	when       *expression
}

// Mint computes the claims and scopes for one sign-in. It never fails: what goes wrong is a refusal or an omission,
// whichever the policy chose, and says nothing about the user.
func (p *Program) Mint(in SignIn) Minted {
	m := minting{in: in, env: map[string]any{
		"user":    map[string]any{"name": in.UserName, "attributes": orEmpty(in.Attributes), "groups": in.Groups},
		"client":  map[string]any{"id": in.ClientID, "metadata": orEmpty(in.ClientMetadata)},
		"scopes":  in.Scopes,
		"trigger": map[string]any{"source": in.TriggerSource},
		"pool":    map[string]any{"id": in.PoolID, "region": in.PoolRegion},
		"params":  orEmpty(in.Params),
	}}
	access := make(map[string]any, len(p.claims))
	for i := range p.claims {
		c := &p.claims[i]
		if v, ok := m.claim(c); ok {
			access[c.name] = v
		}
	}
	add := m.scopes(p.scopes.add)
	suppress := m.scopes(p.scopes.suppress)
	if len(m.refusals) > 0 {
		return Minted{Refusals: m.refusals}
	}
	return Minted{Issue: true, Access: access, ScopesToAdd: add, ScopesToSuppress: suppress, Omitted: m.omitted}
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
}

// claim computes one claim and tells whether it is present.
func (m *minting) claim(c *claim) (any, bool) {
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
		if v := m.in.Attributes[c.attribute]; v != "" {
			return v, ""
		}
		return nil, ""
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

func (m *minting) scopes(in []scope) []string {
	var out []string
	for _, s := range in {
		if s.when != nil {
			holds, problem := s.when.holds(m.env)
			if problem != "" {
				m.refusals = append(m.refusals, Reason{Path: s.path, Message: "when: " + problem})
			}
			if !holds {
				continue
			}
		}
		out = appendNew(out, s.name)
	}
	return out
}

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
			return nil, "yields a list inside a list, which Cognito documents no way to carry"
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
			return nil, "yields an object inside a list, which Cognito documents no way to carry"
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
