package construct_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
  plan: {expr: lookup.tier.plan}
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
	}
	if got := tpl.grants(); !reflect.DeepEqual(got, want) {
		t.Errorf("grants\n got %q\nwant %q", got, want)
	}

	function, _ := tpl.only("AWS::Lambda::Function")
	variables := function["Environment"].(map[string]any)["Variables"].(map[string]any)
	tables, _ := json.Marshal(variables["CLAIMSMITH_LOOKUP_TABLES"])
	if want := `{"Fn::Join":["",["{\"history\":\"history\",\"subscriptions\":\"",{"Ref":"` + tableID + `"},"\"}"]]}`; string(tables) != want {
		t.Errorf("tables\n got %s\nwant %s", tables, want)
	}
	if got := variables["CLAIMSMITH_LOOKUP_BUDGET"]; got != "2s" {
		t.Errorf("budget %v", got)
	}
}

func TestTablesOfEitherKindAndOfOtherKeys(t *testing.T) {
	f := newFixture(t)
	second := awsdynamodb.NewTableV2(f.stack, jsii.String("History"), &awsdynamodb.TablePropsV2{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
	})
	f.withTables(tierPolicy, map[string]awsdynamodb.ITable{"subscriptions": f.table("Subscriptions", nil), "history": second})
	if got := f.template().grants(); len(got) != 3 {
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
