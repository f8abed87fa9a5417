package construct

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// audit is the construct's CDK validation. It runs once the app is complete and so is the place for what depends on
// calls that may come in any order.
type audit struct{ claims *tokenClaims }

// Validate returns every problem, one text each. CDK adds the construct's path.
func (v *audit) Validate() *[]*string {
	findings := slices.Concat(v.claims.policy.problems, v.claims.paramFindings(), v.claims.tableFindings(), v.claims.clientFindings)
	for _, name := range slices.Sorted(maps.Keys(v.claims.authorizers)) {
		findings = append(findings, v.claims.authorizers[name].findings()...)
	}
	if len(v.claims.authorizers) > 0 && len(v.claims.clientIDs) == 0 {
		findings = append(findings, "the pool has no app client, so its authorizers would refuse every token: "+
			`add one, as in AddClient("Web", nil)`)
	}
	if program := v.claims.policy.program; program != nil {
		v.warnUnused(program.CheckerNames())
	}
	return jsii.Strings(findings...)
}

// warnUnused points out rules that nothing enforces. It is no error, since one policy may serve several apps.
func (v *audit) warnUnused(names []string) {
	for _, name := range names {
		if _, used := v.claims.authorizers[name]; !used {
			awscdk.Annotations_Of(v.claims).AddWarningV2(jsii.String("claimsmith:unusedAuthorizer:"+name), jsii.Sprintf(
				"nothing enforces the rules of authorizer %s: protect routes with HttpAuthorizer(%q)", name, name))
		}
	}
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
	if !a.usedForHTTP {
		return nil
	}
	var keys, findings []string
	for _, route := range a.routes {
		resource := route.Node().DefaultChild().(awsapigatewayv2.CfnRoute)
		if *awscdk.Token_IsUnresolved(resource.RouteKey()) {
			continue
		}
		keys = append(keys, *resource.RouteKey())
		if scopes := resource.AuthorizationScopes(); scopes != nil && len(*scopes) > 0 {
			findings = append(findings, fmt.Sprintf("route %q has AuthorizationScopes, which API Gateway accepts with JWT authorizers alone: "+
				`demand scopes in the policy, as in the rule "'%s' in claims.scopes"`, *resource.RouteKey(), *(*scopes)[0]))
		}
	}
	return append(findings, routeFindings(loaded.program, a.name, a.checker.Routes(), a.checker.CoversAll(), keys)...)
}

// unknownName is the message for an authorizer that the policy does not have.
func unknownName(name, policyName string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("no authorizer %q in %s, which has none at all: add it under authorizers", name, policyName)
	}
	return fmt.Sprintf("no authorizer %q in %s%s: its authorizers are %s", name, policyName, policy.DidYouMean(name, known), quoted(known))
}

// routeFindings compares the routes that the policy has rules for with those that the authorizer protects.
func routeFindings(program *policy.Program, name string, named []string, coversAll bool, protected []string) []string {
	protected = slices.Compact(slices.Sorted(slices.Values(protected)))
	var findings []string
	for _, route := range named {
		if slices.Contains(protected, route) {
			continue
		}
		message := "the authorizer protects no route at all: set it as DefaultAuthorizer of the API or as Authorizer of the route"
		if len(protected) > 0 {
			message = fmt.Sprintf("no such route is protected by this authorizer%s: it protects %s", policy.DidYouMean(route, protected), quoted(protected))
		}
		findings = append(findings, program.Problem(fmt.Sprintf("authorizers.%s.routes[%q]", name, route), message).String())
	}
	if coversAll {
		return findings
	}
	for _, route := range protected {
		if !slices.Contains(named, route) {
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
