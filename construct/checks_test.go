package construct_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2actions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestContradictionsOfCompositionAreRefused(t *testing.T) {
	f := newFixture(t)
	created := awscognito.NewUserPool(f.stack, jsii.String("Pool"), nil)
	imported := f.importedPool("Imported", "eu-west-1_Example")
	timeout := func(d time.Duration) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) { p.Timeout = &d }
	}
	const lite = "props.FeaturePlan is LITE, which cannot customise access tokens (trigger %s): use ESSENTIALS, or PLUS with threat protection"
	for _, c := range []propsCase{
		{"created pool", func(p *construct.TokenClaimsProps) { p.UserPool = created }, ""},
		{"imported pool", func(p *construct.TokenClaimsProps) { p.UserPool = imported }, ""},
		{"minted elsewhere", func(p *construct.TokenClaimsProps) { p.MintedElsewhere = true }, ""},
		{"tables for a function that is elsewhere", func(p *construct.TokenClaimsProps) { p.MintedElsewhere, p.LookupBudget = true, time.Second },
			"props.LookupTables and LookupBudget are for the claims function, but MintedElsewhere is set and there is none: leave them out"},
		{"properties of a pool that is not created", func(p *construct.TokenClaimsProps) {
			p.UserPool, p.UserPoolProps, p.FeaturePlan = created, &awscognito.UserPoolProps{}, awscognito.FeaturePlan_PLUS
			p.StandardThreatProtectionMode, p.IssuerType = awscognito.StandardThreatProtectionMode_AUDIT_ONLY, construct.IssuerTypeOriginal
		}, strings.Join([]string{
			"props.UserPoolProps is for the pool that is created, but UserPool or MintedElsewhere is set and none is: set it on the pool itself",
			"props.FeaturePlan is for the pool that is created, but UserPool or MintedElsewhere is set and none is: set it on the pool itself",
			"props.StandardThreatProtectionMode is for the pool that is created, but UserPool or MintedElsewhere is set and none is: set it on the pool itself",
			"props.IssuerType is for the pool that is created, but UserPool or MintedElsewhere is set and none is: set it on the pool itself",
		}, "\n")},
		{"replaced trigger of a created pool", func(p *construct.TokenClaimsProps) { p.UserPool, p.ReplacedTriggerArn = created, "arn" },
			"props.ReplacedTriggerArn is for an imported UserPool whose trigger is replaced: leave it out"},
		{"replaced trigger of an imported pool", func(p *construct.TokenClaimsProps) { p.UserPool, p.ReplacedTriggerArn = imported, "arn" }, ""},
		{"replaced version alone", func(p *construct.TokenClaimsProps) { p.ReplacedTriggerVersion = awscognito.LambdaVersion_V2_0 },
			"props.ReplacedTriggerVersion is set without ReplacedTriggerArn: set both"},
		{"V1_0 on LITE", func(p *construct.TokenClaimsProps) {
			p.LambdaVersion, p.FeaturePlan = awscognito.LambdaVersion_V1_0, awscognito.FeaturePlan_LITE
		}, ""},
		{"V3_0", func(p *construct.TokenClaimsProps) { p.LambdaVersion = awscognito.LambdaVersion_V3_0 }, ""},
		{"V3_0 on LITE", func(p *construct.TokenClaimsProps) {
			p.LambdaVersion, p.FeaturePlan = awscognito.LambdaVersion_V3_0, awscognito.FeaturePlan_LITE
		}, fmt.Sprintf(lite, "V3_0")},
		{"grandfathered LITE", func(p *construct.TokenClaimsProps) {
			p.SkipFeaturePlanCheck, p.FeaturePlan = true, awscognito.FeaturePlan_LITE
			p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_FULL_FUNCTION
		}, ""},
		{"grandfathered pools have no V3_0", func(p *construct.TokenClaimsProps) {
			p.SkipFeaturePlanCheck, p.FeaturePlan, p.LambdaVersion = true, awscognito.FeaturePlan_LITE, awscognito.LambdaVersion_V3_0
		}, fmt.Sprintf(lite, "V3_0")},
		{"threat protection on ESSENTIALS is not grandfathered", func(p *construct.TokenClaimsProps) {
			p.SkipFeaturePlanCheck, p.FeaturePlan = true, awscognito.FeaturePlan_ESSENTIALS
			p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_FULL_FUNCTION
		}, "props.StandardThreatProtectionMode FULL_FUNCTION needs FeaturePlan PLUS, not ESSENTIALS: " +
			"leave the plan out (PLUS is the default) or leave threat protection out"},
		{"issuer", func(p *construct.TokenClaimsProps) { p.IssuerType = construct.IssuerTypeUpdated }, ""},
		{"unknown issuer", func(p *construct.TokenClaimsProps) { p.IssuerType = "NEW" }, `props.IssuerType is "NEW": it is "ORIGINAL" or "UPDATED"`},
		{"updated issuer on LITE", func(p *construct.TokenClaimsProps) {
			p.IssuerType, p.FeaturePlan, p.SkipFeaturePlanCheck = construct.IssuerTypeUpdated, awscognito.FeaturePlan_LITE, true
		}, "props.IssuerType is UPDATED, which plan LITE does not have: use ESSENTIALS or PLUS"},
		{"memory", func(p *construct.TokenClaimsProps) { p.MemorySize = 64 }, "props.MemorySize is 64: Lambda takes 128 to 10240 megabytes"},
		{"timeout", timeout(11 * time.Second), "props.Timeout is 11s: it is 1s to 10s, in whole seconds; nobody waits longer"},
		{"no timeout", timeout(0), "props.Timeout is 0s: it is 1s to 10s, in whole seconds; nobody waits longer"},
		{"concurrency", func(p *construct.TokenClaimsProps) { p.ProvisionedConcurrentExecutions = -1 },
			"props.ProvisionedConcurrentExecutions is -1: it is a whole number, 0 for none"},
		{"subnets without network", func(p *construct.TokenClaimsProps) { p.VpcSubnets = &awsec2.SubnetSelection{} },
			"props.VpcSubnets and SecurityGroups need Vpc: set it, or leave them out"},
		{"retention of a given log group", func(p *construct.TokenClaimsProps) {
			p.LogGroup = awslogs.LogGroup_FromLogGroupName(f.stack, jsii.String("Logs"), jsii.String("logs"))
			p.LogRetention = awslogs.RetentionDays_ONE_DAY
		}, "props.LogRetention is for log groups that are created, but LogGroup is set: set the retention there"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestAGrandfatheredPoolStaysOnLite(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.FeaturePlan, p.SkipFeaturePlanCheck = awscognito.FeaturePlan_LITE, true
		p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_FULL_FUNCTION
	})
	pool, _ := f.template().only("AWS::Cognito::UserPool")
	if pool["UserPoolTier"] != "LITE" || pool["UserPoolAddOns"] == nil {
		t.Errorf("got tier %v with add-ons %v", pool["UserPoolTier"], pool["UserPoolAddOns"])
	}
}

func TestThePlanOfAGivenPoolIsChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		pool awscognito.UserPoolProps
		edit func(*construct.TokenClaimsProps)
		want string
	}{
		{"LITE", awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_LITE}, nil,
			"the pool's FeaturePlan is LITE, which cannot customise access tokens (trigger V2_0): use ESSENTIALS, or PLUS with threat protection"},
		{"grandfathered", awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_LITE},
			func(p *construct.TokenClaimsProps) { p.SkipFeaturePlanCheck = true }, ""},
		{"no V3_0", awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_LITE},
			func(p *construct.TokenClaimsProps) {
				p.SkipFeaturePlanCheck, p.LambdaVersion = true, awscognito.LambdaVersion_V3_0
			}, "cannot customise access tokens (trigger V3_0)"},
		{"threat protection", awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
			StandardThreatProtectionMode: awscognito.StandardThreatProtectionMode_AUDIT_ONLY}, nil,
			"the pool's threat protection (AdvancedSecurityMode AUDIT) needs FeaturePlan PLUS, not ESSENTIALS: use PLUS, or leave threat protection out"},
		{"no plan", awscognito.UserPoolProps{}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			pool := awscognito.NewUserPool(f.stack, jsii.String("Pool"), &c.pool)
			f.claims(func(p *construct.TokenClaimsProps) {
				p.UserPoolProps, p.UserPool = nil, pool
				if c.edit != nil {
					c.edit(p)
				}
			})
			if c.want == "" {
				f.template()
			} else {
				f.wantSynthError("[Stack/Auth] ", c.want)
			}
		})
	}
}

