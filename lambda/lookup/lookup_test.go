package lookup

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// server speaks DynamoDB's protocol as far as an answer to each call, in turn, goes. The last answer repeats.
type server struct {
	mutex sync.Mutex
	calls []call
}

type call struct {
	Operation string
	Input     map[string]any
}

type answer struct {
	status int // 0: 200
	body   string
	delay  time.Duration
	cut    bool // closes the connection instead
}

func (s *server) start(t *testing.T, answers ...answer) string {
	t.Helper()
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		c := call{Operation: operation}
		if err := json.Unmarshal(body, &c.Input); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=key/") || r.Header.Get("X-Amz-Security-Token") != "session" {
			t.Error("the request is not signed with the function's credentials")
		}
		s.mutex.Lock()
		a := answers[min(len(s.calls), len(answers)-1)]
		s.calls = append(s.calls, c)
		s.mutex.Unlock()
		select {
		case <-time.After(a.delay):
		case <-stop:
		}
		if a.cut {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if a.status != 0 {
			w.WriteHeader(a.status)
		}
		io.WriteString(w, a.body)
	}))
	t.Cleanup(func() { close(stop); srv.Close() })
	return srv.URL
}

func (s *server) seen() []call {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls
}

func fetcher(t *testing.T, url, budget string) *Fetcher {
	t.Helper()
	env := map[string]string{
		"CLAIMSMITH_LOOKUP_TABLES": `{"subscriptions": "prod-subscriptions"}`, "CLAIMSMITH_LOOKUP_BUDGET": budget,
		"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_DYNAMODB": url,
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
	}
	f, err := FromEnvironment(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var tier = program.LookupRequest{Name: "tier", Table: "subscriptions", Key: map[string]any{"pk": "user-1"}, Attributes: []string{"pk", "plan"}}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %#v\nwant %#v", what, got, want)
	}
}

func TestEveryKindOfValue(t *testing.T) {
	t.Parallel()
	url := new(server).start(t, answer{body: `{"Item": {
		"s": {"S": "text"}, "n": {"N": "12345678901234567890123456789012345678"}, "t": {"BOOL": true}, "null": {"NULL": true}, "b": {"B": "AAH/"},
		"ss": {"SS": ["b", "a"]}, "ns": {"NS": ["10", "9", "-1.5"]}, "bs": {"BS": ["/w==", "AA=="]},
		"l": {"L": [{"S": "x"}, {"N": "1"}]}, "m": {"M": {"in": {"N": "0.10"}}}}}`})
	got := fetcher(t, url, "").Fetch(t.Context(), []program.LookupRequest{tier})
	equal(t, "found", got, map[string]program.Found{"tier": {Rows: []map[string]any{{
		"s": "text", "n": json.Number("12345678901234567890123456789012345678"), "t": true, "null": nil, "b": "AAH/",
		"ss": []any{"a", "b"}, "ns": []any{json.Number("-1.5"), json.Number("9"), json.Number("10")}, "bs": []any{"/w==", "AA=="},
		"l": []any{"x", json.Number("1")}, "m": map[string]any{"in": json.Number("0.10")},
	}}}})
}

