// Command claimslookup is the pre token generation trigger for a policy with lookups: the command claims, and the AWS
// SDK.
package main

import (
	"github.com/claimsmith/claimsmith/lambda/lookup"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

func main() { pretoken.Start(lookup.DynamoDB()) }
