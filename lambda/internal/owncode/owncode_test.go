package owncode

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		f    func(context.Context) (int, error)
		want string
	}{
		"a value":                      {func(context.Context) (int, error) { return 7, nil }, "7 <nil>"},
		"an error, with a value":       {func(context.Context) (int, error) { return 7, fmt.Errorf("of ann: %w", errors.New("acme")) }, "0 error of type *fmt.wrapError, *errors.errorString"},
		"a panic":                      {func(context.Context) (int, error) { panic("acme") }, "0 panic of type string"},
		"a deadline of its own":        {func(context.Context) (int, error) { return 0, fmt.Errorf("acme: %w", context.DeadlineExceeded) }, "0 ran out of time"},
		"an error when time is up":     {func(ctx context.Context) (int, error) { time.Sleep(time.Second - 1); return 0, errors.New("acme") }, "0 error of type *errors.errorString"},
		"what does not return in time": {func(ctx context.Context) (int, error) { time.Sleep(time.Minute); return 7, nil }, "0 has not returned in time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				v, err := Run(ctx, func() (int, error) { return c.f(ctx) })
				if got := fmt.Sprint(v, " ", err); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				time.Sleep(time.Hour) // until all have returned
			})
		})
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ function, want time.Duration }{
		"without a deadline":   {0, 3 * time.Second},
		"with time to spare":   {5 * time.Second, 3 * time.Second},
		"with less than asked": {2 * time.Second, 1900 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.function > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.function)
					defer cancel()
				}
				ctx, cancel := Within(ctx, 3*time.Second)
				defer cancel()
				if end, ok := ctx.Deadline(); !ok || time.Until(end) != c.want {
					t.Errorf("ends in %v, want %v", time.Until(end), c.want)
				}
			})
		})
	}
}
