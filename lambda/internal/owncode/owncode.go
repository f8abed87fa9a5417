// Package owncode runs code that is the user's own, so that whatever it does there is an answer, and no data in the log.
package owncode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// margin is what it takes to answer once time is up.
const margin = 100 * time.Millisecond

// Within is the context for what may take so long, but has to end before Lambda ends the function.
func Within(ctx context.Context, long time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		long = min(long, time.Until(end)-margin)
	}
	return context.WithTimeout(ctx, long)
}

// Run runs f until the context ends, and does not wait for it any longer. Of an error or a panic it keeps the types alone,
// since texts tend to quote what was asked for.
func Run[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- result{err: fmt.Errorf("panic of type %T", r)}
			}
		}()
		value, err := f()
		if err != nil {
			done <- result{err: neutral(ctx, err)}
			return
		}
		done <- result{value: value}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), errors.New("has not returned in time")
	}
}

func neutral(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("ran out of time")
	}
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return fmt.Errorf("error of type %s", strings.Join(types, ", "))
}
