package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func TestHandle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		event    string
		body     string
		protocol string
		err      error
	}{
		{
			name:  "the health check asks for nothing",
			event: `{"requestContext": {"routeKey": "GET /health"}}`,
			body:  `{"status":"ok"}`,
		},
		{
			name: "a caller sees the claims that came with the request",
			event: `{"pathParameters": {"id": "7"}, "requestContext": {"routeKey": "PUT /documents/{id}", "authorizer": {"lambda": {"claims":
				{"sub": "1", "company_id": "acme", "tier": "gold", "country_id": "uk", "compliance_level": "high", "scopes": ["documents/read"],
				"groups": ["owners"], "roles": {"owner": {"document_permission": "full_control"}}}}}}}`,
			body: `{"claims":{"sub":"1","company_id":"acme","tier":"gold","country_id":"uk","compliance_level":"high",` +
				`"roles":{"owner":{"document_permission":"full_control"}},"scopes":["documents/read"],"groups":["owners"]},` +
				`"path":{"id":"7"},"route":"PUT /documents/{id}"}`,
		},
		{
			name: "a machine has no company",
			event: `{"requestContext": {"routeKey": "POST /imports", "authorizer": {"lambda": {"claims": {"sub": "m", "country_id": "uk",
				"compliance_level": "standard", "scopes": ["documents/import"], "groups": []}}}}}`,
			body: `{"claims":{"sub":"m","country_id":"uk","compliance_level":"standard","scopes":["documents/import"],"groups":[]},` +
				`"path":null,"route":"POST /imports"}`,
		},
		{
			name: "a caller of the REST API sees the same",
			event: `{"pathParameters": {"id": "7"}, "requestContext": {"httpMethod": "PUT", "resourcePath": "/documents/{id}",
				"authorizer": {"principalId": "1", "claims": "{\"sub\": \"1\", \"company_id\": \"acme\", \"country_id\": \"uk\",
				\"compliance_level\": \"high\", \"scopes\": [\"documents/read\"], \"groups\": []}"}}}`,
			body: `{"claims":{"sub":"1","company_id":"acme","country_id":"uk","compliance_level":"high",` +
				`"scopes":["documents/read"],"groups":[]},"path":{"id":"7"},"route":"PUT /documents/{id}"}`,
		},
		{
			name: "a WebSocket is told which sub-protocol is spoken",
			event: `{"requestContext": {"routeKey": "$connect", "authorizer": {"claims": "{\"sub\": \"1\", \"company_id\": \"acme\",
				\"country_id\": \"uk\", \"compliance_level\": \"high\", \"scopes\": [], \"groups\": []}"}}}`,
			body: `{"claims":{"sub":"1","company_id":"acme","country_id":"uk","compliance_level":"high","scopes":[],"groups":[]},` +
				`"path":null,"route":"$connect"}`,
			protocol: "documents.v1",
		},
		{
			name:  "a route without an authorizer is a fault",
			event: `{"requestContext": {"routeKey": "GET /documents"}}`,
			err:   backend.ErrUnprotected,
		},
		{
			name:  "a route with another authorizer is a fault",
			event: `{"requestContext": {"routeKey": "GET /documents", "authorizer": {"lambda": {"user": "1"}}}}`,
			err:   backend.ErrUnprotected,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The claims of REST and WebSocket APIs are a string, which must not be broken over lines.
			response, err := handle(t.Context(), json.RawMessage(strings.ReplaceAll(c.event, "\n\t\t\t\t", " ")))
			if !errors.Is(err, c.err) {
				t.Fatalf("got error %v, want %v", err, c.err)
			}
			if c.err != nil {
				return
			}
			if response.Body != c.body {
				t.Errorf("got  %s\nwant %s", response.Body, c.body)
			}
			if got := response.Headers["Sec-WebSocket-Protocol"]; got != c.protocol {
				t.Errorf("got sub-protocol %q, want %q", got, c.protocol)
			}
		})
	}
}
