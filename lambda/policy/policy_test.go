package policy

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func mustCompile(t testing.TB, text string) *Compiled {
	t.Helper()
	p, err := Parse("claims.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return deployed(t, prog)
}

// deployed is the policy with the program that a function gets, so that what is tested holds for what is shipped.
func deployed(t testing.TB, prog *Compiled) *Compiled {
	t.Helper()
	loaded, err := program.Load(files(t, prog))
	if err != nil {
		t.Fatal(err)
	}
	out := *prog
	out.Program = *loaded
	return &out
}

// files are what is shipped of a program.
func files(t testing.TB, prog *Compiled) fstest.MapFS {
	t.Helper()
	contents, err := prog.Files()
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for name, data := range contents {
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

// reasons are reasons from paths and messages in turn.
func reasons(words ...string) []program.Reason {
	var out []program.Reason
	for pair := range slices.Chunk(words, 2) {
		out = append(out, program.Reason{Path: pair[0], Message: pair[1]})
	}
	return out
}

func documents(t testing.TB) *Compiled {
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
  typed: {attribute: a, as: json, type: {b: "list(int)", c: {d: any}}, tokens: [access, id], onError: omit}
suppress: [{claim: email, tokens: [id], when: "user.name == ''"}]
groups: {expr: "user.groups + ['y']", when: "user.groups.size() > 0"}
tokenBudget: 8000
scopes: {add: [a, {scope: b, when: "'x' in user.groups"}]}
authorizers:
  A:
    default: [{rule: "claims.whole == 2.0 && claims.text != ''", message: m}]
    routes: {"GET /a/{id}": [{rule: "request.pathParameters.id == 'x'"}]}
    context: [whole, typed]
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
	signIn := program.SignIn{Groups: []string{"x"}, Params: map[string]string{"stage": "prod"}}
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

func TestProblemsOfOthers(t *testing.T) {
	t.Parallel()
	prog := documents(t)
	for path, want := range map[string]string{
		`authorizers.Documents.routes["PUT /documents/{id}"]`: `claims.yaml:17:7: authorizers.Documents.routes["PUT /documents/{id}"]: no such route`,
		"authorizers.Documents.routes.none":                   "claims.yaml:16:5: authorizers.Documents.routes.none: no such route",
		"nothing":                                             "claims.yaml:1:1: nothing: no such route",
	} {
		equal(t, path, prog.Problem(path, "no such route").String(), want)
	}
	fromGo, err := Compile(&Policy{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "of Go values", fromGo.Problem("params", "is odd").String(), "params: is odd")
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
claims:
  a: {attribute: "custom:a", when: "user.attributes.b == 'x'"}
  c: {d: {expr: "user.attributes[?'custom:c']"}, e: {expr: "user.attributes[user.name]"}}
suppress: [{claim: email, tokens: [id], when: "has(user.attributes.d)"}]
scopes: {add: [{scope: s, when: "user.attributes.e == ''"}], suppress: [{scope: t, when: "user.attributes.f == ''"}]}
groups: {expr: "[user.attributes.g]", when: "user.attributes.h == ''"}
`)
	equal(t, "attributes", prog.Attributes(), []string{"b", "custom:a", "custom:c", "d", "e", "f", "g", "h"})
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
		if got := mustCompile(t, document).ShapesAccessTokens(); got != want {
			t.Errorf("%s: %v", document, got)
		}
	}
}

// What is shipped is the same for equal policies, and as readable as the document itself.
func TestFiles(t *testing.T) {
	t.Parallel()
	const text = `
params: [a]
claims: {b: {expr: "params.a == 'x'"}, c: {expr: "user.groups.exists(g, g == '1')"}, d: {value: [1, 2.0]}}
authorizers: {A: {default: [{rule: "params.a == 'x'"}, {rule: "claims.b && claims.?c.orValue(false)"}], routes: {"GET /b": [{rule: "true"}]}}}
`
	first := files(t, mustCompile(t, text))
	for range 3 {
		if again := files(t, mustCompile(t, text)); !reflect.DeepEqual(again, first) {
			t.Fatal("the same policy gives other bytes")
		}
	}
	p, err := Parse("policy.json", first["policy.json"].Data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Compile(p); err != nil || !reflect.DeepEqual(files(t, got), first) {
		t.Errorf("policy.json is another policy: %v", err)
	}
}

// The path of a nested claim depends on what the fields of a claim are called.
func TestClaimFields(t *testing.T) {
	t.Parallel()
	if want := fieldNames(claimType); !slices.Equal(slices.Sorted(slices.Values(want)), contract.ClaimFields) {
		t.Errorf("got %q, want %q", contract.ClaimFields, want)
	}
}

func TestAPolicyThatWasNotCompiled(t *testing.T) {
	t.Parallel()
	var p Compiled
	if _, ok := p.Checker("A"); ok || p.Warnings() != nil || len(p.Explain().Claims) > 0 || len(p.Mint(program.SignIn{}).Access) > 0 {
		t.Error("it has something to say")
	}
	if _, err := p.Files(); err == nil {
		t.Error("it has files")
	}
}
