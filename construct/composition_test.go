package construct_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// newStack is another stack of the app.
func (f *fixture) newStack(id string, props *awscdk.StackProps) *fixture {
	return &fixture{f.t, f.app, awscdk.NewStack(f.app, jsii.String(id), props)}
}

// onlyStack is a stack instead of the fixture's own.
func (f *fixture) onlyStack(id string, props *awscdk.StackProps) *fixture {
	f.app.Node().TryRemoveChild(f.stack.Node().Id())
	return f.newStack(id, props)
}

func inRegion(region string) *awscdk.StackProps {
	return &awscdk.StackProps{Env: &awscdk.Environment{Region: jsii.String(region), Account: jsii.String("111122223333")}}
}

// templates are those of all stacks, nested ones and those of stages included. Making them finds cycles within a template.
func templates(t *testing.T, app awscdk.App) map[string]template {
	t.Helper()
	if text := panicText(func() { app.Synth(nil) }); text != "" {
		t.Fatalf("synth failed: %s", text)
	}
	all := map[string]template{}
	for _, node := range *app.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		if stack, ok := node.(awscdk.Stack); ok {
			var tpl assertions.Template
			if text := panicText(func() { tpl = assertions.Template_FromStack(stack, nil) }); text != "" {
				t.Fatalf("%s: %s", *stack.Node().Path(), text)
			}
			all[*stack.Node().Path()] = template{t, tpl}
		}
	}
	return all
}

func TestAnExistingPoolKeepsItsPropertiesAndGetsTheTrigger(t *testing.T) {
	f := newFixture(t)
	props := &awscognito.UserPoolProps{FeaturePlan: awscognito.FeaturePlan_ESSENTIALS, SelfSignUpEnabled: jsii.Bool(true)}
	pool := awscognito.NewUserPool(f.stack, jsii.String("Mine"), props)
	awscognito.NewUserPool(f.stack, jsii.String("Same"), props)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool })
	if auth.UserPool() != awscognito.IUserPool(pool) {
		t.Error("UserPool is not the pool that was given")
	}
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	tpl.count("AWS::Cognito::UserPool", 2)
	tpl.count("AWS::CloudFormation::CustomResource", 0)
	var mine, same map[string]any
	for id, r := range tpl.resources("AWS::Cognito::UserPool") {
		if strings.HasPrefix(id, "Mine") {
			mine = r["Properties"].(map[string]any)
		} else {
			same = r["Properties"].(map[string]any)
		}
	}
	trigger := mine["LambdaConfig"].(map[string]any)["PreTokenGenerationConfig"].(map[string]any)
	if trigger["LambdaVersion"] != "V2_0" {
		t.Errorf("trigger %v", trigger)
	}
	delete(mine, "LambdaConfig")
	if !reflect.DeepEqual(mine, same) {
		t.Errorf("the pool has properties\n%v\nand one without the construct\n%v", mine, same)
	}
	tpl.has("AWS::Lambda::Permission", map[string]any{
		"Principal": "cognito-idp.amazonaws.com", "SourceAccount": map[string]any{"Ref": "AWS::AccountId"},
		"SourceArn": map[string]any{"Fn::GetAtt": []any{"MineC1B42D3A", "Arn"}},
	})
	f.wantWarning("/Stack/Auth", `the policy reads the attribute "custom:company_id", which the pool does not have: add "company_id" to the pool's CustomAttributes`)
}

func TestAPoolThatHasATriggerIsRefused(t *testing.T) {
	for version, edit := range map[string]func(awscognito.UserPool, *fixture){
		"V1_0": func(pool awscognito.UserPool, f *fixture) {
			pool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION(), f.function("Theirs"), "")
		},
		"V2_0": func(pool awscognito.UserPool, f *fixture) {
			pool.AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION_CONFIG(), f.function("Theirs"), awscognito.LambdaVersion_V2_0)
		},
	} {
		f := newFixture(t)
		pool := awscognito.NewUserPool(f.stack, jsii.String("Pool"), nil)
		edit(pool, f)
		text := panicText(func() { f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool }) })
		if want := `construct: "Stack/Auth": props.UserPool has a pre token generation trigger already (version ` + version + `), and a pool has only one: ` +
			`leave it out and express its claims in the policy, or set MintedElsewhere if that trigger mints them`; text != want {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
	}
}

