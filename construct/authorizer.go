package construct

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// authorizer is one authorizer of the policy: a function, and in each API that it protects an API Gateway authorizer that
// calls it. What users attach are [httpAuthorizer], [restAuthorizer] and [webSocketAuthorizer] rather than CDK's own, each of
// which serves a single API and does not tell which routes it protects.
type authorizer struct {
	owner    *tokenClaims
	name     string
	checker  *program.Checker // nil when the policy has problems or no authorizer of this name
	function awslambda.Function

	errorsAlarm awscloudwatch.Alarm // nil when there is none

	// What it protects. A kind of API is used from when it was asked for, so that one which protects nothing is noticed.
	kinds   []apiKind
	routes  []awsapigatewayv2.IHttpRoute
	methods []awsapigateway.Method
	sockets []awsapigatewayv2.IWebSocketRoute

	// The API Gateway authorizers, by API id.
	inHTTP      map[string]awsapigatewayv2authorizers.HttpLambdaAuthorizer
	inREST      map[string]awsapigateway.CfnAuthorizer
	inWebSocket map[string]awsapigatewayv2authorizers.WebSocketLambdaAuthorizer
}

// authorizer returns the authorizer of that name and creates it when there is none yet. With a name that the policy
// does not have it works as well, so that synth can report this together with everything else.
func (t *tokenClaims) authorizer(name string) *authorizer {
	if a, ok := t.authorizers[name]; ok {
		return a
	}
	a := &authorizer{
		owner: t, name: name,
		inHTTP:      map[string]awsapigatewayv2authorizers.HttpLambdaAuthorizer{},
		inREST:      map[string]awsapigateway.CfnAuthorizer{},
		inWebSocket: map[string]awsapigatewayv2authorizers.WebSocketLambdaAuthorizer{},
	}
	if t.policy.program != nil {
		a.checker, _ = t.policy.program.Checker(name)
	}
	environment := map[string]string{
		"CLAIMSMITH_AUTHORIZER":    name,
		"CLAIMSMITH_INVALID_TOKEN": string(t.props.InvalidToken),
		userPoolsVariable:          t.acceptedPools(),
	}
	if sources, ok := t.props.TokenSources[name]; ok {
		environment["CLAIMSMITH_TOKEN_SOURCES"] = sourceList(sources)
	}
	a.function = t.newFunction(name+"Authorizer", functionProps{
		main:        "authorizer",
		description: "Checks access tokens against the rules of " + name + " (API Gateway Lambda authorizer)",
		// API Gateway waits ten seconds for an authorizer of an HTTP API.
		timeoutSeconds: 10,
		environment:    environment,
	})
	t.authorizers[name] = a
	a.monitor()
	return a
}

// use notes that the authorizer is for that kind of API.
func (a *authorizer) use(kind apiKind) {
	if !slices.Contains(a.kinds, kind) {
		a.kinds = append(a.kinds, kind)
		a.annotateCachingOff(kind)
		if kind != httpKind {
			a.expectErrors()
		}
	}
}

// id is that of the API Gateway authorizers, each of which is created within its API, hence the owner's id in it.
func (a *authorizer) id() string { return *a.owner.Node().Id() + a.name + "Authorizer" }

func (a *authorizer) tokenSources() []TokenSource {
	if sources, ok := a.owner.props.TokenSources[a.name]; ok {
		return sources
	}
	return defaultTokenSources
}

func (a *authorizer) cacheKey(kind apiKind) cacheKey {
	var reads program.Reads
	if a.checker != nil {
		reads = a.checker.Reads()
	}
	// Whoever sets a TTL beside a program says by this that it decides by nothing else.
	if a.owner.props.AuthorizerProgram != nil && a.owner.props.ResultsCacheTtl == nil {
		reads.Unkeyable = append(slices.Clone(reads.Unkeyable), "props.AuthorizerProgram may decide by anything: "+
			"set ResultsCacheTtl if it goes by nothing of a request but what the policy's rules read")
	}
	return kind.cacheKey(a.tokenSources(), reads, a.owner.props.cacheTTL())
}

// annotateCachingOff says why decisions are not cached. It is a warning when the user asked for caching, since that
// wish is not met, and a note otherwise.
func (a *authorizer) annotateCachingOff(kind apiKind) {
	key := a.cacheKey(kind)
	if len(key.off) == 0 {
		return
	}
	id := jsii.String("claimsmith:cachingOff:" + a.name + ":" + kind.name)
	message := jsii.String(fmt.Sprintf("decisions of authorizer %s are not cached for %s APIs, because API Gateway cannot tell apart the requests "+
		"for which they may differ: %s", a.name, kind.name, strings.Join(key.off, "; ")))
	if a.owner.props.ResultsCacheTtl != nil {
		awscdk.Annotations_Of(a.function).AddWarningV2(id, message)
	} else {
		awscdk.Annotations_Of(a.function).AddInfoV2(id, message)
	}
}

// httpAuthorizer protects routes of HTTP APIs.
type httpAuthorizer struct{ of *authorizer }

// Bind is called by CDK for each route that is protected.
func (h *httpAuthorizer) Bind(options *awsapigatewayv2.HttpRouteAuthorizerBindOptions) *awsapigatewayv2.HttpRouteAuthorizerConfig {
	a, api := h.of, *options.Route.HttpApi().ApiId()
	inAPI, ok := a.inHTTP[api]
	if !ok {
		key := a.cacheKey(httpKind)
		inAPI = awsapigatewayv2authorizers.NewHttpLambdaAuthorizer(jsii.String(a.id()), a.owner.target(a.function),
			&awsapigatewayv2authorizers.HttpLambdaAuthorizerProps{
				ResponseTypes:   &[]awsapigatewayv2authorizers.HttpLambdaResponseType{awsapigatewayv2authorizers.HttpLambdaResponseType_SIMPLE},
				IdentitySource:  jsii.Strings(key.sources...),
				ResultsCacheTtl: awscdk.Duration_Seconds(jsii.Number(key.ttl.Seconds())),
			})
		a.inHTTP[api] = inAPI
	}
	a.routes = append(a.routes, options.Route)
	return inAPI.Bind(options)
}

// webSocketAuthorizer protects $connect routes of WebSocket APIs.
type webSocketAuthorizer struct{ of *authorizer }

// Bind is called by CDK for each route that is protected.
func (w *webSocketAuthorizer) Bind(options *awsapigatewayv2.WebSocketRouteAuthorizerBindOptions) *awsapigatewayv2.WebSocketRouteAuthorizerConfig {
	a, api := w.of, *options.Route.WebSocketApi().ApiId()
	inAPI, ok := a.inWebSocket[api]
	if !ok {
		inAPI = awsapigatewayv2authorizers.NewWebSocketLambdaAuthorizer(jsii.String(a.id()), a.owner.target(a.function),
			&awsapigatewayv2authorizers.WebSocketLambdaAuthorizerProps{
				IdentitySource: jsii.Strings(a.cacheKey(webSocketKind).sources...),
			})
		a.inWebSocket[api] = inAPI
	}
	a.sockets = append(a.sockets, options.Route)
	return inAPI.Bind(options)
}
