package construct

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// TokenClaimsProps configures [NewTokenClaims]. Only Policy is required; the zero value of each other field is the
// secure default that its comment states. The struct, and what it points to, is copied and never written to.
type TokenClaimsProps struct {
	// Policy says which claims access tokens carry and what API routes demand of them: [PolicyFile] or [PolicyValue].
	// Required.
	Policy PolicySource

	// Params are the deploy-time values that the policy declares under params, by name. Values may be CDK tokens, such as
	// an attribute of another resource, but nothing that refers to the user pool: the pool depends on the claims function.
	// They are environment variables of the functions, so they are no place for secrets. Default: none, which fits a
	// policy that declares none; synth fails when the names differ.
	Params map[string]string

	// LookupTables are the DynamoDB tables that the policy's lookups read, by what the policy calls them: tables of the
	// app, in this or another of its stacks, or imported ones of this Region (with their encryption key, if they have one:
	// FromTableAttributes takes it; a table of another account must allow the function in its own policy, too). The claims
	// function may read rows by key or query, whichever the policy does, and nothing else, and decrypt with the table's
	// key. A table must not depend on the user pool, which depends on the claims function. Default: none, which fits a
	// policy without lookups; synth fails when the names differ.
	LookupTables map[string]awsdynamodb.ITable

	// LookupBudget is the time that all lookups of a sign-in together may take, retries included. Default: 1.5 seconds. It
	// is 100 milliseconds to 4 seconds, and less than Timeout: Cognito waits five for the function, its start included.
	LookupBudget time.Duration

	// UserPool is the pool that is to mint the claims, instead of a new one.
	//
	// A pool that the app creates keeps its properties and gets the trigger; one that has a pre token generation trigger
	// already is refused. When it is in another stack, the claims function is created beside it there, so that this
	// stack may refer to the pool and nothing the other way round.
	//
	// A pool that is imported, by awscognito.UserPool_FromUserPoolId or …FromUserPoolArn, must be of this stack's account
	// and Region. Its trigger is set by a custom resource: when the stack is deployed its function reads the pool's
	// configuration, puts the trigger into it, writes it back, and verifies that nothing else changed; the trigger is
	// taken away again when the construct leaves the stack. When the pool is another CloudFormation stack's, whatever
	// changes the pool there removes the trigger, since that template has none; create the TokenClaims that mints in that
	// stack if you can.
	//
	// Default: a new pool, made with UserPoolProps.
	UserPool awscognito.IUserPool

	// MintedElsewhere says that the claims are minted by somebody else with the same policy, as by a TokenClaims in another
	// stage, account or repository: there is no claims function, no trigger is set, and nothing of a pool is changed; only
	// authorizers are created. Their tokens come from the clients that [TokenClaims.AddClient] and
	// [TokenClaims.AcceptPool] are told of. Default: false.
	MintedElsewhere bool

	// ReplacedTriggerArn and ReplacedTriggerVersion name the pre token generation trigger of an imported pool which the
	// policy's trigger takes the place of. It is put back when the construct leaves the stack. Default: none, and a pool
	// that has a trigger makes the deployment fail. The version's default is V1_0, which is that of a trigger set
	// without one.
	ReplacedTriggerArn     string
	ReplacedTriggerVersion awscognito.LambdaVersion

	// LambdaVersion is the version of the trigger. Default: V2_0, which customises the access tokens of users. V3_0
	// customises those of machines (client credentials) too, is priced apart, and makes their tokens depend on the
	// function. V1_0 customises ID tokens alone, with texts for values, and works on plan LITE: it is for a policy whose claims are
	// all for ID tokens, on the way to access tokens, and refused with any other.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
	LambdaVersion awscognito.LambdaVersion

	// IssuerType is the form of the issuer (iss) in the tokens of the pool that is created. Default: not set, which is
	// [IssuerTypeOriginal]. Authorizers accept both forms of an accepted pool at any time, so it may be changed under
	// way. Synth fails when something in the same stage takes tokens of the pool but cannot take this form.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html#user-pool-oidc-issuer
	IssuerType IssuerType

	// SkipFeaturePlanCheck accepts plan LITE, and threat protection on it, for a pool that has had advanced security
	// features on since before 22 November 2024: such pools may keep both, and LambdaVersion V2_0, on LITE. For any other
	// pool the deployment fails. Default: false.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html
	SkipFeaturePlanCheck bool

	// FeaturePlan is the pool's feature plan. Default: PLUS, which threat protection needs. ESSENTIALS suffices to
	// customise access tokens and costs less per monthly active user; threat protection is then left off. LITE cannot
	// customise access tokens and is refused, unless LambdaVersion is V1_0.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html
	FeaturePlan awscognito.FeaturePlan

	// StandardThreatProtectionMode is what Cognito does about compromised passwords and risky sign-ins. Default:
	// FULL_FUNCTION, which acts on them, on plan PLUS; left out on other plans, where everything but NO_ENFORCEMENT is
	// refused, but see SkipFeaturePlanCheck.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-settings-threat-protection.html
	StandardThreatProtectionMode awscognito.StandardThreatProtectionMode

	// UserPoolProps are further properties of the pool, such as the CustomAttributes that the policy mints claims from
	// (they are not taken from the policy, since an attribute can never be removed from a pool again; a missing one is a
	// synth-time warning). What is set here wins over these
	// defaults:
	//
	//   - SelfSignUpEnabled: false. Users are created by an administrator.
	//   - SignInCaseSensitive: false, so "Owner" cannot pose as "owner". It cannot be changed once the pool exists.
	//   - SignInAliases: the user name alone, as CDK and Cognito have it. They cannot be changed once the pool exists.
	//   - PasswordPolicy: 12 characters, with lower case, upper case, digits and symbols.
	//   - Mfa: OPTIONAL with an authenticator app. Users who never enrol sign in as before, and threat protection can
	//     ask those who did for a second factor.
	//   - AccountRecovery: EMAIL_ONLY.
	//   - DeletionProtection: true, unless the pool's removal policy is DESTROY, since Cognito would refuse the removal.
	//
	// FeaturePlan and StandardThreatProtectionMode may be set here or beside, not differently in both.
	// LambdaTriggers.PreTokenGeneration is refused: that trigger is what this construct provides.
	//
	// Changing attributes that exist, or making one required, replaces the pool together with its users; this
	// construct itself never does.
	UserPoolProps *awscognito.UserPoolProps

	// Architecture is what the functions are built for and run on. Default: ARM_64. A local AWS that runs functions as
	// processes of the host needs the host's own.
	Architecture awslambda.Architecture

	// ClaimsProgram is what the claims function runs, and AuthorizerProgram what every authorizer function runs: a main
	// package of the app ([GoMain]), or one that was built elsewhere ([Binary]). Default: Claimsmith's own, built with the
	// go command during synth.
	//
	// A program of the app calls pretoken.Start or apigw.Start with hooks: code of its own beside the policy, which may be
	// an empty one. A hook of an authorizer may decide by more than the rules do, so that decisions are not cached then
	// unless ResultsCacheTtl is set, and synth says so.
	ClaimsProgram     Program
	AuthorizerProgram Program

	// ResultsCacheTtl is how long API Gateway may repeat an authorizer's decision for the same token. Default: 60
	// seconds. 0 turns caching off; at most one hour, in whole seconds. A token that expires, or is refused for good,
	// may thus be answered as before for that long.
	//
	// What else must be the same (route, method, path, source address, headers, query parameters) is derived from what
	// the authorizer's rules read, so that a decision is never repeated where it does not hold. A rule that reads what
	// API Gateway cannot compare, such as a header that may be absent, turns caching off for its authorizer, and synth
	// says so. So does a rule that reads a header or a query parameter, for REST APIs: a request may have several of the
	// same name, and it is not documented which of them API Gateway compares. Decisions about WebSockets are never cached.
	//
	// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
	ResultsCacheTtl *time.Duration

	// InvalidToken is what callers of an HTTP API are answered for a token that is expired, forged, of another pool or
	// client, or not an access token. Default: [InvalidTokenForbidden]. A request without a token is always answered 401
	// by API Gateway itself.
	InvalidToken InvalidToken

	// TokenSources are the places where requests have the access token, by authorizer name. Default, for each authorizer:
	// the Authorization header. API Gateway answers 401 by itself when the token is missing. When there are several
	// sources, of which a request must have exactly one, the function is asked for every request, and nothing is cached.
	TokenSources map[string][]TokenSource

	// PublicRoutes are the routes that may be called by everybody, by route key, such as "GET /health". Default: none.
	//
	// In an API of which one of this construct's authorizers protects a route, synth fails for every route, and every
	// method of a REST API, that has no authorizer of any kind and is not declared public. It is declared public by being
	// listed here, or in code where the API has a default authorizer and the route opts out of it (HttpNoneAuthorizer,
	// AuthorizationType NONE). A REST API's CORS preflight, an OPTIONS method that API Gateway answers by itself, is always
	// public. Routes of an API that is defined by an OpenAPI document are not seen.
	PublicRoutes []string

	// RemovalPolicy is what becomes of the pool and of the functions' log groups when they leave the stack. Default:
	// RETAIN. DESTROY deletes the users.
	RemovalPolicy awscdk.RemovalPolicy

	// LogRetention is how long the functions' logs are kept. They tell why requests were refused. Default:
	// THREE_MONTHS.
	LogRetention awslogs.RetentionDays

	// LogGroup is where all functions log to. Default: each function has a log group of its own.
	LogGroup awslogs.ILogGroup

	// LogLevel is the least level of what the functions log. Default: INFO, with a line for each sign-in and each
	// decision. WARN leaves out sign-ins that succeeded, and decisions but for faults and those about ID tokens. Metrics do
	// not depend on it.
	LogLevel awslambda.ApplicationLogLevel

	// MetricsNamespace is the CloudWatch namespace of the metrics that the functions write beside Lambda's own: decisions
	// and why, mints, durations, key fetches, see docs/operations.md. They are billed by CloudWatch. Default:
	// "Claimsmith". An empty one turns them off.
	MetricsNamespace *string

	// Monitoring adds alarms and a dashboard, which are billed by CloudWatch. Default: neither.
	Monitoring *Monitoring

	// Tracing is whether the functions are traced by X-Ray. Default: ACTIVE.
	Tracing awslambda.Tracing

	// EncryptionKey encrypts the functions' environment variables and the log groups that are created. A key that the app
	// creates gets the policy that CloudWatch Logs needs; an imported one must have it. Default: keys that AWS owns.
	EncryptionKey awskms.IKey

	// MemorySize is the functions' memory in megabytes, which also decides their share of a processor. Default: 256.
	MemorySize float64

	// Timeout is after how long Lambda ends a function. Default: what the caller waits, 5 seconds for the claims function
	// and 10 for authorizers, since more would bill time that nobody waits for. At most 10 seconds; the claims function
	// gets 5 at most.
	Timeout *time.Duration

	// ProvisionedConcurrentExecutions is how many instances of the claims function, and of each authorizer's, are kept
	// initialised, at a price. They are then called through the alias "live". Default: 0, none.
	ProvisionedConcurrentExecutions float64

	// Vpc is the network that the claims function and the authorizers run in. Authorizers fetch the pool's public keys
	// over HTTPS, so they need a way out, such as a NAT gateway; lookups need DynamoDB, for which a gateway endpoint
	// suffices. The function of a custom resource never runs in it.
	// Default: none.
	Vpc awsec2.IVpc

	// VpcSubnets chooses the subnets of Vpc. Default: its private subnets.
	VpcSubnets *awsec2.SubnetSelection

	// SecurityGroups are those of the functions in Vpc. Default: one of its own for each function, which lets everything
	// out and nothing in.
	SecurityGroups []awsec2.ISecurityGroup
}

