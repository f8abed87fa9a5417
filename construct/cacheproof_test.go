package construct_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// This file plays API Gateway's documented cache: the identity sources are the key, and what the authorizer answered is
// used for every request with the same key. Sources and TTL are those of the synthesized template; the answers are the real
// handler's, to real tokens. Whatever request comes first, the next one must be answered as if there were no cache.

// request is a request as a client sends it, and what API Gateway makes of its path.
type request struct {
	claims        map[string]any // of the token
	tokenIn       string         // default: the Authorization header; else "cookie" or "query", under the name token
	domain, base  string         // base is the base path by which the domain maps to the API
	method, route string         // route is that of the API, such as "GET /documents/{id}"
	path          string         // within the API
	params        map[string]string
	header, query map[string][]string
	sourceIP      string
}

func (r request) String() string {
	return fmt.Sprintf("%s %s%s on %q as %v, header %v, query %v, from %s", r.method, r.base, r.path, r.domain, r.claims["company_id"],
		r.header, r.query, r.sourceIP)
}

// gateway is one kind of API with one authorizer.
type gateway struct {
	rest    bool
	sources []string
	ttl     float64
	ask     func(event any) ([]byte, error)
}

// answer is what the authorizer function said.
type answer struct {
	payload []byte
	err     error
}

// statuses that a client gets, up to the backend's own.
const (
	ok           = 200
	unauthorized = 401
	forbidden    = 403
	broken       = 500
)

// arn is the method or route as it is in a policy.
func (r request) arn() string {
	return "arn:aws:execute-api:eu-west-1:123456789012:api/stage/" + r.method + r.path
}

// fresh is the function's answer, without any cache.
func (g *gateway) fresh(r request) answer {
	payload, err := g.ask(g.event(r))
	return answer{payload, err}
}

// status is what a client gets when the function has answered that, be it to this request or to an earlier one.
func (g *gateway) status(r request, a answer) int {
	switch {
	case a.err != nil && a.err.Error() == "Unauthorized":
		return unauthorized
	case a.err != nil:
		return broken
	}
	var said struct {
		IsAuthorized   bool
		PolicyDocument struct {
			Statement []struct{ Effect, Resource string }
		}
	}
	if err := json.Unmarshal(a.payload, &said); err != nil {
		return broken
	}
	allowed := said.IsAuthorized
	if g.rest {
		for _, s := range said.PolicyDocument.Statement {
			pattern := "^" + strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(s.Resource), `\*`, ".*"), `\?`, ".") + "$"
			if !regexp.MustCompile(pattern).MatchString(r.arn()) {
				continue
			}
			if allowed = s.Effect == "Allow"; !allowed {
				break
			}
		}
	}
	if allowed {
		return ok
	}
	return forbidden
}

// key is what API Gateway keys a request on; without one of the sources it answers 401 by itself.
func (g *gateway) key(r request) (key string, complete bool) {
	for _, source := range g.sources {
		value := g.source(r, source)
		if value == "" {
			return "", false
		}
		key += fmt.Sprintf("%q", value)
	}
	return key, true
}

func (g *gateway) source(r request, source string) string {
	source = strings.TrimPrefix(strings.TrimPrefix(source, "$"), "method.")
	place, name, _ := strings.Cut(strings.TrimPrefix(source, "request."), ".")
	switch place {
	case "header":
		for header, values := range r.headers() {
			switch {
			case !strings.EqualFold(header, name):
			case header == "Cookie":
				return values[len(values)-1] // nothing is documented about several, for either kind
			default:
				return g.several(values)
			}
		}
		return ""
	case "querystring":
		return g.several(r.queries()[name])
	}
	return map[string]string{
		"context.routeKey":          r.route,
		"context.httpMethod":        r.method,
		"context.path":              "/stage" + r.base + r.path,
		"context.domainName":        r.domain,
		"context.identity.sourceIp": r.sourceIP,
	}[source]
}

// several is the value of what was sent several times. HTTP APIs join the values; for REST APIs it is the last one, of which
// nothing is documented, so that the proof must not depend on it.
func (g *gateway) several(values []string) string {
	if g.rest && len(values) > 0 {
		return values[len(values)-1]
	}
	return strings.Join(values, ",")
}

// second is the status of a request that comes after another one, within the TTL.
func (g *gateway) second(first, then request, answerTo func(request) answer) int {
	key, complete := g.key(then)
	if !complete && (!g.rest || g.ttl > 0) {
		return unauthorized
	}
	cached := answerTo(first)
	if before, complete := g.key(first); complete && before == key && g.ttl > 0 && cached.err == nil {
		return g.status(then, cached)
	}
	return g.status(then, answerTo(then))
}

func (r request) bearer() string { return tokenOf(r.claims) }

