package policy

import (
	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"slices"
	"strings"
)

// Explanation describes a compiled policy: what its claims are, where they come from, and which rules read them. It is
// for tools that show a policy to people; [program.Program.Mint] and [program.Checker.Check] are what decides. Its JSON names are stable.
type Explanation struct {
	// Params are the deploy-time values that the policy declares, in its order.
	Params []string `json:"params"`

	// Lookups are the rows of tables that expressions read, sorted by name.
	Lookups []ExplainedLookup `json:"lookups"`

	// Claims are the claims that may be minted, sorted by name.
	Claims []ExplainedClaim `json:"claims"`

	// Suppress, Scopes and Groups are those of the [Policy], with the defaults filled in.
	Suppress []Suppression `json:"suppress"`
	Scopes   Scopes        `json:"scopes"`
	Groups   Groups        `json:"groups"`

	// ResourceServers are those of the [Policy].
	ResourceServers map[string]map[string]string `json:"resourceServers"`

	// TokenBudget is the size in bytes that an access token may have.
	TokenBudget int `json:"tokenBudget"`

	// Attributes are the user attributes that the policy reads by name, sorted, see [Compiled.Attributes].
	Attributes []string `json:"attributes"`

	// Authorizers are what APIs demand, sorted by name.
	Authorizers []ExplainedAuthorizer `json:"authorizers"`

	// Unread are the claims of access tokens that no rule reads, by their names in rules. A backend may read them all the
	// same. When none of a claim's nested claims is read, only the outer one is listed.
	Unread []string `json:"unread"`
}

// ExplainedLookup describes one lookup: the fields of [Lookup] with the defaults filled in.
type ExplainedLookup struct {
	Name       string            `json:"name"`
	Table      string            `json:"table"`
	Index      string            `json:"index,omitempty"`
	Key        map[string]string `json:"key"`
	Limit      int               `json:"limit,omitempty"`
	Consistent bool              `json:"consistent,omitempty"`

	// Type is the type of lookup.<name>, in the words of [ExplainedClaim.Type].
	Type string `json:"type"`

	When         string   `json:"when,omitempty"`
	OnMissing    Fallback `json:"onMissing"`
	OnError      Fallback `json:"onError"`
	CacheSeconds int      `json:"cacheSeconds,omitempty"`

	// Optional tells that lookup.<name> may be absent.
	Optional bool `json:"optional"`
}

// ExplainedClaim describes one claim. At most one of Value, Attribute, Expr, Code and Claims is set, as in [Claim].
type ExplainedClaim struct {
	// Name is the claim's name in rules, below claims: company_id, roles.owner or ["https://example.com/roles"].
	Name string `json:"name"`

	// Key is the claim's own name, in the token or in the claim around it.
	Key string `json:"key"`

	// Type is the claim's type in the words of [Type], with a question mark behind fields that may be absent:
	// "string", "list(int)", "{permission: string, until?: int}".
	Type string `json:"type"`

	Value     any              `json:"value,omitempty"`
	Attribute string           `json:"attribute,omitempty"`
	As        As               `json:"as,omitempty"`
	Expr      string           `json:"expr,omitempty"`
	Code      bool             `json:"code,omitempty"`
	Claims    []ExplainedClaim `json:"claims,omitempty"`

	When     string  `json:"when,omitempty"`
	Required bool    `json:"required,omitempty"`
	OnError  OnError `json:"onError"`

	// SourceOptional tells that there may be no value where the claim comes from: an attribute that the user lacks, an
	// expression that yields optional.none(), code, nested claims of which none is minted.
	SourceOptional bool `json:"sourceOptional"`

	// Optional tells that tokens may lack the claim. A nested claim that is not optional is there whenever the outer one is.
	Optional bool `json:"optional"`

	// Tokens are the tokens that get the claim: of a nested claim, those of the outer one.
	Tokens []Token `json:"tokens"`

	// ReadBy are the rules that read the claim, something inside it or the claim around it, by path.
	ReadBy []string `json:"readBy"`
}

