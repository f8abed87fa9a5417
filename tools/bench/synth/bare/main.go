// Command bare is the example app without Claimsmith: the same resources, made with CDK alone. It is what make bench-synth
// compares with, and shows what Claimsmith spares one.
//
// CODE is a list of the zip files of the claim function, the authorizer and the backend.
package main

import (
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	code := filepath.SplitList(os.Getenv("CODE"))

	pool := awscognito.NewUserPool(stack, jsii.String("UserPool"), &awscognito.UserPoolProps{
		FeaturePlan:                  awscognito.FeaturePlan_PLUS,
		StandardThreatProtectionMode: awscognito.StandardThreatProtectionMode_FULL_FUNCTION,
		CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
			"partner_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		},
	})
	subscriptions := awsdynamodb.NewTableV2(stack, jsii.String("Subscriptions"), &awsdynamodb.TablePropsV2{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("company_id"), Type: awsdynamodb.AttributeType_STRING},
	})
	claims := newFunction(stack, "ClaimsFunction", code[0], nil)
	pool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION_CONFIG(), claims, awscognito.LambdaVersion_V3_0)
	client := pool.AddClient(jsii.String("Web"), &awscognito.UserPoolClientOptions{DisableOAuth: jsii.Bool(true)})
	scope := awscognito.NewResourceServerScope(&awscognito.ResourceServerScopeProps{
		ScopeName: jsii.String("import"), ScopeDescription: jsii.String("Import documents"),
	})
	server := pool.AddResourceServer(jsii.String("Server"), &awscognito.UserPoolResourceServerOptions{
		Identifier: jsii.String("documents"), Scopes: &[]awscognito.ResourceServerScope{scope},
	})
	pool.AddClient(jsii.String("Importer"), &awscognito.UserPoolClientOptions{
		GenerateSecret: jsii.Bool(true),
		OAuth: &awscognito.OAuthSettings{
			Flows:  &awscognito.OAuthFlows{ClientCredentials: jsii.Bool(true)},
			Scopes: &[]awscognito.OAuthScope{awscognito.OAuthScope_ResourceServer(server, scope)},
		},
	})
	pool.AddDomain(jsii.String("Domain"), &awscognito.UserPoolDomainOptions{
		CognitoDomain: &awscognito.CognitoDomainOptions{DomainPrefix: jsii.String("documents-example")},
	})
	environment := map[string]*string{"POOL": pool.UserPoolId(), "CLIENT": client.UserPoolClientId()}
	subscriptions.Grant(claims, jsii.String("dynamodb:GetItem"))
	documents := newFunction(stack, "DocumentsAuthorizer", code[1], &environment)
	changes := newFunction(stack, "ChangesAuthorizer", code[1], &environment)
	backend := awslambda.NewFunction(stack, jsii.String("Backend"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"),
		Architecture: awslambda.Architecture_ARM_64(), Code: awslambda.Code_FromAsset(jsii.String(code[2]), nil),
	})

	httpAPI(stack, documents, backend)
	restAPI(stack, documents, backend)
	webSocketAPI(stack, changes, backend)
	for _, id := range []string{"ApiUrl", "ApiId", "RestApiUrl", "RestApiId", "ChangesUrl", "ChangesApiId", "UserPoolId", "ClientId",
		"ImporterClientId", "TokenUrl", "SubscriptionsTable", "Logs", "OtherLogs"} {
		awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: pool.UserPoolId()})
	}
	app.Synth(nil)
}

func newFunction(stack awscdk.Stack, id, code string, environment *map[string]*string) awslambda.Function {
	logs := awslogs.NewLogGroup(stack, jsii.String(id+"Logs"), &awslogs.LogGroupProps{Retention: awslogs.RetentionDays_THREE_MONTHS})
	role := awsiam.NewRole(stack, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs.GrantWrite(role)
	return awslambda.NewFunction(stack, jsii.String(id), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"), Architecture: awslambda.Architecture_ARM_64(),
		Code: awslambda.Code_FromAsset(jsii.String(code), nil), Tracing: awslambda.Tracing_ACTIVE, LogGroup: logs, Role: role, Environment: environment,
	})
}

