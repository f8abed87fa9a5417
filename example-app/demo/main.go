// Command demo is the program behind `make demo`: it deploys the example app to a local AWS and shows who gets what.
//
// Everything in it is the real thing except AWS itself. The real CDK CLI deploys the app that a customer would write to
// MiniStack, an AWS that runs on this machine; users are created and signed in with the AWS CLI; the deployed Lambdas
// run as processes; and every route of the HTTP, the REST and the WebSocket API is called as every user, without a token,
// with a tampered one and with an ID token. The answers are compared with scenario.go, which says what the policy in
// example-app/claims.yaml means: the program fails when a single one differs.
//
// It runs in the root of the checkout and writes below build/ and node_modules/ only, apart from the caches of Go, npm,
// pip and CDK. It listens on the loopback interface only, keeps the caller's AWS credentials away from all it starts,
// and ends all it started, also when it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	// A closed pipe (`make demo | head`) is among the signals so that it ends the run in order, not on the spot.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

const usage = `Deploys example-app to a local AWS, signs users in, and shows who gets what.

usage: make demo [KEEP=1]
   or: go run ./example-app/demo [-keep]     in the root of the checkout
   or: go run ./example-app/demo -with COMMAND ARG...

  -keep   leave the stack up, and print commands to try it with and to stop it
  -with   deploy nothing, but run a command while the local AWS is up; cdk and aws are on its PATH and talk to it

Needs Linux, Go, Node.js, npm and Python; says what is missing. Writes build/demo.json.
Exits with 1 when any answer is not the expected one.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stdout, usage) }
	keep := flags.Bool("keep", false, "")
	with := flags.Bool("with", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *with && flags.NArg() == 0:
		return errors.New("-with needs a command")
	case !*with && flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	w, err := newWorkspace()
	if err != nil {
		return err
	}
	show := newProgress(stdout)
	if *with {
		err = runWith(ctx, w, show, flags.Args(), stdout, stderr)
	} else {
		err = demo(ctx, w, show, *keep, stdout)
	}
	switch {
	case ctx.Err() != nil:
		w.clean()
		return errors.New("interrupted; what it started has ended")
	case err != nil:
		return fmt.Errorf("%w\nlogs: %s", err, w.logs)
	case !*keep:
		w.clean()
	}
	return nil
}

// prepare installs what a local AWS and its clients need.
func prepare(ctx context.Context, w *workspace, show *progress) (*localAWS, error) {
	if err := show.step(ctx, "tools", "looking for Go, Node.js, npm and Python", checkTools); err != nil {
		return nil, err
	}
	if err := parallel(ctx,
		func(ctx context.Context) error {
			return show.step(ctx, "python", "MiniStack and the AWS CLI, in build/venv", w.installPython)
		},
		func(ctx context.Context) error {
			return show.step(ctx, "npm", "the CDK CLI, in node_modules", w.installCDK)
		},
	); err != nil {
		return nil, err
	}
	return newLocalAWS(ctx, w)
}

// runWith runs a command while a local AWS is up.
func runWith(ctx context.Context, w *workspace, show *progress, args []string, stdout, stderr io.Writer) error {
	cloud, err := prepare(ctx, w, show)
	if err != nil {
		return err
	}
	defer cloud.stop()
	if err := show.step(ctx, "aws", "starting MiniStack, then cdk bootstrap", cloud.start); err != nil {
		return err
	}
	show.say("run", strings.Join(args, " "))
	clients := cloud.clientSettings()
	clients["PATH"] = strings.Join([]string{filepath.Dir(w.cdk()), filepath.Dir(w.python()), os.Getenv("PATH")}, string(os.PathListSeparator))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env(clients), stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd.Run()
}

// demo is the whole story, top to bottom.
func demo(ctx context.Context, w *workspace, show *progress, keep bool, stdout io.Writer) error {
	cloud, err := prepare(ctx, w, show)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			cloud.stop()
		}
	}()
	var stack outputs
	var signedIn map[string]tokens
	var refused map[string]string
	var results []result
	if err := parallel(ctx,
		func(ctx context.Context) error {
			return show.step(ctx, "aws", "starting MiniStack, then cdk bootstrap", cloud.start)
		},
		func(ctx context.Context) error {
			return show.step(ctx, "synth", "cdk synth; the first build of the CDK bindings takes minutes", w.synth)
		},
	); err != nil {
		return err
	}
	if err := show.step(ctx, "deploy", "cdk deploy", func(ctx context.Context) (_ string, err error) {
		stack, err = cloud.deploy(ctx)
		return fmt.Sprintf("APIs %s, %s and %s", stack.APIID, stack.RestAPIID, stack.ChangesAPIID), err
	}); err != nil {
		return err
	}
	if err := show.step(ctx, "users", "creating users and signing them in", func(ctx context.Context) (_ string, err error) {
		signedIn, refused, err = cloud.signInAll(ctx, stack, users)
		return fmt.Sprintf("%d signed in, %d refused", len(signedIn), len(refused)), err
	}); err != nil {
		return err
	}
	if err := show.step(ctx, "calls", "calling every route of every API as everybody", func(ctx context.Context) (_ string, err error) {
		results, err = cloud.callAll(ctx, stack, signedIn)
		return fmt.Sprintf("%d answers", len(results)), err
	}); err != nil {
		return err
	}

	report, err := newReport(users, signedIn, refused, results)
	if err != nil {
		return err
	}
	report.print(stdout)
	if err := report.write(w.report); err != nil {
		return err
	}
	show.say("report", "written to "+w.report)
	if kept = keep; kept {
		fmt.Fprint(stdout, cloud.handbook(stack))
	}
	if err := report.err(); err != nil {
		return err
	}
	show.say("demo", fmt.Sprintf("all %d sign-ins and %d answers are as expected", len(users), len(results)))
	return nil
}
