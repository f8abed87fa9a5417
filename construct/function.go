package construct

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct/internal/gobuild"
)

// functionProps is in what the Lambda functions differ.
type functionProps struct {
	scope       constructs.Construct // default: the construct
	main        string               // folder under lambda/ that holds the main package
	description string
	// how long its caller waits
	timeoutSeconds float64
	environment    map[string]string
	// deployOnly is for the function of a custom resource. It has no use for the policy, and must not change with it;
	// and it has to reach AWS, so it is in no VPC.
	deployOnly bool
}

// newFunction creates a function with a log group and a role of its own. The role is what AWSLambdaBasicExecutionRole
// would give (log streams and events, here in this one log group) and, added by CDK, the two X-Ray actions, which know
// no resources.
func (t *tokenClaims) newFunction(id string, p functionProps) awslambda.Function {
	if p.scope == nil {
		p.scope = t
	}
	role := awsiam.NewRole(p.scope, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs := t.logGroup(p.scope, id)
	logs.GrantWrite(role)

	environment := map[string]*string{}
	for name, value := range p.environment {
		environment[name] = jsii.String(value)
	}
	props := &awslambda.FunctionProps{
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Handler:      jsii.String("bootstrap"),
		Architecture: t.props.Architecture,
		Description:  jsii.String(p.description),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(p.timeoutSeconds)),
		MemorySize:   jsii.Number(t.props.MemorySize),
		Tracing:      t.props.Tracing,
		LogGroup:     logs,
		// The functions log JSON lines in the form of Lambda's own; so do Lambda's own then.
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: t.props.LogLevel,
		Role:                  role,
		Environment:           &environment,
	}
	if key := t.props.EncryptionKey; key != nil {
		props.EnvironmentEncryption = key
		key.GrantDecrypt(role)
	}
	if p.deployOnly {
		props.Code = t.plainCode(p.main)
		return awslambda.NewFunction(p.scope, jsii.String(id), props)
	}

	for name, value := range t.props.Params {
		environment["CLAIMSMITH_PARAM_"+name] = jsii.String(value)
	}
	if namespace := t.props.metricsNamespace(); namespace != "" {
		environment["CLAIMSMITH_METRICS_NAMESPACE"] = jsii.String(namespace)
	}
	props.Code = t.functionCode(p.main)
	if t.props.Timeout != nil {
		props.Timeout = awscdk.Duration_Seconds(jsii.Number(min(t.props.Timeout.Seconds(), p.timeoutSeconds)))
	}
	if t.props.Vpc != nil {
		props.Vpc, props.VpcSubnets = t.props.Vpc, t.props.VpcSubnets
		if len(t.props.SecurityGroups) > 0 {
			groups := append([]awsec2.ISecurityGroup{}, t.props.SecurityGroups...)
			props.SecurityGroups = &groups
		}
		// What AWSLambdaVPCAccessExecutionRole gives beyond logs. Network interfaces are made by the service, so no
		// resource can be named.
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
			Resources: jsii.Strings("*"),
		}))
	}
	function := awslambda.NewFunction(p.scope, jsii.String(id), props)
	t.targets[function] = function
	if n := t.props.ProvisionedConcurrentExecutions; n > 0 {
		t.targets[function] = awslambda.NewAlias(p.scope, jsii.String(id+"Alias"), &awslambda.AliasProps{
			AliasName:                       jsii.String("live"),
			Version:                         function.CurrentVersion(),
			ProvisionedConcurrentExecutions: jsii.Number(n),
		})
	}
	return function
}

// target is what calls of the function go to: its alias, when it has provisioned concurrency, since only a version has
// that and Cognito is documented to take an alias for one.
func (t *tokenClaims) target(function awslambda.Function) awslambda.IFunction {
	return t.targets[function]
}

// logGroup is the user's, or a new one.
func (t *tokenClaims) logGroup(scope constructs.Construct, id string) awslogs.ILogGroup {
	if t.props.LogGroup != nil {
		return t.props.LogGroup
	}
	props := &awslogs.LogGroupProps{Retention: t.props.LogRetention, RemovalPolicy: t.props.RemovalPolicy}
	if key := t.props.EncryptionKey; key != nil {
		props.EncryptionKey = key
		t.allowLogs(scope)
	}
	return awslogs.NewLogGroup(scope, jsii.String(id+"Logs"), props)
}

// allowLogs lets CloudWatch Logs use the key, for log groups of this account and Region: the group itself cannot be named,
// since it refers to the key.
//
// See https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func (t *tokenClaims) allowLogs(scope constructs.Construct) {
	stack := awscdk.Stack_Of(scope)
	result := t.props.EncryptionKey.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.Sprintf("logs.%s.%s", *stack.Region(), *stack.UrlSuffix()), nil)},
		Actions:    jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]any{"ArnLike": map[string]any{"kms:EncryptionContext:aws:logs:arn": jsii.Sprintf(
			"arn:%s:logs:%s:%s:log-group:*", *stack.Partition(), *stack.Region(), *stack.Account())}},
	}), jsii.Bool(true))
	if !*result.StatementAdded {
		awscdk.Annotations_Of(t).AddWarningV2(jsii.String("claimsmith:keyPolicy"), jsii.String(
			"EncryptionKey is imported, so its policy cannot be extended: it must let logs.<region>.amazonaws.com use it for the "+
				"functions' log groups, or the deployment fails (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html)"))
	}
}

// plainCode is one of our own programs without a policy.
func (t *tokenClaims) plainCode(folder string) awslambda.Code {
	if !*awscdk.Stack_Of(t).BundlingRequired() {
		return codeFromFiles(t, folder, gobuild.NewFile("not-built", []byte(folder+"\n"), 0o644))
	}
	file, err := ownMain{folder, []string{folder}}.bootstrap(buildCache(t), goarch(t.props.Architecture))
	if err != nil {
		panic(fmt.Errorf("construct: %w", err))
	}
	return codeFromFiles(t, folder, file)
}
