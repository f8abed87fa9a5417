package apigw

import (
	"cmp"
	"errors"
	"fmt"
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

// event is an authorizer request of any kind, in one form. But for the route it shares the memory of its JSON.
type event struct {
	kind     kind
	arn      string // of the method or route, as it goes into an IAM policy
	route    string // the route key that fits best; none if the event does not tell
	resource string // which a policy may have for any method; none if the route is all that there is

	// What rules may read, but for the route key. A header or query parameter that was sent several times has all its
	// values, separated by commas as HTTP APIs do it.
	request program.Request

	headers, query fields
	cookies        string // "a=b; c=d"
	token          string // a TOKEN event's own field
}

// wire has what matters of an authorizer request, of whatever kind
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html). What is absent or
// null is empty.
type wire struct {
	version, typ        string
	methodArn, routeArn string
	authorizationToken  strictjson.Reader // which only a TOKEN event needs
	routeKey, resource  string
	method, httpMethod  string
	path, rawPath       string
	httpIP, identityIP  string
	connectRoute        string
	cookies             []string
	headers             fields
	query, pathParams   fields
}

// read reads the fields by name. A value of another type than documented is an error.
func (w *wire) read(payload []byte, needs needs) error {
	// Payload formats but 2.0 have fields for several values too. Those for one value matter only where these are missing.
	var headers strictjson.Reader
	var query fields
	r := strictjson.NewReader(payload)
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		switch name {
		case "version":
			r.Text(&w.version)
		case "type":
			r.Text(&w.typ)
		case "methodArn":
			r.Text(&w.methodArn)
		case "routeArn":
			r.Text(&w.routeArn)
		case "authorizationToken":
			w.authorizationToken = r.Postpone()
		case "routeKey":
			r.Text(&w.routeKey)
		case "resource":
			r.Text(&w.resource)
		case "httpMethod":
			r.Text(&w.httpMethod)
		case "path":
			r.Text(&w.path)
		case "rawPath":
			r.Text(&w.rawPath)
		case "cookies":
			for ok := r.Array(); ok; ok = r.Element() {
				w.cookies = append(w.cookies, text(&r))
			}
		case "pathParameters":
			w.pathParams = values(&r, all)
		case "headers":
			if w.version == "2.0" {
				w.headers = values(&r, needs.header)
			} else {
				headers = r.Postpone()
			}
		case "multiValueHeaders":
			w.headers = lists(&r, needs.header)
		case "queryStringParameters":
			query = values(&r, all)
		case "multiValueQueryStringParameters":
			w.query = lists(&r, all)
		case "requestContext":
			w.readContext(&r)
		default:
			r.Skip()
		}
	}
	if len(w.headers) == 0 && r.Err() == nil {
		w.headers = values(&headers, needs.header)
	}
	if len(w.query) == 0 {
		w.query = query
	}
	return cmp.Or(headers.Err(), r.End())
}

func (w *wire) readContext(r *strictjson.Reader) {
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		switch name {
		case "routeKey":
			r.Text(&w.connectRoute)
		case "http":
			w.readCaller(r, &w.httpIP)
		case "identity":
			w.readCaller(r, &w.identityIP)
		default:
			r.Skip()
		}
	}
}

func (w *wire) readCaller(r *strictjson.Reader, ip *string) {
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		switch name {
		case "method":
			r.Text(&w.method)
		case "sourceIp":
			r.Text(ip)
		default:
			r.Skip()
		}
	}
}

func text(r *strictjson.Reader) (text string) {
	r.Text(&text)
	return text
}

func all(string) bool { return true }

// values reads an object of strings: those whose names are needed.
func values(r *strictjson.Reader, needed func(string) bool) (values fields) {
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		if needed(name) {
			values = append(values, field{name, text(r)})
		} else {
			r.Skip()
		}
	}
	return values
}

// lists reads an object of lists of strings.
func lists(r *strictjson.Reader, needed func(string) bool) (values fields) {
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		if !needed(name) {
			r.Skip()
			continue
		}
		for ok := r.Array(); ok; ok = r.Element() {
			values = append(values, field{name, text(r)})
		}
	}
	return values
}

// fields are headers or parameters as they arrived: in their order, of which several may have one name. Mostly one or two are
// needed, and then no map is.
type fields []field

type field struct{ name, value string }

// find returns the value of the fields with a name, and whether there is one.
func (f fields) find(name string, same func(string, string) bool) (value string, ok bool) {
	for _, field := range f {
		if same(field.name, name) {
			value, ok = joined(value, ok, field.value, same(name, cookie)), true
		}
	}
	return value, ok
}