func TestRequests(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for name, c := range map[string]struct {
		request program.LookupRequest
		answers []answer
		rows    int
		want    []call
	}{
		"one row": {
			program.LookupRequest{Table: "subscriptions", Key: object{"pk": "u", "sk": json.Number("7")}, Attributes: []string{"name", "pk"}, Consistent: true},
			[]answer{{body: `{"Item": {"pk": {"S": "u"}}}`}}, 1,
			[]call{{"GetItem", object{"TableName": "prod-subscriptions", "ConsistentRead": true, "Key": object{"pk": object{"S": "u"}, "sk": object{"N": "7"}},
				"ProjectionExpression": "#n0, #n1", "ExpressionAttributeNames": object{"#n0": "name", "#n1": "pk"}}}},
		},
		"no row": {tier, []answer{{body: `{}`}}, 0, []call{{"GetItem", object{"TableName": "prod-subscriptions", "ConsistentRead": false, "Key": object{"pk": object{"S": "user-1"}},
			"ProjectionExpression": "#n0, #n1", "ExpressionAttributeNames": object{"#n0": "pk", "#n1": "plan"}}}}},
		"a query of an index, in pages": {
			program.LookupRequest{Table: "subscriptions", Index: "by-tenant", Key: object{"tenant": "acme"}, Attributes: []string{"product"}, Limit: 3},
			[]answer{
				{body: `{"Items": [{"product": {"S": "a"}}, {"product": {"S": "b"}}], "LastEvaluatedKey": {"pk": {"S": "x"}}}`},
				{body: `{"Items": [{"product": {"S": "c"}}], "LastEvaluatedKey": {"pk": {"S": "y"}}}`},
			}, 3,
			[]call{
				{"Query", object{"TableName": "prod-subscriptions", "IndexName": "by-tenant", "ConsistentRead": false, "Limit": 3.0,
					"KeyConditionExpression": "#n1 = :v0", "ExpressionAttributeValues": object{":v0": object{"S": "acme"}},
					"ProjectionExpression": "#n0", "ExpressionAttributeNames": object{"#n0": "product", "#n1": "tenant"}}},
				{"Query", object{"TableName": "prod-subscriptions", "IndexName": "by-tenant", "ConsistentRead": false, "Limit": 1.0,
					"KeyConditionExpression": "#n1 = :v0", "ExpressionAttributeValues": object{":v0": object{"S": "acme"}},
					"ProjectionExpression": "#n0", "ExpressionAttributeNames": object{"#n0": "product", "#n1": "tenant"},
					"ExclusiveStartKey": object{"pk": object{"S": "x"}}}},
			},
		},
		"a query of the table": {
			program.LookupRequest{Table: "subscriptions", Key: object{"pk": "u"}, Attributes: []string{"pk"}, Limit: 2, Consistent: true},
			[]answer{{body: `{"Items": []}`}}, 0,
			[]call{{"Query", object{"TableName": "prod-subscriptions", "ConsistentRead": true, "Limit": 2.0,
				"KeyConditionExpression": "#n1 = :v0", "ExpressionAttributeValues": object{":v0": object{"S": "u"}},
				"ProjectionExpression": "#n0", "ExpressionAttributeNames": object{"#n0": "pk", "#n1": "pk"}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s server
			found := fetcher(t, s.start(t, c.answers...), "").Fetch(t.Context(), []program.LookupRequest{c.request})[c.request.Name]
			if found.Problem != "" || len(found.Rows) != c.rows {
				t.Errorf("found %+v, want %d rows", found, c.rows)
			}
			equal(t, "calls", s.seen(), c.want)
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	fault := func(status int, code string) answer {
		return answer{status: status, body: `{"__type": "com.amazonaws.dynamodb.v20120810#` + code + `", "message": "secret user-1"}`}
	}
	row := answer{body: `{"Item": {"plan": {"S": "pro"}}}`}
	found := program.Found{Rows: []map[string]any{{"plan": "pro"}}}
	for name, c := range map[string]struct {
		answers []answer
		want    program.Found
		calls   int // 0: any number
	}{
		"throttled once":              {[]answer{fault(400, "ProvisionedThroughputExceededException"), row}, found, 2},
		"throttled for long":          {[]answer{fault(400, "ThrottlingException")}, program.Found{Problem: "DynamoDB answers ThrottlingException"}, 3},
		"an internal error, twice":    {[]answer{fault(500, "InternalServerError"), fault(500, "InternalServerError"), row}, found, 3},
		"no permission":               {[]answer{fault(400, "AccessDeniedException")}, program.Found{Problem: "DynamoDB answers AccessDeniedException"}, 1},
		"the key may not be used":     {[]answer{fault(400, "KMSAccessDeniedException")}, program.Found{Problem: "DynamoDB answers KMSAccessDeniedException"}, 1},
		"no such table":               {[]answer{fault(400, "ResourceNotFoundException")}, program.Found{Problem: "DynamoDB answers ResourceNotFoundException"}, 1},
		"another key schema":          {[]answer{fault(400, "ValidationException")}, program.Found{Problem: "DynamoDB answers ValidationException"}, 1},
		"a cut connection":            {[]answer{{cut: true}, row}, found, 2},
		"only cut connections":        {[]answer{{cut: true}}, program.Found{Problem: "DynamoDB cannot be reached"}, 0},
		"a connection that hangs":     {[]answer{{delay: time.Minute}, row}, found, 2},
		"only connections that hang":  {[]answer{{delay: time.Minute}}, program.Found{Problem: "no answer from DynamoDB within 300ms"}, 0},
		"an answer that is no JSON":   {[]answer{{body: "<html>"}}, program.Found{Problem: "DynamoDB's answer cannot be read"}, 0},
		"an error without a document": {[]answer{{status: 403, body: ""}}, program.Found{Problem: "DynamoDB answers UnknownError"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s server
			budget := "1m" // so long that a slow machine makes no difference
			switch name {
			case "a connection that hangs":
				budget = "6s"
			case "only connections that hang":
				budget = "300ms"
			}
			f := fetcher(t, s.start(t, c.answers...), budget)
			got := f.Fetch(t.Context(), []program.LookupRequest{tier})["tier"]
			equal(t, "found", got, c.want)
			if calls := len(s.seen()); c.calls != 0 && calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
		})
	}
}

func TestLookupsRunAtTheSameTimeWithinOneBudget(t *testing.T) {
	t.Parallel()
	var s server
	f := fetcher(t, s.start(t, answer{delay: time.Minute}), "300ms")
	var requests []program.LookupRequest
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"} {
		requests = append(requests, program.LookupRequest{Name: name, Table: "subscriptions", Key: map[string]any{"pk": name}, Attributes: []string{"pk"}})
	}
	start := time.Now()
	got := f.Fetch(t.Context(), requests)
	if took := time.Since(start); took > 5*time.Second { // 6 s if they took turns
		t.Errorf("took %v", took)
	}
	if len(got) != len(requests) {
		t.Errorf("%d answers", len(got))
	}
}

func TestATableThatTheFunctionWasNotTold(t *testing.T) {
	t.Parallel()
	other := tier
	other.Table = "others"
	got := fetcher(t, "http://127.0.0.1:1", "").Fetch(t.Context(), []program.LookupRequest{other})
	equal(t, "found", got, map[string]program.Found{"tier": {Problem: `the function was not told which table "others" is`}})
}

func TestCache(t *testing.T) {
	t.Parallel()
	pro, free := answer{body: `{"Item": {"plan": {"S": "pro"}}}`}, answer{body: `{"Item": {"plan": {"S": "free"}}}`}
	cached, other, text := tier, tier, tier
	cached.Cache, other.Cache, text.Cache = time.Minute, time.Minute, time.Minute
	other.Key, text.Key = map[string]any{"pk": json.Number("1")}, map[string]any{"pk": "1"}

	var s server
	f := fetcher(t, s.start(t, pro, free), "")
	now := time.Now()
	f.cache.now = func() time.Time { return now }
	plan := func(r program.LookupRequest) any {
		return f.Fetch(t.Context(), []program.LookupRequest{r})["tier"].Rows[0]["plan"]
	}
	for i, step := range []struct {
		request program.LookupRequest
		later   time.Duration
		plan    string
		calls   int
	}{
		{cached, 0, "pro", 1},
		{cached, time.Minute - 1, "pro", 1},
		{tier, 0, "free", 2}, // a lookup without a cache never takes from it
		{cached, 1, "free", 3},
		{other, 0, "free", 4},
		{text, 0, "free", 5}, // the string is another key than the number
		{text, 0, "free", 5},
	} {
		now = now.Add(step.later)
		if got := plan(step.request); got != step.plan || len(s.seen()) != step.calls {
			t.Errorf("step %d: %v after %d calls, want %v after %d", i, got, len(s.seen()), step.plan, step.calls)
		}
	}
}

func TestFaultsAreNotCachedAndAbsenceIs(t *testing.T) {
	t.Parallel()
	var s server
	f := fetcher(t, s.start(t, answer{status: 400, body: `{"__type": "AccessDeniedException"}`}, answer{body: `{}`}), "")
	cached := tier
	cached.Cache = time.Minute
	for i, want := range []program.Found{{Problem: "DynamoDB answers AccessDeniedException"}, {Rows: []map[string]any{}}, {Rows: []map[string]any{}}} {
		if got := f.Fetch(t.Context(), []program.LookupRequest{cached})["tier"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%d: got %#v, want %#v", i, got, want)
		}
	}
	if len(s.seen()) != 2 {
		t.Errorf("%d calls, want 2", len(s.seen()))
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := cache{now: time.Now}
	for i := range 3 * maxCached {
		c.put(cacheKey(program.LookupRequest{Key: map[string]any{"pk": i}, Cache: 1}), time.Minute, nil)
	}
	if len(c.entries) > maxCached {
		t.Errorf("%d entries", len(c.entries))
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tables, budget, region, want string }{
		{`{}`, "", "eu-west-1", ""},
		{`{}`, "2s", "eu-west-1", ""},
		{``, "", "eu-west-1", `CLAIMSMITH_LOOKUP_TABLES is no JSON object of table names, such as {"subscriptions": "prod-subscriptions"}`},
		{`{}`, "2", "eu-west-1", `CLAIMSMITH_LOOKUP_BUDGET is "2"; allowed is a duration above 0, such as 1.5s`},
		{`{}`, "-1s", "eu-west-1", `CLAIMSMITH_LOOKUP_BUDGET is "-1s"; allowed is a duration above 0, such as 1.5s`},
		{`{}`, "", "", `AWS_REGION is not set; Lambda sets it`},
	} {
		env := map[string]string{"CLAIMSMITH_LOOKUP_TABLES": c.tables, "CLAIMSMITH_LOOKUP_BUDGET": c.budget, "AWS_REGION": c.region}
		_, err := FromEnvironment(func(name string) string { return env[name] })
		if got := text(err); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
