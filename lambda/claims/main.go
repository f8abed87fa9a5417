// Command claims is the pre token generation trigger: it puts the policy's claims into tokens. The construct bundles it
// for a policy without lookups; the command claimslookup is the one for a policy with lookups.
package main

import "github.com/claimsmith/claimsmith/lambda/pretoken"

func main() { pretoken.Start() }
