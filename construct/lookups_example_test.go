package construct_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// The body is the example of docs/lookups.md, on whose policy TestDocumentedLookups runs it.
func documentedLookups(stack awscdk.Stack) construct.TokenClaims {
	subscriptions := awsdynamodb.NewTableV2(stack, jsii.String("Subscriptions"), &awsdynamodb.TablePropsV2{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
		GlobalSecondaryIndexes: &[]*awsdynamodb.GlobalSecondaryIndexPropsV2{{
			IndexName:    jsii.String("by-tenant"),
			PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("tenant"), Type: awsdynamodb.AttributeType_STRING},
		}},
	})
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:        construct.PolicyFile("claims.yaml"),
		LookupTables:  map[string]awsdynamodb.ITable{"subscriptions": subscriptions},
		LambdaVersion: awscognito.LambdaVersion_V3_0, // machines' tokens get claims too
		UserPoolProps: &awscognito.UserPoolProps{CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"tenant": awscognito.NewStringAttribute(nil), // set by an administrator, not by the user
		}},
	})
	auth.AddClient("Web", nil)
	auth.AddMachineClient("Importer", []string{"documents/import"}, nil)
	auth.UserPool().AddDomain(jsii.String("Domain"), &awscognito.UserPoolDomainOptions{
		CognitoDomain: &awscognito.CognitoDomainOptions{DomainPrefix: jsii.String("documents-example")},
	})
	return auth
}