// IssuerType is the form of a pool's issuer.
type IssuerType string

const (
	// IssuerTypeOriginal is https://cognito-idp.{region}.amazonaws.com/{pool id}.
	IssuerTypeOriginal IssuerType = "ORIGINAL"

	// IssuerTypeUpdated is https://issuer-cognito-idp.{region}.amazonaws.com/{pool id}, which is the same in every
	// Region of a replicated pool and which AWS recommends. Load balancers, REST APIs' COGNITO_USER_POOLS authorizers
	// and CDK's HttpUserPoolAuthorizer do not take it.
	IssuerTypeUpdated IssuerType = "UPDATED"
)

// InvalidToken is how an HTTP API answers an invalid token.
type InvalidToken string

const (
	// InvalidTokenForbidden answers 403. The decision is cached like any other and is no error of the function, so that
	// its error metric counts real faults alone.
	InvalidTokenForbidden InvalidToken = "forbidden"

	// InvalidTokenUnauthorized makes the function fail with the text "Unauthorized", which is documented to answer 401
	// on REST APIs; what an HTTP API makes of it is not documented. Every invalid token counts as an error of the
	// function, and none is cached.
	InvalidTokenUnauthorized InvalidToken = "unauthorized"
)

// Cognito waits five seconds for the function.
// https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
const (
	minLookupBudget     = 100 * time.Millisecond
	defaultLookupBudget = 1500 * time.Millisecond
	maxLookupBudget     = 4 * time.Second
)