func (r request) headers() map[string][]string {
	headers := map[string][]string{"Host": {r.domain}}
	for name, values := range r.header {
		headers[name] = values
	}
	switch r.tokenIn {
	case "cookie":
		headers["Cookie"] = []string{"token=" + r.bearer(), "theme=dark"}
	case "":
		headers["Authorization"] = []string{"Bearer " + r.bearer()}
	}
	return headers
}

func (r request) queries() map[string][]string {
	if r.tokenIn != "query" {
		return r.query
	}
	return map[string][]string{"token": {r.bearer()}}
}

// event is the request as the function gets it.
func (g *gateway) event(r request) any {
	one := func(multi map[string][]string) map[string]string {
		single := map[string]string{}
		for name, values := range multi {
			single[name] = g.several(values)
		}
		return single
	}
	_, resource, _ := strings.Cut(r.route, " ")
	if g.rest {
		return map[string]any{
			"type": "REQUEST", "methodArn": r.arn(), "resource": resource, "path": r.base + r.path, "httpMethod": r.method,
			"headers": one(r.headers()), "multiValueHeaders": r.headers(),
			"queryStringParameters": one(r.queries()), "multiValueQueryStringParameters": r.queries(), "pathParameters": r.params,
			"requestContext": map[string]any{"identity": map[string]any{"sourceIp": r.sourceIP}},
		}
	}
	headers := one(r.headers())
	delete(headers, "Cookie")
	return map[string]any{
		"version": "2.0", "type": "REQUEST", "routeArn": r.arn(), "routeKey": r.route, "rawPath": r.base + r.path,
		"headers": headers, "cookies": r.headers()["Cookie"], "queryStringParameters": one(r.queries()), "pathParameters": r.params,
		"requestContext": map[string]any{"http": map[string]any{"method": r.method, "path": r.base + r.path, "sourceIp": r.sourceIP}},
	}
}

var pool = tokentest.NewPool()

var signed = map[string]string{}

// tokenOf is a token with these claims, always the same.
func tokenOf(claims map[string]any) string {
	id := fmt.Sprint(claims)
	if signed[id] == "" {
		signed[id] = pool.AccessToken(claims)
	}
	return signed[id]
}

// cacheCase is one kind of rule.
type cacheCase struct {
	name     string
	policy   string
	routes   []string
	tokens   []construct.TokenSource
	requests []request

	// spare is a source that this rule could do without.
	spare string

	// httpCached and restCached tell that decisions are cached for that kind of API.
	httpCached, restCached bool
}

func (c cacheCase) run(t *testing.T) {
	f := newFixture(t)
	file := policyFile(t, "claims: {company_id: {value: x}}\n"+c.policy)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(file)
		if c.tokens != nil {
			p.TokenSources = map[string][]construct.TokenSource{"Api": c.tokens}
		}
	})
	auth.AddClient("Web", nil)
	f.api("Http", auth.HttpAuthorizer("Api"), c.routes...)
	f.restAPI("Rest", auth.RestAuthorizer("Api"), c.routes...)
	tpl := f.template()

	handler := handlerOf(t, tpl, file)
	ask := func(event any) ([]byte, error) {
		payload, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		return handler.Invoke(t.Context(), payload)
	}
	http, _ := tpl.only("AWS::ApiGatewayV2::Authorizer")
	rest, _ := tpl.only("AWS::ApiGateway::Authorizer")
	httpSources, _ := http["IdentitySource"].([]any)
	restSources, _ := rest["IdentitySource"].(string)
	for _, kind := range []struct {
		name    string
		gateway gateway
		cached  bool
	}{
		{"HTTP", gateway{false, texts(httpSources), http["AuthorizerResultTtlInSeconds"].(float64), ask}, c.httpCached},
		{"REST", gateway{true, strings.FieldsFunc(restSources, func(r rune) bool { return r == ',' }),
			rest["AuthorizerResultTtlInSeconds"].(float64), ask}, c.restCached},
	} {
		t.Run(kind.name, func(t *testing.T) { kind.gateway.prove(t, c.requests, kind.cached, c.spare) })
	}
}

func texts(values []any) []string {
	var list []string
	for _, v := range values {
		list = append(list, v.(string))
	}
	return list
}

