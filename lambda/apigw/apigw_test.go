package apigw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

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
`

// verifier is a Verifier made of a function.
type verifier func(ctx context.Context, raw string) (*token.Token, error)

func (v verifier) Verify(ctx context.Context, raw string) (*token.Token, error) { return v(ctx, raw) }

func handler(t testing.TB, v Verifier, log *bytes.Buffer) *Handler {
	t.Helper()
	p, err := policy.Parse("claims.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	program, err := policy.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	checker, _ := program.Checker("Documents")
	return &Handler{Verifier: v, Program: program, Checker: checker, Logger: slog.New(slog.NewJSONHandler(log, nil))}
}

// event is an authorizer request as AWS documents it.
type event struct {
	authorization string
	route         string
	parameters    map[string]string
	headers       map[string]string
	query         map[string]string
}

func (e event) json(t testing.TB) []byte {
	t.Helper()
	headers := map[string]string{"accept": "*/*"}
	for name, value := range e.headers {
		headers[name] = value
	}
	if e.authorization != "" {
		headers["Authorization"] = e.authorization
	}
	method, path, _ := strings.Cut(e.route, " ")
	data, err := json.Marshal(map[string]any{
		"version": "2.0", "type": "REQUEST", "routeArn": "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test" + path,
		"identitySource": []string{e.authorization}, "routeKey": e.route, "rawPath": path, "rawQueryString": "", "cookies": []string{"a=b"},
		"headers": headers, "queryStringParameters": e.query, "pathParameters": e.parameters, "stageVariables": map[string]string{},
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "api", "stage": "$default", "requestId": "id", "routeKey": e.route, "timeEpoch": 1583348638390,
			"http": map[string]string{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "agent"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// want is an outcome.
type want struct {
	allowed bool
	err     string   // the error API Gateway sees
	outcome string   // in the log
	logged  []string // what else the log has
}

func (w want) check(t *testing.T, h *Handler, log *bytes.Buffer, e []byte, secrets ...string) map[string]any {
	t.Helper()
	response, err := h.Invoke(t.Context(), e)
	var got struct {
		IsAuthorized bool
		Context      map[string]any
	}
	switch {
	case w.err != "":
		if err == nil || err.Error() != w.err || response != nil {
			t.Errorf("got %s, %v, want the error %q", response, err, w.err)
		}
	case err != nil:
		t.Errorf("got the error %v", err)
	default:
		d := json.NewDecoder(bytes.NewReader(response))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
	}
	if got.IsAuthorized != w.allowed {
		t.Errorf("authorized %v, want %v: %s", got.IsAuthorized, w.allowed, log)
	}
	if !got.IsAuthorized && got.Context != nil {
		t.Errorf("a refusal has the context %v", got.Context)
	}
	for _, text := range append(w.logged, `"outcome":"`+w.outcome+`"`) {
		if !strings.Contains(log.String(), text) {
			t.Errorf("the log lacks %q: %s", text, log)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, log)
		}
	}
	return got.Context
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	v, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	acme := pool.AccessToken(map[string]any{"scope": "documents/read", "company_id": "acme"})
	audit := event{
		authorization: "Bearer " + acme, route: "GET /companies/{companyId}/audit", parameters: map[string]string{"companyId": "acme"},
		headers: map[string]string{"X-Reason": "audit"}, query: map[string]string{"year": "2026"},
	}
	foreign, unreasoned := audit, audit
	foreign.parameters = map[string]string{"companyId": "globex"}
	unreasoned.headers = nil
	tampered := acme[:len(acme)/2] + "A" + acme[len(acme)/2+1:]

	for _, c := range []struct {
		name  string
		event event
		want  want
	}{
		{"a token that meets the default rules", event{authorization: "Bearer " + acme, route: "GET /documents"}, want{allowed: true, outcome: "allow", logged: []string{`"route":"GET /documents"`, `"keyId":"` + pool.KeyID()}}},
		{"a token that meets the route's rules", audit, want{allowed: true, outcome: "allow"}},
		{"another company", foreign, want{outcome: "deny", logged: []string{"token belongs to another company"}}},
		{"a header that is missing", unreasoned, want{outcome: "deny", logged: []string{"needs a reason (no such key)"}}},
		{"without the scope", event{authorization: "Bearer " + pool.AccessToken(map[string]any{"scope": "openid"}), route: "GET /documents"}, want{outcome: "deny", logged: []string{"needs scope documents/read", "authorizers.Documents.default[0]"}}},
		{"an ID token", event{authorization: "Bearer " + pool.AccessToken(map[string]any{"token_use": "id"}), route: "GET /documents"}, want{outcome: "invalid token", logged: []string{"token_use"}}},
		{"an expired token", event{authorization: "Bearer " + pool.AccessToken(map[string]any{"exp": pool.Now().Unix()}), route: "GET /documents"}, want{outcome: "invalid token", logged: []string{"expired"}}},
		{"a tampered token", event{authorization: "Bearer " + tampered, route: "GET /documents"}, want{outcome: "invalid token"}},
		{"a token not yet valid is a fault, since the next moment may change it", event{authorization: "Bearer " + pool.AccessToken(map[string]any{"nbf": pool.Now().Unix() + 600}), route: "GET /documents"}, want{err: "the authorizer cannot decide now", outcome: "fault"}},
		{"no token", event{route: "GET /documents"}, want{outcome: "invalid token", logged: []string{"empty"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c.want.check(t, handler(t, v, &log), &log, c.event.json(t), "acme", "globex", acme, acme[len(acme)-20:])
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, raw, logged string }{
		{"Bearer t", "t", ""},
		{"bearer t", "t", ""},
		{"BEARER   t ", "t", ""},
		{"t", "t", ""},
		{"  t", "t", ""},
		{"Bearer", "", "no token"},
		{"Bearer ", "", "no token"},
		{" ", "", "empty"},
		{"Basic dTpw", "", "another scheme"},
		{"Token t", "", "another scheme"},
		{"Bearer t u", "", "several tokens"},
		{"Bearer Bearer t", "", "several tokens"},
		{"Bearer t, Bearer u", "", "several values"},
		{"Bearer t,u", "", "several values"},
		{"t,u", "", "several values"},
	} {
		t.Run(c.header, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			asked := ""
			h := handler(t, verifier(func(_ context.Context, raw string) (*token.Token, error) {
				asked = raw
				return &token.Token{Claims: map[string]any{"scope": "documents/read"}}, nil
			}), &log)
			w := want{allowed: c.raw != "", outcome: "allow"}
			if c.raw == "" {
				w = want{outcome: "invalid token", logged: []string{c.logged}}
			}
			w.check(t, h, &log, event{authorization: c.header, route: "GET /documents"}.json(t), "dTpw")
			if asked != c.raw {
				t.Errorf("the verifier got %q, want %q", asked, c.raw)
			}
		})
	}
}

