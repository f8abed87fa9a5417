// Package apigw answers API Gateway's authorizer requests: it verifies the access token and asks the policy.
//
// # Events
//
// A [Handler] recognises what sent an event by the event itself: an HTTP API (payload formats 2.0 and 1.0), a REST API
// (REQUEST and TOKEN) or a WebSocket API ($connect). Rules mean the same for all of them:
//
//   - request.headers has lower-case names; a header or query parameter that was sent several times has all its values,
//     separated by commas. HTTP APIs deliver them so, REST APIs only do in the fields for several values, which are read.
//   - request.routeKey is "GET /documents/{id}" for a REST API too, made of method and resource. The event does not tell
//     whether the API has a resource for the very method or for ANY, so the policy's rules for "GET /documents/{id}" are
//     taken if it has some, and else those for "ANY /documents/{id}". A WebSocket API's route is "$connect"; it has no
//     method, path or path parameters.
//   - A TOKEN event tells nothing of the request but the token. With a policy that has rules for routes or rules that read
//     the request, every such event is a fault.
//
// # Outcomes
//
// What comes of a request is one of four outcomes:
//
//	              HTTP API                              REST and WebSocket API
//	allow         isAuthorized true, or policy Allow    policy Allow
//	deny          isAuthorized false, or policy Deny    policy Deny               403
//	invalid token like deny, see Handler.InvalidToken   the error "Unauthorized"  401
//	fault         an error                              an error                  500, never cached
//
// Deny: the token is valid, but a rule is not met. Invalid token: it is bad for good. Fault: nothing can be said now, since
// keys are unreachable or the next moment may change the verdict.
//
// A policy names the one method that was decided about, never more, so with a cache the identity sources of a REST API
// must tell methods and paths apart. A request whose ARN a policy cannot name exactly, because its path has a wildcard of
// IAM (*, ? or ${) or is too long, is refused.
//
// # Context
//
// The answer carries verified claims to the backend, which reads them with the package backend: under "claims", for simple
// responses as a JSON object and in answers with a policy, which take scalars only, as JSON text. They are sub, client_id
// and scopes (a list), and what the policy names under the authorizer's context. If the answer were larger than the 8 KB that API Gateway
// takes, claims are left out, the largest first; "omittedClaims" then lists their names, as does a line in the log.
package apigw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
)

var (
	// errUnauthorized has the one text that API Gateway turns into 401. For REST APIs AWS documents that; for HTTP APIs
	// it is not documented.
	errUnauthorized = errors.New("Unauthorized") //nolint:staticcheck // the text is API Gateway's
	errFault        = errors.New("the authorizer cannot decide now")
)

// Verifier verifies tokens. A [*token.RejectedError] means that the token is bad for good, any other error that it cannot
// be verified now. [token.Verifier] is one.
type Verifier interface {
	// Verify verifies an access token. What is an ID token gets [token.ErrIDToken].
	Verify(ctx context.Context, raw string) (*token.Token, error)

	// VerifyIDToken verifies an ID token. It is asked where the policy accepts them for a while.
	VerifyIDToken(ctx context.Context, raw string) (*token.Token, error)
}

// InvalidToken is how an HTTP API is told that a token is invalid.
type InvalidToken string

const (
	// Forbidden refuses: 403, cached, and no error in the function's metrics. It is the default.
	Forbidden InvalidToken = "forbidden"

	// Unauthorized answers with the error "Unauthorized". AWS documents that it becomes 401 for REST APIs only; what an
	// HTTP API makes of it is not documented. It counts as an error of the function.
	Unauthorized InvalidToken = "unauthorized"
)

// Response is the form of an answer to an HTTP API. The event does not tell which one the API is configured for.
type Response string

const (
	// Simple is a simple response. It is the default. Payload format 1.0 does not have it and always gets a policy.
	Simple Response = "simple"

	// IAMPolicy is an IAM policy for the one route and path that was decided about.
	IAMPolicy Response = "policy"
)

// Handler answers the authorizer requests of an API. It is a lambda.Handler, and safe for concurrent use.
type Handler struct {
	// Verifier verifies tokens.
	Verifier Verifier

	// Checker is the policy's authorizer that decides.
	Checker *program.Checker

	// Params are the values of the policy's params.
	Params map[string]string

	// Sources are the places where the token may be, of which exactly one must have one. A TOKEN event has its own. For
	// API Gateway they are identity sources, which it must know too. Default: [DefaultSources].
	Sources []Source

	// InvalidToken is the answer to an invalid token on an HTTP API. Default: [Forbidden].
	InvalidToken InvalidToken

	// Response is the form of answers to an HTTP API with payload format 2.0. Default: [Simple].
	Response Response

	// WWWAuthenticate puts into the context of a refusal, under "wwwAuthenticate", what RFC 6750 wants in the header of
	// that name, such as `Bearer error="insufficient_scope"`. A REST API's gateway response of type ACCESS_DENIED can send
	// it as $context.authorizer.wwwAuthenticate. An error, hence a REST API's 401, has no context. Default: false.
	WWWAuthenticate bool

	// Hooks are own code that runs after the policy has allowed a request, in this order, and may refuse it.
	Hooks []Hook

	// Now is the clock by which the policy's idTokens end. Default: [time.Now].
	Now func() time.Time

	// HookTimeout is the time that the hooks together may take. Default: 3 seconds.
	HookTimeout time.Duration

	// Logger gets one line for each request, without the place in the code: route, outcome and reasons, never a token or a
	// claim. A request with an ID token where the policy accepts it for a while is a warning, with the day on which that ends
	// as idTokensUntil.
	Logger *slog.Logger

	// Observe, if set, is told of each decision before it is answered. It must be quick, must not panic,
	// and must be safe for concurrent use.
	Observe func(Observation)
}

