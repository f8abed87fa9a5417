// Package apigwtest is API Gateway for tests: it makes the events that each kind of API sends to its authorizer, does with
// the answer what AWS documents, and makes the events that the function behind the route gets then.
//
//	request := apigwtest.Request{Method: "GET", Resource: "/documents/{id}", Path: "/documents/7"}
//	response, err := handler.Invoke(ctx, request.Event(apigwtest.REST))
//	outcome := request.Outcome(apigwtest.REST, response, err)
//	…
//	err = backend.FromEvent(request.BackendEvent(apigwtest.REST, outcome), &claims)
//
// Misuse panics, since a test has nothing better to do.
package apigwtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// API is a kind of API with the payload format of its authorizer.
type API string

// The kinds of APIs that have Lambda authorizers.
const (
	HTTP2     API = "HTTP API 2.0"
	HTTP1     API = "HTTP API 1.0"
	REST      API = "REST API REQUEST"
	RESTToken API = "REST API TOKEN"
	WebSocket API = "WebSocket API"
)

// APIs are all kinds.
var APIs = []API{HTTP2, HTTP1, REST, RESTToken, WebSocket}

// Request is what a client sends. For a WebSocket API it is the handshake, whose Method, Resource and Path do not matter.
type Request struct {
	// Method and Path are those of the request.
	Method, Path string

	// Resource is the path of the route or resource that API Gateway chose for it, such as "/documents/{id}", or "$default".
	Resource string

	// AnyMethod tells that the route or resource is one for any method.
	AnyMethod bool

	// PathParameters are the values of the parameters in Resource.
	PathParameters map[string]string

	// Header is as the client wrote it. API Gateway keeps the case of names, but for HTTP APIs.
	Header http.Header

	// Query are the query parameters.
	Query url.Values

	// SourceIP is the client's address. Default: 192.0.2.1.
	SourceIP string
}

// RouteKey is the key of the route.
func (r Request) RouteKey() string {
	switch {
	case r.Resource == "$default":
		return r.Resource
	case r.AnyMethod:
		return "ANY " + r.Resource
	default:
		return r.Method + " " + r.Resource
	}
}

// ARN is what a policy must allow for the request.
func (r Request) ARN(api API) string {
	const stage = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/"
	if api == WebSocket {
		return stage + "$connect"
	}
	return stage + r.Method + r.Path
}

// Event is the event that an authorizer gets.
func (r Request) Event(api API) []byte { return encode(r.event(api)) }

func (r Request) event(api API) map[string]any {
	ip := r.SourceIP
	if ip == "" {
		ip = "192.0.2.1"
	}
	last := func(values map[string][]string) map[string]string { // null when there is none
		var single map[string]string
		for name, all := range values {
			if single == nil {
				single = map[string]string{}
			}
			single[name] = all[len(all)-1]
		}
		return single
	}
	identity := map[string]any{"sourceIp": ip, "userAgent": "agent", "apiKey": nil, "clientCert": nil}
	event := map[string]any{
		"type": "REQUEST", "methodArn": r.ARN(api), "resource": r.Resource, "path": r.Path, "httpMethod": r.Method,
		"headers": last(r.Header), "multiValueHeaders": r.Header,
		"queryStringParameters": last(r.Query), "multiValueQueryStringParameters": r.Query,
		"pathParameters": r.PathParameters, "stageVariables": nil,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "abcdef123", "resourceId": "05c7jb", "stage": "test", "requestId": "id",
			"path": "/test" + r.Path, "resourcePath": r.Resource, "httpMethod": r.Method, "protocol": "HTTP/1.1",
			"requestTimeEpoch": 1583348638390, "identity": identity,
		},
	}
	switch api {
	case REST:
	case RESTToken:
		event = map[string]any{"type": "TOKEN", "methodArn": r.ARN(api), "authorizationToken": r.Header.Get("Authorization")}
	case HTTP1:
		authorization := r.Header.Get("Authorization")
		event["version"], event["identitySource"], event["authorizationToken"] = "1.0", authorization, authorization
	case WebSocket:
		for _, name := range []string{"resource", "path", "httpMethod", "pathParameters"} {
			delete(event, name)
		}
		event["requestContext"] = map[string]any{
			"routeKey": "$connect", "eventType": "CONNECT", "messageDirection": "IN", "connectionId": "L0SM9cOFvHcCIhw=",
			"connectedAt": 1583348638390, "requestId": "id", "extendedRequestId": "id", "apiId": "abcdef123", "stage": "test",
			"domainName": "abcdef123.execute-api.us-east-1.amazonaws.com", "requestTimeEpoch": 1583348638390, "identity": identity,
		}
	case HTTP2:
		var cookies []string
		headers, query := map[string]string{}, map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			all := strings.Join(r.Header[name], ",")
			switch lower := strings.ToLower(name); {
			case lower == "cookie":
				cookies = append(cookies, r.Header[name]...)
			case headers[lower] != "":
				headers[lower] += "," + all
			default:
				headers[lower] = all
			}
		}
		for name, values := range r.Query {
			query[name] = strings.Join(values, ",")
		}
		event = map[string]any{
			"version": "2.0", "type": "REQUEST", "routeArn": r.ARN(api), "routeKey": r.RouteKey(), "rawPath": r.Path,
			"identitySource": []string{r.Header.Get("Authorization")}, "rawQueryString": r.Query.Encode(), "cookies": cookies,
			"headers": headers, "queryStringParameters": query, "pathParameters": r.PathParameters, "stageVariables": nil,
			"requestContext": map[string]any{
				"accountId": "123456789012", "apiId": "abcdef123", "domainName": "abcdef123.execute-api.us-east-1.amazonaws.com",
				"domainPrefix": "abcdef123", "requestId": "id", "routeKey": r.RouteKey(), "stage": "test",
				"time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1583348638390,
				"http": map[string]any{"method": r.Method, "path": r.Path, "protocol": "HTTP/1.1", "sourceIp": ip, "userAgent": "agent"},
			},
		}
	default:
		panic("apigwtest: unknown API " + api)
	}
	return event
}

