package construct_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func ExampleNewTokenClaims() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
		UserPoolProps: &awscognito.UserPoolProps{CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		}},
	})
	auth.AddClient("Web", nil)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func ExamplePolicyValue() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyValue(policy.Policy{
			Claims: map[string]policy.Claim{"country_id": {Value: "uk"}},
			Authorizers: map[string]policy.Authorizer{
				"Documents": {Default: []policy.Rule{{Rule: "claims.country_id == 'uk'", Message: "another country"}}},
			},
		}),
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS, // no threat protection
	})
}