// The outcomes, as they are logged and observed.
const (
	allow   = "allow"
	deny    = "deny"
	invalid = "invalid token"
	fault   = "fault"
)

// decision is what comes of a request.
type decision struct {
	kind     kind
	route    string
	keyID    string
	idToken  bool // accepted for a while, see policy.IDTokens
	outcome  string
	why      string // the outcome is not allow, in a word: see Observation
	reasons  []program.Reason
	cause    string   // of a fault
	omitted  []string // claims that the backend does not get
	response []byte
	err      error
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// Invoke answers one request.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	start := time.Now()
	d := h.decide(ctx, payload)
	now := time.Now()
	took := now.Sub(start)
	h.log(ctx, &d, now, took)
	if h.Observe != nil {
		h.Observe(Observation{Outcome: d.outcome, Reason: d.why, Duration: took, Omitted: len(d.omitted), IDToken: d.idToken && d.keyID != ""})
	}
	return d.response, d.err
}

func (h *Handler) decide(ctx context.Context, payload []byte) (d decision) {
	defer func() {
		if r := recover(); r != nil {
			d.fail("panic", fmt.Errorf("panic of type %T", r))
		}
	}()
	sources := h.Sources
	if len(sources) == 0 {
		sources = DefaultSources
	}
	if _, own := h.Verifier.(*token.Verifier); !own || len(h.Hooks) > 0 {
		// Own code may keep what it gets, and Lambda's runtime reads the next event into the memory of this one.
		payload = bytes.Clone(payload)
	}
	reads := h.Checker.Reads()
	var e event
	err := e.decode(payload, needs{anyHeader: len(reads.Headers)+len(reads.Unkeyable)+len(h.Hooks) > 0, sources: sources})
	if err != nil {
		d.fail("event", err)
		return d
	}
	d.kind = e.kind
	e.request.RouteKey, e.request.Params = e.routeKey(h.Checker), h.Params
	d.route = e.request.RouteKey
	if e.blind(reads) {
		d.fail("event", errBlind)
		return d
	}

	raw, problem, none := e.credential(sources)
	if problem != "" {
		challenge := `Bearer error="invalid_token"`
		if none {
			challenge = "Bearer" // to ask for a token is no error yet
		}
		h.invalid(&d, &e, "credential", problem, challenge)
		return d
	}
	verified, err := h.Verifier.Verify(ctx, raw)
	if errors.Is(err, token.ErrIDToken) && h.Checker.AcceptsIDToken(d.route, h.now()) {
		d.idToken = true
		verified, err = h.Verifier.VerifyIDToken(ctx, raw)
	}
	if rejected, ok := errors.AsType[*token.RejectedError](err); ok {
		h.invalid(&d, &e, rejected.Check(), rejected.Reason, `Bearer error="invalid_token"`)
		return d
	}
	if err != nil {
		d.fail(undecided(err), err)
		return d
	}
	d.keyID = verified.KeyID

	checked, err := h.check(ctx, verified.Claims, e.request)
	if err != nil {
		d.fail("hook", err)
		return d
	}
	if checked.Allowed && h.usesPolicy(&e) && !nameable(e.arn) {
		checked = program.Decision{Reasons: []program.Reason{unnamed}}
	}
	if checked.Allowed {
		d.outcome = allow
		d.response, d.omitted, err = h.permission(&e, verified.Claims)
	} else {
		d.outcome, d.why, d.reasons = deny, denied(checked.Reasons), checked.Reasons
		d.response = h.refusal(&e, principalOf(verified.Claims), `Bearer error="insufficient_scope"`)
	}
	if err != nil {
		d.fail("answer", err)
	}
	return d
}

// invalid answers a token that is bad for good.
func (h *Handler) invalid(d *decision, e *event, why, reason, challenge string) {
	d.outcome, d.why, d.reasons = invalid, why, []program.Reason{{Path: "token", Message: reason}}
	if e.kind != http1 && e.kind != http2 || h.InvalidToken == Unauthorized {
		d.err = errUnauthorized
		return
	}
	d.response = h.refusal(e, "unverified", challenge)
}

// fail makes the outcome a fault.
func (d *decision) fail(why string, cause error) {
	*d = decision{kind: d.kind, route: d.route, keyID: d.keyID, idToken: d.idToken, outcome: fault, why: why, cause: cause.Error(), err: errFault}
}

// log logs a decision. It makes the record itself, since a Logger would look up where in the code that is.
func (h *Handler) log(ctx context.Context, d *decision, now time.Time, took time.Duration) {
	level := slog.LevelInfo
	if d.idToken { // soon they will be refused
		level = slog.LevelWarn
	}
	if d.outcome == fault {
		level = slog.LevelError
	}
	if handler := h.Logger.Handler(); handler.Enabled(ctx, level) {
		r := slog.NewRecord(now, level, "decision", 0)
		text := func(name, value string) {
			if value != "" {
				r.AddAttrs(slog.String(name, value))
			}
		}
		text("outcome", d.outcome)
		text("api", string(d.kind))
		text("route", d.route)
		text("keyId", d.keyID)
		text("error", d.cause)
		if d.reasons != nil {
			r.AddAttrs(slog.Any("reasons", d.reasons))
		}
		r.AddAttrs(slog.Int64("microseconds", took.Microseconds()))
		if d.idToken {
			text("idTokensUntil", h.Checker.IDTokensUntil().Format(time.DateOnly))
		}
		_ = handler.Handle(ctx, r) // nobody could be told but by the log
	}
	if len(d.omitted) > 0 {
		h.Logger.LogAttrs(ctx, slog.LevelWarn, "claims left out: the answer would exceed API Gateway's limit", slog.Any("claims", d.omitted),
			slog.Int("limit", maxAnswer))
	}
}
