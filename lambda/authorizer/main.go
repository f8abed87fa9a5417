// Command authorizer is the Lambda authorizer of an API: it verifies access tokens and enforces one of the policy's
// authorizers. The construct bundles it.
package main

import "github.com/claimsmith/claimsmith/lambda/apigw"

func main() { apigw.Start() }
