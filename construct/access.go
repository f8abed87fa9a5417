package construct

// This file is about what other parts of an app get from the construct: permissions and metrics, as with CDK's own.

import (
	"fmt"

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

// minting is the claims function, for what makes no sense without one.
func (t *tokenClaims) minting(method string) awslambda.Function {
	if t.claimsFunction == nil {
		panic(fmt.Errorf("construct: %s: there is no claims function here, since MintedElsewhere is set: ask where the claims are minted", method))
	}
	return t.claimsFunction
}
