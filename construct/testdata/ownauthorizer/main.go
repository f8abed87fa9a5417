// Command ownauthorizer is a user's own authorizer: code of theirs that may refuse what the policy allows.
package main

import (
	"context"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func main() {
	apigw.Start(func(_ context.Context, claims map[string]any, _ program.Request) (string, error) {
		if claims["client_id"] == "retired" {
			return "this client is retired", nil
		}
		return "", nil
	})
}
