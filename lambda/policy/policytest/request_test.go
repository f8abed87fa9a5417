package policytest

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	none := map[string]string{}
	for _, c := range []struct {
		name     string
		in, want policy.Request
	}{
		{"all of the route key", policy.Request{RouteKey: "PUT /a"}, policy.Request{RouteKey: "PUT /a", Method: "PUT", Path: "/a", QueryParameters: none, Headers: none}},
		{"path parameters from the path", policy.Request{RouteKey: "GET /a/{b}/c/{d+}", Path: "/a/x/c/y/z"},
			policy.Request{RouteKey: "GET /a/{b}/c/{d+}", Method: "GET", Path: "/a/x/c/y/z", PathParameters: map[string]string{"b": "x", "d": "y/z"}, QueryParameters: none, Headers: none}},
		{"the path from path parameters", policy.Request{RouteKey: "GET /a/{b}/{d+}", PathParameters: map[string]string{"b": "x", "d": "y/z"}},
			policy.Request{RouteKey: "GET /a/{b}/{d+}", Method: "GET", Path: "/a/x/y/z", PathParameters: map[string]string{"b": "x", "d": "y/z"}, QueryParameters: none, Headers: none}},
		{"any method", policy.Request{RouteKey: "ANY /", Method: "PATCH", Path: "/"},
			policy.Request{RouteKey: "ANY /", Method: "PATCH", Path: "/", PathParameters: none, QueryParameters: none, Headers: none}},
		{"a query string and headers", policy.Request{RouteKey: "$default", Path: "/x?a=1&a=2&b=%20", QueryParameters: map[string]string{"b": "own"}, Headers: map[string]string{"X-A": "V"}},
			policy.Request{RouteKey: "$default", Method: "GET", Path: "/x", QueryParameters: map[string]string{"a": "1,2", "b": "own"}, Headers: map[string]string{"x-a": "V"}}},
		{"a WebSocket", policy.Request{RouteKey: "$connect", SourceIP: "::1"}, policy.Request{RouteKey: "$connect", Method: "GET", Path: "/", SourceIP: "::1", QueryParameters: none, Headers: none}},
	} {
		got, err := Complete(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want.PathParameters == nil && len(got.PathParameters) == 0 {
			c.want.PathParameters = got.PathParameters
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestRequestsThatDoNotFitTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   policy.Request
		want string
	}{
		{policy.Request{RouteKey: "get /"}, `"get /" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"`},
		{policy.Request{RouteKey: "GET /", Method: "PUT"}, `method PUT does not belong to route "GET /"`},
		{policy.Request{RouteKey: "GET /{a}"}, `route "GET /{a}" has the path parameter "a"; give the path`},
		{policy.Request{RouteKey: "GET /{a}", Path: "/"}, `path "/" does not belong to route "GET /{a}"`},
		{policy.Request{RouteKey: "GET /{a}", Path: "/x/y"}, `path "/x/y" does not belong to route "GET /{a}"`},
		{policy.Request{RouteKey: "GET /{a}/b", Path: "/x"}, `path "/x" does not belong to route "GET /{a}/b"`},
		{policy.Request{RouteKey: "GET /{a+}", Path: "/"}, `path "/" does not belong to route "GET /{a+}"`},
		{policy.Request{RouteKey: "GET /a", Path: "/b"}, `path "/b" does not belong to route "GET /a"`},
		{policy.Request{RouteKey: "GET /a", Path: "a"}, `path "a" must begin with a slash`},
		{policy.Request{RouteKey: "GET /a", Path: "/a?%zz"}, `the path's query string cannot be read: invalid URL escape "%zz"`},
	} {
		_, err := Complete(c.in)
		equal(t, c.in.RouteKey, fmt.Sprint(err), c.want)
	}
}
