package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// compiler turns a Policy into a Program and collects every problem on the way.
type compiler struct {
	source     *source
	unreadable map[string]bool // paths the parser has already complained of
	problems   Problems
	warnings   Problems
}

func newCompiler(s *source) *compiler { return &compiler{source: s} }

func (c *compiler) fail(path, format string, args ...any) {
	c.problems = append(c.problems, c.source.problem(path, fmt.Sprintf(format, args...)))
}

func (c *compiler) warn(id, path, format string, args ...any) {
	p := c.source.problem(path, fmt.Sprintf(format, args...))
	p.ID = id
	c.warnings = append(c.warnings, p)
}

func (c *compiler) policy(p *Policy) *Compiled {
	prog := &Compiled{authorizers: map[string]*authorizer{}, budget: cmp.Or(p.TokenBudget, DefaultTokenBudget)}
	doc := *p
	doc.source, doc.Claims, doc.Lookups = nil, map[string]Claim{}, nil

	c.params(p.Params)
	mint := c.language(mintVariables(p.Params, c.lookups(p, prog, &doc)))
	minted := cognitoClaims()
	for _, name := range contract.SortedKeys(p.Claims) {
		path := contract.Child("claims", name)
		compiled, normal := c.claim(mint, name, path, p.Claims[name], 0)
		doc.Claims[name] = normal
		compiled.tokens = c.tokens(path, p.Claims[name].Tokens)
		refused := false
		for _, token := range compiled.tokens {
			if refusal := refuseClaim(name, p.Claims[name], token); refusal != "" {
				c.fail(path, "%s", refusal)
				refused = true
				break
			}
			if token == IDToken && slices.Contains(contract.FlatInID, name) && slices.Contains([]contract.Kind{contract.Object, contract.Map, contract.List}, compiled.shape.Kind) {
				c.fail(path, "claim %q of an ID token must be a string, number or boolean, not of type %s", name, compiled.shape)
			}
		}
		if refused {
			continue
		}
		prog.claims = append(prog.claims, compiled)
		if slices.Contains(compiled.tokens, AccessToken) {
			minted[name] = &contract.Field{Shape: compiled.shape, Optional: compiled.optional}
		}
	}
	prog.suppress = c.suppressions(mint, p)
	prog.scopes.add = c.scopes(mint, "scopes.add", p.Scopes.Add)
	prog.scopes.suppress = c.scopes(mint, "scopes.suppress", p.Scopes.Suppress)
	for i, s := range p.Scopes.Suppress {
		if slices.ContainsFunc(p.Scopes.Add, func(a Scope) bool { return a.Scope == s.Scope && a.When == "" && s.When == "" }) {
			c.fail(contract.Item("scopes.suppress", i), "scope %q is added too, always; Cognito lets the suppression win: remove one of the two", s.Scope)
		}
	}
	c.groups(mint, p.Groups, prog)
	c.sizes(p, prog)
	c.resourceServers(p.ResourceServers)
	prog.servers = p.ResourceServers
	prog.servers = prog.ResourceServers() // a copy, which the caller cannot change

	check := c.language(checkVariables(p.Params, minted))
	for _, name := range contract.SortedKeys(p.Authorizers) {
		prog.authorizers[name] = c.authorizer(check, name, p.Authorizers[name], prog)
	}
	if len(c.problems) == 0 {
		prog.document = marshal(doc)
		prog.mint, prog.check = mint, check
	}
	return prog
}

