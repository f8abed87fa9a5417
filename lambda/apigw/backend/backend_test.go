package backend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/claimsmith/claimsmith/lambda/apigw/backend"
)

func Example() {
	handle := func(event json.RawMessage) (string, error) {
		var caller struct {
			Sub       string   `json:"sub"`
			Scopes    []string `json:"scopes"`
			CompanyID string   `json:"company_id"`
		}
		if err := backend.FromEvent(event, &caller); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s of %s may %s", caller.Sub, caller.CompanyID, caller.Scopes[0]), nil
	}

	fmt.Println(handle([]byte(`{"version": "2.0", "requestContext": {"authorizer": {"lambda":
		{"claims": {"sub": "u1", "company_id": "acme", "scopes": ["documents/read"]}}}}}`)))
	// Output: u1 of acme may documents/read <nil>
}

func ExampleClaims() {
	handle := func(request events.APIGatewayProxyRequest) (string, error) {
		claims := map[string]any{}
		err := backend.Claims(request.RequestContext.Authorizer, &claims)
		return fmt.Sprint(claims["sub"]), err
	}

	request := events.APIGatewayProxyRequest{}
	request.RequestContext.Authorizer = map[string]any{"principalId": "u1", "claims": `{"sub": "u1", "scopes": []}`}
	fmt.Println(handle(request))
	// Output: u1 <nil>
}

// contexts are authorizer contexts as each kind of API hands them on, with the given claims and names of omitted ones.
func contexts(claims, omitted string) map[string]string {
	text := func(s string) string {
		data, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(data)
	}
	typed := `"claims": ` + claims
	encoded := `"principalId": "u1", "claims": ` + text(claims)
	if omitted != "" {
		typed += `, "omittedClaims": ` + omitted
		encoded += `, "omittedClaims": ` + text(omitted)
	}
	return map[string]string{
		"HTTP API 2.0":              `{"lambda": {` + typed + `}}`,
		"HTTP API 2.0, IAM policy":  `{"lambda": {` + encoded + `}}`,
		"HTTP API 1.0":              `{` + typed + `}`,
		"REST API or WebSocket API": `{` + encoded + `}`,
	}
}

// read reads claims in both ways: exactly, and after a decoder like that of aws-lambda-go.
func read(t *testing.T, context string, exact, decoded any) (exactErr, decodedErr error) {
	t.Helper()
	event := []byte(`{"requestContext": {"requestId": "id", "authorizer": ` + context + `}}`)
	var stock struct {
		RequestContext struct{ Authorizer map[string]any }
	}
	if err := json.Unmarshal(event, &stock); err != nil {
		t.Fatal(err)
	}
	authorizer := stock.RequestContext.Authorizer
	if inner, ok := authorizer["lambda"].(map[string]any); ok {
		authorizer = inner
	}
	before := fmt.Sprint(authorizer)
	defer func() {
		if after := fmt.Sprint(authorizer); after != before {
			t.Errorf("the caller's map was changed from %s to %s", before, after)
		}
	}()
	return backend.FromEvent(event, exact), backend.Claims(authorizer, decoded)
}

type claims struct {
	Sub    string   `json:"sub"`
	Scopes []string `json:"scopes"`
	Big    int64    `json:"big"`
	Nested struct {
		List []float64 `json:"list"`
	} `json:"nested"`
}

func TestEveryContext(t *testing.T) {
	t.Parallel()
	for api, context := range contexts(`{"sub": "u1", "scopes": ["a"], "big": 9007199254740991, "nested": {"list": [1, 0.5, 1e300, 9007199254740992]}}`, "") {
		var exact, decoded claims
		if err1, err2 := read(t, context, &exact, &decoded); err1 != nil || err2 != nil {
			t.Fatalf("%s: %v, %v", api, err1, err2)
		}
		want := claims{Sub: "u1", Scopes: []string{"a"}, Big: 1<<53 - 1}
		want.Nested.List = []float64{1, 0.5, 1e300, 1 << 53}
		if !reflect.DeepEqual(exact, want) || !reflect.DeepEqual(decoded, want) {
			t.Errorf("%s: got %+v and %+v, want %+v", api, exact, decoded, want)
		}
	}
}