// V1 and V2 triggers with different functions synthesize in CDK, and Cognito refuses them.
func TestASecondTriggerFailsSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.UserPool().(awscognito.UserPool).AddTrigger(awscognito.UserPoolOperation_PRE_TOKEN_GENERATION(), f.function("Theirs"), "")
	f.wantSynthError("[Stack/Auth] the pool has a pre token generation trigger of version V1_0 (UserPoolOperation PRE_TOKEN_GENERATION) beside the policy's, " +
		"and Cognito has one: leave it out and express its claims in the policy")
}

// Everything may refer to the pool's stack, and that refers to nothing.
func TestAPoolInAnotherStackHasItsFunctionThere(t *testing.T) {
	f := newFixture(t)
	other := f.newStack("Identity", nil)
	pool := awscognito.NewUserPool(other.stack, jsii.String("Pool"), nil)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	all := templates(t, f.app)

	if functions := all["Identity"].resources("AWS::Lambda::Function"); len(functions) != 1 || functions["PoolClaimsFunction60316C9A"] == nil {
		t.Errorf("functions beside the pool: %v", functions)
	}
	all["Stack"].count("AWS::Lambda::Function", 1) // the authorizer
	all["Stack"].count("AWS::Cognito::UserPoolClient", 0)
	if text, _ := json.Marshal(all["Identity"].ToJSON()); strings.Contains(string(text), "Fn::ImportValue") {
		t.Error("the pool's stack refers to another")
	}
	if dependencies := *other.stack.Dependencies(); len(dependencies) != 0 {
		t.Errorf("the pool's stack depends on %d stacks", len(dependencies))
	}
}

func TestNestedStacksInBothDirections(t *testing.T) {
	for name, nestPool := range map[string]bool{"pool within": true, "pool without": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			nested := &fixture{t, f.app, awscdk.NewNestedStack(f.stack, jsii.String("Nested"), nil)}
			inner, outer := nested, f
			if !nestPool {
				inner, outer = f, nested
			}
			pool := awscognito.NewUserPool(inner.stack, jsii.String("Pool"), nil)
			auth := outer.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool })
			auth.AddClient("Web", nil)
			outer.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
			templates(t, f.app)
		})
	}
}

func TestAPoolOfAnotherStageIsRefused(t *testing.T) {
	f := newFixture(t)
	stage := awscdk.NewStage(f.app, jsii.String("Other"), nil)
	pool := awscognito.NewUserPool(awscdk.NewStack(stage, jsii.String("Stack"), nil), jsii.String("Pool"), nil)
	text := panicText(func() { f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool }) })
	if !strings.HasPrefix(text, `construct: "Stack/Auth": props.UserPool is in another stage, which is deployed for itself: create the TokenClaims that mints`) {
		t.Errorf("got %s", text)
	}
}

// imported is the construct on a pool that is imported by its id.
func (f *fixture) imported(edit func(*construct.TokenClaimsProps)) (construct.TokenClaims, awscognito.IUserPool) {
	pool := awscognito.UserPool_FromUserPoolId(f.stack, jsii.String("Imported"), jsii.String("eu-west-1_Example"))
	return f.claims(func(p *construct.TokenClaimsProps) {
		p.UserPoolProps, p.UserPool = nil, pool
		if edit != nil {
			edit(p)
		}
	}), pool
}

