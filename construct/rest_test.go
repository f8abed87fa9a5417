package construct_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
)

// restAPI is a REST API with these methods. Those without an authorizer of their own have the default one.
func (f *fixture) restAPI(id string, authorizer awsapigateway.IAuthorizer, routes ...string) awsapigateway.RestApi {
	api := awsapigateway.NewRestApi(f.stack, jsii.String(id), &awsapigateway.RestApiProps{
		DefaultMethodOptions: &awsapigateway.MethodOptions{Authorizer: authorizer},
	})
	addMethods(api, nil, routes...)
	return api
}

func addMethods(api awsapigateway.RestApi, options *awsapigateway.MethodOptions, routes ...string) {
	for _, key := range routes {
		method, path, _ := strings.Cut(key, " ")
		resource := awsapigateway.IResource(api.Root())
		if path != "/" {
			resource = api.Root().ResourceForPath(jsii.String(path))
		}
		resource.AddMethod(jsii.String(method), awsapigateway.NewHttpIntegration(jsii.String("https://example.com"), nil), options)
	}
}

func TestRESTAuthorizerIsKeyedOnWhatItsPoliciesName(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.restAPI("Rest", auth.RestAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	p, _ := tpl.only("AWS::ApiGateway::Authorizer")
	for name, value := range map[string]any{
		"Type":                         "REQUEST",
		"AuthorizerResultTtlInSeconds": 60.0,
		"IdentitySource":               "method.request.header.Authorization,context.httpMethod,context.path,context.domainName",
	} {
		if !reflect.DeepEqual(p[name], value) {
			t.Errorf("%s: got %v, want %v", name, p[name], value)
		}
	}
	methods := tpl.resources("AWS::ApiGateway::Method")
	if len(methods) != 3 {
		t.Errorf("%d methods, want 3", len(methods))
	}
	for id, method := range methods {
		p := method["Properties"].(map[string]any)
		if ref, ok := p["AuthorizerId"].(map[string]any); p["AuthorizationType"] != "CUSTOM" || !ok || ref["Ref"] == nil {
			t.Errorf("%s: type %v, authorizer %v", id, p["AuthorizationType"], p["AuthorizerId"])
		}
	}
}

func TestOneNameServesSeveralRESTAPIsAndStacks(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.restAPI("First", auth.RestAuthorizer("Documents"), documentRoutes...)
	f.restAPI("Second", auth.RestAuthorizer("Documents"), "GET /documents")
	f.api("Http", auth.HttpAuthorizer("Documents"), "GET /documents")
	other := &fixture{t, f.app, awscdk.NewStack(f.app, jsii.String("Other"), nil)}
	other.restAPI("Api", auth.RestAuthorizer("Documents"), "GET /documents")
	other.template().count("AWS::ApiGateway::Authorizer", 1)
	other.template().count("AWS::Lambda::Permission", 1)
	tpl := f.template()
	tpl.count("AWS::ApiGateway::Authorizer", 2)
	tpl.count("AWS::ApiGatewayV2::Authorizer", 1)
	tpl.count("AWS::Lambda::Function", 2)
}

// The deployed snapshot of an API must not go on with the identity sources and the TTL of before.
func TestRESTAPIIsDeployedAnewWhenTheAuthorizerChanges(t *testing.T) {
	deployment := func(rule string, ttl time.Duration) string {
		f := newFixture(t)
		auth := f.claims(func(p *construct.TokenClaimsProps) {
			p.Policy = construct.PolicyFile(policyFile(t, `authorizers: {Api: {default: [{rule: "`+rule+`"}]}}`))
			p.ResultsCacheTtl = &ttl
		})
		auth.AddClient("Web", nil)
		f.restAPI("Rest", auth.RestAuthorizer("Api"), "GET /documents")
		deployments := f.template().resources("AWS::ApiGateway::Deployment")
		if len(deployments) != 1 {
			t.Fatalf("%d deployments, want 1", len(deployments))
		}
		for id, d := range deployments {
			if on := fmt.Sprint(d["DependsOn"]); !strings.Contains(on, "RestAuthApiAuthorizer") {
				t.Errorf("the deployment does not wait for the authorizer, but for %s", on)
			}
			return id
		}
		return ""
	}
	first := deployment("'x' in claims.scopes", time.Minute)
	if again := deployment("'x' in claims.scopes", time.Minute); again != first {
		t.Errorf("nothing changed, yet %s became %s", first, again)
	}
	if other := deployment("'x' in claims.scopes", time.Hour); other == first {
		t.Error("the TTL changed, yet the API is not deployed anew")
	}
	if other := deployment("request.sourceIp != ''", time.Minute); other == first {
		t.Error("the identity sources changed, yet the API is not deployed anew")
	}
}

// An app of another age has another cdk.json. What protects its methods must not depend on that.
func TestRESTAuthorizerNeedsNoFeatureFlags(t *testing.T) {
	app := awscdk.NewApp(&awscdk.AppProps{
		Context: &map[string]any{"aws:cdk:bundling-stacks": []string{}}, Outdir: jsii.String(t.TempDir()),
	})
	f := &fixture{t, app, awscdk.NewStack(app, jsii.String("Stack"), nil)}
	auth := f.claimsOf(oneRule)
	auth.AddClient("Web", nil)
	f.restAPI("Rest", auth.RestAuthorizer("Api"), "GET /documents")
	tpl := f.template()
	tpl.only("AWS::ApiGateway::Authorizer")
	p, _ := tpl.only("AWS::ApiGateway::Method")
	if ref, _ := p["AuthorizerId"].(map[string]any); ref["Ref"] == nil {
		t.Errorf("the method's authorizer is %v", p["AuthorizerId"])
	}
}

func TestImportedRESTAPI(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(oneRule)
	auth.AddClient("Web", nil)
	api := awsapigateway.RestApi_FromRestApiAttributes(f.stack, jsii.String("Imported"), &awsapigateway.RestApiAttributes{
		RestApiId: jsii.String("abc"), RootResourceId: jsii.String("root"),
	})
	api.Root().AddMethod(jsii.String("GET"), awsapigateway.NewHttpIntegration(jsii.String("https://example.com"), nil),
		&awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")})
	p, _ := f.template().only("AWS::ApiGateway::Authorizer")
	if p["RestApiId"] != "abc" {
		t.Errorf("the authorizer is in %v", p["RestApiId"])
	}
}

func TestRulesForANYOnRESTAPIs(t *testing.T) {
	for _, c := range []struct{ name, rules, method, problem string }{
		{"rules for ANY cover a method", "ANY /documents", "GET /documents", ""},
		{"rules for a method are met by ANY", "GET /documents", "ANY /documents", ""},
		{"the paths must be the same", "ANY /documents", "GET /document",
			`route "GET /document" is protected by authorizer Api, which has no rule for it`},
		{"the methods must be the same", "PUT /documents", "GET /documents", `no such route is protected by this authorizer`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			auth := f.claimsOf(`authorizers: {Api: {routes: {"` + c.rules + `": [{rule: "'x' in claims.scopes"}]}}}`)
			auth.AddClient("Web", nil)
			f.restAPI("Rest", auth.RestAuthorizer("Api"), c.method)
			if c.problem == "" {
				f.template()
			} else {
				f.wantSynthError(c.problem)
			}
		})
	}
}

// CDK drops such scopes with a warning, which would leave the method open to tokens without them.
func TestScopesOnAMethodFailSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(oneRule)
	auth.AddClient("Web", nil)
	api := f.restAPI("Rest", nil)
	addMethods(api, &awsapigateway.MethodOptions{
		Authorizer: auth.RestAuthorizer("Api"), AuthorizationScopes: jsii.Strings("documents/read"),
	}, "GET /documents")
	f.wantSynthError(`method "GET /documents" has AuthorizationScopes, which API Gateway looks at with Cognito authorizers alone: ` +
		`demand scopes in the policy, as in the rule "'documents/read' in claims.scopes"`)
}

