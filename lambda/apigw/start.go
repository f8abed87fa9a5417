package apigw

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/token"
)

// Start runs an authorizer function: it is all that its main has to call. The policy is the file policy.json beside the
// executable, which the construct bundles; the construct also sets the environment: CLAIMSMITH_AUTHORIZER, the name of the
// policy's authorizer; CLAIMSMITH_USER_POOLS, the accepted user pools and app clients as a JSON list of [token.Pool];
// CLAIMSMITH_INVALID_TOKEN, an [InvalidToken]; and CLAIMSMITH_PARAM_<name> for each of the policy's params.
//
// What stands in the way of starting goes to the standard error and ends the process, so that no request is allowed.
// [slog.Default] becomes the function's logger.
func Start(hooks ...Hook) {
	handler, err := fromEnvironment(hooks)
	if err != nil {
		fmt.Fprintln(os.Stderr, "authorizer:", err)
		os.Exit(1)
	}
	slog.SetDefault(handler.Logger)
	lambda.Start(handler)
}

func fromEnvironment(hooks []Hook) (*Handler, error) {
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
	invalid := InvalidToken(os.Getenv("CLAIMSMITH_INVALID_TOKEN"))
	if invalid != Forbidden && invalid != Unauthorized {
		return nil, fmt.Errorf("CLAIMSMITH_INVALID_TOKEN is %q; allowed are %s and %s", invalid, Forbidden, Unauthorized)
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
	return &Handler{
		Verifier:     verifier,
		Program:      program,
		Checker:      checker,
		Params:       params,
		InvalidToken: invalid,
		Hooks:        hooks,
		Logger:       logger,
	}, nil
}