// ExplainedAuthorizer describes one authorizer.
type ExplainedAuthorizer struct {
	Name string `json:"name"`

	// Default are the rules that every route must meet. Routes are the further rules of single routes, sorted by key.
	Default []ExplainedRule  `json:"default"`
	Routes  []ExplainedRoute `json:"routes"`

	// Context are the claims that the backend gets, see [Checker.Context].
	Context []string `json:"context"`

	// IDTokens is how long ID tokens are accepted too, if at all.
	IDTokens IDTokens `json:"idTokens,omitzero"`

	// Cacheable tells whether decisions may be cached at all, DependsOn what besides the token they depend on, so that a
	// cache must be keyed on it, and Uncacheable why not, rule by rule. See [Reads].
	Cacheable   bool     `json:"cacheable"`
	DependsOn   []string `json:"dependsOn"`
	Uncacheable []string `json:"uncacheable"`
}

// ExplainedRoute are the rules of one route, beside the default ones.
type ExplainedRoute struct {
	Route string          `json:"route"`
	Rules []ExplainedRule `json:"rules"`
}

// ExplainedRule describes one rule.
type ExplainedRule struct {
	// Path is the rule's place in the policy, such as authorizers.Documents.default[0].
	Path string `json:"path"`

	// Rule is the expression, and Message the reason of a refusal: the expression, too, when the policy gives none.
	Rule    string `json:"rule"`
	Message string `json:"message"`

	// Reads is what the rule reads, such as claims.company_id and request.pathParameters.companyId, sorted.
	Reads []string `json:"reads"`
}

// Explain describes the policy. Lists are empty rather than nil.
func (p *Compiled) Explain() Explanation {
	x := explainer{program: p}
	for _, name := range contract.SortedKeys(p.authorizers) {
		p.authorizers[name].each(func(r *rule) {
			for _, read := range r.expression.reads {
				if read.names[0] == "claims" {
					x.reads = append(x.reads, claimRead{rule: r.path, names: read.names[1:]})
				}
			}
		})
	}
	out := Explanation{
		Params:          orNone(p.Params()),
		Lookups:         []ExplainedLookup{},
		Claims:          []ExplainedClaim{},
		Suppress:        []Suppression{},
		Scopes:          Scopes{Add: explainScopes(p.scopes.add), Suppress: explainScopes(p.scopes.suppress)},
		Groups:          Groups{Expr: p.groups.String(), When: p.groupsWhen.String()},
		ResourceServers: p.ResourceServers(),
		TokenBudget:     p.budget,
		Attributes:      orNone(p.Attributes()),
		Authorizers:     []ExplainedAuthorizer{},
		Unread:          []string{},
	}
	for i := range p.lookups {
		out.Lookups = append(out.Lookups, p.lookups[i].explain())
	}
	for i := range p.claims {
		c := &p.claims[i]
		out.Claims = append(out.Claims, x.claim(c, []string{c.name}, c.tokens))
		if slices.Contains(c.tokens, AccessToken) {
			out.Unread = append(out.Unread, x.unread(c, []string{c.name})...)
		}
	}
	for _, s := range p.suppress {
		out.Suppress = append(out.Suppress, Suppression{Claim: s.claim, Tokens: s.tokens, When: s.when.String()})
	}
	for _, name := range contract.SortedKeys(p.authorizers) {
		out.Authorizers = append(out.Authorizers, p.authorizers[name].explain())
	}
	return out
}

// String is the expression's text; a nil expression, one that the policy does not give, has none.
func (e *expression) String() string {
	if e == nil {
		return ""
	}
	return e.text
}

type explainer struct {
	program *Compiled
	reads   []claimRead
}

// claimRead is a claim that a rule reads, by the names on the way to it.
type claimRead struct {
	rule  string
	names []string
}

func (x *explainer) claim(c *claim, names []string, tokens []Token) ExplainedClaim {
	out := ExplainedClaim{
		Name:      claimName(names),
		Key:       c.name,
		Type:      describeShape(c.shape),
		Value:     c.value,
		Attribute: c.attribute,
		As:        c.as,
		Expr:      c.expr.String(),
		Code:      c.code,
		When:      c.when.String(),
		Required:  c.required,
		OnError:   Deny,
		Optional:  c.optional,
		Tokens:    tokens,
		ReadBy:    []string{},
	}
	if c.omitOnError {
		out.OnError = Omit
	}
	if slices.Contains(tokens, AccessToken) {
		out.ReadBy = x.readers(names)
	}
	switch {
	case c.expr != nil:
		_, out.SourceOptional, _ = resultShape(c.expr.result, x.program.mint.rows())
	case c.claims != nil:
		out.SourceOptional = !slices.ContainsFunc(c.claims, func(n claim) bool { return !n.optional })
	default:
		out.SourceOptional = c.attribute != "" || c.code
	}
	for i := range c.claims {
		n := &c.claims[i]
		out.Claims = append(out.Claims, x.claim(n, append(slices.Clone(names), n.name), tokens))
	}
	return out
}

