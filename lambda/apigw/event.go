package apigw

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// httpEvent is the request of an HTTP API to its authorizer, payload format 2.0
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html).
type httpEvent struct {
	Version               string            `json:"version"`
	IdentitySource        []string          `json:"identitySource"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters"`
	PathParameters        map[string]string `json:"pathParameters"`
	RequestContext        struct {
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

func decode(payload []byte) (*httpEvent, error) {
	var e httpEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		// The error's text may quote a header, so it is not kept.
		return nil, errors.New("the event is no authorizer request of an HTTP API")
	}
	if e.Version != "2.0" {
		return nil, fmt.Errorf("the event has payload format version %q; the authorizer answers version \"2.0\"", e.Version)
	}
	// One page of AWS's writes header names as the client sent them, another in lower case.
	headers := make(map[string]string, len(e.Headers))
	for name, value := range e.Headers {
		headers[strings.ToLower(name)] = value
	}
	e.Headers = headers
	return &e, nil
}

func (e *httpEvent) request(params map[string]string) policy.Request {
	return policy.Request{
		Method:          e.RequestContext.HTTP.Method,
		Path:            e.RawPath,
		RouteKey:        e.RouteKey,
		PathParameters:  e.PathParameters,
		QueryParameters: e.QueryStringParameters,
		Headers:         e.Headers,
		SourceIP:        e.RequestContext.HTTP.SourceIP,
		Params:          params,
	}
}

// credentials is the Authorization header's value.
func (e *httpEvent) credentials() string {
	if header, ok := e.Headers["authorization"]; ok {
		return header
	}
	// The construct lists the header first among the identity sources.
	if len(e.IdentitySource) > 0 {
		return e.IdentitySource[0]
	}
	return ""
}

// bearer takes the token out of an Authorization header: "Bearer x", in any case and with any number of blanks, or the
// bare token. The problem tells other schemes, several tokens, and nothing at all.
func bearer(credentials string) (raw, problem string) {
	words := strings.Fields(credentials)
	switch {
	case len(words) == 0:
		return "", "the Authorization header is empty"
	case strings.Contains(credentials, ","):
		return "", "the Authorization header has several values"
	case len(words) == 1 && strings.EqualFold(words[0], "Bearer"):
		return "", "the Authorization header has a scheme but no token"
	case len(words) == 1:
		return words[0], ""
	case !strings.EqualFold(words[0], "Bearer"):
		return "", "the Authorization header has another scheme than Bearer"
	case len(words) > 2:
		return "", "the Authorization header has several tokens"
	default:
		return words[1], ""
	}
}
