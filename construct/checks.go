package construct

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// This file holds what fails at synth, because it would fail later, or not fail and be wrong.

// validateComposition returns the contradictions among the props about where the pool is from and how functions run.
func (p *TokenClaimsProps) validateComposition() []error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("props."+format, args...)) }

	if p.UserPool != nil || p.MintedElsewhere {
		for _, c := range []struct {
			name string
			set  bool
		}{
			{"UserPoolProps", p.UserPoolProps != nil},
			{"FeaturePlan", p.FeaturePlan != ""},
			{"StandardThreatProtectionMode", p.StandardThreatProtectionMode != ""},
			{"IssuerType", p.IssuerType != ""},
		} {
			if c.set {
				refuse("%s is for the pool that is created, but UserPool or MintedElsewhere is set and none is: set it on the pool itself", c.name)
			}
		}
	}
	if p.MintedElsewhere && (len(p.LookupTables) > 0 || p.LookupBudget != 0) {
		refuse("LookupTables and LookupBudget are for the claims function, but MintedElsewhere is set and there is none: leave them out")
	}
	imported := p.UserPool != nil && appPool(p.UserPool) == nil && !p.MintedElsewhere
	if p.ReplacedTriggerArn != "" && !imported {
		refuse("ReplacedTriggerArn is for an imported UserPool whose trigger is replaced: leave it out")
	}
	if p.ReplacedTriggerVersion != "" && p.ReplacedTriggerArn == "" {
		refuse("ReplacedTriggerVersion is set without ReplacedTriggerArn: set both")
	}
	switch p.IssuerType {
	case "", IssuerTypeOriginal:
	case IssuerTypeUpdated:
		if p.featurePlan() == awscognito.FeaturePlan_LITE {
			refuse("IssuerType is UPDATED, which plan LITE does not have: use ESSENTIALS or PLUS")
		}
	default:
		refuse("IssuerType is %q: it is %q or %q", p.IssuerType, IssuerTypeOriginal, IssuerTypeUpdated)
	}

	if p.MemorySize != 0 && (p.MemorySize < 128 || p.MemorySize > 10240 || p.MemorySize != float64(int(p.MemorySize))) {
		refuse("MemorySize is %v: Lambda takes 128 to 10240 megabytes", p.MemorySize)
	}
	if t := p.Timeout; t != nil && (*t < time.Second || *t > 10*time.Second || *t%time.Second != 0) {
		refuse("Timeout is %v: it is 1s to 10s, in whole seconds; nobody waits longer", *t)
	}
	if n := p.ProvisionedConcurrentExecutions; n < 0 || n != float64(int(n)) {
		refuse("ProvisionedConcurrentExecutions is %v: it is a whole number, 0 for none", n)
	}
	if p.Vpc == nil && (p.VpcSubnets != nil || len(p.SecurityGroups) > 0) {
		refuse("VpcSubnets and SecurityGroups need Vpc: set it, or leave them out")
	}
	if p.LogGroup != nil && p.LogRetention != "" {
		refuse("LogRetention is for log groups that are created, but LogGroup is set: set the retention there")
	}
	return errs
}

// checkRegion refuses Regions that have no user pools. It says nothing about a Region that only the deployment knows.
//
// See https://docs.amazonaws.cn/en_us/aws/latest/userguide/cognito.html; none of the AWS SDKs has an endpoint of user
// pools in the partitions of China or in the isolated ones.
func (t *tokenClaims) checkRegion() {
	region := awscdk.Stack_Of(t).Region()
	if *awscdk.Token_IsUnresolved(region) {
		return
	}
	switch {
	case strings.HasPrefix(*region, "cn-"), strings.HasPrefix(*region, "us-iso"), strings.HasPrefix(*region, "eu-isoe-"):
		panic(fmt.Errorf("construct: %q: Region %s has no Cognito user pools: deploy the stack to a Region of another partition",
			*t.Node().Path(), *region))
	case strings.HasPrefix(*region, "us-gov-"):
		awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:govCloud"), jsii.Sprintf(
			"AWS's pages disagree on whether %s customises access tokens: try a sign-in there before you rely on it", *region))
	}
}

// compositionFindings are the problems that only the complete app shows.
func (t *tokenClaims) compositionFindings() []string {
	findings := slices.Concat(t.secretFindings(), t.environmentFindings())
	if t.userPool == nil || t.props.MintedElsewhere {
		return findings
	}
	t.warnUninvokable()
	return slices.Concat(findings, t.triggerFindings(), t.planFindings(), t.issuerFindings())
}

