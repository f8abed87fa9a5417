// Package construct is the CDK half of Claimsmith: [NewTokenClaims] turns one claim policy into a Cognito user pool whose
// access tokens carry the policy's claims, and into API Gateway authorizers that enforce its rules.
//
//	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
//		Policy: construct.PolicyFile("claims.yaml"),
//	})
//	auth.AddClient("Web", nil)
//	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
//		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
//	})
//
// # What is reported, and how
//
// Whatever is wrong with the policy, or with how the app and the policy fit together, is reported through CDK's own
// validation: synth fails and lists every finding at once with the construct's path. It fails in the same way under
// cdk synth, in app.Synth and in assertions.Template_FromStack, and no template is written. What can be seen in the
// arguments of one call alone, such as a feature plan that cannot customise access tokens, panics in that call.
//
// # Compatibility
//
// The ids of the constructs are a contract, since logical ids are made of them and a changed logical id replaces the
// resource: UserPool, ClaimsFunction, and for an authorizer called X: XAuthorizer. The ids of clients are those given to
// [TokenClaims.AddClient]. What the functions find in their environment and beside their binary is private.
package construct

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// TokenClaims is a user pool that mints the claims of a policy, and the authorizers that enforce the policy's rules.
type TokenClaims interface {
	constructs.Construct

	// UserPool is the pool that mints the claims. Its pre token generation trigger is taken; everything else of it may
	// be extended as usual.
	UserPool() awscognito.UserPool

	// ClaimsFunction is the pool's pre token generation trigger. It must never refer to the pool, in its environment or
	// in a grant: the pool refers to the function, and CloudFormation refuses the cycle. The event has the pool's id.
	ClaimsFunction() awslambda.Function

	// AuthorizerFunction is the function behind the policy's authorizer of that name, created when it is first asked
	// for. [TokenClaims.HttpAuthorizer] is what attaches it to an API. A name that the policy does not have fails synth.
	AuthorizerFunction(name string) awslambda.Function

	// AddClient adds an app client to the pool, and to the clients whose tokens the authorizers accept, those created
	// before included. The options win over these defaults:
	//
	//   - PreventUserExistenceErrors: true. A failed sign-in does not tell whether the user exists
	//     (https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html).
	//   - EnableTokenRevocation: true.
	//   - AuthFlows: SRP and refresh alone, so the password never leaves the device.
	//   - OAuth: off (DisableOAuth), while CDK's default is the authorization code grant and the implicit grant on
	//     https://example.com. When OAuth is set: Flows is the authorization code grant alone, Scopes is openid alone,
	//     and CallbackUrls is required. In particular aws.cognito.signin.user.admin, with which users may change their
	//     own attributes, is left out.
	//   - WriteAttributes: the standard attributes but those that the policy mints as claims, and no custom attribute.
	//     Cognito's default is every attribute, so that users could write themselves whatever claim comes from one
	//     (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html). Writing an
	//     attribute that the policy mints is possible by naming it here, and is a synth-time warning.
	//
	// AddClient panics when OAuth has a grant that redirects but no CallbackUrls.
	AddClient(id string, options *awscognito.UserPoolClientOptions) awscognito.UserPoolClient

	// AddMachineClient adds an app client for a program that acts on its own (client credentials), with scopes that the
	// policy declares under resourceServers, such as "documents/read"; the resource servers are created with the first
	// client that needs them. It has a secret, and no way for users to sign in. Tokens come from the pool's domain, which
	// is yours to add: UserPool().AddDomain. The options win as in [TokenClaims.AddClient], but OAuth is taken.
	//
	// Such tokens carry the policy's claims only with [TokenClaimsProps.TriggerVersion] V3_0; otherwise synth warns. Rules
	// tell machines from users by claims.is_machine. A machine has no attributes and no groups: a claim that is required of
	// users needs when: "!client.is_machine".
	//
	// Cognito bills machine clients and their tokens apart from users, without a free tier:
	// https://aws.amazon.com/cognito/pricing/. A machine should keep its token until it expires.
	//
	// Synth fails for a scope that the policy does not declare. AddMachineClient panics for contradictory arguments.
	AddMachineClient(id string, scopes []string, options *awscognito.UserPoolClientOptions) awscognito.UserPoolClient

	// HttpAuthorizer enforces the policy's authorizer of that name on routes of HTTP APIs: as the API's
	// DefaultAuthorizer, or as the Authorizer of single routes. It may be asked for any number of times and used on any
	// number of routes and APIs: there is one function per name, and one API Gateway authorizer per name and API.
	//
	// How long and by what API Gateway caches its decisions is derived from the rules, see
	// [TokenClaimsProps.ResultsCacheTtl]. Synth fails when the policy has no authorizer of that name, when the policy has
	// rules for a route that is not protected by it, when it protects a route that no rule covers (every request would be
	// refused), and when the pool has no client.
	HttpAuthorizer(name string) awsapigatewayv2.IHttpRouteAuthorizer
}

