package apigw_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

const rules = `
claims:
  company_id: {attribute: "custom:company_id", required: true}
  big: {value: 9007199254740993}
  "https://example.com/plan": {value: {tier: pro}}
authorizers:
  Documents:
    default: [{rule: "'documents/read' in claims.scopes", message: "needs scope documents/read"}]
    routes:
      "GET /companies/{companyId}/audit":
        - {rule: "claims.company_id == request.pathParameters.companyId", message: "token belongs to another company"}
        - {rule: "request.headers['x-reason'] == 'audit' && request.queryParameters.year == '2026'", message: "needs a reason"}
        - {rule: "request.method == 'GET' && request.path.startsWith('/companies/') && request.sourceIp == '192.0.2.1'", message: "needs the request"}
      "ANY /any": [{rule: "'documents/any' in claims.scopes", message: "needs scope documents/any"}]
      "PUT /any": [{rule: "'documents/put' in claims.scopes", message: "needs scope documents/put"}]
      "$default": [{rule: "'documents/default' in claims.scopes", message: "needs scope documents/default"}]
      "$connect": [{rule: "request.queryParameters.room == 'lobby' && request.sourceIp == '192.0.2.1'", message: "lobby only"}]
  Plain:
    default: [{rule: "'documents/read' in claims.scopes", message: "needs scope documents/read"}]
  Chosen:
    default: [{rule: "'documents/read' in claims.scopes", message: "needs scope documents/read"}]
    context: [jti, username]
`

var rulesProgram = sync.OnceValue(func() *policy.Compiled { return compile(rules) })

func compile(document string) *policy.Compiled {
	p, err := policy.Parse("claims.yaml", []byte(document))
	if err != nil {
		panic(err)
	}
	compiled, err := policy.Compile(p)
	if err != nil {
		panic(err)
	}
	return compiled
}

// verifier is a Verifier made of a function.
type verifier func(ctx context.Context, raw string) (*token.Token, error)

func (v verifier) Verify(ctx context.Context, raw string) (*token.Token, error) { return v(ctx, raw) }

func (v verifier) VerifyIDToken(ctx context.Context, raw string) (*token.Token, error) {
	return nil, errors.New("an ID token where the policy accepts none")
}

// accepts is a verifier that accepts everything as a token with these claims.
func accepts(claims map[string]any) verifier {
	return func(context.Context, string) (*token.Token, error) { return &token.Token{Claims: claims}, nil }
}

// handler returns a handler for a kind of API, and its log.
func handler(v apigw.Verifier, api apigwtest.API) (*apigw.Handler, *bytes.Buffer) {
	name := "Documents"
	if api == apigwtest.RESTToken {
		name = "Plain"
	}
	checker, _ := rulesProgram().Checker(name)
	var log bytes.Buffer
	return &apigw.Handler{Verifier: v, Checker: checker, Logger: slog.New(slog.NewJSONHandler(&log, nil))}, &log
}

func realVerifier(pool *tokentest.Pool) *token.Verifier {
	v, err := token.NewVerifier(pool.Config())
	if err != nil {
		panic(err)
	}
	return v
}

// get is a request with a token.
func get(resource, raw string) apigwtest.Request {
	return apigwtest.Request{
		Method: "GET", Resource: resource, Path: resource, Header: http.Header{"Authorization": {"Bearer " + raw}, "Accept": {"*/*"}},
		Query: url.Values{"room": {"lobby"}},
	}
}

// with returns the request changed.
func with(r apigwtest.Request, change func(*apigwtest.Request)) apigwtest.Request {
	r.Header = r.Header.Clone()
	change(&r)
	return r
}

// want is what must come of a request.
type want struct {
	status  int
	outcome string   // in the log
	logged  []string // what else the log has
	hidden  []string // what it must not have
}

func (w want) check(t *testing.T, h *apigw.Handler, log *bytes.Buffer, api apigwtest.API, r apigwtest.Request) apigwtest.Outcome {
	t.Helper()
	response, err := h.Invoke(t.Context(), r.Event(api))
	if (response == nil) == (err == nil) {
		t.Errorf("%s: got the response %s with the error %v", api, response, err)
	}
	got := r.Outcome(api, response, err)
	if got.Status != w.status {
		t.Errorf("%s: status %d, want %d: %s %v: %s", api, got.Status, w.status, response, err, log)
	}
	for _, text := range append(w.logged, `"outcome":"`+w.outcome+`"`) {
		if !strings.Contains(log.String(), text) {
			t.Errorf("%s: the log lacks %q: %s", api, text, log)
		}
	}
	for _, text := range w.hidden {
		if strings.Contains(log.String()+fmt.Sprint(err), text) {
			t.Errorf("%s: the log has %q: %s", api, text, log)
		}
	}
	if got.Status != http.StatusOK && len(got.Context) > 0 && !h.WWWAuthenticate {
		t.Errorf("%s: a refusal has the context %v", api, got.Context)
	}
	return got
}