func (l *lookup) explain() ExplainedLookup {
	key := map[string]string{}
	for attribute, e := range l.key {
		key[attribute] = e.text
	}
	return ExplainedLookup{
		Name:         l.Name,
		Table:        l.Table,
		Index:        l.Index,
		Key:          key,
		Limit:        l.Limit,
		Consistent:   l.Consistent,
		Type:         describeShape(l.shape()),
		When:         l.when.String(),
		OnMissing:    explainFallback(l.OnMissing),
		OnError:      explainFallback(l.OnError),
		CacheSeconds: l.CacheSeconds,
		Optional:     l.optional(),
	}
}

func explainFallback(f contract.Fallback) Fallback {
	switch {
	case f.Omit:
		return Fallback{Action: Omit}
	case f.Value != nil:
		return Fallback{Default: f.Value.V}
	default:
		return Fallback{Action: Deny}
	}
}

// readers are the rules that read a claim: it, something inside it, or something around it.
func (x *explainer) readers(names []string) []string {
	rules := []string{}
	for _, read := range x.reads {
		n := min(len(names), len(read.names))
		if slices.Equal(names[:n], read.names[:n]) {
			rules = appendNew(rules, read.rule)
		}
	}
	return rules
}

func (x *explainer) unread(c *claim, names []string) []string {
	if len(x.readers(names)) == 0 {
		return []string{claimName(names)}
	}
	var out []string
	for i := range c.claims {
		n := &c.claims[i]
		out = append(out, x.unread(n, append(slices.Clone(names), n.name))...)
	}
	return out
}

// claimName is a claim's name in rules, below claims.
func claimName(names []string) string { return strings.TrimPrefix(dotted("", names), ".") }

func explainScopes(in []scope) []Scope {
	out := []Scope{}
	for _, s := range in {
		out = append(out, Scope{Scope: s.name, When: s.when.String()})
	}
	return out
}

func (c *authorizer) explain() ExplainedAuthorizer {
	out := ExplainedAuthorizer{
		Name:        c.name,
		Default:     explainRules(c.defaults),
		Routes:      []ExplainedRoute{},
		Context:     orNone(c.context),
		Cacheable:   len(c.reads.Unkeyable) == 0,
		DependsOn:   []string{},
		Uncacheable: orNone(c.reads.Unkeyable),
	}
	out.IDTokens = IDTokens(c.idTokens)
	for _, key := range contract.SortedKeys(c.routes) {
		out.Routes = append(out.Routes, ExplainedRoute{Route: key, Rules: explainRules(c.routes[key])})
	}
	for _, d := range []struct {
		on   bool
		what string
	}{
		{c.reads.Route, "route"},
		{c.reads.Method, "method"},
		{c.reads.Path, "path"},
		{c.reads.SourceIP, "source address"},
	} {
		if d.on {
			out.DependsOn = append(out.DependsOn, d.what)
		}
	}
	for _, name := range c.reads.Headers {
		out.DependsOn = append(out.DependsOn, "header "+name)
	}
	for _, name := range c.reads.Query {
		out.DependsOn = append(out.DependsOn, "query parameter "+name)
	}
	return out
}

func explainRules(in []rule) []ExplainedRule {
	out := []ExplainedRule{}
	for _, r := range in {
		reads := []string{}
		for _, read := range r.expression.reads {
			reads = append(reads, dotted(read.names[0], read.names[1:]))
		}
		slices.Sort(reads)
		out = append(out, ExplainedRule{Path: r.path, Rule: r.expression.text, Message: r.message, Reads: slices.Compact(reads)})
	}
	return out
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// describeShape is the shape in the words of a declared [Type].
func describeShape(s *contract.Shape) string {
	switch s.Kind {
	case contract.List:
		return "list(" + describeShape(s.Elem) + ")"
	case contract.Map:
		return "map(" + describeShape(s.Elem) + ")"
	case contract.Object:
		var fields []string
		for _, name := range contract.SortedKeys(s.Fields) {
			f := s.Fields[name]
			text := claimName([]string{name})
			if f.Optional {
				text += "?"
			}
			fields = append(fields, text+": "+describeShape(f.Shape))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	default:
		return s.String()
	}
}
