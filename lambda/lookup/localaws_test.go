package lookup

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// The other tests know what is sent; this one asks something that answers as DynamoDB does. make lifecycle starts it.
func TestALocalDynamoDB(t *testing.T) {
	t.Parallel()
	if !strings.HasPrefix(os.Getenv("AWS_ENDPOINT_URL"), "http://127.0.0.1:") {
		t.Skip("NOT TESTED: DynamoDB. make lifecycle starts a local AWS for it")
	}
	const table = "claimsmith-lookup"
	f, err := FromEnvironment(func(name string) string {
		if name == "CLAIMSMITH_LOOKUP_TABLES" {
			return `{"subscriptions": "` + table + `", "arn": "arn:aws:dynamodb:us-east-1:000000000000:table/` + table + `", "none": "claimsmith-no-such-table"}`
		}
		if name == "CLAIMSMITH_LOOKUP_BUDGET" {
			return "30s"
		}
		return os.Getenv(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	key := func(names ...string) (keys []types.KeySchemaElement) {
		for i, name := range names {
			keys = append(keys, types.KeySchemaElement{AttributeName: &name, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]})
		}
		return keys
	}
	if _, err := f.client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk"), text("tenant")},
		KeySchema:            key("pk", "sk"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("by-tenant"), KeySchema: key("tenant", "sk"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = f.client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: aws.String(table)})
	})
	if err := dynamodb.NewTableExistsWaiter(f.client).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table)}, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, sk := range []string{"c", "a", "b"} {
		if _, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "ann"}, "sk": &types.AttributeValueMemberS{Value: sk}, "tenant": &types.AttributeValueMemberS{Value: "acme"},
			"plan": &types.AttributeValueMemberS{Value: "pro"}, "seats": &types.AttributeValueMemberN{Value: "9007199254740993"},
			"tags": &types.AttributeValueMemberSS{Value: []string{"y", "x"}}, "secret": &types.AttributeValueMemberS{Value: "not asked for"},
		}}); err != nil {
			t.Fatal(err)
		}
	}

	got := f.Fetch(t.Context(), []program.LookupRequest{
		{Name: "row", Table: "subscriptions", Key: map[string]any{"pk": "ann", "sk": "a"}, Attributes: []string{"pk", "plan", "seats", "sk", "tags"}, Consistent: true},
		{Name: "arn", Table: "arn", Key: map[string]any{"pk": "ann", "sk": "a"}, Attributes: []string{"sk"}},
		{Name: "missing", Table: "subscriptions", Key: map[string]any{"pk": "bob", "sk": "a"}, Attributes: []string{"pk", "plan"}},
		{Name: "query", Table: "subscriptions", Key: map[string]any{"pk": "ann"}, Limit: 2, Attributes: []string{"sk"}},
		{Name: "index", Table: "subscriptions", Index: "by-tenant", Key: map[string]any{"tenant": "acme", "sk": "b"}, Limit: 5, Attributes: []string{"plan", "sk"}},
		{Name: "nobody", Table: "subscriptions", Index: "by-tenant", Key: map[string]any{"tenant": "globex"}, Limit: 5, Attributes: []string{"sk"}},
		{Name: "table", Table: "none", Key: map[string]any{"pk": "ann"}, Attributes: []string{"pk"}},
		{Name: "key", Table: "subscriptions", Key: map[string]any{"pk": "ann"}, Attributes: []string{"pk"}},
	})
	equal(t, "found", got, map[string]program.Found{
		"row":     {Rows: []map[string]any{{"pk": "ann", "sk": "a", "plan": "pro", "seats": json.Number("9007199254740993"), "tags": []any{"x", "y"}}}},
		"arn":     {Rows: []map[string]any{{"sk": "a"}}},
		"missing": {Rows: []map[string]any{}},
		"query":   {Rows: []map[string]any{{"sk": "a"}, {"sk": "b"}}},
		"index":   {Rows: []map[string]any{{"plan": "pro", "sk": "b"}}},
		"nobody":  {Rows: []map[string]any{}},
		"table":   {Problem: "DynamoDB answers ResourceNotFoundException"},
		"key":     {Problem: "DynamoDB answers ValidationException"},
	})
}
