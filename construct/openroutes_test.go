package construct_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// oneRule is a policy whose authorizer Api covers every route.
const oneRule = `authorizers: {Api: {default: [{rule: "'x' in claims.scopes"}]}}`

// claimsWithPublic is the construct with oneRule and these public routes.
func (f *fixture) claimsWithPublic(routes ...string) construct.TokenClaims {
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(f.t, oneRule))
		p.PublicRoutes = routes
	})
	auth.AddClient("Web", nil)
	return auth
}

func TestForgottenRoutesFailSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic()
	http := f.api("Http", nil, "GET /http/open")
	addRoutes(http, auth.HttpAuthorizer("Api"), "GET /http/protected")
	rest := f.restAPI("Rest", nil, "GET /rest/open")
	addMethods(rest, &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")}, "GET /rest/protected")
	awsapigatewayv2.NewCfnRoute(f.stack, jsii.String("Raw"), &awsapigatewayv2.CfnRouteProps{
		ApiId: http.ApiId(), RouteKey: jsii.String("GET /raw"),
	})
	awsapigateway.NewCfnMethod(f.stack, jsii.String("RawMethod"), &awsapigateway.CfnMethodProps{
		RestApiId: rest.RestApiId(), ResourceId: rest.RestApiRootResourceId(), HttpMethod: jsii.String("GET"),
	})
	f.wantSynthError(
		`route "GET /http/open" (Stack/Http/GET--http--open) has no authorizer, so that everybody may call it: give it one, or list it in props.PublicRoutes`,
		`route "GET /rest/open" (Stack/Rest/Default/rest/open/GET) has no authorizer`,
		`route "GET /raw" (Stack/Raw) has no authorizer`,
		`route "Stack/RawMethod" (Stack/RawMethod) has no authorizer`)
	if text := f.synthError(); strings.Contains(text, "protected\"") {
		t.Errorf("protected routes are reported:\n%s", text)
	}
}

func TestDeclaredRoutesArePublic(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic("GET /health", "GET /rest/health")
	// Without a default authorizer they are listed, …
	http := f.api("Http", nil, "GET /health")
	addRoutes(http, auth.HttpAuthorizer("Api"), "GET /documents")
	rest := f.restAPI("Rest", nil, "GET /rest/health")
	addMethods(rest, &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")}, "GET /documents")
	// … and with one they opt out of it.
	addRoutes(f.api("DefaultHttp", auth.HttpAuthorizer("Api"), "GET /documents"), awsapigatewayv2.NewHttpNoneAuthorizer(), "GET /status")
	addMethods(f.restAPI("DefaultRest", auth.RestAuthorizer("Api"), "GET /documents"),
		&awsapigateway.MethodOptions{AuthorizationType: awsapigateway.AuthorizationType_NONE}, "GET /status")
	// Other APIs and other authorizers are none of our business.
	f.api("Other", nil, "GET /open")
	addMethods(f.restAPI("OtherRest", nil), nil, "GET /open")
	addMethods(rest, &awsapigateway.MethodOptions{AuthorizationType: awsapigateway.AuthorizationType_IAM}, "GET /iam")
	f.template()
	f.wantNoAnnotations()
}

// A preflight has no token and reaches no backend. An OPTIONS method with a backend is a method like any other.
func TestPreflightsArePublic(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic()
	api := awsapigateway.NewRestApi(f.stack, jsii.String("Rest"), &awsapigateway.RestApiProps{
		DefaultCorsPreflightOptions: &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings("https://app.example.com")},
	})
	options := &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")}
	addMethods(api, options, "GET /documents")
	f.template().count("AWS::ApiGateway::Method", 3) // two preflights
}

func TestOptionsMethodWithABackendMustBeProtected(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic()
	api := f.restAPI("Rest", nil, "OPTIONS /documents")
	addMethods(api, &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")}, "GET /documents")
	f.wantSynthError(`route "OPTIONS /documents" (Stack/Rest/Default/documents/OPTIONS) has no authorizer`)
}

func TestPublicRouteThatIsNoneFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic("GET /health", "GET /helth")
	addRoutes(f.api("Http", auth.HttpAuthorizer("Api"), "GET /documents"), awsapigatewayv2.NewHttpNoneAuthorizer(), "GET /health")
	f.wantSynthError(`props.PublicRoutes has "GET /helth", but the APIs that this construct protects have no such route without an authorizer ` +
		`(did you mean "GET /health"?)`)
}

func TestRoutesOfOtherStacksAreSeen(t *testing.T) {
	f := newFixture(t)
	auth := f.claimsWithPublic()
	other := &fixture{t, f.app, awscdk.NewStack(f.app, jsii.String("Other"), nil)}
	addMethods(other.restAPI("Rest", nil, "GET /open"), &awsapigateway.MethodOptions{Authorizer: auth.RestAuthorizer("Api")}, "GET /documents")
	f.wantSynthError(`route "GET /open" (Other/Rest/Default/open/GET) has no authorizer`)
}
