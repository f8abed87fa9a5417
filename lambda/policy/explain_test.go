package policy

import (
	"encoding/json"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	x := mustCompile(t, `
params: [stage]
claims:
  company: {attribute: "custom:company", required: true}
  tags: {attribute: "custom:tags", as: list, when: "'a' in user.groups"}
  level: {expr: "size(user.groups)", onError: omit}
  nick: {expr: "user.attributes[?'nickname']", tokens: [access, id]}
  legacy: {value: x, tokens: [id]}
  "https://e.com/roles":
    owner: {value: {can: [read, write], "a b": 1}}
    guest: {value: true, when: "params.stage == 'dev'"}
  meta: {attribute: "custom:meta", as: json, type: {a: string, b: map(int)}}
suppress: [{claim: email, tokens: [id], when: "client.id == 'x'"}]
scopes: {add: [docs/read, {scope: docs/write, when: "true"}], suppress: [old]}
groups: {expr: "user.groups", when: "scopes.size() > 0"}
authorizers:
  B:
    default: [{rule: "claims.company == request.headers['x-company'] && request.queryParameters.q != ''", message: other company}]
    context: [sub]
  A:
    default: [{rule: "claims.scopes.size() > 0 && claims.scopes.size() < 9"}]
    routes:
      "GET /{id}": [{rule: "has(claims['https://e.com/roles'].owner) && request.pathParameters.id != request.method + request.sourceIp"}]
      "GET /": [{rule: "request.headers[?'x'].orValue('') == '' && request.queryParameters.size() == 0"}]
`).Explain()

	claims := map[string]ExplainedClaim{}
	for _, c := range x.Claims {
		claims[c.Name] = c
	}
	access, both := []Token{AccessToken}, []Token{AccessToken, IDToken}
	none, readByB := []string{}, []string{"authorizers.B.default[0]"}
	readByRoute := []string{`authorizers.A.routes["GET /{id}"][0]`}
	for _, want := range []ExplainedClaim{
		{Name: "company", Key: "company", SourceOptional: true, Type: "string", Attribute: "custom:company", As: AsString, Required: true, OnError: Deny, Tokens: access, ReadBy: readByB},
		{Name: "tags", Key: "tags", SourceOptional: true, Type: "list(string)", Attribute: "custom:tags", As: AsList, When: "'a' in user.groups", OnError: Deny, Optional: true, Tokens: access, ReadBy: none},
		{Name: "level", Key: "level", Type: "int", Expr: "size(user.groups)", OnError: Omit, Optional: true, Tokens: access, ReadBy: none},
		{Name: "nick", Key: "nick", SourceOptional: true, Type: "string", Expr: "user.attributes[?'nickname']", OnError: Deny, Optional: true, Tokens: both, ReadBy: none},
		{Name: "legacy", Key: "legacy", Type: "string", Value: "x", OnError: Deny, Tokens: []Token{IDToken}, ReadBy: none},
		{Name: "meta", Key: "meta", SourceOptional: true, Type: "{a?: string, b?: map(int)}", Attribute: "custom:meta", As: AsJSON, OnError: Deny, Optional: true, Tokens: access, ReadBy: none},
		{
			Name: `["https://e.com/roles"]`, Key: "https://e.com/roles", Type: `{guest?: bool, owner: {["a b"]: int, can: list(string)}}`, OnError: Deny, Tokens: access, ReadBy: readByRoute,
			Claims: []ExplainedClaim{
				{Name: `["https://e.com/roles"].guest`, Key: "guest", Type: "bool", Value: true, When: "params.stage == 'dev'", OnError: Deny, Optional: true, Tokens: access, ReadBy: none},
				{Name: `["https://e.com/roles"].owner`, Key: "owner", Type: `{["a b"]: int, can: list(string)}`, Value: map[string]any{"can": []any{"read", "write"}, "a b": int64(1)},
					OnError: Deny, Tokens: access, ReadBy: readByRoute},
			},
		},
	} {
		equal(t, want.Name, claims[want.Name], want)
		delete(claims, want.Name)
	}
	equal(t, "further claims", claims, map[string]ExplainedClaim{})

	equal(t, "params", x.Params, []string{"stage"})
	equal(t, "suppress", x.Suppress, []Suppression{{Claim: "email", Tokens: []Token{IDToken}, When: "client.id == 'x'"}})
	equal(t, "scopes", x.Scopes, Scopes{Add: []Scope{{Scope: "docs/read"}, {Scope: "docs/write", When: "true"}}, Suppress: []Scope{{Scope: "old"}}})
	equal(t, "groups", x.Groups, Groups{Expr: "user.groups", When: "scopes.size() > 0"})
	equal(t, "budget", x.TokenBudget, DefaultTokenBudget)
	equal(t, "attributes", x.Attributes, []string{"custom:company", "custom:meta", "custom:tags", "nickname"})
	equal(t, "unread", x.Unread, []string{`["https://e.com/roles"].guest`, "level", "meta", "nick", "tags"})

	equal(t, "authorizers", x.Authorizers, []ExplainedAuthorizer{
		{
			Name: "A",
			Default: []ExplainedRule{{
				Path: "authorizers.A.default[0]", Rule: "claims.scopes.size() > 0 && claims.scopes.size() < 9",
				Message: "claims.scopes.size() > 0 && claims.scopes.size() < 9", Reads: []string{"claims.scopes"},
			}},
			Routes: []ExplainedRoute{
				{"GET /", []ExplainedRule{{
					Path:    `authorizers.A.routes["GET /"][0]`,
					Rule:    "request.headers[?'x'].orValue('') == '' && request.queryParameters.size() == 0",
					Message: "request.headers[?'x'].orValue('') == '' && request.queryParameters.size() == 0",
					Reads:   []string{"request.headers.x", "request.queryParameters"},
				}}},
				{"GET /{id}", []ExplainedRule{{
					Path:    `authorizers.A.routes["GET /{id}"][0]`,
					Rule:    "has(claims['https://e.com/roles'].owner) && request.pathParameters.id != request.method + request.sourceIp",
					Message: "has(claims['https://e.com/roles'].owner) && request.pathParameters.id != request.method + request.sourceIp",
					Reads:   []string{`claims["https://e.com/roles"].owner`, "request.method", "request.pathParameters.id", "request.sourceIp"},
				}}},
			},
			Context:   []string{"sub", "client_id", "scopes", "groups", "company", "https://e.com/roles", "level", "meta", "nick", "tags"},
			DependsOn: []string{"route", "method", "path", "source address"},
			Uncacheable: []string{
				`authorizers.A.routes["GET /"][0] reads request.headers.x`, `authorizers.A.routes["GET /"][0] reads request.queryParameters`,
			},
		},
		{
			Name: "B",
			Default: []ExplainedRule{{
				Path: "authorizers.B.default[0]", Rule: "claims.company == request.headers['x-company'] && request.queryParameters.q != ''", Message: "other company",
				Reads: []string{"claims.company", `request.headers["x-company"]`, "request.queryParameters.q"},
			}},
			Routes: []ExplainedRoute{}, Context: []string{"sub", "client_id", "scopes"}, Cacheable: true, DependsOn: []string{"header x-company", "query parameter q"}, Uncacheable: []string{},
		},
	})
}

