package policy

import (
	"slices"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// travelling is the policy in the form in which it travels to the functions.
func (p *Compiled) travelling(params []string) *contract.Policy {
	out := &contract.Policy{
		Format: contract.Format,
		Params: slices.Clone(params), Groups: p.groups.travelling(), GroupsWhen: p.groupsWhen.travelling(), TokenBudget: p.budget,
		Claims: travellingClaims(p.claims), AddScopes: travellingScopes(p.scopes.add), SuppressScopes: travellingScopes(p.scopes.suppress),
		Authorizers: map[string]*contract.Authorizer{},
	}
	for _, l := range p.lookups {
		l.Lookup.Key, l.Lookup.When = map[string]*contract.Expression{}, l.when.travelling()
		for attribute, e := range l.key {
			l.Lookup.Key[attribute] = e.travelling()
		}
		out.Lookups = append(out.Lookups, l.Lookup)
	}
	for _, s := range p.suppress {
		out.Suppress = append(out.Suppress, contract.Suppression{
			Claim: s.claim, Path: s.path, Access: slices.Contains(s.tokens, AccessToken), ID: slices.Contains(s.tokens, IDToken), When: s.when.travelling(),
		})
	}
	for name, a := range p.authorizers {
		travelling := &contract.Authorizer{
			Default: travellingRules(a.defaults), Routes: map[string][]contract.Rule{}, Claims: a.claims, Context: a.context,
			IDTokens: a.idTokens, Reads: a.reads,
		}
		for key, rules := range a.routes {
			travelling.Routes[key] = travellingRules(rules)
		}
		out.Authorizers[name] = travelling
	}
	return out
}

func travellingClaims(in []claim) []contract.Claim {
	var out []contract.Claim
	for i := range in {
		c := &in[i]
		travelling := contract.Claim{
			Name: c.name, Path: c.path, Access: slices.Contains(c.tokens, AccessToken), ID: slices.Contains(c.tokens, IDToken),
			Attribute: c.attribute, As: string(c.as), Expr: c.expr.travelling(), Code: c.code, Claims: travellingClaims(c.claims),
			When: c.when.travelling(), Required: c.required, OmitOnError: c.omitOnError, Shape: c.shape, Declared: c.declared,
		}
		if c.value != nil {
			travelling.Value = &contract.Value{V: c.value}
		}
		out = append(out, travelling)
	}
	return out
}

func travellingScopes(in []scope) []contract.Scope {
	var out []contract.Scope
	for _, s := range in {
		out = append(out, contract.Scope{Name: s.name, Path: s.path, When: s.when.travelling()})
	}
	return out
}

func travellingRules(in []rule) []contract.Rule {
	var out []contract.Rule
	for _, r := range in {
		out = append(out, contract.Rule{Path: r.path, Message: r.message, Rule: r.expression.travelling(), Claims: r.claims})
	}
	return out
}

// travelling is nil for an expression that the policy does not give.
func (e *expression) travelling() *contract.Expression {
	if e == nil {
		return nil
	}
	return e.prepared
}
