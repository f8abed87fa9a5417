package construct

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// claimsMain is the folder under lambda/ with the claim function's main package: the one that links the AWS SDK only for
// a policy that looks rows up.
func (l loadedPolicy) claimsMain() string {
	if len(l.tables()) > 0 {
		return "claimslookup"
	}
	return "claims"
}

// tables are the tables that the policy's lookups read.
func (l loadedPolicy) tables() []policy.Table {
	if l.program == nil {
		return nil
	}
	return l.program.Tables()
}

// connectTables tells the claim function which tables its lookups read, and lets it read those: rows by key if that is
// what the policy does, queries of exactly the indexes that it names, and nothing else. CDK's own grants would allow
// scans, and queries of every index.
func (t *tokenClaims) connectTables() {
	names := map[string]string{}
	for _, used := range t.policy.tables() {
		table := t.props.LookupTables[used.Name]
		if table == nil {
			continue // synth says so
		}
		names[used.Name] = *table.TableName()
		allow := func(action, resource string) {
			t.claimsFunction.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings(action),
				Resources: jsii.Strings(resource),
			}))
		}
		if used.Get {
			allow("dynamodb:GetItem", *table.TableArn())
		}
		if used.Query {
			allow("dynamodb:Query", *table.TableArn())
		}
		for _, index := range used.Indexes {
			allow("dynamodb:Query", *table.TableArn()+"/index/"+index)
		}
		if key := table.EncryptionKey(); key != nil {
			key.GrantDecrypt(t.claimsFunction)
		}
	}
	if len(names) == 0 {
		return
	}
	value, err := json.Marshal(names) // CDK tokens survive JSON encoding
	if err != nil {
		panic(fmt.Errorf("construct: internal error: %w", err))
	}
	t.claimsFunction.AddEnvironment(jsii.String("CLAIMSMITH_LOOKUP_TABLES"), jsii.String(string(value)), nil)
	if t.props.LookupBudget != 0 {
		t.claimsFunction.AddEnvironment(jsii.String("CLAIMSMITH_LOOKUP_BUDGET"), jsii.String(t.props.LookupBudget.String()), nil)
	}
}

// tableFindings compares the tables that the policy reads with those that it is given.
func (t *tokenClaims) tableFindings() []string {
	if t.policy.program == nil {
		return nil
	}
	var findings, read []string
	for _, used := range t.policy.tables() {
		read = append(read, used.Name)
		if t.props.LookupTables[used.Name] == nil {
			findings = append(findings, t.policy.program.Problem("lookups", fmt.Sprintf(
				"table %q is not given%s: set it in props.LookupTables", used.Name,
				policy.DidYouMean(used.Name, slices.Sorted(maps.Keys(t.props.LookupTables))))).String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.props.LookupTables)) {
		if !slices.Contains(read, name) {
			findings = append(findings, fmt.Sprintf("props.LookupTables has %q, which no lookup of %s reads%s",
				name, t.policy.name, policy.DidYouMean(name, read)))
		}
	}
	return findings
}
