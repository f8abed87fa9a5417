package construct

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// This file is about the pool: where it comes from, and how it gets its trigger.

// newPool creates the pool, or returns the one that was given.
func (t *tokenClaims) newPool() awscognito.IUserPool {
	if t.props.UserPool == nil {
		if t.props.MintedElsewhere {
			return nil
		}
		pool := awscognito.NewUserPool(t, jsii.String("UserPool"), t.props.UserPoolProps)
		if t.props.IssuerType != "" {
			cfnPool(pool).SetIssuerConfiguration(&awscognito.CfnUserPool_IssuerConfigurationProperty{Type: jsii.String(string(t.props.IssuerType))})
		}
		return pool
	}

	pool := t.props.UserPool
	if t.props.MintedElsewhere {
		return pool
	}
	if appPool(pool) != nil {
		if *awscdk.Stage_Of(pool).Node().Addr() != *awscdk.Stage_Of(t).Node().Addr() {
			panic(fmt.Errorf("construct: %q: props.UserPool is in another stage, which is deployed for itself: "+
				"create the TokenClaims that mints in the pool's stage, and here import the pool with "+
				"awscognito.UserPool_FromUserPoolId and set MintedElsewhere", *t.Node().Path()))
		}
		if present := presentTrigger(pool); present != "" {
			panic(fmt.Errorf("construct: %q: props.UserPool has a pre token generation trigger already (%s), and a pool has only one: "+
				"leave it out and express its claims in the policy, or set MintedElsewhere if that trigger mints them", *t.Node().Path(), present))
		}
		return pool
	}
	t.checkImported(pool)
	return pool
}

// checkImported refuses pools that this stack's function cannot become the trigger of.
func (t *tokenClaims) checkImported(pool awscognito.IUserPool) {
	stack := awscdk.Stack_Of(t)
	for _, c := range []struct {
		what       string
		pool, here *string
	}{
		{"Region", pool.Env().Region, stack.Region()},
		{"account", pool.Env().Account, stack.Account()},
	} {
		if !*awscdk.Token_IsUnresolved(c.pool) && !*awscdk.Token_IsUnresolved(c.here) && *c.pool != *c.here {
			panic(fmt.Errorf("construct: %q: props.UserPool is in %s %s and this stack in %s, but a trigger is always where its pool is: "+
				"create the TokenClaims that mints in a stack there, and set MintedElsewhere here", *t.Node().Path(), c.what, *c.pool, *c.here))
		}
	}
}

// appPool is the pool as a pool that the app creates, or nil when it is imported.
func appPool(pool awscognito.IUserPool) awscognito.UserPool {
	created, _ := pool.(awscognito.UserPool)
	return created
}

// cfnPool is the resource of a pool that the app creates, or nil.
func cfnPool(pool awscognito.IUserPool) awscognito.CfnUserPool {
	if pool == nil || appPool(pool) == nil {
		return nil
	}
	resource, _ := pool.Node().DefaultChild().(awscognito.CfnUserPool)
	return resource
}

// resource is an L1 construct.
type resource interface {
	constructs.IConstruct
	CfnProperties() *map[string]any
}

// property is a property of a resource as the template will have it, decoded into T. It is the zero value when it is not
// set, or has a form that only the deployment knows.
//
// The typed getters of L1 constructs would not do: to them a value that CDK computes when it synthesizes, such as the
// triggers of an L2 pool, is an empty struct.
func property[T any](r resource, name string) (value T) {
	data, err := json.Marshal(resolve(r, lookUp(*r.CfnProperties(), name)))
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil {
		return *new(T)
	}
	return value
}

// resolve is what a value will be in the template of the scope's stack. It is nil when the value has been read by a typed
// getter before, which makes it unreadable for good: jsii panics then.
func resolve(scope constructs.IConstruct, value any) (inTemplate any) {
	if value == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			inTemplate = nil
		}
	}()
	return awscdk.Stack_Of(scope).Resolve(value)
}

// triggers are the triggers of a pool that the app creates, by CDK's names of them.
func triggers(pool awscognito.IUserPool) map[string]any {
	resource := cfnPool(pool)
	if resource == nil {
		return nil
	}
	return property[map[string]any](resource, "lambdaConfig")
}

// presentTrigger is the pre token generation trigger that the pool has, in words, or empty.
func presentTrigger(pool awscognito.IUserPool) string {
	all := triggers(pool)
	if config, ok := lookUp(all, "preTokenGenerationConfig").(map[string]any); ok {
		version, _ := lookUp(config, "lambdaVersion").(string)
		return "version " + version
	}
	if lookUp(all, "preTokenGeneration") != nil {
		return "version V1_0"
	}
	return ""
}

// lookUp finds a member by CDK's name or by CloudFormation's, which differ in the case of the first letter: L2 constructs
// use the one, escape hatches often the other.
func lookUp(members map[string]any, name string) any {
	if value, ok := members[name]; ok {
		return value
	}
	return members[strings.ToUpper(name[:1])+name[1:]]
}

// newClaimsFunction creates the trigger's function where the pool is: in the construct, or, when the app's pool is in
// another stack, beside that. The pool's stack then refers to nothing here, so everything here may refer to the pool.
func (t *tokenClaims) newClaimsFunction() awslambda.Function {
	var scope constructs.Construct = t
	if pool := appPool(t.userPool); pool != nil && *awscdk.Stack_Of(pool).Node().Addr() != *awscdk.Stack_Of(t).Node().Addr() {
		scope = pool
	}
	return t.newFunction("ClaimsFunction", functionProps{
		scope:       scope,
		main:        t.policy.claimsMain(),
		description: "Mints the custom claims of access tokens (Cognito pre token generation)",
		// Cognito gives up on a trigger after five seconds.
		// https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
		timeoutSeconds: 5,
		environment:    map[string]string{"CLAIMSMITH_TRIGGER_VERSION": string(t.props.LambdaVersion)},
	})
}

