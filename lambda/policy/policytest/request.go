package policytest

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/program"
)

var (
	routeKey  = regexp.MustCompile(`^(?:(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) (/\S*)|\$default|\$connect)$`)
	parameter = regexp.MustCompile(`^\{([^{}+]+)(\+?)\}$`)
)

// Complete fills in what API Gateway derives of a request, from its route key and its path:
//
//   - the method is the route key's, and GET where that says ANY or names no method;
//   - the path parameters are those that the path has in the places of the route key's; where they are given, they are taken
//     as they are and the path need not fit the route, as with a stage in front of it;
//   - the path is the route key's with the given path parameters in it;
//   - a query string behind the path becomes query parameters, several of one name joined with commas;
//   - header names become lower-case.
//
// The error says what is missing or does not fit together.
func Complete(r program.Request) (program.Request, error) {
	route := routeKey.FindStringSubmatch(r.RouteKey)
	if route == nil {
		return r, fmt.Errorf("%q is no route key; write a method in capitals and a path, such as \"GET /documents/{id}\", or \"$default\"", r.RouteKey)
	}
	method, template := route[1], route[2]
	if r.Method == "" {
		r.Method = method
		if method == "" || method == "ANY" {
			r.Method = "GET"
		}
	} else if method != "" && method != "ANY" && method != r.Method {
		return r, fmt.Errorf("method %s does not belong to route %q", r.Method, r.RouteKey)
	}

	path, query, _ := strings.Cut(r.Path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return r, fmt.Errorf("the path's query string cannot be read: %w", err)
	}
	parameters := map[string]string{}
	for name, v := range values {
		parameters[name] = strings.Join(v, ",")
	}
	maps.Copy(parameters, r.QueryParameters)
	r.QueryParameters = parameters

	headers := map[string]string{}
	for name, v := range r.Headers {
		headers[strings.ToLower(name)] = v
	}
	r.Headers = headers

	switch {
	case path == "" && template == "":
		r.Path = "/"
	case path == "":
		r.Path, err = fill(template, r.PathParameters)
		if err != nil {
			return r, fmt.Errorf("route %q %w", r.RouteKey, err)
		}
	case !strings.HasPrefix(path, "/"):
		return r, fmt.Errorf("path %q must begin with a slash", path)
	default:
		r.Path = path
		if r.PathParameters == nil && template != "" {
			var fits bool
			if r.PathParameters, fits = match(template, path); !fits {
				return r, fmt.Errorf("path %q does not belong to route %q", path, r.RouteKey)
			}
		}
	}
	return r, nil
}

// fill puts path parameters into their places.
func fill(template string, parameters map[string]string) (string, error) {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		m := parameter.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		v, ok := parameters[m[1]]
		if !ok {
			return "", fmt.Errorf("has the path parameter %q; give the path", m[1])
		}
		segments[i] = v
	}
	return strings.Join(segments, "/"), nil
}

// match finds the path parameters of a path, or reports that it does not fit the template.
func match(template, path string) (map[string]string, bool) {
	found := map[string]string{}
	have := strings.Split(path, "/")
	want := strings.Split(template, "/")
	for i, s := range want {
		m := parameter.FindStringSubmatch(s)
		switch {
		case i >= len(have):
			return nil, false
		case m == nil:
			if s != have[i] {
				return nil, false
			}
		case m[2] == "+": // all that is left
			found[m[1]] = strings.Join(have[i:], "/")
			return found, found[m[1]] != "" && i == len(want)-1
		case have[i] == "":
			return nil, false
		default:
			found[m[1]] = have[i]
		}
	}
	return found, len(have) == len(want)
}