// Public cases 14, 15 (an access token is accepted and an ID token refused), 18 (the statuses) and 24 (no token).
func TestOutcomes(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	v := realVerifier(pool)
	good := pool.AccessToken(map[string]any{"scope": "documents/read", "company_id": "acme"})
	tampered := good[:len(good)/2] + "A" + good[len(good)/2+1:]
	sign := func(changes map[string]any) string { return pool.AccessToken(changes) }

	for _, c := range []struct {
		name            string
		request         apigwtest.Request
		status, status2 int // of HTTP APIs, and of the others
		want            want
	}{
		{"allows a token that meets the rules", get("/documents", good), 200, 200, want{outcome: "allow", logged: []string{`"keyId":"` + pool.KeyID()}}},
		{"denies without the scope", get("/documents", sign(map[string]any{"scope": "openid"})), 403, 403,
			want{outcome: "deny", logged: []string{"needs scope documents/read", ".default[0]"}}},
		{"refuses an ID token", get("/documents", sign(map[string]any{"token_use": "id"})), 403, 401, want{outcome: "invalid token", logged: []string{"token_use"}}},
		{"refuses an expired token", get("/documents", sign(map[string]any{"exp": pool.Now().Unix()})), 403, 401, want{outcome: "invalid token", logged: []string{"expired"}}},
		{"refuses a tampered token", get("/documents", tampered), 403, 401, want{outcome: "invalid token"}},
		{"refuses no token", with(get("/documents", ""), func(r *apigwtest.Request) { r.Header.Del("Authorization") }), 403, 401, want{outcome: "invalid token"}},
		{"cannot decide about a token not yet valid", get("/documents", sign(map[string]any{"nbf": pool.Now().Unix() + 600})), 500, 500,
			want{outcome: "fault", logged: []string{"not valid yet", `"level":"ERROR"`}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, api := range apigwtest.APIs {
				h, log := handler(v, api)
				w := c.want
				if w.status = c.status2; api == apigwtest.HTTP2 || api == apigwtest.HTTP1 {
					w.status = c.status
				}
				w.hidden = []string{"acme", good, good[len(good)-20:], tampered[:50]}
				w.check(t, h, log, api, c.request)
			}
		})
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	audit := with(get("/companies/{companyId}/audit", "t"), func(r *apigwtest.Request) {
		r.Path, r.PathParameters = "/companies/acme/audit", map[string]string{"companyId": "acme"}
		r.Header["X-reAson"] = []string{"audit"} // as the client wrote it
		r.Query = url.Values{"year": {"2026"}}
	})
	for _, c := range []struct {
		name    string
		request apigwtest.Request
		scope   string
		apis    []apigwtest.API
		refused string // the reason, if so
	}{
		{name: "meets the rules of the route", request: audit},
		{name: "another company", request: with(audit, func(r *apigwtest.Request) { r.PathParameters = map[string]string{"companyId": "globex"} }),
			refused: "token belongs to another company"},
		{name: "a header that is missing", request: with(audit, func(r *apigwtest.Request) { delete(r.Header, "X-reAson") }), refused: "needs a reason (no such key)"},
		{name: "a header that came twice has both values", request: with(audit, func(r *apigwtest.Request) { r.Header["X-reAson"] = []string{"x", "audit"} }),
			refused: "needs a reason"},
		{name: "a header that came in two spellings", request: with(audit, func(r *apigwtest.Request) { r.Header["x-reason"] = []string{"audit"} }),
			refused: "needs a reason"},
		{name: "a query parameter that came twice", request: with(audit, func(r *apigwtest.Request) { r.Query = url.Values{"year": {"2025", "2026"}} }),
			refused: "needs a reason"},
		{name: "another address", request: with(audit, func(r *apigwtest.Request) { r.SourceIP = "198.51.100.1" }), refused: "needs the request"},

		{name: "a method of its own", request: with(get("/any", "t"), func(r *apigwtest.Request) { r.Method = "PUT" }), scope: "documents/put"},
		{name: "without its scope", request: with(get("/any", "t"), func(r *apigwtest.Request) { r.Method = "PUT" }), scope: "documents/any", refused: "needs scope documents/put"},
		{name: "any method", request: with(get("/any", "t"), func(r *apigwtest.Request) { r.AnyMethod = true }), scope: "documents/any"},
		{name: "any method without its scope", request: with(get("/any", "t"), func(r *apigwtest.Request) { r.AnyMethod = true }), refused: "needs scope documents/any"},
		{name: "everything else", request: with(get("$default", "t"), func(r *apigwtest.Request) { r.Path = "/x" }), scope: "documents/default",
			apis: []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1}},
		{name: "everything else without its scope", request: with(get("$default", "t"), func(r *apigwtest.Request) { r.Path = "/x" }),
			apis: []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1}, refused: "needs scope documents/default"},
		{name: "a connection", request: get("", "t"), apis: []apigwtest.API{apigwtest.WebSocket}},
		{name: "a connection to another room", request: with(get("", "t"), func(r *apigwtest.Request) { r.Query = url.Values{"room": {"attic"}} }),
			apis: []apigwtest.API{apigwtest.WebSocket}, refused: "lobby only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.apis == nil {
				c.apis = []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST}
			}
			for _, api := range c.apis {
				h, log := handler(accepts(map[string]any{"client_id": "c", "company_id": "acme", "scope": "documents/read " + c.scope}), api)
				w := want{status: 200, outcome: "allow"}
				if c.refused != "" {
					w = want{status: 403, outcome: "deny", logged: []string{c.refused}}
				}
				w.check(t, h, log, api, c.request)
			}
		})
	}
}

