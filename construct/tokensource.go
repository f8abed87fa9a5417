package construct

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// TokenSource is a place in a request from which an authorizer takes the access token: [TokenInHeader], [TokenInQuery],
// [TokenInCookie] or [TokenInSubprotocol].
type TokenSource struct{ in, name string }

const (
	inHeader      = "header"
	inQuery       = "query"
	inCookie      = "cookie"
	inSubprotocol = "subprotocol"
)

// TokenInHeader is a header, in which the token stands alone or after "Bearer". The default is the Authorization header.
func TokenInHeader(name string) TokenSource { return TokenSource{inHeader, name} }

// TokenInQuery is a query parameter. Think twice: URLs are logged.
func TokenInQuery(name string) TokenSource { return TokenSource{inQuery, name} }

// TokenInCookie is a cookie. Decisions are not cached, since API Gateway cannot be keyed on one cookie. Browsers send
// cookies with requests that other sites cause, so the API must defend itself against cross-site request forgery.
func TokenInCookie(name string) TokenSource { return TokenSource{inCookie, name} }

// TokenInSubprotocol is one of the sub-protocols that a WebSocket client offers: "bearer." and the token. It is how
// browsers, which cannot set headers there, send a token outside the URL:
//
//	new WebSocket(url, ["documents.v1", "bearer." + token])
//
// The function behind $connect must answer with the header Sec-WebSocket-Protocol: documents.v1, or browsers close the
// connection.
func TokenInSubprotocol() TokenSource { return TokenSource{in: inSubprotocol} }

// defaultTokenSources are those of an authorizer of which props.TokenSources says nothing.
// The function's own default is the same.
var defaultTokenSources = []TokenSource{TokenInHeader("Authorization")}

// String is the form in which the authorizer function reads it.
func (s TokenSource) String() string {
	if s.in == inSubprotocol {
		return s.in
	}
	return s.in + ":" + s.name
}

// parameter is the source as API Gateway names it, after the prefix of the kind of API.
func (s TokenSource) parameter() string {
	switch s.in {
	case inQuery:
		return "querystring." + s.name
	case inCookie:
		return "header.Cookie"
	case inSubprotocol:
		return "header.Sec-WebSocket-Protocol"
	default:
		return "header." + s.name
	}
}

// isHeader tells that the source is the header of that name, in any case.
func (s TokenSource) isHeader(name string) bool {
	return s.in == inHeader && strings.EqualFold(s.name, name)
}

// sourceName is what API Gateway takes as the name of a header or query parameter in an identity source.
var sourceName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (s TokenSource) validate() error {
	switch {
	case s.in == "":
		return errors.New("is empty: it is TokenInHeader, TokenInQuery, TokenInCookie or TokenInSubprotocol")
	case s.in != inSubprotocol && !sourceName.MatchString(s.name):
		return fmt.Errorf("has the name %q: API Gateway takes letters, digits, '.', '_' and '-'", s.name)
	}
	return nil
}

// sourceList is the list in the form in which the authorizer function reads it.
func sourceList(sources []TokenSource) string {
	var texts []string
	for _, source := range sources {
		texts = append(texts, source.String())
	}
	return strings.Join(texts, ",")
}