func TestAnImportedPoolGetsItsTriggerByACustomResource(t *testing.T) {
	f := newFixture(t)
	auth, _ := f.imported(func(p *construct.TokenClaimsProps) {
		p.LambdaVersion, p.SkipFeaturePlanCheck = awscognito.LambdaVersion_V3_0, true
		p.ReplacedTriggerArn = "arn:aws:lambda:eu-west-1:111122223333:function:old"
		p.Params = map[string]string{}
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	tpl.count("AWS::Cognito::UserPool", 0)

	properties, resource := tpl.only("Custom::CognitoPreTokenGeneration")
	want := map[string]any{
		"ServiceToken": map[string]any{"Fn::GetAtt": []any{"AuthAttachFunction5EC70E3A", "Arn"}}, "ServiceTimeout": "300",
		"UserPoolId": "eu-west-1_Example", "FunctionArn": map[string]any{"Fn::GetAtt": []any{"AuthClaimsFunction3EC724EA", "Arn"}},
		"LambdaVersion": "V3_0", "ReplacedFunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:old",
		"ReplacedLambdaVersion": "V1_0", "SkipFeaturePlanCheck": "true",
	}
	if !reflect.DeepEqual(properties, want) {
		t.Errorf("custom resource %#v, want %#v", properties, want)
	}
	dependsOn := fmt.Sprint(resource["DependsOn"])
	for _, id := range []string{"AuthClaimsFunctionCognito", "AuthAttachFunctionRoleDefaultPolicy"} {
		if !strings.Contains(dependsOn, id) {
			t.Errorf("custom resource depends on %s, want %s among them", dependsOn, id)
		}
	}
	if resource["DeletionPolicy"] != "Delete" {
		t.Errorf("DeletionPolicy %v, want Delete: the trigger is taken away when the stack goes", resource["DeletionPolicy"])
	}

	arn := map[string]any{"Fn::Join": []any{"", []any{"arn:", map[string]any{"Ref": "AWS::Partition"}, ":cognito-idp:", map[string]any{"Ref": "AWS::Region"}, ":",
		map[string]any{"Ref": "AWS::AccountId"}, ":userpool/eu-west-1_Example"}}}
	tpl.has("AWS::Lambda::Permission", map[string]any{"Principal": "cognito-idp.amazonaws.com", "SourceArn": arn,
		"SourceAccount": map[string]any{"Ref": "AWS::AccountId"}})
	var cognito []any
	for _, p := range tpl.resources("AWS::IAM::Policy") {
		for _, s := range p["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			if strings.Contains(fmt.Sprint(s), "cognito-idp:") {
				cognito = append(cognito, s)
			}
		}
	}
	if want := []any{map[string]any{"Effect": "Allow", "Resource": arn,
		"Action": []any{"cognito-idp:DescribeUserPool", "cognito-idp:GetUserPoolMfaConfig", "cognito-idp:UpdateUserPool"}}}; !reflect.DeepEqual(cognito, want) {
		t.Errorf("permissions on Cognito: %v, want %v", cognito, want)
	}
	tpl.has("AWS::Lambda::Function", map[string]any{"Timeout": 120.0, "Environment": map[string]any{
		"Variables": map[string]any{"CLAIMSMITH_URL_SUFFIX": map[string]any{"Ref": "AWS::URLSuffix"}}}})
}

func TestWhoPassesTheSmsRoleIsGrantedItBeforeThePoolIsUpdated(t *testing.T) {
	f := newFixture(t)
	auth, _ := f.imported(nil)
	role := awsiam.NewRole(f.stack, jsii.String("Sms"), &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("cognito-idp.amazonaws.com"), nil)})
	role.GrantPassRole(auth.AttachFunction().GrantPrincipal())
	tpl := f.template()
	_, resource := tpl.only("Custom::CognitoPreTokenGeneration")
	for id, p := range tpl.resources("AWS::IAM::Policy") {
		if strings.Contains(fmt.Sprint(p), "iam:PassRole") && !slices.Contains(resource["DependsOn"].([]any), any(id)) {
			t.Errorf("custom resource depends on %v, want %s", resource["DependsOn"], id)
		}
	}
}

