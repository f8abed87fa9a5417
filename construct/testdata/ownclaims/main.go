// Command ownclaims is a user's own claims function: code of theirs beside the policy.
package main

import (
	"context"

	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func main() {
	pretoken.Start(pretoken.Hook(func(_ context.Context, in program.SignIn, out *program.Minted) error {
		out.Access["staff"] = in.Attributes["email"] != ""
		return nil
	}))
}