// What takes tokens of a pool with the updated issuer would refuse all of them, each in its own way.
func TestTheUpdatedIssuerFailsSynthWhereItIsNotTaken(t *testing.T) {
	path := map[string]func(f *fixture, pool awscognito.IUserPool) string{
		"REST authorizer": func(f *fixture, pool awscognito.IUserPool) string {
			api := awsapigateway.NewRestApi(f.stack, jsii.String("Rest"), nil)
			api.Root().AddMethod(jsii.String("GET"), nil, &awsapigateway.MethodOptions{
				Authorizer: awsapigateway.NewCognitoUserPoolsAuthorizer(f.stack, jsii.String("Native"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
					CognitoUserPools: &[]awscognito.IUserPool{pool},
				}),
			})
			return "a REST API's COGNITO_USER_POOLS authorizer ("
		},
		"HTTP JWT authorizer": func(f *fixture, pool awscognito.IUserPool) string {
			f.api("Http", awsapigatewayv2authorizers.NewHttpUserPoolAuthorizer(jsii.String("Native"), pool, nil), "GET /native")
			return "an HTTP API's JWT authorizer ("
		},
		"load balancer": func(f *fixture, pool awscognito.IUserPool) string {
			vpc := awsec2.NewVpc(f.stack, jsii.String("Vpc"), nil)
			balancer := awselasticloadbalancingv2.NewApplicationLoadBalancer(f.stack, jsii.String("Alb"), &awselasticloadbalancingv2.ApplicationLoadBalancerProps{Vpc: vpc})
			created := pool.(awscognito.UserPool)
			action := awselasticloadbalancingv2actions.NewAuthenticateCognitoAction(&awselasticloadbalancingv2actions.AuthenticateCognitoActionProps{
				UserPool:       created,
				UserPoolClient: created.AddClient(jsii.String("Alb"), &awscognito.UserPoolClientOptions{GenerateSecret: jsii.Bool(true)}),
				UserPoolDomain: created.AddDomain(jsii.String("Domain"), &awscognito.UserPoolDomainOptions{
					CognitoDomain: &awscognito.CognitoDomainOptions{DomainPrefix: jsii.String("x")}}),
				Next: awselasticloadbalancingv2.ListenerAction_FixedResponse(jsii.Number(200), nil),
			})
			listener := balancer.AddListener(jsii.String("Listener"), &awselasticloadbalancingv2.BaseApplicationListenerProps{
				Protocol: awselasticloadbalancingv2.ApplicationProtocol_HTTPS, Open: jsii.Bool(false),
				Certificates: &[]awselasticloadbalancingv2.IListenerCertificate{awselasticloadbalancingv2.ListenerCertificate_FromArn(
					jsii.String("arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"))},
				DefaultAction: action,
			})
			listener.AddAction(jsii.String("Rule"), &awselasticloadbalancingv2.AddApplicationActionProps{
				Action: action, Priority: jsii.Number(1),
				Conditions: &[]awselasticloadbalancingv2.ListenerCondition{awselasticloadbalancingv2.ListenerCondition_PathPatterns(jsii.Strings("/x"))},
			})
			return "a load balancer's"
		},
	}
	for name, use := range path {
		for _, issuer := range []construct.IssuerType{construct.IssuerTypeUpdated, construct.IssuerTypeOriginal} {
			for _, there := range []string{"same stack", "other stack"} {
				t.Run(name+" "+string(issuer)+" "+there, func(t *testing.T) {
					f := newFixture(t)
					auth := f.claims(func(p *construct.TokenClaimsProps) { p.IssuerType = issuer })
					user := f
					if there == "other stack" {
						user = f.newStack("Other", nil)
					}
					what := use(user, auth.UserPool())
					if issuer == construct.IssuerTypeOriginal {
						if text := panicText(func() { f.app.Synth(nil) }); text != "" {
							t.Error(text)
						}
						return
					}
					f.wantSynthError("[Stack/Auth] the pool's IssuerType is UPDATED, but "+what, "takes only the original form of the issuer and would refuse every token: ")
					if name == "load balancer" {
						f.wantSynthError("a load balancer's listener", "a load balancer's rule")
					}
				})
			}
		}
	}
}

func TestTheIssuerTypeReachesThePool(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.IssuerType = construct.IssuerTypeUpdated })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...) // takes both forms
	f.template().has("AWS::Cognito::UserPool", map[string]any{"IssuerConfiguration": map[string]any{"Type": "UPDATED"}})
}

// The same logical id in another stack is another pool.
func TestAnotherPoolsAuthorizersAreNoneOfOurs(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) { p.IssuerType = construct.IssuerTypeUpdated })
	other := f.newStack("Other", nil)
	auth := other.claims(nil) // AuthUserPool there too
	other.api("Http", awsapigatewayv2authorizers.NewHttpUserPoolAuthorizer(jsii.String("Native"), auth.UserPool(), nil), "GET /native")
	if text := panicText(func() { f.app.Synth(nil) }); text != "" {
		t.Error(text)
	}
}

