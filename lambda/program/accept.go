package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Accept holds what own code has made of a policy's answer against what holds for the policy itself, and returns what is to
// be sent: values in the form that [Minted] describes, or a refusal. It refuses claims that Cognito protects, values that
// it cannot carry, a claim of the policy with another type than rules were checked with, required claims that are gone,
// suppressions that cannot be, scopes with blanks, and a token that is too large. Reasons hold no values.
//
// Own code changes what [Program.Mint] returned for the same sign-in: it sets or deletes entries of Access and ID, and
// changes the lists. Values may be of any type that policy.Claim.Value may have. A claim that the policy does not know is
// minted all the same, but no rule can read it: declare it with policy.Claim.Code.
func (p *Program) Accept(in SignIn, changed Minted) Minted {
	m := minting{in: in}
	if !changed.Issue {
		return Minted{Refusals: changed.Refusals, Fault: changed.Fault}
	}
	out := changed
	out.Access = m.accept(p, changed.Access, contract.AccessToken, changed.SuppressInAccess)
	out.ID = m.accept(p, changed.ID, contract.IDToken, changed.SuppressInID)
	for i, s := range changed.ScopesToAdd {
		if s == "" || contract.HasBlank(s) {
			m.refuse(contract.Item("scopes.add", i), "is empty or contains a blank")
		}
	}
	m.fits(p.policy.TokenBudget, &out)
	if len(m.refusals) > 0 {
		return Minted{Refusals: m.refusals}
	}
	return out
}

// accept checks the claims of one token.
func (m *minting) accept(p *Program, claims map[string]any, token contract.Token, suppressed []string) map[string]any {
	out := make(map[string]any, len(claims))
	for _, name := range contract.SortedKeys(claims) {
		path := contract.Child("claims", name)
		if refusal := m.refuseSet(name, claims[name], token); refusal != "" {
			m.refuse(path, refusal)
			continue
		}
		var problems []string
		v := contract.Normalise(path, claims[name], func(_, message string) { // the path inside the value is data
			problems = append(problems, message)
		})
		if len(problems) > 0 {
			m.refuse(path, problems[0])
			continue
		}
		if known := p.claim(name, token); known != nil {
			var bad *contract.Mismatch
			if v, bad = known.Shape.Decode(v); bad != nil {
				m.refuse(path, bad.Below(path).Message())
				continue
			}
		}
		if _, isObject := v.(map[string]any); token == contract.IDToken && isObject && slices.Contains(contract.FlatInID, name) {
			m.refuse(path, "of an ID token cannot hold an object")
		}
		out[name] = v
	}
	for _, name := range suppressed {
		_, minted := claims[name]
		if refusal := contract.RefuseSuppression(name, token); refusal != "" && !minted {
			m.refuse("suppress", refusal)
		} else if minted {
			m.refuse("suppress", fmt.Sprintf("claim %q of the same token is minted too; Cognito lets the suppression win", name))
		}
	}
	for i := range p.policy.Claims {
		c := &p.policy.Claims[i]
		if _, given := claims[c.Name]; c.Required && c.When == nil && c.In(token) && !given {
			m.refuse(c.Path, "is required, but there is no value for it")
		}
	}
	return out
}

// refuseSet says why own code cannot set a claim. The client's id is known by now, so that aud can be compared with it.
func (m *minting) refuseSet(name string, v any, token contract.Token) string {
	if name == "aud" && token == contract.AccessToken && v == m.in.ClientID {
		return ""
	}
	refusal := contract.RefuseClaim(name, token)
	if i := strings.Index(refusal, "; "); i >= 0 {
		return refusal[:i] // what follows is about the policy document
	}
	return refusal
}

// claim is the policy's claim of that name in that token; nil when it has none.
func (p *Program) claim(name string, token contract.Token) *contract.Claim {
	for i := range p.policy.Claims {
		if c := &p.policy.Claims[i]; c.Name == name && c.In(token) {
			return c
		}
	}
	return nil
}

// CodeClaims are the names of the claims that own code sets, sorted.
func (p *Program) CodeClaims() []string {
	var names []string
	for i := range p.policy.Claims {
		if p.policy.Claims[i].Code {
			names = append(names, p.policy.Claims[i].Name)
		}
	}
	return names
}
