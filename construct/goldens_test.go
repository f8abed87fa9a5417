package construct_test

import (
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
)

// The templates of docs/composition.md's examples, stack by stack. The default stack and that of all kinds of APIs are
// held where they are tested.
func TestCompositionsAreTheGoldens(t *testing.T) {
	for name, example := range map[string]func(awscdk.App){
		"existingPool": existingPool, "importedPool": importedPool, "apisInOtherStacks": apisInOtherStacks, "poolInAnotherStack": poolInAnotherStack,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.app.Node().TryRemoveChild(f.stack.Node().Id())
			t.Chdir("testdata/composition")
			example(f.app)
			found := 0
			for _, child := range *f.app.Node().Children() {
				if stack, ok := child.(awscdk.Stack); ok {
					snapshot.Match(t, stack, name+"."+*stack.Node().Id()+".template.json")
					found++
				}
			}
			if found == 0 {
				t.Error("the example has no stack")
			}
		})
	}
}

func TestEverythingSetIsTheGolden(t *testing.T) {
	f := newFixture(t)
	timeout, ttl := 3*time.Second, 2*time.Minute
	vpc := awsec2.Vpc_FromVpcAttributes(f.stack, jsii.String("Network"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-12345678"), AvailabilityZones: jsii.Strings("us-east-1a"), PrivateSubnetIds: jsii.Strings("subnet-12345678"),
	})
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, `
params: [stage]
lookups: {tier: {table: subscriptions, key: {pk: "user.attributes.sub"}, type: {plan: string}, onMissing: {default: {plan: free}}, when: "!client.is_machine"}}
claims: {stage: {expr: params.stage}, plan: {expr: "lookup.?tier.?plan"}}
resourceServers: {documents: {import: Import documents}}
authorizers: {Documents: {routes: {"GET /documents": [{rule: "claims.stage == 'prod' && request.sourceIp != ''"}]}}}
`))
		p.Params = map[string]string{"stage": "prod"}
		p.LookupTables = map[string]awsdynamodb.ITable{"subscriptions": f.importedTable("Subscriptions")}
		p.LookupBudget = 2 * time.Second
		p.LambdaVersion = awscognito.LambdaVersion_V3_0
		p.IssuerType = construct.IssuerTypeUpdated
		p.FeaturePlan = awscognito.FeaturePlan_PLUS
		p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_AUDIT_ONLY
		p.Architecture = awslambda.Architecture_X86_64()
		p.ResultsCacheTtl = &ttl
		p.InvalidToken = construct.InvalidTokenUnauthorized
		p.TokenSources = map[string][]construct.TokenSource{"Documents": {construct.TokenInHeader("X-Token")}}
		p.PublicRoutes = []string{"GET /health"}
		p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
		p.LogRetention = awslogs.RetentionDays_ONE_YEAR
		p.EncryptionKey = awskms.NewKey(f.stack, jsii.String("Key"), &awskms.KeyProps{EnableKeyRotation: jsii.Bool(true)})
		p.MemorySize = 512
		p.Timeout = &timeout
		p.ProvisionedConcurrentExecutions = 2
		p.Vpc = vpc
		p.SecurityGroups = []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(f.stack, jsii.String("Group"), jsii.String("sg-12345678"), nil)}
	})
	auth.AddClient("Web", nil)
	auth.AddMachineClient("Importer", []string{"documents/import"}, nil)
	api := f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents")
	addRoutes(api, awsapigatewayv2.NewHttpNoneAuthorizer(), "GET /health")
	snapshot.Match(t, f.stack, "testdata/everything.template.json")
}

func TestMonitoringIsTheGolden(t *testing.T) {
	f := newFixture(t)
	topic := awssns.Topic_FromTopicArn(f.stack, jsii.String("OnCall"), jsii.String("arn:aws:sns:us-east-1:123456789012:on-call"))
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Monitoring = &construct.Monitoring{AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(topic)}}
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	snapshot.Match(t, f.stack, "testdata/monitoring.template.json")
}