func TestAJWTAuthorizerWithTheUpdatedIssuerIsTaken(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.IssuerType = construct.IssuerTypeUpdated })
	issuer := "https://issuer-cognito-idp." + *f.stack.Region() + ".amazonaws.com/" + *auth.UserPool().UserPoolId()
	f.api("Http", awsapigatewayv2authorizers.NewHttpJwtAuthorizer(jsii.String("Jwt"), &issuer,
		&awsapigatewayv2authorizers.HttpJwtAuthorizerProps{JwtAudience: jsii.Strings("x")}), "GET /native")
	f.template()
}

func TestRegionsWithoutUserPoolsAreRefused(t *testing.T) {
	for region, want := range map[string]string{
		"cn-north-1":     "error",
		"us-iso-east-1":  "error",
		"us-gov-west-1":  "warning",
		"eusc-de-east-1": "",
		"eu-west-1":      "",
	} {
		f := newFixture(t).onlyStack("There", inRegion(region))
		text := panicText(func() { f.claims(nil) })
		switch want {
		case "error":
			if text != fmt.Sprintf(`construct: "There/Auth": Region %s has no Cognito user pools: deploy the stack to a Region of another partition`, region) {
				t.Errorf("%s: got %q", region, text)
			}
		case "warning":
			f.wantWarning("/There/Auth", "AWS's pages disagree on whether us-gov-west-1 customises access tokens: try a sign-in there before you rely on it")
		default:
			if text != "" {
				t.Errorf("%s: %s", region, text)
			}
		}
	}
	// A stack for any Region says nothing before it is deployed.
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.wantNoAnnotations()
}

func TestSecretsAreRefusedAsParams(t *testing.T) {
	for _, c := range []struct {
		name  string
		value func(f *fixture) string
		want  string // the kind, or empty
	}{
		{"Secrets Manager", func(*fixture) string {
			return *awscdk.SecretValue_SecretsManager(jsii.String("db"), nil).UnsafeUnwrap()
		}, "from Secrets Manager"},
		{"within a text", func(*fixture) string {
			return "user:" + *awscdk.SecretValue_SecretsManager(jsii.String("db"), nil).UnsafeUnwrap()
		}, "from Secrets Manager"},
		{"of a secret of the stack", func(f *fixture) string {
			return "{{resolve:secretsmanager:" + *awscdk.NewCfnParameter(f.stack, jsii.String("Name"), nil).ValueAsString() + ":SecretString:::}}"
		}, "from Secrets Manager"},
		{"secure string", func(*fixture) string {
			return *awscdk.SecretValue_SsmSecure(jsii.String("/db"), jsii.String("1")).UnsafeUnwrap()
		}, "a secure string of Parameter Store"},
		{"NoEcho", func(f *fixture) string {
			return *awscdk.NewCfnParameter(f.stack, jsii.String("Password"), &awscdk.CfnParameterProps{NoEcho: jsii.Bool(true)}).ValueAsString()
		}, "the NoEcho parameter Password"},
		{"an ordinary parameter", func(f *fixture) string {
			return *awscdk.NewCfnParameter(f.stack, jsii.String("Tenant"), nil).ValueAsString()
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.claims(func(p *construct.TokenClaimsProps) {
				p.Policy = construct.PolicyFile(policyFile(t, "params: [tenant]\nclaims: {tenant: {expr: params.tenant}}\n"))
				p.Params = map[string]string{"tenant": c.value(f)}
			})
			if c.want == "" {
				f.template()
				return
			}
			f.wantSynthError(`[Stack/Auth] props.Params["tenant"] is a secret (` + c.want + `), and params are environment variables, which whoever may ` +
				`look at a function can read, and may become claims, which every holder of a token can read: leave it out`)
		})
	}
}

func TestTooManyClientsForTheEnvironmentFailSynth(t *testing.T) {
	for n, want := range map[int]bool{120: true, 160: false} {
		f := newFixture(t)
		auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.MintedElsewhere = nil, true })
		pool := f.importedPool("One", "eu-west-1_One")
		for i := range n {
			auth.AcceptPool(pool, f.importedClient(fmt.Sprintf("1example23456789012345%04d", i)))
		}
		f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
		if want {
			f.template()
			continue
		}
		f.wantSynthError("[Stack/Auth] DocumentsAuthorizer: its environment variables come to about 4", "bytes, and Lambda takes 4096: "+
			"shorten props.Params, or, with its 160 app clients, let fewer be accepted by each authorizer, "+
			"by a TokenClaims with MintedElsewhere for each group of clients")
	}
}

