package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/claimsmith/claimsmith/internal/runtimeapi"
)

// patience is how long an answer may take before the process counts as stuck. The slowest one waits for two fetches of
// keys to time out.
const patience = runtimeapi.Patience

// process is a function's process and the Lambda runtime API that it polls. It gets one event at a time.
type process struct {
	command *exec.Cmd
	api     *runtimeapi.API
	ended   chan struct{} // closed when the process has ended and its output is read
	err     error         // why it ended; may be read when ended is closed

	mu      sync.Mutex
	lines   int    // of the log, about an event
	metrics int    // lines of them, about an event
	secret  string // the first line that has what no log may have
	traces  []byte // what the process wrote to standard error, beside what the runtime writes about each failed event
	heap    []int  // the live heap after each collection, in megabytes
	samples []sample
}

// answer is what the function made of an event: a response or the text of an error.
type answer struct {
	body []byte
	err  error
}

// start starts a function as Lambda does, and waits for nothing. message is that of the one log line about each event.
func start(ctx context.Context, bootstrap, message string, env ...string) (*process, error) {
	api, err := runtimeapi.New()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.CommandContext(ctx, bootstrap), api: api, ended: make(chan struct{})}
	// The environment is Lambda's and nobody else's; gctrace makes the Go runtime tell the size of the heap.
	p.command.Env = slices.Concat(api.Environment("soak"), env,
		[]string{"AWS_LAMBDA_LOG_LEVEL=TRACE", "CLAIMSMITH_METRICS_NAMESPACE=Claimsmith", "GODEBUG=gctrace=1"})
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	var output sync.WaitGroup
	output.Go(func() { p.readLog(stdout, `"message":"`+message+`"`) })
	output.Go(func() { p.readTraces(stderr) })
	go func() {
		output.Wait()
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// errorText is the text of an error that a function reported to Lambda.
func errorText(report []byte) error {
	match := regexp.MustCompile(`"errorMessage":"([^"]*)"`).FindSubmatch(report)
	if match == nil {
		return fmt.Errorf("an error without a text: %.200s", report)
	}
	return errors.New(string(match[1]))
}

// ready waits for the end of the init phase.
func (p *process) ready() error {
	select {
	case <-p.api.Polled:
		return nil
	case <-p.ended:
		return p.crash()
	}
}

// invoke hands the function an event and waits for the answer.
func (p *process) invoke(event []byte) (a answer, took time.Duration, err error) {
	v := runtimeapi.NewInvocation(event)
	p.api.Events <- v // there is room, since the last one was answered
	select {
	case <-v.Done:
		if v.Failed {
			return answer{err: errorText(v.Answer)}, v.Took, nil
		}
		return answer{body: v.Answer}, v.Took, nil
	case <-p.ended:
		return a, 0, p.crash()
	case <-time.After(patience):
		return a, 0, errors.New("the process asks for no event, or does not answer")
	}
}

func (p *process) crash() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("the process ended (%v) after %d events\n%s", p.err, p.api.Handed(), p.traces)
}

// freeze stops the process for a while, as Lambda does between events, and thaws it.
func (p *process) freeze(d time.Duration) error {
	if err := p.command.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	return p.command.Process.Signal(syscall.SIGCONT)
}

// stop ends the process with the signal that makes a Go program tell its goroutines, and returns their stacks.
func (p *process) stop() (stacks []string, err error) {
	if err := p.command.Process.Signal(syscall.SIGQUIT); err != nil {
		return nil, p.crash()
	}
	<-p.ended
	p.api.Close()
	for _, stack := range bytes.Split(p.traces, []byte("\n\n")) {
		if bytes.HasPrefix(bytes.TrimSpace(stack), []byte("goroutine ")) && !bytes.Contains(stack, []byte("goroutine 0 ")) {
			stacks = append(stacks, string(stack))
		}
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("the process told no goroutines:\n%s", p.traces)
	}
	return stacks, nil
}

func (p *process) kill() {
	p.command.Process.Kill()
	<-p.ended
	p.api.Close()
}

