// Package pretoken answers Cognito's pre token generation trigger with a claim policy.
//
// It translates an event into a [program.SignIn] and what the policy makes of it into the trigger's answer. It decides
// nothing itself. See https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html.
package pretoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/owncode"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Cognito shows these texts to whoever signs in, followed by a full stop, so they say nothing about the user or the
// policy. The log has the reasons.
var (
	errRefused = errors.New("sign-in is not permitted for this account")
	errFault   = errors.New("sign-in is temporarily not possible")
)

// V1 is the trigger version V1_0, see [Handler.Version].
const V1 = "V1_0"

// Handler answers pre token generation events. It is a lambda.Handler.
type Handler struct {
	// Program is the policy.
	Program *program.Program

	// Params are the values of the policy's params.
	Params map[string]string

	// Version is the version with which the pool calls the trigger: V1_0, V2_0 or V3_0. What the event says of it is not
	// relied upon. V1_0 shapes ID tokens alone, so it needs a policy that does not shape access tokens; values that are no
	// text become their JSON. Default: V2_0.
	Version string

	// Lookup fetches the rows of the policy's lookups. Needed only when it has some.
	Lookup LookupFunc

	// Hooks are own code that runs after the policy, in this order.
	Hooks []Hook

	// Deadline is the time that lookups and hooks may take, or less when Lambda ends the function sooner. Default: 4.5
	// seconds, half a second less than Cognito waits
	// (https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html).
	Deadline time.Duration

	// Logger gets one line for each event: the outcome and its reasons, never a claim, an attribute or a user's name.
	Logger *slog.Logger

	// Observe, if set, is told of each answer before it is given. It must be quick, must not panic,
	// and must be safe for concurrent use.
	Observe func(Observation)
}

// The outcomes, as they are logged and observed.
const (
	issued  = "issued"
	refused = "refused"
	fault   = "fault"
)

// minting is what comes of an event.
type minting struct {
	Observation
	input   *input // nil when the event could not be read
	reasons []program.Reason
	omitted []program.Reason
	cause   string // of a fault
	answer  []byte
	err     error
}

// Invoke answers one event. An error means that Cognito issues no tokens: a refusal by the policy, or a fault. Its text
// is neutral. Cognito may repeat a call; the answer depends on nothing but the event and the rows that are looked up.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	start := time.Now()
	m := h.mint(ctx, payload)
	m.Duration = time.Since(start)
	h.log(ctx, &m)
	if h.Observe != nil {
		h.Observe(m.Observation)
	}
	return m.answer, m.err
}

func (h *Handler) mint(ctx context.Context, payload []byte) (m minting) {
	// The runtime would send a panic's text to Cognito and so to the client.
	defer func() {
		if r := recover(); r != nil {
			m.fail(fmt.Sprintf("panic of type %T", r))
		}
	}()
	ctx, cancel := owncode.Within(ctx, cmp.Or(h.Deadline, 4500*time.Millisecond))
	defer cancel()
	e, in, err := decode(payload, h.Params)
	if err != nil {
		m.fail(err.Error())
		return m
	}
	m.input = in
	signIn := in.signIn
	if requests := h.Program.Lookups(signIn); len(requests) > 0 && h.Lookup != nil {
		start := time.Now()
		signIn.Found = h.Lookup(ctx, requests)
		m.Lookup = time.Since(start)
		for _, request := range requests {
			if found, ok := signIn.Found[request.Name]; !ok || found.Problem != "" {
				m.LookupFailures++
			}
		}
	}
	minted := h.Program.Mint(signIn)
	if minted.Issue && len(h.Hooks) > 0 {
		if minted, err = h.runHooks(ctx, signIn, minted); err != nil {
			m.fail(err.Error())
			return m
		}
	}
	switch {
	case minted.Fault:
		m.fail("")
		m.reasons = minted.Refusals
	case !minted.Issue:
		m.Outcome, m.reasons, m.err = refused, minted.Refusals, errRefused
	default:
		m.Outcome, m.omitted, m.Omitted = issued, minted.Omitted, len(minted.Omitted)
		if m.answer, err = e.answer(in, minted, h.Version); err != nil {
			m.fail("the answer cannot be encoded")
		}
	}
	return m
}

// fail makes the outcome a fault.
func (m *minting) fail(cause string) {
	*m = minting{Observation: m.Observation, input: m.input, cause: cause, err: errFault}
	m.Outcome, m.Omitted = fault, 0
}

func (h *Handler) log(ctx context.Context, m *minting) {
	attrs := make([]slog.Attr, 0, 8)
	if m.input != nil {
		attrs = append(attrs, slog.String("triggerSource", m.input.signIn.TriggerSource), slog.String("clientId", m.input.signIn.ClientID))
	}
	if m.Lookup > 0 {
		attrs = append(attrs, slog.Int64("lookupMicroseconds", m.Lookup.Microseconds()))
	}
	attrs = append(attrs, slog.Int64("microseconds", m.Duration.Microseconds()), slog.String("outcome", m.Outcome))
	if m.cause != "" {
		attrs = append(attrs, slog.String("error", m.cause))
	}
	if m.reasons != nil {
		attrs = append(attrs, slog.Any("reasons", m.reasons))
	}
	if len(m.omitted) > 0 {
		attrs = append(attrs, slog.Any("omitted", m.omitted))
	}
	level := slog.LevelInfo
	switch m.Outcome {
	case refused:
		level = slog.LevelWarn
	case fault:
		level = slog.LevelError
	}
	h.Logger.LogAttrs(ctx, level, "mint", attrs...)
}