// claim is a compiled [Claim].
type claim struct {
	name, path  string
	value       any
	attribute   string
	code        bool // own code sets it
	as          As
	expr, when  *expression
	claims      []claim
	required    bool
	omitOnError bool
	shape       *contract.Shape
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

// refuseClaim says why a token cannot get a claim, and what to do instead. It is empty when it can.
func refuseClaim(name string, c Claim, token Token) string {
	if name == "aud" && token == AccessToken && c.Expr == "client.id" && c.When == "" {
		return ""
	}
	return contract.RefuseClaim(name, contract.Token(token))
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// tokens are the tokens of a claim or suppression, the default filled in.
func (c *compiler) tokens(path string, in []Token) []Token {
	if in == nil {
		return []Token{AccessToken}
	}
	if len(in) == 0 {
		c.fail(contract.Child(path, "tokens"), "names no token; allowed are %q and %q", AccessToken, IDToken)
	}
	for i, token := range in {
		if slices.Contains(in[:i], token) {
			c.fail(contract.Item(contract.Child(path, "tokens"), i), "%q is listed twice", token)
		}
		if token != AccessToken && token != IDToken && !c.unreadable[contract.Item(contract.Child(path, "tokens"), i)] {
			c.fail(contract.Item(contract.Child(path, "tokens"), i), "%q is unknown%s; allowed are %q and %q", token,
				DidYouMean(string(token), []string{string(AccessToken), string(IDToken)}), AccessToken, IDToken)
		}
	}
	return in
}

func (c *compiler) suppressions(mint *language, p *Policy) []suppression {
	var out []suppression
	for i, s := range p.Suppress {
		path := contract.Item("suppress", i)
		if c.troubled(path) {
			continue
		}
		compiled := suppression{claim: s.Claim, path: path, tokens: c.tokens(path, s.Tokens)}
		claim, mints := p.Claims[s.Claim]
		for _, token := range compiled.tokens {
			if mints && slices.Contains(orAccess(claim.Tokens), token) {
				c.fail(path, "claim %q of the same token is minted too; Cognito lets the suppression win: remove one of the two", s.Claim)
			} else if refusal := contract.RefuseSuppression(s.Claim, contract.Token(token)); refusal != "" {
				c.fail(path, "%s", refusal)
				break
			}
		}
		if s.When != "" {
			compiled.when = c.condition(mint, contract.Child(path, "when"), s.When)
		}
		out = append(out, compiled)
	}
	return out
}

func orAccess(tokens []Token) []Token {
	if tokens == nil {
		return []Token{AccessToken}
	}
	return tokens
}

func (c *compiler) groups(mint *language, g Groups, prog *Compiled) {
	if g.Expr == "" {
		if g.When != "" && !c.troubled("groups") {
			c.fail("groups", "has a when but no expr; give an expression that yields the groups")
		}
		return
	}
	e := c.expression(mint, "groups.expr", g.Expr)
	if e != nil && !e.result.IsAssignableType(cel.ListType(cel.StringType)) {
		c.fail("groups.expr", "must yield a list of strings, but yields %s", typeName(e.result))
	}
	prog.groups = e
	if g.When != "" {
		prog.groupsWhen = c.condition(mint, "groups.when", g.When)
	}
}

// sizes checks what is known before anybody signs in: the number of claims and scopes, and how large a token is at
// least.
func (c *compiler) sizes(p *Policy, prog *Compiled) {
	if p.TokenBudget < 0 || p.TokenBudget > 0 && p.TokenBudget < contract.TokenSize(contract.CognitoPayload) {
		c.fail("tokenBudget", "%d bytes are too few: Cognito's own claims take about %d", p.TokenBudget, contract.TokenSize(contract.CognitoPayload))
		return
	}
	count := contract.CognitoClaimCount + len(p.Scopes.Add)
	var parts []contract.Part
	for i := range prog.claims {
		claim := &prog.claims[i]
		count += len(claim.tokens)
		if v, ok := claim.certain(); ok && slices.Contains(claim.tokens, AccessToken) {
			parts = append(parts, contract.ClaimPart(claim.name, v))
		}
	}
	if count > contract.MaxClaims {
		c.fail("claims", "there may be %d claims and scopes in a user's tokens; Cognito's quota is %d", count, contract.MaxClaims)
	}
	var scopes []string
	for _, s := range p.Scopes.Add {
		if s.When == "" {
			scopes = append(scopes, s.Scope)
		}
	}
	parts = append(parts, contract.ListPart("scopes", scopes))
	if problem := contract.OverBudget(prog.budget, parts); problem != "" {
		c.fail("tokenBudget", "%s; make them smaller, or raise tokenBudget if what carries the token allows it", problem)
	}
}

var paramName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func (c *compiler) params(names []string) {
	for i, name := range names {
		path := contract.Item("params", i)
		switch {
		case c.unreadable[path]:
		case !paramName.MatchString(name):
			c.fail(path, "param %q: a name is a letter followed by letters, digits and underscores", name)
		case slices.Contains(names[:i], name):
			c.fail(path, "param %q is declared twice", name)
		}
	}
}

// claim compiles one claim and returns it together with its normal form for the document that travels to the functions.
func (c *compiler) claim(mint *language, name, path string, in Claim, depth int) (claim, Claim) {
	out := claim{name: name, path: path, required: in.Required, omitOnError: in.OnError == Omit, shape: dynShape}
	normal := in
	if depth > contract.MaxDepth {
		c.fail(path, "claims are nested more than %d deep", contract.MaxDepth)
		return out, normal
	}
	if depth > 0 && in.Tokens != nil {
		c.fail(contract.Child(path, "tokens"), "a nested claim is where the outer one is; remove it, or give it to the outer claim")
	}
	if in.OnError != "" && in.OnError != Deny && in.OnError != Omit {
		c.fail(contract.Child(path, "onError"), "%q is unknown%s; allowed are %q and %q", in.OnError,
			DidYouMean(string(in.OnError), []string{string(Deny), string(Omit)}), Deny, Omit)
	}
	if in.When != "" {
		out.when = c.condition(mint, contract.Child(path, "when"), in.When)
	}
	var sources []string
	if in.Value != nil {
		sources = append(sources, "value")
		out.value, out.shape = c.literal(contract.Child(path, "value"), path, in.Value)
		normal.Value = out.value
	}
	if in.Attribute != "" {
		sources = append(sources, "attribute")
		out.attribute, out.optional = in.Attribute, true
		out.as, out.shape = c.as(path, in.As)
	} else if in.As != "" {
		c.fail(contract.Child(path, "as"), "is about how an attribute is read; remove it, or give an attribute")
	}
	if in.Expr != "" {
		sources = append(sources, "expr")
		out.expr, out.shape, out.optional = c.value(mint, contract.Child(path, "expr"), in.Expr)
	}
	if in.Code {
		sources = append(sources, "code")
		out.code, out.optional = true, true
		switch {
		case depth > 0:
			c.fail(contract.Child(path, "code"), "code sets whole claims; give it to the outermost one, with its type")
		case in.Type.IsZero() && !c.troubled(contract.Child(path, "type")):
			c.fail(path, "is set by code, so nothing is known of it: give its type, or type: any")
		case in.When != "" || in.OnError != "":
			c.fail(path, "is set by code, which decides itself: when and onError do not apply")
		}
	}
	if !in.Type.IsZero() {
		out.shape, out.declared = c.declared(path, in, out.shape)
	}
	if in.Claims != nil {
		sources = append(sources, "claims")
		normal.Claims = map[string]Claim{}
		fields := map[string]*contract.Field{}
		out.optional = true
		for _, key := range contract.SortedKeys(in.Claims) {
			if key == "" {
				c.fail(path, "a nested claim needs a name")
			}
			nestedClaim, nestedNormal := c.claim(mint, key, contract.Nested(path, key), in.Claims[key], depth+1)
			out.claims = append(out.claims, nestedClaim)
			normal.Claims[key] = nestedNormal
			fields[key] = &contract.Field{Shape: nestedClaim.shape, Optional: nestedClaim.optional}
			out.optional = out.optional && nestedClaim.optional
		}
		if len(in.Claims) == 0 && !c.unreadable[path] {
			c.fail(path, "has no nested claims; give it some or remove it")
		}
		out.shape = objectOf(path, fields)
	}
	switch {
	case len(sources) == 0 && !c.troubled(path):
		c.fail(path, "says nothing about where the value comes from; give one of %s", quoteList(claimSources))
	case len(sources) > 1:
		c.fail(path, "has %s; a claim has exactly one of them", strings.Join(sources, " and "))
	}
	if in.Required && in.OnError == Omit {
		c.fail(path, "cannot be required and omitted on an error; remove one of the two")
	}
	out.optional = (out.optional && !in.Required) || in.When != "" || in.OnError == Omit
	return out, normal
}

// as is how an attribute is read, and the shape of what that yields.
func (c *compiler) as(path string, as As) (As, *contract.Shape) {
	shapes := map[As]*contract.Shape{
		AsString: stringShape, AsList: stringsShape, AsInt: intShape, AsDouble: doubleShape, AsBool: boolShape, AsJSON: dynShape,
	}
	s, known := shapes[cmp.Or(as, AsString)]
	if !known {
		names := []string{string(AsString), string(AsList), string(AsInt), string(AsDouble), string(AsBool), string(AsJSON)}
		c.fail(contract.Child(path, "as"), "%q is unknown%s; allowed are %s", as, DidYouMean(string(as), names), quoteList(names))
		return AsString, dynShape
	}
	return cmp.Or(as, AsString), s
}

// declared is the shape that a claim declares, and whether its values must be held against it.
func (c *compiler) declared(path string, in Claim, inferred *contract.Shape) (*contract.Shape, bool) {
	at := contract.Child(path, "type")
	if in.Expr == "" && in.As != AsJSON && !in.Code {
		c.fail(at, "is for an expr, for an attribute that is read as json, or for code; the type of anything else is known")
		return inferred, false
	}
	s, problem := declaredShape(in.Type, path)
	switch {
	case problem != "":
		c.fail(at, "%s", problem)
	case !mayBe(inferred, s):
		c.fail(at, "is %s, but the expression yields %s", s, inferred)
	}
	return s, true
}

// troubled tells whether the parser complained of the value at that path or of something inside it.
func (c *compiler) troubled(path string) bool {
	for p := range c.unreadable {
		if strings.HasPrefix(p, path) {
			return true
		}
	}
	return false
}

// value compiles an expression that yields a claim's value.
func (c *compiler) value(l *language, path, text string) (*expression, *contract.Shape, bool) {
	e := c.expression(l, path, text)
	if e == nil {
		return nil, dynShape, false
	}
	s, optional, refusal := resultShape(e.result, l.rows())
	if refusal != "" {
		c.fail(path, "yields %s, which Cognito cannot carry: %s", typeName(e.result), refusal)
	}
	return e, s, optional
}

// condition compiles an expression that must be true or false.
func (c *compiler) condition(l *language, path, text string) *expression {
	e := c.expression(l, path, text)
	if e != nil && !e.isBool() {
		c.fail(path, "must be true or false, but yields %s", typeName(e.result))
		return nil
	}
	return e
}

func (c *compiler) scopes(mint *language, path string, in []Scope) []scope {
	var out []scope
	for i, s := range in {
		path := contract.Item(path, i)
		switch {
		case c.troubled(path):
		case s.Scope == "":
			c.fail(path, "has no scope; give its name, such as \"documents/read\"")
		case contract.HasBlank(s.Scope):
			c.fail(path, "scope %q contains a blank; write one entry for each scope", s.Scope)
		case slices.ContainsFunc(in[:i], func(earlier Scope) bool { return earlier.Scope == s.Scope && earlier.When == "" }):
			c.fail(path, "scope %q is listed before, without a condition; remove one of the two", s.Scope)
		}
		compiled := scope{name: s.Scope, path: path}
		if s.When != "" {
			compiled.when = c.condition(mint, contract.Child(path, "when"), s.When)
		}
		out = append(out, compiled)
	}
	return out
}

var (
	authorizerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	routeKey       = regexp.MustCompile(`^(?:(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /(?:[^\s{}/]+/|\{[^\s{}/+]+\+?\}/)*(?:[^\s{}/]+|\{[^\s{}/+]+\+?\})?|\$default|\$connect)$`)
	routeParameter = regexp.MustCompile(`\{([^{}+]+)\+?\}`)
)

func (c *compiler) authorizer(check *language, name string, in Authorizer, prog *Compiled) *authorizer {
	path := contract.Child("authorizers", name)
	out := &authorizer{name: name, routes: map[string][]rule{}}
	if !authorizerName.MatchString(name) {
		c.fail(path, "authorizer %q: a name is a letter followed by letters and digits, since it becomes part of construct ids", name)
	}
	if len(in.Default) == 0 && len(in.Routes) == 0 && !c.troubled(path) {
		c.fail(path, "has no rules, so it would refuse every request; give it default or routes")
	}
	out.defaults = c.rules(check, contract.Child(path, "default"), in.Default, nil)
	for _, key := range contract.SortedKeys(in.Routes) {
		path := contract.Child(contract.Child(path, "routes"), key)
		if !routeKey.MatchString(key) {
			c.fail(path, "%q is no route key; write a method in capitals and a path, such as \"GET /documents/{id}\", or \"$default\"", key)
		}
		if len(in.Routes[key]) == 0 && !c.troubled(path) {
			c.fail(path, `has no rules; write {rule: "true"} to accept every verified token that meets the default rules`)
		}
		out.routes[key] = c.rules(check, path, in.Routes[key], &key)
	}
	out.context = c.context(check, contract.Child(path, "context"), in.Context, prog)
	out.idTokens = c.idTokens(contract.Child(path, "idTokens"), in.IDTokens, out, prog)
	out.derive(check)
	return out
}

// context is what of the token the backend gets to know.
func (c *compiler) context(check *language, path string, in []string, prog *Compiled) []string {
	names := []string{"sub", "client_id", "scopes"}
	if in == nil {
		names = append(names, "groups")
		for _, claim := range prog.claims {
			if slices.Contains(claim.tokens, AccessToken) {
				names = appendNew(names, claim.name)
			}
		}
		return names
	}
	known := contract.SortedKeys(check.vars["claims"].Fields)
	for i, name := range in {
		if slices.Contains(in[:i], name) {
			c.fail(contract.Item(path, i), "claim %q is listed twice", name)
		}
		if path := contract.Item(path, i); !slices.Contains(known, name) && !c.unreadable[path] {
			c.fail(path, "no claim %q is minted, nor does Cognito put it into an access token%s", name, DidYouMean(name, known))
		}
		names = appendNew(names, name)
	}
	return names
}

// rules compiles rules. route is the route that they belong to, nil for default rules.
func (c *compiler) rules(check *language, path string, in []Rule, route *string) []rule {
	var out []rule
	for i, r := range in {
		path := contract.Item(path, i)
		if r.Rule == "" {
			if !c.troubled(path) {
				c.fail(path, "has no rule; give an expression that is true when the request is allowed")
			}
			continue
		}
		e := c.condition(check, contract.Child(path, "rule"), r.Rule)
		if e == nil {
			continue
		}
		compiled := rule{path: path, message: r.Message, expression: e}
		if r.Message == "" {
			compiled.message = strings.Join(strings.Fields(r.Rule), " ")
		}
		c.examine(check, contract.Child(path, "rule"), &compiled, route)
		out = append(out, compiled)
	}
	return out
}

// examine looks at how a rule reads its environment.
func (c *compiler) examine(check *language, path string, r *rule, route *string) {
	e := r.expression
	// A decision makes only what rules read of the token and of the request.
	single := map[string]string{"claims": "single claims, such as claims.client_id", "request": "single fields, such as request.method"}
	for _, read := range e.reads {
		switch {
		case len(read.names) == 1 && single[read.names[0]] != "":
			c.problems = append(c.problems, c.source.problemIn(path, e.text, read.line, read.column,
				fmt.Sprintf("reads %s as a whole; read %s", read.names[0], single[read.names[0]])))
		case read.names[0] == "claims":
			r.claims = append(r.claims, read.names[1])
		case len(read.names) > 2 && read.names[0] == "request" && read.names[1] == "headers":
			if name := read.names[2]; name != strings.ToLower(name) {
				c.problems = append(c.problems, c.source.problemIn(path, e.text, read.line, read.column, fmt.Sprintf(
					"header %q is never found, since header names arrive in lower case; write %q", name, strings.ToLower(name))))
			}
		case len(read.names) > 2 && read.names[0] == "request" && read.names[1] == "pathParameters" && route != nil && strings.Contains(*route, "/"):
			var names []string
			for _, m := range routeParameter.FindAllStringSubmatch(*route, -1) {
				names = append(names, m[1])
			}
			if !slices.Contains(names, read.names[2]) {
				has := "it has none"
				if len(names) > 0 {
					has = "it has " + quoteList(names)
				}
				c.problems = append(c.problems, c.source.problemIn(path, e.text, read.line, read.column, fmt.Sprintf(
					"route %q has no path parameter %q; %s%s", *route, read.names[2], has, DidYouMean(read.names[2], names))))
			}
		}
	}
	slices.Sort(r.claims)
	r.claims = slices.Compact(r.claims)
}

// literal normalises a literal claim value, see [contract.Value]. at is the claim's path, which names the type of objects.
func (c *compiler) literal(path, at string, v any) (any, *contract.Shape) {
	normal := contract.Normalise(path, v, func(path, message string) {
		if !c.unreadable[path] {
			c.fail(path, "%s", message)
		}
	})
	c.largeIntegers(path, normal)
	return normal, literalShape(normal, at)
}

// largeIntegers warns of integers that JavaScript cannot hold.
func (c *compiler) largeIntegers(path string, v any) {
	switch v := v.(type) {
	case int64:
		if v > 1<<53 || v < -1<<53 {
			c.warn("largeInteger:"+inID(path), path, "%d is carried exactly, but JavaScript readers of the token round integers beyond 2^53; mint a string if they must not", v)
		}
	case []any:
		for i, e := range v {
			c.largeIntegers(contract.Item(path, i), e)
		}
	case map[string]any:
		for _, key := range contract.SortedKeys(v) {
			c.largeIntegers(contract.Child(path, key), v[key])
		}
	}
}

// marshal writes the document of a policy that compiled. Floats keep their decimal point, so that they are read as
// floats again.
func marshal(p Policy) []byte {
	exact := func(v any) any {
		if v == nil {
			return nil
		}
		return contract.Value{V: v}
	}
	var claims func(in map[string]Claim) map[string]Claim
	claims = func(in map[string]Claim) map[string]Claim {
		if in == nil {
			return nil
		}
		out := map[string]Claim{}
		for name, c := range in {
			c.Value, c.Claims = exact(c.Value), claims(c.Claims)
			out[name] = c
		}
		return out
	}
	p.Claims = claims(p.Claims)
	for name, l := range p.Lookups {
		l.OnMissing.Default, l.OnError.Default = exact(l.OnMissing.Default), exact(l.OnError.Default)
		p.Lookups[name] = l
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		panic("internal error: a compiled policy does not encode: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}
