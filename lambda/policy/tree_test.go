package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"github.com/claimsmith/claimsmith/lambda/internal/expr"
)

// oracle has cel-go and package expr evaluate the same expressions.
type oracle struct {
	*language
	vars map[string]any
	used map[string]bool // the overloads that expressions used
}

// newOracle has an environment with what both languages of a policy know, and with values of all kinds, as such and as dyn.
func newOracle(t testing.TB) *oracle {
	t.Helper()
	prog, err := Compile(&Policy{Claims: map[string]Claim{
		"company_id": {Value: "acme"}, "tier": {Value: 3}, "share": {Value: 0.5}, "a.b/c": {Value: "x"},
		"roles": {Claims: map[string]Claim{"owner": {When: "'owners' in user.groups", Value: map[string]any{"permission": "all"}}}},
	}, Params: []string{"stage"}, Authorizers: map[string]Authorizer{"A": {Default: []Rule{{Rule: "claims.tier > 1"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"null": nil, "yes": true, "int": int64(3), "double": 1.5, "text": "héllo", "texts": []string{"a", "b", "a"},
		"list": []any{int64(1), 2.0, "x", nil, []any{"y"}}, "stringMap": map[string]string{"k": "v"},
		"map":  map[string]any{"one": int64(1), "deep": map[string]any{"list": []string{"z"}, "nil": nil}},
		"ints": []any{int64(3), int64(1), int64(2)}, "doubles": []any{1.5, -2.0}, "empty": []any{}, "nothing": map[string]any{}, "blank": "",
	}
	vars := maps.Clone(prog.mint.vars)
	for name, s := range checkVariables([]string{"stage"}, cognitoClaims()) {
		vars[name] = s
	}
	vars["claims"] = objectOf("claims", map[string]*contract.Field{
		"company_id": {Shape: stringShape}, "tier": {Shape: intShape}, "share": {Shape: doubleShape}, "a.b/c": {Shape: stringShape},
		"roles":  {Shape: objectOf("claims.roles", map[string]*contract.Field{"owner": {Shape: stringMap, Optional: true}}), Optional: true},
		"scopes": {Shape: stringsShape}, "aud": {Shape: dynShape, Optional: true}, "absent": {Shape: stringShape, Optional: true},
	})
	o := &oracle{used: map[string]bool{}, vars: map[string]any{
		"user": map[string]any{
			"name": "alice", "groups": []string{"staff-uk", "owners"}, "attributes": map[string]string{"email": "a@example.com", "custom:tier": "7"},
		},
		"client": map[string]any{"id": "client", "is_machine": false, "metadata": map[string]string{}}, "scopes": []string{"documents/read"},
		"trigger": map[string]any{"source": "TokenGeneration_Authentication"}, "pool": map[string]any{"id": "eu_1", "region": "eu"},
		"params": map[string]string{"stage": "prod"},
	}}
	o.vars["claims"] = map[string]any{
		"company_id": "acme", "tier": int64(3), "share": 0.5, "a.b/c": "x", "scopes": []string{"documents/read", "documents/write"},
		"roles": map[string]any{"owner": map[string]any{"permission": "all"}}, "aud": []any{"app"},
	}
	o.vars["request"] = map[string]any{
		"method": "GET", "path": "/companies/acme", "routeKey": "GET /companies/{id}", "sourceIp": "192.0.2.1",
		"pathParameters": map[string]string{"id": "acme"}, "queryParameters": map[string]string{}, "headers": map[string]string{"x-tenant": "acme"},
	}
	delete(vars, "lookup")
	for name, v := range values {
		vars["dyn_"+name], o.vars["dyn_"+name] = dynShape, v
	}
	for name, s := range map[string]*contract.Shape{
		"yes": boolShape, "int": intShape, "double": doubleShape, "text": stringShape, "texts": stringsShape, "list": listOf(dynShape),
		"stringMap": stringMap, "map": {Kind: contract.Map, Elem: dynShape}, "ints": listOf(intShape), "doubles": listOf(doubleShape),
	} {
		vars["a_"+name], o.vars["a_"+name] = s, values[name]
	}
	o.language = (&compiler{}).language(vars)
	return o
}

// check does with a text what the compiler does, but for the estimate of its cost.
func (o *oracle) check(text string) (*ast.AST, error) {
	parsed, issues := o.env.Parse(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	o.nameFields(parsed.NativeRep())
	checked, issues := o.env.Check(parsed)
	if issues.Err() != nil && mixNumbers(parsed.NativeRep(), issues.Errors()) {
		checked, issues = o.env.Check(parsed)
	}
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return checked.NativeRep(), nil
}

var errNotCompiled = errors.New("the expression does not compile")

// shipped is an expression as a function has it: after a trip through JSON.
func shipped(checked *ast.AST) (*expr.Expression, error) {
	n, err := tree(checked)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var back expr.Node
	if err := json.Unmarshal(data, &back); err != nil {
		return nil, fmt.Errorf("%s: %w", data, err)
	}
	return expr.New(&back)
}

// compare says what is different, if anything. The error is errNotCompiled for what cel-go does not compile.
func (o *oracle) compare(text string) error {
	checked, err := o.check(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotCompiled, err)
	}
	planned, err := o.plan(checked)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotCompiled, err)
	}
	for _, r := range checked.ReferenceMap() {
		for _, id := range r.OverloadIDs {
			o.used[id] = true
		}
	}
	e, err := shipped(checked)
	switch refused := err != nil; {
	case refused && hasMessages(checked):
		return fmt.Errorf("%w: %w", errNotCompiled, err)
	case refused:
		return err
	}
	v, err := e.Eval(expr.Map(o.vars))
	got := show(v)
	if err != nil {
		got = "error: " + err.Error()
	}
	// cel-go visits the keys of a map from a random one on, so what depends on that must come out as ours at times.
	var want string
	for range 300 {
		v, _, err := planned.Eval(o.vars)
		if want = show(fromCEL(v)); err != nil {
			want = "error: " + kindOf(err)
		}
		if got == want {
			return nil
		}
	}
	return fmt.Errorf("expr says %s, cel-go %s", got, want)
}

// kindOf is the kind of one of cel-go's errors.
func kindOf(err error) string {
	for _, kind := range []expr.Error{
		expr.NoSuchKey, expr.NoSuchOverload, expr.OutOfBounds, expr.DivisionByZero, expr.ModulusByZero, expr.Overflow, expr.NoValue,
	} {
		if strings.Contains(err.Error(), string(kind)) {
			return string(kind)
		}
	}
	return string(expr.NotConverted)
}

// hasMessages tells whether an expression makes a value that functions do not have.
func hasMessages(a *ast.AST) bool {
	found := false
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) { found = found || e.Kind() == ast.StructKind }))
	return found
}