func TestTheTokenMayBeTheIdentitySourceAlone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, verifier(func(_ context.Context, raw string) (*token.Token, error) {
		return &token.Token{Claims: map[string]any{"scope": "documents/read"}}, nil
	}), &log)
	want{allowed: true, outcome: "allow"}.check(t, h, &log, []byte(`{"version": "2.0", "identitySource": ["Bearer t", "GET /a"], "routeKey": "GET /a"}`))
}

func TestAnswersToAnInvalidToken(t *testing.T) {
	t.Parallel()
	rejected := verifier(func(context.Context, string) (*token.Token, error) {
		return nil, &token.RejectedError{Reason: "exp: expired"}
	})
	for answer, w := range map[InvalidToken]want{
		"":           {outcome: "invalid token", logged: []string{"exp: expired"}},
		Forbidden:    {outcome: "invalid token"},
		Unauthorized: {err: "Unauthorized", outcome: "invalid token"},
	} {
		var log bytes.Buffer
		h := handler(t, rejected, &log)
		h.InvalidToken = answer
		w.check(t, h, &log, event{authorization: "Bearer t", route: "GET /documents"}.json(t))
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	good := event{authorization: "Bearer t", route: "GET /documents"}.json(t)
	for name, c := range map[string]struct {
		verify verifier
		event  []byte
	}{
		"keys are unreachable":    {func(context.Context, string) (*token.Token, error) { return nil, errors.New("keys unreachable") }, good},
		"the verifier panics":     {func(context.Context, string) (*token.Token, error) { panic("secret-token") }, good},
		"no JSON":                 {nil, []byte(`{"version": "2.0", "headers": {"authorization": "secret-token"`)},
		"another payload format":  {nil, []byte(`{"version": "1.0", "headers": {"authorization": "secret-token"}}`)},
		"another event":           {nil, []byte(`{"Records": []}`)},
		"headers of another type": {nil, []byte(`{"version": "2.0", "headers": {"authorization": ["secret-token"]}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			want{err: "the authorizer cannot decide now", outcome: "fault"}.check(t, handler(t, c.verify, &log), &log, c.event, "secret-token")
		})
	}
}

func TestTheBackendGetsTheClaims(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	claims := map[string]any{
		"sub": "user-1", "client_id": "web", "scope": "documents/read documents/write", "cognito:groups": []any{"owners"}, "username": "u",
		"company_id": "acme", "big": json.Number("9007199254740993"), "https://example.com/plan": map[string]any{"tier": "pro"}, "jti": "j",
	}
	h := handler(t, verifier(func(context.Context, string) (*token.Token, error) { return &token.Token{Claims: claims}, nil }), &log)
	e := event{authorization: "Bearer t", route: "GET /documents"}.json(t)
	got := want{allowed: true, outcome: "allow"}.check(t, h, &log, e, "user-1", "acme", "owners")
	if want := map[string]any{"claims": map[string]any{
		"sub": "user-1", "client_id": "web", "scopes": []any{"documents/read", "documents/write"}, "groups": []any{"owners"},
		"company_id": "acme", "big": json.Number("9007199254740993"), "https://example.com/plan": map[string]any{"tier": "pro"},
	}}; !reflect.DeepEqual(got, want) {
		t.Errorf("context\n got %v\nwant %v", got, want)
	}

	// A machine's token has neither user nor groups.
	claims = map[string]any{"client_id": "m2m", "scope": "documents/read"}
	got = want{allowed: true, outcome: "allow"}.check(t, h, &log, e)
	if want := map[string]any{"claims": map[string]any{"client_id": "m2m", "scopes": []any{"documents/read"}, "groups": []any{}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("context\n got %v\nwant %v", got, want)
	}
}

func FuzzInvoke(f *testing.F) {
	pool := tokentest.NewPool()
	v, err := token.NewVerifier(pool.Config())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(event{authorization: "Bearer " + pool.AccessToken(map[string]any{"scope": "documents/read"}), route: "GET /documents"}.json(f))
	f.Add(event{authorization: "Basic x", route: "$default"}.json(f))
	f.Add([]byte(`{"version": "2.0", "identitySource": null, "headers": null, "pathParameters": {"a": null}}`))
	h := handler(f, v, &bytes.Buffer{})
	h.Logger = slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, e []byte) {
		response, err := h.Invoke(t.Context(), e)
		if (response == nil) == (err == nil) {
			t.Fatalf("response %s, error %v", response, err)
		}
	})
}
