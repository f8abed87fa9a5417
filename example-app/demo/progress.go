package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// A progress tells a person what is going on, and since when. It is safe for concurrent use.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func newProgress(out io.Writer) *progress { return &progress{out: out, start: time.Now()} }

// say prints one line, with the time since the start.
func (p *progress) say(what, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %-7s %s\n", time.Since(p.start).Seconds(), what, text)
}

// step says what begins, runs it, and says how long it took, with the detail that do returns. A long step says that it
// is alive now and then.
func (p *progress) step(ctx context.Context, what, doing string, do func(context.Context) (detail string, err error)) error {
	begun := time.Now()
	took := func() time.Duration { return time.Since(begun).Round(100 * time.Millisecond) }
	p.say(what, doing+" …")

	done := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		tick := time.NewTicker(15 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.say(what, fmt.Sprintf("still at it after %v", took()))
			case <-done:
				return
			}
		}
	})
	detail, err := do(ctx)
	close(done)
	beat.Wait()

	if err != nil {
		p.say(what, fmt.Sprintf("failed after %v", took()))
		return err
	}
	p.say(what, fmt.Sprintf("done in %v: %s", took(), detail))
	return nil
}
