// Command backend is the function behind the document API. It answers with the claims that it saw, so that one can see
// them; a real one would use them to pick what it reads and writes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func main() { lambda.Start(handle) }

// claims is what this backend wants to know about its caller. By now the token is verified and the rules of the route
// are met.
type claims struct {
	Subject         string   `json:"sub"`
	CompanyID       string   `json:"company_id"`
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

func handle(_ context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if request.RouteKey == "GET /health" {
		return respond(map[string]any{"status": "ok"})
	}
	var verified map[string]any
	if authorizer := request.RequestContext.Authorizer; authorizer != nil {
		verified = authorizer.Lambda
	}
	var caller claims
	if err := backend.Claims(verified, &caller); err != nil {
		return events.APIGatewayV2HTTPResponse{}, fmt.Errorf("%s: %w", request.RouteKey, err)
	}
	return respond(map[string]any{"route": request.RouteKey, "path": request.PathParameters, "claims": caller})
}

func respond(body map[string]any) (events.APIGatewayV2HTTPResponse, error) {
	text, err := json.Marshal(body)
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK,
		Headers:    map[string]string{"content-type": "application/json"},
		Body:       string(text),
	}, err
}
