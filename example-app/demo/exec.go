package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// parallel runs the functions at the same time. When one fails, the others are told to end, and its error is returned.
func parallel(ctx context.Context, do ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, f := range do {
		running.Go(func() {
			if err := f(ctx); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// inTurn runs the functions one after the other, until one fails.
func inTurn(ctx context.Context, do ...func(context.Context) error) error {
	for _, f := range do {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A command is a program that runs to its end.
type command struct {
	name string
	args []string
	env  []string
	log  string // the file that takes what it writes to its standard error
}

// output runs the command and returns what it wrote to its standard output. When it fails, the error has the end of what
// it wrote to its standard error. When ctx ends, it ends with all it started.
func (c command) output(ctx context.Context) ([]byte, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // a grandchild that still holds the pipes must not hold us
	err = cmd.Run()

	line := filepath.Base(c.name) + " " + strings.Join(c.args, " ")
	fmt.Fprintf(log, "$ %s\n%s", line, stderr.Bytes())
	if err != nil {
		return nil, &commandError{line: line, stderr: strings.TrimSpace(stderr.String()), err: err}
	}
	return stdout.Bytes(), nil
}

// A commandError is a program that could not be run or failed.
type commandError struct {
	line, stderr string
	err          error
}

func (e *commandError) Unwrap() error { return e.err }

func (e *commandError) Error() string {
	const most = 30
	lines := strings.Split(e.stderr, "\n")
	if skipped := len(lines) - most; skipped > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines before these)", skipped)}, lines[skipped:]...)
	}
	return fmt.Sprintf("%s: %v\n    %s", e.line, e.err, strings.Join(lines, "\n    "))
}

// A service is a program in the background, with all it started in turn.
type service struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// startService starts a program whose output goes to the log file.
func startService(logFile string, env []string, name string, args ...string) (*service, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &service{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended does not matter, only that it did
		close(s.exited)
	}()
	return s, nil
}

// pid is the service's process, and the group that it and all it started form.
func (s *service) pid() int { return s.cmd.Process.Pid }

// stop asks the service to end, then ends what is left of its group.
func (s *service) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended already, which is fine
	select {
	case <-s.exited:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-s.pid(), syscall.SIGKILL)
	<-s.exited
}
