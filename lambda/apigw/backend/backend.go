// Package backend is for the functions behind a protected route: it hands them the verified claims.
//
// It depends on the standard library alone, so that a backend stays small.
package backend

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnprotected means that no Claimsmith authorizer decided about the request: the route is public, or it has another
// authorizer. It does not say that the caller is unknown; treat it as a fault of the deployment.
var ErrUnprotected = errors.New("backend: the request has no verified claims: the route has no Claimsmith authorizer")

// Claims writes the verified claims into dst, a pointer to a struct with JSON tags or to a map. authorizer is the context
// of a Lambda authorizer: of an HTTP API event (payload format 2.0) RequestContext.Authorizer.Lambda.
//
// There are always sub, client_id, scopes and groups (lists of strings) as far as the token has them, and the policy's
// own claims, in their own nesting. It returns [ErrUnprotected] when the context is not that of a Claimsmith authorizer.
func Claims(authorizer map[string]any, dst any) error {
	claims, ok := authorizer["claims"].(map[string]any)
	if !ok {
		return ErrUnprotected
	}
	encoded, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("backend: the verified claims are no JSON: %w", err)
	}
	if err := json.Unmarshal(encoded, dst); err != nil {
		return fmt.Errorf("backend: the verified claims do not fit %T: %w", dst, err)
	}
	return nil
}