// handlerOf is the authorizer function, configured as the template says.
func handlerOf(t *testing.T, tpl template, file string) *apigw.Handler {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	document, err := policy.Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	handler := &apigw.Handler{Verifier: verifier, Logger: slog.New(slog.DiscardHandler)}
	for _, function := range tpl.resources("AWS::Lambda::Function") {
		environment := function["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)
		if name, ok := environment["CLAIMSMITH_AUTHORIZER"].(string); ok {
			handler.Checker, _ = compiled.Checker(name)
		}
		if sources, ok := environment["CLAIMSMITH_TOKEN_SOURCES"].(string); ok {
			if handler.Sources, err = apigw.ParseSources(sources); err != nil {
				t.Fatal(err)
			}
		}
	}
	return handler
}

// prove compares every request with what it gets after any other one, and shows that each part of the key is needed: without
// it some request gets another answer.
func (g *gateway) prove(t *testing.T, requests []request, cached bool, spare string) {
	if cached != (g.ttl > 0) {
		t.Fatalf("TTL is %v, cached should be %t", g.ttl, cached)
	}
	answers := map[string]answer{}
	answerTo := func(r request) answer {
		id := fmt.Sprintf("%#v", r)
		if _, known := answers[id]; !known {
			answers[id] = g.fresh(r)
		}
		return answers[id]
	}
	statuses := map[int]bool{}
	for _, r := range requests {
		statuses[g.status(r, answerTo(r))] = true
	}
	if !statuses[ok] || !statuses[forbidden] || statuses[broken] {
		t.Fatalf("the requests prove nothing: their statuses are %v", statuses)
	}
	if wrong := g.violations(requests, answerTo); len(wrong) > 0 {
		t.Errorf("with sources %q:\n%s", g.sources, strings.Join(wrong, "\n"))
	}
	mutants := []gateway{}
	if cached {
		for i, source := range g.sources {
			if source == spare {
				continue
			}
			mutant := *g
			mutant.sources = slices.Delete(slices.Clone(g.sources), i, i+1)
			mutants = append(mutants, mutant)
		}
	} else {
		mutant := *g
		mutant.ttl = 60
		mutants = append(mutants, mutant)
	}
	for _, mutant := range mutants {
		if len(mutant.violations(requests, answerTo)) == 0 {
			t.Errorf("nothing goes wrong with a TTL of %v and sources %q, instead of %v and %q", mutant.ttl, mutant.sources, g.ttl, g.sources)
		}
	}
}

// violations are the requests that get another answer because another one came before.
func (g *gateway) violations(requests []request, answerTo func(request) answer) []string {
	var wrong []string
	for _, first := range requests {
		for _, then := range requests {
			want := g.status(then, answerTo(then))
			if got := g.second(first, then, answerTo); got != want {
				wrong = append(wrong, fmt.Sprintf("%s\n\tafter %s:\n\t%d instead of %d", then, first, got, want))
			}
		}
	}
	return wrong
}

// everyone makes each request as two users.
func everyone(requests ...request) []request {
	var all []request
	for _, r := range requests {
		if r.domain == "" {
			r.domain = "api.example.com"
		}
		if r.sourceIP == "" {
			r.sourceIP = "192.0.2.1"
		}
		for _, company := range []string{"acme", "globex"} {
			r.claims = map[string]any{"company_id": company, "cognito:groups": []string{company}}
			all = append(all, r)
		}
	}
	return all
}

// documentsTwice are requests that one path may stand for, on two domains: a REST API's policies name the methods behind.
var documentsTwice = []request{
	{method: "GET", route: "GET /{name}", path: "/a", params: map[string]string{"name": "a"}},
	{method: "PUT", route: "PUT /{name}", path: "/a", params: map[string]string{"name": "a"}},
	{method: "GET", route: "GET /{name}", path: "/b", params: map[string]string{"name": "b"}},
	{method: "GET", route: "GET /{name}", base: "/docs", path: "/a", params: map[string]string{"name": "a"}},
	{method: "GET", route: "GET /docs/{name}", path: "/docs/a", params: map[string]string{"name": "a"}, domain: "other.example.com"},
	{method: "GET", route: "GET /{name}", base: "/docs", path: "/b", params: map[string]string{"name": "b"}, domain: "other.example.com"},
}

// documentRoutesTwice are the routes of documentsTwice.
var documentRoutesTwice = []string{"GET /{name}", "PUT /{name}", "GET /docs/{name}"}

func with(more ...request) []request { return everyone(slices.Concat(documentsTwice, more)...) }

func TestCachedDecisionsHoldWhereverTheyAreRepeated(t *testing.T) {
	for _, c := range []cacheCase{
		{
			name:   "rules that read the token alone",
			policy: `authorizers: {Api: {default: [{rule: "claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			requests: with(), httpCached: true, restCached: true,
		},
		{
			name: "rules that differ by route",
			policy: `
authorizers:
  Api:
    default: [{rule: "claims.company_id != ''"}]
    routes: {"PUT /{name}": [{rule: "claims.company_id == 'acme'"}]}`, routes: documentRoutesTwice,
			requests: with(), httpCached: true, restCached: true,
		},
		{
			name:   "a rule that reads the method",
			policy: `authorizers: {Api: {default: [{rule: "request.method == 'GET' || claims.company_id == 'acme'"}]}}`,
			routes: append(documentRoutesTwice, "ANY /any"),
			requests: with(
				request{method: "GET", route: "ANY /any", path: "/any"}, request{method: "DELETE", route: "ANY /any", path: "/any"}),
			httpCached: true, restCached: true,
		},
		{
			name:   "a rule that reads the path",
			policy: `authorizers: {Api: {default: [{rule: "request.path != '/a' || claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			requests: with(), httpCached: true, restCached: true,
			spare: "$context.domainName", // request.path has the base path, path parameters do not
		},
		{
			name:   "a rule that reads a path parameter",
			policy: `authorizers: {Api: {default: [{rule: "request.pathParameters.proxy == 'a' || claims.company_id == 'acme'"}]}}`,
			routes: []string{"GET /{proxy+}", "PUT /{proxy+}"},
			requests: everyone(
				request{method: "GET", route: "GET /{proxy+}", path: "/a", params: map[string]string{"proxy": "a"}},
				request{method: "PUT", route: "PUT /{proxy+}", path: "/a", params: map[string]string{"proxy": "a"}},
				request{method: "GET", route: "GET /{proxy+}", path: "/b", params: map[string]string{"proxy": "b"}},
				// One path on two domains is two values of the parameter.
				request{method: "GET", route: "GET /{proxy+}", base: "/v1", path: "/a", params: map[string]string{"proxy": "a"}},
				request{method: "GET", route: "GET /{proxy+}", path: "/v1/a", params: map[string]string{"proxy": "v1/a"}, domain: "other.example.com"}),
			httpCached: true, restCached: true,
		},
		{
			name:   "a rule that reads the source address",
			policy: `authorizers: {Api: {default: [{rule: "request.sourceIp == '192.0.2.1' || claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			requests: with(request{method: "GET", route: "GET /{name}", path: "/a", sourceIP: "198.51.100.7"}), httpCached: true, restCached: true,
		},
		{
			name:   "a rule that demands a header",
			policy: `authorizers: {Api: {default: [{rule: "request.headers['x-tenant'] == claims.company_id"}]}}`, routes: documentRoutesTwice,
			requests: everyone(
				request{method: "GET", route: "GET /{name}", path: "/a", header: map[string][]string{"X-Tenant": {"acme"}}},
				request{method: "GET", route: "GET /{name}", path: "/a", header: map[string][]string{"X-Tenant": {"globex"}}},
				request{method: "GET", route: "GET /{name}", path: "/a", header: map[string][]string{"X-Tenant": {"globex", "acme"}}}),
			httpCached: true,
		},
		{
			name:   "a rule that demands a query parameter",
			policy: `authorizers: {Api: {default: [{rule: "request.queryParameters.tenant == claims.company_id"}]}}`, routes: documentRoutesTwice,
			requests: everyone(
				request{method: "GET", route: "GET /{name}", path: "/a", query: map[string][]string{"tenant": {"acme"}}},
				request{method: "GET", route: "GET /{name}", path: "/a", query: map[string][]string{"tenant": {"globex"}}},
				request{method: "GET", route: "GET /{name}", path: "/a", query: map[string][]string{"tenant": {"globex", "acme"}}}),
			httpCached: true,
		},
		{
			name:   "a rule that reads a header which may be absent",
			policy: `authorizers: {Api: {default: [{rule: "!('x-preview' in request.headers) || claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			requests: with(request{method: "GET", route: "GET /{name}", path: "/a", header: map[string][]string{"X-Preview": {"yes"}}}),
		},
		{
			name:   "a token in a cookie",
			policy: `authorizers: {Api: {default: [{rule: "claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			tokens:   []construct.TokenSource{construct.TokenInCookie("token")},
			requests: everyone(request{tokenIn: "cookie", method: "GET", route: "GET /{name}", path: "/a"}),
		},
		{
			name:   "a token in one of two places",
			policy: `authorizers: {Api: {default: [{rule: "claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			tokens: []construct.TokenSource{construct.TokenInHeader("Authorization"), construct.TokenInQuery("token")},
			requests: everyone(request{method: "GET", route: "GET /{name}", path: "/a"},
				request{tokenIn: "query", method: "GET", route: "GET /{name}", path: "/a"}),
		},
		{
			name:   "a token in the query",
			policy: `authorizers: {Api: {default: [{rule: "claims.company_id == 'acme'"}]}}`, routes: documentRoutesTwice,
			tokens: []construct.TokenSource{construct.TokenInQuery("token")},
			requests: everyone(func() (all []request) {
				for _, r := range documentsTwice {
					r.tokenIn = "query"
					all = append(all, r)
				}
				return all
			}()...), httpCached: true, restCached: true,
		},
	} {
		t.Run(c.name, c.run)
	}
}
