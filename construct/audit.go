package construct

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// audit is the construct's CDK validation. It runs once the app is complete and so is the place for what depends on
// calls that may come in any order.
type audit struct{ claims *tokenClaims }

// Validate returns every problem, one text each. CDK adds the construct's path.
func (v *audit) Validate() *[]*string {
	findings := slices.Concat(v.claims.policy.problems, v.claims.paramFindings(), v.claims.tableFindings(),
		v.claims.codeFindings(), v.claims.clientFindings, v.claims.compositionFindings())
	for _, name := range slices.Sorted(maps.Keys(v.claims.authorizers)) {
		findings = append(findings, v.claims.authorizers[name].findings()...)
	}
	findings = append(findings, v.claims.openRouteFindings()...)
	if len(v.claims.authorizers) > 0 && len(v.claims.accepted) == 0 {
		findings = append(findings, "the pool has no app client, so its authorizers would refuse every token: "+
			`add one, as in AddClient("Web", nil), or accept one that exists with AcceptPool`)
	}
	if program := v.claims.policy.program; program != nil {
		findings = append(findings, v.claims.tokenSourceFindings(program.CheckerNames())...)
		if v.claims.props.LambdaVersion == awscognito.LambdaVersion_V1_0 && program.ShapesAccessTokens() {
			findings = append(findings, "props.LambdaVersion is V1_0, which cannot customise access tokens, but the policy does: use V2_0, the default, or V3_0 for the "+
				"tokens of machines too; or give every claim tokens: [id], and change no scopes")
		}
		v.warnUnused(program.CheckerNames())
	}
	return jsii.Strings(findings...)
}

// warnUnused points out rules that nothing enforces. It is no error, since one policy may serve several apps.
func (v *audit) warnUnused(names []string) {
	for _, name := range names {
		if _, used := v.claims.authorizers[name]; !used {
			awscdk.Annotations_Of(v.claims).AddWarningV2(jsii.String("claimsmith:unusedAuthorizer:"+name), jsii.Sprintf(
				"nothing enforces the rules of authorizer %s: protect routes with HttpAuthorizer(%q), RestAuthorizer or WebSocketAuthorizer", name, name))
		}
	}
}

// tokenSourceFindings are token sources of authorizers that the policy does not have.
func (t *tokenClaims) tokenSourceFindings(known []string) []string {
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(t.props.TokenSources)) {
		if !slices.Contains(known, name) {
			findings = append(findings, fmt.Sprintf("props.TokenSources has %q, which is no authorizer of %s%s", name, t.policy.name,
				policy.DidYouMean(name, known)))
		}
	}
	return findings
}

