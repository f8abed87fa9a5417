// Command claimsmith checks, tries out and explains a claim policy without a line of Go:
//
//	go run github.com/claimsmith/claimsmith/lambda/policy/cmd/claimsmith --help
//
// It does what the package policy does at synth and in the functions, with the same code. It reads the files that it is
// given, writes to its output, and does nothing else.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/policy/policytest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes.
const (
	yes   = 0 // the policy is right, tokens are issued, the request is allowed, all cases pass
	no    = 1 // it is not
	fault = 2 // the question could not be answered: a wrong flag, an unreadable file, a policy that does not compile
)

// errNo ends a command whose answer, already written, is no.
var errNo = errors.New("no")

// usageError is a mistake in the command line.
type usageError struct{ error }

// tool is one call of the command.
type tool struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          *flag.FlagSet
	json           bool
}

type command struct {
	name, args, summary, help string
	files                     int // arguments that are files
	setup                     func(t *tool) (do func(files []string) error)
}

var commands = []command{
	{"check", "FILE", "say what is wrong with a policy",
		"All problems and warnings are listed, each with its place and what to change.\nThe answer is no when there are problems; with --strict, also when there are warnings.", 1, (*tool).check},
	{"mint", "FILE --event EVENT.json", "show the tokens that a sign-in gets",
		"EVENT.json is a pre token generation event, as AWS documents it or as Cognito sends it. The tokens are what\nCognito makes of the policy's answer. Times and the ids of tokens are made up.\nThe answer is no when the policy refuses to issue tokens.", 1, (*tool).mint},
	{"decide", "FILE --token CLAIMS.json --route \"GET /x\"", "say whether a request is allowed, and if not, why",
		"CLAIMS.json is a token's payload, such as mint --token access writes. Of an ID token (mint --token id), which has\ntoken_use id, it is said whether the policy's idTokens accept it. Nothing else is verified: no signature, no issuer,\nno expiry. The answer is no when the request is denied.", 1, (*tool).decide},
	{"test", "FILE CASES.yaml", "run a table of examples",
		"CASES.yaml is a case file, see the Go package policytest. The answer is no when a case fails.", 2, (*tool).test},
	{"explain", "FILE", "describe a policy on one page",
		"Every claim, where it comes from and when it is there; every route and its rules; what depends on what.", 1, (*tool).explain},
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, overview())
		return fault
	}
	name, args := args[0], args[1:]
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		fmt.Fprint(stdout, overview())
		return yes
	}
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
		if c.name == name {
			return c.run(args, &tool{stdin: stdin, stdout: stdout, stderr: stderr})
		}
	}
	fmt.Fprintf(stderr, "claimsmith: there is no command %q%s; see claimsmith --help\n", name, policy.DidYouMean(name, names))
	return fault
}

func overview() string {
	var b strings.Builder
	b.WriteString("claimsmith checks, tries out and explains a claim policy.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  claimsmith %-8s %s\n", c.name, c.summary)
	}
	b.WriteString(`
claimsmith COMMAND --help says more. A file that is called - is standard input. --json writes JSON for machines.
Exit codes: 0 yes, 1 no, 2 the question could not be answered.
`)
	return b.String()
}

func (c command) run(args []string, t *tool) int {
	t.flags = flag.NewFlagSet(c.name, flag.ContinueOnError)
	t.flags.SetOutput(io.Discard)
	t.flags.BoolVar(&t.json, "json", false, "write JSON")
	do := c.setup(t)
	files, err := t.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(t.stdout, "claimsmith %s %s\n\n%s.\n%s\n\n", c.name, c.args, strings.ToUpper(c.summary[:1])+c.summary[1:], c.help)
		t.flags.SetOutput(t.stdout)
		t.flags.PrintDefaults()
		return yes
	case err != nil:
		err = usageError{err}
	case len(files) != c.files:
		err = usageError{fmt.Errorf("found %d files; the command is claimsmith %s %s", len(files), c.name, c.args)}
	default:
		err = do(files)
	}
	switch {
	case err == nil:
		return yes
	case errors.Is(err, errNo):
		return no
	}
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(t.stderr, "claimsmith %s: %v; see claimsmith %s --help\n", c.name, err, c.name)
	} else {
		fmt.Fprintf(t.stderr, "claimsmith %s: %v\n", c.name, err)
	}
	return fault
}

// parse reads flags before, between and behind the files.
func (t *tool) parse(args []string) (files []string, err error) {
	for {
		if err := t.flags.Parse(args); err != nil {
			return nil, err
		}
		if t.flags.NArg() == 0 {
			return files, nil
		}
		files, args = append(files, t.flags.Arg(0)), t.flags.Args()[1:]
	}
}

