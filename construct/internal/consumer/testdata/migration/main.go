// The app of somebody on the way out of ID tokens; the context key "step" is that of docs/migrating.md.
package main

import (
	"runtime"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Migration"), nil)
	step := app.Node().TryGetContext(jsii.String("step")).(string)
	architecture := map[string]awslambda.Architecture{"amd64": awslambda.Architecture_X86_64(), "arm64": awslambda.Architecture_ARM_64()}[runtime.GOARCH]

	plan, version := awscognito.FeaturePlan_ESSENTIALS, awscognito.LambdaVersion_V2_0
	if step == "1" {
		plan, version = awscognito.FeaturePlan_LITE, awscognito.LambdaVersion_V1_0
	}
	pool := awscognito.NewUserPool(stack, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan:   plan,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		},
	})
	web := pool.AddClient(jsii.String("Web"), &awscognito.UserPoolClientOptions{
		AuthFlows: &awscognito.AuthFlow{UserPassword: jsii.Bool(true)},
	})
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:          construct.PolicyFile("step" + step + ".yaml"),
		UserPool:        pool,
		LambdaVersion:   version,
		Architecture:    architecture,
		ResultsCacheTtl: new(time.Duration), // a local AWS may not know what decisions are keyed on
	})
	auth.AcceptPool(pool, web)

	output := func(id string, value *string) {
		awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value})
	}
	output("PoolId", pool.UserPoolId())
	output("ClientId", web.UserPoolClientId())
	if step == "3" || step == "6" {
		backend := awslambda.NewFunction(stack, jsii.String("Backend"), &awslambda.FunctionProps{
			Runtime: awslambda.Runtime_NODEJS_22_X(),
			Handler: jsii.String("index.handler"),
			Code:    awslambda.Code_FromInline(jsii.String("exports.handler = async () => ({statusCode: 200, body: 'documents'})")),
		})
		api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
			DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
		})
		api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path:        jsii.String("/documents"),
			Methods:     &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod_GET},
			Integration: awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Backend"), backend, nil),
		})
		output("ApiId", api.ApiId())
	}
	app.Synth(nil)
}
