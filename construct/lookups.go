package construct

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// claimsMain is the folder under lambda/ with the claims function's main package: the one that links the AWS SDK only for
// a policy that looks rows up.
func (l loadedPolicy) claimsMain() string {
	if len(l.tables()) > 0 {
		return "claimslookup"
	}
	return "claims"
}

// tables are the tables that the policy's lookups read.
func (l loadedPolicy) tables() []program.Table {
	if l.program == nil {
		return nil
	}
	return l.program.Tables()
}

// connectTables tells the claims function which tables its lookups read, and lets it read those: rows by key if that is
// what the policy does, queries of exactly the indexes that it names, and nothing else. CDK's own grants would allow
// scans, and queries of every index.
func (t *tokenClaims) connectTables() {
	names := map[string]string{}
	for _, used := range t.policy.tables() {
		table := t.props.LookupTables[used.Name]
		if table == nil {
			continue // synth says so
		}
		names[used.Name] = t.tableName(table)
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
			key.Grant(t.claimsFunction, jsii.String("kms:Decrypt"), jsii.String("kms:DescribeKey"))
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
	t.claimsFunction.AddEnvironment(jsii.String("CLAIMSMITH_LOOKUP_BUDGET"), jsii.String(t.props.LookupBudget.String()), nil)
}

// tableName is how the function calls a table: by its name, or by its ARN when it may be another account's.
func (t *tokenClaims) tableName(table awsdynamodb.ITable) string {
	if _, account := location(table); account != "" && account != *awscdk.Stack_Of(t.claimsFunction).Account() {
		return *table.TableArn()
	}
	return *table.TableName()
}

// location is the Region and the account of a table, each empty when only the deployment knows it. CDK does not look into
// the ARN of an imported table.
func location(table awsdynamodb.ITable) (region, account string) {
	region, account = *table.Env().Region, *table.Env().Account
	if !*awscdk.Token_IsUnresolved(table.TableArn()) {
		parts := strings.SplitN(*table.TableArn(), ":", 6)
		region, account = parts[3], parts[4]
	}
	for _, name := range []*string{&region, &account} {
		if *awscdk.Token_IsUnresolved(*name) {
			*name = ""
		}
	}
	return region, account
}

// tableFindings compares the tables that the policy reads with those that it is given, and the time that this may take
// with what there is.
func (t *tokenClaims) tableFindings() []string {
	if t.policy.program == nil || t.props.MintedElsewhere {
		return nil
	}
	var findings, read []string
	for _, used := range t.policy.tables() {
		read = append(read, used.Name)
		table := t.props.LookupTables[used.Name]
		if table == nil {
			findings = append(findings, t.policy.program.Problem("lookups", fmt.Sprintf(
				"table %q is not given%s: set it in props.LookupTables", used.Name,
				policy.DidYouMean(used.Name, slices.Sorted(maps.Keys(t.props.LookupTables))))).String())
			continue
		}
		here := *awscdk.Stack_Of(t.claimsFunction).Region()
		if region, _ := location(table); region != "" && region != here && !*awscdk.Token_IsUnresolved(here) {
			findings = append(findings, fmt.Sprintf("props.LookupTables[%q] is in Region %s, but the claims function asks DynamoDB in its own, %s: "+
				"give a table there, such as a replica", used.Name, region, here))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.props.LookupTables)) {
		if !slices.Contains(read, name) {
			findings = append(findings, fmt.Sprintf("props.LookupTables has %q, which no lookup of %s reads%s",
				name, t.policy.name, policy.DidYouMean(name, read)))
		}
	}
	if limit := t.props.Timeout; len(read) > 0 && limit != nil && *limit <= t.props.LookupBudget {
		findings = append(findings, fmt.Sprintf("props.LookupBudget is %v, but the function is ended after %v (props.Timeout): "+
			"lookups that take too long need time left to be answered for", t.props.LookupBudget, *limit))
	}
	return findings
}

// codeFindings are the claims that nothing sets.
func (t *tokenClaims) codeFindings() []string {
	if t.policy.program == nil || t.props.MintedElsewhere || t.props.ClaimsProgram != nil {
		return nil
	}
	var findings []string
	for _, name := range t.policy.program.CodeClaims() {
		findings = append(findings, t.policy.program.Problem("claims."+name, "is set by code, but the claims function is "+
			"Claimsmith's own, which has none: set props.ClaimsProgram to a program that calls pretoken.Start with a hook").String())
	}
	return findings
}
