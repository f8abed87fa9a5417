package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is a function's process and the Lambda runtime API that it polls.
type process struct {
	command *exec.Cmd
	server  *http.Server
	events  chan *invocation
	waiting sync.Map // *invocation by request id
	ids     atomic.Int64
	stderr  bytes.Buffer
	ended   chan struct{}

	begun  time.Time
	polled atomic.Int64 // how long after that it asked for the first event
}

// invocation is an event on its way.
type invocation struct {
	event    []byte
	handed   time.Time
	took     time.Duration // from then until the answer had come
	answer   []byte
	err      error
	answered chan struct{}
}

func newInvocation(event []byte) *invocation {
	return &invocation{event: event, answered: make(chan struct{})}
}

// start starts a function as Lambda does. first is ready for it when it asks.
func start(f function, first *invocation, env ...string) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{events: make(chan *invocation, 1), ended: make(chan struct{})}
	p.events <- first
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	api.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{outcome}", p.result)
	p.server = &http.Server{Handler: api}
	go p.server.Serve(listener)

	p.command = exec.Command(f.command[0], f.command[1:]...)
	p.command.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=bench",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_LOG_FORMAT=JSON"}, append(f.env, env...)...)
	p.command.Stderr = &p.stderr
	p.begun = time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.polled.CompareAndSwap(0, int64(time.Since(p.begun)))
	select {
	case v := <-p.events:
		id := strconv.FormatInt(p.ids.Add(1), 10)
		p.waiting.Store(id, v)
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:bench")
		v.handed = time.Now()
		w.Write(v.event)
	case <-r.Context().Done():
	}
}

func (p *process) result(w http.ResponseWriter, r *http.Request) {
	found, ok := p.waiting.LoadAndDelete(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	v := found.(*invocation)
	v.answer, v.err = io.ReadAll(r.Body)
	v.took = time.Since(v.handed)
	if v.err == nil && r.PathValue("outcome") == "error" {
		v.err = fmt.Errorf("%s", v.answer)
	}
	close(v.answered)
	w.WriteHeader(http.StatusAccepted)
}

// invoke hands the function an event and waits for the answer.
func (p *process) invoke(v *invocation) error {
	select {
	case p.events <- v:
		return p.wait(v)
	case <-p.ended:
		return p.crash()
	}
}

func (p *process) wait(v *invocation) error {
	select {
	case <-v.answered:
		return v.err
	case <-p.ended:
		return p.crash()
	}
}

func (p *process) crash() error { return errors.New("the process ended: " + p.stderr.String()) }

// memory is the most that the process ever had resident, in megabytes.
func (p *process) memory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kilobytes * 1024 / 1e6, err
		}
	}
	return 0, errors.New("the kernel does not tell how much memory a process had")
}

func (p *process) kill() {
	p.command.Process.Kill()
	<-p.ended
	p.server.Close()
}

// coldStart starts a function once.
func coldStart(f function, i int) (sample, error) {
	v := newInvocation(f.event(i))
	p, err := start(f, v)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	if err := p.wait(v); err != nil {
		return nil, err
	}
	answered := v.handed.Add(v.took).Sub(p.begun)
	megabytes, err := p.memory()
	if err != nil {
		return nil, err
	}
	return sample{"poll": float64(p.polled.Load()) / 1e6, "answer": float64(answered) / 1e6, "memory": megabytes}, f.check(v.answer)
}
