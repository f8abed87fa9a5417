// Command claims is the pre token generation trigger: it puts the policy's claims into tokens.
//
// The construct bundles it with the policy, as policy.json beside the executable, and sets its environment:
// CLAIMSMITH_TRIGGER_VERSION, the version of the trigger that the pool calls it with, and CLAIMSMITH_PARAM_<name> for
// each of the policy's params.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/internal/boot"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

func main() {
	handler, err := handler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "claims:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

func handler() (*pretoken.Handler, error) {
	// What the event says about its version is not relied upon: the pool's configuration decides which answer it takes.
	if version := os.Getenv("CLAIMSMITH_TRIGGER_VERSION"); version != "V2_0" && version != "V3_0" {
		return nil, fmt.Errorf("CLAIMSMITH_TRIGGER_VERSION is %q; allowed are V2_0 and V3_0", version)
	}
	program, err := boot.Policy()
	if err != nil {
		return nil, err
	}
	params, err := boot.Params(os.Environ(), program.Params())
	if err != nil {
		return nil, err
	}
	logger := boot.Logger(os.Stdout, os.Getenv("AWS_LAMBDA_LOG_LEVEL"))
	return &pretoken.Handler{Program: program, Params: params, Logger: logger}, nil
}
