// Command crossstack has its users in one stack, and an API that admits them in another.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	users := awscdk.NewStack(app, jsii.String("Users"), nil)
	auth := construct.NewTokenClaims(users, "Auth", &construct.TokenClaimsProps{
		Policy:        construct.PolicyFile("claims.yaml"),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		UserPoolProps: &awscognito.UserPoolProps{CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		}},
	})
	auth.AddClient("Web", nil)

	web := awscdk.NewStack(app, jsii.String("Api"), nil)
	api := awsapigatewayv2.NewHttpApi(web, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
	api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path:    jsii.String("/companies/{companyId}/documents/{id}"),
		Methods: &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod_PUT},
		Integration: awsapigatewayv2integrations.NewHttpUrlIntegration(jsii.String("Backend"),
			jsii.String("https://documents.example.com/{id}"), nil),
	})
	app.Synth(nil)
}
