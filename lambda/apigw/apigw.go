// Package apigw answers API Gateway's authorizer requests: it verifies the access token and asks the policy.
//
// What comes of a request is one of four outcomes:
//
//   - allow: the token is valid and every rule of the route is met;
//   - deny: the token is valid, but a rule is not met: 403;
//   - invalid token: the token is bad for good: 403 or 401, see [Handler.InvalidToken];
//   - fault: nothing can be said now, since keys are unreachable or the next moment may change the verdict: an error,
//     which API Gateway answers with 500 and does not cache.
//
// A backend reads the verified claims with the package backend.
package apigw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
)

var (
	// errUnauthorized has the one text that API Gateway turns into 401. For REST APIs AWS documents that; for HTTP APIs
	// it is not documented.
	errUnauthorized = errors.New("Unauthorized") //nolint:staticcheck // the text is API Gateway's
	errFault        = errors.New("the authorizer cannot decide now")
)

// Verifier verifies an access token. A [*token.RejectedError] means that the token is bad for good, any other error that
// it cannot be verified now. [token.Verifier] is one.
type Verifier interface {
	Verify(ctx context.Context, raw string) (*token.Token, error)
}

// InvalidToken is how an HTTP API is told that a token is invalid.
type InvalidToken string

const (
	// Forbidden answers isAuthorized false: 403, cached, and no error in the function's metrics. It is the default.
	Forbidden InvalidToken = "forbidden"

	// Unauthorized answers with the error "Unauthorized". AWS documents that it becomes 401 for REST APIs only; what an
	// HTTP API makes of it is not documented. It counts as an error of the function.
	Unauthorized InvalidToken = "unauthorized"
)

// Handler answers the authorizer requests of one HTTP API: payload format 2.0, simple responses. It is a lambda.Handler.
type Handler struct {
	// Verifier verifies tokens.
	Verifier Verifier

	// Program is the policy, and Checker the one of its authorizers that decides.
	Program *policy.Program
	Checker *policy.Checker

	// Params are the values of the policy's params.
	Params map[string]string

	// InvalidToken is the answer to an invalid token. Default: [Forbidden].
	InvalidToken InvalidToken

	// Hooks are own code that runs after the policy has allowed a request, in this order, and may refuse it.
	Hooks []Hook

	// HookTimeout is the time that the hooks together may take. Default: 3 seconds.
	HookTimeout time.Duration

	// Logger gets one line for each request: route, outcome and reasons, never a token or a claim.
	Logger *slog.Logger
}

// answer is a simple response.
type answer struct {
	IsAuthorized bool           `json:"isAuthorized"`
	Context      map[string]any `json:"context,omitempty"`
}

// Invoke answers one request.
func (h *Handler) Invoke(ctx context.Context, payload []byte) (response []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			h.Logger.ErrorContext(ctx, "decision", "outcome", "fault", "error", fmt.Sprintf("panic of type %T", r))
			response, err = nil, errFault
		}
	}()
	e, err := decode(payload)
	if err != nil {
		h.Logger.ErrorContext(ctx, "decision", "outcome", "fault", "error", err.Error())
		return nil, errFault
	}
	log := h.Logger.With("route", e.RouteKey)

	raw, problem := bearer(e.credentials())
	if problem != "" {
		return h.invalid(ctx, log, problem)
	}
	verified, err := h.Verifier.Verify(ctx, raw)
	if rejected, ok := errors.AsType[*token.RejectedError](err); ok {
		return h.invalid(ctx, log, rejected.Reason)
	}
	if err != nil {
		log.ErrorContext(ctx, "decision", "outcome", "fault", "error", err.Error())
		return nil, errFault
	}
	log = log.With("keyId", verified.KeyID)

	decision, err := h.check(ctx, verified.Claims, e.request(h.Params))
	if err != nil {
		log.ErrorContext(ctx, "decision", "outcome", "fault", "error", err.Error())
		return nil, errFault
	}
	if !decision.Allowed {
		log.InfoContext(ctx, "decision", "outcome", "deny", "reasons", decision.Reasons)
		return json.Marshal(answer{})
	}
	log.InfoContext(ctx, "decision", "outcome", "allow")
	return json.Marshal(answer{IsAuthorized: true, Context: map[string]any{"claims": h.backendClaims(verified.Claims)}})
}

// invalid answers a token that is bad for good.
func (h *Handler) invalid(ctx context.Context, log *slog.Logger, reason string) ([]byte, error) {
	log.InfoContext(ctx, "decision", "outcome", "invalid token", "reasons", []policy.Reason{{Path: "token", Message: reason}})
	if h.InvalidToken == Unauthorized {
		return nil, errUnauthorized
	}
	return json.Marshal(answer{})
}

// backendClaims are the verified claims that a backend gets: who calls through which client, the scopes and groups as
// lists, and the policy's own claims, as they are in the token.
func (h *Handler) backendClaims(payload map[string]any) map[string]any {
	claims := map[string]any{}
	for _, name := range append(h.Program.ClaimNames(), "sub", "client_id") {
		if v, ok := payload[name]; ok {
			claims[name] = v
		}
	}
	scope, _ := payload["scope"].(string)
	claims["scopes"] = strings.Fields(scope)
	claims["groups"] = []any{}
	if groups, ok := payload["cognito:groups"].([]any); ok {
		claims["groups"] = groups
	}
	return claims
}