func TestImportedPoolsOfOtherPlacesAreRefused(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Example": "Region us-east-1 and this stack in eu-west-1",
		"arn:aws:cognito-idp:eu-west-1:999999999999:userpool/eu-west-1_Example": "account 999999999999 and this stack in 111122223333",
	} {
		f := newFixture(t).onlyStack("There", inRegion("eu-west-1"))
		pool := awscognito.UserPool_FromUserPoolArn(f.stack, jsii.String("Pool"), jsii.String(arn))
		text := panicText(func() { f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool = nil, pool }) })
		if !strings.Contains(text, `construct: "There/Auth": props.UserPool is in `+want+", but a trigger is always where its pool is: create") {
			t.Errorf("got %s", text)
		}
		// Its tokens may be accepted all the same.
		f = newFixture(t).onlyStack("There", inRegion("eu-west-1"))
		pool = awscognito.UserPool_FromUserPoolArn(f.stack, jsii.String("Pool"), jsii.String(arn))
		auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.UserPool, p.MintedElsewhere = nil, pool, true })
		auth.AcceptPool(pool, f.importedClient("a"))
		f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
		f.template().count("AWS::Lambda::Function", 1)
	}
}

func TestMintedElsewhereChangesNoPool(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.MintedElsewhere = nil, true })
	if auth.UserPool() != nil || auth.ClaimsFunction() != nil || auth.AttachFunction() != nil {
		t.Error("there is a pool or a function")
	}
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.wantSynthError(`or accept one that exists with AcceptPool`)
	for method, call := range map[string]func(){
		"AddClient":          func() { auth.AddClient("Web", nil) },
		"GrantReadUsers":     func() { auth.GrantReadUsers(auth.AuthorizerFunction("Documents")) },
		"MetricClaimsErrors": func() { auth.MetricClaimsErrors(nil) },
		"AcceptPool": func() {
			auth.AcceptPool(awscognito.UserPool_FromUserPoolId(f.stack, jsii.String("P"), jsii.String("eu-west-1_Example")))
		},
	} {
		if text := panicText(call); !strings.HasPrefix(text, "construct: "+method) {
			t.Errorf("%s: got %q", method, text)
		}
	}

	f = newFixture(t)
	auth = f.claims(func(p *construct.TokenClaimsProps) { p.UserPoolProps, p.MintedElsewhere = nil, true })
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	auth.AcceptPool(f.importedPool("One", "eu-west-1_One"), f.importedClient("a"), f.importedClient("b"))
	tpl := f.template()
	tpl.count("AWS::Lambda::Function", 1)
	tpl.has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{"Variables": map[string]any{
		"CLAIMSMITH_USER_POOLS": `[{"userPoolId":"eu-west-1_One","clientIds":["a","b"]}]`}}})
}

func (f *fixture) importedPool(id, poolID string) awscognito.IUserPool {
	return awscognito.UserPool_FromUserPoolId(f.stack, jsii.String(id), jsii.String(poolID))
}

func (f *fixture) importedClient(id string) awscognito.IUserPoolClient {
	return awscognito.UserPoolClient_FromUserPoolClientId(f.stack, jsii.String("Client"+id), jsii.String(id))
}

func TestSeveralPoolsBehindOneAuthorizer(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	web := auth.AddClient("Web", nil)
	auth.AcceptPool(f.importedPool("One", "eu-west-1_One"), f.importedClient("a"))
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	auth.AcceptPool(auth.UserPool(), web, f.importedClient("before")) // its own pool, listed once
	auth.AcceptPool(f.importedPool("Again", "eu-west-1_One"), f.importedClient("b"))
	text := acceptedPools(t, f.template())
	var got []struct {
		UserPoolID string   `json:"userPoolId"`
		ClientIDs  []string `json:"clientIds"`
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(got) != 2 || !strings.HasPrefix(got[0].UserPoolID, "<AuthUserPool") || len(got[0].ClientIDs) != 2 || got[0].ClientIDs[1] != "before" ||
		got[1].UserPoolID != "eu-west-1_One" || !slices.Equal(got[1].ClientIDs, []string{"a", "b"}) {
		t.Errorf("got %s", text)
	}
}

// What the authorizer function is told must be what the verifier takes: no pool without clients, none twice.
func TestAPoolWithoutClientsIsNotAccepted(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	auth.AcceptPool(f.importedPool("One", "eu-west-1_One"), f.importedClient("a"))
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	f.template().has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{"Variables": map[string]any{
		"CLAIMSMITH_USER_POOLS": `[{"userPoolId":"eu-west-1_One","clientIds":["a"]}]`}}})
}