const maxResultsCacheTtl = time.Hour // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

// Validate returns every contradiction in the props, or nil. It does not look into the policy.
func (p *TokenClaimsProps) Validate() error {
	if p == nil || p.Policy == nil {
		return errors.New(`props.Policy is required: set it to construct.PolicyFile("claims.yaml") or construct.PolicyValue(…)`)
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("props."+format, args...)) }

	pool := p.poolProps()
	if flat := p.FeaturePlan; flat != "" && pool.FeaturePlan != "" && flat != pool.FeaturePlan {
		refuse("FeaturePlan is %s but props.UserPoolProps.FeaturePlan is %s: set one of them", flat, pool.FeaturePlan)
	}
	if flat := p.StandardThreatProtectionMode; flat != "" && pool.StandardThreatProtectionMode != "" &&
		flat != pool.StandardThreatProtectionMode {
		refuse("StandardThreatProtectionMode is %s but props.UserPoolProps.StandardThreatProtectionMode is %s: set one of them",
			flat, pool.StandardThreatProtectionMode)
	}
	if budget := p.LookupBudget; budget != 0 && (budget < minLookupBudget || budget > maxLookupBudget) {
		refuse("LookupBudget is %v: allowed are %v to %v", budget, minLookupBudget, maxLookupBudget)
	}
	plan := p.featurePlan()
	grandfathered := plan == awscognito.FeaturePlan_LITE && p.SkipFeaturePlanCheck
	if version := cmp.Or(p.LambdaVersion, awscognito.LambdaVersion_V2_0); plan == awscognito.FeaturePlan_LITE && !p.fitsLite(version) {
		refuse("FeaturePlan is LITE, which cannot customise access tokens (trigger %s): use ESSENTIALS, or PLUS with threat protection", version)
	}
	if setting := p.threatProtection(); setting != "" && plan != awscognito.FeaturePlan_PLUS && !grandfathered {
		refuse("%s needs FeaturePlan PLUS, not %s: leave the plan out (PLUS is the default) or leave threat protection out", setting, plan)
	}
	if triggers := pool.LambdaTriggers; triggers != nil && triggers.PreTokenGeneration != nil {
		refuse("UserPoolProps.LambdaTriggers.PreTokenGeneration is set, but the pool has one pre token generation trigger and the " +
			"policy's claims need it: leave it out and express its claims in the policy")
	}
	if ttl := p.ResultsCacheTtl; ttl != nil && (*ttl < 0 || *ttl > maxResultsCacheTtl || *ttl%time.Second != 0) {
		refuse("ResultsCacheTtl is %v: API Gateway takes 0 (no caching) to %v, in whole seconds", *ttl, maxResultsCacheTtl)
	}
	switch p.InvalidToken {
	case "", InvalidTokenForbidden, InvalidTokenUnauthorized:
	default:
		refuse("InvalidToken is %q: it is %q or %q", p.InvalidToken, InvalidTokenForbidden, InvalidTokenUnauthorized)
	}
	for _, name := range slices.Sorted(maps.Keys(p.TokenSources)) {
		if len(p.TokenSources[name]) == 0 {
			refuse("TokenSources[%q] is empty: leave it out for the Authorization header", name)
		}
		for i, source := range p.TokenSources[name] {
			if err := source.validate(); err != nil {
				refuse("TokenSources[%q][%d] %w", name, i, err)
			}
			if slices.Contains(p.TokenSources[name][:i], source) {
				refuse("TokenSources[%q] has %s twice", name, source)
			}
		}
	}
	p.Monitoring.validate(refuse)
	switch name := p.metricsNamespace(); {
	case name == "" && p.Monitoring != nil:
		refuse("MetricsNamespace is empty, but props.Monitoring watches the metrics in it: leave one of them out")
	case strings.HasPrefix(name, "AWS/") || strings.HasPrefix(name, ":"):
		refuse("MetricsNamespace is %q: CloudWatch takes none that begins with AWS/ or a colon", name)
	}
	errs = append(errs, p.validateComposition()...)
	return errors.Join(errs...)
}

