package construct_test

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// The functions in this file are the examples of docs/composition.md, letter by letter; TestCompositionExamples holds both
// together and synthesizes each.

func twoInOneStack(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	staff := construct.NewTokenClaims(stack, "Staff", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	partners := construct.NewTokenClaims(stack, "Partners", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	staff.AddClient("Web", nil)
	partners.AddClient("Web", nil)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("StaffApi"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: staff.HttpAuthorizer("Documents"),
	})
	awsapigatewayv2.NewHttpApi(stack, jsii.String("PartnersApi"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: partners.HttpAuthorizer("Documents"),
	})
}

func apisInOtherStacks(app awscdk.App) {
	identity := awscdk.NewStack(app, jsii.String("Identity"), nil)
	auth := construct.NewTokenClaims(identity, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	auth.AddClient("Web", nil)

	for _, name := range []string{"Documents", "Archive"} {
		stack := awscdk.NewStack(app, jsii.String(name), nil)
		awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
			DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
		})
	}
}

func poolInAnotherStack(app awscdk.App) {
	identity := awscdk.NewStack(app, jsii.String("Identity"), nil)
	pool := awscognito.NewUserPool(identity, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
	})

	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:   construct.PolicyFile("claims.yaml"),
		UserPool: pool,
	})
	auth.AddClient("Web", nil)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func nestedStacks(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	identity := awscdk.NewNestedStack(stack, jsii.String("Identity"), nil)
	auth := construct.NewTokenClaims(identity, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	auth.AddClient("Web", nil)

	documents := awscdk.NewNestedStack(stack, jsii.String("Documents"), nil)
	awsapigatewayv2.NewHttpApi(documents, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func stages(app awscdk.App) {
	for _, name := range []string{"Test", "Production"} {
		stage := awscdk.NewStage(app, jsii.String(name), nil)
		stack := awscdk.NewStack(stage, jsii.String("Documents"), nil)
		auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
			Policy: construct.PolicyFile("claims.yaml"),
		})
		auth.AddClient("Web", nil)
		awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
			DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
		})
	}
}

func mintedElsewhere(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:          construct.PolicyFile("claims.yaml"),
		MintedElsewhere: true,
	})
	auth.AcceptPool(
		awscognito.UserPool_FromUserPoolId(stack, jsii.String("Customers"), jsii.String("eu-west-1_Example")),
		awscognito.UserPoolClient_FromUserPoolClientId(stack, jsii.String("Web"), jsii.String("1example23456789")),
	)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func existingPool(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	pool := awscognito.NewUserPool(stack, jsii.String("Customers"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
		CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		},
	})
	client := pool.AddClient(jsii.String("Web"), nil) // has been there before

	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:   construct.PolicyFile("claims.yaml"),
		UserPool: pool,
	})
	auth.AcceptPool(pool, client)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func importedPool(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	pool := awscognito.UserPool_FromUserPoolId(stack, jsii.String("Customers"), jsii.String("eu-west-1_Example"))
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:   construct.PolicyFile("claims.yaml"),
		UserPool: pool,

		// Only if the pool has a pre token generation trigger now:
		ReplacedTriggerArn:     "arn:aws:lambda:eu-west-1:111122223333:function:handwritten",
		ReplacedTriggerVersion: awscognito.LambdaVersion_V1_0,
	})

	// Only if the pool sends SMS messages:
	sms := awsiam.Role_FromRoleName(stack, jsii.String("SmsRole"), jsii.String("customers-sms"), nil)
	sms.GrantPassRole(auth.AttachFunction().GrantPrincipal())

	auth.AcceptPool(pool, awscognito.UserPoolClient_FromUserPoolClientId(stack, jsii.String("Web"), jsii.String("1example23456789")))
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func severalPools(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	staff := construct.NewTokenClaims(stack, "Staff", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	partners := construct.NewTokenClaims(stack, "Partners", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	staff.AddClient("Web", nil)
	staff.AcceptPool(partners.UserPool(), partners.AddClient("Web", nil))
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: staff.HttpAuthorizer("Documents"),
	})
}

func network(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	timeout := 3 * time.Second
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:                          construct.PolicyFile("claims.yaml"),
		Vpc:                             awsec2.NewVpc(stack, jsii.String("Network"), nil),
		EncryptionKey:                   awskms.NewKey(stack, jsii.String("Key"), nil),
		MemorySize:                      512,
		Timeout:                         &timeout,
		ProvisionedConcurrentExecutions: 2,
	})
	auth.AddClient("Web", nil)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}

func governance(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	auth.AddClient("Web", nil)

	boundary := awsiam.ManagedPolicy_FromManagedPolicyName(stack, jsii.String("Boundary"), jsii.String("workloads"))
	awsiam.PermissionsBoundary_Of(auth).Apply(boundary)
	awscdk.Tags_Of(auth).Add(jsii.String("team"), jsii.String("identity"), nil)
}

func operations(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
	})
	auth.AddClient("Web", nil)

	onboarding := awslambda.NewFunction(stack, jsii.String("Onboarding"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(),
		Handler: jsii.String("bootstrap"),
		Code:    construct.GoCode(stack, "./onboarding", nil),
	})
	auth.GrantManageUsers(onboarding)

	// Each error is somebody who could not sign in, or not stay signed in.
	auth.MetricClaimsErrors(nil).CreateAlarm(stack, jsii.String("SignInsFail"), &awscloudwatch.CreateAlarmOptions{
		Threshold:          jsii.Number(1),
		EvaluationPeriods:  jsii.Number(1),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
	})
	auth.MetricAuthorizerErrors("Documents", nil).CreateAlarm(stack, jsii.String("AuthorizerFails"), &awscloudwatch.CreateAlarmOptions{
		Threshold:         jsii.Number(5),
		EvaluationPeriods: jsii.Number(3),
		TreatMissingData:  awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
}
