package pretoken

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// Hook is own code that runs after the policy, at each sign-in. It reads what is known of the sign-in, and sets and removes
// claims, scopes and groups in what the policy made of it:
//
//	pretoken.Start(pretoken.Hook(func(ctx context.Context, in policy.SignIn, out *policy.Minted) error {
//		out.Access["plan"] = "pro"
//		delete(out.Access, "trial")
//		return nil
//	}))
//
// The same is refused as in a policy, see [policy.Program.Accept]. Rules read only claims that the policy declares, so
// declare what the hook sets: {code: true, type: string}. It does not run for a sign-in that the policy refuses.
//
// [Deny] refuses the sign-in. Any other error is a fault: no tokens are issued, and the user is told to try again. A
// panic is a fault too. What the user is told is neutral in either case. Of a fault the log gets the error's types alone,
// since the texts of errors tend to quote what was asked for; a hook that has more to say logs it with [log/slog].
//
// The context ends before Cognito's patience does (see [Handler.Deadline]), and a hook that has not returned by then is
// not waited for. Cognito may call several times for one sign-in, so a hook must cope with being repeated.
type Hook func(ctx context.Context, in policy.SignIn, out *policy.Minted) error

func (hook Hook) apply(h *Handler) error {
	if hook == nil {
		return errors.New("a hook is nil")
	}
	h.Hooks = append(h.Hooks, hook)
	return nil
}

// Deny is the error with which a hook refuses a sign-in. The reason is logged, never shown, and must hold no personal
// data.
func Deny(reason string) error { return &denial{reason} }

type denial struct{ reason string }

func (d *denial) Error() string { return "denied: " + d.reason }

// runHooks changes what the policy minted, and holds the result against the policy's refusals.
func (h *Handler) runHooks(ctx context.Context, in policy.SignIn, minted policy.Minted) (policy.Minted, error) {
	for i, hook := range h.Hooks {
		if err := runHook(ctx, hook, in, &minted); err != nil {
			reason := policy.Reason{Path: fmt.Sprintf("hooks[%d]", i)}
			if d, ok := errors.AsType[*denial](err); ok {
				reason.Message = d.reason
				return policy.Minted{Refusals: []policy.Reason{reason}}, nil
			}
			return policy.Minted{}, fmt.Errorf("%s: %w", reason.Path, err)
		}
	}
	return h.Program.Accept(in, minted), nil
}

// runHook runs one hook until the context ends. What a hook that is not waited for does to the claims afterwards reaches
// nobody: the sign-in has failed, and they are not read again.
func runHook(ctx context.Context, hook Hook, in policy.SignIn, minted *policy.Minted) error {
	type result struct {
		minted policy.Minted
		err    error
	}
	done := make(chan result, 1)
	go func() {
		out := *minted
		defer func() {
			if r := recover(); r != nil {
				done <- result{err: fmt.Errorf("panic of type %T", r)}
			}
		}()
		err := hook(ctx, in, &out)
		if err != nil {
			err = neutral(ctx, err)
		}
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		if r.err == nil {
			*minted = r.minted
		}
		return r.err
	case <-ctx.Done():
		return errors.New("has not returned in time")
	}
}

// neutral keeps of a hook's error what holds no data.
func neutral(ctx context.Context, err error) error {
	if d, ok := errors.AsType[*denial](err); ok {
		return d
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("ran out of time")
	}
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return fmt.Errorf("error of type %s", strings.Join(types, ", "))
}
