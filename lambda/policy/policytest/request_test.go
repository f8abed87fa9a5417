package policytest

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	none := map[string]string{}
	for _, c := range []struct {
		name     string
		in, want program.Request
	}{
		{"all of the route key", program.Request{RouteKey: "PUT /a"}, program.Request{RouteKey: "PUT /a", Method: "PUT", Path: "/a", QueryParameters: none, Headers: none}},
		{"path parameters from the path", program.Request{RouteKey: "GET /a/{b}/c/{d+}", Path: "/a/x/c/y/z"},
			program.Request{RouteKey: "GET /a/{b}/c/{d+}", Method: "GET", Path: "/a/x/c/y/z", PathParameters: map[string]string{"b": "x", "d": "y/z"}, QueryParameters: none, Headers: none}},
		{"the path from path parameters", program.Request{RouteKey: "GET /a/{b}/{d+}", PathParameters: map[string]string{"b": "x", "d": "y/z"}},
			program.Request{RouteKey: "GET /a/{b}/{d+}", Method: "GET", Path: "/a/x/y/z", PathParameters: map[string]string{"b": "x", "d": "y/z"}, QueryParameters: none, Headers: none}},
		{"any method", program.Request{RouteKey: "ANY /", Method: "PATCH", Path: "/"},
			program.Request{RouteKey: "ANY /", Method: "PATCH", Path: "/", PathParameters: none, QueryParameters: none, Headers: none}},
		{"a query string and headers", program.Request{RouteKey: "$default", Path: "/x?a=1&a=2&b=%20", QueryParameters: map[string]string{"b": "own"}, Headers: map[string]string{"X-A": "V"}},
			program.Request{RouteKey: "$default", Method: "GET", Path: "/x", QueryParameters: map[string]string{"a": "1,2", "b": "own"}, Headers: map[string]string{"x-a": "V"}}},
		{"a WebSocket", program.Request{RouteKey: "$connect", SourceIP: "::1"}, program.Request{RouteKey: "$connect", Method: "GET", Path: "/", SourceIP: "::1", QueryParameters: none, Headers: none}},
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
		in   program.Request
		want string
	}{
		{program.Request{RouteKey: "get /"}, `"get /" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"`},
		{program.Request{RouteKey: "GET /", Method: "PUT"}, `method PUT does not belong to route "GET /"`},
		{program.Request{RouteKey: "GET /{a}"}, `route "GET /{a}" has the path parameter "a"; give the path`},
		{program.Request{RouteKey: "GET /{a}", Path: "/"}, `path "/" does not belong to route "GET /{a}"`},
		{program.Request{RouteKey: "GET /{a}", Path: "/x/y"}, `path "/x/y" does not belong to route "GET /{a}"`},
		{program.Request{RouteKey: "GET /{a}/b", Path: "/x"}, `path "/x" does not belong to route "GET /{a}/b"`},
		{program.Request{RouteKey: "GET /{a+}", Path: "/"}, `path "/" does not belong to route "GET /{a+}"`},
		{program.Request{RouteKey: "GET /a", Path: "/b"}, `path "/b" does not belong to route "GET /a"`},
		{program.Request{RouteKey: "GET /a", Path: "a"}, `path "a" must begin with a slash`},
		{program.Request{RouteKey: "GET /a", Path: "/a?%zz"}, `the path's query string cannot be read: invalid URL escape "%zz"`},
	} {
		_, err := Complete(c.in)
		equal(t, c.in.RouteKey, fmt.Sprint(err), c.want)
	}
}
