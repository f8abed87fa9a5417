package construct_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestDefaultStackIsTheGolden(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	snapshot.Match(t, f.stack, "testdata/default.template.json")
	f.wantNoAnnotations()
}

// The golden file can be rewritten by accident; these facts cannot.
func TestDefaultsAreSecure(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()

	pool, resource := tpl.only("AWS::Cognito::UserPool")
	want := map[string]any{
		"UserPoolTier":          "PLUS",
		"UserPoolAddOns":        map[string]any{"AdvancedSecurityMode": "ENFORCED"},
		"DeletionProtection":    "ACTIVE",
		"MfaConfiguration":      "OPTIONAL",
		"EnabledMfas":           []any{"SOFTWARE_TOKEN_MFA"},
		"AdminCreateUserConfig": map[string]any{"AllowAdminCreateUserOnly": true},
		"UsernameConfiguration": map[string]any{"CaseSensitive": false},
		"AccountRecoverySetting": map[string]any{"RecoveryMechanisms": []any{
			map[string]any{"Name": "verified_email", "Priority": 1.0}}},
		"Policies": map[string]any{"PasswordPolicy": map[string]any{
			"MinimumLength": 12.0, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": true, "RequireUppercase": true}},
	}
	for name, value := range want {
		if !reflect.DeepEqual(pool[name], value) {
			t.Errorf("pool %s: got %v, want %v", name, pool[name], value)
		}
	}
	lambdaConfig := pool["LambdaConfig"].(map[string]any)
	trigger := lambdaConfig["PreTokenGenerationConfig"].(map[string]any)
	if trigger["LambdaVersion"] != "V2_0" || len(lambdaConfig) != 1 {
		t.Errorf("LambdaConfig: got %v, want PreTokenGenerationConfig with LambdaVersion V2_0 alone", lambdaConfig)
	}
	if resource["DeletionPolicy"] != "Retain" || resource["UpdateReplacePolicy"] != "Retain" {
		t.Errorf("pool deletion policy: got %v, want Retain", resource["DeletionPolicy"])
	}

	client, _ := tpl.only("AWS::Cognito::UserPoolClient")
	for name, value := range map[string]any{
		"AllowedOAuthFlowsUserPoolClient": false,
		"AllowedOAuthFlows":               nil,
		"CallbackURLs":                    nil,
		"PreventUserExistenceErrors":      "ENABLED",
		"EnableTokenRevocation":           true,
		"ExplicitAuthFlows":               []any{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	} {
		if !reflect.DeepEqual(client[name], value) {
			t.Errorf("client %s: got %v, want %v", name, client[name], value)
		}
	}

	for id, function := range tpl.resources("AWS::Lambda::Function") {
		p := function["Properties"].(map[string]any)
		for name, value := range map[string]any{
			"Runtime":       "provided.al2023",
			"Handler":       "bootstrap",
			"Architectures": []any{"arm64"},
			"TracingConfig": map[string]any{"Mode": "Active"},
		} {
			if !reflect.DeepEqual(p[name], value) {
				t.Errorf("%s %s: got %v, want %v", id, name, p[name], value)
			}
		}
		logging, _ := p["LoggingConfig"].(map[string]any)
		if logging["LogGroup"] == nil || logging["LogFormat"] != "JSON" {
			t.Errorf("%s: got LoggingConfig %v, want JSON to a log group of its own", id, logging)
		}
	}
	for id, logs := range tpl.resources("AWS::Logs::LogGroup") {
		if days := logs["Properties"].(map[string]any)["RetentionInDays"]; days != 90.0 || logs["DeletionPolicy"] != "Retain" {
			t.Errorf("%s: got retention %v and policy %v, want 90 and Retain", id, days, logs["DeletionPolicy"])
		}
	}
}

func TestOnlyThePoolAndTheApiMayInvokeTheFunctions(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()

	tpl.count("AWS::Lambda::Permission", 2)
	for id, permission := range tpl.resources("AWS::Lambda::Permission") {
		p := permission["Properties"].(map[string]any)
		arn, _ := json.Marshal(p["SourceArn"])
		switch p["Principal"] {
		case "cognito-idp.amazonaws.com":
			if !strings.Contains(string(arn), "AuthUserPool") || !reflect.DeepEqual(p["SourceAccount"], map[string]any{"Ref": "AWS::AccountId"}) {
				t.Errorf("%s: got SourceArn %s and SourceAccount %v, want the pool and its account", id, arn, p["SourceAccount"])
			}
		case "apigateway.amazonaws.com":
			if !strings.Contains(string(arn), "/authorizers/") || strings.Contains(string(arn), "*") {
				t.Errorf("%s: got SourceArn %s, want that of one authorizer", id, arn)
			}
		default:
			t.Errorf("%s: unexpected principal %v", id, p["Principal"])
		}
	}
}

func TestRolesMayOnlyWriteTheirLogsAndTraces(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()

	for id, role := range tpl.resources("AWS::IAM::Role") {
		if managed := role["Properties"].(map[string]any)["ManagedPolicyArns"]; managed != nil {
			t.Errorf("%s: has managed policies %v, want none", id, managed)
		}
	}
	tpl.count("AWS::IAM::Policy", 2)
	for id, p := range tpl.resources("AWS::IAM::Policy") {
		document := p["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)
		for _, s := range document["Statement"].([]any) {
			statement := s.(map[string]any)
			resource, _ := json.Marshal(statement["Resource"])
			switch actions := fmt.Sprint(statement["Action"]); actions {
			case "[logs:CreateLogStream logs:PutLogEvents]":
				if !strings.Contains(string(resource), "Logs") || strings.Contains(string(resource), "*") {
					t.Errorf("%s: logs go to %s, want one log group", id, resource)
				}
			case "[xray:PutTelemetryRecords xray:PutTraceSegments]": // these know no resources
			default:
				t.Errorf("%s: unexpected permission %s on %s", id, actions, resource)
			}
		}
	}
}

// A changed logical id replaces the resource, and the pool's users with it.
func TestLogicalIDsAreStable(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	for resourceType, want := range map[string][]string{
		"AWS::Cognito::UserPool":        {"AuthUserPool8115E87F"},
		"AWS::Cognito::UserPoolClient":  {"AuthUserPoolWeb8DF0D784"},
		"AWS::Lambda::Function":         {"AuthClaimsFunction3EC724EA", "AuthDocumentsAuthorizerBCE0330C"},
		"AWS::Logs::LogGroup":           {"AuthClaimsFunctionLogs57667BA4", "AuthDocumentsAuthorizerLogs500C3235"},
		"AWS::ApiGatewayV2::Authorizer": {"ApiAuthDocumentsAuthorizer71A15677"},
	} {
		var got []string
		for id := range tpl.resources(resourceType) {
			got = append(got, id)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got ids %q, want %q", resourceType, got, want)
		}
	}
}

func TestTwoInstancesLiveInOneStack(t *testing.T) {
	f := newFixture(t)
	first := construct.NewTokenClaims(f.stack, "A", &construct.TokenClaimsProps{Policy: construct.PolicyFile("testdata/claims.yaml")})
	second := construct.NewTokenClaims(f.stack, "B", &construct.TokenClaimsProps{Policy: construct.PolicyValue(policy.Policy{
		Authorizers: map[string]policy.Authorizer{"Documents": {Default: []policy.Rule{{Rule: "true"}}}},
	})})
	first.AddClient("Web", nil)
	second.AddClient("Web", nil)
	api := f.api("Api", first.HttpAuthorizer("Documents"), documentRoutes...)
	addRoutes(api, second.HttpAuthorizer("Documents"), "GET /other")
	tpl := f.template()

	tpl.count("AWS::Cognito::UserPool", 2)
	tpl.count("AWS::ApiGatewayV2::Authorizer", 2)
	keys := map[any]bool{}
	for _, function := range tpl.resources("AWS::Lambda::Function") {
		keys[function["Properties"].(map[string]any)["Code"].(map[string]any)["S3Key"]] = true
	}
	if len(keys) != 2 {
		t.Errorf("got %d different assets, want one for each policy (nothing is built in this test)", len(keys))
	}
}

func TestPropsAreCopied(t *testing.T) {
	f := newFixture(t)
	pool := &awscognito.UserPoolProps{}
	oauth := &awscognito.OAuthSettings{CallbackUrls: jsii.Strings("https://app.example.org/in")}
	options := &awscognito.UserPoolClientOptions{OAuth: oauth}
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps = pool })
	auth.AddClient("Web", options)
	if *pool != (awscognito.UserPoolProps{}) {
		t.Errorf("UserPoolProps were written to: %+v", *pool)
	}
	if *options != (awscognito.UserPoolClientOptions{OAuth: oauth}) || oauth.Flows != nil || oauth.Scopes != nil {
		t.Errorf("client options were written to: %+v, %+v", *options, *oauth)
	}
}

func TestPoolPropsWinOverTheDefaults(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.UserPoolProps = &awscognito.UserPoolProps{
			SelfSignUpEnabled:  jsii.Bool(true),
			DeletionProtection: jsii.Bool(false),
			Mfa:                awscognito.Mfa_OFF,
			CustomAttributes:   &map[string]awscognito.ICustomAttribute{"company_id": awscognito.NewStringAttribute(nil)},
		}
	})
	tpl := f.template()
	tpl.has("AWS::Cognito::UserPool", map[string]any{
		"AdminCreateUserConfig": map[string]any{"AllowAdminCreateUserOnly": false},
		"DeletionProtection":    "INACTIVE",
		"MfaConfiguration":      "OFF",
		"UserPoolTier":          "PLUS",
		"Schema":                []any{map[string]any{"Name": "company_id"}},
	})
}

