package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func TestHandle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		event string
		body  string
		err   error
	}{
		{
			name:  "the health check asks for nothing",
			event: `{"routeKey": "GET /health", "requestContext": {}}`,
			body:  `{"status":"ok"}`,
		},
		{
			name: "a caller sees the claims that came with the request",
			event: `{"routeKey": "PUT /documents/{id}", "pathParameters": {"id": "7"}, "requestContext": {"authorizer": {"lambda": {"claims":
				{"sub": "1", "company_id": "acme", "country_id": "uk", "compliance_level": "high", "scopes": ["documents/read"],
				"groups": ["owners"], "roles": {"owner": {"document_permission": "full_control"}}}}}}}`,
			body: `{"claims":{"sub":"1","company_id":"acme","country_id":"uk","compliance_level":"high",` +
				`"roles":{"owner":{"document_permission":"full_control"}},"scopes":["documents/read"],"groups":["owners"]},` +
				`"path":{"id":"7"},"route":"PUT /documents/{id}"}`,
		},
		{
			name:  "a route without an authorizer is a fault",
			event: `{"routeKey": "GET /documents", "requestContext": {}}`,
			err:   backend.ErrUnprotected,
		},
		{
			name:  "a route with another authorizer is a fault",
			event: `{"routeKey": "GET /documents", "requestContext": {"authorizer": {"lambda": {"user": "1"}}}}`,
			err:   backend.ErrUnprotected,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var event events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal([]byte(c.event), &event); err != nil {
				t.Fatal(err)
			}
			response, err := handle(t.Context(), event)
			if !errors.Is(err, c.err) {
				t.Fatalf("got error %v, want %v", err, c.err)
			}
			if response.Body != c.body {
				t.Errorf("got  %s\nwant %s", response.Body, c.body)
			}
		})
	}
}
