package backend_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func Example() {
	handle := func(request events.APIGatewayV2HTTPRequest) (string, error) {
		var caller struct {
			Sub       string   `json:"sub"`
			Scopes    []string `json:"scopes"`
			CompanyID string   `json:"company_id"`
		}
		if err := backend.Claims(request.RequestContext.Authorizer.Lambda, &caller); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s of %s may %s", caller.Sub, caller.CompanyID, caller.Scopes[0]), nil
	}

	request := events.APIGatewayV2HTTPRequest{}
	request.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		Lambda: map[string]any{"claims": map[string]any{"sub": "u1", "company_id": "acme", "scopes": []any{"documents/read"}}},
	}
	fmt.Println(handle(request))
	// Output: u1 of acme may documents/read <nil>
}

func TestUnprotectedRoutes(t *testing.T) {
	t.Parallel()
	for name, authorizer := range map[string]map[string]any{
		"no authorizer":         nil,
		"another authorizer":    {"principalId": "x"},
		"claims of another one": {"claims": []any{"x"}},
		"null":                  {"claims": nil},
	} {
		var claims map[string]any
		if err := backend.Claims(authorizer, &claims); !errors.Is(err, backend.ErrUnprotected) || claims != nil {
			t.Errorf("%s: got %v, %v", name, claims, err)
		}
	}
}

func TestClaimsThatDoNotFit(t *testing.T) {
	t.Parallel()
	var dst struct {
		Tier int `json:"tier"`
	}
	err := backend.Claims(map[string]any{"claims": map[string]any{"tier": "3"}}, &dst)
	if err == nil || !strings.HasPrefix(err.Error(), "backend: the verified claims do not fit") || errors.Is(err, backend.ErrUnprotected) {
		t.Errorf("got %v", err)
	}
	if err := backend.Claims(map[string]any{"claims": map[string]any{"f": func() {}}}, &dst); err == nil {
		t.Error("a value that is no JSON is accepted")
	}
}
