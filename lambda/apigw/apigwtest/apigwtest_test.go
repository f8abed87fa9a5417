package apigwtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

func Example() {
	authorize := func([]byte) ([]byte, error) { return []byte(`{"isAuthorized": true, "context": {"tier": 3}}`), nil }
	request := apigwtest.Request{Method: "GET", Resource: "/documents/{id}", Path: "/documents/7"}

	response, err := authorize(request.Event(apigwtest.HTTP2))
	outcome := request.Outcome(apigwtest.HTTP2, response, err)
	fmt.Println(request.RouteKey(), outcome.Status, outcome.Context)
	// Output: GET /documents/{id} 200 map[tier:3]
}

const allow = `{"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "%s"}]}%s}`

func TestOutcomes(t *testing.T) {
	t.Parallel()
	r := apigwtest.Request{Method: "GET", Resource: "/d/{id}", Path: "/d/7"}
	const arn = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/d/"
	policy := func(resource, context string) string { return fmt.Sprintf(allow, resource, context) }
	for _, c := range []struct {
		name   string
		api    apigwtest.API
		answer string
		err    error
		status int
	}{
		{"an allowed method", apigwtest.REST, policy(arn+"7", ""), nil, 200},
		{"another method", apigwtest.REST, policy(arn+"8", ""), nil, 403},
		{"a wildcard", apigwtest.REST, policy(arn+"*", ""), nil, 200},
		{"a wildcard for one character", apigwtest.REST, policy(arn+"?", ""), nil, 200},
		{"a wildcard that does not fit", apigwtest.REST, policy(arn+"7?", ""), nil, 403},
		{"a policy of an HTTP API", apigwtest.HTTP2, policy(arn+"7", ""), nil, 200},
		{"a denial goes first", apigwtest.REST, strings.Replace(policy(arn+"7", ""), "}]", `}, {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}]`, 1), nil, 403},
		{"a simple response", apigwtest.HTTP2, `{"isAuthorized": true}`, nil, 200},
		{"a simple refusal", apigwtest.HTTP2, `{"isAuthorized": false}`, nil, 403},
		{"a simple response of another API", apigwtest.REST, `{"isAuthorized": true}`, nil, 500},
		{"an object in the context of an HTTP API", apigwtest.HTTP2, `{"isAuthorized": true, "context": {"a": {}}}`, nil, 200},
		{"an object in the context of a REST API", apigwtest.REST, policy(arn+"7", `, "context": {"a": {}}`), nil, 500},
		{"null in the context of a REST API", apigwtest.REST, policy(arn+"7", `, "context": {"a": null}`), nil, 500},
		{"a resource that is too long", apigwtest.REST, policy(arn+strings.Repeat("x", 512), ""), nil, 500},
		{"no principal", apigwtest.REST, strings.Replace(policy(arn+"7", ""), `"u"`, `""`, 1), nil, 500},
		{"no policy", apigwtest.REST, `{"principalId": "u"}`, nil, 500},
		{"an unknown field", apigwtest.REST, strings.Replace(policy(arn+"7", ""), "Effect", "effekt", 1), nil, 500},
		{"too large", apigwtest.REST, policy(arn+"7", `, "context": {"a": "`+strings.Repeat("x", 8192)+`"}`), nil, 500},
		{"no JSON", apigwtest.REST, "x", nil, 500},
		{"Unauthorized", apigwtest.REST, "", errors.New("Unauthorized"), 401}, //nolint:staticcheck // the text is API Gateway's
		{"unauthorized", apigwtest.REST, "", errors.New("unauthorized"), 500},
	} {
		if got := r.Outcome(c.api, []byte(c.answer), c.err); got.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got.Status, c.status)
		}
	}
	got := r.Outcome(apigwtest.REST, []byte(policy(arn+"7", `, "context": {"n": 1, "b": true}`)), nil)
	if fmt.Sprintf("%#v", got.Context) != `map[string]interface {}{"b":"true", "n":"1", "principalId":"u"}` {
		t.Errorf("context %#v", got.Context)
	}
}