func TestNumbersAreExactOrAnError(t *testing.T) {
	t.Parallel()
	for api, context := range contexts(`{"scopes": [], "big": 9007199254740993}`, "") {
		var exact, decoded claims
		err, decodedErr := read(t, context, &exact, &decoded)
		if err != nil || exact.Big != 9007199254740993 {
			t.Errorf("%s: got %d, %v", api, exact.Big, err)
		}
		// Where the claims are text, the stock decoder has not touched them.
		if decodedErr == nil && decoded.Big != 9007199254740993 {
			t.Errorf("%s: got the rounded %d", api, decoded.Big)
		}
		if want := `do not fit *backend_test.claims: claim "big" is no int64: it is too large or not exact; integers beyond 2^53 can be read with FromEvent`; decodedErr != nil && !strings.HasSuffix(decodedErr.Error(), want) {
			t.Errorf("%s: got %v", api, decodedErr)
		}

		inMap, decodedInMap := map[string]any{}, map[string]any{}
		if err1, err2 := read(t, context, &inMap, &decodedInMap); err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", api, err1, err2)
		}
		if inMap["big"] != json.Number("9007199254740993") || decodedInMap["big"] == json.Number("9007199254740992") {
			t.Errorf("%s: got %v and %v", api, inMap, decodedInMap)
		}
	}
}

func TestUnprotectedRoutes(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"no authorizer":                            `null`,
		"another authorizer":                       `{"principalId": "x", "user": "y"}`,
		"a Lambda authorizer without a context":    `{"lambda": null}`,
		"claims of another one":                    `{"lambda": {"claims": ["x"]}}`,
		"null":                                     `{"claims": null}`,
		"null as text":                             `{"claims": "null"}`,
		"text that is no JSON":                     `{"claims": "x"}`,
		"a JWT authorizer of an HTTP API":          `{"jwt": {"claims": {"sub": "x", "scope": "a"}, "scopes": ["a"]}}`,
		"the same in payload format 1.0":           `{"claims": {"sub": "x", "scope": "a"}, "scopes": ["a"]}`,
		"a Cognito authorizer of a REST API":       `{"claims": {"sub": "x", "token_use": "id", "cognito:groups": "a"}}`,
		"another authorizer with scopes as a text": `{"claims": {"scopes": "a b"}}`,
		"names of omitted claims that are no list": `{"claims": {"scopes": []}, "omittedClaims": 1}`,
	}
	for name, context := range cases {
		exact, decoded := map[string]any{}, map[string]any{}
		err1, err2 := read(t, context, &exact, &decoded)
		if err1 != backend.ErrUnprotected || err2 != backend.ErrUnprotected || len(exact)+len(decoded) > 0 {
			t.Errorf("%s: got %v, %v and %v, %v", name, exact, err1, decoded, err2)
		}
	}
	var dst map[string]any
	for _, event := range []string{`{}`, `{"requestContext": {}}`, `{"requestContext": {"authorizer": {"lambda": [1]}}}`} {
		if err := backend.FromEvent([]byte(event), &dst); err != backend.ErrUnprotected {
			t.Errorf("%s: got %v", event, err)
		}
	}
	for _, event := range []string{``, `{"requestContext": "secret"}`, `{"requestContext": {"authorizer": "secret"}}`} {
		if err := backend.FromEvent([]byte(event), &dst); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", event, err)
		}
	}
}

func TestClaimsThatWereLeftOut(t *testing.T) {
	t.Parallel()
	for api, context := range contexts(`{"sub": "u1"}`, `["roles", "scopes"]`) {
		var exact, decoded claims
		err1, err2 := read(t, context, &exact, &decoded)
		for _, err := range []error{err1, err2} {
			incomplete, ok := errors.AsType[*backend.IncompleteError](err)
			if !ok || !reflect.DeepEqual(incomplete.Omitted, []string{"roles", "scopes"}) || !strings.HasSuffix(err.Error(), ": roles, scopes") {
				t.Errorf("%s: got %v", api, err)
			}
		}
		if exact.Sub != "u1" || decoded.Sub != "u1" {
			t.Errorf("%s: the claims that are there were not read", api)
		}
	}
}

func TestClaimsThatDoNotFit(t *testing.T) {
	t.Parallel()
	var number struct {
		Tier int `json:"tier"`
	}
	for api, context := range contexts(`{"scopes": [], "tier": "secret"}`, "") {
		err1, err2 := read(t, context, &number, &number)
		for _, err := range []error{err1, err2} {
			if err == nil || !strings.HasSuffix(err.Error(), `claim "tier" is no int`) || errors.Is(err, backend.ErrUnprotected) {
				t.Errorf("%s: got %v", api, err)
			}
		}
		if err1, _ := read(t, context, number, &number); err1 == nil {
			t.Errorf("%s: a destination that is no pointer is accepted", api)
		}
	}
	if err := backend.Claims(map[string]any{"claims": func() {}}, &number); err == nil {
		t.Error("a value that is no JSON is accepted")
	}
	if err := backend.Claims(nil, &number); err != backend.ErrUnprotected {
		t.Errorf("got %v", err)
	}
}
