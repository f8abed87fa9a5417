package pretoken

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/claimsmith/claimsmith/lambda/internal/owncode"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Hook is own code that runs after the policy, at each sign-in. It reads what is known of the sign-in, and sets and removes
// claims, scopes and groups in what the policy made of it:
//
//	pretoken.Start(pretoken.Hook(func(ctx context.Context, in program.SignIn, out *program.Minted) error {
//		out.Access["plan"] = "pro"
//		delete(out.Access, "trial")
//		return nil
//	}))
//
// The same is refused as in a policy, see [program.Program.Accept]. Rules read only claims that the policy declares, so
// declare what the hook sets: {code: true, type: string}. It does not run for a sign-in that the policy refuses.
//
// [Deny] refuses the sign-in. Any other error is a fault: no tokens are issued, and the user is told to try again. A
// panic is a fault too. What the user is told is neutral in either case. Of a fault the log gets the error's types alone,
// since the texts of errors tend to quote what was asked for; a hook that has more to say logs it with [log/slog].
//
// The context ends before Cognito's patience does (see [Handler.Deadline]), and a hook that has not returned by then is
// not waited for. Cognito may call several times for one sign-in, so a hook must cope with being repeated.
type Hook func(ctx context.Context, in program.SignIn, out *program.Minted) error

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
func (h *Handler) runHooks(ctx context.Context, in program.SignIn, minted program.Minted) (program.Minted, error) {
	// A hook that is not waited for may go on changing claims. They reach nobody: the sign-in has failed by then.
	type result struct {
		minted program.Minted
		denial *denial
	}
	in.Params = maps.Clone(in.Params)
	for i, hook := range h.Hooks {
		name := fmt.Sprintf("hooks[%d]", i)
		r, err := owncode.Run(ctx, func() (r result, err error) {
			r.minted = minted
			err = hook(ctx, in, &r.minted)
			if d, ok := errors.AsType[*denial](err); ok {
				return result{denial: d}, nil
			}
			return r, err
		})
		if err != nil {
			return program.Minted{}, fmt.Errorf("%s: %w", name, err)
		}
		if r.denial != nil {
			return program.Minted{Refusals: []program.Reason{{Path: name, Message: r.denial.reason}}}, nil
		}
		minted = r.minted
	}
	accepted := h.Program.Accept(in, minted)
	shapes := len(accepted.Access) + len(accepted.SuppressInAccess) + len(accepted.ScopesToAdd) + len(accepted.ScopesToSuppress)
	if h.Version == V1 && shapes > 0 {
		return program.Minted{Refusals: []program.Reason{{Path: "hooks", Message: "shape the access token, which trigger version V1_0 cannot"}}}, nil
	}
	return accepted, nil
}