// byName are the values by name.
func (f fields) byName(rename func(string) string) map[string]string {
	if len(f) == 0 {
		return nil
	}
	values := make(map[string]string, len(f))
	for _, field := range f {
		name := rename(field.name)
		present, ok := values[name]
		values[name] = joined(present, ok, field.value, name == cookie)
	}
	return values
}

// cookie is the one header whose values are not separated by commas (RFC 9113, section 8.2.3).
const cookie = "cookie"

// joined adds one of several values of a name, in whatever spelling, to those that are present.
func joined(present string, ok bool, value string, isCookie bool) string {
	switch {
	case !ok:
		return value
	case isCookie:
		return present + "; " + value
	default:
		return present + "," + value
	}
}

func exact(name string) string { return name }

// needs is what of a request matters: which headers, unless rules may read any.
type needs struct {
	anyHeader bool
	sources   []Source
}

// header tells whether the header of that name, in any case, has to be read: by rules, or since the token may be in it.
func (n needs) header(name string) bool {
	if n.anyHeader {
		return true
	}
	for _, s := range n.sources {
		if header := s.header(); header != "" && strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}

// decode recognises an event by what only its kind has. It does not accept what lacks something that decides: an event that
// is a little different may be of a kind that is not known yet.
//
// Errors repeat nothing that a client sent.
func (e *event) decode(payload []byte, needs needs) error {
	var w wire
	if err := w.read(payload, needs); err != nil {
		return fmt.Errorf("the event %w", err)
	}
	e.arn = w.methodArn
	e.request.SourceIP = w.identityIP
	switch {
	case w.version == "2.0" && w.typ == "REQUEST":
		e.kind, e.arn, e.route = http2, w.routeArn, strings.Clone(w.routeKey)
		e.request.Method, e.request.Path, e.request.SourceIP = w.method, w.rawPath, w.httpIP
	case w.version == "" && w.typ == "TOKEN":
		e.kind = restToken
		w.authorizationToken.Text(&e.token)
		if err := w.authorizationToken.Err(); err != nil {
			return fmt.Errorf("the event %w", err)
		}
	case w.version == "" && w.typ == "REQUEST" && w.connectRoute == connect:
		e.kind, e.route = webSocket, connect
	case (w.version == "" || w.version == "1.0") && w.typ == "REQUEST":
		if e.kind = restRequest; w.version == "1.0" {
			e.kind = http1
		}
		e.request.Method, e.request.Path = w.httpMethod, w.path
		e.takeRoute(w.httpMethod, w.resource)
	default:
		return fmt.Errorf("the event has version %q and type %q, which is no authorizer request that is known", w.version, w.typ)
	}
	if e.route == "" && e.kind != restToken {
		return fmt.Errorf("the event, of a %s, does not name its route", e.kind)
	}
	if !strings.HasPrefix(e.arn, "arn:") {
		return fmt.Errorf("the event, of a %s, does not name the ARN of its method", e.kind)
	}
	e.headers, e.query = w.headers, w.query
	if e.cookies = strings.Join(w.cookies, "; "); e.cookies == "" {
		e.cookies, _ = e.headers.find(cookie, strings.EqualFold)
	}
	if needs.anyHeader {
		e.request.Headers = e.headers.byName(strings.ToLower)
	}
	e.request.QueryParameters, e.request.PathParameters = e.query.byName(exact), w.pathParams.byName(exact)
	return nil
}

// takeRoute takes the route from the method and the resource. The event tells the method of the request, even where the API
// has the resource for any method.
func (e *event) takeRoute(method, resource string) {
	switch {
	case method == "" || resource == "":
	case strings.TrimPrefix(resource, "/") == "$default": // an HTTP API's route for everything else
		e.route = "$default"
	default:
		e.route, e.resource = method+" "+resource, resource
	}
}

// routeKey is the route key in the policy that fits the event best, or else its own.
func (e *event) routeKey(checker *program.Checker) string {
	if e.resource == "" || checker.HasRoute(e.route) {
		return e.route
	}
	if anyMethod := "ANY " + e.resource; checker.HasRoute(anyMethod) {
		return anyMethod
	}
	return e.route
}

// blind tells that the event does not say what the rules read, so that no answer would be right.
func (e *event) blind(reads program.Reads) bool {
	return e.kind == restToken && (reads.Route || reads.Method || reads.Path || reads.SourceIP ||
		len(reads.Headers)+len(reads.Query)+len(reads.Unkeyable) > 0)
}

// errBlind is what is said about an event that is [event.blind].
var errBlind = errors.New("the policy has rules for routes or rules that read the request, of which an authorizer of type TOKEN is told nothing: make it one of type REQUEST")
