package construct

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

type cacheKeyCase struct {
	name    string
	kind    apiKind
	tokens  []TokenSource
	reads   program.Reads
	noCache bool // the user wants none
	sources []string
	off     string // part of why nothing is cached; empty: it is
}

func (c cacheKeyCase) run(t *testing.T) {
	t.Parallel()
	tokens, ttl := c.tokens, time.Minute
	if tokens == nil {
		tokens = defaultTokenSources
	}
	if c.noCache {
		ttl = 0
	}
	got := c.kind.cacheKey(tokens, c.reads, ttl)
	if !slices.Equal(got.sources, c.sources) {
		t.Errorf("sources\n got %q\nwant %q", got.sources, c.sources)
	}
	if reasons := strings.Join(got.off, "; "); !strings.Contains(reasons, c.off) || (c.off == "") != (reasons == "") {
		t.Errorf("nothing is cached because of %q, want %q", reasons, c.off)
	}
	if cached := c.off == "" && !c.noCache && c.kind.caches; cached != (got.ttl == time.Minute) || !cached && got.ttl != 0 {
		t.Errorf("cached for %v", got.ttl)
	}
}

func TestCacheKeyFollowsWhatDecisionsDependOn(t *testing.T) {
	t.Parallel()
	everything := program.Reads{
		Route: true, Method: true, Path: true, SourceIP: true,
		Headers: []string{"authorization", "x-tenant"}, Query: []string{"tenant"},
	}
	optionalHeader := program.Reads{Unkeyable: []string{"a rule reads request.headers.x"}}
	restToken := []string{"method.request.header.Authorization"}
	restKey := append(restToken, "context.httpMethod", "context.path", "context.domainName")
	for _, c := range []cacheKeyCase{
		{name: "HTTP: the token alone", kind: httpKind, sources: []string{"$request.header.Authorization"}},
		{name: "HTTP: the route", kind: httpKind, reads: program.Reads{Route: true},
			sources: []string{"$request.header.Authorization", "$context.routeKey"}},
		{name: "HTTP: the method", kind: httpKind, reads: program.Reads{Method: true},
			sources: []string{"$request.header.Authorization", "$context.httpMethod"}},
		{name: "HTTP: the path, on whichever domain", kind: httpKind, reads: program.Reads{Path: true},
			sources: []string{"$request.header.Authorization", "$context.path", "$context.domainName"}},
		{name: "HTTP: the source address", kind: httpKind, reads: program.Reads{SourceIP: true},
			sources: []string{"$request.header.Authorization", "$context.identity.sourceIp"}},
		{name: "HTTP: a header", kind: httpKind, reads: program.Reads{Headers: []string{"x-tenant"}},
			sources: []string{"$request.header.Authorization", "$request.header.x-tenant"}},
		{name: "HTTP: a query parameter", kind: httpKind, reads: program.Reads{Query: []string{"tenant"}},
			sources: []string{"$request.header.Authorization", "$request.querystring.tenant"}},
		{name: "HTTP: everything", kind: httpKind, reads: everything,
			sources: []string{"$request.header.Authorization", "$context.routeKey", "$context.httpMethod", "$context.path",
				"$context.domainName", "$context.identity.sourceIp", "$request.header.x-tenant", "$request.querystring.tenant"}},
		{name: "HTTP: without a cache, the token alone", kind: httpKind, reads: everything, noCache: true,
			sources: []string{"$request.header.Authorization"}},
		{name: "HTTP: a header that may be absent", kind: httpKind, reads: optionalHeader,
			sources: []string{"$request.header.Authorization"}, off: "a rule reads request.headers.x"},
		{name: "HTTP: the token in another header, once", kind: httpKind, tokens: []TokenSource{TokenInHeader("X-Tenant")}, reads: everything,
			sources: []string{"$request.header.X-Tenant", "$context.routeKey", "$context.httpMethod", "$context.path",
				"$context.domainName", "$context.identity.sourceIp", "$request.header.authorization", "$request.querystring.tenant"}},
		{name: "HTTP: the token in the query, once", kind: httpKind, tokens: []TokenSource{TokenInQuery("tenant")},
			reads: program.Reads{Query: []string{"tenant"}}, sources: []string{"$request.querystring.tenant"}},
		{name: "HTTP: the token in a cookie", kind: httpKind, tokens: []TokenSource{TokenInCookie("session")},
			sources: []string{"$request.header.Cookie"}, off: "the token is in a cookie"},
		{name: "HTTP: the token in one of two places", kind: httpKind,
			tokens: []TokenSource{TokenInHeader("Authorization"), TokenInQuery("token")}, off: "one of several places"},
		{name: "HTTP: a sub-protocol is no place there", kind: httpKind,
			tokens: []TokenSource{TokenInHeader("Authorization"), TokenInSubprotocol()}, sources: []string{"$request.header.Authorization"}},

		{name: "REST: what its policies name, always", kind: restKind, sources: restKey},
		{name: "REST: the route, the method and the path are among that", kind: restKind,
			reads: program.Reads{Route: true, Method: true, Path: true}, sources: restKey},
		{name: "REST: the source address", kind: restKind, reads: program.Reads{SourceIP: true}, sources: append(restKey, "context.identity.sourceIp")},
		{name: "REST: a header", kind: restKind, reads: program.Reads{Headers: []string{"x-tenant"}}, sources: restToken,
			off: "rules read all values of request.headers.x-tenant, and a REST API compares but one"},
		{name: "REST: a query parameter", kind: restKind, reads: program.Reads{Query: []string{"tenant"}}, sources: restToken,
			off: "request.queryParameters.tenant"},
		{name: "REST: without a cache, the token alone", kind: restKind, reads: everything, noCache: true, sources: restToken},
		{name: "REST: a header that may be absent", kind: restKind, reads: optionalHeader, sources: restToken, off: "request.headers.x"},

		{name: "WebSocket: the token alone", kind: webSocketKind, reads: everything, sources: []string{"route.request.header.Authorization"}},
		{name: "WebSocket: the token in the query", kind: webSocketKind, tokens: []TokenSource{TokenInQuery("token")},
			sources: []string{"route.request.querystring.token"}},
		{name: "WebSocket: the token in a sub-protocol", kind: webSocketKind, tokens: []TokenSource{TokenInSubprotocol()},
			sources: []string{"route.request.header.Sec-WebSocket-Protocol"}},
		{name: "WebSocket: the token in one of two places", kind: webSocketKind,
			tokens: []TokenSource{TokenInHeader("Authorization"), TokenInSubprotocol()}},
	} {
		t.Run(c.name, c.run)
	}
}
