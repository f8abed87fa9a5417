package apigw_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy/policytest"
	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

const sunset = `
claims: {company_id: {attribute: "custom:company_id", tokens: [access, id]}}
authorizers:
  Documents:
    default: [{rule: "claims.?company_id.orValue('') == 'acme'", message: "acme only"}]
    routes:
      "GET /documents": [{rule: "claims.token_use == 'id' || 'documents/read' in claims.scopes", message: "needs scope documents/read"}]
      "PUT /documents": [{rule: "'documents/write' in claims.scopes"}]
    idTokens: {until: 2027-04-01, routes: [GET /documents]}
`

// The way out of ID tokens: route by route, until a day, under the same rules, and never unnoticed.
func TestIDTokensUntilADay(t *testing.T) {
	t.Parallel()
	checker, _ := compile(sunset).Checker("Documents")
	lastDay, over := time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC), time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	pool := tokentest.NewPool()
	acme := map[string]any{"company_id": "acme"}
	for name, c := range map[string]struct {
		raw    func() string
		method string
		now    time.Time
		want   want
	}{
		"an ID token, in time": {func() string { return pool.IDToken(acme) }, "GET", lastDay,
			want{status: 200, outcome: "allow", logged: []string{`"level":"WARN"`, `"idTokensUntil":"2027-04-01"`}, hidden: []string{"owner@example.com"}}},
		"an ID token that meets no rule": {func() string { return pool.IDToken(map[string]any{"company_id": "globex"}) }, "GET", lastDay,
			want{status: 403, outcome: "deny", logged: []string{`"level":"WARN"`, "acme only", `"idTokensUntil"`}}},
		"an ID token, too late": {func() string { return pool.IDToken(acme) }, "GET", over,
			want{status: 403, outcome: "invalid token", logged: []string{"this is an ID token"}, hidden: []string{"idTokensUntil"}}},
		"an ID token on another route": {func() string { return pool.IDToken(acme) }, "PUT", lastDay,
			want{status: 403, outcome: "invalid token", logged: []string{"this is an ID token"}, hidden: []string{"idTokensUntil"}}},
		"an expired ID token": {func() string { return pool.IDToken(map[string]any{"company_id": "acme", "exp": 1}) }, "GET", lastDay,
			want{status: 403, outcome: "invalid token", logged: []string{"exp: the token has expired"}}},
		"an access token": {func() string { return pool.AccessToken(acme) }, "GET", lastDay,
			want{status: 200, outcome: "allow", logged: []string{`"level":"INFO"`}, hidden: []string{"idTokensUntil"}}},
		"an access token, later": {func() string { return pool.AccessToken(acme) }, "PUT", over,
			want{status: 200, outcome: "allow", hidden: []string{"idTokensUntil"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST} {
				var log bytes.Buffer
				h := &apigw.Handler{
					Verifier: realVerifier(pool), Checker: checker, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
					Now: func() time.Time { return c.now },
				}
				uses := 0
				h.Observe = func(o apigw.Observation) {
					if o.IDToken {
						uses++
					}
				}
				r := get("/documents", c.raw())
				r.Method = c.method
				w := c.want
				if api == apigwtest.REST && w.outcome == "invalid token" {
					w.status = 401
				}
				got := w.check(t, h, &log, api, r)
				if warned := strings.Contains(fmt.Sprint(w.logged), "idTokensUntil"); warned != (uses == 1) {
					t.Errorf("%s: %d uses are counted", api, uses)
				}
				if w.status == 200 && strings.Contains(fmt.Sprint(got.Context), "owner@example.com") {
					t.Errorf("the backend gets an attribute: %s", got.Context)
				}
			}
		})
	}
}

// What tables of policytest and the command say about a token is what the authorizer says.
func TestTablesDecideAboutIDTokensAsTheAuthorizer(t *testing.T) {
	t.Parallel()
	checker, _ := compile(sunset).Checker("Documents")
	pool := tokentest.NewPool()
	acme, globex := map[string]any{"company_id": "acme"}, map[string]any{"company_id": "globex"}
	seen := map[string]int{}
	for _, raw := range []string{pool.IDToken(acme), pool.IDToken(globex), pool.AccessToken(acme), pool.AccessToken(globex)} {
		payload := map[string]any{}
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &payload); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "PUT"} {
			for _, at := range []time.Time{{}, time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC), time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)} {
				var log bytes.Buffer
				h := &apigw.Handler{
					Verifier: realVerifier(pool), Checker: checker, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
					Now: func() time.Time { return at },
				}
				r := get("/documents", raw)
				r.Method = method
				if _, err := h.Invoke(t.Context(), r.Event(apigwtest.HTTP2)); err != nil {
					t.Fatal(err)
				}
				var logged struct {
					Outcome string
					Reasons []program.Reason
				}
				if err := json.Unmarshal(log.Bytes(), &logged); err != nil {
					t.Fatal(err)
				}
				decision, invalid := policytest.Decide(checker, payload, program.Request{RouteKey: method + " /documents", Method: method, Path: "/documents"}, at)
				outcome := "deny"
				switch {
				case invalid:
					outcome = "invalid token"
				case decision.Allowed:
					outcome = "allow"
				}
				if outcome != logged.Outcome || !reflect.DeepEqual(decision.Reasons, logged.Reasons) {
					t.Errorf("%s with %v at %s: %s %v, but the authorizer logs %+v", method, payload, at, outcome, decision.Reasons, logged)
				}
				seen[outcome]++
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("only %v was seen", seen)
	}
}
