package construct

import (
	"fmt"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// apiKind is a kind of API: how it names the parts of a request as identity sources, and what it may be keyed on.
//
// For HTTP APIs see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html, for REST
// APIs https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html, for
// WebSocket APIs https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html.
type apiKind struct {
	name             string
	request, context string // prefixes of identity sources

	// caches tells whether API Gateway caches decisions for this kind.
	caches bool

	// policies tells that a decision is an IAM policy for exactly one method and path, which API Gateway evaluates again
	// for each request that it repeats the decision for. So the cache must tell methods and paths apart, or the second
	// route would be refused.
	policies bool
}

var (
	httpKind      = apiKind{name: "HTTP", request: "$request.", context: "$context.", caches: true}
	restKind      = apiKind{name: "REST", request: "method.request.", context: "context.", caches: true, policies: true}
	webSocketKind = apiKind{name: "WebSocket", request: "route.request."}
)

// cacheKey is by what API Gateway tells apart the requests that a decision holds for, and for how long it may repeat one.
type cacheKey struct {
	sources []string // identity sources; a request that lacks one is answered 401 without asking the function
	ttl     time.Duration
	off     []string // why nothing is cached although the user wants it
}

// cacheKey derives the key from where the token is and from what the rules read. Only what every request has, or every
// rule demands, may be an identity source. Without a cache, where nothing is keyed, only the token is one, so that API
// Gateway answers a request without a token by itself.
func (k apiKind) cacheKey(tokens []TokenSource, reads program.Reads, ttl time.Duration) cacheKey {
	var key cacheKey
	tokens = k.usable(tokens)
	if len(tokens) == 1 {
		key.sources = []string{k.request + tokens[0].parameter()}
	}
	if !k.caches || ttl == 0 {
		return key
	}
	if key.off = k.unkeyable(tokens, reads); len(key.off) > 0 {
		return key
	}
	key.ttl = ttl
	for _, c := range []struct {
		read   bool
		source string
	}{
		// A policy names the method and the path of the request, which imply its route.
		{reads.Route && !k.policies, "routeKey"},
		{reads.Method || k.policies, "httpMethod"},
		{reads.Path || k.policies, "path"},
		// Custom domains map different base paths to an API, so that one path may mean different things on two of them.
		{reads.Path || k.policies, "domainName"},
		{reads.SourceIP, "identity.sourceIp"},
	} {
		if c.read {
			key.sources = append(key.sources, k.context+c.source)
		}
	}
	for _, name := range reads.Headers {
		if !tokens[0].isHeader(name) {
			key.sources = append(key.sources, k.request+"header."+name)
		}
	}
	for _, name := range reads.Query {
		if tokens[0] != TokenInQuery(name) {
			key.sources = append(key.sources, k.request+"querystring."+name)
		}
	}
	return key
}

// unkeyable is why decisions cannot be cached.
func (k apiKind) unkeyable(tokens []TokenSource, reads program.Reads) []string {
	off := append([]string(nil), reads.Unkeyable...)
	switch {
	case len(tokens) != 1:
		off = append(off, "the token may be in one of several places, of which a request lacks all but one")
	case tokens[0].in == inCookie:
		off = append(off, "the token is in a cookie, and API Gateway does not say by which it goes of several Cookie headers")
	}
	// HTTP APIs join all values of a header or query parameter, as they are shown to the rules. Of a REST API it is not
	// documented by which of the values it goes, while rules see all of them.
	if k.policies && len(reads.Headers)+len(reads.Query) > 0 {
		var names []string
		for _, name := range reads.Headers {
			names = append(names, "request.headers."+name)
		}
		for _, name := range reads.Query {
			names = append(names, "request.queryParameters."+name)
		}
		off = append(off, fmt.Sprintf("rules read all values of %s, and a REST API compares but one", strings.Join(names, ", ")))
	}
	return off
}

// usable are the token sources that this kind of API has.
func (k apiKind) usable(tokens []TokenSource) []TokenSource {
	var usable []TokenSource
	for _, source := range tokens {
		if source.in != inSubprotocol || k == webSocketKind {
			usable = append(usable, source)
		}
	}
	return usable
}
