package main

import (
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy/policytest"
)

func TestClaims(t *testing.T) { policytest.Run(t, "claims.yaml", "claims_test.yaml") }
