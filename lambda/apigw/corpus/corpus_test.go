// Package corpus is some hundred tokens and events, each with the verdict on it and the reason, and what runs them: the
// verifier, the handler for each kind of event and form of answer, and aws-jwt-verify, AWS's own verifier, under Node.
//
// testdata/corpus.json is made by generate_test.go:
//
//	go test ./lambda/apigw/corpus -update
//
// testdata/differences.json lists where aws-jwt-verify says something else, and why we do not. The test fails on a difference
// that is not listed, and on one that is listed and is none.
package corpus_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
)

var update = flag.Bool("update", false, "rewrite testdata/corpus.json")

// The verdicts. A token is accepted or rejected for good, or nothing can be said now. A request can also be denied.
const (
	accept = "accept"
	reject = "reject"
	deny   = "deny"
	fault  = "fault"
)

type corpus struct {
	Now     time.Time               `json:"now"`
	JWKS    json.RawMessage         `json:"jwks"`
	Configs map[string][]token.Pool `json:"configs"`
	Tokens  []tokenCase             `json:"tokens"`
	Events  []eventCase             `json:"events"`
}

type tokenCase struct {
	Name    string `json:"name"`
	Config  string `json:"config"`
	Token   string `json:"token"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"` // how the verifier's reason begins; in a fault, what it has
}

type eventCase struct {
	Name    string          `json:"name"`
	Sources string          `json:"sources,omitempty"` // see apigw.ParseSources
	Event   json.RawMessage `json:"event"`
	Verdict string          `json:"verdict"`
	Reason  string          `json:"reason,omitempty"` // what the log has
}

// encode writes a corpus with a line for each case.
func (c corpus) encode() []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	write := func(before string, value any) {
		out.WriteString(before)
		if err := encoder.Encode(value); err != nil { // ends the line
			panic(err)
		}
	}
	write(`{"now":`, c.Now)
	write(`,"jwks":`, c.JWKS)
	write(`,"configs":`, c.Configs)
	separator := `,"tokens":[`
	for _, token := range c.Tokens {
		write(separator, token)
		separator = ","
	}
	separator = `],"events":[`
	for _, event := range c.Events {
		write(separator, event)
		separator = ","
	}
	out.WriteString("]}\n")
	return out.Bytes()
}

const corpusFile = "testdata/corpus.json"

// ran counts cases by runner, for the summary.
var ran struct{ verifier, handlers, events, node atomic.Int64 }

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && ran.verifier.Load() > 0 {
		runners, node := 2+len(forms), "aws-jwt-verify did not run"
		if ran.node.Load() > 0 {
			runners, node = runners+1, fmt.Sprintf("aws-jwt-verify %d", ran.node.Load())
		}
		fmt.Printf("corpus: %d cases (%d tokens, %d events) through %d runners: token.Verify %d, the handler for %d kinds of events and answers %d, events %d, %s\n",
			ran.verifier.Load()+ran.events.Load(), ran.verifier.Load(), ran.events.Load(), runners,
			ran.verifier.Load(), len(forms), ran.handlers.Load(), ran.events.Load(), node)
	}
	os.Exit(code)
}