// A TOKEN event names neither route nor anything else, so with rules about these no answer would be right.
func TestTokenEventsAreFaultsIfRulesReadTheRequest(t *testing.T) {
	t.Parallel()
	h, log := handler(accepts(nil), apigwtest.REST) // with the policy of the others
	want{status: 500, outcome: "fault", logged: []string{"make it one of type REQUEST"}}.check(t, h, log, apigwtest.RESTToken, get("/documents", "t"))
}

// Public case 23, and what is accepted from where.
func TestCredentials(t *testing.T) {
	t.Parallel()
	everywhere := "header:Authorization,header:X-Token,query:token,cookie:session,subprotocol"
	header := func(name string, values ...string) apigwtest.Request {
		return with(get("", ""), func(r *apigwtest.Request) { r.Header = http.Header{name: values} })
	}
	for _, c := range []struct {
		name    string
		request apigwtest.Request
		sources string
		token   string // empty if refused
		logged  string
		not     apigwtest.API // which tells it otherwise
	}{
		{name: "Bearer", request: header("Authorization", "Bearer t"), token: "t"},
		{name: "bearer", request: header("Authorization", "bearer t"), token: "t"},
		{name: "BEARER and blanks", request: header("Authorization", "BEARER   t "), token: "t"},
		{name: "a bare token", request: header("Authorization", "t"), token: "t"},
		{name: "a token that begins like a scheme", request: header("Authorization", "BearerToken"), token: "BearerToken"},
		{name: "a tab after the scheme", request: header("Authorization", "Bearer\tt"), token: "t"},
		{name: "a bare token after blanks", request: header("Authorization", "  t"), token: "t"},
		{name: "a header name in lower case", request: header("authorization", "Bearer t"), token: "t", not: apigwtest.RESTToken},
		{name: "a header name in upper case", request: header("AUTHORIZATION", "Bearer t"), token: "t", not: apigwtest.RESTToken},
		{name: "a scheme alone", request: header("Authorization", "Bearer"), logged: "no token"},
		{name: "a scheme and a blank", request: header("Authorization", "Bearer "), logged: "no token"},
		{name: "a blank", request: header("Authorization", " "), logged: "is empty"},
		{name: "nothing", request: header("Authorization", ""), logged: "is empty"},
		{name: "Basic", request: header("Authorization", "Basic dTpw"), logged: "another scheme"},
		{name: "Token", request: header("Authorization", "Token t"), logged: "another scheme"},
		{name: "two tokens", request: header("Authorization", "Bearer t u"), logged: "several tokens"},
		{name: "two schemes", request: header("Authorization", "Bearer Bearer t"), logged: "several tokens"},
		{name: "a list", request: header("Authorization", "Bearer t, Bearer u"), logged: "several values"},
		{name: "a list without blanks", request: header("Authorization", "Bearer t,u"), logged: "several values"},
		{name: "a list of bare tokens", request: header("Authorization", "t,u"), logged: "several values"},
		{name: "the header twice", request: header("Authorization", "Bearer t", "Bearer u"), logged: "several values", not: apigwtest.RESTToken},
		{name: "the header twice, once empty", request: header("Authorization", "", "Bearer u"), logged: "several values", not: apigwtest.RESTToken},
		{name: "the header in two spellings", request: with(header("Authorization", "Bearer t"), func(r *apigwtest.Request) { r.Header["authorization"] = []string{"Bearer u"} }),
			logged: "several values", not: apigwtest.RESTToken},

		{name: "another header", request: header("x-toKen", "t"), sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "a query parameter", request: apigwtest.Request{Query: url.Values{"token": {"t"}}}, sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "a query parameter with a scheme", request: apigwtest.Request{Query: url.Values{"token": {"Bearer t"}}}, sources: everywhere, logged: "query:token has several tokens", not: apigwtest.RESTToken},
		{name: "a query parameter twice", request: apigwtest.Request{Query: url.Values{"token": {"t", "t"}}}, sources: everywhere, logged: "query:token has several values", not: apigwtest.RESTToken},
		{name: "a query parameter in another case", request: apigwtest.Request{Query: url.Values{"Token": {"t"}}}, sources: everywhere, logged: "no token in [header:Authorization header:X-Token query:token cookie:session subprotocol]", not: apigwtest.RESTToken},
		{name: "a cookie", request: header("Cookie", "a=b; session=t; c"), sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "cookies in several headers, as HTTP/2 has them", request: header("Cookie", "a=b", "session=t"), sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "a cookie twice", request: header("Cookie", "session=t; session=u"), sources: everywhere, logged: "cookie:session has several values", not: apigwtest.RESTToken},
		{name: "an empty cookie", request: header("Cookie", "session="), sources: everywhere, logged: "cookie:session is empty", not: apigwtest.RESTToken},
		{name: "a sub-protocol", request: header("Sec-WebSocket-Protocol", "documents.v1, bearer.t"), sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "a sub-protocol in a header of its own", request: header("Sec-WebSocket-Protocol", "documents.v1", "bearer.t"), sources: everywhere, token: "t", not: apigwtest.RESTToken},
		{name: "two sub-protocols", request: header("Sec-WebSocket-Protocol", "bearer.t,bearer.u"), sources: everywhere, logged: "subprotocol has several values", not: apigwtest.RESTToken},
		{name: "an empty sub-protocol", request: header("Sec-WebSocket-Protocol", "bearer."), sources: everywhere, logged: "subprotocol is empty", not: apigwtest.RESTToken},
		{name: "two places", request: with(header("Authorization", "Bearer t"), func(r *apigwtest.Request) { r.Query = url.Values{"token": {"t"}} }),
			sources: everywhere, logged: "tokens in more than one of", not: apigwtest.RESTToken},
		{name: "a place that counts although it is empty", request: with(header("Authorization", ""), func(r *apigwtest.Request) { r.Query = url.Values{"token": {"t"}} }),
			sources: everywhere, logged: "tokens in more than one of", not: apigwtest.RESTToken},

		{name: "a query parameter that nobody asked for", request: apigwtest.Request{Query: url.Values{"token": {"t"}}}, logged: "no token in [header:Authorization]", not: apigwtest.RESTToken},
		{name: "a cookie that nobody asked for", request: header("Cookie", "Authorization=t"), logged: "no token in", not: apigwtest.RESTToken},
		{name: "a sub-protocol that nobody asked for", request: header("Sec-WebSocket-Protocol", "bearer.t"), logged: "no token in", not: apigwtest.RESTToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, api := range apigwtest.APIs {
				if api == c.not {
					continue
				}
				asked := ""
				h, log := handler(verifier(func(_ context.Context, raw string) (*token.Token, error) {
					asked = raw
					return &token.Token{Claims: map[string]any{"client_id": "c", "scope": "documents/read"}}, nil
				}), apigwtest.RESTToken)
				h.InvalidToken = apigw.Unauthorized
				if c.sources != "" {
					var err error
					if h.Sources, err = apigw.ParseSources(c.sources); err != nil {
						t.Fatal(err)
					}
				}
				r := with(c.request, func(r *apigwtest.Request) { r.Method, r.Resource, r.Path = "GET", "/d", "/d" })
				w := want{status: 200, outcome: "allow", hidden: []string{"dTpw"}}
				if c.token == "" {
					w = want{status: 401, outcome: "invalid token", logged: []string{c.logged}, hidden: []string{"dTpw"}}
				}
				w.check(t, h, log, api, r)
				if asked != c.token {
					t.Errorf("%s: the verifier got %q, want %q", api, asked, c.token)
				}
			}
		})
	}
}

