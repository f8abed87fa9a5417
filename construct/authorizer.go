package construct

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// authorizer is one authorizer of the policy. It is the [awsapigatewayv2.IHttpRouteAuthorizer] that users get, rather
// than CDK's HttpLambdaAuthorizer, because that one serves a single API and does not tell which routes it protects.
type authorizer struct {
	owner       *tokenClaims
	name        string
	checker     *policy.Checker // nil when the policy has problems or no authorizer of this name
	function    awslambda.Function
	usedForHTTP bool
	perAPI      map[string]awsapigatewayv2authorizers.HttpLambdaAuthorizer // by API id
	routes      []awsapigatewayv2.IHttpRoute
}

// authorizer returns the authorizer of that name and creates it when there is none yet. With a name that the policy
// does not have it works as well, so that synth can report this together with everything else.
func (t *tokenClaims) authorizer(name string) *authorizer {
	if a, ok := t.authorizers[name]; ok {
		return a
	}
	a := &authorizer{owner: t, name: name, perAPI: map[string]awsapigatewayv2authorizers.HttpLambdaAuthorizer{}}
	if t.policy.program != nil {
		a.checker, _ = t.policy.program.Checker(name)
	}
	a.function = t.newFunction(name+"Authorizer", functionProps{
		main:        "authorizer",
		description: "Checks access tokens against the rules of " + name + " (API Gateway Lambda authorizer)",
		// API Gateway waits ten seconds for an authorizer of an HTTP API.
		timeoutSeconds: 10,
		environment: map[string]string{
			"CLAIMSMITH_AUTHORIZER":    name,
			"CLAIMSMITH_INVALID_TOKEN": string(t.props.InvalidToken),
			userPoolsVariable:          t.acceptedPools(),
		},
	})
	t.authorizers[name] = a
	a.annotateCachingOff()
	return a
}

// Bind is called by CDK for each route that the authorizer protects.
func (a *authorizer) Bind(options *awsapigatewayv2.HttpRouteAuthorizerBindOptions) *awsapigatewayv2.HttpRouteAuthorizerConfig {
	api := *options.Route.HttpApi().ApiId()
	inAPI, ok := a.perAPI[api]
	if !ok {
		inAPI = a.newHTTPAuthorizer()
		a.perAPI[api] = inAPI
	}
	a.routes = append(a.routes, options.Route)
	return inAPI.Bind(options)
}

// newHTTPAuthorizer is the authorizer of one API. CDK creates it within the API, hence the owner's id in its own.
func (a *authorizer) newHTTPAuthorizer() awsapigatewayv2authorizers.HttpLambdaAuthorizer {
	ttl := a.cacheTTL()
	return awsapigatewayv2authorizers.NewHttpLambdaAuthorizer(
		jsii.String(*a.owner.Node().Id()+a.name+"Authorizer"), a.owner.target(a.function),
		&awsapigatewayv2authorizers.HttpLambdaAuthorizerProps{
			ResponseTypes:   &[]awsapigatewayv2authorizers.HttpLambdaResponseType{awsapigatewayv2authorizers.HttpLambdaResponseType_SIMPLE},
			IdentitySource:  jsii.Strings(identitySources(a.reads(), ttl)...),
			ResultsCacheTtl: awscdk.Duration_Seconds(jsii.Number(ttl.Seconds())),
		})
}

func (a *authorizer) reads() policy.Reads {
	if a.checker == nil {
		return policy.Reads{}
	}
	return a.checker.Reads()
}

// cacheTTL is the configured time, unless a rule reads what API Gateway cannot compare.
func (a *authorizer) cacheTTL() time.Duration {
	if len(a.reads().Unkeyable) > 0 {
		return 0
	}
	return a.owner.props.cacheTTL()
}

// annotateCachingOff says why decisions are not cached. It is a warning when the user asked for caching, since that
// wish is not met, and a note otherwise.
func (a *authorizer) annotateCachingOff() {
	unkeyable := a.reads().Unkeyable
	if len(unkeyable) == 0 || a.owner.props.cacheTTL() == 0 {
		return
	}
	id := jsii.String("claimsmith:cachingOff:" + a.name)
	message := jsii.String(fmt.Sprintf("decisions of authorizer %s are not cached, because API Gateway cannot tell apart requests by what its rules read: %s",
		a.name, strings.Join(unkeyable, "; ")))
	if a.owner.props.ResultsCacheTtl != nil {
		awscdk.Annotations_Of(a.function).AddWarningV2(id, message)
	} else {
		awscdk.Annotations_Of(a.function).AddInfoV2(id, message)
	}
}

// identitySources is the cache key of an HTTP API's authorizer: the token, and whatever else a decision depends on. A
// request that lacks one of them is answered 401 without asking the function, which is why only what every request has,
// or every rule demands, may be listed; and why without a cache, where nothing is keyed, only the token is.
//
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
func identitySources(reads policy.Reads, ttl time.Duration) []string {
	sources := []string{"$request.header.Authorization"}
	if ttl == 0 {
		return sources
	}
	for _, c := range []struct {
		read   bool
		source string
	}{
		{reads.Route, "$context.routeKey"},
		{reads.Method, "$context.httpMethod"},
		{reads.Path, "$context.path"},
		{reads.SourceIP, "$context.identity.sourceIp"},
	} {
		if c.read {
			sources = append(sources, c.source)
		}
	}
	for _, name := range reads.Headers {
		if name != "authorization" {
			sources = append(sources, "$request.header."+name)
		}
	}
	for _, name := range reads.Query {
		sources = append(sources, "$request.querystring."+name)
	}
	return sources
}