// tokenClaims must keep a method with a pointer receiver, and none called Node or ToString: NewConstruct_Override takes
// those for overrides of the JavaScript class.
type tokenClaims struct {
	constructs.Construct
	props          TokenClaimsProps
	policy         loadedPolicy
	userPool       awscognito.UserPool
	claimsFunction awslambda.Function
	clientIDs      []string
	authorizers    map[string]*authorizer

	resourceServers map[string]awscognito.UserPoolResourceServer // by identifier
	clientFindings  []string
}

// NewTokenClaims creates the pool and its trigger. Authorizers are created when they are first asked for.
//
// It panics with what [TokenClaimsProps.Validate] returns, and when the Lambdas cannot be built. Problems of the policy
// do not panic: synth reports all of them.
func NewTokenClaims(scope constructs.Construct, id string, props *TokenClaimsProps) TokenClaims {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("construct: %q: %w", id, err))
	}
	t := &tokenClaims{props: props.withDefaults(), authorizers: map[string]*authorizer{}, resourceServers: map[string]awscognito.UserPoolResourceServer{}}
	constructs.NewConstruct_Override(t, scope, jsii.String(id))

	t.policy = load(t.props.Policy)
	t.userPool = awscognito.NewUserPool(t, jsii.String("UserPool"), t.props.UserPoolProps)
	t.claimsFunction = t.newFunction("ClaimsFunction", functionProps{
		main:        t.policy.claimsMain(),
		description: "Mints the custom claims of access tokens (Cognito pre token generation)",
		// Cognito gives up on a trigger after five seconds.
		// https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
		timeoutSeconds: 5,
		environment:    map[string]string{"CLAIMSMITH_TRIGGER_VERSION": string(t.props.TriggerVersion)},
	})

	t.connectTrigger()
	t.connectTables()
	t.annotatePolicyWarnings()
	t.annotateMissingAttributes()
	t.Node().AddValidation(&audit{t})
	return t
}

func (t *tokenClaims) UserPool() awscognito.UserPool      { return t.userPool }
func (t *tokenClaims) ClaimsFunction() awslambda.Function { return t.claimsFunction }

func (t *tokenClaims) AuthorizerFunction(name string) awslambda.Function {
	return t.authorizer(name).function
}

func (t *tokenClaims) HttpAuthorizer(name string) awsapigatewayv2.IHttpRouteAuthorizer {
	a := t.authorizer(name)
	a.usedForHTTP = true
	return a
}

func (t *tokenClaims) AddClient(id string, options *awscognito.UserPoolClientOptions) awscognito.UserPoolClient {
	resolved, err := clientOptions(options, t.policy.attributes())
	if err != nil {
		panic(fmt.Errorf("construct: AddClient(%q): %w", id, err))
	}
	client := t.userPool.AddClient(jsii.String(id), resolved)
	t.annotateWritableAttributes(client, resolved.WriteAttributes)

	t.clientIDs = append(t.clientIDs, *client.UserPoolClientId())
	for _, a := range t.authorizers {
		a.function.AddEnvironment(jsii.String(userPoolsVariable), jsii.String(t.acceptedPools()), nil)
	}
	return client
}

// connectTrigger makes the claim function the pool's pre token generation trigger, of version V2_0 or V3_0: the version is
// what makes Cognito accept access-token claims, and CDK's default is V1_0.
func (t *tokenClaims) connectTrigger() {
	t.userPool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION_CONFIG(), t.claimsFunction,
		t.props.TriggerVersion)

	// CDK restricts the permission to the pool's ARN; AWS documents the account beside it.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
	permission := t.userPool.Node().FindChild(jsii.String("PreTokenGenerationConfigCognito")).(awslambda.CfnPermission)
	permission.SetSourceAccount(awscdk.Stack_Of(t.userPool).Account())
}

func (t *tokenClaims) annotatePolicyWarnings() {
	for _, w := range t.policy.warnings() {
		awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:policy:"+w.ID), jsii.String(w.String()))
	}
}