func (p *process) readLog(log io.Reader, message string) {
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		if strings.Contains(line, message) {
			p.lines++
		}
		if strings.Contains(line, `"_aws"`) && strings.Contains(line, `"Outcome"`) {
			p.metrics++
		}
		p.suspect(line)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// suspect keeps a line that has a planted value, or the start of a token: eyJ is what {" becomes in it.
func (p *process) suspect(line string) {
	if p.secret == "" && (strings.Contains(line, planted) || strings.Contains(line, "eyJ")) {
		p.secret = line
	}
}

// collected is what gctrace tells of one collection; the submatch is the live heap.
var collected = regexp.MustCompile(`^gc \d+ @.* \d+->\d+->(\d+) MB, `)

func (p *process) readTraces(stderr io.Reader) {
	for lines := bufio.NewReader(stderr); ; {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.suspect(line)
		if match := collected.FindStringSubmatch(line); match != nil {
			megabytes, _ := strconv.Atoi(match[1])
			p.heap = append(p.heap, megabytes)
		} else if !strings.Contains(line, `"errorMessage"`) && len(p.traces) < 1<<20 {
			p.traces = append(p.traces, line...)
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// sample is what the kernel says about the process, and how many collections there were.
type sample struct{ kilobytes, threads, files, collections int }

func (p *process) sample() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	if err != nil {
		return err
	}
	s := sample{files: len(files)}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "VmRSS":
			s.kilobytes = n
		case "Threads":
			s.threads = n
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.collections = len(p.heap)
	p.samples = append(p.samples, s)
	return nil
}

// finish ends the process and says whether it grew, from the second quarter of the soak to the last, and whether its log was
// in order. fresh are the goroutines of a process that has answered one event.
func (p *process) finish(r *report, fresh int) error {
	stacks, err := p.stop()
	if err != nil {
		return err
	}
	quarter := len(p.samples) / 4
	last := len(p.samples)
	if quarter == 0 || p.samples[2*quarter].collections == p.samples[quarter].collections ||
		p.samples[last-1].collections == p.samples[last-quarter].collections {
		return errors.New("too few events to see whether memory grows")
	}
	most := func(from, to int, of func(sample) int) int {
		n := 0
		for _, s := range p.samples[from:to] {
			n = max(n, of(s))
		}
		return n
	}
	var problems []error
	grown := func(name, unit string, before, after, slack int) {
		r.notes = append(r.notes, fmt.Sprintf("%s: %d%s in the second quarter, %d%s in the last", name, before, unit, after, unit))
		if after > before+slack {
			problems = append(problems, fmt.Errorf("%s grew from %d%s to %d%s", name, before, unit, after, unit))
		}
	}
	for _, m := range []struct {
		name, unit string
		of         func(sample) int
		slack      func(before int) int
	}{
		// The kernel and the runtime give memory back when they like; the live heap is the exact measure.
		{"most resident memory", " kB", func(s sample) int { return s.kilobytes }, func(before int) int { return before/3 + 4096 }},
		{"most threads", "", func(s sample) int { return s.threads }, func(int) int { return 4 }},
		{"most open files", "", func(s sample) int { return s.files }, func(int) int { return 1 }},
	} {
		before := most(quarter, 2*quarter, m.of)
		grown(m.name, m.unit, before, most(last-quarter, last, m.of), m.slack(before))
	}
	// AWS's runtime reads events into a pool of buffers, of up to a megabyte each after the largest of them: with one more or
	// less of those nothing has leaked.
	heap := func(from, to int) int {
		return slices.Min(p.heap[p.samples[from].collections:p.samples[to].collections])
	}
	grown("least live heap", " MB", heap(quarter, 2*quarter), heap(last-quarter, last-1), 4)
	r.notes = append(r.notes, fmt.Sprintf("goroutines: %d after one event, %d at the end", fresh, len(stacks)))
	if len(stacks) > fresh+2 { // a connection to the runtime API may just be coming or going
		problems = append(problems, fmt.Errorf("goroutines grew from %d to %d", fresh, len(stacks)))
	}
	for _, stack := range stacks {
		loop := strings.Contains(stack, "lambda/apigw.Start(") // in which the runtime API is polled
		if !loop && (strings.Contains(stack, "claimsmith/lambda/token.") || strings.Contains(stack, "claimsmith/lambda/apigw.")) {
			problems = append(problems, fmt.Errorf("a goroutine was left behind:\n%s", stack))
		}
	}
	invoked := p.api.Handed()
	r.notes = append(r.notes, fmt.Sprintf("log: %d lines for %d events, and %d with metrics", p.lines, invoked, p.metrics))
	if p.lines != invoked || p.metrics != invoked {
		problems = append(problems, fmt.Errorf("%d lines and %d with metrics about %d events", p.lines, p.metrics, invoked))
	}
	if p.secret != "" {
		problems = append(problems, fmt.Errorf("the log has what it must not have: %s", p.secret))
	}
	return errors.Join(problems...)
}

// freshGoroutines are how many goroutines a process has that answered one event.
func freshGoroutines(p *process, event []byte) (int, error) {
	defer p.kill()
	if _, _, err := p.invoke(event); err != nil {
		return 0, err
	}
	stacks, err := p.stop()
	return len(stacks), err
}