func TestParseSources(t *testing.T) {
	t.Parallel()
	got, err := apigw.ParseSources("header:Authorization, query:token,cookie:a:b,subprotocol")
	if want := []apigw.Source{{apigw.Header, "Authorization"}, {apigw.Query, "token"}, {apigw.Cookie, "a:b"}, {In: apigw.Subprotocol}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for text, want := range map[string]string{
		"":                        `apigw: "" is no source of tokens; allowed are header:<name>, query:<name>, cookie:<name> and subprotocol`,
		"header":                  `apigw: "header" is no source`,
		"Header:x":                `apigw: "Header:x" is no source`,
		"query:a,":                `apigw: "" is no source`,
		"subprotocol:x":           `apigw: "subprotocol:x" is no source`,
		"body:x":                  `apigw: "body:x" is no source`,
		"query:token,query:token": `apigw: the source of tokens "query:token" is listed twice`,
	} {
		if got, err := apigw.ParseSources(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
}

// A bad token on an HTTP API: both answers in both forms.
func TestAnswersToAnInvalidToken(t *testing.T) {
	t.Parallel()
	rejected := verifier(func(context.Context, string) (*token.Token, error) {
		return nil, &token.RejectedError{Reason: "exp: expired"}
	})
	for _, response := range []apigw.Response{"", apigw.Simple, apigw.IAMPolicy} {
		for answer, status := range map[apigw.InvalidToken]int{"": 403, apigw.Forbidden: 403, apigw.Unauthorized: 401} {
			h, log := handler(rejected, apigwtest.HTTP2)
			h.InvalidToken, h.Response = answer, response
			want{status: status, outcome: "invalid token", logged: []string{"exp: expired"}}.check(t, h, log, apigwtest.HTTP2, get("/documents", "t"))
		}
	}
}

// Public case 19: what cannot be decided is an error, and no other text than "Unauthorized" is 401.
func TestFaults(t *testing.T) {
	t.Parallel()
	rest := func(change func(map[string]any)) []byte {
		var e map[string]any
		if err := json.Unmarshal(get("/documents", "secret").Event(apigwtest.REST), &e); err != nil {
			panic(err)
		}
		change(e)
		data, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		return data
	}
	set := func(name string, value any) []byte {
		return rest(func(e map[string]any) { e[name] = value })
	}
	for name, c := range map[string]struct {
		verify verifier
		event  []byte
		logged string
	}{
		"keys are unreachable": {func(context.Context, string) (*token.Token, error) { return nil, errors.New("keys unreachable") }, rest(func(map[string]any) {}), "keys unreachable"},
		"the verifier panics":  {func(context.Context, string) (*token.Token, error) { panic("secret") }, rest(func(map[string]any) {}), "panic of type string"},
		"no JSON":              {nil, []byte(`{"version": "2.0", "headers": {"authorization": "secret"`), "is not JSON"},
		"trailing data":        {nil, append(rest(func(map[string]any) {}), '{'), "is not JSON"},
		"a token that is none": {nil, []byte(`{"type": "TOKEN", "methodArn": "arn:x", "authorizationToken": ["secret"]}`), "has a value of another type than expected, at byte"},
		"no Unicode":           {nil, []byte("{\"secret\": \"\xff\"}"), "is not UTF-8"},
		"a list":               {nil, []byte(`["secret"]`), "has a value of another type than expected, at byte"},
		"an unknown format":    {nil, set("version", "3.0"), `has version \"3.0\" and type \"REQUEST\"`},
		"an unknown type":      {nil, set("type", "RESPONSE"), `has version \"\" and type \"RESPONSE\"`},
		"another event":        {nil, []byte(`{"Records": ["secret"]}`), "no authorizer request"},
		"the event of a function behind an HTTP API": {nil, []byte(`{"version": "2.0", "routeKey": "GET /", "headers": {"authorization": "secret"}}`), "no authorizer request"},
		"no method":                      {nil, set("httpMethod", nil), "does not name its route"},
		"no resource":                    {nil, set("resource", ""), "does not name its route"},
		"no ARN":                         {nil, set("methodArn", nil), "does not name the ARN"},
		"an ARN that is none":            {nil, set("methodArn", "*"), "does not name the ARN"},
		"a method of another type":       {nil, set("httpMethod", 1), "has a value of another type than expected, at byte"},
		"headers of another type":        {nil, set("multiValueHeaders", "secret"), "has a value of another type than expected, at byte"},
		"a header of another type":       {nil, []byte(`{"headers": {"x": ["secret"]}}`), "has a value of another type than expected, at byte"},
		"a parameter of another type":    {nil, []byte(`{"queryStringParameters": {"x": ["secret"]}}`), "has a value of another type than expected, at byte"},
		"values of another type":         {nil, set("multiValueHeaders", map[string]any{"x": "secret"}), "has a value of another type than expected, at byte"},
		"a value of another type":        {nil, set("multiValueHeaders", map[string]any{"x": []any{1}}), "has a value of another type than expected, at byte"},
		"parameters of another type":     {nil, set("pathParameters", map[string]any{"x": 1}), "has a value of another type than expected, at byte"},
		"a request context of its own":   {nil, set("requestContext", "secret"), "has a value of another type than expected, at byte"},
		"an identity of another type":    {nil, set("requestContext", map[string]any{"identity": 1}), "has a value of another type than expected, at byte"},
		"an address of another type":     {nil, set("requestContext", map[string]any{"identity": map[string]any{"sourceIp": 1}}), "has a value of another type than expected, at byte"},
		"claims that are no JSON at all": {accepts(map[string]any{"client_id": "c", "scope": "documents/read", "company_id": func() {}}), rest(func(map[string]any) {}), "unsupported type"},
		"an answer too large":            {accepts(map[string]any{"client_id": strings.Repeat("c", 9000), "scope": "documents/read"}), rest(func(map[string]any) {}), "too large even without claims"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, log := handler(c.verify, apigwtest.REST)
			response, err := h.Invoke(t.Context(), c.event)
			if response != nil || err == nil || err.Error() != "the authorizer cannot decide now" {
				t.Errorf("got %s, %v", response, err)
			}
			for _, text := range []string{`"outcome":"fault"`, `"level":"ERROR"`, c.logged} {
				if !strings.Contains(log.String(), text) {
					t.Errorf("the log lacks %s: %s", text, log)
				}
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the log has a secret: %s", log)
			}
		})
	}
}

// What is null or absent in an event is empty.
func TestSparseEvents(t *testing.T) {
	t.Parallel()
	for _, e := range []string{
		`{"version": "2.0", "type": "REQUEST", "routeArn": "arn:x", "routeKey": "GET /d", "headers": {"authorization": "t"}, "cookies": null, "pathParameters": {"a": null}, "queryStringParameters": null}`,
		`{"type": "REQUEST", "methodArn": "arn:x", "resource": "/d", "httpMethod": "GET", "multiValueHeaders": {"Authorization": ["t"]}, "headers": null}`,
		`{"type": "REQUEST", "methodArn": "arn:x", "resource": "/d", "httpMethod": "GET", "headers": {"Authorization": "t"}}`,
		`{"type": "TOKEN", "methodArn": "arn:x", "authorizationToken": "t"}`,
	} {
		h, log := handler(accepts(map[string]any{"client_id": "c", "scope": "documents/read"}), apigwtest.RESTToken)
		if response, err := h.Invoke(t.Context(), []byte(e)); err != nil || !strings.Contains(log.String(), `"outcome":"allow"`) {
			t.Errorf("%s: got %s, %v", e, response, err)
		}
	}
}

// An Allow must permit nothing but what was decided, whatever path the client asks for.
func TestPoliciesNameOneMethod(t *testing.T) {
	t.Parallel()
	long := func(arn int) string { // a path that makes the ARN so long
		r := apigwtest.Request{Method: "GET", Path: "/"}
		return r.Path + strings.Repeat("x", arn-len(r.ARN(apigwtest.REST)))
	}
	for _, c := range []struct {
		name, path string
		refused    bool
	}{
		{"a path", "/documents/7", false},
		{"a path with a dollar sign and braces", "/documents/$metadata{x}", false},
		{"a path with encoded wildcards", "/documents/%2A%3F", false},
		{"a path as long as may be", long(512), false},
		{"a path too long", long(513), true},
		{"any text", "/documents/*", true},
		{"any character", "/documents/?", true},
		{"a variable", "/documents/${aws:username}", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST, apigwtest.RESTToken} {
				h, log := handler(accepts(map[string]any{"sub": "user", "client_id": "c", "scope": "documents/read"}), api)
				h.Response = apigw.IAMPolicy
				r := get("/{proxy+}", "t")
				r.Path = c.path
				w := want{status: 200, outcome: "allow"}
				if c.refused {
					w = want{status: 403, outcome: "deny", logged: []string{"a policy cannot name the method exactly"}}
				}
				w.check(t, h, log, api, r)

				response, err := h.Invoke(t.Context(), r.Event(api))
				var answer struct{ PolicyDocument apigwtest.Policy }
				if err != nil || json.Unmarshal(response, &answer) != nil {
					t.Fatalf("%s: got %s, %v", api, response, err)
				}
				other := r
				for _, path := range []string{"/", "/documents/", "/documents/8", "/documents/7/x", "/documents/*/x"} {
					if other.Path = path; answer.PolicyDocument.Allows(other.ARN(api)) {
						t.Errorf("%s: the policy allows %s too: %s", api, path, response)
					}
				}
				if other = r; !c.refused {
					other.Method = "DELETE"
					if answer.PolicyDocument.Allows(other.ARN(api)) {
						t.Errorf("%s: the policy allows another method: %s", api, response)
					}
				}
			}
		})
	}
	t.Run("HTTP APIs with simple responses have no policy to widen", func(t *testing.T) {
		t.Parallel()
		h, log := handler(accepts(map[string]any{"client_id": "c", "scope": "documents/read"}), apigwtest.HTTP2)
		want{status: 200, outcome: "allow"}.check(t, h, log, apigwtest.HTTP2, with(get("/{proxy+}", "t"), func(r *apigwtest.Request) { r.Path = "/*" }))
	})
}

