package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// token makes a token with that payload; the header and the signature are not looked at.
func token(payload string) string {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return strings.Join([]string{encode(`{"alg":"RS256"}`), encode(payload), encode("signature")}, ".")
}

func TestTamperChangesClaimsAndKeepsTheSignature(t *testing.T) {
	t.Parallel()
	original := token(`{"sub":"1","company_id":"acme","exp":9007199254740993}`)
	forged, err := tamper(original, map[string]any{"company_id": "globex", "scope": "documents/write"})
	if err != nil {
		t.Fatal(err)
	}
	before, after := strings.Split(original, "."), strings.Split(forged, ".")
	if before[0] != after[0] || before[2] != after[2] {
		t.Error("header or signature changed")
	}
	claims, err := claimsOf(forged)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"company_id":"globex","exp":9007199254740993,"scope":"documents/write","sub":"1"}`
	if got := compactJSON(claims); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestClaimsOfRefusesWhatIsNoToken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a.b", "a.!.c", token("[]"), token("{")} {
		if claims, err := claimsOf(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, claims)
		}
	}
}

func TestCustomClaimsAreThePolicysInAnOrderThatDoesNotVary(t *testing.T) {
	t.Parallel()
	claims, err := claimsOf(token(`{"sub":"1","iss":"x","exp":1,"token_use":"access","tier":3,"scope":"b a",` +
		`"cognito:groups":["z","a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cognito:groups":["a","z"],"scope":"a b","tier":3}`
	if got := compactJSON(customClaims(claims)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEverybodyCallsEveryRoute(t *testing.T) {
	t.Parallel()
	called := map[string][]string{}
	for _, c := range slices.Concat(calls, connections) {
		called[c.as] = append(called[c.as], c.route)
	}
	callers := []string{nobody, tampered, idToken}
	for _, u := range users {
		if u.refusal == "" {
			callers = append(callers, u.name)
		}
	}
	if got, want := slices.Sorted(maps.Keys(called)), slices.Sorted(slices.Values(callers)); !slices.Equal(got, want) {
		t.Errorf("callers are %q, want %q", got, want)
	}
	for _, caller := range callers {
		for _, route := range []string{health, documents, document, audit, reports, imports, connect} {
			if !slices.Contains(called[caller], route) {
				t.Errorf("%s never calls %s", caller, route)
			}
		}
	}
}

func TestOnRESTBadTokensAreUnauthorized(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		got, want := c.onREST().want, c.want
		if c.as == nobody || c.as == tampered || c.as == idToken && c.route != documents {
			want = 401
		}
		if c.route == health {
			want = 200
		}
		if got != want {
			t.Errorf("%s as %s: got %d, want %d", c.route, c.as, got, want)
		}
	}
}

// Only what the policy names is open to ID tokens, and not for long.
func TestAnIDTokenOpensOneRouteUntilTheDay(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(calls, connections, sunsetCalls) {
		opens := c.want == 200 && c.because != public
		if c.as == idToken && opens != (c.because == withAWarning && c.route == documents) {
			t.Errorf("%s must be answered %d", c.route, c.want)
		}
	}
}

func decisionOn(route, outcome string, messages ...string) decision {
	d := decision{Route: route, Outcome: outcome}
	for _, m := range messages {
		d.Reasons = append(d.Reasons, reason{m})
	}
	return d
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		api       api
		calls     []call
		decisions []decision
		want      []string
		err       string
	}{
		{
			name: "gives each call its own reason",
			calls: []call{
				{as: "owner", route: health}, {as: "owner", route: documents}, {as: nobody, route: documents},
				{as: "owner", route: audit}, {as: tampered, route: audit},
			},
			decisions: []decision{
				decisionOn(documents, "allow"), decisionOn(audit, "deny", "no", "never"), {Route: audit, Outcome: "fault", Error: "no keys"},
			},
			want: []string{public, "allow", noToken, "deny: no; never", "fault: no keys"},
		},
		{
			name:      "asks the authorizer about a missing token on the REST API",
			api:       restAPI,
			calls:     []call{{as: nobody, route: documents}},
			decisions: []decision{decisionOn(documents, "invalid token", "no token")},
			want:      []string{"invalid token: no token"},
		},
		{
			name:      "tells a warning",
			calls:     []call{{as: idToken, route: documents}},
			decisions: []decision{{Level: "WARN", Route: documents, Outcome: "deny", Reasons: []reason{{"no"}}, IDTokensUntil: "2027-04-01"}},
			want:      []string{"deny: no, with a warning: idTokensUntil 2027-04-01"},
		},
		{
			name:  "refuses a log without a decision",
			calls: []call{{as: "owner", route: documents}},
			err:   "the authorizer's log has no decision on GET /documents as owner where one should be",
		},
		{
			name:      "refuses a decision on another route",
			calls:     []call{{as: "owner", route: documents}},
			decisions: []decision{decisionOn(audit, "allow")},
			err:       "the authorizer's log has no decision on GET /documents as owner where one should be",
		},
		{
			name:      "refuses decisions that nobody asked for",
			decisions: []decision{decisionOn(audit, "allow")},
			err:       "the authorizer's log has 1 decisions more than there were calls",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			results := make([]result, len(c.calls))
			for i, call := range c.calls {
				results[i] = result{api: c.api, call: call}
			}
			if err := explain(results, c.decisions); fmt.Sprint(err) != cmp.Or(c.err, "<nil>") {
				t.Fatalf("got error %v, want %s", err, c.err)
			}
			for i, want := range c.want {
				if got := results[i].reason; got != want {
					t.Errorf("call %d: got %q, want %q", i, got, want)
				}
			}
		})
	}
}

// sample is a report in which all is well.
func sample() *report {
	return &report{
		users: []user{
			{name: "owner", claims: map[string]any{"company_id": "acme", "scope": "a b"}},
			{name: "unassigned", refusal: "not permitted"},
		},
		tokens: map[string]map[string]any{
			"owner":  {"sub": "1", "company_id": "acme", "scope": "b a"},
			idToken:  {"company_id": "acme", "tier": "silver"},
			upgraded: {"sub": "1", "company_id": "acme", "scope": "a b", "tier": "gold"},
		},
		refused: map[string]string{"unassigned": "PreTokenGeneration failed: not permitted."},
		results: []result{
			{api: httpAPI, call: call{"owner", documents, "/documents", 200, "allow"}, status: 200, reason: "allow",
				body: []byte(`{"claims":{"company_id":"acme"}}`)},
			{api: restAPI, call: call{nobody, documents, "/documents", 401, noToken}, status: 401, reason: noToken},
		},
		changes: []change{
			{
				name: "tier", title: "When acme pays", claims: map[string]any{"tier": "gold"},
				before: moment{value: "silver", as: "owner"},
				after: moment{value: "gold", as: upgraded, results: []result{
					{api: httpAPI, call: call{upgraded, reports, "/reports", 200, "allow"}, status: 200, reason: "allow",
						body: []byte(`{"claims":{"company_id":"acme","tier":"gold"}}`)},
				}},
			},
			{
				name: "idTokensUntil", title: "When the day comes",
				before: moment{value: "2027-04-01", as: idToken, results: []result{
					{api: httpAPI, call: call{idToken, documents, "/documents", 200, withAWarning}, status: 200, reason: withAWarning,
						body: []byte(`{"claims":{"company_id":"acme","tier":"silver"}}`)},
				}},
				after: moment{value: "2027-03-30", as: idToken, results: []result{
					{api: httpAPI, call: call{idToken, documents, "/documents", 403, anIDToken}, status: 403, reason: anIDToken},
				}},
			},
		},
	}
}

func TestReportPrintsTokensAndTable(t *testing.T) {
	t.Parallel()
	r := sample()
	r.results[1].status = 200
	var out strings.Builder
	r.print(&out)
	want := `
What the access tokens carry besides Cognito's own claims:

  owner       company_id  "acme"
              scope       "a b"
  unassigned  no token    PreTokenGeneration failed: not permitted.

Who gets what:

      API   AS      ROUTE           PATH        STATUS  EXPECTED  REASON
  ok  HTTP  owner   GET /documents  /documents  200     200       allow
  NO  REST  nobody  GET /documents  /documents  200     401       no token: refused by the gateway itself

When acme pays:

  upgraded  tier  "gold"

             API   AS        ROUTE         PATH      STATUS  EXPECTED  REASON
  after: ok  HTTP  upgraded  GET /reports  /reports  200     200       allow

When the day comes:

              API   AS        ROUTE           PATH        STATUS  EXPECTED  REASON
  before: ok  HTTP  id-token  GET /documents  /documents  200     200       allow, with a warning: idTokensUntil 20
  after: ok   HTTP  id-token  GET /documents  /documents  403     403       invalid token: token_use: this is an ID token

MiniStack answers 500 to a WebSocket with an invalid token. AWS answers 401.
MiniStack has the machine's token under its own address. On AWS it comes from the domain in the output TokenUrl.

`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "demo.json")
	if err := sample().write(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "tokens": {
    "owner": {
      "company_id": "acme",
      "scope": "b a",
      "sub": "1"
    }
  },
  "calls": [
    {
      "as": "owner",
      "method": "GET",
      "route": "GET /documents",
      "path": "/documents",
      "status": 200,
      "expected": 200,
      "reason": "allow"
    },
    {
      "api": "REST",
      "as": "nobody",
      "method": "GET",
      "route": "GET /documents",
      "path": "/documents",
      "status": 401,
      "expected": 401,
      "reason": "no token: refused by the gateway itself"
    }
  ],
  "changes": {
    "idTokensUntil": {
      "before": {
        "value": "2027-04-01",
        "token": {
          "company_id": "acme",
          "tier": "silver"
        },
        "calls": [
          {
            "as": "id-token",
            "method": "GET",
            "route": "GET /documents",
            "path": "/documents",
            "status": 200,
            "expected": 200,
            "reason": "allow, with a warning: idTokensUntil 20"
          }
        ]
      },
      "after": {
        "value": "2027-03-30",
        "token": {
          "company_id": "acme",
          "tier": "silver"
        },
        "calls": [
          {
            "as": "id-token",
            "method": "GET",
            "route": "GET /documents",
            "path": "/documents",
            "status": 403,
            "expected": 403,
            "reason": "invalid token: token_use: this is an ID token"
          }
        ]
      }
    },
    "tier": {
      "before": {
        "value": "silver",
        "token": {
          "company_id": "acme",
          "scope": "b a",
          "sub": "1"
        },
        "calls": []
      },
      "after": {
        "value": "gold",
        "token": {
          "company_id": "acme",
          "scope": "a b",
          "sub": "1",
          "tier": "gold"
        },
        "calls": [
          {
            "as": "upgraded",
            "method": "GET",
            "route": "GET /reports",
            "path": "/reports",
            "status": 200,
            "expected": 200,
            "reason": "allow"
          }
        ]
      }
    }
  }
}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReportErr(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(*report)
		want  string // part of the error; empty: no error
	}{
		{"nil when all is as expected", func(*report) {}, ""},
		{"a status", func(r *report) { r.results[1].status = 403 }, "GET /documents of the REST API as nobody got status 403, want 401"},
		{"a reason", func(r *report) { r.results[0].reason = "cached" }, `got the reason "cached", want one that says "allow"`},
		{"a claim the backend saw", func(r *report) { r.results[0].body = []byte(`{"claims":{"company_id":"globex"}}`) },
			"reached a backend that saw company_id globex, the token says acme"},
		{"a tier the backend saw", func(r *report) { r.tokens["owner"]["tier"], r.users[0].claims["tier"] = "gold", "gold" },
			"reached a backend that saw tier <nil>, the token says gold"},
		{"a claim that should have changed", func(r *report) { r.tokens[upgraded]["tier"] = "silver" },
			"the token of upgraded differs from that of owner in\n    {\"tier\":\"silver\"}\n  and must differ in\n    {\"tier\":\"gold\"}"},
		{"a claim that should not have changed", func(r *report) { delete(r.tokens[upgraded], "company_id") },
			`{"company_id":null,"tier":"gold"}`},
		{"an answer after a change", func(r *report) { r.changes[1].after.results[0].status = 200 },
			"GET /documents of the HTTP API as id-token got status 200, want 403"},
		{"a claim of the ID token", func(r *report) { delete(r.tokens[idToken], "tier") },
			"the owner's ID token has tier <nil>, and must have silver"},
		{"an answer that is no JSON", func(r *report) { r.results[0].body = []byte(`oops`) }, "got an answer that is not JSON"},
		{"a missing claim", func(r *report) { delete(r.tokens["owner"], "company_id") }, "the access token of owner carries"},
		{"a claim too many", func(r *report) { r.tokens["owner"]["admin"] = true }, `{"admin":true,"company_id":"acme","scope":"a b"}`},
		{"a sign-in that should be refused", func(r *report) { r.tokens["unassigned"] = map[string]any{} },
			"unassigned could sign in, and must not"},
		{"a refusal for another reason", func(r *report) { r.refused["unassigned"] = "PreTokenGeneration broke" },
			`unassigned was refused with "PreTokenGeneration broke", want a text that says "not permitted"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := sample()
			c.spoil(r)
			switch err := r.err(); {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want nil", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestPolicyWithAnotherDay(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 2, 3, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct{ policy, want, err string }{
		{"a: 2020-01-01\n    idTokens: {until: 2027-04-01, routes: []} # b", "a: 2020-01-01\n    idTokens: {until: 2026-02-03, routes: []} # b", "<nil>"},
		{"a: 1", "", `example-app/claims.yaml has 0 lines like "idTokens: {until: 2027-04-01", want 1`},
	} {
		got, err := withIDTokensUntil(c.policy, day)
		if got != c.want || fmt.Sprint(err) != c.err {
			t.Errorf("got %q, %v, want %q, %s", got, err, c.want, c.err)
		}
	}
	example, err := os.ReadFile("../claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withIDTokensUntil(string(example), day); err != nil {
		t.Error(err)
	}
}