// read reads a file, or standard input, and says what to call it. A second file that is standard input is empty.
func (t *tool) read(name string) (shown string, text []byte, err error) {
	if name == "-" {
		text, err = io.ReadAll(t.stdin)
		return "stdin", text, err
	}
	text, err = os.ReadFile(name)
	return name, text, err
}

// compile reads a policy. When the error is policy.Problems, it is what is wrong with it.
func (t *tool) compile(name string) (file string, compiled *policy.Compiled, err error) {
	file, text, err := t.read(name)
	if err != nil {
		return "", nil, err
	}
	p, err := policy.Parse(file, text)
	if err != nil {
		return file, nil, err
	}
	compiled, err = policy.Compile(p)
	return file, compiled, err
}

// program is the policy of a command that needs one that compiles.
func (t *tool) program(name string) (string, *policy.Compiled, error) {
	file, compiled, err := t.compile(name)
	if problems, ok := errors.AsType[policy.Problems](err); ok {
		return "", nil, fmt.Errorf("the policy does not compile:\n%w", problems)
	}
	return file, compiled, err
}

func (t *tool) writeJSON(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("internal error: an answer does not encode: " + err.Error())
	}
	_, _ = b.WriteTo(t.stdout)
}

// problem is a policy.Problem in JSON.
type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
	ID      string `json:"id,omitempty"`
	Excerpt string `json:"excerpt,omitempty"`
}

func problems(in []policy.Problem) []problem {
	out := []problem{}
	for _, p := range in {
		out = append(out, problem{p.File, p.Line, p.Column, p.Path, p.Message, p.ID, p.Excerpt})
	}
	return out
}

func warning(p policy.Problem) string {
	p.Message = fmt.Sprintf("warning: %s (%s)", p.Message, p.ID)
	return p.String()
}

func (t *tool) check() func([]string) error {
	strict := t.flags.Bool("strict", false, "take warnings for problems")
	return func(files []string) error {
		file, compiled, err := t.compile(files[0])
		found, areProblems := errors.AsType[policy.Problems](err)
		if err != nil && !areProblems {
			return err
		}
		var warnings []policy.Problem
		if compiled != nil {
			warnings = compiled.Warnings()
		}
		ok := len(found) == 0 && (!*strict || len(warnings) == 0)
		if t.json {
			t.writeJSON(struct {
				File     string    `json:"file"`
				OK       bool      `json:"ok"`
				Problems []problem `json:"problems"`
				Warnings []problem `json:"warnings"`
			}{file, ok, problems(found), problems(warnings)})
		} else {
			for _, p := range found {
				fmt.Fprintln(t.stdout, p)
			}
			for _, p := range warnings {
				fmt.Fprintln(t.stdout, warning(p))
			}
			fmt.Fprintf(t.stdout, "%s: %s, %s\n", file, count(len(found), "problem"), count(len(warnings), "warning"))
		}
		if !ok {
			return errNo
		}
		return nil
	}
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	default:
		return fmt.Sprintf("%d %ss", n, what)
	}
}

// pairs is a flag NAME=VALUE that can be given several times.
type pairs map[string]string

func (p pairs) String() string { return "" }

func (p pairs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("write NAME=VALUE")
	}
	p[name] = value
	return nil
}

func (t *tool) pairs(name, usage string) pairs {
	p := pairs{}
	t.flags.Var(p, name, usage+", as `NAME=VALUE`; repeatable")
	return p
}

// checkParams demands a value for each of the policy's params, and no others.
func checkParams(compiled *policy.Compiled, given pairs) error {
	declared := compiled.Params()
	for _, name := range declared {
		if _, ok := given[name]; !ok {
			return usageError{fmt.Errorf("the policy's param %q has no value: add --param %s=VALUE", name, name)}
		}
	}
	for name := range given {
		if !slices.Contains(declared, name) {
			return usageError{fmt.Errorf("the policy declares no param %q%s", name, policy.DidYouMean(name, declared))}
		}
	}
	return nil
}

