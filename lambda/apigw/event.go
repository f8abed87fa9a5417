package apigw

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// kind is what kind of API sent an event, and in which format.
type kind string

const (
	http2       kind = "HTTP API, payload format 2.0"
	http1       kind = "HTTP API, payload format 1.0"
	restRequest kind = "REST API, REQUEST"
	restToken   kind = "REST API, TOKEN"
	webSocket   kind = "WebSocket API"
)

// connect is the route of a WebSocket API that has an authorizer.
const connect = "$connect"

// event is an authorizer request of any kind, in one form.
type event struct {
	kind   kind
	arn    string   // of the method or route, as it goes into an IAM policy
	routes []string // the route keys in a policy that fit, the most special first; none if the event does not tell

	// What rules may read, but for the route key. A header or query parameter that was sent several times has all its
	// values, separated by commas as HTTP APIs do it.
	request program.Request

	cookies string // "a=b; c=d"
	token   string // a TOKEN event's own field
}

// wire has what matters of an authorizer request, of whatever kind
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html). What is absent or
// null is empty.
type wire struct {
	version, typ        string
	methodArn, routeArn string
	authorizationToken  *strictjson.Reader // which only a TOKEN event needs
	routeKey, resource  string
	method, httpMethod  string
	path, rawPath       string
	httpIP, identityIP  string
	connectRoute        string
	cookies             []string
	pathParameters      map[string]string
	headers, query      map[string]string // headers by lower-case name, for they arrive as the client wrote them
}

