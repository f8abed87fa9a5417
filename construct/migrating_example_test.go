package construct_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// The functions in this file are the examples of docs/migrating.md, see TestExamplesOfTheDocuments.

func idTokensAlone(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	pool := awscognito.NewUserPool(stack, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_LITE,
		// gone: LambdaTriggers: &awscognito.UserPoolTriggers{PreTokenGeneration: handwritten},
	})
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:        construct.PolicyFile("idtokens.yaml"),
		UserPool:      pool,
		LambdaVersion: awscognito.LambdaVersion_V1_0,
	})
	auth.AcceptPool(pool, pool.AddClient(jsii.String("Web"), nil))
}

func bothTokens(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	pool := awscognito.NewUserPool(stack, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
	})
	web := pool.AddClient(jsii.String("Web"), nil)

	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:   construct.PolicyFile("claims.yaml"),
		UserPool: pool,
	})
	auth.AcceptPool(pool, web)

	// As before: it takes ID tokens, and access tokens too.
	native := awsapigatewayv2authorizers.NewHttpUserPoolAuthorizer(jsii.String("Native"), pool,
		&awsapigatewayv2authorizers.HttpUserPoolAuthorizerProps{UserPoolClients: &[]awscognito.IUserPoolClient{web}})
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{DefaultAuthorizer: native})
}

func ownAuthorizer(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	pool := awscognito.NewUserPool(stack, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
	})
	web := pool.AddClient(jsii.String("Web"), nil)

	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:   construct.PolicyFile("claims.yaml"),
		UserPool: pool,
	})
	auth.AcceptPool(pool, web)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}