// connectTrigger makes the claim function the pool's pre token generation trigger. The version is what makes Cognito
// accept access-token claims, and CDK's default is V1_0.
func (t *tokenClaims) connectTrigger() {
	pool := appPool(t.userPool)
	if pool == nil {
		t.attachTrigger()
		return
	}
	pool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION_CONFIG(), t.target(t.claimsFunction), t.props.LambdaVersion)

	// CDK restricts the permission to the pool's ARN; AWS documents the account beside it.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
	permission := pool.Node().FindChild(jsii.String("PreTokenGenerationConfigCognito")).(awslambda.CfnPermission)
	permission.SetSourceAccount(awscdk.Stack_Of(pool).Account())
}

// attachTrigger does the same for a pool that no template of this app describes, by a custom resource.
func (t *tokenClaims) attachTrigger() {
	stack := awscdk.Stack_Of(t)
	target := t.target(t.claimsFunction)
	target.AddPermission(jsii.String("Cognito"), &awslambda.Permission{
		Principal:     awsiam.NewServicePrincipal(jsii.String("cognito-idp.amazonaws.com"), nil),
		SourceArn:     t.userPool.UserPoolArn(),
		SourceAccount: stack.Account(),
	})

	t.attachFunction = t.newFunction("AttachFunction", functionProps{
		main:           "attach",
		description:    "Sets the pre token generation trigger of the user pool (CloudFormation custom resource)",
		timeoutSeconds: 120,
		environment:    map[string]string{"CLAIMSMITH_URL_SUFFIX": *stack.UrlSuffix()},
		deployOnly:     true,
	})
	t.attachFunction.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("cognito-idp:DescribeUserPool", "cognito-idp:GetUserPoolMfaConfig", "cognito-idp:UpdateUserPool"),
		Resources: &[]*string{t.userPool.UserPoolArn()},
	}))

	properties := map[string]any{
		"UserPoolId":    t.userPool.UserPoolId(),
		"FunctionArn":   target.FunctionArn(),
		"LambdaVersion": string(t.props.LambdaVersion),
	}
	if t.props.ReplacedTriggerArn != "" {
		properties["ReplacedFunctionArn"] = t.props.ReplacedTriggerArn
		properties["ReplacedLambdaVersion"] = string(t.props.ReplacedTriggerVersion)
	}
	if t.props.SkipFeaturePlanCheck {
		properties["SkipFeaturePlanCheck"] = "true"
	}
	trigger := awscdk.NewCustomResource(t, jsii.String("Trigger"), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String("Custom::CognitoPreTokenGeneration"),
		ServiceToken:   t.attachFunction.FunctionArn(),
		ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(5)),
		Properties:     &properties,
	})
	// Sign-ins call the trigger from the moment it is set until it is removed, so the permission has to be there before
	// and go after; likewise whatever the function was granted.
	trigger.Node().AddDependency(target, t.attachFunction, t.attachFunction.Role())
}

// annotateMissingAttributes points out custom attributes that the policy reads and the pool lacks, so that no user can
// have them. It is no error, since the pool's schema can be extended behind CDK's back.
func (t *tokenClaims) annotateMissingAttributes() {
	resource := cfnPool(t.userPool)
	if resource == nil {
		return
	}
	where := "the pool's CustomAttributes"
	if t.props.UserPool == nil {
		where = "UserPoolProps.CustomAttributes"
	}
	var has []string
	for _, attribute := range property[[]map[string]any](resource, "schema") {
		if name, ok := lookUp(attribute, "name").(string); ok {
			has = append(has, name)
		}
	}
	for _, attribute := range t.policy.attributes() {
		if name, isCustom := strings.CutPrefix(attribute, "custom:"); isCustom && !slices.Contains(has, name) {
			awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:missingAttribute:"+attribute), jsii.Sprintf(
				"the policy reads the attribute %q, which the pool does not have: add %q to %s", attribute, name, where))
		}
	}
}

// acceptedPool is a pool whose tokens the authorizers accept. The ids are CDK tokens, which survive JSON encoding.
type acceptedPool struct {
	UserPoolID string   `json:"userPoolId"`
	ClientIDs  []string `json:"clientIds"`
}

// userPoolsVariable is the environment variable with the pools and clients whose tokens an authorizer accepts.
const userPoolsVariable = "CLAIMSMITH_USER_POOLS"

func (t *tokenClaims) AcceptPool(pool awscognito.IUserPool, clients ...awscognito.IUserPoolClient) {
	if len(clients) == 0 {
		panic(errors.New("construct: AcceptPool: no client: name every client whose tokens are accepted"))
	}
	id := *pool.UserPoolId()
	i := slices.IndexFunc(t.accepted, func(a acceptedPool) bool { return a.UserPoolID == id })
	if i < 0 {
		t.accepted = append(t.accepted, acceptedPool{UserPoolID: id})
		i = len(t.accepted) - 1
	}
	for _, client := range clients {
		if clientID := *client.UserPoolClientId(); !slices.Contains(t.accepted[i].ClientIDs, clientID) {
			t.accepted[i].ClientIDs = append(t.accepted[i].ClientIDs, clientID)
		}
	}
	for _, a := range t.authorizers {
		a.function.AddEnvironment(jsii.String(userPoolsVariable), jsii.String(t.acceptedPools()), nil)
	}
}

// acceptedPools is the value of userPoolsVariable.
func (t *tokenClaims) acceptedPools() string {
	value, err := json.Marshal(append([]acceptedPool{}, t.accepted...))
	if err != nil {
		panic(fmt.Errorf("construct: internal error: %w", err))
	}
	return string(value)
}