// Outcome is what API Gateway makes of an authorizer's answer.
type Outcome struct {
	// Status is what the client gets, or 200 if the request goes on to the backend.
	Status int

	// Context is the authorizer's context, as a backend and gateway responses see it.
	Context map[string]any
}

// maxAnswer is the size that AWS documents for WebSocket APIs, and lists without saying for which others.
const maxAnswer = 8 << 10

// Outcome is what API Gateway makes of an authorizer's answer to the request.
func (r Request) Outcome(api API, response []byte, err error) Outcome {
	return OutcomeOf(api, r.ARN(api), response, err)
}

// OutcomeOf is what API Gateway makes of an authorizer's answer to a request for the method with this ARN. What an HTTP API
// makes of the error "Unauthorized" is not documented; here it is 401 as for the others.
func OutcomeOf(api API, arn string, response []byte, err error) Outcome {
	misconfigured := Outcome{Status: http.StatusInternalServerError}
	switch {
	case err != nil && err.Error() == "Unauthorized":
		return Outcome{Status: http.StatusUnauthorized}
	case err != nil || len(response) > maxAnswer:
		return misconfigured
	}
	var answer struct {
		IsAuthorized   *bool
		PrincipalID    string
		PolicyDocument *Policy
		Context        map[string]any
	}
	decoder := json.NewDecoder(strings.NewReader(string(response)))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if decoder.Decode(&answer) != nil {
		return misconfigured
	}
	outcome := Outcome{Status: http.StatusForbidden, Context: answer.Context}
	if api == HTTP2 && answer.IsAuthorized != nil {
		if *answer.IsAuthorized {
			outcome.Status = http.StatusOK
		}
		return outcome
	}
	if answer.PolicyDocument == nil || answer.PrincipalID == "" || answer.IsAuthorized != nil || !answer.PolicyDocument.valid() {
		return misconfigured
	}
	for key, value := range answer.Context {
		switch value.(type) {
		case string, bool, json.Number:
			answer.Context[key] = fmt.Sprint(value)
		default:
			return misconfigured
		}
	}
	if answer.PolicyDocument.Allows(arn) {
		outcome.Status = http.StatusOK
		outcome.Context = maps.Clone(answer.Context)
		if outcome.Context == nil {
			outcome.Context = map[string]any{}
		}
		outcome.Context["principalId"] = answer.PrincipalID
	}
	return outcome
}

// BackendEvent is the event that the function behind the route gets, for an HTTP API in the payload format of its
// authorizer.
func (r Request) BackendEvent(api API, outcome Outcome) []byte {
	if api == RESTToken {
		api = REST
	}
	event := r.event(api)
	for _, name := range []string{"type", "methodArn", "routeArn", "identitySource", "authorizationToken"} {
		delete(event, name)
	}
	context := event["requestContext"].(map[string]any)
	if api == HTTP2 {
		context["authorizer"] = map[string]any{"lambda": outcome.Context}
	} else {
		context["authorizer"] = outcome.Context
	}
	return encode(event)
}

// Policy is the IAM policy in an authorizer's answer.
type Policy struct {
	Version   string
	Statement []struct {
		Action, Effect, Resource string
	}
}

func (p *Policy) valid() bool {
	for _, s := range p.Statement {
		if s.Action != "execute-api:Invoke" || !slices.Contains([]string{"Allow", "Deny"}, s.Effect) || s.Resource == "" || len(s.Resource) > 512 {
			return false
		}
	}
	return p.Version == "2012-10-17" && len(p.Statement) > 0
}

// Allows tells whether the policy allows to invoke a method: some statement does, and none denies it. API Gateway asks this
// of a cached answer for every request with the same identity sources.
func (p *Policy) Allows(arn string) bool {
	allowed := false
	for _, s := range p.Statement {
		if matches(s.Resource, arn) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// matches tells whether a text matches a pattern in which * is any text and ? any character.
func matches(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return matches(pattern[1:], text) || text != "" && matches(pattern, text[1:])
	default:
		return text != "" && (pattern[0] == '?' || pattern[0] == text[0]) && matches(pattern[1:], text[1:])
	}
}

func encode(event map[string]any) []byte {
	data, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return data
}

// Gateway is an API with an authorizer whose answers are cached, as AWS documents it: an answer holds for every request
// with the same identity sources, and a policy in it is evaluated for each. Errors are not cached. Nothing expires.
type Gateway struct {
	// API is the kind of API.
	API API

	// Sources are the values of the identity sources in a request. A request that lacks one is refused with 401.
	Sources func(Request) []string

	// Authorize is the authorizer.
	Authorize func(ctx context.Context, event []byte) ([]byte, error)

	answers map[string][]byte
}

// Do makes a request.
func (g *Gateway) Do(ctx context.Context, r Request) Outcome {
	sources := g.Sources(r)
	if slices.Contains(sources, "") {
		return Outcome{Status: http.StatusUnauthorized}
	}
	key := fmt.Sprintf("%q", sources)
	answer, ok := g.answers[key]
	var err error
	if !ok {
		if answer, err = g.Authorize(ctx, r.Event(g.API)); err == nil {
			if g.answers == nil {
				g.answers = map[string][]byte{}
			}
			g.answers[key] = answer
		}
	}
	return r.Outcome(g.API, answer, err)
}