// Readers of the JSON find lists everywhere.
func TestExplainOfNothing(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(mustCompile(t, "{}").Explain())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "explanation", string(text), `{"params":[],"lookups":[],"claims":[],"suppress":[],"scopes":{},"groups":{},"resourceServers":{},"tokenBudget":7168,"attributes":[],"authorizers":[],"unread":[]}`)
}

func TestExplainLookupsAndCode(t *testing.T) {
	t.Parallel()
	x := mustCompile(t, `
lookups:
  tier: {table: subscriptions, key: {pk: user.name, sk: "1"}, type: {plan: string}, consistent: true, onMissing: {default: {plan: free}}, onError: deny}
  seats: {table: subscriptions, index: by-tenant, key: {tenant: user.name}, limit: 5, type: {n: int}, onMissing: omit, when: "true", cacheSeconds: 60}
claims:
  plan: {expr: "lookup.tier.?plan.orValue('')"}
  row: {expr: "lookup.?tier"}
  level: {code: true, type: int}
resourceServers: {documents: {read: Read}}
`).Explain()
	equal(t, "lookups", x.Lookups, []ExplainedLookup{
		{Name: "seats", Table: "subscriptions", Index: "by-tenant", Key: map[string]string{"tenant": "user.name"}, Limit: 5, Type: "list({n?: int})", When: "true",
			OnMissing: Fallback{Action: Omit}, OnError: Fallback{Action: Deny}, CacheSeconds: 60, Optional: true},
		{Name: "tier", Table: "subscriptions", Key: map[string]string{"pk": "user.name", "sk": "1"}, Consistent: true, Type: "{plan?: string}",
			OnMissing: Fallback{Default: map[string]any{"plan": "free"}}, OnError: Fallback{Action: Deny}},
	})
	equal(t, "resource servers", x.ResourceServers, map[string]map[string]string{"documents": {"read": "Read"}})
	access := []Token{AccessToken}
	equal(t, "claims", x.Claims, []ExplainedClaim{
		{Name: "level", Key: "level", Type: "int", Code: true, OnError: Deny, SourceOptional: true, Optional: true, Tokens: access, ReadBy: []string{}},
		{Name: "plan", Key: "plan", Type: "string", Expr: "lookup.tier.?plan.orValue('')", OnError: Deny, Tokens: access, ReadBy: []string{}},
		{Name: "row", Key: "row", Type: "{plan?: string}", Expr: "lookup.?tier", OnError: Deny, SourceOptional: true, Optional: true, Tokens: access, ReadBy: []string{}},
	})
}