func TestHowFunctionsRunIsSettable(t *testing.T) {
	f := newFixture(t)
	logs := awslogs.NewLogGroup(f.stack, jsii.String("Shared"), nil)
	timeout := 7 * time.Second
	auth, _ := f.imported(func(p *construct.TokenClaimsProps) {
		p.Vpc = awsec2.NewVpc(f.stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false)})
		p.VpcSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS, OnePerAz: jsii.Bool(true)}
		p.LogGroup, p.MemorySize, p.Timeout = logs, 512, &timeout
		p.SecurityGroups = []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(f.stack, jsii.String("Group"), jsii.String("sg-0123456789abcdef0"), nil)}
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	tpl.count("AWS::Logs::LogGroup", 1)
	for id, function := range tpl.resources("AWS::Lambda::Function") {
		p := function["Properties"].(map[string]any)
		want := map[string]any{"Timeout": 7.0, "MemorySize": 512.0, "VpcConfig": "in it"}
		switch {
		case strings.HasPrefix(id, "AuthClaims"):
			want["Timeout"] = 5.0 // as long as Cognito waits
		case strings.HasPrefix(id, "AuthAttach"):
			want["Timeout"], want["VpcConfig"] = 120.0, nil
		}
		if network, ok := p["VpcConfig"].(map[string]any); ok && fmt.Sprint(network["SecurityGroupIds"]) == "[sg-0123456789abcdef0]" {
			p["VpcConfig"] = "in it"
		}
		for name, value := range want {
			if !reflect.DeepEqual(p[name], value) {
				t.Errorf("%s: %s is %v, want %v", id, name, p[name], value)
			}
		}
	}
	for id, p := range tpl.resources("AWS::IAM::Policy") {
		text, _ := json.Marshal(p)
		if want := !strings.HasPrefix(id, "AuthAttach"); strings.Contains(string(text), `"ec2:CreateNetworkInterface","ec2:DeleteNetworkInterface",`) != want {
			t.Errorf("%s: may make network interfaces: %v, want %v", id, !want, want)
		}
	}
}

func TestTheKeyEncryptsVariablesAndLogs(t *testing.T) {
	f := newFixture(t)
	key := awskms.NewKey(f.stack, jsii.String("Key"), nil)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.EncryptionKey = key })
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	arn := map[string]any{"Fn::GetAtt": []any{"Key961B73FD", "Arn"}}
	for id, function := range tpl.resources("AWS::Lambda::Function") {
		if got := function["Properties"].(map[string]any)["KmsKeyArn"]; !reflect.DeepEqual(got, arn) {
			t.Errorf("%s: KmsKeyArn %v", id, got)
		}
	}
	for id, group := range tpl.resources("AWS::Logs::LogGroup") {
		if got := group["Properties"].(map[string]any)["KmsKeyId"]; !reflect.DeepEqual(got, arn) {
			t.Errorf("%s: KmsKeyId %v", id, got)
		}
	}
	properties, _ := tpl.only("AWS::KMS::Key")
	statements := properties["KeyPolicy"].(map[string]any)["Statement"].([]any)
	logs, _ := json.Marshal(statements[len(statements)-1])
	if len(statements) != 2 || !strings.Contains(string(logs), "kms:EncryptionContext:aws:logs:arn") || !strings.Contains(string(logs), `["","logs.",`) &&
		!strings.Contains(string(logs), `"logs.",{"Ref":"AWS::Region"}`) {
		t.Errorf("key policy has %d statements, the last %s", len(statements), logs)
	}
	f.wantNoAnnotations()

	f = newFixture(t)
	imported := awskms.Key_FromKeyArn(f.stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"))
	f.claims(func(p *construct.TokenClaimsProps) { p.EncryptionKey = imported })
	f.wantWarning("/Stack/Auth", "EncryptionKey is imported, so its policy cannot be extended")
}