func load(t *testing.T) corpus {
	t.Helper()
	data, err := os.ReadFile(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var c corpus
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCorpusIsWhatTheGeneratorMakes(t *testing.T) {
	made := generate()
	data := made.encode()
	if *update {
		if err := os.WriteFile(corpusFile, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	checkedIn, err := os.ReadFile(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(checkedIn, data) {
		t.Errorf("%s is not what the generator makes: run go test ./lambda/apigw/corpus -update and read the diff", corpusFile)
	}
	names := map[string]bool{}
	for _, c := range made.Tokens {
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
	}
	for _, c := range made.Events {
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
	}
	if len(names) < 250 {
		t.Errorf("%d cases, want at least 250", len(names))
	}
}

// keySet has the keys of the corpus, for every issuer. It knows for sure which keys there are.
type keySet struct{ jose.JSONWebKeySet }

func (s *keySet) Key(_ context.Context, issuer, kid string) (*rsa.PublicKey, error) {
	for _, key := range s.JSONWebKeySet.Key(kid) {
		return key.Key.(*rsa.PublicKey), nil
	}
	return nil, &token.RejectedError{Reason: fmt.Sprintf("kid: %q is not among the keys of %s", kid, issuer)}
}

// verifiers are a verifier for each configuration.
func verifiers(t *testing.T, c corpus) map[string]*token.Verifier {
	t.Helper()
	var keys keySet
	if err := json.Unmarshal(c.JWKS, &keys.JSONWebKeySet); err != nil {
		t.Fatal(err)
	}
	all := map[string]*token.Verifier{}
	for name, pools := range c.Configs {
		v, err := token.NewVerifier(token.Config{Pools: pools, Now: func() time.Time { return c.Now }, Keys: &keys})
		if err != nil {
			t.Fatal(err)
		}
		all[name] = v
	}
	return all
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	c := load(t)
	all := verifiers(t, c)
	for _, token := range c.Tokens {
		ran.verifier.Add(1)
		for _, again := range []string{"", ", again"} { // when it may be remembered
			if got, reason := verify(t, all[token.Config], token.Token); got != token.Verdict || !matches(got, reason, token.Reason) {
				t.Errorf("%s%s: %s: %s, want %s: %s", token.Name, again, got, reason, token.Verdict, token.Reason)
			}
		}
	}
}

func matches(verdict, reason, want string) bool {
	if verdict == fault {
		return strings.Contains(reason, want)
	}
	return strings.HasPrefix(reason, want) && (want != "" || reason == "")
}

// form is a kind of event and form of answer.
type form struct {
	api      apigwtest.API
	response apigw.Response
}

var forms = []form{
	{api: apigwtest.HTTP2}, {api: apigwtest.HTTP2, response: apigw.IAMPolicy}, {api: apigwtest.HTTP1}, {api: apigwtest.REST}, {api: apigwtest.RESTToken}, {api: apigwtest.WebSocket},
}

// statuses are what a client gets.
func (f form) status(verdict string) int {
	switch verdict {
	case accept:
		return http.StatusOK
	case fault:
		return http.StatusInternalServerError
	case reject:
		if f.api != apigwtest.HTTP2 && f.api != apigwtest.HTTP1 {
			return http.StatusUnauthorized
		}
	}
	return http.StatusForbidden
}

func handler(t *testing.T, v *token.Verifier, response apigw.Response, log io.Writer) *apigw.Handler {
	t.Helper()
	compiled, err := policy.Compile(&policy.Policy{Authorizers: map[string]policy.Authorizer{"All": {Default: []policy.Rule{{Rule: "true"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	checker, _ := compiled.Checker("All")
	return &apigw.Handler{Verifier: v, Checker: checker, Response: response,
		Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.Level(-100)})),
		Observe: func(o apigw.Observation) {
			if reason := "`" + o.Reason + "`"; o.Outcome != "allow" && (o.Reason == "other" || !strings.Contains(reasons(t, o.Outcome), reason)) {
				t.Errorf("docs/operations.md has no reason %s for the outcome %s", reason, o.Outcome)
			}
		}}
}

// reasons is what docs/operations.md says of an outcome's reasons. There are few, whatever clients send: each is billed.
func reasons(t *testing.T, outcome string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, found := strings.Cut(string(text), "\n| *"+outcome+"* | ")
	if row, _, _ = strings.Cut(row, "\n"); !found {
		t.Errorf("docs/operations.md has no reasons for the outcome %s", outcome)
	}
	return row
}

// noSecrets looks for what no line of a log may have: part of a token (eyJ is what {" becomes in it), or a claim's value.
func noSecrets(t *testing.T, log string) {
	t.Helper()
	for _, secret := range []string{"eyJ", "9d3f5a1e", "6b1f0c8e", "0f9e8d7c", "c4b3a291", "documents/write", "owners"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log: %s", secret, log)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, f := range forms {
		t.Run(string(f.api)+" "+string(f.response), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			all := map[string]*apigw.Handler{}
			for config, v := range verifiers(t, c) {
				all[config] = handler(t, v, f.response, &log)
			}
			for _, token := range c.Tokens {
				if token.Token == "" || strings.ContainsAny(token.Token, " \t\r\n,") {
					continue // which means something in a header; see the events
				}
				ran.handlers.Add(1)
				r := apigwtest.Request{Method: "GET", Resource: "/d", Path: "/d", Header: http.Header{"Authorization": {"Bearer " + token.Token}}}
				log.Reset()
				response, err := all[token.Config].Invoke(t.Context(), r.Event(f.api))
				noSecrets(t, log.String())
				want := f.status(token.Verdict)
				if got := r.Outcome(f.api, response, err); got.Status != want {
					t.Errorf("%s: status %d, want %d: %s, %v", token.Name, got.Status, want, response, err)
				}
			}
		})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	c := load(t)
	v := verifiers(t, c)[plain]
	for _, e := range c.Events {
		ran.events.Add(1)
		api := apigwtest.API(e.Name[:strings.Index(e.Name, ": ")])
		var log bytes.Buffer
		h := handler(t, v, apigw.Simple, &log)
		if e.Sources != "" {
			var err error
			if h.Sources, err = apigw.ParseSources(e.Sources); err != nil {
				t.Fatal(err)
			}
		}
		response, err := h.Invoke(t.Context(), e.Event)
		noSecrets(t, log.String())
		var arn struct{ MethodArn, RouteArn string }
		if err := json.Unmarshal(e.Event, &arn); err != nil {
			t.Fatal(err)
		}
		got := apigwtest.OutcomeOf(api, arn.MethodArn+arn.RouteArn, response, err)
		if want := (form{api: api}).status(e.Verdict); got.Status != want || !strings.Contains(log.String(), e.Reason) {
			t.Errorf("%s: status %d, want %d because of %q: %s", e.Name, got.Status, want, e.Reason, &log)
		}
	}
}

func verify(t *testing.T, v *token.Verifier, raw string) (verdict, reason string) {
	_, err := v.Verify(t.Context(), raw)
	if rejected, ok := errors.AsType[*token.RejectedError](err); ok {
		return reject, rejected.Reason
	}
	if err != nil {
		return fault, err.Error()
	}
	return accept, ""
}

// nodeModules is where aws-jwt-verify gets installed.
const nodeModules = "../../../build/corpus"

func TestDifferencesToAWSJWTVerify(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and this is CI", tool)
			}
			fmt.Printf("corpus: SKIPPED beside aws-jwt-verify: %s is missing; install Node.js 22 or 24\n", tool)
			t.Skip(tool + " is missing")
		}
	}
	install(t)
	path, err := filepath.Abs(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "verify.mjs", path)
	command.Dir = nodeModules
	out, err := command.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, out)
	}
	var theirs []string
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/differences.json")
	if err != nil {
		t.Fatal(err)
	}
	var differences []struct {
		Why   string
		Cases []string
	}
	if err := json.Unmarshal(data, &differences); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, d := range differences {
		for _, name := range d.Cases {
			if listed[name] || d.Why == "" {
				t.Errorf("%s: is listed twice, or without a reason", name)
			}
			listed[name] = true
		}
	}
	c := load(t)
	if len(theirs) != len(c.Tokens) {
		t.Fatalf("aws-jwt-verify ran %d cases of %d", len(theirs), len(c.Tokens))
	}
	for i, token := range c.Tokens {
		ran.node.Add(1)
		differs := (token.Verdict == accept) != (theirs[i] == "")
		switch {
		case differs && !listed[token.Name]:
			t.Errorf("%s: we %s: %s; aws-jwt-verify says %q: list it in testdata/differences.json with the reason why we are right", token.Name, token.Verdict, token.Reason, theirs[i])
		case !differs && listed[token.Name]:
			t.Errorf("%s: is listed in testdata/differences.json but there is no difference", token.Name)
		}
		delete(listed, token.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		t.Errorf("%s: is listed in testdata/differences.json but is no case", name)
	}
}

// install installs what node/package-lock.json pins, once.
func install(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(nodeModules, 0o755); err != nil {
		t.Fatal(err)
	}
	fresh := true
	for _, name := range []string{"package.json", "package-lock.json", "verify.mjs"} {
		data, err := os.ReadFile("node/" + name)
		if err != nil {
			t.Fatal(err)
		}
		installed, err := os.ReadFile(nodeModules + "/" + name)
		if err == nil && bytes.Equal(installed, data) {
			continue
		}
		fresh = fresh && name == "verify.mjs"
		if err := os.WriteFile(nodeModules+"/"+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(nodeModules + "/node_modules/aws-jwt-verify/package.json"); err == nil && fresh {
		return
	}
	command := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	command.Dir = nodeModules
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v: %s", err, out)
	}
}
