package apigw

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/owncode"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Hook is own code that may refuse a request which the policy allows. It can never allow one that the policy refuses, for
// which it is not even run, nor change what the backend gets: claims and request are copies.
//
// claims are the verified token's payload, numbers as [json.Number]: of an access token, or of an ID token where the policy
// still accepts them (token_use tells). A refusal that is not empty denies (403); it is logged as the reason, never shown,
// and must hold no personal data. An error, a panic, and a hook that has not returned within [Handler.HookTimeout] are
// faults: the request fails with 500, which API Gateway does not cache. The log then gets the error's types alone.
//
// API Gateway repeats a decision for as long as its cache says, for all requests that are the same in what the policy's
// rules read. The construct turns the cache off for a program of one's own, unless its ResultsCacheTtl is set: do that only
// for hooks which go by nothing else of a request.
type Hook func(ctx context.Context, claims map[string]any, request program.Request) (refusal string, err error)

// check asks the policy, and then the hooks if it allows the request.
func (h *Handler) check(ctx context.Context, claims map[string]any, request program.Request) (program.Decision, error) {
	decision := h.Checker.Check(claims, request)
	if !decision.Allowed || len(h.Hooks) == 0 {
		return decision, nil
	}
	refused, err := h.runHooks(ctx, claims, request)
	if err != nil || refused != nil {
		return program.Decision{Reasons: refused}, err
	}
	return decision, nil
}

// runHooks asks the hooks. It returns why one of them refuses, or nil.
func (h *Handler) runHooks(ctx context.Context, claims map[string]any, request program.Request) ([]program.Reason, error) {
	ctx, cancel := owncode.Within(ctx, cmp.Or(h.HookTimeout, 3*time.Second))
	defer cancel()
	for i, hook := range h.Hooks {
		name := fmt.Sprintf("hooks[%d]", i)
		own, ownRequest := copyOf(claims).(map[string]any), copyOfRequest(request)
		refusal, err := owncode.Run(ctx, func() (string, error) { return hook(ctx, own, ownRequest) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if refusal != "" {
			return []program.Reason{{Path: name, Message: refusal}}, nil
		}
	}
	return nil, nil
}

// copyOf copies a value that was JSON.
func copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = copyOf(e)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i, e := range out {
			out[i] = copyOf(e)
		}
		return out
	default:
		return v
	}
}

func copyOfRequest(r program.Request) program.Request {
	for _, m := range []*map[string]string{&r.PathParameters, &r.QueryParameters, &r.Headers, &r.Params} {
		own := make(map[string]string, len(*m)) // never nil, since hooks may write to theirs
		maps.Copy(own, *m)
		*m = own
	}
	return r
}