func TestProvisionedConcurrencyIsReachedThroughTheAlias(t *testing.T) {
	for name, imported := range map[string]bool{"own pool": false, "imported pool": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var auth construct.TokenClaims
			provision := func(p *construct.TokenClaimsProps) { p.ProvisionedConcurrentExecutions = 3 }
			if imported {
				auth, _ = f.imported(provision)
			} else {
				auth = f.claims(provision)
			}
			f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
			auth.AddClient("Web", nil)
			tpl := f.template()
			tpl.count("AWS::Lambda::Alias", 2)
			aliases := map[string]string{}
			for id, alias := range tpl.resources("AWS::Lambda::Alias") {
				p := alias["Properties"].(map[string]any)
				if p["Name"] != "live" || fmt.Sprint(p["ProvisionedConcurrencyConfig"]) != "map[ProvisionedConcurrentExecutions:3]" {
					t.Errorf("%s: %v", id, p)
				}
				aliases[strings.TrimSuffix(id[:len(id)-8], "Alias")] = id
			}
			called := map[string]any{"Ref": aliases["AuthClaimsFunction"]}
			if imported {
				tpl.has("Custom::CognitoPreTokenGeneration", map[string]any{"FunctionArn": called})
			} else {
				tpl.has("AWS::Cognito::UserPool", map[string]any{"LambdaConfig": map[string]any{"PreTokenGenerationConfig": map[string]any{"LambdaArn": called}}})
			}
			tpl.has("AWS::Lambda::Permission", map[string]any{"Principal": "cognito-idp.amazonaws.com", "FunctionName": called})
			tpl.has("AWS::Lambda::Permission", map[string]any{"Principal": "apigateway.amazonaws.com",
				"FunctionName": map[string]any{"Ref": aliases["AuthDocumentsAuthorizer"]}})
			authorizer, _ := tpl.only("AWS::ApiGatewayV2::Authorizer")
			if uri, _ := json.Marshal(authorizer["AuthorizerUri"]); !strings.Contains(string(uri), aliases["AuthDocumentsAuthorizer"]) {
				t.Errorf("the authorizer calls %s, want its alias", uri)
			}
		})
	}
}

