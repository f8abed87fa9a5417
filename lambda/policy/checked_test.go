package policy

import (
	"encoding/json"
	"reflect"
	"testing"
	"testing/fstest"
)

// compiled is a program as synth has it.
func compiled(t *testing.T, text string) *Program {
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

func TestLoadUsesWhatWasChecked(t *testing.T) {
	t.Parallel()
	// The same text means different things to the two languages.
	prog := compiled(t, `
params: [a]
claims: {b: {expr: "params.a == 'x'"}, c: {expr: "user.groups.exists(g, g == '1')"}}
authorizers: {A: {default: [{rule: "params.a == 'x'"}, {rule: "claims.b && claims.?c.orValue(false)"}]}}
`)
	shipped := files(t, prog)
	if !reflect.DeepEqual(files(t, deployed(t, prog)), shipped) || !reflect.DeepEqual(files(t, prog), shipped) {
		t.Error("the same policy gives other bytes")
	}
	const text = "params.a == 'x'"
	for _, c := range []struct {
		name   string
		change func(*checkedPolicy)
		want   bool // what claim b is of a user who has the param x
	}{
		{"as it is", func(*checkedPolicy) {}, true},
		{"of another document", func(p *checkedPolicy) { p.Document[0]++ }, true},
		{"an expression that is none", func(p *checkedPolicy) { p.Expressions[prog.mint.key(text)] = []byte("x") }, true},
		{"an expression that is missing", func(p *checkedPolicy) { delete(p.Expressions, prog.mint.key(text)) }, true},
		{"none", nil, true},
		{"another expression, which shows that they are used", func(p *checkedPolicy) {
			p.Expressions[prog.mint.key(text)] = p.Expressions[prog.mint.key("user.groups.exists(g, g == '1')")]
		}, false},
	} {
		dir := fstest.MapFS{documentFile: shipped[documentFile]}
		if c.change != nil {
			var p checkedPolicy
			if err := json.Unmarshal(shipped[checkedFile].Data, &p); err != nil || len(p.Expressions) != 4 {
				t.Fatalf("%d expressions, %v", len(p.Expressions), err)
			}
			c.change(&p)
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			dir[checkedFile] = &fstest.MapFile{Data: data}
		}
		loaded, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded.Mint(SignIn{Params: map[string]string{"a": "x"}}).Access["b"]; got != c.want {
			t.Errorf("%s: claim b is %v, want %v", c.name, got, c.want)
		}
	}

	shipped[documentFile] = &fstest.MapFile{Data: []byte(`{"claims": {"sub": {"value": 1}}}`)}
	if _, err := Load(shipped); err == nil {
		t.Error("a policy with problems loads")
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("no policy loads")
	}
}
