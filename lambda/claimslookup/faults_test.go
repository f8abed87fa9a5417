package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/internal/runtimeapi"
	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/lookup"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// What Cognito gets, and shows to whoever signs in.
const (
	refused = "sign-in is not permitted for this account"
	fault   = "sign-in is temporarily not possible"
)

const signIn = `{"version": "2", "triggerSource": "TokenGeneration_Authentication", "userName": "secret-user",
	"callerContext": {"clientId": "web"}, "request": {"userAttributes": {"sub": "secret-sub", "custom:seats": "secret-number"}}, "response": {}}`

// faultCase is something that goes wrong, what the policy says about it, and what comes of it.
type faultCase struct {
	name   string
	table  http.HandlerFunc // DynamoDB
	policy string           // what the lookup says of faults and missing rows
	extra  string           // further claims
	hook   pretoken.Hook
	claims string // the claims that are minted, or
	err    string // what Cognito gets instead
	log    string
	counts string // of the metrics: outcome, failed lookups, what was omitted
}

func (c faultCase) run(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(c.table)
	t.Cleanup(server.Close)
	env := map[string]string{
		"CLAIMSMITH_LOOKUP_TABLES": `{"subscriptions": "subscriptions"}`, "CLAIMSMITH_LOOKUP_BUDGET": "300ms",
		"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	}
	if c.log != "no answer from DynamoDB within 300ms" {
		env["CLAIMSMITH_LOOKUP_BUDGET"] = "1m" // so long that a slow machine makes no difference
	}
	fetcher, err := lookup.FromEnvironment(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	compiled := programtest.Compile(t, `
lookups: {tier: {table: subscriptions, key: {pk: "user.attributes.sub"}, type: {plan: string}`+c.policy+`}}
claims:
  plan: {expr: "lookup.?tier.?plan"}`+c.extra)
	var log bytes.Buffer
	var counts string
	h := &pretoken.Handler{
		Program: &compiled.Program, Lookup: fetcher.Fetch, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		Observe: func(o pretoken.Observation) { counts = fmt.Sprint(o.Outcome, " ", o.LookupFailures, " ", o.Omitted) },
	}
	if c.hook != nil {
		h.Hooks = []pretoken.Hook{c.hook}
	}

	answer, err := h.Invoke(t.Context(), []byte(signIn))
	if c.err != "" {
		if answer != nil || err == nil || err.Error() != c.err {
			t.Errorf("got %s, %v; want the error %q", answer, err, c.err)
		}
	} else if want := `"response":{"claimsAndScopeOverrideDetails":{` + c.claims + `}}`; err != nil || !strings.Contains(string(answer), want) {
		t.Errorf("got %s, %v; want %s", answer, err, want)
	}
	if !strings.Contains(log.String(), c.log) {
		t.Errorf("the log lacks %s: %s", c.log, &log)
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("data is in the log: %s", &log)
	}
	if counts != c.counts {
		t.Errorf("counted %q, want %q", counts, c.counts)
	}
}

// The table of faults: each fault, each configured behaviour.
func TestFaults(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	var (
		row       = answer(200, `{"Item": {"pk": {"S": "secret-sub"}, "plan": {"S": "pro"}}}`)
		missing   = answer(200, `{}`)
		throttled = answer(400, `{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "secret-sub"}`)
		forbidden = answer(400, `{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "secret-sub"}`)
		hanging   = func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // only then does the server see that the client has gone
			<-r.Context().Done()
		}
		misshapen = answer(200, `{"Item": {"plan": {"M": {"secret": {"S": "secret"}}}}}`)
	)
	const (
		pro     = `"accessTokenGeneration":{"claimsToAddOrOverride":{"plan":"pro"}}`
		free    = `"accessTokenGeneration":{"claimsToAddOrOverride":{"plan":"free"}}`
		nothing = ``
		onError = `, onError: `
		useFree = `{default: {plan: free}}`

		isFault   = `"outcome":"fault","reasons":[{"path":"lookups.tier","message":"`
		isOmitted = `"omitted":[{"path":"lookups.tier","message":"`
	)
	for _, c := range []faultCase{
		{name: "no fault", counts: "issued 0 0", table: row, claims: pro, log: `"outcome":"issued"`},

		{name: "throttled, deny", counts: "fault 1 0", table: throttled, err: fault, log: isFault + "DynamoDB answers ThrottlingException"},
		{name: "throttled, omit", counts: "issued 1 1", table: throttled, policy: onError + "omit", claims: nothing, log: isOmitted + "DynamoDB answers ThrottlingException"},
		{name: "throttled, default", counts: "issued 1 1", table: throttled, policy: onError + useFree, claims: free, log: isOmitted + "DynamoDB answers ThrottlingException"},

		{name: "no permission, deny", counts: "fault 1 0", table: forbidden, err: fault, log: isFault + "DynamoDB answers AccessDeniedException"},
		{name: "no permission, omit", counts: "issued 1 1", table: forbidden, policy: onError + "omit", claims: nothing, log: isOmitted + "DynamoDB answers AccessDeniedException"},
		{name: "no permission, default", counts: "issued 1 1", table: forbidden, policy: onError + useFree, claims: free, log: isOmitted + "DynamoDB answers AccessDeniedException"},

		{name: "timeout, deny", counts: "fault 1 0", table: hanging, err: fault, log: "no answer from DynamoDB within 300ms"},
		{name: "timeout, omit", counts: "issued 1 1", table: hanging, policy: onError + "omit", claims: nothing, log: "no answer from DynamoDB within 300ms"},
		{name: "timeout, default", counts: "issued 1 1", table: hanging, policy: onError + useFree, claims: free, log: "no answer from DynamoDB within 300ms"},

		{name: "wrong shape, deny", counts: "fault 0 0", table: misshapen, err: fault, log: isFault + "lookup.tier.plan is no string"},
		{name: "wrong shape, omit", counts: "issued 0 1", table: misshapen, policy: onError + "omit", claims: nothing, log: isOmitted + "lookup.tier.plan is no string"},
		{name: "wrong shape, default", counts: "issued 0 1", table: misshapen, policy: onError + useFree, claims: free, log: isOmitted + "lookup.tier.plan is no string"},

		{name: "missing row, deny", counts: "refused 0 0", table: missing, err: refused, log: `"outcome":"refused","reasons":[{"path":"lookups.tier","message":"there is no such row"}]`},
		{name: "missing row, omit", counts: "issued 0 0", table: missing, policy: ", onMissing: omit", claims: nothing, log: `"outcome":"issued"`},
		{name: "missing row, default", counts: "issued 0 0", table: missing, policy: ", onMissing: " + useFree, claims: free, log: `"outcome":"issued"`},

		{name: "bad attribute, deny", counts: "refused 0 0", table: row, extra: "\n  seats: {attribute: 'custom:seats', as: int}", err: refused, log: `"outcome":"refused","reasons":[{"path":"claims.seats","message":"attribute: is no int"}]`},
		{name: "bad attribute, omit", counts: "issued 0 1", table: row, extra: "\n  seats: {attribute: 'custom:seats', as: int, onError: omit}", claims: pro, log: `"omitted":[{"path":"claims.seats","message":"attribute: is no int"}]`},

		{name: "panic in a hook", counts: "fault 0 0", table: row, hook: func(context.Context, program.SignIn, *program.Minted) error { panic("secret") }, err: fault, log: `"outcome":"fault","error":"hooks[0]: panic of type string"`},
		{name: "error of a hook", counts: "fault 0 0", table: row, hook: func(context.Context, program.SignIn, *program.Minted) error { return errors.New("secret") }, err: fault, log: `"outcome":"fault","error":"hooks[0]: error of type *errors.errorString"`},
		{name: "a hook denies", counts: "refused 0 0", table: row, hook: func(context.Context, program.SignIn, *program.Minted) error { return pretoken.Deny("closed") }, err: refused, log: `"outcome":"refused","reasons":[{"path":"hooks[0]","message":"closed"}]`},
		{name: "a hook sets what it must not", counts: "refused 0 0", table: row, hook: func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			out.Access["sub"] = "secret"
			return nil
		}, err: refused, log: `"outcome":"refused","reasons":[{"path":"claims.sub"`},
	} {
		t.Run(c.name, c.run)
	}
}