func TestExactAnswers(t *testing.T) {
	t.Parallel()
	const (
		arn  = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/documents"
		deny = `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Deny","Resource":"` + arn + `"}]}`
	)
	for _, c := range []struct {
		name   string
		api    apigwtest.API
		claims map[string]any
		set    func(*apigw.Handler)
		want   string
	}{
		{"a simple response", apigwtest.HTTP2, map[string]any{"sub": "user", "scope": "documents/read"}, nil,
			`{"isAuthorized":true,"context":{"claims":{"groups":[],"scopes":["documents/read"],"sub":"user"}}}`},
		{"a simple refusal", apigwtest.HTTP2, map[string]any{"sub": "user"}, nil, `{"isAuthorized":false}`},
		{"a policy", apigwtest.REST, map[string]any{"sub": "user", "scope": "documents/read"}, nil,
			strings.Replace(strings.TrimSuffix(deny, "}"), "Deny", "Allow", 1) + `},"context":{"claims":"{\"sub\":\"user\",\"scopes\":[\"documents/read\"],\"groups\":[]}"}}`},
		{"a policy that denies", apigwtest.REST, map[string]any{"sub": "user"}, nil, deny + "}"},
		{"the client as the principal of a machine's token", apigwtest.REST, map[string]any{"client_id": "m2m"}, nil, strings.Replace(deny, "user", "m2m", 1) + "}"},
		{"what to put into WWW-Authenticate", apigwtest.REST, map[string]any{"sub": "user"}, func(h *apigw.Handler) { h.WWWAuthenticate = true },
			deny + `,"context":{"wwwAuthenticate":"Bearer error=\"insufficient_scope\""}}`},
		{"the same in a simple refusal", apigwtest.HTTP2, map[string]any{"sub": "user"}, func(h *apigw.Handler) { h.WWWAuthenticate = true },
			`{"isAuthorized":false,"context":{"wwwAuthenticate":"Bearer error=\"insufficient_scope\""}}`},
		{"the same for an invalid token", apigwtest.HTTP2, nil, func(h *apigw.Handler) {
			h.WWWAuthenticate, h.Verifier = true, verifier(func(context.Context, string) (*token.Token, error) { return nil, &token.RejectedError{} })
		}, `{"isAuthorized":false,"context":{"wwwAuthenticate":"Bearer error=\"invalid_token\""}}`},
		{"the same without a token", apigwtest.HTTP2, nil, func(h *apigw.Handler) { h.WWWAuthenticate, h.Sources = true, []apigw.Source{{apigw.Query, "token"}} },
			`{"isAuthorized":false,"context":{"wwwAuthenticate":"Bearer"}}`},
		{"an invalid token in a policy", apigwtest.HTTP1, nil, func(h *apigw.Handler) {
			h.Verifier = verifier(func(context.Context, string) (*token.Token, error) { return nil, &token.RejectedError{} })
		}, strings.Replace(deny, "user", "unverified", 1) + "}"},
		{"chosen claims", apigwtest.HTTP2, map[string]any{"sub": "user", "scope": "documents/read", "jti": "j", "username": "u", "company_id": "acme", "cognito:groups": []any{"g"}},
			func(h *apigw.Handler) { h.Checker, _ = rulesProgram().Checker("Chosen") },
			`{"isAuthorized":true,"context":{"claims":{"jti":"j","scopes":["documents/read"],"sub":"user","username":"u"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, _ := handler(accepts(c.claims), c.api)
			if c.set != nil {
				c.set(h)
			}
			got, err := h.Invoke(t.Context(), get("/documents", "t").Event(c.api))
			var gotValue, wantValue any
			if json.Unmarshal([]byte(c.want), &wantValue) != nil || json.Unmarshal(got, &gotValue) != nil {
				t.Fatalf("got %s, %v", got, err)
			}
			if err != nil || !reflect.DeepEqual(gotValue, wantValue) {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

// Public cases 20 (the context of a REST API takes scalars only) and 35 (a machine has no user).
func TestTheBackendGetsTheClaims(t *testing.T) {
	t.Parallel()
	user := map[string]any{
		"sub": "user-1", "client_id": "web", "scope": "documents/read documents/write", "cognito:groups": []any{"owners"}, "username": "u",
		"company_id": "acme", "big": json.Number("9007199254740993"), "https://example.com/plan": map[string]any{"tier": "pro"}, "jti": "j",
	}
	for name, c := range map[string]struct{ token, want map[string]any }{
		"a user": {user, map[string]any{
			"sub": "user-1", "client_id": "web", "scopes": []any{"documents/read", "documents/write"}, "groups": []any{"owners"},
			"company_id": "acme", "big": json.Number("9007199254740993"), "https://example.com/plan": map[string]any{"tier": "pro"},
		}},
		"a machine": {map[string]any{"client_id": "m2m", "scope": "documents/read"},
			map[string]any{"client_id": "m2m", "scopes": []any{"documents/read"}, "groups": []any{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, api := range apigwtest.APIs {
				h, log := handler(accepts(c.token), api)
				r := get("/documents", "t")
				outcome := want{status: 200, outcome: "allow", hidden: []string{"user-1", "acme", "owners", "m2m"}}.check(t, h, log, api, r)
				var got map[string]any
				if err := backend.FromEvent(r.BackendEvent(api, outcome), &got); err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("%s: claims\n got %v, %v\nwant %v", api, got, err, c.want)
				}
			}
		})
	}
}

func TestClaimsThatDoNotFitAreLeftOutAndMissed(t *testing.T) {
	t.Parallel()
	groups := make([]any, 100)
	for i := range groups {
		groups[i] = fmt.Sprintf("group-%02d-%s", i, strings.Repeat("g", 50))
	}
	claims := map[string]any{
		"sub": "user-1", "client_id": "web", "scope": "documents/read", "cognito:groups": groups, "company_id": strings.Repeat("a", 7000), "big": json.Number("1"),
	}
	for _, api := range apigwtest.APIs {
		h, log := handler(accepts(claims), api)
		r := get("/documents", "t")
		outcome := want{status: 200, outcome: "allow", logged: []string{`"level":"WARN"`, `"claims":["company_id"]`}, hidden: []string{"aaaa", "gggg"}}.check(t, h, log, api, r)
		var got map[string]any
		err := backend.FromEvent(r.BackendEvent(api, outcome), &got)
		incomplete, ok := errors.AsType[*backend.IncompleteError](err)
		if !ok || !slices.Equal(incomplete.Omitted, []string{"company_id"}) {
			t.Errorf("%s: got %v", api, err)
		}
		if got["sub"] != "user-1" || len(got["groups"].([]any)) != 100 || got["company_id"] != nil {
			t.Errorf("%s: got %v", api, got)
		}
	}
	// The rest of what is too large goes too.
	claims["big"] = strings.Repeat("b", 6000)
	h, log := handler(accepts(claims), apigwtest.REST)
	want{status: 200, outcome: "allow", logged: []string{`"claims":["company_id","groups"]`}}.check(t, h, log, apigwtest.REST, get("/documents", "t"))
}

// Public cases 16 (a cached Allow must not break the second route) and 17 (nor be replayed on a stricter one), with the
// identity sources that tell requests apart as policies do.
func TestCachedAnswers(t *testing.T) {
	t.Parallel()
	for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST} {
		asked := 0
		h, _ := handler(verifier(func(context.Context, string) (*token.Token, error) {
			asked++
			return &token.Token{Claims: map[string]any{"client_id": "c", "scope": "documents/read"}}, nil
		}), api)
		g := &apigwtest.Gateway{API: api, Authorize: h.Invoke, Sources: func(r apigwtest.Request) []string {
			sources := []string{r.Header.Get("Authorization"), r.RouteKey()}
			if api != apigwtest.HTTP2 {
				sources = append(sources, r.Method, r.Path)
			}
			return sources
		}}
		for _, step := range []struct {
			resource      string
			status, asked int
		}{
			{"/documents", 200, 1}, {"/companies", 200, 2}, {"/any", 403, 3}, {"/documents", 200, 3}, {"/any", 403, 3},
		} {
			r := get(step.resource, "t")
			r.AnyMethod = step.resource == "/any"
			if got := g.Do(t.Context(), r); got.Status != step.status || asked != step.asked {
				t.Errorf("%s %s: status %d after %d questions, want %d after %d", api, step.resource, got.Status, asked, step.status, step.asked)
			}
		}
	}
}

// While keys rotate, a token whose key stays is always allowed; one with a new key is allowed or, if its key came to light
// in the middle of a fetch, cannot be decided about. It is never refused.
func TestConcurrentDecisionsWhileKeysRotate(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)
	v, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	steady := pool.AccessToken(map[string]any{"scope": "documents/read"})
	foreign := pool.AccessToken(map[string]any{"client_id": "another"})
	halfway := make(chan struct{})
	var group, arrived sync.WaitGroup
	for i := range 64 {
		api := apigwtest.APIs[i%len(apigwtest.APIs)]
		refused := http.StatusUnauthorized
		if api == apigwtest.HTTP2 || api == apigwtest.HTTP1 {
			refused = http.StatusForbidden
		}
		h, _ := handler(v, api)
		h.Logger = slog.New(slog.DiscardHandler)
		decide := func(raw string, statuses ...int) {
			r := get("/documents", raw)
			response, err := h.Invoke(t.Context(), r.Event(api))
			if got := r.Outcome(api, response, err); !slices.Contains(statuses, got.Status) {
				t.Errorf("%s: status %d, want one of %v", api, got.Status, statuses)
			}
		}
		arrived.Add(1)
		group.Go(func() {
			decide(steady, http.StatusOK)
			decide(foreign, refused)
			arrived.Done()
			for range 4 {
				decide(steady, http.StatusOK)
				decide(pool.AccessToken(map[string]any{"scope": "documents/read", "n": i}), http.StatusOK, http.StatusInternalServerError)
				decide(foreign, refused)
			}
			<-halfway
		})
	}
	arrived.Wait()
	pool.Rotate()
	close(halfway)
	group.Wait()
}

func FuzzHTTP2(f *testing.F)     { fuzz(f, apigwtest.HTTP2) }
func FuzzHTTP1(f *testing.F)     { fuzz(f, apigwtest.HTTP1) }
func FuzzREST(f *testing.F)      { fuzz(f, apigwtest.REST) }
func FuzzRESTToken(f *testing.F) { fuzz(f, apigwtest.RESTToken) }
func FuzzWebSocket(f *testing.F) { fuzz(f, apigwtest.WebSocket) }

// fuzz looks for a panic, an answer that is none, and an Allow for whom or for what there should be none.
func fuzz(f *testing.F, api apigwtest.API) {
	pool := tokentest.NewPool()
	v := realVerifier(pool)
	raw := pool.AccessToken(map[string]any{"scope": "documents/read"})
	f.Add(get("/documents", raw).Event(api))
	f.Add(get("/any", "Basic x").Event(api))
	f.Add(with(get("/documents/{id}", ""), func(r *apigwtest.Request) {
		r.Path, r.PathParameters = "/documents/*", map[string]string{"id": "*"}
		r.Header = http.Header{"Cookie": {"session=" + raw, "a=b"}, "Sec-WebSocket-Protocol": {"v1, bearer." + raw}}
		r.Query = url.Values{"token": {raw, ""}}
	}).Event(api))
	sources, err := apigw.ParseSources("header:Authorization,query:token,cookie:session,subprotocol")
	if err != nil {
		f.Fatal(err)
	}
	h, _ := handler(v, api)
	h.Logger, h.Sources = slog.New(slog.DiscardHandler), sources
	f.Fuzz(func(t *testing.T, e []byte) {
		response, err := h.Invoke(t.Context(), e)
		if (response == nil) == (err == nil) {
			t.Fatalf("response %s, error %v", response, err)
		}
		if err != nil {
			return
		}
		// Nobody gets in without a token that is in the event.
		var answer struct {
			IsAuthorized   bool
			PolicyDocument struct {
				Statement []struct{ Effect, Resource string }
			}
		}
		if err := json.Unmarshal(response, &answer); err != nil {
			t.Fatal(err)
		}
		allowed := answer.IsAuthorized
		for _, s := range answer.PolicyDocument.Statement {
			if s.Effect == "Allow" {
				if allowed = true; strings.ContainsAny(s.Resource, "*?") || strings.Contains(s.Resource, "${") || len(s.Resource) > 512 {
					t.Fatalf("a policy for %q", s.Resource)
				}
			}
		}
		if allowed && bytes.Count(e, []byte(".")) < 2 {
			t.Fatalf("allowed: %s", e)
		}
	})
}

// The same beside bare RSA and other libraries is in tools/bench.
func BenchmarkInvoke(b *testing.B) {
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	defer server.Close()
	v, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	for _, api := range apigwtest.APIs {
		events := make([][]byte, 600) // with more tokens than are remembered
		for i := range events {
			events[i] = get("/documents", pool.AccessToken(map[string]any{"scope": "documents/read", "company_id": "acme", "n": i})).Event(api)
		}
		h, _ := handler(v, api)
		h.Logger = slog.New(slog.NewJSONHandler(discard{}, nil))
		for name, events := range map[string][][]byte{"first seen": events, "again": events[:1]} {
			b.Run(string(api)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if _, err := h.Invoke(b.Context(), events[i%len(events)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// discard takes a log that costs what a log costs, unlike slog.DiscardHandler.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