func (t *tool) mint() func([]string) error {
	event := t.flags.String("event", "", "the pre token generation event, a JSON `FILE`; required")
	only := t.flags.String("token", "", "write the payload of one `KIND` of token alone: access or id")
	rows := t.flags.String("tables", "", "the rows of the tables that the policy looks up, a JSON `FILE`: {\"TABLE\": [{…}]}; default: none")
	params := t.pairs("param", "a deploy-time value of the policy's params")
	return func(files []string) error {
		if *event == "" {
			return usageError{errors.New("--event is missing")}
		}
		if !slices.Contains([]string{"", "access", "id"}, *only) {
			return usageError{fmt.Errorf("--token is %q; allowed are access and id", *only)}
		}
		_, compiled, err := t.program(files[0])
		if err != nil {
			return err
		}
		if err := checkParams(compiled, params); err != nil {
			return err
		}
		tables, err := t.tables(*rows, compiled)
		if err != nil {
			return err
		}
		_, text, err := t.read(*event)
		if err != nil {
			return err
		}
		tokens, err := policytest.Issue(compiled, params, tables, text)
		if err != nil {
			return fmt.Errorf("%s: %w", *event, err)
		}
		if *only == "id" && tokens.ID == nil && len(tokens.Refusals) == 0 {
			return errors.New("a machine gets no ID token")
		}
		t.writeTokens(tokens, *only)
		if len(tokens.Refusals) > 0 {
			return errNo
		}
		return nil
	}
}

// tables reads the rows of tables that the policy looks up.
func (t *tool) tables(file string, compiled *policy.Compiled) (tables policytest.Tables, err error) {
	if file == "" {
		return nil, nil
	}
	_, text, err := t.read(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tables); err != nil {
		return nil, fmt.Errorf(`%s: is no JSON object of tables, such as {"subscriptions": [{"pk": "ann", "plan": "pro"}]}`, file)
	}
	var known []string
	for _, table := range compiled.Tables() {
		known = append(known, table.Name)
	}
	for name := range tables {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%s: the policy looks up no table %q%s", file, name, policy.DidYouMean(name, known))
		}
	}
	return tables, nil
}

func (t *tool) writeTokens(tokens policytest.Tokens, only string) {
	switch issued := len(tokens.Refusals) == 0; {
	case t.json && only == "":
		t.writeJSON(struct {
			Issued   bool             `json:"issued"`
			Access   map[string]any   `json:"access,omitempty"`
			ID       map[string]any   `json:"id,omitempty"`
			Refusals []program.Reason `json:"refusals,omitempty"`
			Omitted  []program.Reason `json:"omitted,omitempty"`
		}{issued, tokens.Access, tokens.ID, tokens.Refusals, tokens.Omitted})
	case !issued:
		// With --token, standard output is for another program to read.
		out := t.stdout
		if only != "" {
			out = t.stderr
		}
		fmt.Fprintln(out, "no tokens are issued:")
		writeReasons(out, tokens.Refusals)
	case only == "access":
		t.writeJSON(tokens.Access)
	case only == "id":
		t.writeJSON(tokens.ID)
	default:
		fmt.Fprintln(t.stdout, "access token")
		t.writeJSON(tokens.Access)
		if tokens.ID != nil {
			fmt.Fprintln(t.stdout, "\nID token")
			t.writeJSON(tokens.ID)
		}
		if len(tokens.Omitted) > 0 {
			fmt.Fprintln(t.stdout, "\nleft out because of an error:")
			writeReasons(t.stdout, tokens.Omitted)
		}
	}
}

func writeReasons(w io.Writer, reasons []program.Reason) {
	for _, r := range reasons {
		fmt.Fprintf(w, "  %s: %s\n", r.Path, r.Message)
	}
}

