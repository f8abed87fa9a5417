package pretoken_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

func ExampleHandler() {
	program, err := policy.Compile(&policy.Policy{Claims: map[string]policy.Claim{
		"company_id": {Attribute: "custom:company_id", Required: true},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &pretoken.Handler{Program: program, Logger: slog.New(slog.DiscardHandler)}

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
