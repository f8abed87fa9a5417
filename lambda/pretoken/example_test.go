package pretoken_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func ExampleHandler() {
	compiled, err := policy.Compile(&policy.Policy{Claims: map[string]policy.Claim{
		"company_id": {Attribute: "custom:company_id", Required: true},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &pretoken.Handler{Program: &compiled.Program, Logger: slog.New(slog.DiscardHandler)}

	for _, attributes := range []string{`{"custom:company_id": "acme"}`, `{}`} {
		answer, err := handler.Invoke(context.Background(), []byte(`{"request": {"userAttributes": `+attributes+`}, "response": {}}`))
		if err != nil {
			fmt.Println("Cognito issues no tokens and shows:", err)
			continue
		}
		var event struct{ Response json.RawMessage }
		if err := json.Unmarshal(answer, &event); err != nil {
			fmt.Println(err)
		}
		fmt.Println(string(event.Response))
	}
	// Output:
	// {"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"company_id":"acme"}}}}
	// Cognito issues no tokens and shows: sign-in is not permitted for this account
}

// entitlements asks another service what a user may do. The policy declares the claim:
//
//	claims:
//	  entitlements: {code: true, type: "list(string)"}
func entitlements(service string) pretoken.Hook {
	return func(ctx context.Context, in program.SignIn, out *program.Minted) error {
		if in.Machine {
			return nil
		}
		// Less than the hook has, so that there is time left to answer without.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, service+"/"+url.PathEscape(in.Attributes["sub"]), nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusOK:
		case http.StatusForbidden:
			return pretoken.Deny("the entitlement service has locked the account")
		default:
			return fmt.Errorf("status %d", response.StatusCode)
		}
		var entitlements []string
		if err := json.NewDecoder(response.Body).Decode(&entitlements); err != nil {
			return err
		}
		out.Access["entitlements"] = entitlements
		return nil
	}
}

// A claim function of one's own is a main that calls Start with the hook. Here the hook is tried out against a service and
// an event.
func ExampleHook() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/locked") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `["export", "share"]`)
	}))
	defer service.Close()

	document, err := policy.Parse("claims.yaml", []byte(`{claims: {entitlements: {code: true, type: list(string)}}}`))
	if err != nil {
		panic(err)
	}
	compiled, err := policy.Compile(document)
	if err != nil {
		panic(err)
	}
	handler := pretoken.Handler{Program: &compiled.Program, Hooks: []pretoken.Hook{entitlements(service.URL)}, Logger: slog.New(slog.DiscardHandler)}
	for _, sub := range []string{"owner", "locked"} {
		answer, err := handler.Invoke(context.Background(), []byte(`{"request": {"userAttributes": {"sub": "`+sub+`"}}}`))
		var event struct{ Response json.RawMessage }
		if err == nil {
			err = json.Unmarshal(answer, &event)
		}
		fmt.Println(sub, string(event.Response), err)
	}
	// Output:
	// owner {"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"entitlements":["export","share"]}}}} <nil>
	// locked  sign-in is not permitted for this account
}