// poolProps are the user's pool properties, or none: a copy.
func (p *TokenClaimsProps) poolProps() awscognito.UserPoolProps {
	if p.UserPoolProps == nil {
		return awscognito.UserPoolProps{}
	}
	return *p.UserPoolProps
}

func (p *TokenClaimsProps) featurePlan() awscognito.FeaturePlan {
	return cmp.Or(p.FeaturePlan, cmp.Or(p.poolProps().FeaturePlan, awscognito.FeaturePlan_PLUS))
}

// fitsLite tells whether plan LITE has the trigger's version: what customises ID tokens alone, or if the pool is said to be
// an old one that may keep more.
func (p *TokenClaimsProps) fitsLite(version awscognito.LambdaVersion) bool {
	return version == awscognito.LambdaVersion_V1_0 || version == awscognito.LambdaVersion_V2_0 && p.SkipFeaturePlanCheck
}

// threatProtection names the setting with which the user asked for threat protection, or is empty.
func (p *TokenClaimsProps) threatProtection() string {
	pool := p.poolProps()
	standard := cmp.Or(p.StandardThreatProtectionMode, pool.StandardThreatProtectionMode)
	switch {
	case standard != "" && standard != awscognito.StandardThreatProtectionMode_NO_ENFORCEMENT:
		return "StandardThreatProtectionMode " + string(standard)
	case pool.CustomThreatProtectionMode != "":
		return "UserPoolProps.CustomThreatProtectionMode " + string(pool.CustomThreatProtectionMode)
	default:
		return ""
	}
}