func httpAPI(stack awscdk.Stack, authorizer, backend awslambda.Function) {
	integration := awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Backend"), backend, nil)
	api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: awsapigatewayv2authorizers.NewHttpLambdaAuthorizer(jsii.String("Authorizer"), authorizer,
			&awsapigatewayv2authorizers.HttpLambdaAuthorizerProps{
				ResponseTypes: &[]awsapigatewayv2authorizers.HttpLambdaResponseType{awsapigatewayv2authorizers.HttpLambdaResponseType_SIMPLE},
			}),
	})
	route := func(method awsapigatewayv2.HttpMethod, path string, authorizer awsapigatewayv2.IHttpRouteAuthorizer) {
		api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: jsii.String(path), Methods: &[]awsapigatewayv2.HttpMethod{method}, Integration: integration, Authorizer: authorizer,
		})
	}
	route(awsapigatewayv2.HttpMethod_GET, "/health", awsapigatewayv2.NewHttpNoneAuthorizer())
	route(awsapigatewayv2.HttpMethod_GET, "/documents", nil)
	route(awsapigatewayv2.HttpMethod_PUT, "/documents/{id}", nil)
	route(awsapigatewayv2.HttpMethod_GET, "/companies/{companyId}/audit", nil)
	route(awsapigatewayv2.HttpMethod_GET, "/reports", nil)
	route(awsapigatewayv2.HttpMethod_POST, "/imports", nil)
}

func restAPI(stack awscdk.Stack, authorizer, backend awslambda.Function) {
	api := awsapigateway.NewRestApi(stack, jsii.String("RestApi"), &awsapigateway.RestApiProps{
		DefaultIntegration: awsapigateway.NewLambdaIntegration(backend, nil),
		DefaultMethodOptions: &awsapigateway.MethodOptions{
			Authorizer: awsapigateway.NewRequestAuthorizer(stack, jsii.String("RestAuthorizer"), &awsapigateway.RequestAuthorizerProps{
				Handler: authorizer, IdentitySources: jsii.Strings(*awsapigateway.IdentitySource_Header(jsii.String("Authorization"))),
			}),
		},
		CloudWatchRole: jsii.Bool(false),
	})
	method := func(name, path string, options *awsapigateway.MethodOptions) {
		api.Root().ResourceForPath(jsii.String(path)).AddMethod(jsii.String(name), nil, options)
	}
	method("GET", "/health", &awsapigateway.MethodOptions{AuthorizationType: awsapigateway.AuthorizationType_NONE})
	method("GET", "/documents", nil)
	method("PUT", "/documents/{id}", nil)
	method("GET", "/companies/{companyId}/audit", nil)
	method("GET", "/reports", nil)
	method("POST", "/imports", nil)
}

func webSocketAPI(stack awscdk.Stack, authorizer, backend awslambda.Function) {
	api := awsapigatewayv2.NewWebSocketApi(stack, jsii.String("ChangesApi"), &awsapigatewayv2.WebSocketApiProps{
		ConnectRouteOptions: &awsapigatewayv2.WebSocketRouteOptions{
			Integration: awsapigatewayv2integrations.NewWebSocketLambdaIntegration(jsii.String("Backend"), backend, nil),
			Authorizer:  awsapigatewayv2authorizers.NewWebSocketLambdaAuthorizer(jsii.String("Authorizer"), authorizer, nil),
		},
	})
	awsapigatewayv2.NewWebSocketStage(stack, jsii.String("ChangesStage"), &awsapigatewayv2.WebSocketStageProps{
		WebSocketApi: api, StageName: jsii.String("live"), AutoDeploy: jsii.Bool(true),
	})
}