// What only the deployment knows is estimated: a client's id has 26 characters.
func TestClientsOfTheStackCountTowardsTheEnvironment(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	for i := range 140 {
		auth.AddClient(fmt.Sprint("Client", i), nil)
	}
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.wantSynthError("[Stack/Auth] DocumentsAuthorizer: its environment variables come to about 4")
}

// CDK adds no permission to a function that it does not know to be the stack's own account's.
func TestATriggerWhoseFunctionCannotBeInvokedIsAWarning(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:111122223333:function:theirs"
	for name, c := range map[string]struct {
		function func(f *fixture) awslambda.IFunction
		warned   bool
	}{
		"imported": {func(f *fixture) awslambda.IFunction {
			return awslambda.Function_FromFunctionArn(f.stack, jsii.String("Theirs"), jsii.String(arn))
		}, true},
		"imported of the same environment": {func(f *fixture) awslambda.IFunction {
			return awslambda.Function_FromFunctionAttributes(f.stack, jsii.String("Theirs"), &awslambda.FunctionAttributes{
				FunctionArn: jsii.String(arn), SameEnvironment: jsii.Bool(true)})
		}, false},
		"of the stack": {func(f *fixture) awslambda.IFunction { return f.function("Theirs") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			theirs := c.function(f)
			f.claims(func(p *construct.TokenClaimsProps) {
				p.UserPoolProps.LambdaTriggers = &awscognito.UserPoolTriggers{PostConfirmation: theirs}
			})
			const text = "the function of trigger PostConfirmation is imported and gets no permission to be invoked by Cognito here: import it with " +
				"FromFunctionAttributes and SameEnvironment, or add the permission where the function is"
			if c.warned {
				f.wantWarning("/Stack/Auth/UserPool", text)
				return
			}
			f.annotation(assertions.Annotations.HasNoWarning, "/Stack/Auth/UserPool", ".*")
		})
	}
}

// A changed pool may be a replaced pool, without its users.
func TestAPolicyNeverChangesThePool(t *testing.T) {
	pools := map[string]map[string]any{}
	for name, p := range map[string]policy.Policy{
		"one": {Claims: map[string]policy.Claim{"a": {Value: "x"}}},
		"other": {
			Claims:      map[string]policy.Claim{"company": {Attribute: "custom:company_id"}, "b": {Expr: "user.groups"}},
			Scopes:      policy.Scopes{Add: []policy.Scope{{Scope: "documents/read"}}},
			Authorizers: map[string]policy.Authorizer{"Documents": {Default: []policy.Rule{{Rule: "true"}}}},
		},
	} {
		f := newFixture(t)
		f.claims(func(props *construct.TokenClaimsProps) { props.Policy = construct.PolicyValue(p) })
		tpl := f.template()
		for id, resource := range tpl.resources("AWS::Cognito::UserPool") {
			pools[name] = map[string]any{id: resource}
		}
		imported := newFixture(t)
		imported.imported(func(props *construct.TokenClaimsProps) { props.Policy = construct.PolicyValue(p) })
		tpl = imported.template()
		for id, resource := range tpl.resources("Custom::CognitoPreTokenGeneration") {
			pools[name][id] = resource
		}
		for id, function := range tpl.resources("AWS::Lambda::Function") {
			if strings.HasPrefix(id, "AuthAttach") {
				pools[name][id] = function
			}
		}
	}
	if len(pools["one"]) != 3 || !reflect.DeepEqual(pools["one"], pools["other"]) {
		t.Errorf("with one policy\n%v\nwith another\n%v", pools["one"], pools["other"])
	}
}

// V1_0 is a step on the way to access tokens, and no way to lose claims unnoticed.
func TestV1ShapesIDTokensAlone(t *testing.T) {
	f := newFixture(t)
	f.withVersion(`claims: {company: {value: acme}}`, awscognito.LambdaVersion_V1_0)
	f.wantSynthError("props.LambdaVersion is V1_0, which cannot customise access tokens, but the policy does: use V2_0, the default, or V3_0 for the " +
		"tokens of machines too; or give every claim tokens: [id], and change no scopes")

	f = newFixture(t)
	f.withVersion(`claims: {company: {value: acme, tokens: [id]}}`, awscognito.LambdaVersion_V1_0)
	tpl := f.template()
	tpl.has("AWS::Cognito::UserPool", map[string]any{"LambdaConfig": map[string]any{"PreTokenGenerationConfig": map[string]any{"LambdaVersion": "V1_0"}}})
	tpl.has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{"Variables": map[string]any{"CLAIMSMITH_TRIGGER_VERSION": "V1_0"}}})
}
