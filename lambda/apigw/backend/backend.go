// Package backend is for the functions behind a protected route: it hands them the verified claims.
//
//	func handle(ctx context.Context, event json.RawMessage) (…) {
//		var caller struct {
//			Sub       string   `json:"sub"`
//			Scopes    []string `json:"scopes"`
//			CompanyID string   `json:"company_id"`
//		}
//		if err := backend.FromEvent(event, &caller); err != nil {
//			return …, err // a fault of the deployment, nothing that the client can mend
//		}
//
// [FromEvent] takes the event's bytes, of any kind of API, and numbers are exact. [Claims] is for functions that have the
// event decoded already, for instance into the types of aws-lambda-go.
//
// There are always sub and client_id as far as the token has them, and scopes (a list of strings), and unless the
// authorizer is told otherwise groups (a list of strings) and the policy's own claims, in their own nesting.
//
// It depends on the standard library alone, so that a backend stays small.
package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrUnprotected means that no Claimsmith authorizer decided about the request: the route is public, or it has another
// authorizer. It does not say that the caller is unknown; treat it as a fault of the deployment.
var ErrUnprotected = errors.New("backend: the request has no verified claims: the route has no Claimsmith authorizer")

// IncompleteError means that API Gateway could not carry all claims, so the authorizer left some out. All others have been
// read. A backend that can do without those in Omitted may go on; the remedy is to let the authorizer hand over fewer.
type IncompleteError struct {
	// Omitted are the names of the claims left out.
	Omitted []string
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("backend: the authorizer left out claims for which there was no room: %s", strings.Join(e.Omitted, ", "))
}

// FromEvent writes the verified claims into dst, a pointer to a struct with JSON tags or to a map. event is the event of a
// function behind an HTTP API (either payload format), a REST API or a WebSocket API (any route), as it arrived. In maps
// and other dynamic values, numbers are [json.Number].
//
// It returns [ErrUnprotected] when the request has no claims of a Claimsmith authorizer, and an [*IncompleteError] when it
// does not have all.
func FromEvent(event []byte, dst any) error {
	var e struct {
		RequestContext struct {
			Authorizer map[string]json.RawMessage `json:"authorizer"`
		} `json:"requestContext"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return errors.New("backend: the event is not one of API Gateway") // without the error's text, which may quote it
	}
	context := e.RequestContext.Authorizer
	if inner, ok := context["lambda"]; ok { // an HTTP API, payload format 2.0
		context = nil
		if err := json.Unmarshal(inner, &context); err != nil {
			return ErrUnprotected
		}
	}
	return read(context["claims"], context["omittedClaims"], dst)
}

// Claims does the same as [FromEvent] with the authorizer's context of a decoded event. With the types of aws-lambda-go:
//
//	APIGatewayV2HTTPRequest           RequestContext.Authorizer.Lambda (Authorizer is nil for a public route)
//	APIGatewayProxyRequest            RequestContext.Authorizer
//	APIGatewayWebsocketProxyRequest   RequestContext.Authorizer.(map[string]any)
//
// Those types turn numbers into float64, so integers beyond 2^53 may have been rounded on the way from an HTTP API. Such a
// number is not read into an integer: that is an error, whose remedy is FromEvent.
func Claims(authorizer map[string]any, dst any) error {
	var parts [2]json.RawMessage
	for i, name := range []string{"claims", "omittedClaims"} {
		if value, ok := authorizer[name]; ok {
			encoded, err := json.Marshal(mark(value))
			if err != nil {
				return fmt.Errorf("backend: the authorizer's context is no JSON: %w", err)
			}
			parts[i] = encoded
		}
	}
	return read(parts[0], parts[1], dst)
}

// mark replaces numbers that may have been rounded by the same in a form that is none of an integer.
func mark(value any) any {
	switch v := value.(type) {
	case float64:
		if math.Abs(v) >= 1<<53 {
			return json.Number(strconv.FormatFloat(v, 'e', -1, 64))
		}
	case []any:
		marked := make([]any, len(v))
		for i := range v {
			marked[i] = mark(v[i])
		}
		return marked
	case map[string]any:
		marked := make(map[string]any, len(v))
		for name := range v {
			marked[name] = mark(v[name])
		}
		return marked
	}
	return value
}

// read reads the claims, which are an object or the text of one.
func read(claims, omitted json.RawMessage, dst any) error {
	claims, omitted = inner(claims), inner(omitted)
	var missing []string
	if len(omitted) > 0 && json.Unmarshal(omitted, &missing) != nil {
		return ErrUnprotected
	}
	// Other authorizers have claims too. API Gateway's own ones have strings alone, and null where there was no token.
	var ours struct {
		Scopes []string `json:"scopes"`
	}
	if json.Unmarshal(claims, &ours) != nil || ours.Scopes == nil && len(missing) == 0 {
		return ErrUnprotected
	}
	decoder := json.NewDecoder(bytes.NewReader(claims))
	decoder.UseNumber()
	err := decoder.Decode(dst)
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // whose text has the value
		err = fmt.Errorf("claim %q is no %s", mismatch.Field, mismatch.Type)
		if strings.HasPrefix(mismatch.Value, "number ") {
			err = fmt.Errorf("%w: it is too large or not exact; integers beyond 2^53 can be read with FromEvent", err)
		}
	}
	if err != nil {
		return fmt.Errorf("backend: the verified claims do not fit %T: %w", dst, err)
	}
	if len(missing) > 0 {
		return &IncompleteError{Omitted: missing}
	}
	return nil
}

// inner returns the JSON that a JSON string has as its text, or the value itself if it is no string.
func inner(value json.RawMessage) json.RawMessage {
	var text string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil {
		return value
	}
	return json.RawMessage(text)
}