func TestWhatARESTAPICannotBeKeyedOnTurnsCachingOffThereAlone(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(`authorizers: {Api: {default: [{rule: "request.headers['x-tenant'] in claims.groups"}]}}`)
	auth.AddClient("Web", nil)
	f.api("Http", auth.HttpAuthorizer("Api"), "GET /documents")
	f.restAPI("Rest", auth.RestAuthorizer("Api"), "GET /documents")
	tpl := f.template()
	if p, _ := tpl.only("AWS::ApiGatewayV2::Authorizer"); p["AuthorizerResultTtlInSeconds"] != 60.0 {
		t.Errorf("HTTP: TTL is %v, want 60", p["AuthorizerResultTtlInSeconds"])
	}
	if p, _ := tpl.only("AWS::ApiGateway::Authorizer"); p["AuthorizerResultTtlInSeconds"] != 0.0 {
		t.Errorf("REST: TTL is %v, want 0", p["AuthorizerResultTtlInSeconds"])
	}
	f.wantInfo("/Stack/Auth/ApiAuthorizer", "decisions of authorizer Api are not cached for REST APIs, because API Gateway cannot tell apart the requests "+
		"for which they may differ: rules read all values of request.headers.x-tenant, and a REST API compares but one")
}

func TestRESTAndWebSocketAuthorizersProtectNothingUnlessAttached(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	auth.RestAuthorizer("Documents")
	f.wantSynthError(`authorizers.Documents.routes["PUT /documents/{id}"]: the authorizer protects no route at all`)
}

const liveRule = `authorizers: {Live: {routes: {$connect: [{rule: "'x' in claims.scopes"}]}}}`

