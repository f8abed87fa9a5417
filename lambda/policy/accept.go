package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Accept holds what own code has made of a policy's answer against what holds for the policy itself, and returns what is to
// be sent: values in the form that [Minted] describes, or a refusal. It refuses claims that Cognito protects, values that
// it cannot carry, a claim of the policy with another type than rules were checked with, required claims that are gone,
// suppressions that cannot be, scopes with blanks, and a token that is too large. Reasons hold no values.
//
// Own code changes what [Program.Mint] returned for the same sign-in: it sets or deletes entries of Access and ID, and
// changes the lists. Values may be of any type that [Claim.Value] may have. A claim that the policy does not know is
// minted all the same, but no rule can read it: declare it with [Claim.Code].
func (p *Program) Accept(in SignIn, changed Minted) Minted {
	m := minting{in: in}
	if !changed.Issue {
		return Minted{Refusals: changed.Refusals, Fault: changed.Fault}
	}
	out := changed
	out.Access = m.accept(p, changed.Access, AccessToken, changed.SuppressInAccess)
	out.ID = m.accept(p, changed.ID, IDToken, changed.SuppressInID)
	for i, s := range changed.ScopesToAdd {
		if s == "" || blank.MatchString(s) {
			m.refuse(item("scopes.add", i), "is empty or contains a blank")
		}
	}
	m.fits(p.budget, &out)
	if len(m.refusals) > 0 {
		return Minted{Refusals: m.refusals}
	}
	return out
}

func (m *minting) refuse(path, message string) {
	m.refusals = append(m.refusals, Reason{Path: path, Message: message})
}

// accept checks the claims of one token.
func (m *minting) accept(p *Program, claims map[string]any, token Token, suppressed []string) map[string]any {
	out := make(map[string]any, len(claims))
	for _, name := range sortedKeys(claims) {
		path := child("claims", name)
		if refusal := m.refuseSet(name, claims[name], token); refusal != "" {
			m.refuse(path, refusal)
			continue
		}
		c := compiler{}
		v := c.normalise(path, reflect.ValueOf(claims[name]), 0, false)
		if len(c.problems) > 0 {
			m.refuse(path, c.problems[0].Message) // the path inside the value is data
			continue
		}
		if known := p.claim(name, token); known != nil {
			var bad *mismatch
			if v, bad = known.shape.decode(v); bad != nil {
				m.refuse(path, bad.below(path).message())
				continue
			}
		}
		if _, isObject := v.(map[string]any); token == IDToken && isObject && slices.Contains(flatInID, name) {
			m.refuse(path, "of an ID token cannot hold an object")
		}
		out[name] = v
	}
	for _, name := range suppressed {
		_, minted := claims[name]
		if refusal := refuseSuppression(name, token); refusal != "" && !minted {
			m.refuse("suppress", refusal)
		} else if minted {
			m.refuse("suppress", fmt.Sprintf("claim %q of the same token is minted too; Cognito lets the suppression win", name))
		}
	}
	for i := range p.claims {
		c := &p.claims[i]
		if _, given := claims[c.name]; c.required && c.when == nil && slices.Contains(c.tokens, token) && !given {
			m.refuse(c.path, "is required, but there is no value for it")
		}
	}
	return out
}

// refuseSet says why own code cannot set a claim. The client's id is known by now, so that aud can be compared with it.
func (m *minting) refuseSet(name string, v any, token Token) string {
	if name == "aud" && token == AccessToken && v == m.in.ClientID {
		return ""
	}
	refusal := refuseClaim(name, Claim{}, token)
	if i := strings.Index(refusal, "; "); i >= 0 {
		return refusal[:i] // what follows is about the policy document
	}
	return refusal
}

// claim is the policy's claim of that name in that token; nil when it has none.
func (p *Program) claim(name string, token Token) *claim {
	for i := range p.claims {
		if c := &p.claims[i]; c.name == name && slices.Contains(c.tokens, token) {
			return c
		}
	}
	return nil
}

// CodeClaims are the names of the claims that own code sets, sorted.
func (p *Program) CodeClaims() []string {
	var names []string
	for i := range p.claims {
		if p.claims[i].code {
			names = append(names, p.claims[i].name)
		}
	}
	return names
}