func TestDestroyRemovesEverything(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) { p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY })
	tpl := f.template()
	pool, resource := tpl.only("AWS::Cognito::UserPool")
	_, logs := tpl.only("AWS::Logs::LogGroup")
	if pool["DeletionProtection"] != "INACTIVE" || resource["DeletionPolicy"] != "Delete" || logs["DeletionPolicy"] != "Delete" {
		t.Errorf("got protection %v, pool %v, logs %v; want INACTIVE, Delete, Delete",
			pool["DeletionProtection"], resource["DeletionPolicy"], logs["DeletionPolicy"])
	}
}

func TestEssentialsGoesWithoutThreatProtection(t *testing.T) {
	for name, edit := range map[string]func(*construct.TokenClaimsProps){
		"flat prop": func(p *construct.TokenClaimsProps) { p.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS },
		"pool prop": func(p *construct.TokenClaimsProps) {
			p.UserPoolProps = &awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_ESSENTIALS}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.claims(edit)
			pool, _ := f.template().only("AWS::Cognito::UserPool")
			if pool["UserPoolTier"] != "ESSENTIALS" || pool["UserPoolAddOns"] != nil {
				t.Errorf("got tier %v with add-ons %v, want ESSENTIALS without", pool["UserPoolTier"], pool["UserPoolAddOns"])
			}
		})
	}
}

