package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

const observed = `
lookups:
  tier: {table: subscriptions, key: {pk: "user.attributes.sub"}, type: {plan: string}, onError: omit}
claims:
  plan: {expr: "lookup.?tier.?plan"}
  company: {attribute: "custom:company", required: true}
authorizers:
  Documents:
    default: [{rule: "'documents/read' in claims.scopes || claims.token_use == 'id'"}]
    routes: {"GET /old": [{rule: "true"}]}
    idTokens: {until: 2027-04-01, routes: [GET /old]}
    context: [company]
`

// Every field of every kind of line is in docs/operations.md, and every field there is in a line.
func TestFieldsOfTheLogAreDocumented(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := boot.Logger(&log, "TRACE")
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	compiled := programtest.Compile(t, observed)
	mint := pretoken.Handler{Program: &compiled.Program, Logger: logger, Lookup: func(context.Context, []program.LookupRequest) map[string]program.Found {
		return map[string]program.Found{"tier": {Problem: "throttled"}}
	}}
	for _, event := range []string{
		`{"triggerSource": "TokenGeneration_Authentication", "callerContext": {"clientId": "web"}, "request": {"userAttributes": {"sub": "a", "custom:company": "b"}}}`,
		`{"triggerSource": "TokenGeneration_Authentication", "callerContext": {"clientId": "web"}, "request": {"userAttributes": {"sub": "a"}}}`,
		`{}`,
	} {
		_, _ = mint.Invoke(ctx, []byte(event))
	}

	pool := tokentest.NewPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	checker, _ := compiled.Checker("Documents")
	decide := apigw.Handler{Verifier: verifier, Checker: checker, Logger: logger, Now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }}
	for raw, resource := range map[string]string{
		pool.AccessToken(map[string]any{"company": strings.Repeat("x", 9000)}): "/documents",
		pool.AccessToken(map[string]any{"scope": "openid"}):                    "/documents",
		pool.AccessToken(map[string]any{"nbf": time.Now().Unix() + 3600}):      "/documents",
		pool.IDToken(nil): "/old",
	} {
		r := apigwtest.Request{Method: "GET", Resource: resource, Path: resource, Header: http.Header{"Authorization": {"Bearer " + raw}}}
		_, _ = decide.Invoke(ctx, r.Event(apigwtest.HTTP2))
	}
	logger.WarnContext(ctx, "keys", "error", errors.New("down").Error()) // as the start does

	logged := map[string]map[string]bool{} // messages by field
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		message, _, _ := strings.Cut(fields["message"].(string), ":")
		for field := range fields {
			if logged[field] == nil {
				logged[field] = map[string]bool{}
			}
			logged[field][message] = true
		}
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n| field | in | what |\n")
	section, _, _ = strings.Cut(section, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	documented := map[string]map[string]bool{}
	for row := range strings.Lines(section) {
		cells := strings.Split(row, "|")
		for _, field := range quoted.FindAllStringSubmatch(cells[1], -1) {
			documented[field[1]] = map[string]bool{}
			for _, message := range quoted.FindAllStringSubmatch(cells[2], -1) {
				documented[field[1]][message[1]] = true
			}
			if strings.TrimSpace(cells[2]) == "all" {
				documented[field[1]] = logged["message"]
			}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(logged)) {
		if !maps.Equal(logged[field], documented[field]) {
			t.Errorf("%s is in lines of %q; docs/operations.md says %q", field, slices.Sorted(maps.Keys(logged[field])), slices.Sorted(maps.Keys(documented[field])))
		}
	}
	for field := range documented {
		if logged[field] == nil {
			t.Errorf("docs/operations.md has the field %s, which no line has", field)
		}
	}
}
