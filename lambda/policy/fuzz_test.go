package policy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

func seeds(f *testing.F) {
	text, err := os.ReadFile("testdata/documents.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("claims: {a: {value: [1, 2.5, x]}, 'b.c': {claims: {d: {expr: '1', when: 'true', onError: omit}}}}")
	f.Add("authorizers: {A: {default: [{rule: \"claims['a'].b == 'x'\"}], routes: {'GET /{a}': [{rule: 'true'}]}}}")
	f.Add("lookups: {a: {table: t, index: b.c, limit: 2, key: {k: user.name}, type: {x: 'list(int)', y: {z: any}}, onMissing: {default: [{x: [1]}]}, onError: omit, cacheSeconds: 1}}\nclaims: {c: {code: true, type: int}}\nresourceServers: {r: {s: t}}")
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
		minted := prog.Mint(program.SignIn{
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

// FuzzRow: whatever a row holds, it is minted as declared or refused.
func FuzzRow(f *testing.F) {
	document, err := Parse("f.yaml", []byte(`
lookups: {row: {table: t, key: {pk: user.name}, type: {s: string, b: bool, n: int, d: double, l: list(string), m: map(int), o: {a: string}, x: any}}}
claims: {row: {expr: lookup.row}, n: {expr: "lookup.row.?n"}}
`))
	if err != nil {
		f.Fatal(err)
	}
	prog, err := Compile(document)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"s": "x", "b": true, "n": 9007199254740993, "d": 1e-7, "l": ["a"], "m": {"a": 1}, "o": {"a": null}, "x": [1, {"a": [null]}]}`)
	f.Add(`{"n": 1e400, "l": {}, "m": {"a": 1.5}, "o": [], "x": 123456789012345678901234567890}`)
	f.Fuzz(func(t *testing.T, text string) {
		var row map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&row) != nil {
			return
		}
		minted := prog.Mint(program.SignIn{UserName: "ann", Found: map[string]program.Found{"row": {Rows: []map[string]any{row}}}})
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
		d := checker.Check(payload, program.Request{Path: path, RouteKey: "GET " + path, Headers: map[string]string{"x": path}})
		if d.Allowed == (len(d.Reasons) > 0) {
			t.Fatalf("allowed %v, reasons %v", d.Allowed, d.Reasons)
		}
	})
}