type propsCase struct {
	name string
	edit func(*construct.TokenClaimsProps)
	want string // the error, or empty
}

func (c propsCase) run(t *testing.T) {
	props := &construct.TokenClaimsProps{Policy: construct.PolicyFile("testdata/claims.yaml")}
	c.edit(props)
	got := ""
	if err := props.Validate(); err != nil {
		got = err.Error()
	}
	if got != c.want {
		t.Errorf("got error\n\t%s\nwant\n\t%s", got, c.want)
	}
}

func TestContradictoryPropsAreRefused(t *testing.T) {
	ttl := func(d time.Duration) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) { p.ResultsCacheTtl = &d }
	}
	sources := func(list ...construct.TokenSource) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) { p.TokenSources = map[string][]construct.TokenSource{"Api": list} }
	}
	for _, c := range []propsCase{
		{"every kind of token source", sources(construct.TokenInHeader("X-Token"), construct.TokenInQuery("token"),
			construct.TokenInCookie("session"), construct.TokenInSubprotocol()), ""},
		{"no token source", sources(), `props.TokenSources["Api"] is empty: leave it out for the Authorization header`},
		{"a token source that is none", sources(construct.TokenSource{}),
			`props.TokenSources["Api"][0] is empty: it is TokenInHeader, TokenInQuery, TokenInCookie or TokenInSubprotocol`},
		{"a token source with two names", sources(construct.TokenInHeader("A,B")),
			`props.TokenSources["Api"][0] has the name "A,B": API Gateway takes letters, digits, '.', '_' and '-'`},
		{"a token source twice", sources(construct.TokenInQuery("token"), construct.TokenInQuery("token")),
			`props.TokenSources["Api"] has query:token twice`},
		{"nothing set", func(*construct.TokenClaimsProps) {}, ""},
		{"no policy", func(p *construct.TokenClaimsProps) { p.Policy = nil },
			`props.Policy is required: set it to construct.PolicyFile("claims.yaml") or construct.PolicyValue(…)`},
		{"plan LITE", func(p *construct.TokenClaimsProps) { p.FeaturePlan = awscognito.FeaturePlan_LITE },
			"props.FeaturePlan is LITE, which cannot customise access tokens (trigger V2_0): use ESSENTIALS, or PLUS with threat protection"},
		{"threat protection without PLUS", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS
			p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_AUDIT_ONLY
		}, "props.StandardThreatProtectionMode AUDIT_ONLY needs FeaturePlan PLUS, not ESSENTIALS: " +
			"leave the plan out (PLUS is the default) or leave threat protection out"},
		{"custom threat protection without PLUS", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS
			p.UserPoolProps = &awscognito.UserPoolProps{CustomThreatProtectionMode: awscognito.CustomThreatProtectionMode_AUDIT_ONLY}
		}, "props.UserPoolProps.CustomThreatProtectionMode AUDIT_ONLY needs FeaturePlan PLUS, not ESSENTIALS: " +
			"leave the plan out (PLUS is the default) or leave threat protection out"},
		{"threat protection turned off", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_ESSENTIALS
			p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_NO_ENFORCEMENT
		}, ""},
		{"two plans", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_PLUS
			p.UserPoolProps = &awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_ESSENTIALS}
		}, "props.FeaturePlan is PLUS but props.UserPoolProps.FeaturePlan is ESSENTIALS: set one of them"},
		{"TTL of zero", ttl(0), ""},
		{"TTL of an hour", ttl(time.Hour), ""},
		{"TTL too long", ttl(2 * time.Hour), "props.ResultsCacheTtl is 2h0m0s: API Gateway takes 0 (no caching) to 1h0m0s, in whole seconds"},
		{"TTL of half a second", ttl(time.Second / 2), "props.ResultsCacheTtl is 500ms: API Gateway takes 0 (no caching) to 1h0m0s, in whole seconds"},
		{"lookups that take as long as Cognito waits", func(p *construct.TokenClaimsProps) { p.LookupBudget = 5 * time.Second },
			"props.LookupBudget is 5s: allowed are 100ms to 4s"},
		{"unknown answer", func(p *construct.TokenClaimsProps) { p.InvalidToken = "teapot" },
			`props.InvalidToken is "teapot": it is "forbidden" or "unauthorized"`},
		{"everything at once", func(p *construct.TokenClaimsProps) {
			p.FeaturePlan = awscognito.FeaturePlan_LITE
			p.InvalidToken = "teapot"
		}, "props.FeaturePlan is LITE, which cannot customise access tokens (trigger V2_0): use ESSENTIALS, or PLUS with threat protection\n" +
			`props.InvalidToken is "teapot": it is "forbidden" or "unauthorized"`},
	} {
		t.Run(c.name, c.run)
	}
}

