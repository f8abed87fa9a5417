package program_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

const document = `
params: [stage]
claims: {tier: {expr: "params.stage == 'prod' ? 3 : 2", tokens: [access, id]}, price: {value: {net: 2.0, units: 2}}}
authorizers: {A: {default: [{rule: "claims.tier == 3"}], idTokens: {until: "2027-04-01"}}}`

func TestLoad(t *testing.T) {
	t.Parallel()
	whole := string(programtest.File(t, document))
	const other = "program.json is no program of this version of Claimsmith: "
	for name, c := range map[string]struct{ text, want string }{
		"as it is":               {whole, ""},
		"empty":                  {"", other},
		"cut off":                {whole[:len(whole)/2], other},
		"more behind it":         {whole + "{}", other},
		"a bracket behind it":    {whole + "}", other},
		"no format":              {strings.Replace(whole, `"format":1,`, "", 1), other},
		"another format":         {strings.Replace(whole, `"format":1`, `"format":2`, 1), other},
		"a demand of the future": {strings.Replace(whole, `"default":`, `"never":[],"default":`, 1), other},
		"an unknown function":    {strings.Replace(whole, `_==_`, `_=?_`, 1), other},
		"no authorizer":          {strings.Replace(whole, `"authorizers":{`, `"authorizers":{"B":null,`, 1), "authorizers.B: there is no authorizer"},
		"a claim of no type":     {strings.Replace(whole, `"claims":{"tier":{"kind":"int"}}`, `"claims":{"tier":null}`, 1), `authorizers.A: claim "tier" has no type`},
		"a claim that is lost":   {strings.Replace(whole, `"claims":{"tier":{"kind":"int"}},`, "", 1), `authorizers.A: authorizers.A.default[0] reads claim "tier", which has no type`},
		"no day":                 {strings.Replace(whole, `2027-04-01`, `2027-04-31`, 1), `authorizers.A: ID tokens are accepted until "2027-04-31", which is no day`},
	} {
		if name != "as it is" && c.text == whole {
			t.Fatalf("%s: nothing was changed in %s", name, whole)
		}
		p, err := program.Load(fstest.MapFS{program.File: &fstest.MapFile{Data: []byte(c.text)}})
		if c.want == "" {
			if err != nil || p == nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, err := program.Load(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), program.File) {
		t.Errorf("no file: got %v", err)
	}
}

// Numbers are as they were written, and a function decides as synth did.
func TestLoadedProgram(t *testing.T) {
	t.Parallel()
	p, err := program.Load(fstest.MapFS{program.File: &fstest.MapFile{Data: programtest.File(t, document)}})
	if err != nil {
		t.Fatal(err)
	}
	minted := p.Mint(program.SignIn{Params: map[string]string{"stage": "prod"}})
	price, _ := minted.Access["price"].(map[string]any)
	if !minted.Issue || minted.Access["tier"] != int64(3) || price["net"] != 2.0 || price["units"] != int64(2) {
		t.Errorf("got %+v", minted)
	}
	checker, ok := p.Checker("A")
	if !ok {
		t.Fatal("no authorizer")
	}
	for tier, want := range map[json.Number]bool{"3": true, "2": false} {
		if d := checker.Check(map[string]any{"tier": tier}, program.Request{}); d.Allowed != want {
			t.Errorf("tier %s: got %+v", tier, d)
		}
	}
	until := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	if !checker.IDTokensUntil().Equal(until) || checker.AcceptsIDToken("GET /", until) || !checker.AcceptsIDToken("GET /", until.Add(-1)) {
		t.Errorf("ID tokens are accepted until %v", checker.IDTokensUntil())
	}
}

// A rule without its expression refuses.
func TestARuleWithoutAnExpressionDenies(t *testing.T) {
	t.Parallel()
	whole := string(programtest.File(t, `authorizers: {A: {default: [{rule: "true"}]}}`))
	damaged := strings.Replace(whole, `"rule":true`, `"rule":null`, 1)
	p, err := program.Load(fstest.MapFS{program.File: &fstest.MapFile{Data: []byte(damaged)}})
	if err != nil || damaged == whole {
		t.Fatalf("%s: %v", damaged, err)
	}
	checker, _ := p.Checker("A")
	if d := checker.Check(nil, program.Request{}); d.Allowed || len(d.Reasons) != 1 || d.Reasons[0].Message != "true (there is no expression)" {
		t.Errorf("got %+v", d)
	}
}

func TestZeroValuesDeny(t *testing.T) {
	t.Parallel()
	if d := new(program.Checker).Check(map[string]any{"sub": "x"}, program.Request{RouteKey: "GET /"}); d.Allowed || len(d.Reasons) != 1 {
		t.Errorf("a checker of nothing: %+v", d)
	}
	if new(program.Checker).AcceptsIDToken("GET /", time.Now()) {
		t.Error("a checker of nothing accepts ID tokens")
	}
	if (program.Minted{}).Issue || (program.Decision{}).Allowed {
		t.Error("an answer of nothing is a yes")
	}
	if _, ok := new(program.Program).Checker("A"); ok {
		t.Error("a program of nothing has a checker")
	}
}
