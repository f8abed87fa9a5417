package pretoken

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Option is something that a claim function can do besides the policy.
type Option interface{ apply(*Handler) error }

// LookupFunc fetches what a policy's lookups ask for. It returns something for each request, and does not outlast the
// context.
type LookupFunc func(context.Context, []program.LookupRequest) map[string]program.Found

// WithLookups fetches the rows of the policy's lookups with what open returns when the function starts. It is what the
// package lookup is made of.
func WithLookups(open func() (LookupFunc, error)) Option { return lookups(open) }

type lookups func() (LookupFunc, error)

func (open lookups) apply(h *Handler) (err error) {
	h.Lookup, err = open()
	return err
}

// Start runs a claim function: it is all that its main has to call. The policy is the file program.json beside the
// executable, which the construct bundles; the construct also sets the environment: CLAIMSMITH_TRIGGER_VERSION, the
// version of the trigger that the pool calls it with, CLAIMSMITH_PARAM_<name> for each of the policy's params, and
// CLAIMSMITH_METRICS_NAMESPACE, the CloudWatch namespace of the metrics that are written, of which there are none without it.
//
// What stands in the way of starting goes to the standard error and ends the process, so that no sign-in succeeds.
// [slog.Default] becomes the function's logger.
func Start(options ...Option) {
	handler, err := fromEnvironment(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "claims:", err)
		os.Exit(1)
	}
	slog.SetDefault(handler.Logger)
	lambda.Start(handler)
}

func fromEnvironment(options []Option) (*Handler, error) {
	version := os.Getenv("CLAIMSMITH_TRIGGER_VERSION")
	if version != V1 && version != "V2_0" && version != "V3_0" {
		return nil, fmt.Errorf("CLAIMSMITH_TRIGGER_VERSION is %q; allowed are V1_0, V2_0 and V3_0", version)
	}
	loaded, err := boot.Program()
	if err != nil {
		return nil, err
	}
	if version == V1 && loaded.ShapesAccessTokens() {
		return nil, errors.New("CLAIMSMITH_TRIGGER_VERSION is V1_0, which cannot shape access tokens as the policy does; use V2_0 or V3_0")
	}
	params, err := boot.Params(os.Environ(), loaded.Params())
	if err != nil {
		return nil, err
	}
	h := &Handler{Program: loaded, Params: params, Version: version, Logger: boot.Logger(os.Stdout, os.Getenv("AWS_LAMBDA_LOG_LEVEL"))}
	if meter := boot.Metrics(os.Stdout); meter != nil {
		h.Observe = func(o Observation) { o.measure(meter) }
	}
	for _, option := range options {
		if err := option.apply(h); err != nil {
			return nil, err
		}
	}
	if len(loaded.Tables()) > 0 && h.Lookup == nil {
		return nil, errors.New("the policy has lookups, which this function does not make: call pretoken.Start(lookup.DynamoDB())")
	}
	if names := loaded.CodeClaims(); len(names) > 0 && len(h.Hooks) == 0 {
		return nil, fmt.Errorf("the policy says that code sets %q, but this function has no hook: call pretoken.Start(pretoken.Hook(…))", names)
	}
	return h, nil
}
