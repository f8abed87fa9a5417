package construct

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
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
	// an attribute of another resource, but nothing that refers to the user pool: the pool depends on the claim function.
	// They are environment variables of the functions, so they are no place for secrets. Default: none, which fits a
	// policy that declares none; synth fails when the names differ.
	Params map[string]string

	// LookupTables are the DynamoDB tables that the policy's lookups read, by what the policy calls them: created here,
	// existing, or imported (give an imported table its encryption key, if it has one). The claim function may read rows
	// by key or query, whichever the policy does, and nothing else, and decrypt with the table's key. A table must not
	// depend on the user pool, which depends on the claim function. Default: none, which fits a policy without lookups;
	// synth fails when the names differ.
	LookupTables map[string]awsdynamodb.ITable

	// LookupBudget is the time that all lookups of a sign-in together may take, retries included. Default: 1.5 seconds. At
	// most 4: Cognito waits five for the function, its start included.
	LookupBudget time.Duration

	// FeaturePlan is the pool's feature plan. Default: PLUS, which threat protection needs. ESSENTIALS suffices to
	// customise access tokens and costs less per monthly active user; threat protection is then left off. LITE cannot
	// customise access tokens and is refused.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html
	FeaturePlan awscognito.FeaturePlan

	// TriggerVersion is the version of the pre token generation trigger. Default: V2_0, which is called for users' tokens.
	// V3_0 is called for machines' tokens too (client credentials), which Cognito otherwise issues without the policy's
	// claims; a claim function that fails then fails machines too. V1_0 cannot customise access tokens and is refused.
	//
	// See https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
	TriggerVersion awscognito.LambdaVersion

	// StandardThreatProtectionMode is what Cognito does about compromised passwords and risky sign-ins. Default:
	// FULL_FUNCTION, which acts on them, on plan PLUS; left out on other plans, where everything but NO_ENFORCEMENT is
	// refused.
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

	// ResultsCacheTtl is how long API Gateway may repeat an authorizer's decision for the same token. Default: 60
	// seconds. 0 turns caching off; at most one hour, in whole seconds. A token that expires, or is refused for good,
	// may thus be answered as before for that long.
	//
	// What else must be the same (route, method, path, source address, headers, query parameters) is derived from what
	// the authorizer's rules read, so that a decision is never repeated where it does not hold. A rule that reads what
	// API Gateway cannot compare, such as a header that may be absent, turns caching off for its authorizer, and synth
	// says so.
	//
	// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
	ResultsCacheTtl *time.Duration

	// InvalidToken is what callers of an HTTP API are answered for a token that is expired, forged, of another pool or
	// client, or not an access token. Default: [InvalidTokenForbidden]. A request without a token is always answered 401
	// by API Gateway itself.
	InvalidToken InvalidToken

	// RemovalPolicy is what becomes of the pool and of the functions' log groups when they leave the stack. Default:
	// RETAIN. DESTROY deletes the users.
	RemovalPolicy awscdk.RemovalPolicy

	// LogRetention is how long the functions' logs are kept. They tell why requests were refused. Default:
	// THREE_MONTHS.
	LogRetention awslogs.RetentionDays
}

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
	minLookupBudget = 100 * time.Millisecond
	maxLookupBudget = 4 * time.Second
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
	switch p.TriggerVersion {
	case "", awscognito.LambdaVersion_V2_0, awscognito.LambdaVersion_V3_0:
	default:
		refuse("TriggerVersion is %s, which cannot customise access tokens: use V2_0, or V3_0 for machines' tokens too", p.TriggerVersion)
	}
	if budget := p.LookupBudget; budget != 0 && (budget < minLookupBudget || budget > maxLookupBudget) {
		refuse("LookupBudget is %v: allowed are %v to %v", budget, minLookupBudget, maxLookupBudget)
	}
	plan := p.featurePlan()
	if plan == awscognito.FeaturePlan_LITE {
		refuse("FeaturePlan is LITE, which cannot customise access tokens (trigger V2_0 or V3_0): use ESSENTIALS, or PLUS with threat protection")
	}
	if setting := p.threatProtection(); setting != "" && plan != awscognito.FeaturePlan_PLUS {
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
	r.LookupTables = maps.Clone(p.LookupTables)
	r.FeaturePlan = p.featurePlan()
	r.RemovalPolicy = cmp.Or(r.RemovalPolicy, awscdk.RemovalPolicy_RETAIN)
	r.LogRetention = cmp.Or(r.LogRetention, awslogs.RetentionDays_THREE_MONTHS)
	r.TriggerVersion = cmp.Or(r.TriggerVersion, awscognito.LambdaVersion_V2_0)
	r.InvalidToken = cmp.Or(r.InvalidToken, InvalidTokenForbidden)
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
