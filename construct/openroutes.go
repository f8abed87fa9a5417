package construct

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// openRoute is a route, or a method of a REST API, that has no authorizer.
type openRoute struct {
	key  string // route key, or the construct's path when that is not known
	path string // of the construct
	api  string // id of its API

	// optsOut tells that the API has a default authorizer, which would protect the route if the app did not say that it
	// should have none. It is the one way to tell what was meant from what was forgotten: in the template both are NONE.
	optsOut bool
}

// openRouteFindings are about the routes of the APIs that the authorizers protect: a forgotten call must not leave one open.
func (t *tokenClaims) openRouteFindings() []string {
	apis := t.protectedAPIs()
	var findings []string
	open := map[string]bool{}
	if len(apis) > 0 {
		for _, route := range t.openRoutes() {
			if !apis[route.api] {
				continue
			}
			open[route.key] = true
			if !route.optsOut && !slices.Contains(t.props.PublicRoutes, route.key) {
				findings = append(findings, fmt.Sprintf("route %q (%s) has no authorizer, so that everybody may call it: "+
					"give it one, or list it in props.PublicRoutes", route.key, route.path))
			}
		}
	}
	slices.Sort(findings)
	for _, key := range t.props.PublicRoutes {
		if !open[key] {
			findings = append(findings, fmt.Sprintf("props.PublicRoutes has %q, but the APIs that this construct "+
				"protects have no such route without an authorizer%s", key, policy.DidYouMean(key, slices.Sorted(maps.Keys(open)))))
		}
	}
	return findings
}

// protectedAPIs are the ids of the APIs in which an authorizer protects a route.
func (t *tokenClaims) protectedAPIs() map[string]bool {
	apis := map[string]bool{}
	for _, a := range t.authorizers {
		for _, ids := range [][]string{slices.Collect(maps.Keys(a.inHTTP)), slices.Collect(maps.Keys(a.inREST))} {
			for _, id := range ids {
				apis[id] = true
			}
		}
	}
	return apis
}

// openRoutes are the routes without an authorizer of all APIs in the app.
func (t *tokenClaims) openRoutes() []openRoute {
	var open []openRoute
	for _, node := range *awscdk.Stage_Of(t).Node().FindAll("") {
		switch resource := node.(type) {
		case awsapigatewayv2.CfnRoute:
			if !isOpen(resource.AuthorizationType()) {
				continue
			}
			route := openRoute{key: *resource.RouteKey(), path: *resource.Node().Path(), api: *resource.ApiId()}
			if l2, ok := resource.Node().Scope().(awsapigatewayv2.HttpRoute); ok {
				route.path = *l2.Node().Path()
				route.optsOut = l2.HttpApi().DefaultAuthorizer() != nil
			}
			open = append(open, route)
		case awsapigateway.CfnMethod:
			if !isOpen(resource.AuthorizationType()) {
				continue
			}
			route := openRoute{key: *resource.Node().Path(), path: *resource.Node().Path(), api: *resource.RestApiId()}
			if l2, ok := resource.Node().Scope().(awsapigateway.Method); ok {
				if isPreflight(resource) {
					continue
				}
				route.key, route.path = methodKey(l2), *l2.Node().Path()
				standard := l2.Resource().DefaultMethodOptions()
				route.optsOut = standard != nil && (standard.Authorizer != nil || !isOpen((*string)(&standard.AuthorizationType)))
			}
			open = append(open, route)
		}
	}
	return open
}

func isOpen(authorizationType *string) bool {
	return authorizationType == nil || *authorizationType == "" || *authorizationType == "NONE"
}

// isPreflight tells a method that answers what browsers ask before a request, and never with a token. No backend is behind it.
func isPreflight(method awsapigateway.CfnMethod) bool {
	integration, ok := awscdk.Stack_Of(method).Resolve(method.Integration()).(map[string]any)
	return ok && *method.HttpMethod() == "OPTIONS" && integration["type"] == "MOCK"
}