// read reads the fields by name. A value of another type than documented is an error.
func (w *wire) read(payload []byte, needs needs) error {
	r, err := strictjson.NewReader(payload)
	if err != nil {
		return err
	}
	// Payload formats but 2.0 have fields for several values too. Those for one value matter only where these are missing.
	var headers *strictjson.Reader
	var query map[string]string
	err = r.Object(func(name string) error {
		switch name {
		case "version":
			err = r.Text(&w.version)
		case "type":
			err = r.Text(&w.typ)
		case "methodArn":
			err = r.Text(&w.methodArn)
		case "routeArn":
			err = r.Text(&w.routeArn)
		case "authorizationToken":
			w.authorizationToken, err = r.Postpone()
		case "routeKey":
			err = r.Text(&w.routeKey)
		case "resource":
			err = r.Text(&w.resource)
		case "httpMethod":
			err = r.Text(&w.httpMethod)
		case "path":
			err = r.Text(&w.path)
		case "rawPath":
			err = r.Text(&w.rawPath)
		case "cookies":
			err = r.Texts(&w.cookies)
		case "pathParameters":
			w.pathParameters, err = values(r, exact, all)
		case "headers":
			if w.version == "2.0" {
				w.headers, err = values(r, strings.ToLower, needs.header)
			} else {
				headers, err = r.Postpone()
			}
		case "multiValueHeaders":
			w.headers, err = lists(r, strings.ToLower, needs.header)
		case "queryStringParameters":
			query, err = values(r, exact, all)
		case "multiValueQueryStringParameters":
			w.query, err = lists(r, exact, all)
		case "requestContext":
			err = r.Object(func(name string) error {
				switch name {
				case "routeKey":
					return r.Text(&w.connectRoute)
				case "http":
					return w.readCaller(r, &w.httpIP)
				case "identity":
					return w.readCaller(r, &w.identityIP)
				default:
					return r.Skip()
				}
			})
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && len(w.headers) == 0 && headers != nil {
		w.headers, err = values(headers, strings.ToLower, needs.header)
	}
	if len(w.query) == 0 {
		w.query = query
	}
	if err != nil {
		return err
	}
	return r.End()
}

func (w *wire) readCaller(r *strictjson.Reader, ip *string) error {
	return r.Object(func(name string) error {
		switch name {
		case "method":
			return r.Text(&w.method)
		case "sourceIp":
			return r.Text(ip)
		default:
			return r.Skip()
		}
	})
}

func exact(name string) string { return name }

func all(string) bool { return true }

// values reads an object of strings: those whose names are needed.
func values(r *strictjson.Reader, rename func(string) string, needed func(string) bool) (map[string]string, error) {
	values := map[string]string{}
	return values, r.Object(func(name string) error {
		if !needed(name) {
			return r.Skip()
		}
		var value string
		err := r.Text(&value)
		add(values, strings.Clone(rename(name)), value)
		return err
	})
}

// lists reads an object of lists of strings, of which each becomes one string.
func lists(r *strictjson.Reader, rename func(string) string, needed func(string) bool) (map[string]string, error) {
	values := map[string]string{}
	var list []string
	return values, r.Object(func(name string) error {
		if !needed(name) {
			return r.Skip()
		}
		list = list[:0]
		name = strings.Clone(rename(name))
		err := r.Texts(&list)
		for _, value := range list {
			add(values, name, value)
		}
		return err
	})
}

// add adds one of several values under a name: of a header that came twice, or in two spellings.
func add(values map[string]string, name, value string) {
	if present, ok := values[name]; ok {
		separator := ","
		if name == "cookie" { // the one header that is not separated by commas (RFC 9113, section 8.2.3)
			separator = "; "
		}
		value = present + separator + value
	}
	values[name] = value
}

// needs is what of a request matters: which headers, unless rules may read any.
type needs struct {
	anyHeader bool
	sources   []Source
}

// header tells whether the header of that name, in any case, has to be read: by rules, or since the token may be in it.
func (n needs) header(name string) bool {
	return n.anyHeader || slices.ContainsFunc(n.sources, func(s Source) bool {
		switch s.In {
		case Header:
			return strings.EqualFold(name, s.Name)
		case Cookie:
			return strings.EqualFold(name, "Cookie")
		case Subprotocol:
			return strings.EqualFold(name, "Sec-WebSocket-Protocol")
		default:
			return false
		}
	})
}

// decode recognises an event by what only its kind has. It does not accept what lacks something that decides: an event that
// is a little different may be of a kind that is not known yet.
//
// Errors repeat nothing that a client sent.
func decode(payload []byte, needs needs) (*event, error) {
	var w wire
	if err := w.read(payload, needs); err != nil {
		return nil, fmt.Errorf("the event %w", err)
	}
	e := &event{arn: w.methodArn}
	e.request.Headers, e.request.QueryParameters, e.request.PathParameters = w.headers, w.query, w.pathParameters
	e.request.SourceIP = w.identityIP
	switch {
	case w.version == "2.0" && w.typ == "REQUEST":
		e.kind, e.arn, e.routes = http2, w.routeArn, []string{w.routeKey}
		e.request.Method, e.request.Path, e.request.SourceIP = w.method, w.rawPath, w.httpIP
	case w.version == "" && w.typ == "TOKEN":
		e.kind = restToken
		if w.authorizationToken != nil {
			if err := w.authorizationToken.Text(&e.token); err != nil {
				return nil, fmt.Errorf("the event %w", err)
			}
		}
	case w.version == "" && w.typ == "REQUEST" && w.connectRoute == connect:
		e.kind, e.routes = webSocket, []string{connect}
	case (w.version == "" || w.version == "1.0") && w.typ == "REQUEST":
		if e.kind = restRequest; w.version == "1.0" {
			e.kind = http1
		}
		e.request.Method, e.request.Path = w.httpMethod, w.path
		e.routes = routesOf(w.httpMethod, w.resource)
	default:
		return nil, fmt.Errorf("the event has version %q and type %q, which is no authorizer request that is known", w.version, w.typ)
	}
	e.cookies = strings.Join(w.cookies, "; ")
	if e.cookies == "" {
		e.cookies = e.request.Headers["cookie"]
	}
	if slices.Contains(e.routes, "") {
		return nil, fmt.Errorf("the event, of a %s, does not name its route", e.kind)
	}
	if !strings.HasPrefix(e.arn, "arn:") {
		return nil, fmt.Errorf("the event, of a %s, does not name the ARN of its method", e.kind)
	}
	return e, nil
}

// routesOf are the route keys that fit a method of a resource. The event tells the method of the request, even where the
// API has the resource for any method.
func routesOf(method, resource string) []string {
	switch {
	case method == "" || resource == "":
		return []string{""}
	case strings.TrimPrefix(resource, "/") == "$default": // an HTTP API's route for everything else
		return []string{"$default"}
	default:
		return []string{method + " " + resource, "ANY " + resource}
	}
}

// routeKey is the first of an event's routes that is among those that the policy names, or just the first.
func (e *event) routeKey(checker *program.Checker) string {
	if len(e.routes) == 0 {
		return ""
	}
	if i := slices.IndexFunc(e.routes, checker.HasRoute); i >= 0 {
		return e.routes[i]
	}
	return e.routes[0]
}

// blind tells that the event does not say what the rules read, so that no answer would be right.
func (e *event) blind(reads program.Reads) bool {
	return e.kind == restToken && (reads.Route || reads.Method || reads.Path || reads.SourceIP ||
		len(reads.Headers)+len(reads.Query)+len(reads.Unkeyable) > 0)
}

// errBlind is what is said about an event that is [event.blind].
var errBlind = errors.New("the policy has rules for routes or rules that read the request, of which an authorizer of type TOKEN is told nothing: make it one of type REQUEST")