func (t *tool) decide() func([]string) error {
	token := t.flags.String("token", "", "the token's payload, a JSON `FILE`; required")
	authorizer := t.flags.String("authorizer", "", "the `NAME` of the policy's authorizer; default: the only one")
	var at time.Time
	t.flags.Func("at", "the `DAY` of the request in UTC, such as 2027-04-01, on which idTokens may have ended; default: before they end", func(text string) (err error) {
		if at, err = time.Parse(time.DateOnly, text); err != nil {
			return errors.New("write a day, such as 2027-04-01")
		}
		return nil
	})
	var r program.Request
	t.flags.StringVar(&r.RouteKey, "route", "", "the API's route `KEY`, such as \"GET /documents/{id}\"; required")
	t.flags.StringVar(&r.Path, "path", "", "the request's `PATH`, a query string included; default: the route's, if it has no parameters")
	t.flags.StringVar(&r.Method, "method", "", "the request's `METHOD`; default: the route's")
	t.flags.StringVar(&r.SourceIP, "source-ip", "", "the client's `ADDRESS`")
	parameters := t.pairs("path-param", "a path parameter; default: those in the path")
	query := t.pairs("query", "a query parameter")
	headers := t.pairs("header", "a header")
	params := t.pairs("param", "a deploy-time value of the policy's params")
	return func(files []string) error {
		if *token == "" || r.RouteKey == "" {
			return usageError{errors.New("--token and --route are required")}
		}
		if r.QueryParameters, r.Headers, r.Params = query, headers, params; len(parameters) > 0 {
			r.PathParameters = parameters
		}
		request, err := policytest.Complete(r)
		if err != nil {
			return usageError{err}
		}
		_, compiled, err := t.program(files[0])
		if err != nil {
			return err
		}
		if err := checkParams(compiled, params); err != nil {
			return err
		}
		name, checker, err := pick(compiled, *authorizer)
		if err != nil {
			return err
		}
		_, text, err := t.read(*token)
		if err != nil {
			return err
		}
		claims, err := payload(text)
		if err != nil {
			return fmt.Errorf("%s: %w", *token, err)
		}
		decision, invalid := policytest.Decide(checker, claims, request, at)
		until := "" // as the authorizer logs it; without --at the day may be over
		if claims["token_use"] == "id" && !invalid {
			until = checker.IDTokensUntil().Format(time.DateOnly)
		}
		switch {
		case t.json:
			t.writeJSON(struct {
				Allowed       bool             `json:"allowed"`
				Authorizer    string           `json:"authorizer"`
				Route         string           `json:"route"`
				Reasons       []program.Reason `json:"reasons"`
				IDTokensUntil string           `json:"idTokensUntil,omitempty"`
			}{decision.Allowed, name, request.RouteKey, append([]program.Reason{}, decision.Reasons...), until})
		case decision.Allowed && until != "":
			fmt.Fprintf(t.stdout, "allow; ID tokens are refused from %s on\n", until)
		case decision.Allowed:
			fmt.Fprintln(t.stdout, "allow")
		case invalid:
			fmt.Fprintln(t.stdout, "invalid token:")
			writeReasons(t.stdout, decision.Reasons)
		default:
			fmt.Fprintln(t.stdout, "deny:")
			writeReasons(t.stdout, decision.Reasons)
		}
		if !decision.Allowed {
			return errNo
		}
		return nil
	}
}

// pick finds the authorizer of that name, or the only one.
func pick(compiled *policy.Compiled, name string) (string, *program.Checker, error) {
	names := compiled.CheckerNames()
	switch {
	case len(names) == 0:
		return "", nil, errors.New("the policy has no authorizers")
	case name == "" && len(names) > 1:
		return "", nil, usageError{fmt.Errorf("the policy has the authorizers %s: choose one with --authorizer", strings.Join(names, ", "))}
	case name == "":
		name = names[0]
	}
	checker, ok := compiled.Checker(name)
	if !ok {
		return "", nil, usageError{fmt.Errorf("the policy has no authorizer %q%s; it has %s", name, policy.DidYouMean(name, names), strings.Join(names, ", "))}
	}
	return name, checker, nil
}

// payload decodes a token's payload as the authorizer does.
func payload(text []byte) (map[string]any, error) {
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil || claims == nil {
		return nil, errors.New("is no JSON object of claims; of a raw token, give the decoded payload")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("has something behind the JSON object of claims")
	}
	return claims, nil
}

func (t *tool) test() func([]string) error {
	return func(files []string) error {
		_, compiled, err := t.program(files[0])
		if err != nil {
			return err
		}
		file, text, err := t.read(files[1])
		if err != nil {
			return err
		}
		cases, err := policytest.Load(compiled, file, text)
		if err != nil {
			return fmt.Errorf("the case file is wrong:\n%w", err)
		}
		type result struct {
			Name     string   `json:"name"`
			File     string   `json:"file"`
			Line     int      `json:"line"`
			Column   int      `json:"column"`
			Failures []string `json:"failures"`
		}
		var results []result
		failed := 0
		for _, c := range cases {
			failures := c.Failures()
			results = append(results, result{c.Name, c.File, c.Line, c.Column, append([]string{}, failures...)})
			switch {
			case len(failures) > 0:
				failed++
				if !t.json {
					fmt.Fprintln(t.stdout, "FAIL "+c.Report(failures))
				}
			case !t.json:
				fmt.Fprintln(t.stdout, "ok   "+c.Name)
			}
		}
		if t.json {
			t.writeJSON(struct {
				OK    bool     `json:"ok"`
				Cases []result `json:"cases"`
			}{failed == 0, results})
		} else {
			fmt.Fprintf(t.stdout, "%s: %s, %d failed\n", file, count(len(cases), "case"), failed)
		}
		if failed > 0 {
			return errNo
		}
		return nil
	}
}
