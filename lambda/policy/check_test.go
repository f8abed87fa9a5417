package policy

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// checkCase is a token and a request, and the rules that are not met.
type checkCase struct {
	name    string
	token   string // the payload
	request program.Request
	want    []string // messages; nil when the request is allowed
}

func (c checkCase) run(t *testing.T, checker *program.Checker) {
	d := checker.Check(payload(t, c.token), c.request)
	var got []string
	for _, r := range d.Reasons {
		got = append(got, r.Message)
	}
	equal(t, "reasons", got, c.want)
	equal(t, "allowed", d.Allowed, c.want == nil)
}

func TestCheckDocuments(t *testing.T) {
	t.Parallel()
	checker, ok := documents(t).Checker("Documents")
	if !ok {
		t.Fatal("no checker")
	}
	const owner = `{"scope": "documents/read documents/write", "company_id": "acme", "compliance_level": "high", "roles": {"owner": {"document_permission": "full_control"}}}`
	const editor = `{"scope": "documents/read", "company_id": "acme", "compliance_level": "standard", "roles": {"contributor": {"document_permission": "edit"}}}`
	list := program.Request{RouteKey: "GET /documents"}
	put := program.Request{RouteKey: "PUT /documents/{id}", PathParameters: map[string]string{"id": "1"}}
	audit := func(company string) program.Request {
		return program.Request{RouteKey: "GET /companies/{companyId}/audit", PathParameters: map[string]string{"companyId": company}}
	}
	for _, c := range []checkCase{
		{"owner lists", owner, list, nil},
		{"owner changes", owner, put, nil},
		{"owner audits", owner, audit("acme"), nil},
		{"owner audits another company", owner, audit("globex"), []string{"token belongs to another company"}},
		{"editor lists", editor, list, nil},
		{"editor changes", editor, put, []string{"owners only"}},
		{"editor audits", editor, audit("acme"), []string{"needs compliance level high"}},
		{"every reason is given", `{"company_id": "x", "compliance_level": "low"}`, audit("y"), []string{"needs scope documents/read", "token belongs to another company", "needs compliance level high"}},
		{"a route's rules come on top of the default rules", `{"roles": {"owner": {"document_permission": "full_control"}}}`, put, []string{"needs scope documents/read"}},
		{"part of a scope's name is not the scope", `{"scope": "documents/reader xdocuments/read"}`, list, []string{"needs scope documents/read"}},
		{"empty token", `{}`, audit("acme"), []string{"needs scope documents/read", "token belongs to another company (no such key)", "needs compliance level high (no such key)"}},
		{"absent path parameter", owner, program.Request{RouteKey: "GET /companies/{companyId}/audit"}, []string{"token belongs to another company (no such key)"}},
		{"claim of another type", `{"scope": "documents/read", "company_id": ["acme"], "compliance_level": 3}`, audit("acme"), []string{"token belongs to another company (claims.company_id is no string)", "needs compliance level high (claims.compliance_level is no string)"}},
		{"nested claim of another type", `{"scope": "documents/read", "roles": {"owner": "full_control"}}`, put, []string{"owners only (claims.roles.owner is no object)"}},
		{"null claim", `{"scope": "documents/read", "company_id": null, "compliance_level": "high"}`, audit("acme"), []string{"token belongs to another company (claims.company_id is no string)"}},
		{"scope of another type", `{"scope": ["documents/read"]}`, list, []string{"needs scope documents/read (claims.scopes is no list(string))"}},
	} {
		t.Run(c.name, func(t *testing.T) { t.Parallel(); c.run(t, checker) })
	}
}

func TestCheckTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, claims, rule, token, want string }{
		{"2 and 2.0 are equal for an int claim", "{n: {value: 2}}", "claims.n == 2", `{"n": 2.0}`, ""},
		{"2 and 2.0 are equal for a double claim", "{n: {value: 2.0}}", "claims.n == 2.0 && claims.n / 4.0 == 0.5", `{"n": 2}`, ""},
		{"an int claim equals a float", "{n: {value: 2}}", "claims.n == 2.0 && 2.0 == claims.n && claims.n != 2.5 && claims.n in [1.5, 2.0]", `{"n": 2}`, ""},
		{"a float claim equals an int", "{n: {value: 2.0}}", "claims.n == 2 && claims.n in [1, 2]", `{"n": 2}`, ""},
		{"int and double compare", "{n: {value: 2}}", "claims.n < 2.5 && claims.n >= 2.0", `{"n": 2}`, ""},
		{"a fraction is no int", "{n: {value: 2}}", "claims.n == 2", `{"n": 2.5}`, "m (claims.n is no int)"},
		{"text is no number", "{n: {value: 2}}", "claims.n == 2", `{"n": "2"}`, "m (claims.n is no int)"},
		{"large integers are exact", "{n: {value: 9007199254740993}}", "claims.n == 9007199254740993", `{"n": 9007199254740993}`, ""},
		{"large integers are told apart", "{n: {value: 9007199254740993}}", "claims.n == 9007199254740993", `{"n": 9007199254740992}`, "m"},
		{"an integer beyond 64 bits", "{n: {value: 2}}", "claims.n > 0", `{"n": 99999999999999999999}`, "m (claims.n is no int)"},
		{"a number of any size is a double", "{n: {value: 2.5}}", "claims.n > 0.0", `{"n": 1e400}`, "m (claims.n is no double)"},
		{"text is no list", "{l: {value: [a]}}", "'a' in claims.l", `{"l": "a"}`, "m (claims.l is no list(string))"},
		{"text has no size like a list", "{l: {value: [a]}}", "claims.l.size() == 1", `{"l": "a"}`, "m (claims.l is no list(string))"},
		{"a list is no text", "{s: {value: a}}", "claims.s == 'a'", `{"s": ["a"]}`, "m (claims.s is no string)"},
		{"a list of other things", "{l: {value: [a]}}", "'a' in claims.l", `{"l": ["a", 1]}`, "m (claims.l[1] is no string)"},
		{"any of", "{l: {value: [a]}}", "['x', 'a'].exists(r, r in claims.l)", `{"l": ["a"]}`, ""},
		{"all of", "{l: {value: [a]}}", "['x', 'a'].all(r, r in claims.l)", `{"l": ["a"]}`, "m"},
		{"none of", "{l: {value: [a]}}", "!sets.intersects(claims.l, ['x', 'y'])", `{"l": ["a"]}`, ""},
		{"a mixed list", "{l: {value: [a, 1]}}", "1 in claims.l && 'a' in claims.l && !('1' in claims.l)", `{"l": ["a", 1.0]}`, ""},
		{"a map", "{m: {expr: \"{'a': 1}\"}}", "claims.m.a == 1", `{"m": {"a": 1}}`, ""},
		{"a map of other things", "{m: {expr: \"{'a': 1}\"}}", "claims.m.a == 1", `{"m": {"a": "1"}}`, "m (claims.m[…] is no int)"},
		{"a value of any type", "{d: {expr: \"dyn('x')\"}}", "claims.d == 2 || claims.d.a[0] == 1.5", `{"d": {"a": [1.5, {"b": 2}]}}`, ""},
		{"booleans", "{b: {value: true}}", "claims.b", `{"b": true}`, ""},
		{"text is no boolean", "{b: {value: true}}", "claims.b", `{"b": "true"}`, "m (claims.b is no bool)"},
		{"a name with dots, slashes and colons", `{"https://example.com/roles": {a.b: {value: x}}}`, "claims['https://example.com/roles']['a.b'] == 'x'", `{"https://example.com/roles": {"a.b": "x"}}`, ""},
		{"such a name with care", `{"https://example.com/roles": {attribute: x}}`, "claims[?'https://example.com/roles'].orValue('') == ''", `{}`, ""},
		{"a dot is no nesting", `{a.b: {value: x}, a: {value: {b: y}}}`, "claims['a.b'] == 'x' && claims.a.b == 'y'", `{"a.b": "x", "a": {"b": "y"}}`, ""},
		{"groups and scopes are lists", "{}", "'g' in claims.groups && 's' in claims.scopes && claims.scope == 's t'", `{"cognito:groups": ["g"], "scope": "s t"}`, ""},
		{"groups and scopes are empty lists when absent", "{}", "claims.groups == [] && claims.scopes == []", `{}`, ""},
		{"groups of another type", "{}", "claims.groups == []", `{"cognito:groups": "g"}`, "m (claims.groups is no list(string))"},
		{"a loop variable hides a name", "{l: {value: [a]}}", "claims.l.exists(request, request == 'a')", `{"l": ["a"]}`, ""},
		{"a failing half does not matter when the other decides", "{a: {attribute: x}}", "claims.a == 'x' || claims.sub == 'u'", `{"sub": "u"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checker, _ := mustCompile(t, "claims: "+c.claims+"\nauthorizers: {A: {default: [{message: m, rule: \""+c.rule+"\"}]}}").Checker("A")
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			checkCase{token: c.token, want: want}.run(t, checker)
		})
	}
}

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
params: [office]
authorizers:
  A:
    default:
      - rule: |
          request.method == 'GET' && request.path == '/v1/a' && request.routeKey == 'GET /a' && request.sourceIp == params.office
            && request.headers['x-tenant'] == 't' && request.queryParameters.q == '1' && request.pathParameters.size() == 0
`)
	checker, _ := prog.Checker("A")
	request := program.Request{
		Method: "GET", Path: "/v1/a", RouteKey: "GET /a", SourceIP: "192.0.2.1", Headers: map[string]string{"x-tenant": "t"},
		QueryParameters: map[string]string{"q": "1"}, Params: map[string]string{"office": "192.0.2.1"},
	}
	checkCase{token: `{}`, request: request}.run(t, checker)
	if checker.Check(nil, program.Request{}).Allowed {
		t.Error("an empty request is allowed")
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	const claims = "claims: {tier: {value: 3}, 'a.b': {value: x}, hidden: {value: 1, tokens: [id]}}\n"
	token := payload(t, `{"sub": "u", "client_id": "c", "scope": "s t", "cognito:groups": ["g"], "tier": 3, "a.b": "x", "jti": "j", "exp": 9007199254740993}`)
	byDefault, _ := mustCompile(t, claims+"authorizers: {A: {default: [{rule: 'true'}]}}").Checker("A")
	equal(t, "by default", maps.Collect(byDefault.Context(token)), map[string]any{
		"sub": "u", "client_id": "c", "scopes": []string{"s", "t"}, "groups": []any{"g"}, "tier": json.Number("3"), "a.b": "x",
	})
	equal(t, "of a machine", maps.Collect(byDefault.Context(payload(t, `{"client_id": "c"}`))), map[string]any{"client_id": "c", "scopes": []string{}, "groups": []string{}})
	chosen, _ := mustCompile(t, claims+"authorizers: {A: {default: [{rule: 'true'}], context: [tier, exp, username]}}").Checker("A")
	equal(t, "as chosen", maps.Collect(chosen.Context(token)), map[string]any{"sub": "u", "client_id": "c", "scopes": []string{"s", "t"}, "tier": json.Number("3"), "exp": json.Number("9007199254740993")})
	none, _ := mustCompile(t, claims+"authorizers: {A: {default: [{rule: 'true'}], context: []}}").Checker("A")
	equal(t, "nothing more", maps.Collect(none.Context(token)), map[string]any{"sub": "u", "client_id": "c", "scopes": []string{"s", "t"}})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	checker, _ := mustCompile(t, `authorizers: {A: {routes: {"GET /b": [{rule: "true"}], "GET /a": [{rule: "false"}]}}}`).Checker("A")
	equal(t, "routes", checker.Routes(), []string{"GET /a", "GET /b"})
	equal(t, "covers all", checker.CoversAll(), false)
	checkCase{token: `{}`, request: program.Request{RouteKey: "GET /b"}}.run(t, checker)
	checkCase{token: `{}`, request: program.Request{RouteKey: "GET /a"}, want: []string{"false"}}.run(t, checker)
	checkCase{token: `{}`, request: program.Request{RouteKey: "GET /c"}, want: []string{`no rule covers route "GET /c"`}}.run(t, checker)
	checkCase{token: `{}`, request: program.Request{}, want: []string{`no rule covers route ""`}}.run(t, checker)
}

func TestReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules string
		want        program.Reads
	}{
		{"the token alone", `default: [{rule: "'a' in claims.scopes"}]`, program.Reads{}},
		{"routes", `{default: [{rule: "true"}], routes: {"GET /a": [{rule: "true"}]}}`, program.Reads{Route: true}},
		{"the route key", `default: [{rule: "request.routeKey != 'GET /a'"}]`, program.Reads{Route: true}},
		{"method, path, address", `default: [{rule: "request.method == 'GET' && request.path != '' && request.sourceIp != ''"}]`, program.Reads{Method: true, Path: true, SourceIP: true}},
		{"path parameters", `routes: {"GET /{a}": [{rule: "request.pathParameters.a == claims.sub"}]}`, program.Reads{Route: true, Path: true}},
		{"a header and a query parameter that every request needs", `default: [{rule: "request.headers['x-b'] == 'a' && request.queryParameters.q == 'a'"}, {rule: "!(request.headers['x-a'].size() > 3)"}]`,
			program.Reads{Headers: []string{"x-a", "x-b"}, Query: []string{"q"}}},
		{"a header that one route needs", `routes: {"GET /a": [{rule: "request.headers['x-a'] == 'a'"}]}`,
			program.Reads{Route: true, Unkeyable: []string{`authorizers.A.routes["GET /a"][0] reads request.headers["x-a"]`}}},
		{"a header that may be absent", `default: [{rule: "request.headers[?'x-a'].orValue('') == ''"}, {rule: "has(request.headers.b)"}]`,
			program.Reads{Unkeyable: []string{`authorizers.A.default[0] reads request.headers["x-a"]`, "authorizers.A.default[1] reads request.headers.b"}}},
		{"a header that matters sometimes", `default: [{rule: "claims.sub == 'a' || request.headers['x-a'] == 'a'"}, {rule: "claims.sub == 'a' ? true : request.headers['x-b'] == 'b'"}]`,
			program.Reads{Unkeyable: []string{`authorizers.A.default[0] reads request.headers["x-a"]`, `authorizers.A.default[1] reads request.headers["x-b"]`}}},
		{"a header inside a loop", `default: [{rule: "claims.groups.exists(g, request.headers['x-a'] == g)"}]`,
			program.Reads{Unkeyable: []string{`authorizers.A.default[0] reads request.headers["x-a"]`}}},
		{"computed names", `default: [{rule: "request.headers[claims.sub] == 'a' && 'q' in request.queryParameters"}]`,
			program.Reads{Unkeyable: []string{"authorizers.A.default[0] reads request.headers", "authorizers.A.default[0] reads request.queryParameters"}}},
		{"inside literals", `default: [{rule: "{request.method: [request.path]}.size() == 1"}]`, program.Reads{Method: true, Path: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rules := c.rules
			if !strings.HasPrefix(rules, "{") {
				rules = "{" + rules + "}"
			}
			checker, _ := mustCompile(t, "authorizers: {A: "+rules+"}").Checker("A")
			equal(t, "reads", checker.Reads(), c.want)
		})
	}
}

// A program is shared by all that a function does at the same time.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	prog := documents(t)
	checker, _ := prog.Checker("Documents")
	token := payload(t, `{"scope": "documents/read", "company_id": "acme"}`)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if !prog.Mint(program.SignIn{Attributes: map[string]string{"custom:company_id": "acme"}}).Issue {
					t.Error("not issued")
				}
				if !checker.Check(token, program.Request{RouteKey: "GET /documents"}).Allowed {
					t.Error("not allowed")
				}
			}
		})
	}
	wg.Wait()
}
