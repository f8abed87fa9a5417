package apigw

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/token"
)

// Start runs an authorizer function: it is all that its main has to call. The policy is the file program.json beside the
// executable, which the construct bundles; the construct also sets the environment:
//
//	CLAIMSMITH_AUTHORIZER        the name of the policy's authorizer
//	CLAIMSMITH_USER_POOLS        the accepted user pools and app clients, a JSON list of token.Pool
//	CLAIMSMITH_PARAM_<name>      the value of each of the policy's params
//
// and, where the default is not what is wanted:
//
//	CLAIMSMITH_INVALID_TOKEN     what an HTTP API is told about an invalid token: forbidden (default) or unauthorized
//	CLAIMSMITH_RESPONSE          the form of answers to an HTTP API with payload format 2.0: simple (default) or policy
//	CLAIMSMITH_TOKEN_SOURCES     where the token may be, such as header:Authorization,subprotocol: see apigw.ParseSources
//	CLAIMSMITH_WWW_AUTHENTICATE  true puts what RFC 6750 wants in that header into the context of refusals
//	CLAIMSMITH_METRICS_NAMESPACE the CloudWatch namespace of the metrics that are written; none are without it
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

// prefetchTimeout bounds how long the start waits for keys.
const prefetchTimeout = time.Second

func fromEnvironment(hooks []Hook) (*Handler, error) {
	var pools []token.Pool
	if err := json.Unmarshal([]byte(os.Getenv("CLAIMSMITH_USER_POOLS")), &pools); err != nil {
		return nil, fmt.Errorf("CLAIMSMITH_USER_POOLS is no JSON list of user pools: %w", err)
	}
	meter := boot.Metrics(os.Stdout)
	verifier, err := token.NewVerifier(token.Config{Pools: pools, OnFetch: func(err error) { measureFetch(meter, err) }})
	if err != nil {
		return nil, err
	}
	logger := boot.Logger(os.Stdout, os.Getenv("AWS_LAMBDA_LOG_LEVEL"))
	// A token that comes first need not wait then. Lambda bills the init phase in full, and a slow endpoint must not hold up
	// the start for long; without keys the first request fetches them. The policy is loaded meanwhile.
	ctx, cancel := context.WithTimeout(context.Background(), prefetchTimeout)
	defer cancel()
	prefetched := make(chan error, 1)
	go func() { prefetched <- verifier.Prefetch(ctx) }()

	loaded, err := boot.Program()
	if err != nil {
		return nil, err
	}
	params, err := boot.Params(os.Environ(), loaded.Params())
	if err != nil {
		return nil, err
	}
	name := os.Getenv("CLAIMSMITH_AUTHORIZER")
	checker, ok := loaded.Checker(name)
	if !ok {
		return nil, fmt.Errorf("CLAIMSMITH_AUTHORIZER is %q; the policy has %s", name, strings.Join(loaded.CheckerNames(), ", "))
	}
	invalid, err := oneOf("CLAIMSMITH_INVALID_TOKEN", Forbidden, Unauthorized)
	if err != nil {
		return nil, err
	}
	response, err := oneOf("CLAIMSMITH_RESPONSE", Simple, IAMPolicy)
	if err != nil {
		return nil, err
	}
	challenge, err := oneOf("CLAIMSMITH_WWW_AUTHENTICATE", "false", "true")
	if err != nil {
		return nil, err
	}
	sources := DefaultSources
	if list := os.Getenv("CLAIMSMITH_TOKEN_SOURCES"); list != "" {
		if sources, err = ParseSources(list); err != nil {
			return nil, fmt.Errorf("CLAIMSMITH_TOKEN_SOURCES: %w", err)
		}
	}
	if err := <-prefetched; err != nil {
		logger.Warn("keys", "error", err.Error())
	}
	h := &Handler{
		Verifier:        verifier,
		Checker:         checker,
		Params:          params,
		Sources:         sources,
		InvalidToken:    invalid,
		Response:        response,
		WWWAuthenticate: challenge == "true",
		Hooks:           hooks,
		Logger:          logger,
	}
	if meter != nil {
		h.Observe = func(o Observation) { o.measure(meter) }
	}
	return h, nil
}

// oneOf reads an environment variable that has one of the given values, of which the first is the default.
func oneOf[T ~string](name string, values ...T) (T, error) {
	value := T(os.Getenv(name))
	if value == "" {
		return values[0], nil
	}
	if !slices.Contains(values, value) {
		return "", fmt.Errorf("%s is %q; allowed are %q", name, value, values)
	}
	return value, nil
}
