// Command backend is the function behind the document API. It answers with the claims that it saw, so that one can see
// them; a real one would use them to pick what it reads and writes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func main() { lambda.Start(handle) }

// claims is what this backend wants to know about its caller. By now the token is verified and the rules of the route
// are met. A machine has neither company nor tier.
type claims struct {
	Subject         string   `json:"sub"`
	CompanyID       string   `json:"company_id,omitempty"`
	Tier            string   `json:"tier,omitempty"`
	CountryID       string   `json:"country_id"`
	ComplianceLevel string   `json:"compliance_level"`
	PartnerID       string   `json:"external_partner_id,omitempty"`
	Roles           roles    `json:"roles,omitzero"`
	Scopes          []string `json:"scopes"`
	Groups          []string `json:"groups"`
}

type roles struct {
	Owner       *role `json:"owner,omitempty"`
	Contributor *role `json:"contributor,omitempty"`
}

type role struct {
	DocumentPermission string `json:"document_permission"`
}

// request is what this backend wants to know of a request: of an HTTP, REST or WebSocket API, all of which it serves.
type request struct {
	PathParameters map[string]string `json:"pathParameters"`
	RequestContext struct {
		RouteKey     string `json:"routeKey"`     // HTTP and WebSocket API
		HTTPMethod   string `json:"httpMethod"`   // REST API
		ResourcePath string `json:"resourcePath"` // REST API
	} `json:"requestContext"`
}

func (r request) route() string {
	if key := r.RequestContext.RouteKey; key != "" {
		return key
	}
	return r.RequestContext.HTTPMethod + " " + r.RequestContext.ResourcePath
}

// response is an answer that each of the three kinds of API takes.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

func handle(_ context.Context, event json.RawMessage) (*response, error) {
	var request request
	if err := json.Unmarshal(event, &request); err != nil {
		return nil, err
	}
	if request.route() == "GET /health" {
		return respond(map[string]any{"status": "ok"})
	}
	var caller claims
	if err := backend.FromEvent(event, &caller); err != nil {
		return nil, fmt.Errorf("%s: %w", request.route(), err)
	}
	answer, err := respond(map[string]any{"route": request.route(), "path": request.PathParameters, "claims": caller})
	if err == nil && request.route() == "$connect" {
		// A browser insists on an answer to the sub-protocols that it offers, one of which is its token.
		answer.Headers["Sec-WebSocket-Protocol"] = "documents.v1"
	}
	return answer, err
}

func respond(body map[string]any) (*response, error) {
	text, err := json.Marshal(body)
	return &response{
		StatusCode: http.StatusOK,
		Headers:    map[string]string{"Content-Type": "application/json"},
		Body:       string(text),
	}, err
}
