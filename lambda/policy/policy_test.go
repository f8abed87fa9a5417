package policy

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

func mustCompile(t testing.TB, text string) *Program {
	t.Helper()
	p, err := Parse("claims.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func documents(t testing.TB) *Program {
	t.Helper()
	text, err := os.ReadFile("testdata/documents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return mustCompile(t, string(text))
}

// payload decodes a token's payload as package token does.
func payload(t testing.TB, text string) map[string]any {
	t.Helper()
	var claims map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %#v\nwant %#v", what, got, want)
	}
}

func TestTheShippedDocumentMeansTheSame(t *testing.T) {
	t.Parallel()
	text := `
params: [stage]
claims:
  whole: {value: 2.0}
  big: {value: 9223372036854775807}
  tiny: {value: 1e-7}
  huge: {value: 1.7976931348623157E308}
  text: {value: "<a> & \"b\" \\ \u2028 日本 \U0001F600"}
  "https://example.com/roles": {value: [1, "a", true]}
  nested: {claims: {value: {expr: "params.stage"}, when: {value: {when: 1}}}}
scopes: {add: [a, {scope: b, when: "'x' in user.groups"}]}
authorizers:
  A:
    default: [{rule: "claims.whole == 2.0 && claims.text != ''", message: m}]
    routes: {"GET /a/{id}": [{rule: "request.pathParameters.id == 'x'"}]}
`
	prog := mustCompile(t, text)
	shipped, err := json.Marshal(prog)
	if err != nil {
		t.Fatal(err)
	}
	again := mustCompile(t, string(shipped))
	twice, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the document shipped twice", string(twice), string(shipped))
	signIn := SignIn{Groups: []string{"x"}, Params: map[string]string{"stage": "prod"}}
	equal(t, "what is minted", again.Mint(signIn), prog.Mint(signIn))
	equal(t, "params", again.Params(), []string{"stage"})
}

func TestGoValuesAreTheSameDocument(t *testing.T) {
	t.Parallel()
	fromGo, err := Compile(&Policy{
		Claims: map[string]Claim{
			"tier":  {Value: 3},
			"roles": {Claims: map[string]Claim{"owner": {When: "'owners' in user.groups", Value: map[string]string{"permission": "all"}}}},
			"ids":   {Value: []uint16{1, 2}},
		},
		Scopes:      Scopes{Suppress: []Scope{{Scope: "openid"}}},
		Authorizers: map[string]Authorizer{"A": {Default: []Rule{{Rule: "claims.tier == 3", Message: "needs tier 3"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fromYAML := mustCompile(t, `
claims:
  tier: {value: 3}
  roles:
    owner: {when: "'owners' in user.groups", value: {permission: all}}
  ids: {value: [1, 2]}
scopes: {suppress: [openid]}
authorizers:
  A: {default: [{rule: "claims.tier == 3", message: "needs tier 3"}]}
`)
	a, _ := json.Marshal(fromGo)
	b, _ := json.Marshal(fromYAML)
	equal(t, "the documents", string(a), string(b))
}

func TestZeroValuesDeny(t *testing.T) {
	t.Parallel()
	if (Minted{}).Issue {
		t.Error("the zero Minted issues tokens")
	}
	if (Decision{}).Allowed {
		t.Error("the zero Decision allows")
	}
	if (&Checker{}).Check(nil, Request{}).Allowed {
		t.Error("the zero Checker allows")
	}
}
