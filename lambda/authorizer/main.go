// Command authorizer is the Lambda authorizer of an API: it verifies access tokens and enforces one of the policy's
// authorizers.
//
// The construct bundles it with the policy, as policy.json beside the executable, and sets its environment:
// CLAIMSMITH_AUTHORIZER, the authorizer's name; CLAIMSMITH_USER_POOLS, the accepted user pools and app clients as a JSON list
// of [token.Pool]; CLAIMSMITH_INVALID_TOKEN, an [apigw.InvalidToken]; and CLAIMSMITH_PARAM_<name> for each of the policy's
// params.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/token"
)

func main() {
	handler, err := handler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "authorizer:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

func handler() (*apigw.Handler, error) {
	program, err := boot.Policy()
	if err != nil {
		return nil, err
	}
	params, err := boot.Params(os.Environ(), program.Params())
	if err != nil {
		return nil, err
	}
	name := os.Getenv("CLAIMSMITH_AUTHORIZER")
	checker, ok := program.Checker(name)
	if !ok {
		return nil, fmt.Errorf("CLAIMSMITH_AUTHORIZER is %q; the policy has %s", name, strings.Join(program.CheckerNames(), ", "))
	}
	invalid := apigw.InvalidToken(os.Getenv("CLAIMSMITH_INVALID_TOKEN"))
	if invalid != apigw.Forbidden && invalid != apigw.Unauthorized {
		return nil, fmt.Errorf("CLAIMSMITH_INVALID_TOKEN is %q; allowed are %s and %s", invalid, apigw.Forbidden, apigw.Unauthorized)
	}
	var pools []token.Pool
	if err := json.Unmarshal([]byte(os.Getenv("CLAIMSMITH_USER_POOLS")), &pools); err != nil {
		return nil, fmt.Errorf("CLAIMSMITH_USER_POOLS is no JSON list of user pools: %w", err)
	}
	verifier, err := token.NewVerifier(token.Config{Pools: pools})
	if err != nil {
		return nil, err
	}
	logger := boot.Logger(os.Stdout, os.Getenv("AWS_LAMBDA_LOG_LEVEL"))
	// Lambda bills the init phase in full, but a token that comes first need not wait. Without keys the first request
	// fetches them.
	if err := verifier.Prefetch(context.Background()); err != nil {
		logger.Warn("keys", "error", err.Error())
	}
	return &apigw.Handler{
		Verifier:     verifier,
		Program:      program,
		Checker:      checker,
		Params:       params,
		InvalidToken: invalid,
		Logger:       logger,
	}, nil
}
