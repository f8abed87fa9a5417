// Command ownclaims is a user's own claims function: code of theirs beside the policy.
package main

import (
	"context"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

func main() {
	pretoken.Start(pretoken.Hook(func(_ context.Context, in policy.SignIn, out *policy.Minted) error {
		out.Access["staff"] = in.Attributes["email"] != ""
		return nil
	}))
}
