package construct_test

import (
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
)

// These, with those of the default, REST and WebSocket stacks, hold every logical id, and what an upgrade of CDK would
// change. tools/validate has other people's checkers look at them. What must hold whatever a golden says is asserted on its
// own, beside what it is about.

func (f *fixture) golden(name string) {
	f.t.Helper()
	snapshot.Match(f.t, f.stack, "testdata/"+name+".template.json")
}

func TestStackWithEverythingSetIsTheGolden(t *testing.T) {
	f := newFixture(t)
	timeout, ttl := 4*time.Second, 5*time.Minute
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.LambdaVersion = awscognito.LambdaVersion_V3_0
		p.IssuerType = construct.IssuerTypeUpdated
		p.FeaturePlan = awscognito.FeaturePlan_PLUS
		p.StandardThreatProtectionMode = awscognito.StandardThreatProtectionMode_AUDIT_ONLY
		p.Architecture = awslambda.Architecture_X86_64()
		p.ResultsCacheTtl = &ttl
		p.InvalidToken = construct.InvalidTokenUnauthorized
		p.TokenSources = map[string][]construct.TokenSource{"Documents": {construct.TokenInHeader("X-Access-Token")}}
		p.PublicRoutes = []string{"GET /health"}
		p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
		p.LogRetention = awslogs.RetentionDays_ONE_WEEK
		p.EncryptionKey = awskms.NewKey(f.stack, jsii.String("Key"), &awskms.KeyProps{EnableKeyRotation: jsii.Bool(true)})
		p.MemorySize = 512
		p.Timeout = &timeout
		p.ProvisionedConcurrentExecutions = 2
		p.Vpc = awsec2.NewVpc(f.stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false), MaxAzs: jsii.Number(1)})
		p.VpcSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}
	})
	auth.AddClient("Web", &awscognito.UserPoolClientOptions{OAuth: &awscognito.OAuthSettings{CallbackUrls: jsii.Strings("https://app.example.com")}})
	api := awsapigatewayv2.NewHttpApi(f.stack, jsii.String("Api"), nil)
	addRoutes(api, auth.HttpAuthorizer("Documents"), documentRoutes...)
	addRoutes(api, nil, "GET /health")
	f.golden("everything")
}

func TestStackWithAnExistingPoolIsTheGolden(t *testing.T) {
	f := newFixture(t)
	pool := awscognito.NewUserPool(f.stack, jsii.String("Mine"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_ESSENTIALS,
		CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(nil), "partner_id": awscognito.NewStringAttribute(nil),
		},
	})
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.golden("existing-pool")
}

func TestStackWithAnImportedPoolIsTheGolden(t *testing.T) {
	f := newFixture(t)
	auth, _ := f.imported(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.golden("imported-pool")
}

func TestStacksOfPoolAndAPIAreTheGoldens(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	api := f.newStack("ApiStack", nil)
	api.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.golden("cross-stack-pool")
	api.golden("cross-stack-api")
}
