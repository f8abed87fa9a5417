// Command attach is the custom resource that makes the claims function the trigger of a user pool which is not the
// stack's own. It runs only while the stack is deployed.
//
// The construct sets its environment: CLAIMSMITH_URL_SUFFIX, the partition's domain, such as amazonaws.com. Cognito is
// reached elsewhere when AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER or AWS_ENDPOINT_URL is set, as with the AWS SDKs.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/claimsmith/claimsmith/lambda/internal/pooltrigger"
)

func main() { lambda.Start(handler().Handle) }

func handler() *pooltrigger.Handler {
	client := &http.Client{Timeout: 10 * time.Second}
	region := os.Getenv("AWS_REGION")
	return &pooltrigger.Handler{
		Cognito: &pooltrigger.Client{
			Endpoint: cmp.Or(os.Getenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"), os.Getenv("AWS_ENDPOINT_URL"),
				"https://cognito-idp."+region+"."+cmp.Or(os.Getenv("CLAIMSMITH_URL_SUFFIX"), "amazonaws.com")),
			Region:      region,
			Credentials: credentials,
			HTTP:        client,
			Now:         time.Now,
		},
		HTTP:   client,
		Sleep:  sleep,
		Logger: slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: lambdacontext.ReplaceAttr})),
	}
}

// credentials are those of the function's role, where Lambda puts them.
func credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