func TestTagsBoundariesAndAspectsReachEverything(t *testing.T) {
	f := newFixture(t)
	auth, _ := f.imported(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	awscdk.Tags_Of(auth).Add(jsii.String("team"), jsii.String("identity"), nil)
	awsiam.PermissionsBoundary_Of(auth).Apply(awsiam.ManagedPolicy_FromManagedPolicyName(f.stack, jsii.String("Boundary"), jsii.String("workloads")))
	visitor := &visitor{}
	awscdk.Aspects_Of(auth).Add(visitor, nil)
	tpl := f.template()
	for _, kind := range []string{"AWS::Lambda::Function", "AWS::IAM::Role", "AWS::Logs::LogGroup"} {
		if len(tpl.resources(kind)) != 3 { // claims, authorizer, attach
			t.Errorf("%d of %s, want 3", len(tpl.resources(kind)), kind)
		}
		for id, r := range tpl.resources(kind) {
			p := r["Properties"].(map[string]any)
			if !strings.Contains(fmt.Sprint(p["Tags"]), "identity") {
				t.Errorf("%s: tags %v", id, p["Tags"])
			}
			if kind == "AWS::IAM::Role" && p["PermissionsBoundary"] == nil {
				t.Errorf("%s: no permissions boundary", id)
			}
		}
	}
	if !slices.Contains(visitor.seen, "Stack/Auth/ClaimsFunction") || !slices.Contains(visitor.seen, "Stack/Auth/Trigger") {
		t.Errorf("the aspect saw %q", visitor.seen)
	}
}

type visitor struct{ seen []string }

func (v *visitor) Visit(node constructs.IConstruct) { v.seen = append(v.seen, *node.Node().Path()) }

func TestGrants(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	reader, manager := f.function("Reader"), f.function("Manager")
	auth.GrantReadUsers(reader)
	auth.GrantManageUsers(manager)
	tpl := f.template()
	for id, p := range tpl.resources("AWS::IAM::Policy") {
		text, _ := json.Marshal(p)
		mayRead, mayWrite := strings.Contains(string(text), "cognito-idp:AdminGetUser"), strings.Contains(string(text), "cognito-idp:AdminAddUserToGroup")
		switch {
		case strings.HasPrefix(id, "Reader") && (!mayRead || mayWrite), strings.HasPrefix(id, "Manager") && (!mayRead || !mayWrite):
			t.Errorf("%s: %s", id, text)
		case mayRead && !strings.Contains(string(text), `"Resource":{"Fn::GetAtt":["AuthUserPool8115E87F","Arn"]}`):
			t.Errorf("%s is not about the pool alone: %s", id, text)
		}
	}
	text := panicText(func() { auth.GrantReadUsers(auth.ClaimsFunction()) })
	if !strings.HasPrefix(text, "construct: GrantReadUsers: the claims function cannot be granted anything on its own pool this way") {
		t.Errorf("got %q", text)
	}

	// The remedy that the text names works.
	f = newFixture(t)
	auth = f.claims(nil)
	awsiam.NewPolicy(f.stack, jsii.String("Own"), &awsiam.PolicyProps{
		Roles: &[]awsiam.IRole{auth.ClaimsFunction().Role()},
		Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("cognito-idp:AdminGetUser"), Resources: &[]*string{auth.UserPool().UserPoolArn()},
		})},
	})
	f.template()

	// An imported pool refers to nothing.
	f = newFixture(t)
	auth, _ = f.imported(nil)
	auth.GrantReadUsers(auth.ClaimsFunction())
	f.template()
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(nil)
	claims, authorizer := auth.ClaimsFunction(), auth.AuthorizerFunction("Documents")
	for _, c := range []struct {
		metric interface {
			MetricName() *string
			Dimensions() *map[string]any
			Statistic() *string
		}
		name      string
		function  *string
		statistic string
	}{
		{auth.MetricClaimsErrors(nil), "Errors", claims.FunctionName(), "Sum"},
		{auth.MetricClaimsThrottles(nil), "Throttles", claims.FunctionName(), "Sum"},
		{auth.MetricClaimsDuration(nil), "Duration", claims.FunctionName(), "Average"},
		{auth.MetricAuthorizerErrors("Documents", nil), "Errors", authorizer.FunctionName(), "Sum"},
		{auth.MetricAuthorizerThrottles("Documents", nil), "Throttles", authorizer.FunctionName(), "Sum"},
		{auth.MetricAuthorizerDuration("Documents", nil), "Duration", authorizer.FunctionName(), "Average"},
	} {
		if *c.metric.MetricName() != c.name || (*c.metric.Dimensions())["FunctionName"] != *c.function || *c.metric.Statistic() != c.statistic {
			t.Errorf("got %s of %v, want %s of %s", *c.metric.MetricName(), *c.metric.Dimensions(), c.name, *c.function)
		}
	}
}

// function is a Lambda function of the app.
func (f *fixture) function(id string) awslambda.Function {
	return awslambda.NewFunction(f.stack, jsii.String(id), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"), Code: construct.GoCode(f.stack, "./x", nil),
	})
}
