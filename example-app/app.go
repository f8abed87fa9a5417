package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// newDocumentsStack is the document API: users, the API's routes, and the policy that says who may do what.
//
// Two context keys change it, `cdk deploy --context key=value`; neither is needed on AWS:
//
//   - architecture: arm64 (the default) or x86_64, what the functions are built for. A local AWS runs them on this
//     machine, so `make demo` passes the machine's own.
//   - removalPolicy: retain (the default) or destroy, for a trial whose users shall go with the stack.
func newDocumentsStack(scope constructs.Construct, id string) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(id), nil)
	architecture := context(stack, "architecture", map[string]awslambda.Architecture{
		"arm64":  awslambda.Architecture_ARM_64(),
		"x86_64": awslambda.Architecture_X86_64(),
	}, "arm64")
	removal := context(stack, "removalPolicy", map[string]awscdk.RemovalPolicy{
		"retain":  awscdk.RemovalPolicy_RETAIN,
		"destroy": awscdk.RemovalPolicy_DESTROY,
	}, "retain")

	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:        construct.PolicyFile("example-app/claims.yaml"), // relative to the folder of cdk.json
		Architecture:  architecture,
		RemovalPolicy: removal,
		UserPoolProps: &awscognito.UserPoolProps{
			CustomAttributes: &map[string]awscognito.ICustomAttribute{
				"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
				"partner_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
			},
		},
	})
	awscdk.Annotations_Of(auth).AcknowledgeWarning(jsii.String("claimsmith:policy:adminScopeSuppressed"),
		jsii.String("users are not to change their own attributes"))
	client := auth.AddClient("Web", &awscognito.UserPoolClientOptions{
		// USER_PASSWORD_AUTH sends the password to Cognito, so that a sign-in is one call of the AWS CLI, which is what
		// the demo does. A real web app uses SRP, the default when AuthFlows is left out, or managed login.
		AuthFlows: &awscognito.AuthFlow{UserPassword: jsii.Bool(true), UserSrp: jsii.Bool(true)},
	})

	backend := awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Backend"),
		awslambda.NewFunction(stack, jsii.String("Backend"), &awslambda.FunctionProps{
			Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
			Handler:      jsii.String("bootstrap"),
			Architecture: architecture,
			Code:         construct.GoCode(stack, "./example-app/backend", architecture),
		}), nil)
	api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
	route := func(method awsapigatewayv2.HttpMethod, path string, authorizer awsapigatewayv2.IHttpRouteAuthorizer) {
		api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path:        jsii.String(path),
			Methods:     &[]awsapigatewayv2.HttpMethod{method},
			Integration: backend,
			Authorizer:  authorizer, // nil: the API's default
		})
	}
	route(awsapigatewayv2.HttpMethod_GET, "/health", awsapigatewayv2.NewHttpNoneAuthorizer()) // open to everybody
	route(awsapigatewayv2.HttpMethod_GET, "/documents", nil)
	route(awsapigatewayv2.HttpMethod_PUT, "/documents/{id}", nil)
	route(awsapigatewayv2.HttpMethod_GET, "/companies/{companyId}/audit", nil)

	output := func(id string, value *string, description string) {
		awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
	}
	output("ApiUrl", api.ApiEndpoint(), "Where the API is")
	output("ApiId", api.ApiId(), "The API's id")
	output("UserPoolId", auth.UserPool().UserPoolId(), "Where the users are")
	output("ClientId", client.UserPoolClientId(), "What users sign in with")
	output("AuthorizerLogGroup", auth.AuthorizerFunction("Documents").LogGroup().LogGroupName(),
		"Where it says why a request was refused")
	return stack
}

// context is the choice that the CDK context key names, or the default when it is not set. It panics, as CDK does, when
// it names none.
func context[T any](scope constructs.Construct, key string, choices map[string]T, unset string) T {
	name, ok := scope.Node().TryGetContext(jsii.String(key)).(string)
	if !ok {
		name = unset
	}
	choice, ok := choices[name]
	if !ok {
		panic(fmt.Errorf("context %s is %q: want one of %v", key, name, slices.Sorted(maps.Keys(choices))))
	}
	return choice
}
