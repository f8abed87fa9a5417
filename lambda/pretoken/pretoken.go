// Package pretoken answers Cognito's pre token generation trigger with a claim policy.
//
// It translates an event into a [policy.SignIn] and what the policy makes of it into the trigger's answer. It decides
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
	"github.com/claimsmith/claimsmith/lambda/policy"
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
	Program *policy.Program

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
}

// Invoke answers one event. An error means that Cognito issues no tokens: a refusal by the policy, or a fault. Its text
// is neutral. Cognito may repeat a call; the answer depends on nothing but the event and the rows that are looked up.
func (h *Handler) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	// The runtime would send a panic's text to Cognito and so to the client.
	defer func() {
		if r := recover(); r != nil {
			h.Logger.ErrorContext(ctx, "mint", "outcome", "fault", "error", fmt.Sprintf("panic of type %T", r))
			answer, err = nil, errFault
		}
	}()
	ctx, cancel := owncode.Within(ctx, cmp.Or(h.Deadline, 4500*time.Millisecond))
	defer cancel()
	e, in, err := decode(payload)
	if err != nil {
		h.Logger.ErrorContext(ctx, "mint", "outcome", "fault", "error", err.Error())
		return nil, errFault
	}
	about := []any{"triggerSource", string(in.TriggerSource), "clientId", string(in.CallerContext.ClientID)}
	signIn := in.signIn(h.Params)
	if requests := h.Program.Lookups(signIn); len(requests) > 0 && h.Lookup != nil {
		start := time.Now()
		signIn.Found = h.Lookup(ctx, requests)
		about = append(about, "lookupMilliseconds", time.Since(start).Milliseconds())
	}
	minted := h.Program.Mint(signIn)
	if minted.Issue && len(h.Hooks) > 0 {
		if minted, err = h.runHooks(ctx, signIn, minted); err != nil {
			h.Logger.ErrorContext(ctx, "mint", append(about, "outcome", "fault", "error", err.Error())...)
			return nil, errFault
		}
	}
	switch {
	case minted.Fault:
		h.Logger.ErrorContext(ctx, "mint", append(about, "outcome", "fault", "reasons", minted.Refusals)...)
		return nil, errFault
	case !minted.Issue:
		h.Logger.WarnContext(ctx, "mint", append(about, "outcome", "refused", "reasons", minted.Refusals)...)
		return nil, errRefused
	}
	answer, err = e.answer(in, minted, h.Version)
	if err != nil {
		h.Logger.ErrorContext(ctx, "mint", append(about, "outcome", "fault", "error", "the answer cannot be encoded")...)
		return nil, errFault
	}
	if len(minted.Omitted) > 0 {
		about = append(about, "omitted", minted.Omitted)
	}
	h.Logger.InfoContext(ctx, "mint", append(about, "outcome", "issued")...)
	return answer, nil
}