// The process as it is deployed: what it posts to Lambda's runtime API is what Cognito gets, and what is posted as an error
// counts in the function's metric Errors.
func TestTheFunctionAsDeployed(t *testing.T) {
	t.Parallel()
	dynamo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), `"S":"pro"`):
			io.WriteString(w, `{"Item": {"plan": {"S": "pro"}}}`)
		case strings.Contains(string(body), `"S":"nobody"`):
			io.WriteString(w, `{}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "secret"}`)
		}
	}))
	t.Cleanup(dynamo.Close)

	api, err := runtimeapi.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)

	bootstrap := build(t)
	programtest.Write(t, filepath.Dir(bootstrap), `{
		"lookups": {"tier": {"table": "subscriptions", "key": {"pk": "user.attributes.sub"}, "type": {"plan": "string"}}},
		"claims": {"plan": {"expr": "lookup.tier.?plan"}}}`)
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bootstrap)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(api.Environment("claims"),
		"CLAIMSMITH_TRIGGER_VERSION=V2_0", `CLAIMSMITH_LOOKUP_TABLES={"subscriptions": "subscriptions"}`, "CLAIMSMITH_LOOKUP_BUDGET=1m",
		"AWS_ENDPOINT_URL="+dynamo.URL, "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sub    string
		failed bool
		body   string
	}{
		{"pro", false, `"response":{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"claimsToAddOrOverride":{"plan":"pro"}}}}`},
		{"nobody", true, `"errorMessage":"` + refused + `"`},
		{"throttled", true, `"errorMessage":"` + fault + `"`},
		{"pro", false, `"plan":"pro"`}, // it goes on
	} {
		v := runtimeapi.NewInvocation([]byte(`{"request": {"userAttributes": {"sub": "` + c.sub + `"}}, "response": {}}`))
		api.Events <- v
		select {
		case <-v.Done:
			if got := string(v.Answer); v.Failed != c.failed || !strings.Contains(got, c.body) || strings.Contains(got, "secret") {
				t.Errorf("%s: posts %s, failed %t, want %t with %s", c.sub, got, v.Failed, c.failed, c.body)
			}
		case <-time.After(runtimeapi.Patience):
			t.Fatalf("%s: no answer", c.sub)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, want := range []string{`"outcome":"issued"`, `"message":"there is no such row"`, `"message":"DynamoDB answers ThrottlingException"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "nobody") {
		t.Errorf("data is in the log: %s", &log)
	}
}

// build builds the function into a folder of its own.
func build(t *testing.T) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.Command("go", "build", "-o", bootstrap, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bootstrap
}

// Without a policy that it can use the function does not start: Lambda then tells Cognito that the runtime exited, and no
// tokens are issued.
func TestAFunctionWithoutItsPolicyDoesNotStart(t *testing.T) {
	t.Parallel()
	bootstrap := build(t)
	file := programtest.Write(t, filepath.Dir(bootstrap), `{"claims": {"a": {"value": "x"}}}`)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ program, tables, want string }{
		{"", `{}`, "program.json is no program of this version of Claimsmith"},
		{string(whole[:len(whole)/2]), `{}`, "program.json is no program of this version of Claimsmith"},
		{`{"format": 0}`, `{}`, "program.json is no program of this version of Claimsmith"},
		{string(whole), ``, "CLAIMSMITH_LOOKUP_TABLES is no JSON object of table names"},
	} {
		if err := os.WriteFile(file, []byte(c.program), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, bootstrap)
		// A runtime API that nobody listens at: if the function started, it would not get this far.
		cmd.Env = []string{"CLAIMSMITH_TRIGGER_VERSION=V2_0", "AWS_REGION=eu-west-1", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "CLAIMSMITH_LOOKUP_TABLES=" + c.tables}
		out, err := cmd.CombinedOutput()
		cancel()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.HasPrefix(string(out), "claims: ") || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: %v, %s; want %s", c.program, err, out, c.want)
		}
	}
}