// withDefaults returns the props with every default filled in.
func (p *TokenClaimsProps) withDefaults() TokenClaimsProps {
	r := *p
	r.Params = maps.Clone(p.Params)
	r.TokenSources = maps.Clone(p.TokenSources)
	r.PublicRoutes = slices.Clone(p.PublicRoutes)
	r.LookupTables = maps.Clone(p.LookupTables)
	r.LookupBudget = cmp.Or(r.LookupBudget, defaultLookupBudget)
	r.FeaturePlan = p.featurePlan()
	r.RemovalPolicy = cmp.Or(r.RemovalPolicy, awscdk.RemovalPolicy_RETAIN)
	r.LogRetention = cmp.Or(r.LogRetention, awslogs.RetentionDays_THREE_MONTHS)
	r.InvalidToken = cmp.Or(r.InvalidToken, InvalidTokenForbidden)
	r.LambdaVersion = cmp.Or(r.LambdaVersion, awscognito.LambdaVersion_V2_0)
	r.ReplacedTriggerVersion = cmp.Or(r.ReplacedTriggerVersion, awscognito.LambdaVersion_V1_0)
	r.MemorySize = cmp.Or(r.MemorySize, 256)
	r.Monitoring = p.Monitoring.clone()
	r.Tracing = cmp.Or(r.Tracing, awslambda.Tracing_ACTIVE)
	r.SecurityGroups = slices.Clone(p.SecurityGroups)
	if r.Architecture == nil {
		r.Architecture = awslambda.Architecture_ARM_64()
	}
	pool := r.poolPropsWithDefaults()
	r.UserPoolProps = &pool
	return r
}

// poolPropsWithDefaults expects the plan and the removal policy to be resolved.
func (p *TokenClaimsProps) poolPropsWithDefaults() awscognito.UserPoolProps {
	pool := p.poolProps()
	pool.FeaturePlan = p.FeaturePlan
	pool.StandardThreatProtectionMode = cmp.Or(p.StandardThreatProtectionMode, pool.StandardThreatProtectionMode)
	if pool.StandardThreatProtectionMode == "" && pool.FeaturePlan == awscognito.FeaturePlan_PLUS {
		pool.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_FULL_FUNCTION
	}
	pool.RemovalPolicy = cmp.Or(pool.RemovalPolicy, p.RemovalPolicy)
	pool.DeletionProtection = cmp.Or(pool.DeletionProtection, jsii.Bool(pool.RemovalPolicy != awscdk.RemovalPolicy_DESTROY))
	pool.SelfSignUpEnabled = cmp.Or(pool.SelfSignUpEnabled, jsii.Bool(false))
	pool.SignInCaseSensitive = cmp.Or(pool.SignInCaseSensitive, jsii.Bool(false))
	pool.AccountRecovery = cmp.Or(pool.AccountRecovery, awscognito.AccountRecovery_EMAIL_ONLY)
	if pool.Mfa == "" {
		pool.Mfa = awscognito.Mfa_OPTIONAL
		pool.MfaSecondFactor = cmp.Or(pool.MfaSecondFactor, &awscognito.MfaSecondFactor{Otp: jsii.Bool(true), Sms: jsii.Bool(false)})
	}
	pool.PasswordPolicy = cmp.Or(pool.PasswordPolicy, &awscognito.PasswordPolicy{
		MinLength:        jsii.Number(12),
		RequireLowercase: jsii.Bool(true),
		RequireUppercase: jsii.Bool(true),
		RequireDigits:    jsii.Bool(true),
		RequireSymbols:   jsii.Bool(true),
	})
	return pool
}

func (p *TokenClaimsProps) cacheTTL() time.Duration {
	if p.ResultsCacheTtl == nil {
		return time.Minute
	}
	return *p.ResultsCacheTtl
}

// metricsNamespace is the namespace, or empty when there are to be no metrics.
func (p *TokenClaimsProps) metricsNamespace() string {
	if p.MetricsNamespace == nil {
		return "Claimsmith"
	}
	return *p.MetricsNamespace
}
