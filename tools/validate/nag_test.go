package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestMain(m *testing.M) { snapshot.Main(m) }

// nagFindings are what cdk-nag's rule pack AwsSolutions says of the stack: the construct's path, a blank, the rule's id.
func nagFindings(stack awscdk.Stack) []string {
	awscdk.Aspects_Of(stack).Add(cdknag.NewAwsSolutionsChecks(nil), nil)
	annotations := assertions.Annotations_FromStack(stack)
	found := map[string]bool{}
	for _, m := range slices.Concat(*annotations.FindError(jsii.String("*"), assertions.Match_AnyValue()),
		*annotations.FindWarning(jsii.String("*"), assertions.Match_AnyValue())) {
		text := fmt.Sprint(m.Entry.Data)
		if at := strings.Index(text, "AwsSolutions-"); at >= 0 {
			rule, _, _ := strings.Cut(text[at:], ": ")
			found[strings.TrimPrefix(*m.Id, "/Stack/")+" "+rule] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// acceptedNag are the findings that are meant, by the end of the construct's path and the rule, and why.
var acceptedNag = map[string]string{
	"Auth/UserPool/Resource AwsSolutions-COG2": "a second factor is on offer to everybody and not forced on anybody, since users who have none could not " +
		"sign in any more; UserPoolProps.Mfa changes that",
	"Role/DefaultPolicy/Resource AwsSolutions-IAM5[Resource::*]": "the two actions of X-Ray know no resources: " +
		"https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
	"Rest/Default/GET/Resource AwsSolutions-COG4": "the rule wants a COGNITO_USER_POOLS authorizer, which takes ID tokens; ours takes access tokens",

	"Api/DefaultStage/Resource AwsSolutions-APIG1":          "of the API, which is the user's",
	"Rest/DeploymentStage.prod/Resource AwsSolutions-APIG1": "of the API, which is the user's",
	"Rest/DeploymentStage.prod/Resource AwsSolutions-APIG3": "of the API, which is the user's",
	"Rest/DeploymentStage.prod/Resource AwsSolutions-APIG6": "of the API, which is the user's",
	"Rest/Resource AwsSolutions-APIG2":                      "of the API, which is the user's",
}

// unexpected are the findings that are not accepted; used gets the entries that are.
func unexpected(found []string, used map[string]bool) []string {
	return slices.DeleteFunc(found, func(f string) bool {
		for accepted := range acceptedNag {
			if strings.HasSuffix(f, accepted) {
				used[accepted] = true
				return true
			}
		}
		return false
	})
}

func addDocuments(api awsapigatewayv2.HttpApi) {
	api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path:        jsii.String("/documents"),
		Integration: awsapigatewayv2integrations.NewHttpUrlIntegration(jsii.String("Backend"), jsii.String("https://example.com"), nil),
	})
}

// newStack is an API of each kind that the policy protects.
func newStack(t *testing.T, edit func(*construct.TokenClaimsProps)) (awscdk.Stack, construct.TokenClaims) {
	t.Helper()
	// Errors are to be listed, not to fail synth.
	context := map[string]any{"@aws-cdk/core:annotationsInValidationReport": false}
	stack := awscdk.NewStack(snapshot.NewApp(t, "../../cdk.json", context), jsii.String("Stack"), nil)
	rules := []policy.Rule{{Rule: "claims.country_id == 'uk'", Message: "another country"}}
	props := &construct.TokenClaimsProps{
		Policy: construct.PolicyValue(policy.Policy{
			Claims:      map[string]policy.Claim{"country_id": {Value: "uk"}},
			Authorizers: map[string]policy.Authorizer{"Documents": {Default: rules}, "Live": {Default: rules}},
		}),
	}
	if edit != nil {
		edit(props)
	}
	auth := construct.NewTokenClaims(stack, "Auth", props)
	auth.AddClient("Web", nil)

	addDocuments(awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	}))
	rest := awsapigateway.NewRestApi(stack, jsii.String("Rest"), &awsapigateway.RestApiProps{
		DefaultMethodOptions: &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Documents")},
	})
	rest.Root().AddMethod(jsii.String("GET"), nil, nil)
	awsapigatewayv2.NewWebSocketApi(stack, jsii.String("Live"), &awsapigatewayv2.WebSocketApiProps{
		ConnectRouteOptions: &awsapigatewayv2.WebSocketRouteOptions{
			Authorizer:  auth.WebSocketAuthorizer("Live"),
			Integration: awsapigatewayv2integrations.NewWebSocketMockIntegration(jsii.String("Connect"), nil),
		},
	})
	return stack, auth
}

func TestStackPassesNag(t *testing.T) {
	stack, _ := newStack(t, nil)
	used := map[string]bool{}
	for _, f := range unexpected(nagFindings(stack), used) {
		t.Error(f)
	}
	for entry := range acceptedNag {
		if !used[entry] {
			t.Errorf("%s is accepted, but nothing breaks it any more: take it out", entry)
		}
	}
}

// Each of these is a choice of the user's that CDK synthesizes without a word.
func TestNagFindsWhatItIsHereFor(t *testing.T) {
	for _, c := range []struct {
		name, want string
		props      func(*construct.TokenClaimsProps)
		do         func(awscdk.Stack, construct.TokenClaims)
	}{
		{"a short password", "Auth/UserPool/Resource AwsSolutions-COG1", func(p *construct.TokenClaimsProps) {
			p.UserPoolProps = &awscognito.UserPoolProps{PasswordPolicy: &awscognito.PasswordPolicy{MinLength: jsii.Number(6)}}
		}, nil},
		{"the plan below PLUS", "Auth/UserPool/Resource AwsSolutions-COG8", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS
		}, nil},
		{"an open API", "Open/ANY--documents/Resource AwsSolutions-APIG4", nil, func(stack awscdk.Stack, _ construct.TokenClaims) {
			addDocuments(awsapigatewayv2.NewHttpApi(stack, jsii.String("Open"), nil))
		}},
		{"a grant of everything", "Auth/ClaimsFunctionRole/DefaultPolicy/Resource AwsSolutions-IAM5[Action::s3:*]", nil,
			func(_ awscdk.Stack, auth construct.TokenClaims) {
				auth.ClaimsFunction().AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
					Actions: jsii.Strings("s3:*"), Resources: jsii.Strings("*"),
				}))
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack, auth := newStack(t, c.props)
			if c.do != nil {
				c.do(stack, auth)
			}
			if found := unexpected(nagFindings(stack), map[string]bool{}); !slices.Contains(found, c.want) {
				t.Errorf("found %q, want %s among it", found, c.want)
			}
		})
	}
}