func TestNewCode(t *testing.T) {
	t.Parallel()
	stack := func(code, memory, table string) template {
		return template{Resources: map[string]resource{
			"F": {"AWS::Lambda::Function", map[string]any{"Code": map[string]any{"S3Key": code}, "MemorySize": memory}},
			"G": {"AWS::Lambda::Function", map[string]any{"Code": map[string]any{"S3Key": "g"}}},
			"T": {table, nil},
		}}
	}
	before := stack("a", "128", "Table")
	more := stack("b", "128", "Table")
	more.Resources["X"] = resource{Type: "Table"}
	outputs := stack("b", "128", "Table")
	outputs.Outputs = map[string]any{"Id": "x"}
	for _, c := range []struct {
		name  string
		after template
		want  []string
		err   string
	}{
		{"names the functions", stack("b", "128", "Table"), []string{"F"}, "<nil>"},
		{"refuses nothing new", before, nil, "the redeployment changes no function's code"},
		{"refuses another property", stack("b", "256", "Table"), []string{"F"}, "the redeployment changes MemorySize of F"},
		{"refuses another type", stack("b", "128", "Bucket"), []string{"F"}, "the redeployment replaces T"},
		{"refuses another resource", more, []string{"F"}, "the redeployment replaces X"},
		{"refuses other outputs", outputs, []string{"F"}, "the redeployment changes outputs"},
	} {
		got, err := newCode(before, c.after)
		if !slices.Equal(got, c.want) || fmt.Sprint(err) != c.err {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestMachineGetsItsTokenWithItsSecretAndTellsNobody(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	for _, c := range []struct {
		name   string
		status int
		answer string
		token  string
		err    string
	}{
		{"a token", 200, `{"access_token": "t", "token_type": "Bearer"}`, "t", "<nil>"},
		{"a refusal", 400, `{"error": "invalid_scope"}`, "", `the token endpoint answered 400 Bad Request, error "invalid_scope"`},
		{"a page", 502, `<html>`, "", `the token endpoint answered 502 Bad Gateway, error ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, password, _ := r.BasicAuth()
				if r.URL.Path != "/oauth2/token" || r.PostFormValue("grant_type") != "client_credentials" || id != "importer" || password != secret {
					t.Errorf("got %s %s", r.Method, r.URL)
				}
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			}))
			defer server.Close()
			got, err := fetchToken(t.Context(), server.URL+"/oauth2/token", "importer", secret)
			if got.Access != c.token || fmt.Sprint(err) != c.err {
				t.Errorf("got %q, %v", got.Access, err)
			}
		})
	}
}

func TestInTurnEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	var ran []int
	broken := errors.New("broken")
	do := func(i int, err error) func(context.Context) error {
		return func(context.Context) error { ran = append(ran, i); return err }
	}
	if err := inTurn(t.Context(), do(1, nil), do(2, broken), do(3, nil)); err != broken || !slices.Equal(ran, []int{1, 2}) {
		t.Errorf("got %v after %v", err, ran)
	}
}

func TestRefusalIsTheTriggersOnly(t *testing.T) {
	t.Parallel()
	const told = "PreTokenGeneration failed with error sign-in is not permitted."
	for _, c := range []struct {
		name string
		err  error
		want string
		ok   bool
	}{
		{"the trigger refuses", &commandError{stderr: "An error occurred (UserLambdaValidationException): " + told}, told, true},
		{"a wrong password", &commandError{stderr: "An error occurred (NotAuthorizedException)"}, "", false},
		{"no AWS CLI", os.ErrNotExist, "", false},
		{"no error", nil, "", false},
	} {
		if text, ok := refusal(c.err); ok != c.ok || (ok && text != c.want) {
			t.Errorf("%s: got %q, %t", c.name, text, ok)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		printed, lowest string
		want            int
	}{
		{"go1.26.8", "1.26", 1},
		{"go1.9", "1.26", -1},
		{"v20.20.2", "20", 1},
		{"v20", "20.0.0", 0},
		{"Python 3.9.18", "3.10", -1},
		{"Python 3.10.0", "3.10", 0},
		{"nonsense", "3.10", -1},
	} {
		if got := compareVersions(firstVersion(c.printed), c.lowest); got != c.want {
			t.Errorf("%q against %s: got %d, want %d", c.printed, c.lowest, got, c.want)
		}
	}
}

func TestCheckToolsNamesAllThatIsMissing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the demo runs on Linux only, which is what it says elsewhere")
	}
	dir := t.TempDir()
	for name, prints := range map[string]string{"go": "go1.25.3", "node": "v22.1.0", "npm": "11.0.0"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+prints+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	_, err := checkTools(t.Context())
	want := `this machine lacks
  go 1.26 or newer (there is 1.25.3): see https://go.dev/dl
  python3 3.10 or newer (exec: "python3": executable file not found in $PATH): it needs its modules venv and ensurepip ` +
		`(Debian and Ubuntu: apt-get install python3-venv), see https://www.python.org`
	if fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestProgramsDoNotGetTheCallersAWSAccount(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("AWS_SESSION_TOKEN", "real")
	t.Setenv("AWS_ACCESS_KEY_ID", "real")
	env := (&workspace{dir: t.TempDir()}).env(map[string]string{"AWS_ACCESS_KEY_ID": "test"})
	if !slices.Contains(env, "AWS_ACCESS_KEY_ID=test") {
		t.Error("AWS_ACCESS_KEY_ID is not the one that was given")
	}
	for _, entry := range env {
		if strings.Contains(entry, "production") || strings.Contains(entry, "real") {
			t.Errorf("the environment has %s", entry)
		}
	}
}

func TestParallelReturnsTheFirstErrorAndEndsTheOthers(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := parallel(t.Context(),
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		func(context.Context) error { return broken },
	)
	if err != broken {
		t.Errorf("got %v, want %v", err, broken)
	}
	if err := parallel(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// grandchild is a script whose background process holds the named pipe $PIPE open until it ends.
const grandchild = `sleep 1000 > "$PIPE" & wait`

// openPipe makes a named pipe and hands it over, opened for reading, once the grandchild has opened it for writing.
func openPipe(t *testing.T) (env []string, opened <-chan *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	files := make(chan *os.File, 1)
	go func() {
		file, err := os.Open(path)
		if err != nil {
			t.Error(err)
		}
		files <- file
	}()
	return append(os.Environ(), "PIPE="+path), files
}

// waitForEnd returns when nobody holds the pipe open any more.
func waitForEnd(t *testing.T, pipe *os.File) {
	t.Helper()
	defer pipe.Close()
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Error(err)
	}
}

func TestStoppingAServiceEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	env, opened := openPipe(t)
	s, err := startService(filepath.Join(t.TempDir(), "log"), env, "sh", "-c", grandchild)
	if err != nil {
		t.Fatal(err)
	}
	pipe := <-opened
	s.stop()
	waitForEnd(t, pipe)
}

func TestInterruptingACommandEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	env, opened := openPipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	var pipe *os.File
	go func() { pipe = <-opened; cancel() }()
	c := command{name: "sh", args: []string{"-c", grandchild}, env: env, log: filepath.Join(t.TempDir(), "log")}
	if _, err := c.output(ctx); err == nil {
		t.Error("got no error from a command that was interrupted")
	}
	<-ctx.Done()
	waitForEnd(t, pipe)
}

func TestFailedCommandTellsTheEndOfWhatItSaid(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	c := command{name: "sh", args: []string{"-c", "seq 40 >&2; exit 3"}, env: os.Environ(), log: log}
	_, err := c.output(t.Context())
	text := fmt.Sprint(err)
	for _, want := range []string{"sh -c", "exit status 3", "(10 lines before these)", "\n    11\n", "\n    40"} {
		if !strings.Contains(text, want) {
			t.Errorf("the error lacks %q:\n%s", want, text)
		}
	}
	if all, err := os.ReadFile(log); err != nil || !bytes.Contains(all, []byte("\n1\n2\n")) {
		t.Errorf("the log lacks the beginning (%v):\n%s", err, all)
	}
}

func TestRunExplainsItself(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if err := run(t.Context(), []string{"--help"}, &out, &errs); err != nil {
		t.Error(err)
	}
	if out.String() != usage || errs.Len() > 0 {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
	if err := run(t.Context(), []string{"now"}, &out, &errs); fmt.Sprint(err) != `unexpected argument "now"` {
		t.Errorf("got %v", err)
	}
	if err := run(t.Context(), []string{"-with"}, &out, &errs); fmt.Sprint(err) != "-with needs a command" {
		t.Errorf("got %v", err)
	}
}
