// Command demo is the program behind `make demo`: it deploys the example app to a local AWS and shows who gets what.
//
// Everything in it is the real thing except AWS itself. The real CDK CLI deploys the app that a customer would write to
// MiniStack, an AWS that runs on this machine; users are created and signed in with the AWS CLI, and a machine gets its token
// as machines do; the deployed Lambdas run as processes; and every route of the HTTP, the REST and the WebSocket API is
// called as everybody, without a token, with a tampered one and with an ID token. Then a row of the table changes, which the
// next token shows, and the day comes on which the policy ends ID tokens, for which the app is deployed again with another
// day. The answers are compared with scenario.go, which says what the policy in example-app/claims.yaml means: the program
// fails when a single one differs.
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
	"slices"
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
  -with   deploy nothing, but run a command while the local AWS is up; cdk and python -m awscli, from its PATH, talk to it

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

// A story is a run of the demo: what it deploys to, and what it has seen so far.
type story struct {
	*workspace
	cloud *localAWS
	show  *progress

	// The days on which the policies of the two deployments end ID tokens: one is to come however long this takes, one
	// has come.
	later, today time.Time

	stack   outputs
	bearer  map[string]string // the tokens, by who sends them
	refused map[string]string // what those were told who got none

	// The HTTP and the REST API have one authorizer function, the WebSocket API has its own.
	documents, changes journal

	results         []result
	upgrade, sunset change
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
	today := time.Now().UTC()
	s := &story{workspace: w, cloud: cloud, show: show, today: today, later: today.AddDate(0, 0, 2)}
	if err := s.tell(ctx); err != nil {
		return err
	}
	report, err := newReport(users, s.bearer, s.refused, s.results, s.upgrade, s.sunset)
	if err != nil {
		return err
	}
	report.print(stdout)
	if err := report.write(w.report); err != nil {
		return err
	}
	show.say("report", "written to "+w.report)
	if kept = keep; kept {
		fmt.Fprint(stdout, cloud.handbook(s.stack))
	}
	if err := report.err(); err != nil {
		return err
	}
	show.say("demo", fmt.Sprintf("all %d sign-ins and %d answers are as expected", len(users)+1, // upgraded
		len(s.documents.results)+len(s.changes.results)))
	return nil
}

func (s *story) tell(ctx context.Context) error {
	synth := func(day time.Time) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return s.synth(ctx, day) }
	}
	if err := parallel(ctx,
		s.step("aws", "starting MiniStack, then cdk bootstrap", s.cloud.start),
		s.step("synth", "cdk synth; the first build of the CDK bindings takes minutes", synth(s.later)),
	); err != nil {
		return err
	}
	if err := inTurn(ctx,
		s.step("deploy", "cdk deploy", s.deploy),
		s.step("users", "creating users and signing them in, and a machine", s.signIn),
	); err != nil {
		return err
	}
	if err := parallel(ctx,
		func(ctx context.Context) error {
			return inTurn(ctx,
				s.step("calls", "calling every route of every API as everybody", s.callAll),
				s.step("tier", "changing a row and signing in again", s.payForMore),
			)
		},
		s.step("synth", "cdk synth with the policy of the day on which ID tokens end", synth(s.today)),
	); err != nil {
		return err
	}
	return s.step("sunset", "cdk deploy with that policy", s.endIDTokens)(ctx)
}

// step is a step that shows its progress.
func (s *story) step(what, doing string, do func(context.Context) (string, error)) func(context.Context) error {
	return func(ctx context.Context) error { return s.show.step(ctx, what, doing, do) }
}

func (s *story) deploy(ctx context.Context) (_ string, err error) {
	s.stack, err = s.cloud.deploy(ctx, s.later)
	s.documents.logGroup, s.changes.logGroup = s.stack.AuthorizerLogGroup, s.stack.ChangesLogGroup
	return fmt.Sprintf("APIs %s, %s and %s", s.stack.APIID, s.stack.RestAPIID, s.stack.ChangesAPIID), err
}

func (s *story) signIn(ctx context.Context) (string, error) {
	if err := s.cloud.subscribe(ctx, s.stack, tiers); err != nil {
		return "", err
	}
	signedIn, refused, err := s.cloud.signInAll(ctx, s.stack, users)
	if err != nil {
		return "", err
	}
	s.refused = refused
	s.bearer, err = bearers(signedIn)
	return fmt.Sprintf("%d signed in, %d refused", len(signedIn), len(refused)), err
}

func (s *story) callAll(ctx context.Context) (string, error) {
	both, err := s.call(ctx, &s.documents, onBoth(calls))
	if err != nil {
		return "", err
	}
	opened, err := s.call(ctx, &s.changes, onWebSockets(connections))
	s.results = slices.Concat(both, opened)
	return fmt.Sprintf("%d answers", len(s.results)), err
}

func (s *story) call(ctx context.Context, j *journal, calls []result) ([]result, error) {
	return s.cloud.callAll(ctx, s.stack, s.bearer, j, calls)
}

// payForMore changes a row, and signs in again somebody of that company.
func (s *story) payForMore(ctx context.Context) (string, error) {
	s.upgrade = change{
		name:   "tier",
		title:  "When acme pays for tier gold, and the owner signs in again",
		claims: upgradedClaims,
		before: moment{value: tiers["acme"], as: "owner", results: resultsOf(s.results, "owner", reports)},
		after:  moment{value: upgradedTiers["acme"], as: upgraded},
	}
	if err := s.cloud.subscribe(ctx, s.stack, upgradedTiers); err != nil {
		return "", err
	}
	again, err := s.cloud.signIn(ctx, s.stack, "owner")
	if err != nil {
		return "", err
	}
	s.bearer[upgraded] = again.Access
	s.upgrade.after.results, err = s.call(ctx, &s.documents, onBoth(upgradedCalls))
	return fmt.Sprintf("%d answers", len(s.upgrade.after.results)), err
}

// endIDTokens deploys the policy whose day has come.
func (s *story) endIDTokens(ctx context.Context) (string, error) {
	before, after := s.later.Format(time.DateOnly), s.today.Format(time.DateOnly)
	s.sunset = change{
		name:   "idTokensUntil",
		title:  fmt.Sprintf("When the policy ends ID tokens on %s, not on %s", after, before),
		before: moment{value: before, as: idToken, results: resultsOf(s.results, idToken, documents)},
		after:  moment{value: after, as: idToken},
	}
	functions, err := s.newCode(s.later, s.today)
	if err != nil {
		return "", err
	}
	if _, err := s.cloud.deploy(ctx, s.today); err != nil {
		return "", err
	}
	s.sunset.after.results, err = s.call(ctx, &s.documents, onBoth(sunsetCalls))
	return fmt.Sprintf("new code for %d functions and nothing else, %d answers", len(functions), len(s.sunset.after.results)), err
}

// resultsOf are the results of somebody's calls of a route.
func resultsOf(results []result, as, route string) []result {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.as != as || r.route != route })
}
