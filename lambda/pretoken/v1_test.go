package pretoken_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

// Pools that are still on V1_0 get its form of an answer: claims of the ID token, all of them texts.
func TestAnswersV1(t *testing.T) {
	t.Parallel()
	p, err := policy.Parse("claims.yaml", []byte(`
claims:
  company_id: {attribute: "custom:company_id", tokens: [id]}
  tier: {value: 9007199254740993, tokens: [id]}
  roles: {claims: {owner: {value: <all>}}, tokens: [id]}
  tags: {value: [a, b], tokens: [id]}
suppress: [{claim: email, tokens: [id]}]
groups: {expr: "user.groups.filter(g, g != 'hidden')"}
`))
	if err != nil {
		t.Fatal(err)
	}
	program, err := policy.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if program.ShapesAccessTokens() {
		t.Error("the policy is said to shape access tokens")
	}
	for name, c := range map[string]struct{ event, want string }{
		"a user": {`{"version": "1", "triggerSource": "TokenGeneration_Authentication", "region": "eu-west-1", "userPoolId": "eu-west-1_A", "userName": "ann",
			"callerContext": {"awsSdkVersion": "x", "clientId": "web"},
			"request": {"userAttributes": {"sub": "s", "custom:company_id": "acme"},
				"groupConfiguration": {"groupsToOverride": ["owners", "hidden"], "iamRolesToOverride": ["arn:aws:iam::1:role/r"], "preferredRole": "arn:aws:iam::1:role/r"}},
			"response": {"claimsOverrideDetails": null}}`,
			`{"claimsOverrideDetails": {
				"claimsToAddOrOverride": {"company_id": "acme", "tier": "9007199254740993", "roles": "{\"owner\":\"<all>\"}", "tags": "[\"a\",\"b\"]"},
				"claimsToSuppress": ["email"],
				"groupOverrideDetails": {"groupsToOverride": ["owners"], "iamRolesToOverride": ["arn:aws:iam::1:role/r"], "preferredRole": "arn:aws:iam::1:role/r"}}}`},
		"without groups": {`{"version": "1", "request": {"userAttributes": {}, "groupConfiguration": null}, "response": {}}`,
			`{"claimsOverrideDetails": {"claimsToAddOrOverride": {"tier": "9007199254740993", "roles": "{\"owner\":\"<all>\"}", "tags": "[\"a\",\"b\"]"}, "claimsToSuppress": ["email"]}}`},
	} {
		h := &pretoken.Handler{Program: program, Version: pretoken.V1, Logger: slog.New(slog.DiscardHandler)}
		answer, err := h.Invoke(t.Context(), []byte(c.event))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got, event map[string]any
		var want any
		if json.Unmarshal(answer, &got) != nil || json.Unmarshal([]byte(c.event), &event) != nil || json.Unmarshal([]byte(c.want), &want) != nil {
			t.Fatalf("%s: %s", name, answer)
		}
		if !reflect.DeepEqual(got["response"], want) {
			t.Errorf("%s: got %v\nwant %v", name, got["response"], want)
		}
		if got["response"] = event["response"]; !reflect.DeepEqual(got, event) {
			t.Errorf("%s: the rest of the event is changed: %s", name, answer)
		}
		if bytes.Contains(answer, []byte("claimsAndScopeOverrideDetails")) {
			t.Errorf("%s: answered in two forms: %s", name, answer)
		}
	}
}

func TestWhatShapesAccessTokens(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]bool{
		`claims: {a: {value: 1}}`:                                   true,
		`claims: {a: {value: 1, tokens: [id]}}`:                     false,
		`claims: {a: {value: 1, tokens: [id, access]}}`:             true,
		`scopes: {add: [a]}`:                                        true,
		`scopes: {suppress: [a]}`:                                   true,
		`suppress: [{claim: email, tokens: [id]}]`:                  false,
		`suppress: [{claim: "cognito:groups", tokens: [access]}]`:   true,
		`groups: {expr: user.groups}`:                               false,
		`authorizers: {A: {default: [{rule: "claims.sub != ''"}]}}`: false,
	} {
		p, err := policy.Parse("claims.yaml", []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		program, err := policy.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := program.ShapesAccessTokens(); got != want {
			t.Errorf("%s: %v", document, got)
		}
	}
}