func TestAnotherPreTokenTriggerIsRefused(t *testing.T) {
	f := newFixture(t)
	function := awslambda.NewFunction(f.stack, jsii.String("Mine"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"),
		Code: construct.GoCode(f.stack, "./mine", nil),
	})
	text := panicText(func() {
		f.claims(func(p *construct.TokenClaimsProps) {
			p.UserPoolProps = &awscognito.UserPoolProps{LambdaTriggers: &awscognito.UserPoolTriggers{PreTokenGeneration: function}}
		})
	})
	if !strings.HasPrefix(text, `construct: "Auth": props.UserPoolProps.LambdaTriggers.PreTokenGeneration is set`) {
		t.Errorf("got %q", text)
	}
}

func TestClientOptionsWinOverTheDefaults(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", &awscognito.UserPoolClientOptions{
		AuthFlows:                  &awscognito.AuthFlow{UserPassword: jsii.Bool(true)},
		PreventUserExistenceErrors: jsii.Bool(false),
	})
	f.template().has("AWS::Cognito::UserPoolClient", map[string]any{
		"ExplicitAuthFlows":          []any{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		"PreventUserExistenceErrors": "LEGACY",
		"EnableTokenRevocation":      true,
	})
}

func TestOAuthMeansTheAuthorizationCodeGrant(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", &awscognito.UserPoolClientOptions{
		OAuth: &awscognito.OAuthSettings{CallbackUrls: jsii.Strings("https://app.example.org/in")},
	})
	f.template().has("AWS::Cognito::UserPoolClient", map[string]any{
		"AllowedOAuthFlowsUserPoolClient": true,
		"AllowedOAuthFlows":               []any{"code"},
		"AllowedOAuthScopes":              []any{"openid"},
		"CallbackURLs":                    []any{"https://app.example.org/in"},
	})
	text := panicText(func() {
		auth.AddClient("NoCallback", &awscognito.UserPoolClientOptions{OAuth: &awscognito.OAuthSettings{}})
	})
	want := `construct: AddClient("NoCallback"): options.OAuth.CallbackUrls is empty, but a grant redirects there ` +
		`(CDK would register https://example.com): list your app's URLs`
	if text != want {
		t.Errorf("got\n\t%s\nwant\n\t%s", text, want)
	}
}