// fromCEL is a value of cel-go's as package expr has it.
func fromCEL(v ref.Val) any {
	switch v := v.(type) {
	case nil, types.Null:
		return nil
	case *types.Type:
		return expr.Type(v.TypeName())
	case *types.Optional:
		return v
	case traits.Lister:
		list := []any{}
		for i := range v.Size().(types.Int) {
			list = append(list, fromCEL(v.Get(i)))
		}
		return list
	case traits.Mapper:
		m := map[any]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			m[fromCEL(key)] = fromCEL(v.Get(key))
		}
		return m
	default:
		return v.Value()
	}
}

// show tells values apart that are not the same.
func show(v any) string {
	entry := func(key, value any) string { return show(key) + ": " + show(value) }
	var parts []string
	switch v := v.(type) {
	case *types.Optional:
		if v.HasValue() {
			return "some(" + show(fromCEL(v.GetValue())) + ")"
		}
		return "none"
	case *expr.Optional:
		if value, ok := v.Value(); ok {
			return "some(" + show(value) + ")"
		}
		return "none"
	case float64:
		if math.IsNaN(v) {
			return "double(NaN)"
		}
		return fmt.Sprintf("double(%v %x)", v, math.Float64bits(v))
	case time.Time:
		return "timestamp(" + v.Format(time.RFC3339Nano) + ")"
	case []string:
		for _, e := range v {
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []any:
		for _, e := range v {
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]string:
		for key, value := range v {
			parts = append(parts, entry(key, value))
		}
	case map[string]any:
		for key, value := range v {
			parts = append(parts, entry(key, value))
		}
	case map[any]any:
		for key, value := range v {
			parts = append(parts, entry(key, value))
		}
	default:
		return fmt.Sprintf("%T(%#v)", v, v)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestTreesHoldWhatEvaluationNeeds(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	for _, c := range []struct{ text, want string }{
		{`claims.tier >= 3`, `["_>=_",["#get",["#var","claims"],"tier"],3]`},
		{`claims["a.b/c"] == 'x'`, `["_==_",["#get",["#var","claims"],"a.b/c"],"x"]`},
		{`claims.tier == 3.0`, `["_==_",["dyn",["#get",["#var","claims"],"tier"]],["#double","3"]]`},
		{`has(claims.absent) && !user.groups.exists(g, g in ['a'])`,
			`["_&&_",["#has",["#var","claims"],"absent"],["!_",["#exists","g",["#get",["#var","user"],"groups"],["@in",["#var","g"],["#list","a"]]]]]`},
		{`claims.?roles[?'owner'].orValue({})`, `["orValue",["_?._",["_?._",["#var","claims"],"roles"],"owner"],["#map"]]`},
		{`a_texts.map(x, x != 'a', x + '!')`, `["#collect","x",["#var","a_texts"],["_!=_",["#var","x"],"a"],["_+_",["#var","x"],"!"]]`},
		{`a_texts.filter(x, true)`, `["#collect","x",["#var","a_texts"],true,["#var","x"]]`},
		{`a_texts.all(x, true) || a_ints.exists_one(a_int, a_int == .a_int)`,
			`["_||_",["#all","x",["#var","a_texts"],true],["#existsOne","a_int",["#var","a_ints"],["_==_",["#var","a_int"],["#var",".a_int"]]]]`},
		{`optional.of(1).optMap(x, x)`,
			`["#bind","@target",["optional.of",1],["_?_:_",["hasValue",["#var","@target"]],` +
				`["optional.of",["#bind","x",["value",["#var","@target"]],["#var","x"]]],["optional.none"]]]`},
		{`[?a_texts[?0], {?'k': optional.of(null)}]`,
			`["#list",["#optional",["_[?_]",["#var","a_texts"],0]],["#map","k",["#optional",["optional.of",null]]]]`},
		{`int(dyn_int) + int('1') > -1 && type(1u) == uint`,
			`["_&&_",["_>_",["_+_",["int",["#var","dyn_int"]],["int(string)","1"]],-1],["_==_",["type",["#uint","1"]],["#type","uint"]]]`},
		{`math.greatest([1.5, 2.5])`, `["math.@max(list(double))",["#list",["#double","1.5"],["#double","2.5"]]]`},
	} {
		checked, err := o.check(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		n, err := tree(checked)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if data, err := n.MarshalJSON(); err != nil || string(data) != c.want {
			t.Errorf("%s is\n%s, %v, want\n%s", c.text, data, err, c.want)
		}
	}
}

func TestTreesOfValuesThatFunctionsDoNotHaveAreRefused(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	for _, c := range []struct{ text, want string }{
		{`google.protobuf.Int64Value{value: 1} == 1`, "there are no values of type google.protobuf.Int64Value"},
		{`[google.protobuf.Struct{}].map(x, x)`, "there are no values of type google.protobuf.Struct"},
		{`{'a': [google.protobuf.Struct{}]}.a`, "there are no values of type google.protobuf.Struct"},
		{`google.protobuf.Struct`, "google.protobuf.Struct cannot be used as a value: it is a type"},
		{`[int].map(t, t)`, "t cannot be used as a value: it is a type"},
		{`[string].map(int, int)`, "int cannot be used as a value: it is a type"},
	} {
		checked, err := o.check(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if _, err := tree(checked); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// Every overload of every function is in the table, with values that it takes and with some that it does not.
func TestExpressionsComeToWhatCELSays(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	ran := 0
	for line := range strings.Lines(readTestdata(t, "expressions.txt")) {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		ran++
		if err := o.compare(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	t.Logf("%d expressions", ran)
	for _, f := range o.env.Functions() {
		for _, overload := range f.OverloadDecls() {
			if !o.used[overload.ID()] && !f.IsDeclarationDisabled() && f.Name() != operators.NotStrictlyFalse {
				t.Errorf("no expression uses %s of %s", overload.ID(), f.Name())
			}
		}
	}
}

// What the table does not think of, New must at least know.
func TestEveryFunctionIsKnown(t *testing.T) {
	t.Parallel()
	known := 0
	for name, f := range newOracle(t).env.Functions() {
		if f.IsDeclarationDisabled() || name == operators.NotStrictlyFalse {
			continue // nobody can write these; loops are made of the latter
		}
		for _, overload := range f.OverloadDecls() {
			n := expr.Call(name)
			for range overload.ArgTypes() {
				n.Args = append(n.Args, expr.Constant("x"))
			}
			if _, err := expr.New(n); err != nil {
				t.Errorf("%s: %v", overload.ID(), err)
			}
			known++
		}
	}
	if known < 200 {
		t.Errorf("the environment has only %d overloads", known)
	}
}

func readTestdata(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	conformanceExpr   = regexp.MustCompile(`(?m)^\s*expr:\s*((?:(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*)+)`)
	conformanceString = regexp.MustCompile(`"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'`)
)

// The expressions of CEL's conformance suite, as far as our environment has what they use. It has no messages.
func TestConformanceExpressionsComeToWhatCELSays(t *testing.T) {
	t.Parallel()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "cel.dev/expr").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "tests", "simple", "testdata", "*.textproto"))
	if err != nil {
		t.Fatal(err)
	}
	o := newOracle(t)
	ran := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found, compiled := 0, 0
		for _, m := range conformanceExpr.FindAllStringSubmatch(string(data), -1) {
			text := ""
			for _, part := range conformanceString.FindAllStringSubmatch(m[1], -1) {
				text += unquoteProto(t, part[1]+part[2])
			}
			found++
			err := o.compare(text)
			if errors.Is(err, errNotCompiled) {
				continue
			}
			compiled++
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(file), text, err)
			}
		}
		ran += compiled
		t.Logf("%-26s %3d of %3d", filepath.Base(file), compiled, found)
	}
	t.Logf("%d in all", ran)
	if ran < 1400 {
		t.Errorf("only %d expressions of the suite ran", ran)
	}
}

// unquoteProto undoes the escapes of a text in protobuf's text format.
func unquoteProto(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for s != "" {
		if strings.HasPrefix(s, `\'`) || strings.HasPrefix(s, `\"`) || strings.HasPrefix(s, `\?`) {
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		s = tail
	}
	return b.String()
}
