package apigw_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func ExampleHandler() {
	compiled, err := policy.Compile(&policy.Policy{Authorizers: map[string]policy.Authorizer{
		"Documents": {Default: []policy.Rule{{Rule: "'documents/read' in claims.scopes", Message: "needs scope documents/read"}}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	pool := tokentest.NewPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	checker, _ := compiled.Checker("Documents")
	handler := &apigw.Handler{Verifier: verifier, Checker: checker, Logger: slog.New(slog.DiscardHandler)}

	for _, scope := range []string{"documents/read", "openid"} {
		request := apigwtest.Request{Method: "GET", Resource: "/documents", Path: "/documents", Header: http.Header{
			"Authorization": {"Bearer " + pool.AccessToken(map[string]any{"scope": scope})},
		}}
		for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.REST} {
			answer, err := handler.Invoke(context.Background(), request.Event(api))
			fmt.Println(api, scope, request.Outcome(api, answer, err).Status)
		}
	}
	// Output:
	// HTTP API 2.0 documents/read 200
	// REST API REQUEST documents/read 200
	// HTTP API 2.0 openid 403
	// REST API REQUEST openid 403
}