// paramFindings compares the deploy-time values that the policy declares with those that it is given.
func (t *tokenClaims) paramFindings() []string {
	if t.policy.program == nil {
		return nil
	}
	var findings []string
	declared := t.policy.program.Params()
	for _, name := range declared {
		if _, given := t.props.Params[name]; !given {
			findings = append(findings, t.policy.program.Problem("params", fmt.Sprintf("%q has no value: set it in props.Params", name)).String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.props.Params)) {
		if !slices.Contains(declared, name) {
			findings = append(findings, fmt.Sprintf("props.Params has %q, which %s does not declare%s: list it under params",
				name, t.policy.name, policy.DidYouMean(name, declared)))
		}
	}
	return findings
}

// findings are the contradictions between the policy and the routes that the authorizer protects.
func (a *authorizer) findings() []string {
	loaded := a.owner.policy
	if loaded.program == nil {
		return nil // the policy's own problems come first
	}
	if a.checker == nil {
		return []string{unknownName(a.name, loaded.name, loaded.program.CheckerNames())}
	}
	if len(a.kinds) == 0 {
		return nil
	}
	protected, findings := a.protected()
	for _, kind := range a.kinds {
		if len(kind.usable(a.tokenSources())) == 0 {
			findings = append(findings, fmt.Sprintf("authorizer %s takes its token from %s, which %s APIs do not have: "+
				"add another source to props.TokenSources", a.name, sourceList(a.tokenSources()), kind.name))
		}
	}
	return append(findings, routeFindings(loaded.program, a.name, a.checker.Routes(), a.checker.CoversAll(), protected)...)
}

// protectedRoute is the key of a route that an authorizer protects, as it is in a policy.
type protectedRoute struct {
	key string

	// anyMethod tells that a rule for ANY decides about one method and the other way round, since the event tells the
	// method of the request and not that of the resource, as with REST APIs.
	anyMethod bool
}

// decidedBy tells whether the rules that the policy has for a route decide about requests to the protected one.
func (r protectedRoute) decidedBy(named string) bool {
	if r.key == named || !r.anyMethod {
		return r.key == named
	}
	method, path, _ := strings.Cut(r.key, " ")
	namedMethod, namedPath, _ := strings.Cut(named, " ")
	return path == namedPath && (method == "ANY" || namedMethod == "ANY")
}

// protected are the routes that the authorizer protects, and what is wrong with them.
func (a *authorizer) protected() (protected []protectedRoute, findings []string) {
	const remedy = `: demand scopes in the policy, as in the rule "'%s' in claims.scopes"`
	for _, route := range a.routes {
		resource := route.Node().DefaultChild().(awsapigatewayv2.CfnRoute)
		if *awscdk.Token_IsUnresolved(resource.RouteKey()) {
			continue
		}
		protected = append(protected, protectedRoute{key: *resource.RouteKey()})
		if scopes := resource.AuthorizationScopes(); scopes != nil && len(*scopes) > 0 {
			findings = append(findings, fmt.Sprintf("route %q has AuthorizationScopes, which API Gateway accepts with JWT authorizers alone"+remedy,
				*resource.RouteKey(), *(*scopes)[0]))
		}
	}
	for _, method := range a.methods {
		protected = append(protected, protectedRoute{key: methodKey(method), anyMethod: true})
		if scopesIgnored(method) {
			findings = append(findings, fmt.Sprintf("method %q has AuthorizationScopes, which API Gateway looks at with Cognito authorizers alone"+remedy,
				methodKey(method), "documents/read"))
		}
	}
	for _, route := range a.sockets {
		protected = append(protected, protectedRoute{key: *route.RouteKey()})
	}
	return protected, findings
}

// methodKey is the route key of a REST API's method.
func methodKey(method awsapigateway.Method) string {
	return *method.HttpMethod() + " " + *method.Resource().Path()
}

// scopesIgnored tells that a method was given scopes that CDK dropped, which it says in a warning alone.
func scopesIgnored(method awsapigateway.Method) bool {
	return slices.ContainsFunc(*method.Node().Metadata(), func(entry *constructs.MetadataEntry) bool {
		text, _ := entry.Data.(string)
		return strings.Contains(text, "aws-apigateway:invalidAuthScope")
	})
}

// unknownName is the message for an authorizer that the policy does not have.
func unknownName(name, policyName string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("no authorizer %q in %s, which has none at all: add it under authorizers", name, policyName)
	}
	return fmt.Sprintf("no authorizer %q in %s%s: its authorizers are %s", name, policyName, policy.DidYouMean(name, known), quoted(known))
}

// routeFindings compares the routes that the policy has rules for with those that the authorizer protects.
func routeFindings(program *policy.Compiled, name string, named []string, coversAll bool, protected []protectedRoute) []string {
	var keys []string
	for _, route := range protected {
		keys = append(keys, route.key)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)

	var findings []string
	for _, route := range named {
		if slices.ContainsFunc(protected, func(p protectedRoute) bool { return p.decidedBy(route) }) {
			continue
		}
		message := "the authorizer protects no route at all: set it as the default authorizer of an API or as the authorizer of its routes"
		if len(keys) > 0 {
			message = fmt.Sprintf("no such route is protected by this authorizer%s: it protects %s", policy.DidYouMean(route, keys), quoted(keys))
		}
		findings = append(findings, program.Problem(fmt.Sprintf("authorizers.%s.routes[%q]", name, route), message).String())
	}
	if coversAll {
		return findings
	}
	for _, route := range keys {
		if !slices.ContainsFunc(protected, func(p protectedRoute) bool { return p.key == route && slices.ContainsFunc(named, p.decidedBy) }) {
			findings = append(findings, fmt.Sprintf("route %q is protected by authorizer %s, which has no rule for it and so refuses every request: "+
				"add it to authorizers.%s.routes, or add rules to authorizers.%s.default", route, name, name, name))
		}
	}
	return findings
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, fmt.Sprintf("%q", n))
	}
	return strings.Join(q, ", ")
}
