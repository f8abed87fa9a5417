package policy

import (
	"encoding/json"
	"os"
	"testing"
)

func seeds(f *testing.F) {
	text, err := os.ReadFile("testdata/documents.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("claims: {a: {value: [1, 2.5, x]}, 'b.c': {claims: {d: {expr: '1', when: 'true', onError: omit}}}}")
	f.Add("authorizers: {A: {default: [{rule: \"claims['a'].b == 'x'\"}], routes: {'GET /{a}': [{rule: 'true'}]}}}")
	f.Add("a: &a [*a]")
}

// FuzzParse: whatever is parsed and compiles is shipped as a document that compiles to the same.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		prog, err := Compile(p)
		if err != nil {
			return
		}
		shipped, err := json.Marshal(prog)
		if err != nil {
			t.Fatal(err)
		}
		p, err = Parse("policy.json", shipped)
		if err != nil {
			t.Fatalf("%s\n%v", shipped, err)
		}
		again, err := Compile(p)
		if err != nil {
			t.Fatalf("%s\n%v", shipped, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(shipped) {
			t.Fatalf("%s\n%s", shipped, twice)
		}
	})
}

// FuzzMint: an expression that compiles mints a value that JSON carries, or refuses.
func FuzzMint(f *testing.F) {
	for _, expr := range []string{
		"user.attributes['custom:a'].split(',')", "user.groups.map(g, g.upperAscii())", "{'a': scopes}", "int(user.name) + 1",
		"user.attributes[?'a'].optMap(v, v + v)", "math.greatest(user.groups.size(), 3)", "sets.contains(user.groups, ['a'])",
		"'%s %d'.format([user.name, 1])", "user.name.matches('^[a-z]+$') ? 1.5 : 2.5", "pool.region + client.id",
	} {
		f.Add(expr, "name", "value", "group")
	}
	f.Fuzz(func(t *testing.T, expr, name, value, group string) {
		prog, err := Compile(&Policy{Claims: map[string]Claim{"a": {Expr: expr}}})
		if err != nil {
			return
		}
		minted := prog.Mint(SignIn{
			UserName: name, Attributes: map[string]string{name: value, "custom:a": value}, Groups: []string{group, name},
			ClientID: value, Scopes: []string{group},
		})
		if minted.Issue == (len(minted.Refusals) > 0) {
			t.Fatalf("issue %v, refusals %v", minted.Issue, minted.Refusals)
		}
		if _, err := json.Marshal(minted.Access); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCheck: any token and any request give a decision, and a refusal has a reason.
func FuzzCheck(f *testing.F) {
	for _, rule := range []string{
		"claims.s == request.path", "claims.n > 2 && claims.n < 2.5", "'a' in claims.l", "claims.o.a.b == 'x'", "has(claims.s)",
		"claims['a.b'] == request.headers['x']", "claims.?d.a.orValue(1) == 1", "claims.d == claims.l",
	} {
		f.Add(rule, `{"s": "x", "n": 2.0, "l": ["a"], "o": {"a": {"b": "x"}}, "a.b": "y", "d": [1, {"a": null}]}`, "/x")
	}
	claims := map[string]Claim{
		"s": {Attribute: "s"}, "n": {Value: 2}, "f": {Value: 2.5}, "l": {Value: []string{"a"}}, "b": {Value: true},
		"o": {Claims: map[string]Claim{"a": {When: "true", Value: map[string]any{"b": "x"}}}}, "a.b": {Value: "y"}, "d": {Expr: "dyn(1)"},
	}
	f.Fuzz(func(t *testing.T, rule, token, path string) {
		prog, err := Compile(&Policy{Claims: claims, Authorizers: map[string]Authorizer{"A": {Default: []Rule{{Rule: rule}}}}})
		if err != nil {
			return
		}
		var payload map[string]any
		if json.Unmarshal([]byte(token), &payload) != nil {
			return
		}
		checker, _ := prog.Checker("A")
		d := checker.Check(payload, Request{Path: path, RouteKey: "GET " + path, Headers: map[string]string{"x": path}})
		if d.Allowed == (len(d.Reasons) > 0) {
			t.Fatalf("allowed %v, reasons %v", d.Allowed, d.Reasons)
		}
	})
}
