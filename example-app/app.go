package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// newDocumentsStack is the document API: users and a machine, the table of what companies subscribed to, the API's routes, and
// the policy that says who may do what. The API is there twice, as an HTTP API and as a REST API, of which a real app would
// have one; and a WebSocket API tells of changes.
//
// Four context keys change it, `cdk deploy --context key=value`; none is needed on AWS:
//
//   - architecture: arm64 (the default) or x86_64, what the functions are built for. A local AWS runs them on this
//     machine, so `make demo` passes the machine's own.
//   - removalPolicy: retain (the default) or destroy, for a trial whose users and subscriptions shall go with the stack.
//   - authorizerCache: on (the default) or off. A local AWS may not know what decisions are keyed on.
//   - policy: the policy's file, relative to the folder of cdk.json. The default is example-app/claims.yaml; `make demo`
//     deploys copies with other dates.
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
	cacheTTL := context(stack, "authorizerCache", map[string]*time.Duration{
		"on":  nil, // the construct's default
		"off": new(time.Duration),
	}, "on")
	policyFile, ok := stack.Node().TryGetContext(jsii.String("policy")).(string)
	if !ok {
		policyFile = "example-app/claims.yaml"
	}

	subscriptions := awsdynamodb.NewTableV2(stack, jsii.String("Subscriptions"), &awsdynamodb.TablePropsV2{
		PartitionKey:  &awsdynamodb.Attribute{Name: jsii.String("company_id"), Type: awsdynamodb.AttributeType_STRING},
		Billing:       awsdynamodb.Billing_OnDemand(nil),
		RemovalPolicy: removal,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
	})
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:          construct.PolicyFile(policyFile),
		LookupTables:    map[string]awsdynamodb.ITable{"subscriptions": subscriptions},
		LambdaVersion:   awscognito.LambdaVersion_V3_0, // the policy is asked about machines' tokens too
		Architecture:    architecture,
		RemovalPolicy:   removal,
		ResultsCacheTtl: cacheTTL,
		// Browsers can set no header when they open a WebSocket.
		TokenSources: map[string][]construct.TokenSource{"Changes": {construct.TokenInSubprotocol()}},
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
	importer := auth.AddMachineClient("Importer", []string{"documents/import"}, nil)
	domain := auth.UserPool().AddDomain(jsii.String("Domain"), &awscognito.UserPoolDomainOptions{
		CognitoDomain: &awscognito.CognitoDomainOptions{DomainPrefix: uniquePrefix("documents")},
	})

	backend := awslambda.NewFunction(stack, jsii.String("Backend"), &awslambda.FunctionProps{
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Handler:      jsii.String("bootstrap"),
		Architecture: architecture,
		Code:         construct.GoCode(stack, "./example-app/backend", architecture),
	})
	httpAPI := newHTTPAPI(stack, auth.HttpAuthorizer("Documents"), backend)
	restAPI := newRESTAPI(stack, auth.RestAuthorizer("Documents"), backend)
	changes := newWebSocketAPI(stack, auth.WebSocketAuthorizer("Changes"), backend)

	output := func(id string, value *string, description string) {
		awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
	}
	output("ApiUrl", httpAPI.ApiEndpoint(), "Where the HTTP API is")
	output("ApiId", httpAPI.ApiId(), "The HTTP API's id")
	output("RestApiUrl", restAPI.Url(), "Where the REST API is")
	output("RestApiId", restAPI.RestApiId(), "The REST API's id")
	output("ChangesUrl", changes.Url(), "Where the WebSocket API is")
	output("ChangesApiId", changes.Api().ApiId(), "The WebSocket API's id")
	output("UserPoolId", auth.UserPool().UserPoolId(), "Where the users are")
	output("ClientId", client.UserPoolClientId(), "What users sign in with")
	output("ImporterClientId", importer.UserPoolClientId(), "What the machine signs in with, beside its secret")
	output("TokenUrl", jsii.String(*domain.BaseUrl(nil)+"/oauth2/token"), "Where the machine gets its tokens")
	output("SubscriptionsTable", subscriptions.TableName(), "Where the companies' tiers are")
	output("AuthorizerLogGroup", auth.AuthorizerFunction("Documents").LogGroup().LogGroupName(),
		"Where it says why a request was refused")
	output("ChangesLogGroup", auth.AuthorizerFunction("Changes").LogGroup().LogGroupName(),
		"Where it says why a WebSocket was refused")
	return stack
}

