package construct

// This file is about what other parts of an app get from the construct: permissions and metrics, as with CDK's own.

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

var (
	readUsers = []string{
		"cognito-idp:AdminGetUser",
		"cognito-idp:AdminListGroupsForUser",
		"cognito-idp:DescribeUserPool",
		"cognito-idp:GetGroup",
		"cognito-idp:ListGroups",
		"cognito-idp:ListUsers",
		"cognito-idp:ListUsersInGroup",
	}
	manageUsers = append(readUsers[:len(readUsers):len(readUsers)],
		"cognito-idp:AdminAddUserToGroup",
		"cognito-idp:AdminConfirmSignUp",
		"cognito-idp:AdminCreateUser",
		"cognito-idp:AdminDeleteUser",
		"cognito-idp:AdminDeleteUserAttributes",
		"cognito-idp:AdminDisableUser",
		"cognito-idp:AdminEnableUser",
		"cognito-idp:AdminRemoveUserFromGroup",
		"cognito-idp:AdminResetUserPassword",
		"cognito-idp:AdminSetUserPassword",
		"cognito-idp:AdminUpdateUserAttributes",
		"cognito-idp:AdminUserGlobalSignOut",
	)
)

func (t *tokenClaims) GrantReadUsers(grantee awsiam.IGrantable) awsiam.Grant {
	return t.grant("GrantReadUsers", grantee, readUsers)
}

func (t *tokenClaims) GrantManageUsers(grantee awsiam.IGrantable) awsiam.Grant {
	return t.grant("GrantManageUsers", grantee, manageUsers)
}

func (t *tokenClaims) grant(method string, grantee awsiam.IGrantable, actions []string) awsiam.Grant {
	if t.userPool == nil {
		panic(fmt.Errorf("construct: %s: there is no pool here: set props.UserPool, or grant where the pool is", method))
	}
	if grantee == t.claimsFunction && appPool(t.userPool) != nil {
		panic(fmt.Errorf("construct: %s: the claims function cannot be granted anything on its own pool this way: the pool refers to the "+
			"function, the function to its role's policy, and the policy to the pool, which CloudFormation refuses as a cycle; "+
			"give the role a policy of its own: awsiam.NewPolicy(stack, id, props) attached to auth.ClaimsFunction().Role()", method))
	}
	return t.userPool.Grant(grantee, *jsii.Strings(actions...)...)
}

func (t *tokenClaims) MetricClaimsErrors(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.minting("MetricClaimsErrors").MetricErrors(props)
}

func (t *tokenClaims) MetricClaimsThrottles(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.minting("MetricClaimsThrottles").MetricThrottles(props)
}

func (t *tokenClaims) MetricClaimsDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.minting("MetricClaimsDuration").MetricDuration(props)
}

func (t *tokenClaims) MetricAuthorizerErrors(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.AuthorizerFunction(name).MetricErrors(props)
}

func (t *tokenClaims) MetricAuthorizerThrottles(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.AuthorizerFunction(name).MetricThrottles(props)
}

func (t *tokenClaims) MetricAuthorizerDuration(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.AuthorizerFunction(name).MetricDuration(props)
}

func (t *tokenClaims) MetricClaimsMints(outcome MintOutcome, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.minting("MetricClaimsMints"), "Mints", props, "Outcome", string(outcome))
}

func (t *tokenClaims) MetricClaimsMintDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.minting("MetricClaimsMintDuration"), "MintDuration", props)
}

func (t *tokenClaims) MetricClaimsOmittedClaims(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.minting("MetricClaimsOmittedClaims"), "OmittedClaims", props)
}

func (t *tokenClaims) MetricClaimsLookupDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.minting("MetricClaimsLookupDuration"), "LookupDuration", props)
}

func (t *tokenClaims) MetricClaimsLookupFailures(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.minting("MetricClaimsLookupFailures"), "LookupFailures", props)
}

func (t *tokenClaims) MetricAuthorizerDecisions(name string, outcome DecisionOutcome, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "Decisions", props, "Outcome", string(outcome))
}

func (t *tokenClaims) MetricAuthorizerRefusals(name, reason string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "Refusals", props, "Reason", reason)
}

func (t *tokenClaims) MetricAuthorizerDecisionDuration(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "DecisionDuration", props)
}

func (t *tokenClaims) MetricAuthorizerOmittedClaims(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "OmittedClaims", props)
}

func (t *tokenClaims) MetricAuthorizerIDTokenUses(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "IDTokenUses", props)
}

func (t *tokenClaims) MetricAuthorizerKeyFetches(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "KeyFetches", props)
}

func (t *tokenClaims) MetricAuthorizerKeyFetchFailures(name string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return t.ownMetric(t.AuthorizerFunction(name), "KeyFetchFailures", props)
}

// ownMetric is a metric that the function writes itself. Beside the function's name it has the dimension given, if any.
func (t *tokenClaims) ownMetric(function awslambda.Function, name string, props *awscloudwatch.MetricOptions, dimension ...string) awscloudwatch.Metric {
	namespace := t.props.metricsNamespace()
	if namespace == "" {
		panic(fmt.Errorf("construct: the functions write no metric %s, since MetricsNamespace is empty: leave that out", name))
	}
	dimensions := map[string]*string{"FunctionName": function.FunctionName()}
	if len(dimension) > 0 {
		dimensions[dimension[0]] = jsii.String(dimension[1])
	}
	statistic := awscloudwatch.Stats_SUM()
	if strings.HasSuffix(name, "Duration") {
		statistic = awscloudwatch.Stats_AVERAGE()
	}
	metric := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), DimensionsMap: &dimensions, Statistic: statistic,
	})
	if props != nil {
		metric = metric.With(props)
	}
	return metric.AttachTo(function)
}

// minting is the claims function, for what makes no sense without one.
func (t *tokenClaims) minting(method string) awslambda.Function {
	if t.claimsFunction == nil {
		panic(fmt.Errorf("construct: %s: there is no claims function here, since MintedElsewhere is set: ask where the claims are minted", method))
	}
	return t.claimsFunction
}
