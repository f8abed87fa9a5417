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
// resource: UserPool, ClaimsFunction, AttachFunction, Trigger, and for an authorizer called X: XAuthorizer and, in each API
// that it protects, the construct's own id followed by XAuthorizer; with [TokenClaimsProps.Monitoring] also Dashboard, and for
// each alarm what [Alarm] says. The ids of clients are those given to
// [TokenClaims.AddClient]. What the functions find in their environment and beside their binary is private.
package construct

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// TokenClaims is a user pool that mints the claims of a policy, and the authorizers that enforce the policy's rules.
type TokenClaims interface {
	constructs.Construct

	// UserPool is the pool that mints the claims: the one created, or the one given as [TokenClaimsProps.UserPool]. Its
	// pre token generation trigger is taken; everything else of it may be extended as usual. It is nil when there is
	// neither, see [TokenClaimsProps.MintedElsewhere]. What [awscognito.UserPool] has beyond the interface, such as
	// AddTrigger, is there for a pool that the app creates: auth.UserPool().(awscognito.UserPool).
	UserPool() awscognito.IUserPool

	// ClaimsFunction is the pool's pre token generation trigger, or nil with [TokenClaimsProps.MintedElsewhere]. It is
	// in the pool's stack. It must never refer to the pool, in its environment or in a grant: the pool refers to the
	// function, and CloudFormation refuses the cycle. The event has the pool's id.
	ClaimsFunction() awslambda.Function

	// AttachFunction is the custom resource's function which sets the trigger of an imported pool while the stack is
	// deployed, and nil when no pool is imported. It may read and update that one pool. Cognito demands more of whoever
	// updates a pool that sends SMS messages or uses a custom sender, which no template of another stack tells: let it
	// pass the pool's role with role.GrantPassRole(auth.AttachFunction().GrantPrincipal()), or use the sender's key with
	// key.Grant(auth.AttachFunction(), jsii.String("kms:CreateGrant")).
	AttachFunction() awslambda.Function

	// AuthorizerFunction is the function behind the policy's authorizer of that name, created when it is first asked
	// for. [TokenClaims.HttpAuthorizer], [TokenClaims.RestAuthorizer] and
	// [TokenClaims.WebSocketAuthorizer] are what attaches it to an API. A name that the policy does not have fails synth.
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

	// AcceptPool makes the authorizers accept tokens that the pool issued to these clients as well: of another pool,
	// which mints the same claims by a trigger of its own, or of clients that [TokenClaims.UserPool] had before. It says
	// nothing about who mints, and changes nothing of the pool.
	AcceptPool(pool awscognito.IUserPool, clients ...awscognito.IUserPoolClient)

	// AddMachineClient adds an app client for a program that acts on its own (client credentials), with scopes that the
	// policy declares under resourceServers, such as "documents/read". The resource servers are created with the first
	// client that needs them, so an imported pool must not have any of that name. The client has a secret, and no way for
	// users to sign in. Tokens come from the pool's domain, which is yours to add: UserPool().AddDomain. The options win
	// as in [TokenClaims.AddClient], but OAuth is taken.
	//
	// Such tokens carry the policy's claims only with [TokenClaimsProps.LambdaVersion] V3_0; otherwise synth warns. Rules
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
	//
	// AuthorizationScopes on such a route fail synth too, since API Gateway refuses them there: demand scopes in the
	// policy. And so does a route of such an API that has no authorizer at all, see [TokenClaimsProps.PublicRoutes].
	HttpAuthorizer(name string) awsapigatewayv2.IHttpRouteAuthorizer

	// RestAuthorizer enforces the policy's authorizer of that name on methods of REST APIs: in the API's
	// DefaultMethodOptions, or as the Authorizer of single methods. All that [TokenClaims.HttpAuthorizer] says holds for it
	// as well. In the policy a method is a route such as "GET /documents/{id}"; rules for "ANY /documents/{id}" hold for
	// every method of that resource which has no rules of its own.
	//
	// API Gateway answers 401 for an invalid token, and 403 when a rule is not met. Decisions are IAM policies for exactly
	// the method and path that were asked for, and are cached by these. The API is deployed anew whenever the authorizer
	// changes.
	//
	// The authorizer's id is known once the app is complete: CDK is given a placeholder until then.
	RestAuthorizer(name string) awsapigateway.IAuthorizer

	// WebSocketAuthorizer enforces the policy's authorizer of that name on WebSocket APIs: as the Authorizer of their
	// $connect routes, which is the one route that can have one, and decides for the whole connection. All that
	// [TokenClaims.HttpAuthorizer] says about names and APIs holds for it as well.
	//
	// API Gateway answers 401 for an invalid token, and 403 when a rule is not met. It does not cache decisions. In the
	// policy the route is "$connect"; it has no method, path or path parameters, so that rules which read them see nothing
	// there. The token comes from the Authorization header unless [TokenClaimsProps.TokenSources] says otherwise; browsers
	// can send none, see [TokenInSubprotocol].
	WebSocketAuthorizer(name string) awsapigatewayv2.IWebSocketRouteAuthorizer

	// GrantReadUsers lets the grantee read the pool's users and groups.
	GrantReadUsers(grantee awsiam.IGrantable) awsiam.Grant

	// GrantManageUsers lets the grantee read, create, change and delete the pool's users, put them into groups, set
	// their passwords and sign them out. Claims come from attributes and groups, so whoever has this decides what
	// tokens say.
	GrantManageUsers(grantee awsiam.IGrantable) awsiam.Grant

	// MetricClaimsErrors counts the failed invocations of the claims function. Each is a sign-in or a refresh that
	// failed. Default statistic: sum over 5 minutes.
	MetricClaimsErrors(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsThrottles counts the invocations of the claims function that Lambda refused for lack of concurrency.
	// Default statistic: sum over 5 minutes.
	MetricClaimsThrottles(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsDuration is how long the claims function takes, in milliseconds. Cognito waits for 5 seconds. Default
	// statistic: average over 5 minutes.
	MetricClaimsDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsMints counts what came of the sign-ins and refreshes that the claims function was asked about. Default
	// statistic: sum over 5 minutes.
	MetricClaimsMints(outcome MintOutcome, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsMintDuration is how long it takes to mint, in milliseconds, the function's start not counted. Default
	// statistic: average over 5 minutes.
	MetricClaimsMintDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsOmittedClaims counts claims that tokens lack since they could not be made, and the policy says that
	// they may be left out then. Default statistic: sum over 5 minutes.
	MetricClaimsOmittedClaims(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsLookupDuration is how long the lookups of a sign-in take, all together, in milliseconds. Default
	// statistic: average over 5 minutes.
	MetricClaimsLookupDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricClaimsLookupFailures counts the lookups that failed; a row that is missing is no failure. Default statistic:
	// sum over 5 minutes.
	MetricClaimsLookupFailures(props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerErrors counts the failed invocations of the function behind the authorizer of that name. These are
	// faults, not refusals, unless [InvalidTokenUnauthorized] is chosen. Default statistic: sum over 5 minutes.
	MetricAuthorizerErrors(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerThrottles counts the invocations of that function that Lambda refused for lack of concurrency.
	// Default statistic: sum over 5 minutes.
	MetricAuthorizerThrottles(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerDuration is how long that function takes, in milliseconds. Default statistic: average over 5
	// minutes.
	MetricAuthorizerDuration(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerDecisions counts the decisions of the authorizer of that name by what came of them. What API Gateway
	// repeats from its cache is not counted. Default statistic: sum over 5 minutes.
	MetricAuthorizerDecisions(name string, outcome DecisionOutcome, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerRefusals counts the decisions that did not allow, by reason: one of those in docs/operations.md, such
	// as "rule" or "exp". Default statistic: sum over 5 minutes.
	MetricAuthorizerRefusals(name, reason string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerDecisionDuration is how long it takes to decide, in milliseconds, the function's start not counted.
	// Default statistic: average over 5 minutes.
	MetricAuthorizerDecisionDuration(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerOmittedClaims counts claims that backends did not get, since the answer would have been larger than
	// API Gateway takes. Default statistic: sum over 5 minutes.
	MetricAuthorizerOmittedClaims(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerIDTokenUses counts the requests that had a valid ID token where the policy still accepts one: they
	// will be refused from the day on that it names. Default statistic: sum over 5 minutes.
	MetricAuthorizerIDTokenUses(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric

	// MetricAuthorizerKeyFetches counts how often the pool's keys were fetched, and MetricAuthorizerKeyFetchFailures how
	// often that failed. Default statistic: sum over 5 minutes.
	MetricAuthorizerKeyFetches(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric
	MetricAuthorizerKeyFetchFailures(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric
}

// DecisionOutcome is what came of a request that an authorizer was asked about.
type DecisionOutcome string

const (
	// DecisionAllow means that every rule is met.
	DecisionAllow DecisionOutcome = "allow"

	// DecisionDeny means that the token is valid, and a rule is not met.
	DecisionDeny DecisionOutcome = "deny"

	// DecisionInvalidToken means that there is no token, or none that is valid.
	DecisionInvalidToken DecisionOutcome = "invalid token"

	// DecisionFault means that nothing could be said, as when the pool's keys are out of reach.
	DecisionFault DecisionOutcome = "fault"
)

// MintOutcome is what came of a sign-in or refresh that the claims function was asked about.
type MintOutcome string

const (
	// MintIssued means that the token was issued.
	MintIssued MintOutcome = "issued"

	// MintRefused means that the policy refused it, as when an attribute that is required is missing.
	MintRefused MintOutcome = "refused"

	// MintFault means that something broke.
	MintFault MintOutcome = "fault"
)

// tokenClaims must keep a method with a pointer receiver, and none called Node or ToString: NewConstruct_Override takes
// those for overrides of the JavaScript class.
type tokenClaims struct {
	constructs.Construct
	props          TokenClaimsProps
	policy         loadedPolicy
	userPool       awscognito.IUserPool // nil when there is none
	claimsFunction awslambda.Function   // nil when claims are minted elsewhere
	attachFunction awslambda.Function   // nil unless the pool is imported
	accepted       []acceptedPool
	authorizers    map[string]*authorizer
	attachesREST   bool // a restAttacher is at work
	targets        map[awslambda.Function]awslambda.IFunction
	dashboard      awscloudwatch.Dashboard // nil until it has something to show

	resourceServers map[string]awscognito.UserPoolResourceServer // by identifier
	clientFindings  []string
}

// NewTokenClaims creates the pool, or takes the one given, and its trigger. Authorizers are created when they are first asked for.
//
// It panics with what [TokenClaimsProps.Validate] returns, and when the Lambdas cannot be built. Problems of the policy
// do not panic: synth reports all of them.
func NewTokenClaims(scope constructs.Construct, id string, props *TokenClaimsProps) TokenClaims {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("construct: %q: %w", id, err))
	}
	t := &tokenClaims{
		props:       props.withDefaults(),
		authorizers: map[string]*authorizer{},
		targets:     map[awslambda.Function]awslambda.IFunction{},

		resourceServers: map[string]awscognito.UserPoolResourceServer{},
	}
	constructs.NewConstruct_Override(t, scope, jsii.String(id))

	t.policy = load(t.props.Policy)
	t.startBuilding(t.policy.claimsMain())
	t.checkRegion()
	t.userPool = t.newPool()
	if !t.props.MintedElsewhere {
		t.claimsFunction = t.newClaimsFunction()
		t.connectTrigger()
		t.connectTables()
		t.monitorClaims()
		t.annotateMissingAttributes()
	}
	t.annotatePolicyWarnings()
	t.Node().AddValidation(&audit{t})
	return t
}

func (t *tokenClaims) UserPool() awscognito.IUserPool     { return t.userPool }
func (t *tokenClaims) ClaimsFunction() awslambda.Function { return t.claimsFunction }
func (t *tokenClaims) AttachFunction() awslambda.Function { return t.attachFunction }

func (t *tokenClaims) AuthorizerFunction(name string) awslambda.Function {
	return t.authorizer(name).function
}

func (t *tokenClaims) HttpAuthorizer(name string) awsapigatewayv2.IHttpRouteAuthorizer {
	a := t.authorizer(name)
	a.use(httpKind)
	return &httpAuthorizer{a}
}

func (t *tokenClaims) RestAuthorizer(name string) awsapigateway.IAuthorizer {
	a := t.authorizer(name)
	a.use(restKind)
	if !t.attachesREST {
		t.attachesREST = true
		awscdk.Aspects_Of(awscdk.Stage_Of(t)).Add(&restAttacher{t}, &awscdk.AspectOptions{Priority: awscdk.AspectPriority_MUTATING()})
	}
	return &restAuthorizer{a}
}

func (t *tokenClaims) WebSocketAuthorizer(name string) awsapigatewayv2.IWebSocketRouteAuthorizer {
	a := t.authorizer(name)
	a.use(webSocketKind)
	return &webSocketAuthorizer{a}
}

func (t *tokenClaims) AddClient(id string, options *awscognito.UserPoolClientOptions) awscognito.UserPoolClient {
	resolved, err := clientOptions(options, t.policy.attributes())
	if err != nil {
		panic(fmt.Errorf("construct: AddClient(%q): %w", id, err))
	}
	t.needPool("AddClient", id)
	client := t.userPool.AddClient(jsii.String(id), resolved)
	t.annotateWritableAttributes(client, resolved.WriteAttributes)
	t.AcceptPool(t.userPool, client)
	return client
}

// needPool panics when there is no pool that a client could be added to.
func (t *tokenClaims) needPool(method, id string) {
	if t.userPool == nil {
		panic(fmt.Errorf("construct: %s(%q): there is no pool to add it to: set props.UserPool, or add the client where "+
			"the pool is and accept it here with AcceptPool", method, id))
	}
}

func (t *tokenClaims) annotatePolicyWarnings() {
	for _, w := range t.policy.warnings() {
		awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:policy:"+w.ID), jsii.String(w.String()))
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

var _ TokenClaims = (*tokenClaims)(nil)
