package apigw

import (
	"fmt"
	"slices"
	"strings"
)

// Source is a place in a request where the access token may be.
type Source struct {
	// In is the part of the request.
	In Place

	// Name is the name of the header, query parameter or cookie. A [Subprotocol] has none.
	Name string
}

// Place is a part of a request.
type Place string

const (
	// Header is a header, by its name in any case. The token stands alone or after "Bearer", in any case.
	Header Place = "header"

	// Query is a query parameter, by its exact name. Think twice: URLs are logged, by API Gateway's own access logs too if
	// they are told to. Browsers have nothing better for WebSockets but a [Subprotocol].
	Query Place = "query"

	// Cookie is a cookie, by its exact name. Browsers send cookies with requests that other sites cause, so the API must
	// have a defence against cross-site request forgery.
	Cookie Place = "cookie"

	// Subprotocol is one of the sub-protocols that a WebSocket client offers: "bearer." and the token. It is how a browser
	// can send a token outside the URL:
	//
	//	new WebSocket(url, ["documents.v1", "bearer." + token])
	//
	// A client that offers sub-protocols expects the server to choose one of them: the function behind $connect answers
	// with the header Sec-WebSocket-Protocol: documents.v1, the real protocol and never the one with the token.
	Subprotocol Place = "subprotocol"
)

// tokenPrefix begins the sub-protocol that is a token.
const tokenPrefix = "bearer."

// DefaultSources are where a [Handler] looks unless it is told otherwise: the Authorization header.
var DefaultSources = []Source{{In: Header, Name: "Authorization"}}

// String returns the source in the form that [ParseSources] reads.
func (s Source) String() string {
	if s.In == Subprotocol {
		return string(s.In)
	}
	return string(s.In) + ":" + s.Name
}

// ParseSources reads a comma-separated list such as "header:Authorization,query:token,cookie:session,subprotocol".
func ParseSources(text string) ([]Source, error) {
	var sources []Source
	for part := range strings.SplitSeq(text, ",") {
		in, name, _ := strings.Cut(strings.TrimSpace(part), ":")
		source := Source{In: Place(in), Name: name}
		known := slices.Contains([]Place{Header, Query, Cookie}, source.In) && name != "" || source == Source{In: Subprotocol}
		if !known {
			return nil, fmt.Errorf("apigw: %q is no source of tokens; allowed are header:<name>, query:<name>, cookie:<name> and subprotocol", part)
		}
		if slices.Contains(sources, source) {
			return nil, fmt.Errorf("apigw: the source of tokens %q is listed twice", part)
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// header is the name of the header that a source is in, if it is in one.
func (s Source) header() string {
	switch s.In {
	case Header:
		return s.Name
	case Cookie:
		return "Cookie"
	case Subprotocol:
		return "Sec-WebSocket-Protocol"
	default:
		return ""
	}
}

// credential takes the token out of a request. It must be in exactly one of the sources: of two tokens one might be meant
// for somebody else. What is there but empty counts. none tells that the request has no token at all.
func (e *event) credential(sources []Source) (raw, problem string, none bool) {
	if e.kind == restToken { // the gateway took it from the one header that it was told
		raw, problem = single(func() string { return "the token's header" }, e.token, true)
		return raw, problem, false
	}
	found := 0
	for _, source := range sources {
		if text, ok := e.find(source); ok {
			raw, problem = single(source.String, text, source.In == Header)
			found++
		}
	}
	switch found {
	case 0:
		return "", fmt.Sprintf("no token in %s", sources), true
	case 1:
		return raw, problem, false
	default:
		return "", fmt.Sprintf("tokens in more than one of %s", sources), false
	}
}

// find returns what is in a place, and whether anything is. Several values are separated by commas.
func (e *event) find(source Source) (string, bool) {
	var values []string
	switch source.In {
	case Header:
		return e.headers.find(source.Name, strings.EqualFold)
	case Query:
		return e.query.find(source.Name, func(a, b string) bool { return a == b })
	case Cookie:
		for pair := range strings.SplitSeq(e.cookies, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name == source.Name {
				values = append(values, value)
			}
		}
	case Subprotocol:
		offers, _ := e.headers.find(source.header(), strings.EqualFold)
		for offer := range strings.SplitSeq(offers, ",") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(offer), tokenPrefix); ok {
				values = append(values, value)
			}
		}
	}
	return strings.Join(values, ","), len(values) > 0
}

// single takes the token out of a text that has nothing else, unless a scheme is allowed before it: "Bearer", in any case
// and with any number of blanks. The problem tells other schemes, several tokens, and nothing at all.
func single(place func() string, text string, scheme bool) (raw, problem string) {
	const bearer, blank = "Bearer", " \t"
	raw = strings.Trim(text, blank)
	if scheme && len(raw) >= len(bearer) && strings.EqualFold(raw[:len(bearer)], bearer) {
		rest := strings.TrimLeft(raw[len(bearer):], blank)
		if rest == "" {
			return "", place() + " has a scheme but no token"
		}
		if len(bearer)+len(rest) < len(raw) { // else it is a word that merely begins like that
			raw, scheme = rest, false
		}
	}
	switch {
	case strings.Contains(raw, ","):
		return "", place() + " has several values"
	case raw == "":
		return "", place() + " is empty"
	case strings.IndexByte(raw, ' ') < 0 && strings.IndexByte(raw, '\t') < 0:
		return raw, ""
	case scheme:
		return "", place() + " has another scheme than Bearer"
	default:
		return "", place() + " has several tokens"
	}
}