// uniquePrefix is a prefix for a domain that nobody else has, which Cognito demands: the name with the id that CloudFormation
// gave the stack.
func uniquePrefix(name string) *string {
	parts := awscdk.Fn_Split(jsii.String("/"), awscdk.Aws_STACK_ID(), nil) // arn:…:stack/name/id
	return jsii.String(name + "-" + *awscdk.Fn_Select(jsii.Number(2), parts))
}

// newHTTPAPI is the document API as an HTTP API.
func newHTTPAPI(stack awscdk.Stack, authorizer awsapigatewayv2.IHttpRouteAuthorizer, backend awslambda.IFunction) awsapigatewayv2.HttpApi {
	integration := awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Backend"), backend, nil)
	api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{DefaultAuthorizer: authorizer})
	route := func(method awsapigatewayv2.HttpMethod, path string, authorizer awsapigatewayv2.IHttpRouteAuthorizer) {
		api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path:        jsii.String(path),
			Methods:     &[]awsapigatewayv2.HttpMethod{method},
			Integration: integration,
			Authorizer:  authorizer, // nil: the API's default
		})
	}
	route(awsapigatewayv2.HttpMethod_GET, "/health", awsapigatewayv2.NewHttpNoneAuthorizer()) // open to everybody
	route(awsapigatewayv2.HttpMethod_GET, "/documents", nil)
	route(awsapigatewayv2.HttpMethod_PUT, "/documents/{id}", nil)
	route(awsapigatewayv2.HttpMethod_GET, "/companies/{companyId}/audit", nil)
	route(awsapigatewayv2.HttpMethod_GET, "/reports", nil)
	route(awsapigatewayv2.HttpMethod_POST, "/imports", nil)
	return api
}

// newRESTAPI is the document API as a REST API.
func newRESTAPI(stack awscdk.Stack, authorizer awsapigateway.IAuthorizer, backend awslambda.IFunction) awsapigateway.RestApi {
	api := awsapigateway.NewRestApi(stack, jsii.String("RestApi"), &awsapigateway.RestApiProps{
		DefaultIntegration:   awsapigateway.NewLambdaIntegration(backend, nil),
		DefaultMethodOptions: &awsapigateway.MethodOptions{Authorizer: authorizer},
		CloudWatchRole:       jsii.Bool(false),
	})
	method := func(name, path string, options *awsapigateway.MethodOptions) {
		api.Root().ResourceForPath(jsii.String(path)).AddMethod(jsii.String(name), nil, options) // nil: the API's defaults
	}
	method("GET", "/health", &awsapigateway.MethodOptions{AuthorizationType: awsapigateway.AuthorizationType_NONE}) // open to everybody
	method("GET", "/documents", nil)
	method("PUT", "/documents/{id}", nil)
	method("GET", "/companies/{companyId}/audit", nil)
	method("GET", "/reports", nil)
	method("POST", "/imports", nil)
	return api
}

// newWebSocketAPI is where clients wait to be told of changes.
func newWebSocketAPI(
	stack awscdk.Stack, authorizer awsapigatewayv2.IWebSocketRouteAuthorizer, backend awslambda.IFunction,
) awsapigatewayv2.WebSocketStage {
	api := awsapigatewayv2.NewWebSocketApi(stack, jsii.String("ChangesApi"), &awsapigatewayv2.WebSocketApiProps{
		ConnectRouteOptions: &awsapigatewayv2.WebSocketRouteOptions{
			Integration: awsapigatewayv2integrations.NewWebSocketLambdaIntegration(jsii.String("Backend"), backend, nil),
			Authorizer:  authorizer,
		},
	})
	return awsapigatewayv2.NewWebSocketStage(stack, jsii.String("ChangesStage"), &awsapigatewayv2.WebSocketStageProps{
		WebSocketApi: api, StageName: jsii.String("live"), AutoDeploy: jsii.Bool(true),
	})
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