func (f *fixture) webSocketAPI(id string, authorizer awsapigatewayv2.IWebSocketRouteAuthorizer) {
	awsapigatewayv2.NewWebSocketApi(f.stack, jsii.String(id), &awsapigatewayv2.WebSocketApiProps{
		ConnectRouteOptions: &awsapigatewayv2.WebSocketRouteOptions{
			Integration: awsapigatewayv2integrations.NewWebSocketMockIntegration(jsii.String("Backend"), nil), Authorizer: authorizer,
		},
	})
}

func TestOneNameServesSeveralWebSocketAPIs(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsOf(liveRule)
	auth.AddClient("Web", nil)
	f.webSocketAPI("First", auth.WebSocketAuthorizer("Live"))
	f.webSocketAPI("Second", auth.WebSocketAuthorizer("Live"))
	tpl := f.template()
	tpl.count("AWS::ApiGatewayV2::Authorizer", 2)
	tpl.count("AWS::Lambda::Function", 2)
	for id, a := range tpl.resources("AWS::ApiGatewayV2::Authorizer") {
		p := a["Properties"].(map[string]any)
		if sources := fmt.Sprint(p["IdentitySource"]); sources != "[route.request.header.Authorization]" || p["AuthorizerResultTtlInSeconds"] != nil {
			t.Errorf("%s: sources %s, TTL %v", id, sources, p["AuthorizerResultTtlInSeconds"])
		}
	}
}

func TestTokenSourcesReachAPIAndFunction(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, liveRule))
		p.TokenSources = map[string][]construct.TokenSource{"Live": {construct.TokenInSubprotocol()}}
	})
	auth.AddClient("Web", nil)
	f.webSocketAPI("Live", auth.WebSocketAuthorizer("Live"))
	tpl := f.template()
	tpl.has("AWS::ApiGatewayV2::Authorizer", map[string]any{"IdentitySource": []string{"route.request.header.Sec-WebSocket-Protocol"}})
	tpl.has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{
		"Variables": map[string]any{"CLAIMSMITH_AUTHORIZER": "Live", "CLAIMSMITH_TOKEN_SOURCES": "subprotocol"},
	}})
}

func TestTokenSourcesThatAnAPIDoesNotHaveFailSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, oneRule))
		p.TokenSources = map[string][]construct.TokenSource{"Api": {construct.TokenInSubprotocol()}, "Apy": {construct.TokenInQuery("token")}}
	})
	auth.AddClient("Web", nil)
	f.api("Http", auth.HttpAuthorizer("Api"), "GET /documents")
	f.wantSynthError(
		`authorizer Api takes its token from subprotocol, which HTTP APIs do not have: add another source to props.TokenSources`,
		`props.TokenSources has "Apy", which is no authorizer of `)
}

func TestRESTAndWebSocketStackIsTheGolden(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile("testdata/apis.yaml")
		p.TokenSources = map[string][]construct.TokenSource{"Live": {construct.TokenInSubprotocol()}}
	})
	auth.AddClient("Web", nil)
	f.restAPI("Rest", auth.RestAuthorizer("Documents"), documentRoutes...)
	f.webSocketAPI("Live", auth.WebSocketAuthorizer("Live"))
	tpl := f.template()
	f.wantNoAnnotations()
	snapshot.Match(t, f.stack, "testdata/apis.template.json")

	// What must hold whatever the golden says.
	tpl.has("AWS::ApiGateway::Authorizer", map[string]any{
		"Type": "REQUEST", "AuthorizerResultTtlInSeconds": 60,
		"IdentitySource": "method.request.header.Authorization,context.httpMethod,context.path,context.domainName",
	})
	for id, method := range tpl.resources("AWS::ApiGateway::Method") {
		p := method["Properties"].(map[string]any)
		authorizer, _ := p["AuthorizerId"].(map[string]any)
		if ref, _ := authorizer["Ref"].(string); p["AuthorizationType"] != "CUSTOM" || !strings.HasPrefix(ref, "RestAuthDocumentsAuthorizer") {
			t.Errorf("%s: type %v, authorizer %v", id, p["AuthorizationType"], p["AuthorizerId"])
		}
	}
	tpl.has("AWS::ApiGatewayV2::Route", map[string]any{"RouteKey": "$connect", "AuthorizationType": "CUSTOM"})
	// Only API Gateway may call the authorizers, each only for its own API's authorizer.
	invokers := 0
	for id, permission := range tpl.resources("AWS::Lambda::Permission") {
		p := permission["Properties"].(map[string]any)
		if p["Principal"] != "apigateway.amazonaws.com" {
			continue
		}
		invokers++
		if source := fmt.Sprint(p["SourceArn"]); !strings.Contains(source, "/authorizers/") || !strings.Contains(source, "execute-api") {
			t.Errorf("%s: source %s", id, source)
		}
	}
	if invokers != 2 {
		t.Errorf("%d permissions for API Gateway, want 2", invokers)
	}
}