// secretFindings are the params whose value is a secret.
func (t *tokenClaims) secretFindings() []string {
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(t.props.Params)) {
		value := resolve(t, jsii.String(t.props.Params[name]))
		if kind := t.secretIn(value); kind != "" {
			findings = append(findings, fmt.Sprintf("props.Params[%q] is a secret (%s), and params are environment variables, which whoever may "+
				"look at a function can read, and may become claims, which every holder of a token can read: leave it out", name, kind))
		}
	}
	return findings
}

// secretIn names the kind of secret that a resolved value contains, or is empty.
func (t *tokenClaims) secretIn(value any) string {
	switch v := value.(type) {
	case string:
		switch {
		case strings.Contains(v, "{{resolve:secretsmanager:"):
			return "from Secrets Manager"
		case strings.Contains(v, "{{resolve:ssm-secure:"):
			return "a secure string of Parameter Store"
		}
	case []any:
		for _, element := range v {
			if kind := t.secretIn(element); kind != "" {
				return kind
			}
		}
	case map[string]any:
		if name, ok := v["Ref"].(string); ok && t.isNoEcho(name) {
			return "the NoEcho parameter " + name
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if kind := t.secretIn(v[key]); kind != "" {
				return kind
			}
		}
	}
	return ""
}

func (t *tokenClaims) isNoEcho(logicalID string) bool {
	stack := awscdk.Stack_Of(t)
	for _, node := range *stack.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		parameter, ok := node.(awscdk.CfnParameter)
		if ok && *awscdk.Stack_Of(parameter).Node().Addr() == *stack.Node().Addr() && *parameter.NoEcho() &&
			resolve(parameter, parameter.LogicalId()) == logicalID {
			return true
		}
	}
	return false
}

// maxEnvironment is how many bytes the environment variables of a function may have together.
// See https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEnvironment = 4096

// environmentFindings are the functions whose environment variables are too large, as far as can be told: what only
// the deployment knows is estimated.
func (t *tokenClaims) environmentFindings() []string {
	functions := map[string]awslambda.Function{}
	if t.claimsFunction != nil {
		functions["ClaimsFunction"] = t.claimsFunction
	}
	for name, a := range t.authorizers {
		functions[name+"Authorizer"] = a.function
	}
	clients := 0
	for _, a := range t.accepted {
		clients += len(a.ClientIDs)
	}
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		resource := functions[name].Node().DefaultChild().(awslambda.CfnFunction)
		environment := property[map[string]any](resource, "environment")
		variables, _ := lookUp(environment, "variables").(map[string]any)
		size := 0
		for key, value := range variables {
			size += len(key) + estimate(value)
		}
		if size > maxEnvironment {
			findings = append(findings, fmt.Sprintf("%s: its environment variables come to about %d bytes, and Lambda takes %d: "+
				"shorten props.Params, or, with its %d app clients, let fewer be accepted by each authorizer, "+
				"by a TokenClaims with MintedElsewhere for each group of clients", name, size, maxEnvironment, clients))
		}
	}
	return findings
}

// estimate is how long a resolved value will be. Names of pools and clients are the references that are common here:
// the ids of clients have 26 characters.
func estimate(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case map[string]any:
		if join, ok := v["Fn::Join"].([]any); ok && len(join) == 2 {
			parts, _ := join[1].([]any)
			size := 0
			for _, part := range parts {
				size += estimate(part)
			}
			separator, _ := join[0].(string)
			return size + len(separator)*max(len(parts)-1, 0)
		}
		return 26
	default:
		return len(fmt.Sprint(v))
	}
}

// triggerFindings are about triggers that came after ours.
func (t *tokenClaims) triggerFindings() []string {
	all := triggers(t.userPool)
	if all != nil && lookUp(all, "preTokenGeneration") != nil {
		return []string{"the pool has a pre token generation trigger of version V1_0 (UserPoolOperation PRE_TOKEN_GENERATION) beside the policy's, " +
			"and Cognito has one: leave it out and express its claims in the policy"}
	}
	return nil
}

// warnUninvokable points out triggers whose functions Cognito may not call. CDK adds no permission to a function that is
// imported from another environment, or from an unknown one, and every sign-in that needs the trigger would fail.
func (t *tokenClaims) warnUninvokable() {
	pool := appPool(t.userPool)
	for name := range triggers(t.userPool) {
		name = strings.ToUpper(name[:1]) + name[1:]
		if name == "KmsKeyId" || name == "KMSKeyID" || pool.Node().TryFindChild(jsii.String(name+"Cognito")) != nil {
			continue
		}
		awscdk.Annotations_Of(pool).AddWarningV2(jsii.String("claimsmith:uninvokable:"+name), jsii.Sprintf(
			"the function of trigger %s is imported and gets no permission to be invoked by Cognito here: import it with "+
				"FromFunctionAttributes and SameEnvironment, or add the permission where the function is (principal "+
				"cognito-idp.amazonaws.com, source ARN of the pool)", name))
	}
}

