package pretoken

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
)

const claims = `
params: [stage]
claims:
  company_id: {attribute: "custom:company_id"}
  big: {value: 9007199254740993}
  seen: {expr: "[user.name, client.id, trigger.source, pool.id, pool.region, params.stage] + user.groups + scopes"}
  metadata: {expr: "client.metadata[?'key']"}
  roles:
    owner: {when: "'owners' in user.groups", value: {document_permission: full_control}}
scopes:
  add: [documents/read, {scope: documents/write, when: "'owners' in user.groups"}]
  suppress: [aws.cognito.signin.user.admin]
`

func handler(t testing.TB, text string, log *bytes.Buffer) *Handler {
	t.Helper()
	return &Handler{Program: &programtest.Compile(t, text).Program, Params: map[string]string{"stage": "prod"}, Logger: slog.New(slog.NewJSONHandler(log, nil))}
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tree decodes JSON with exact numbers.
func tree(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"user.json": `{"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {
			"claimsToAddOrOverride": {
				"company_id": "acme <&> co", "big": 9007199254740993, "metadata": "value", "roles": {"owner": {"document_permission": "full_control"}},
				"seen": ["brcotter", "1example23456789", "TokenGeneration_Authentication", "us-east-1_EXAMPLE", "us-east-1", "prod",
					"owners", "group-B", "aws.cognito.signin.user.admin", "openid", "email", "phone"]},
			"scopesToAdd": ["documents/read", "documents/write"], "scopesToSuppress": ["aws.cognito.signin.user.admin"]}}}`,
		"machine.json": `{"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {
			"claimsToAddOrOverride": {
				"big": 9007199254740993,
				"seen": ["ClientCredentials", "EXAMPLECLIENT", "TokenGeneration_ClientCredentials", "eu-west-1_EXAMPLE", "eu-west-1", "prod", "rs1/scope1", "rs2/scope2"]},
			"scopesToAdd": ["documents/read"], "scopesToSuppress": ["aws.cognito.signin.user.admin"]}}}`,
		"sparse.json": `{"claimsAndScopeOverrideDetails": {"accessTokenGeneration": {
			"claimsToAddOrOverride": {
				"company_id": "acme", "big": 9007199254740993,
				"seen": ["user", "client", "TokenGeneration_RefreshTokens", "us-east-1_EXAMPLE", "us-east-1", "prod"]},
			"scopesToAdd": ["documents/read"], "scopesToSuppress": ["aws.cognito.signin.user.admin"]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := fixture(t, name)
			answer, err := handler(t, claims, &bytes.Buffer{}).Invoke(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			got, sent := tree(t, answer), tree(t, event)
			if response := tree(t, []byte(want)); !reflect.DeepEqual(got["response"], any(response)) {
				t.Errorf("response\n got %v\nwant %v", got["response"], response)
			}
			// All the rest goes back as it came.
			delete(got, "response")
			delete(sent, "response")
			if !reflect.DeepEqual(got, sent) {
				t.Errorf("event\n got %v\nwant %v", got, sent)
			}
			// Empty or null, this would take the user's groups away.
			if bytes.Contains(answer, []byte("groupOverrideDetails")) || bytes.Contains(answer, []byte("idTokenGeneration")) {
				t.Errorf("the answer has what the policy did not ask for: %s", answer)
			}
		})
	}
}

func TestAPolicyWithNothingToSayChangesNothing(t *testing.T) {
	t.Parallel()
	answer, err := handler(t, "claims: {a: {attribute: none}}", &bytes.Buffer{}).Invoke(t.Context(), fixture(t, "user.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, answer)["response"]; !reflect.DeepEqual(got, any(tree(t, []byte(`{"claimsAndScopeOverrideDetails": {}}`)))) {
		t.Errorf("response %v", got)
	}
}

func TestBothTokensAndGroups(t *testing.T) {
	t.Parallel()
	const both = `
claims:
  plan: {value: pro, tokens: [access, id]}
suppress: [{claim: email, tokens: [id]}]
groups: {expr: "user.groups.filter(g, g != 'group-B')"}
`
	for name, want := range map[string]string{
		// Roles are kept, and the preferred role is the string that AWS's schema demands, not the list of its sample.
		"user.json": `{"claimsAndScopeOverrideDetails": {
			"idTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}, "claimsToSuppress": ["email"]},
			"accessTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}},
			"groupOverrideDetails": {"groupsToOverride": ["owners"], "iamRolesToOverride": ["arn:aws:iam::123456789012:role/sns_callerA"],
				"preferredRole": "arn:aws:iam::123456789012:role/sns_caller"}}}`,
		"sparse.json": `{"claimsAndScopeOverrideDetails": {
			"idTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}, "claimsToSuppress": ["email"]},
			"accessTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}},
			"groupOverrideDetails": {"groupsToOverride": []}}}`,
		// A machine has no groups to replace.
		"machine.json": `{"claimsAndScopeOverrideDetails": {
			"idTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}, "claimsToSuppress": ["email"]},
			"accessTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}}}}`,
	} {
		answer, err := handler(t, both, &bytes.Buffer{}).Invoke(t.Context(), fixture(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := tree(t, answer)["response"]; !reflect.DeepEqual(got, any(tree(t, []byte(want)))) {
			t.Errorf("%s\n got %v\nwant %s", name, got, want)
		}
	}
}

func TestRefusalIsNeutral(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, `claims: {company_id: {attribute: "custom:other", required: true}, n: {expr: "int(user.attributes.email)"}}`, &log)
	answer, err := h.Invoke(t.Context(), fixture(t, "user.json"))
	if answer != nil || err == nil || err.Error() != "sign-in is not permitted for this account" {
		t.Fatalf("got %s, %v", answer, err)
	}
	line := tree(t, log.Bytes())
	if line["msg"] != "mint" || line["outcome"] != "refused" || line["clientId"] != "1example23456789" {
		t.Errorf("log %s", &log)
	}
	for _, want := range []string{"claims.company_id", "is required", "claims.n", "could not be converted"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
	noPersonalData(t, log.String())
}

func TestOmissionIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	if _, err := handler(t, `claims: {a: {expr: "user.groups[9]", onError: omit}}`, &log).Invoke(t.Context(), fixture(t, "user.json")); err != nil {
		t.Fatal(err)
	}
	if line := log.String(); !strings.Contains(line, `"outcome":"issued"`) || !strings.Contains(line, `"omitted":[{"path":"claims.a"`) {
		t.Errorf("log %s", line)
	}
	noPersonalData(t, log.String())
}

func TestFaultsAreNeutral(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]string{
		"empty":                    ``,
		"no JSON":                  `{"request": {"userAttributes": {"email": "brcotter@example.com"}}`,
		"more than one value":      `{"request": {"clientMetadata": {"note": "x\ud83d"}}} {}`,
		"a bracket too many":       `{"request": {"clientMetadata": {"note": "x\ud83d"}}}}`,
		"null":                     `null`,
		"a list":                   `["brcotter"]`,
		"another event":            `{"version": "2.0", "routeKey": "GET /"}`,
		"request that is text":     `{"request": "brcotter"}`,
		"attribute that is a list": `{"request": {"userAttributes": {"email": ["brcotter@example.com"]}}}`,
		"groups that are text":     `{"request": {"groupConfiguration": {"groupsToOverride": "brcotter"}}}`,
		"scopes that are numbers":  `{"request": {"scopes": [1]}}`,
	} {
		var log bytes.Buffer
		answer, err := handler(t, claims, &log).Invoke(t.Context(), []byte(event))
		if answer != nil || err == nil || err.Error() != "sign-in is temporarily not possible" {
			t.Errorf("%s: got %s, %v", name, answer, err)
		}
		if !strings.Contains(log.String(), `"outcome":"fault"`) {
			t.Errorf("%s: log %s", name, &log)
		}
		noPersonalData(t, log.String())
	}
}

// What a client may have chosen, and what Cognito may yet add, keeps nobody out.
func TestOddEventsAreAnswered(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]string{
		"half a character":   `{"request": {"userAttributes": {"name": "ann"}, "clientMetadata": {"note": "x\ud83d"}}}`,
		"the same key twice": `{"request": {"userAttributes": {"name": "a", "name": "b"}}}`,
		"deep nesting":       `{"request": {}, "new": ` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`,
		"a long number":      `{"request": {}, "new": 1` + strings.Repeat("0", 60) + `}`,
		"null everywhere":    `{"region": null, "callerContext": null, "request": {"userAttributes": null, "groupConfiguration": null, "clientMetadata": null, "scopes": null}}`,
	} {
		var log bytes.Buffer
		answer, err := handler(t, claims, &log).Invoke(t.Context(), []byte(event))
		if err != nil || !strings.Contains(log.String(), `"outcome":"issued"`) {
			t.Errorf("%s: %v, log %s", name, err, &log)
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(answer, &got); err != nil || got["response"] == nil {
			t.Errorf("%s: %v: %s", name, err, answer)
		}
	}
}

func TestAPanicIsNeutral(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, claims, &log)
	h.Program = nil
	if _, err := h.Invoke(t.Context(), fixture(t, "user.json")); err == nil || err.Error() != "sign-in is temporarily not possible" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), `"outcome":"fault"`) {
		t.Errorf("log %s", &log)
	}
}

func noPersonalData(t *testing.T, text string) {
	t.Helper()
	for _, personal := range []string{"brcotter", "example.com", "a6939c6b", "acme"} {
		if strings.Contains(text, personal) {
			t.Errorf("%q is in %s", personal, text)
		}
	}
}

func FuzzInvoke(f *testing.F) {
	for _, name := range []string{"user.json", "machine.json", "sparse.json"} {
		f.Add(fixture(f, name))
	}
	h := handler(f, claims, &bytes.Buffer{})
	h.Logger = slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, event []byte) {
		answer, err := h.Invoke(t.Context(), event)
		if (answer == nil) == (err == nil) {
			t.Fatalf("answer %s, error %v", answer, err)
		}
		if err == nil {
			tree(t, answer)
		}
	})
}

func BenchmarkInvoke(b *testing.B) {
	h := handler(b, claims, &bytes.Buffer{})
	h.Logger = slog.New(slog.DiscardHandler)
	event := fixture(b, "user.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Invoke(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}
