package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/internal/runtimeapi"
)

// process is a function's process and the Lambda runtime API that it polls.
type process struct {
	command *exec.Cmd
	api     *runtimeapi.API
	stderr  bytes.Buffer
	begun   time.Time
	ended   chan struct{}
}

// start starts a function as Lambda does. first is ready for it when it asks.
func start(f function, first *runtimeapi.Invocation, env ...string) (*process, error) {
	api, err := runtimeapi.New()
	if err != nil {
		return nil, err
	}
	api.Events <- first
	p := &process{command: exec.Command(f.command[0], f.command[1:]...), api: api, ended: make(chan struct{})}
	p.command.Env = slices.Concat(api.Environment("bench"), f.env, env)
	p.command.Stderr = &p.stderr
	p.begun = time.Now()
	if err := p.command.Start(); err != nil {
		api.Close()
		return nil, err
	}
	go func() {
		p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// invoke hands the function an event and waits for the answer.
func (p *process) invoke(v *runtimeapi.Invocation) error {
	select {
	case p.api.Events <- v:
		return p.wait(v)
	case <-p.ended:
		return p.crash()
	}
}

func (p *process) wait(v *runtimeapi.Invocation) error {
	select {
	case <-v.Done:
		if v.Failed {
			return fmt.Errorf("%s", v.Answer)
		}
		return nil
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
	p.api.Close()
}

// coldStart starts a function once.
func coldStart(f function, i int) (sample, error) {
	v := runtimeapi.NewInvocation(f.event(i))
	p, err := start(f, v)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	if err := p.wait(v); err != nil {
		return nil, err
	}
	polled, answered := p.api.PolledAt.Sub(p.begun), v.Handed.Add(v.Took).Sub(p.begun)
	megabytes, err := p.memory()
	if err != nil {
		return nil, err
	}
	return sample{"poll": float64(polled) / 1e6, "answer": float64(answered) / 1e6, "memory": megabytes}, f.check(v.Answer)
}
