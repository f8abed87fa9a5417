// Package lookup fetches the rows that a policy's lookups name from DynamoDB.
//
// It is a package of its own because it links the AWS SDK, which a claim function without lookups does not need.
package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// DefaultBudget is the time that all lookups of a sign-in together may take by default. Cognito gives the function five
// seconds, a cold start included.
const DefaultBudget = 1500 * time.Millisecond

const (
	// attempts of one request, each of which gets that part of the budget, so that one connection that hangs does not
	// use it up.
	attempts = 3

	// maxPause is the longest pause before another attempt. The SDK's own, up to seconds, is longer than the budget.
	maxPause = 100 * time.Millisecond
)

// Fetcher fetches rows. It is safe for concurrent use.
type Fetcher struct {
	client *dynamodb.Client
	tables map[string]string // names or ARNs, by what the policy calls them
	budget time.Duration
	cache  cache
}

// DynamoDB makes a claim function fetch the rows that its policy's lookups name. The construct's own function has it for a
// policy with lookups; a function of one's own starts with it:
//
//	pretoken.Start(lookup.DynamoDB(), pretoken.Hook(hook))
func DynamoDB() pretoken.Option {
	return pretoken.WithLookups(func() (pretoken.LookupFunc, error) {
		f, err := FromEnvironment(os.Getenv)
		if err != nil {
			return nil, err
		}
		return f.Fetch, nil
	})
}

// FromEnvironment makes a Fetcher from the environment that the construct and Lambda set:
//
//   - CLAIMSMITH_LOOKUP_TABLES: the tables' names or ARNs, by what the policy calls them, as a JSON object
//   - CLAIMSMITH_LOOKUP_BUDGET: the time that all lookups of a sign-in together may take, such as 1.5s.
//     Default: [DefaultBudget]
//   - AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   - AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL: another endpoint than AWS's, if set
//
// The SDK's own way to configuration knows profiles, SSO and instance metadata besides, which a Lambda function has no
// use for and pays for at each cold start.
func FromEnvironment(getenv func(string) string) (*Fetcher, error) {
	f := &Fetcher{budget: DefaultBudget, cache: cache{now: time.Now}}
	if err := json.Unmarshal([]byte(getenv("CLAIMSMITH_LOOKUP_TABLES")), &f.tables); err != nil {
		return nil, errors.New(`CLAIMSMITH_LOOKUP_TABLES is no JSON object of table names, such as {"subscriptions": "prod-subscriptions"}`)
	}
	if text := getenv("CLAIMSMITH_LOOKUP_BUDGET"); text != "" {
		budget, err := time.ParseDuration(text)
		if err != nil || budget <= 0 {
			return nil, fmt.Errorf("CLAIMSMITH_LOOKUP_BUDGET is %q; allowed is a duration above 0, such as 1.5s", text)
		}
		f.budget = budget
	}
	region := getenv("AWS_REGION")
	if region == "" {
		return nil, errors.New("AWS_REGION is not set; Lambda sets it")
	}
	options := dynamodb.Options{
		Region: region,
		// Tables may be called by ARNs, and the endpoint is the Region's all the same.
		AccountIDEndpointMode: aws.AccountIDEndpointModeDisabled,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
		HTTPClient: awshttp.NewBuildableClient().WithTimeout(f.budget / attempts),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return rand.N(maxPause), nil })
		}),
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"} {
		if url := getenv(name); url != "" {
			options.BaseEndpoint = &url
		}
	}
	f.client = dynamodb.New(options)
	return f, nil
}

// Fetch answers the requests, all at once, within the budget. It returns something for each of them.
func (f *Fetcher) Fetch(ctx context.Context, requests []program.LookupRequest) map[string]program.Found {
	ctx, cancel := context.WithTimeout(ctx, f.budget)
	defer cancel()
	found := make([]program.Found, len(requests))
	var wait sync.WaitGroup
	for i, request := range requests {
		wait.Go(func() { found[i] = f.fetch(ctx, request) })
	}
	wait.Wait()
	out := make(map[string]program.Found, len(requests))
	for i, request := range requests {
		out[request.Name] = found[i]
	}
	return out
}

func (f *Fetcher) fetch(ctx context.Context, request program.LookupRequest) program.Found {
	table := f.tables[request.Table]
	if table == "" {
		return program.Found{Problem: fmt.Sprintf("the function was not told which table %q is", request.Table)}
	}
	key := cacheKey(request)
	if rows, ok := f.cache.get(key, request.Cache); ok {
		return program.Found{Rows: rows}
	}
	items, err := f.read(ctx, table, request)
	if err != nil {
		return program.Found{Problem: f.cause(ctx, err)}
	}
	rows := make([]map[string]any, len(items))
	for i, item := range items {
		rows[i] = plainMap(item)
	}
	f.cache.put(key, request.Cache, rows)
	return program.Found{Rows: rows}
}

// read gets the one row with the request's key, or queries for several.
func (f *Fetcher) read(ctx context.Context, table string, request program.LookupRequest) ([]map[string]types.AttributeValue, error) {
	key := make(map[string]types.AttributeValue, len(request.Key))
	for name, v := range request.Key {
		switch v := v.(type) {
		case json.Number:
			key[name] = &types.AttributeValueMemberN{Value: v.String()}
		case string:
			key[name] = &types.AttributeValueMemberS{Value: v}
		default:
			return nil, fmt.Errorf("internal error: a key of type %T", v)
		}
	}
	// Names go by way of placeholders, since many words are reserved in expressions.
	names := map[string]string{}
	placeholder := func(name string) string {
		p := "#n" + strconv.Itoa(len(names))
		names[p] = name
		return p
	}
	var attributes []string
	for _, name := range request.Attributes {
		attributes = append(attributes, placeholder(name))
	}
	projection := aws.String(strings.Join(attributes, ", "))
	if request.Limit == 0 {
		out, err := f.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &table, Key: key, ConsistentRead: &request.Consistent,
			ProjectionExpression: projection, ExpressionAttributeNames: names,
		})
		if err != nil || len(out.Item) == 0 {
			return nil, err
		}
		return []map[string]types.AttributeValue{out.Item}, nil
	}

	values := map[string]types.AttributeValue{}
	var conditions []string
	for name, v := range key {
		p := ":v" + strconv.Itoa(len(values))
		values[p] = v
		conditions = append(conditions, placeholder(name)+" = "+p)
	}
	query := &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: &request.Consistent, KeyConditionExpression: aws.String(strings.Join(conditions, " AND ")),
		ProjectionExpression: projection, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
	if request.Index != "" {
		query.IndexName = &request.Index
	}
	var items []map[string]types.AttributeValue
	for {
		query.Limit = aws.Int32(int32(request.Limit - len(items)))
		out, err := f.client.Query(ctx, query)
		if err != nil {
			return nil, err
		}
		items = append(items, out.Items...)
		// A page ends early when it has a megabyte.
		if len(items) >= request.Limit || len(out.LastEvaluatedKey) == 0 {
			return items, nil
		}
		query.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// cause says what went wrong, in words that hold no data: what AWS says about a request may quote the key.
func (f *Fetcher) cause(ctx context.Context, err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return "DynamoDB answers " + e.ErrorCode()
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer from DynamoDB within %v", f.budget)
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return "DynamoDB's answer cannot be read"
	}
	return "DynamoDB cannot be reached"
}
