package policytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// applyCase is one answer of a trigger, and what it changes in the tokens: claims added, changed, or removed (null).
type applyCase struct {
	name       string
	signIn     SignIn
	answer     string // claimsAndScopeOverrideDetails
	access, id string // JSON
	ignored    string
}

func (c applyCase) run(t *testing.T) {
	event := c.signIn.Event()
	tokens, err := Apply(event, []byte(`{"response": {"claimsAndScopeOverrideDetails": `+c.answer+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := decode(event)
	without := untouched(object(parsed))
	for _, token := range []struct {
		name      string
		got, base map[string]any
		changes   string
	}{{"access", tokens.Access, without.Access, c.access}, {"id", tokens.ID, without.ID, c.id}} {
		want := maps.Clone(token.base)
		changes, err := decode([]byte(token.changes))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range object(changes) {
			want[name] = v
		}
		for _, line := range diff(token.name, token.got, want) {
			t.Error(line)
		}
	}
	var ignored []string
	for _, r := range tokens.Ignored {
		ignored = append(ignored, r.Path+": "+r.Message)
	}
	equal(t, "ignored", strings.Join(ignored, "\n"), c.ignored)
}

var ann = SignIn{
	UserName: "ann", ClientID: "web", Groups: []string{"a", "b"}, Roles: []string{"role"}, PreferredRole: "role",
	Attributes: map[string]string{"email": "a@example.com", "custom:x": "1", "dev:y": "2"}, Scopes: []string{"openid", "email"},
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range []applyCase{
		{"null changes nothing", ann, `null`, `{}`, `{}`, ""},
		{"a list, as in AWS's samples, changes nothing", ann, `[]`, `{}`, `{}`, ""},
		{"nothing asked for changes nothing", ann, `{"idTokenGeneration": null, "accessTokenGeneration": {}}`, `{}`, `{}`, ""},
		{"claims go into the token that they are for", ann,
			`{"idTokenGeneration": {"claimsToAddOrOverride": {"a": [1, "x", true]}}, "accessTokenGeneration": {"claimsToAddOrOverride": {"b": {"c": {"d": 9007199254740993}}}}}`,
			`{"b": {"c": {"d": 9007199254740993}}}`, `{"a": [1, "x", true]}`, ""},
		{"an attribute of the ID token is overridden", ann, `{"idTokenGeneration": {"claimsToAddOrOverride": {"email": "x", "custom:x": {"deep": 1}}}}`, `{}`, `{"email": "x", "custom:x": {"deep": 1}}`, ""},
		{"suppress wins over add", ann,
			`{"idTokenGeneration": {"claimsToAddOrOverride": {"email": "x"}, "claimsToSuppress": ["email", "dev:y"]}, "accessTokenGeneration": {"claimsToAddOrOverride": {"b": 1}, "claimsToSuppress": ["b", "unknown"]}}`,
			`{"b": null}`, `{"email": null, "dev:y": null}`, ""},
		{"protected claims stay as they are", ann,
			`{"accessTokenGeneration": {"claimsToAddOrOverride": {"sub": "x", "username": "x", "client_id": "x", "version": 3, "cognito:groups": ["x"], "cognito:new": 1, "scope": "x", "aud": "other"}, "claimsToSuppress": ["jti", "scope"]}}`,
			`{}`, `{}`,
			`accessTokenGeneration.claimsToAddOrOverride.aud: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride.client_id: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride["cognito:groups"]: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride["cognito:new"]: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride.scope: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride.sub: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride.username: Cognito protects this claim
accessTokenGeneration.claimsToAddOrOverride.version: Cognito protects this claim
accessTokenGeneration.claimsToSuppress: Cognito protects claim "jti"
accessTokenGeneration.claimsToSuppress: Cognito protects claim "scope"`},
		{"protected claims of ID tokens are others", ann,
			`{"idTokenGeneration": {"claimsToAddOrOverride": {"aud": "web", "identities": "x", "client_id": "x", "cognito:username": "x", "dev:y": "x"}, "claimsToSuppress": ["cognito:username"]}}`,
			`{}`, `{"client_id": "x"}`,
			`idTokenGeneration.claimsToAddOrOverride.aud: Cognito protects this claim
idTokenGeneration.claimsToAddOrOverride["cognito:username"]: Cognito protects this claim
idTokenGeneration.claimsToAddOrOverride["dev:y"]: a developer-only attribute can only be suppressed
idTokenGeneration.claimsToAddOrOverride.identities: Cognito protects this claim
idTokenGeneration.claimsToSuppress: Cognito protects claim "cognito:username"`},
		{"aud may be the app client", ann, `{"accessTokenGeneration": {"claimsToAddOrOverride": {"aud": "web"}}}`, `{"aud": "web"}`, `{}`, ""},
		{"what cannot be carried", ann,
			`{"accessTokenGeneration": {"claimsToAddOrOverride": {"a": null, "b": [[1]], "c": [{}], "d": {"e": null}}}, "idTokenGeneration": {"claimsToAddOrOverride": {"address": {}, "email_verified": true}}}`,
			`{}`, `{"email_verified": true}`,
			`accessTokenGeneration.claimsToAddOrOverride.a: Cognito documents no way to carry null, nor lists or objects inside a list
accessTokenGeneration.claimsToAddOrOverride.b: Cognito documents no way to carry null, nor lists or objects inside a list
accessTokenGeneration.claimsToAddOrOverride.c: Cognito documents no way to carry null, nor lists or objects inside a list
accessTokenGeneration.claimsToAddOrOverride.d: Cognito documents no way to carry null, nor lists or objects inside a list
idTokenGeneration.claimsToAddOrOverride.address: this claim of an ID token cannot hold an object or a list`},
		{"scopes", ann, `{"accessTokenGeneration": {"scopesToAdd": ["x/read", "openid", "both", "a b"], "scopesToSuppress": ["email", "both", "none"]}}`,
			`{"scope": "openid x/read"}`, `{}`, `accessTokenGeneration.scopesToAdd: scope "a b" contains a blank`},
		{"no scopes left", ann, `{"accessTokenGeneration": {"scopesToSuppress": ["openid", "email"]}}`, `{"scope": null}`, `{}`, ""},
		{"groups are replaced in both tokens", ann, `{"groupOverrideDetails": {"groupsToOverride": ["c"], "iamRolesToOverride": ["role"], "preferredRole": "role"}}`,
			`{"cognito:groups": ["c"]}`, `{"cognito:groups": ["c"]}`, ""},
		{"groups alone lose the roles", ann, `{"groupOverrideDetails": {"groupsToOverride": ["c"]}}`,
			`{"cognito:groups": ["c"]}`, `{"cognito:groups": ["c"], "cognito:roles": null, "cognito:preferred_role": null}`, ""},
		{"an empty override takes the groups away", ann, `{"groupOverrideDetails": {}}`,
			`{"cognito:groups": null}`, `{"cognito:groups": null, "cognito:roles": null, "cognito:preferred_role": null}`, ""},
		{"a null override takes the groups away", ann, `{"groupOverrideDetails": null}`,
			`{"cognito:groups": null}`, `{"cognito:groups": null, "cognito:roles": null, "cognito:preferred_role": null}`, ""},
		{"null groups, as the stock Go type sends them, take the groups away", ann, `{"groupOverrideDetails": {"groupsToOverride": null, "iamRolesToOverride": null, "preferredRole": null}}`,
			`{"cognito:groups": null}`, `{"cognito:groups": null, "cognito:roles": null, "cognito:preferred_role": null}`, ""},
		{"suppressed groups take the roles with them", ann, `{"idTokenGeneration": {"claimsToSuppress": ["cognito:groups"]}}`,
			`{}`, `{"cognito:groups": null, "cognito:roles": null, "cognito:preferred_role": null}`, ""},
		{"groups are suppressed in one token", ann, `{"accessTokenGeneration": {"claimsToSuppress": ["cognito:groups"]}}`, `{"cognito:groups": null}`, `{}`, ""},
		{"a machine has no groups and no ID token", SignIn{Machine: true, Scopes: []string{"s"}},
			`{"groupOverrideDetails": {"groupsToOverride": ["c"]}, "idTokenGeneration": {"claimsToAddOrOverride": {"a": 1}}, "accessTokenGeneration": {"claimsToAddOrOverride": {"b": 1}}}`,
			`{"b": 1}`, `{}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func TestAnswersThatCognitoCannotRead(t *testing.T) {
	t.Parallel()
	event := string(ann.Event())
	for _, c := range []struct{ event, answer, want string }{
		{"{", "{}", "the event is no JSON: unexpected EOF"},
		{event, "{", "the answer is no JSON: unexpected EOF"},
		{event, "[]", "the answer has no response"},
		{event, `{"response": {"claimsAndScopeOverrideDetails": {"groupOverrideDetails": ["a"]}}}`, "the answer's groupOverrideDetails is no object"},
		{event, `{"response": {"claimsAndScopeOverrideDetails": {"groupOverrideDetails": {"iamRolesToOverride": {}}}}}`, "the answer's groupOverrideDetails.iamRolesToOverride is no list"},
	} {
		_, err := Apply([]byte(c.event), []byte(c.answer))
		equal(t, c.answer, fmt.Sprint(err), c.want)
	}
}

// The tokens without a trigger are those that AWS's pages show.
func TestUntouchedTokens(t *testing.T) {
	t.Parallel()
	in := SignIn{Attributes: map[string]string{
		"sub": "s", "email": "e", "email_verified": "true", "phone_number_verified": "false", "cognito:user_status": "CONFIRMED",
		"identities": `[{"userId": "1"}]`,
	}, PoolID: "eu-west-1_p"}
	tokens, err := Issue(programtest.Compile(t, "{}"), nil, nil, in.Event())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "access", show(tokens.Access), `{"auth_time":1767225600,"client_id":"client","event_id":"id-of-event","exp":1767229200,"iat":1767225600,"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_p","jti":"jti-of-access-token","origin_jti":"jti-of-sign-in","scope":"aws.cognito.signin.user.admin","sub":"s","token_use":"access","username":"user","version":2}`)
	equal(t, "id", show(tokens.ID), `{"aud":"client","auth_time":1767225600,"cognito:username":"user","email":"e","email_verified":true,"event_id":"id-of-event","exp":1767229200,"iat":1767225600,"identities":[{"userId":"1"}],"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_p","jti":"jti-of-id-token","origin_jti":"jti-of-sign-in","phone_number_verified":false,"sub":"s","token_use":"id"}`)
}

func TestIssueFromRecordedEvents(t *testing.T) {
	t.Parallel()
	compiled := programtest.Compile(t, `
claims:
  company: {attribute: "custom:company_id"}
  legacy: {attribute: email, tokens: [id]}
  n: {attribute: "custom:flag", as: int, onError: omit}
groups: {expr: "user.groups.filter(g, g != 'owners')"}
`)
	for file, want := range map[string][2]string{
		"user.json":    {`{"company":"acme <&> co","groups":["group-B"]}`, `{"groups":["group-B"],"legacy":"brcotter@example.com","role":"arn:aws:iam::123456789012:role/sns_caller"}`},
		"sparse.json":  {`{"company":"acme","groups":null}`, `{"groups":null,"legacy":null,"role":null}`},
		"machine.json": {`{"company":null,"groups":null}`, `{"groups":null,"legacy":null,"role":null}`},
	} {
		event, err := os.ReadFile("../../pretoken/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := Issue(compiled, nil, nil, event)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, file+" access", show(map[string]any{"company": tokens.Access["company"], "groups": tokens.Access["cognito:groups"]}), want[0])
		equal(t, file+" id", show(map[string]any{"legacy": tokens.ID["legacy"], "groups": tokens.ID["cognito:groups"], "role": tokens.ID["cognito:preferred_role"]}), want[1])
	}
}

func TestIssueRefusesOmitsAndFails(t *testing.T) {
	t.Parallel()
	compiled := programtest.Compile(t, `claims: {a: {attribute: a, required: true}, b: {attribute: b, as: int, onError: omit}}`)
	tokens, err := Issue(compiled, nil, nil, SignIn{}.Event())
	if want := []program.Reason{{Path: "claims.a", Message: "is required, but the user has no value for it"}}; err != nil || !slices.Equal(tokens.Refusals, want) || tokens.Access != nil {
		t.Errorf("got %v and %v, want the refusals %v", tokens, err, want)
	}
	tokens, err = Issue(compiled, nil, nil, SignIn{Attributes: map[string]string{"a": "x", "b": "y"}}.Event())
	if want := []program.Reason{{Path: "claims.b", Message: "attribute: is no int"}}; err != nil || !slices.Equal(tokens.Omitted, want) {
		t.Errorf("got %v and %v, want omitted %v", tokens, err, want)
	}
	_, err = Issue(compiled, nil, nil, []byte(`{}`))
	equal(t, "fault", fmt.Sprint(err), "the event has no request: is this function the pool's pre token generation trigger?")
	cases, err := Load(compiled, "c.yaml", []byte("users: {a: {}}"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "failures", strings.Join(cases[0].Failures(), "\n"), "no tokens are issued: claims.a: is required, but the user has no value for it")
}

func TestNumbersAndOtherValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want any
		text      string
	}{
		{json.Number("2"), json.Number("2.0"), ""},
		{json.Number("1e2"), json.Number("100"), ""},
		{json.Number("9007199254740993"), json.Number("9007199254740992"), "x: got 9007199254740993, want 9007199254740992"},
		{json.Number("2"), "2", `x: got 2, want "2"`},
		{"a", []any{"a"}, `x: got "a", want ["a"]`},
		{[]any{"a"}, []any{"a", "b"}, `x: got ["a"], want ["a","b"]`},
		{true, true, ""},
		{[]any{map[string]any{"a": "<"}}, []any{map[string]any{"a": ">"}}, `x[0].a: got "<", want ">"`},
		{map[string]any{}, map[string]any{"a": nil}, ""},
		{func() {}, "f", `x: got a value that is no JSON (func()), want "f"`},
	} {
		equal(t, show(c.want), strings.Join(diff("x", c.got, c.want), "\n"), c.text)
	}
}
