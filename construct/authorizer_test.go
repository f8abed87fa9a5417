package construct_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

func TestAuthorizerIsKeyedOnTheRouteWhenRulesDiffer(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	p, _ := f.template().only("AWS::ApiGatewayV2::Authorizer")
	for name, value := range map[string]any{
		"AuthorizerType":                 "REQUEST",
		"AuthorizerPayloadFormatVersion": "2.0",
		"EnableSimpleResponses":          true,
		"AuthorizerResultTtlInSeconds":   60.0,
		"IdentitySource":                 []any{"$request.header.Authorization", "$context.routeKey", "$context.path", "$context.domainName"},
	} {
		if !reflect.DeepEqual(p[name], value) {
			t.Errorf("%s: got %v, want %v", name, p[name], value)
		}
	}
}

func TestWithoutCachingOnlyTheTokenIsAnIdentitySource(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.ResultsCacheTtl = new(time.Duration) })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	p, _ := f.template().only("AWS::ApiGatewayV2::Authorizer")
	if p["AuthorizerResultTtlInSeconds"] != 0.0 || !reflect.DeepEqual(p["IdentitySource"], []any{"$request.header.Authorization"}) {
		t.Errorf("got TTL %v with sources %v, want 0 with the token alone", p["AuthorizerResultTtlInSeconds"], p["IdentitySource"])
	}
}

const readsOptionalHeader = `
authorizers:
  Api:
    default: [{rule: "request.headers.?x_tenant.orValue('') == '' || claims.sub != ''"}]
`

func TestWhatCannotBeKeyedTurnsCachingOffAndSynthSaysSo(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(readsOptionalHeader)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Api"), "GET /documents")
	p, _ := f.template().only("AWS::ApiGatewayV2::Authorizer")
	if p["AuthorizerResultTtlInSeconds"] != 0.0 {
		t.Errorf("got TTL %v, want 0", p["AuthorizerResultTtlInSeconds"])
	}
	f.wantInfo("/Stack/Auth/ApiAuthorizer", "decisions of authorizer Api are not cached")
}

func TestCachingAskedForButOffIsAWarning(t *testing.T) {
	f := newFixture(t)
	ttl := time.Minute
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, readsOptionalHeader))
		p.ResultsCacheTtl = &ttl
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Api"), "GET /documents")
	f.wantWarning("/Stack/Auth/ApiAuthorizer", "decisions of authorizer Api are not cached")
}

func TestOneNameServesSeveralRoutesAndAPIs(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	first := f.api("First", nil)
	for _, route := range documentRoutes {
		addRoutes(first, auth.HttpAuthorizer("Documents"), route)
	}
	f.api("Second", auth.HttpAuthorizer("Documents"), "GET /documents")
	tpl := f.template()
	tpl.count("AWS::ApiGatewayV2::Authorizer", 2)
	tpl.count("AWS::ApiGatewayV2::Route", 4)
	tpl.count("AWS::Lambda::Function", 2)
	for id, route := range tpl.resources("AWS::ApiGatewayV2::Route") {
		if kind := route["Properties"].(map[string]any)["AuthorizationType"]; kind != "CUSTOM" {
			t.Errorf("%s: AuthorizationType %v, want CUSTOM", id, kind)
		}
	}
}

// acceptedPools decodes what the authorizer function is told.
func acceptedPools(t *testing.T, tpl template) string {
	t.Helper()
	for id, function := range tpl.resources("AWS::Lambda::Function") {
		if strings.HasPrefix(id, "AuthDocumentsAuthorizer") {
			variables := function["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)
			if variables["CLAIMSMITH_AUTHORIZER"] != "Documents" || variables["CLAIMSMITH_INVALID_TOKEN"] != "forbidden" {
				t.Errorf("environment: %v", variables)
			}
			join := variables["CLAIMSMITH_USER_POOLS"].(map[string]any)["Fn::Join"].([]any)
			var text strings.Builder
			for _, part := range join[1].([]any) {
				if ref, ok := part.(map[string]any); ok {
					part = "<" + ref["Ref"].(string) + ">"
				}
				text.WriteString(part.(string))
			}
			return text.String()
		}
	}
	t.Fatal("no authorizer function")
	return ""
}

func TestClientsAddedBeforeAndAfterTheAuthorizerAreAccepted(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Before", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	auth.AddClient("After", nil)
	tpl := f.template()
	var clients []string
	for id := range tpl.resources("AWS::Cognito::UserPoolClient") {
		clients = append(clients, "<"+id+">")
	}
	slices.Sort(clients)
	slices.Reverse(clients) // Before, After

	var got []struct {
		UserPoolID string   `json:"userPoolId"`
		ClientIDs  []string `json:"clientIds"`
	}
	text := acceptedPools(t, tpl)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(got) != 1 || !strings.HasPrefix(got[0].UserPoolID, "<AuthUserPool") || !slices.Equal(got[0].ClientIDs, clients) {
		t.Errorf("got %s, want the pool with clients %q", text, clients)
	}
}

func TestAuthorizerWithoutClientFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.wantSynthError(`[Stack/Auth] the pool has no app client, so its authorizers would refuse every token: add one, as in AddClient("Web", nil)`)
}

func TestUnknownAuthorizerFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Docments"), "GET /documents")
	f.wantSynthError(`[Stack/Auth] no authorizer "Docments" in testdata/claims.yaml (did you mean "Documents"?): its authorizers are "Documents"`)
}

func TestUnusedAuthorizerIsAWarning(t *testing.T) {
	f := newFixture(t)
	f.claims(nil)
	f.wantWarning("/Stack/Auth", "nothing enforces the rules of authorizer Documents")
}

func TestRoutesOfPolicyAndAPIMustAgree(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	api := f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents", "PUT /document/{id}")
	addRoutes(api, awsapigatewayv2.NewHttpNoneAuthorizer(), "GET /companies/{companyId}/audit")
	f.wantSynthError(
		`[Stack/Auth] testdata/claims.yaml:17:7: authorizers.Documents.routes["PUT /documents/{id}"]: no such route is protected by this authorizer `+
			`(did you mean "PUT /document/{id}"?): it protects "GET /documents", "PUT /document/{id}"`,
		`authorizers.Documents.routes["GET /companies/{companyId}/audit"]: no such route is protected by this authorizer`)
}

func TestRouteThatNoRuleCoversFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(`
authorizers:
  Api:
    routes:
      "GET /documents": [{rule: "'x' in claims.scopes"}]
`)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Api"), "GET /documents", "GET /other")
	f.wantSynthError(`route "GET /other" is protected by authorizer Api, which has no rule for it and so refuses every request: ` +
		`add it to authorizers.Api.routes, or add rules to authorizers.Api.default`)
}

func TestAuthorizerThatProtectsNothingFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	auth.HttpAuthorizer("Documents")
	f.wantSynthError(`authorizers.Documents.routes["PUT /documents/{id}"]: the authorizer protects no route at all`)
}

func TestScopesOnARouteFailSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(`authorizers: {Api: {default: [{rule: "'x' in claims.scopes"}]}}`)
	auth.AddClient("Web", nil)
	api := f.api("Api", auth.HttpAuthorizer("Api"))
	api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path: jsii.String("/a"), Methods: &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod_GET},
		AuthorizationScopes: jsii.Strings("documents/read"),
		Integration:         awsapigatewayv2integrations.NewHttpUrlIntegration(jsii.String("I"), jsii.String("https://example.com"), nil),
	})
	f.wantSynthError(`route "GET /a" has AuthorizationScopes, which API Gateway accepts with JWT authorizers alone: ` +
		`demand scopes in the policy, as in the rule "'documents/read' in claims.scopes"`)
}

// Every problem is reported, by the file's line, although the app uses the construct to the full.
func TestProblemsOfThePolicyFailSynthAllAtOnce(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.Policy = construct.PolicyFile("testdata/broken.yaml") })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	auth.AuthorizerFunction("Documents").AddEnvironment(jsii.String("A"), jsii.String("b"), nil)
	auth.ClaimsFunction().AddEnvironment(jsii.String("A"), jsii.String("b"), nil)
	f.wantSynthError(
		"[Stack/Auth] testdata/broken.yaml:3:",
		"[Stack/Auth] testdata/broken.yaml:4:",
		"[Stack/Auth] testdata/broken.yaml:8:",
		"complaince_level", `did you mean "compliance_level"?`)
}

func TestUnreadablePolicyFileFailsSynthWithThePathTried(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) { p.Policy = construct.PolicyFile("no-such.yaml") })
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	f.wantSynthError(`[Stack/Auth] policy file "no-such.yaml": tried ` + filepath.Join(working, "no-such.yaml") +
		": no such file or directory (working directory " + working + "); the path is relative to the folder in which synth runs")
}

func TestWarningsOfThePolicyAreAnnotations(t *testing.T) {
	f := newFixture(t)
	f.claimsOf("claims: {big: {value: 9007199254740993}}\n")
	f.wantWarning("/Stack/Auth", "claims.big")
}

func TestAPIMayBeInAnotherStack(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	other := &fixture{t, f.app, awscdk.NewStack(f.app, jsii.String("Other"), nil)}
	other.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	other.template().count("AWS::ApiGatewayV2::Authorizer", 1)
	tpl := f.template()
	tpl.count("AWS::ApiGatewayV2::Authorizer", 0)
	tpl.count("AWS::Lambda::Function", 2)
}