// annotateMissingAttributes points out custom attributes that the policy reads and the pool lacks, so that no user can
// have them. It is no error, since the pool's schema can be extended behind CDK's back.
func (t *tokenClaims) annotateMissingAttributes() {
	has := map[string]awscognito.ICustomAttribute{}
	if custom := t.props.UserPoolProps.CustomAttributes; custom != nil {
		has = *custom
	}
	for _, attribute := range t.policy.attributes() {
		name, isCustom := strings.CutPrefix(attribute, "custom:")
		if _, ok := has[name]; isCustom && !ok {
			awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:missingAttribute:"+attribute), jsii.Sprintf(
				"the policy reads the attribute %q, which the pool does not have: add %q to UserPoolProps.CustomAttributes", attribute, name))
		}
	}
}

func (t *tokenClaims) annotateWritableAttributes(client awscognito.UserPoolClient, writable awscognito.ClientAttributes) {
	for _, attribute := range *writable.Attributes() {
		if slices.Contains(t.policy.attributes(), *attribute) {
			awscdk.Annotations_Of(client).AddWarningV2(jsii.String("claimsmith:writableAttribute:"+*attribute), jsii.Sprintf(
				"users can choose their own claims: this client may write the attribute %q, which the policy reads; "+
					"leave the attribute out of WriteAttributes", *attribute))
		}
	}
}

// userPoolsVariable is the environment variable with the pools and clients whose tokens an authorizer accepts.
const userPoolsVariable = "CLAIMSMITH_USER_POOLS"

// acceptedPools is the value of userPoolsVariable. The ids in it are CDK tokens, which survive JSON encoding.
func (t *tokenClaims) acceptedPools() string {
	type pool struct {
		UserPoolID string   `json:"userPoolId"`
		ClientIDs  []string `json:"clientIds"`
	}
	value, err := json.Marshal([]pool{{*t.userPool.UserPoolId(), append([]string{}, t.clientIDs...)}})
	if err != nil {
		panic(fmt.Errorf("construct: internal error: %w", err))
	}
	return string(value)
}

// functionProps is in what the Lambda functions differ.
type functionProps struct {
	main           string // folder under lambda/ that holds the main package
	description    string
	timeoutSeconds float64
	environment    map[string]string
}

// newFunction creates a function with a log group and a role of its own. The role is what AWSLambdaBasicExecutionRole
// would give (log streams and events, here in this one log group) and, added by CDK, the two X-Ray actions, which know
// no resources.
func (t *tokenClaims) newFunction(id string, p functionProps) awslambda.Function {
	logs := awslogs.NewLogGroup(t, jsii.String(id+"Logs"), &awslogs.LogGroupProps{
		Retention:     t.props.LogRetention,
		RemovalPolicy: t.props.RemovalPolicy,
	})
	role := awsiam.NewRole(t, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs.GrantWrite(role)

	environment := map[string]*string{}
	for name, value := range p.environment {
		environment[name] = jsii.String(value)
	}
	for name, value := range t.props.Params {
		environment["CLAIMSMITH_PARAM_"+name] = jsii.String(value)
	}
	return awslambda.NewFunction(t, jsii.String(id), &awslambda.FunctionProps{
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Handler:      jsii.String("bootstrap"),
		Architecture: t.props.Architecture,
		Code:         t.functionCode(p.main),
		Description:  jsii.String(p.description),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(p.timeoutSeconds)),
		MemorySize:   jsii.Number(256),
		Tracing:      awslambda.Tracing_ACTIVE,
		LogGroup:     logs,
		// The functions log JSON lines in the form of Lambda's own; so do Lambda's own then.
		LoggingFormat: awslambda.LoggingFormat_JSON,
		Role:          role,
		Environment:   &environment,
	})
}

// functionCode is the built main package with the compiled policy beside it. A policy with problems fails synth anyway,
// so nothing is built for it.
func (t *tokenClaims) functionCode(main string) awslambda.Code {
	files := []assetFile{{name: "policy.json", content: t.policy.compiled(), mode: 0o644}}
	if t.policy.program != nil && *awscdk.Stack_Of(t).BundlingRequired() {
		binary := must(buildOnce(ownMain(must(moduleDir()), main, goarch(t.props.Architecture))))
		files = append(files, assetFile{name: "bootstrap", content: binary, mode: 0o755})
	}
	return codeFromFiles(t, main, files)
}

var _ TokenClaims = (*tokenClaims)(nil)