// AWS's own types read the events.
func TestEventsAreThoseOfAWS(t *testing.T) {
	t.Parallel()
	r := apigwtest.Request{
		Method: "GET", Resource: "/d/{id}", Path: "/d/7", PathParameters: map[string]string{"id": "7"}, SourceIP: "198.51.100.1",
		Header: http.Header{"Authorization": {"Bearer t"}, "X": {"1", "2"}, "x": {"3"}, "Cookie": {"a=b"}}, Query: url.Values{"q": {"1", "2"}},
	}
	decode := func(api apigwtest.API, dst any) {
		t.Helper()
		if err := json.Unmarshal(r.Event(api), dst); err != nil {
			t.Fatal(err)
		}
	}
	var http2 events.APIGatewayV2CustomAuthorizerV2Request
	decode(apigwtest.HTTP2, &http2)
	if http2.RouteKey != "GET /d/{id}" || http2.Headers["x"] != "1,2,3" || http2.QueryStringParameters["q"] != "1,2" || http2.Cookies[0] != "a=b" ||
		http2.RequestContext.HTTP.SourceIP != "198.51.100.1" || http2.PathParameters["id"] != "7" {
		t.Errorf("got %+v", http2)
	}
	var http1 events.APIGatewayV2CustomAuthorizerV1Request
	decode(apigwtest.HTTP1, &http1)
	if http1.Version != "1.0" || http1.Resource != "/d/{id}" || http1.HTTPMethod != "GET" || http1.IdentitySource != "Bearer t" {
		t.Errorf("got %+v", http1)
	}
	var rest events.APIGatewayCustomAuthorizerRequestTypeRequest
	decode(apigwtest.REST, &rest)
	if rest.Resource != "/d/{id}" || rest.Headers["X"] != "2" || len(rest.MultiValueHeaders["X"]) != 2 || rest.RequestContext.Identity.SourceIP != "198.51.100.1" {
		t.Errorf("got %+v", rest)
	}
	var tokenEvent events.APIGatewayCustomAuthorizerRequest
	decode(apigwtest.RESTToken, &tokenEvent)
	if tokenEvent.Type != "TOKEN" || tokenEvent.AuthorizationToken != "Bearer t" || !strings.HasSuffix(tokenEvent.MethodArn, "/GET/d/7") {
		t.Errorf("got %+v", tokenEvent)
	}
	var socket events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(r.BackendEvent(apigwtest.WebSocket, apigwtest.Outcome{Context: map[string]any{"a": "b"}}), &socket); err != nil {
		t.Fatal(err)
	}
	if socket.RequestContext.EventType != "CONNECT" || socket.RequestContext.Authorizer.(map[string]any)["a"] != "b" {
		t.Errorf("got %+v", socket)
	}
	if key := (apigwtest.Request{Resource: "$default"}).RouteKey(); key != "$default" {
		t.Errorf("route key %s", key)
	}
}

// Public case 24: without an identity source the authorizer is not asked. Errors are not cached, denials are.
func TestGateway(t *testing.T) {
	t.Parallel()
	asked := 0
	answer, failure := `{"isAuthorized": false}`, error(nil)
	g := &apigwtest.Gateway{
		API:     apigwtest.HTTP2,
		Sources: func(r apigwtest.Request) []string { return []string{r.Header.Get("Authorization")} },
		Authorize: func(context.Context, []byte) ([]byte, error) {
			asked++
			return []byte(answer), failure
		},
	}
	r := apigwtest.Request{Method: "GET", Resource: "/d", Path: "/d"}
	step := func(name string, status, questions int) {
		t.Helper()
		if got := g.Do(t.Context(), r); got.Status != status || asked != questions {
			t.Errorf("%s: status %d after %d questions, want %d after %d", name, got.Status, asked, status, questions)
		}
	}
	step("no token", 401, 0)
	r.Header = http.Header{"Authorization": {"t"}}
	failure = errors.New("down")
	step("a fault", 500, 1)
	step("a fault again", 500, 2)
	failure = nil
	step("a denial", 403, 3)
	answer = `{"isAuthorized": true}`
	step("the denial from the cache", 403, 3)
	r.Header = http.Header{"Authorization": {"u"}}
	step("another token", 200, 4)
}

func TestUnknownAPIsPanic(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	apigwtest.Request{}.Event("SOAP")
}
