package construct_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

const tierPolicy = `
lookups:
  tier:  {table: subscriptions, key: {pk: user.name}, type: {plan: string}, onMissing: {default: {plan: free}}}
  seats: {table: subscriptions, index: by-tenant, key: {tenant: user.name}, limit: 5, type: {product: string}, onMissing: omit}
  rows:  {table: history, key: {pk: user.name}, limit: 5, type: {product: string}, onMissing: omit}
claims:
  plan: {expr: "lookup.tier.?plan.orValue('free')"}
authorizers:
  Documents: {default: [{rule: "claims.plan == 'pro'"}]}
`

func (f *fixture) table(id string, key awskms.IKey) awsdynamodb.ITable {
	return awsdynamodb.NewTable(f.stack, jsii.String(id), &awsdynamodb.TableProps{
		PartitionKey:  &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
		EncryptionKey: key,
	})
}

func (f *fixture) withTables(yaml string, tables map[string]awsdynamodb.ITable) construct.TokenClaims {
	return f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(f.t, yaml))
		p.LookupTables = tables
		p.LookupBudget = 2 * time.Second
	})
}

// grants are what roles may do, "action resource" each, but for the logs and traces of every function.
func (tpl template) grants() []string {
	tpl.t.Helper()
	list := func(v any) []any {
		if l, ok := v.([]any); ok {
			return l
		}
		return []any{v}
	}
	var out []string
	for _, policy := range tpl.resources("AWS::IAM::Policy") {
		document := policy["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)
		for _, statement := range document["Statement"].([]any) {
			statement := statement.(map[string]any)
			if statement["Effect"] != "Allow" {
				tpl.t.Errorf("statement %v", statement)
			}
			for _, action := range list(statement["Action"]) {
				for _, resource := range list(statement["Resource"]) {
					text, err := json.Marshal(resource)
					if err != nil {
						tpl.t.Fatal(err)
					}
					if action := action.(string); !strings.HasPrefix(action, "logs:") && !strings.HasPrefix(action, "xray:") {
						out = append(out, action+" "+string(text))
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestTheClaimFunctionMayReadExactlyWhatThePolicyLooksUp(t *testing.T) {
	f := newFixture(t)
	key := awskms.NewKey(f.stack, jsii.String("Key"), nil)
	imported := awsdynamodb.Table_FromTableAttributes(f.stack, jsii.String("History"), &awsdynamodb.TableAttributes{
		TableArn: jsii.String("arn:aws:dynamodb:eu-west-1:111122223333:table/history"), GrantIndexPermissions: jsii.Bool(true),
	})
	f.withTables(tierPolicy, map[string]awsdynamodb.ITable{"subscriptions": f.table("Subscriptions", key), "history": imported})
	tpl := f.template()

	var tableID, keyID string
	for id := range tpl.resources("AWS::DynamoDB::Table") {
		tableID = id
	}
	for id := range tpl.resources("AWS::KMS::Key") {
		keyID = id
	}
	want := []string{
		`dynamodb:GetItem {"Fn::GetAtt":["` + tableID + `","Arn"]}`,
		`dynamodb:Query "arn:aws:dynamodb:eu-west-1:111122223333:table/history"`,
		`dynamodb:Query {"Fn::Join":["",[{"Fn::GetAtt":["` + tableID + `","Arn"]},"/index/by-tenant"]]}`,
		`kms:Decrypt {"Fn::GetAtt":["` + keyID + `","Arn"]}`,
		`kms:DescribeKey {"Fn::GetAtt":["` + keyID + `","Arn"]}`,
	}
	if got := tpl.grants(); !reflect.DeepEqual(got, want) {
		t.Errorf("grants\n got %q\nwant %q", got, want)
	}

	function, _ := tpl.only("AWS::Lambda::Function")
	variables := function["Environment"].(map[string]any)["Variables"].(map[string]any)
	tables, _ := json.Marshal(variables["CLAIMSMITH_LOOKUP_TABLES"])
	if want := `{"Fn::Join":["",["{\"history\":\"arn:aws:dynamodb:eu-west-1:111122223333:table/history\",\"subscriptions\":\"",{"Ref":"` + tableID + `"},"\"}"]]}`; string(tables) != want {
		t.Errorf("tables\n got %s\nwant %s", tables, want)
	}
	if got := variables["CLAIMSMITH_LOOKUP_BUDGET"]; got != "2s" {
		t.Errorf("budget %v", got)
	}
}

// importedTable is a table of another account, encrypted with a key of that account.
func (f *fixture) importedTable(id string) awsdynamodb.ITable {
	return awsdynamodb.Table_FromTableAttributes(f.stack, jsii.String(id), &awsdynamodb.TableAttributes{
		TableArn:      jsii.String("arn:aws:dynamodb:us-east-1:999922223333:table/subscriptions"),
		EncryptionKey: awskms.Key_FromKeyArn(f.stack, jsii.String(id+"Key"), jsii.String("arn:aws:kms:us-east-1:999922223333:key/k")),
	})
}

const tierOnly = `
lookups: {tier: {table: subscriptions, key: {pk: user.name}, type: {plan: string}}}
claims: {plan: {expr: lookup.tier.?plan}}
`

// tableCase is where a table comes from, what the claims function may do with it, and what it calls it.
type tableCase struct {
	table  func(*fixture) awsdynamodb.ITable
	grants []string // parts of them, in order
	name   string   // a part of it
}

func (c tableCase) run(t *testing.T) {
	f := newFixture(t).onlyStack("Stack", inRegion("us-east-1"))
	f.withTables(tierOnly, map[string]awsdynamodb.ITable{"subscriptions": c.table(f)})
	for path, tpl := range templates(t, f.app) {
		if path != "Stack" {
			continue
		}
		grants := tpl.grants()
		if !slices.EqualFunc(grants, c.grants, strings.Contains) {
			t.Errorf("grants %q, want %q", grants, c.grants)
		}
		function, _ := tpl.only("AWS::Lambda::Function")
		tables, _ := json.Marshal(function["Environment"].(map[string]any)["Variables"].(map[string]any)["CLAIMSMITH_LOOKUP_TABLES"])
		if !strings.Contains(string(tables), c.name) {
			t.Errorf("tables %s, want %s", tables, c.name)
		}
	}
}

func TestTablesFromAnywhere(t *testing.T) {
	key := func(f *fixture) awskms.IKey { return awskms.NewKey(f.stack, jsii.String("Key"), nil) }
	for name, c := range map[string]tableCase{
		"created":           {func(f *fixture) awsdynamodb.ITable { return f.table("Subscriptions", nil) }, []string{"dynamodb:GetItem"}, `{"Ref":"Subscriptions`},
		"created, with key": {func(f *fixture) awsdynamodb.ITable { return f.table("Subscriptions", key(f)) }, []string{"dynamodb:GetItem", "kms:Decrypt", "kms:DescribeKey"}, `{"Ref":"Subscriptions`},
		"created, of the second kind, with key": {func(f *fixture) awsdynamodb.ITable {
			return awsdynamodb.NewTableV2(f.stack, jsii.String("Subscriptions"), &awsdynamodb.TablePropsV2{
				PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
				Encryption:   awsdynamodb.TableEncryptionV2_CustomerManagedKey(key(f), nil),
			})
		}, []string{"dynamodb:GetItem", "kms:Decrypt", "kms:DescribeKey"}, `{"Ref":"Subscriptions`},
		"of another stack": {func(f *fixture) awsdynamodb.ITable {
			return f.newStack("Data", inRegion("us-east-1")).table("Subscriptions", nil)
		}, []string{`dynamodb:GetItem {"Fn::GetStackOutput"`}, "Fn::GetStackOutput"},
		"imported by name": {func(f *fixture) awsdynamodb.ITable {
			return awsdynamodb.Table_FromTableName(f.stack, jsii.String("Subscriptions"), jsii.String("subscriptions"))
		}, []string{":table/subscriptions"}, `"{\"subscriptions\":\"subscriptions\"}"`},
		"imported by ARN": {func(f *fixture) awsdynamodb.ITable {
			return awsdynamodb.TableV2_FromTableArn(f.stack, jsii.String("Subscriptions"), jsii.String("arn:aws:dynamodb:us-east-1:111122223333:table/subscriptions"))
		}, []string{":table/subscriptions"}, `"{\"subscriptions\":\"subscriptions\"}"`},
		"of another account": {func(f *fixture) awsdynamodb.ITable { return f.importedTable("Subscriptions") },
			[]string{":999922223333:table/subscriptions", "kms:Decrypt", "kms:DescribeKey"}, `"{\"subscriptions\":\"arn:aws:dynamodb:us-east-1:999922223333:table/subscriptions\"}"`},
	} {
		t.Run(name, c.run)
	}
}

// The claims function is beside a pool of another stack, and may read tables from there.
func TestTablesForAPoolOfAnotherStack(t *testing.T) {
	f := newFixture(t)
	pool := awscognito.NewUserPool(f.newStack("Identity", nil).stack, jsii.String("Users"), nil)
	f.table("Other", nil) // an empty stack would not synthesize
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, tierOnly))
		p.UserPool, p.UserPoolProps = pool, nil
		p.LookupTables = map[string]awsdynamodb.ITable{"subscriptions": f.newStack("Data", nil).table("Subscriptions", nil)}
	})
	if got := templates(t, f.app)["Identity"].grants(); len(got) != 1 || !strings.HasPrefix(got[0], `dynamodb:GetItem {"Fn::GetStackOutput"`) {
		t.Errorf("grants %q", got)
	}
}

func TestTablesOfPolicyAndPropsMustAgree(t *testing.T) {
	f := newFixture(t)
	f.withTables(tierPolicy, map[string]awsdynamodb.ITable{"subscription": f.table("Subscriptions", nil)})
	f.wantSynthError(
		`lookups: table "history" is not given: set it in props.LookupTables`,
		`lookups: table "subscriptions" is not given (did you mean "subscription"?): set it in props.LookupTables`,
		`props.LookupTables has "subscription", which no lookup of`,
	)
}

func TestTablesThatCannotBeReadFailSynth(t *testing.T) {
	f := newFixture(t).onlyStack("Stack", inRegion("eu-west-1"))
	second := time.Second
	far := awsdynamodb.NewTableV2(f.newStack("Far", inRegion("us-west-2")).stack, jsii.String("Far"), &awsdynamodb.TablePropsV2{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
	})
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, `
lookups:
  tier: {table: subscriptions, key: {pk: user.name}, type: {plan: string}}
  far: {table: far, key: {pk: user.name}, type: {plan: string}}
`))
		p.LookupTables = map[string]awsdynamodb.ITable{"subscriptions": f.importedTable("Subscriptions"), "far": far}
		p.Timeout = &second
	})
	f.wantSynthError(
		`props.LookupTables["far"] is in Region us-west-2, but the claims function asks DynamoDB in its own, eu-west-1: give a table there, such as a replica`,
		`props.LookupTables["subscriptions"] is in Region us-east-1, but the claims function asks DynamoDB in its own, eu-west-1: give a table there, such as a replica`,
		`props.LookupBudget is 1.5s, but the function is ended after 1s (props.Timeout): lookups that take too long need time left to be answered for`,
	)
}

// Whoever mints elsewhere reads the tables there.
func TestAuthorizersAloneNeedNoTables(t *testing.T) {
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, tierPolicy))
		p.MintedElsewhere, p.UserPoolProps = true, nil
	})
	auth.AcceptPool(f.importedPool("Pool", "us-east-1_Pool"), f.importedClient("Web"))
	f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents")
	if got := f.template().grants(); len(got) != 0 {
		t.Errorf("grants %q", got)
	}
}
