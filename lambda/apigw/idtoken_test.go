package apigw_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// The way out of ID tokens: route by route, until a day, under the same rules, and never unnoticed.
func TestIDTokensUntilADay(t *testing.T) {
	t.Parallel()
	checker, _ := compile(`
claims: {company_id: {attribute: "custom:company_id", tokens: [access, id]}}
authorizers:
  Documents:
    default: [{rule: "claims.?company_id.orValue('') == 'acme'", message: "acme only"}]
    routes:
      "GET /documents": [{rule: "claims.token_use == 'id' || 'documents/read' in claims.scopes", message: "needs scope documents/read"}]
      "PUT /documents": [{rule: "'documents/write' in claims.scopes"}]
    idTokens: {until: 2027-04-01, routes: [GET /documents]}
`).Checker("Documents")
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
