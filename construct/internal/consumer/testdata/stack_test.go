package main

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
)

func TestMain(m *testing.M) { snapshot.Main(m) }

func TestStack(t *testing.T) {
	stack := awscdk.NewStack(snapshot.NewApp(t, "cdk.json", nil), jsii.String("Documents"), nil)
	construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{Policy: construct.PolicyFile("claims.yaml")})
	snapshot.Match(t, stack, "testdata/documents.template.json")
}