// planFindings are the contradictions of a given pool's plan. The plan of a pool that is created is checked with the
// props, that of an imported one by the custom resource.
func (t *tokenClaims) planFindings() []string {
	resource := cfnPool(t.props.UserPool)
	if resource == nil {
		return nil
	}
	plan := property[string](resource, "userPoolTier")
	addOns := property[map[string]any](resource, "userPoolAddOns")
	mode, _ := lookUp(addOns, "advancedSecurityMode").(string)
	var findings []string
	if plan == "LITE" && !t.props.fitsLite(t.props.LambdaVersion) {
		findings = append(findings, fmt.Sprintf("the pool's FeaturePlan is LITE, which cannot customise access tokens (trigger %s): "+
			"use ESSENTIALS, or PLUS with threat protection", t.props.LambdaVersion))
	}
	if plan == "ESSENTIALS" && (mode == "AUDIT" || mode == "ENFORCED") {
		findings = append(findings, fmt.Sprintf("the pool's threat protection (AdvancedSecurityMode %s) needs FeaturePlan PLUS, not ESSENTIALS: "+
			"use PLUS, or leave threat protection out", mode))
	}
	return findings
}

// issuerFindings are the resources of the same stage that take tokens of the pool, but none with its updated issuer.
func (t *tokenClaims) issuerFindings() []string {
	resource := cfnPool(t.userPool)
	if resource == nil {
		return nil
	}
	configuration := property[map[string]any](resource, "issuerConfiguration")
	if kind, _ := lookUp(configuration, "type").(string); kind != string(IssuerTypeUpdated) {
		return nil
	}
	var findings []string
	refuse := func(node constructs.IConstruct, what, remedy string) {
		findings = append(findings, fmt.Sprintf("the pool's IssuerType is UPDATED, but %s (%s) takes only the original form of the issuer "+
			"and would refuse every token: %s, or use ORIGINAL", what, *node.Node().Path(), remedy))
	}
	for _, node := range *awscdk.Stage_Of(t).Node().FindAll(constructs.ConstructOrder_PREORDER) {
		switch c := node.(type) {
		case awsapigateway.CfnAuthorizer:
			if property[string](c, "type") == "COGNITO_USER_POOLS" && refersTo(c, "providerArns", t.userPool.UserPoolArn(), resource) {
				refuse(c, "a REST API's COGNITO_USER_POOLS authorizer", "use an authorizer of this construct")
			}
		case awsapigatewayv2.CfnAuthorizer:
			if property[string](c, "authorizerType") == "JWT" && refersTo(c, "jwtConfiguration", t.userPool.UserPoolId(), resource) &&
				!strings.Contains(asJSON(property[any](c, "jwtConfiguration")), "issuer-cognito-idp") {
				refuse(c, "an HTTP API's JWT authorizer", "use HttpAuthorizer of this construct, or HttpJwtAuthorizer with the updated issuer")
			}
		case awselasticloadbalancingv2.CfnListener:
			if refersTo(c, "defaultActions", t.userPool.UserPoolArn(), resource) {
				refuse(c, "a load balancer's listener", "authenticate in the application")
			}
		case awselasticloadbalancingv2.CfnListenerRule:
			if refersTo(c, "actions", t.userPool.UserPoolArn(), resource) {
				refuse(c, "a load balancer's rule", "authenticate in the application")
			}
		}
	}
	return findings
}

// refersTo tells whether a property has the reference to the pool in it. In another stack the reference is an import,
// and what looks like the pool's own stack's is that stack's own resource of the same name.
func refersTo(r resource, name string, reference *string, pool awscognito.CfnUserPool) bool {
	there := asJSON(resolve(r, reference))
	if there == asJSON(resolve(pool, reference)) && *awscdk.Stack_Of(r).Node().Addr() != *awscdk.Stack_Of(pool).Node().Addr() {
		return false
	}
	// A reference within a text is a part of it, so the JSON of the one is contained in that of the other.
	return strings.Contains(asJSON(property[any](r, name)), there)
}

func asJSON(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Errorf("construct: internal error: %w", err))
	}
	return string(data)
}