func TestUsersCannotWriteTheAttributesThatBecomeClaims(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(`
claims:
  company_id: {attribute: "custom:company_id"}
  contact:
    mail: {attribute: email}
    nick: {expr: "user.attributes[?'nickname']"}
`)
	auth.AddClient("Web", nil)
	auth.AddClient("Risky", &awscognito.UserPoolClientOptions{
		WriteAttributes: awscognito.NewClientAttributes().WithCustomAttributes(jsii.String("company_id")).
			WithStandardAttributes(&awscognito.StandardAttributesMask{Nickname: jsii.Bool(true)}),
	})
	tpl := f.template()
	for id, client := range tpl.resources("AWS::Cognito::UserPoolClient") {
		writable := fmt.Sprint(client["Properties"].(map[string]any)["WriteAttributes"])
		if strings.HasPrefix(id, "AuthUserPoolWeb") &&
			(strings.Contains(writable, "email") || strings.Contains(writable, "nickname") || strings.Contains(writable, "custom:") || !strings.Contains(writable, "phone_number")) {
			t.Errorf("writable attributes: %s; want the standard ones without email, and no custom one", writable)
		}
	}
	f.wantWarning("/Stack/Auth/UserPool/Risky", "users can choose their own claims: this client may write the attribute \"custom:company_id\"")
	f.wantWarning("/Stack/Auth/UserPool/Risky", `this client may write the attribute "nickname"`)
}

func TestAttributesThatThePoolLacksAreAWarning(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps = nil })
	f.wantWarning("/Stack/Auth", `the policy reads the attribute "custom:company_id", which the pool does not have: `+
		`add "company_id" to UserPoolProps.CustomAttributes`)
}

func TestParamsReachTheFunctions(t *testing.T) {
	f := newFixture(t)
	tenant := awscdk.NewCfnParameter(f.stack, jsii.String("Tenant"), nil)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, "params: [tenant]\nclaims: {tenant: {expr: params.tenant}}\n"))
		p.Params = map[string]string{"tenant": *tenant.ValueAsString()}
	})
	f.template().has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{"Variables": map[string]any{
		"CLAIMSMITH_PARAM_tenant": map[string]any{"Ref": "Tenant"}, "CLAIMSMITH_TRIGGER_VERSION": "V2_0"}}})
}

func TestParamsThatThePolicyDoesNotDeclareFailSynth(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, "params: [tenant]\nclaims: {tenant: {expr: params.tenant}}\n"))
		p.Params = map[string]string{"tenent": "x"}
	})
	f.wantSynthError(`params: "tenant" has no value: set it in props.Params`,
		`props.Params has "tenent"`, `(did you mean "tenant"?)`)
}

func TestGoCodeWithoutBundlingBuildsNothing(t *testing.T) {
	f := newFixture(t)
	awslambda.NewFunction(f.stack, jsii.String("Backend"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"),
		Code: construct.GoCode(f.stack, "./no/such/package", nil),
	})
	f.template().count("AWS::Lambda::Function", 1)
	want := `construct: GoCode: pkg is empty: name a main package, as in "./backend"`
	if text := panicText(func() { construct.GoCode(f.stack, "", nil) }); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}
