package expr

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// What expressions come to is tested in package policy, where cel-go is there to compare with.

func v(name string) *Node { return Call(OpVariable, Constant(name)) }

func get(operand *Node, name string) *Node { return Call(OpSelect, operand, Constant(name)) }

func mustNew(t testing.TB, n *Node) *Expression {
	t.Helper()
	e, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNodesSurviveJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		node *Node
		want string
	}{
		{Constant(nil), `null`},
		{Constant(true), `true`},
		{Constant(false), `false`},
		{Constant(int64(math.MinInt64)), `-9223372036854775808`},
		{Constant(int64(math.MaxInt64)), `9223372036854775807`},
		{Constant(uint64(math.MaxUint64)), `["#uint","18446744073709551615"]`},
		{Constant(1.0), `["#double","1"]`},
		{Constant(0.1), `["#double","0.1"]`},
		{Constant(math.Copysign(0, -1)), `["#double","-0"]`},
		{Constant(math.SmallestNonzeroFloat64), `["#double","5e-324"]`},
		{Constant(math.NaN()), `["#double","NaN"]`},
		{Constant(math.Inf(-1)), `["#double","-Inf"]`},
		{Constant(""), `""`},
		{Constant("a\"\\\n\u2028é😀"), `"a\"\\\n\u2028é😀"`},
		{Constant([]byte{0, 0xff}), `["#bytes","AP8="]`},
		{Constant([]byte{}), `["#bytes",""]`},
		{Constant(Type("int")), `["#type","int"]`},
		{Call("optional.none"), `["optional.none"]`},
		{Call("_&&_", Constant("<>"), Constant("\u2029")), `["_&&_","<>","\u2029"]`},
		{Call("_==_", get(v("claims"), "tier"), Constant(int64(3))), `["_==_",["#get",["#var","claims"],"tier"],3]`},
	} {
		data, err := c.node.MarshalJSON()
		if err != nil || string(data) != c.want {
			t.Errorf("%s, %v, want %s", data, err, c.want)
		}
		for _, text := range []string{c.want, " " + strings.ReplaceAll(c.want, `,"`, " ,\n\t\"") + " "} {
			var back Node
			if err := json.Unmarshal([]byte(text), &back); err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if again, err := back.MarshalJSON(); err != nil || string(again) != c.want {
				t.Errorf("%s comes back as %s, %v", c.want, again, err)
			}
			if f, ok := c.node.Value.(float64); !reflect.DeepEqual(&back, c.node) && !(ok && math.IsNaN(f)) {
				t.Errorf("%s comes back as %#v", c.want, back)
			}
		}
	}
}

func TestWhatIsNoNodeIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `{}`, `[]`, `[""]`, `[1]`, `[["a"]]`, `["a"`, `["a",]`, `["a" 1]`, `["a",1`, `["a"]]`, `1.5`, `1e3`, `-`, `9223372036854775808`, `nul`, `"a`, `"\`,
		`"a\x"`, `true false`, `["#uint"]`, `["#uint",1]`, `["#uint","-1"]`, `["#uint","1","1"]`, `["#double","x"]`, `["#bytes","?"]`, `["#type",1]`, `["#type"]`,
		strings.Repeat(`["a",`, maxDepth+1) + "1" + strings.Repeat("]", maxDepth+1),
	} {
		var n Node
		if err := n.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is read as %#v", text, n)
		}
	}
	cyclic := Call("!_", nil)
	cyclic.Args[0] = cyclic
	for _, n := range []*Node{nil, Call("!_", nil), Constant(1), Constant([]string{"a"}), Constant(struct{}{}), cyclic} {
		if data, err := n.MarshalJSON(); err == nil {
			t.Errorf("%#v is written as %s", n, data)
		}
	}
}

func TestNewRefusesWhatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	x, name, list := Constant(int64(1)), Constant("x"), Call(OpList)
	cyclic := Call("!_", nil)
	cyclic.Args[0] = cyclic
	for _, c := range []struct {
		node *Node
		want string // a part of the error
	}{
		{nil, "missing"},
		{&Node{Args: []*Node{x}}, `""`},
		{Constant(1), "int"},
		{Constant([]any{}), "[]interface"},
		{cyclic, "deep"},
		{Call("no_such"), `"no_such" with 0`},
		{Call("no_such", x), `"no_such" with 1`},
		{Call("_+_", x), `"_+_" with 1`},
		{Call("_+_", x, x, x), `"_+_" with 3`},
		{Call("_+_", x, nil), "missing"},
		{Call("_&&_", x), `"_&&_" with 1`},
		{Call("_?_:_", x, x), `"_?_:_" with 2`},
		{Call("size"), `"size" with 0`},
		{Call("replace", x, x, x, x, x), `"replace" with 5`},
		{Call("optional.none", x), `"optional.none" with 1`},
		{Call("int(", x), `"int("`},
		{Call("int(string, string)", x), `"int(string, string)"`},
		{Call("slice(list, int, int)", x, x, x), `"slice(list, int, int)"`},
		{Call(OpVariable), OpVariable},
		{Call(OpVariable, x), OpVariable},
		{Call(OpVariable, Constant("")), OpVariable},
		{Call(OpVariable, nil), OpVariable},
		{Call(OpSelect, x), OpSelect},
		{Call(OpSelect, x, x), OpSelect},
		{Call(OpSelect, nil, name), "missing"},
		{Call(OpHas, x, v("x")), OpHas},
		{Call("_?._", x, x), "_?._"},
		{Call("_[_]", x), "_[_]"},
		{Call("_[?_]", x, x, x), "_[?_]"},
		{Call(OpList, nil), "missing"},
		{Call(OpList, Call(OpOptional)), OpOptional},
		{Call(OpList, Call(OpOptional, nil)), "missing"},
		{Call(OpOptional, x), OpOptional},
		{Call(OpMap, x), OpMap},
		{Call(OpMap, Call(OpOptional, x), x), OpOptional},
		{Call(OpMap, x, nil), "missing"},
		{Call(OpAll, name, list), OpAll},
		{Call(OpExists, x, list, x), OpExists},
		{Call(OpExistsOne, name, nil, x), "missing"},
		{Call(OpCollect, name, list, x), OpCollect},
		{Call(OpBind, name, x), OpBind},
		{Call(OpBind, name, x, nil), "missing"},
	} {
		e, err := New(c.node)
		if err == nil || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%#v: %v, want an error with %s", c.node, err, c.want)
		}
	}
}

func TestLoopsVisitKeysInOrder(t *testing.T) {
	t.Parallel()
	keys := mustNew(t, Call(OpCollect, Constant("k"), v("m"), Constant(true), v("k")))
	for _, c := range []struct{ m, want any }{
		{map[string]string{"b": "", "c": "", "a": ""}, []any{"a", "b", "c"}},
		{map[string]any{"b": 1, "c": 2, "a": 3}, []any{"a", "b", "c"}},
		{map[any]any{"b": 1, "a": 2, int64(2): 3, uint64(1): 4, 1.5: 5, true: 6, int64(1): 7, Type("x"): 8, Type("y"): 9, nil: 10},
			[]any{true, nil, int64(1), uint64(1), 1.5, int64(2), "a", "b", Type("x"), Type("y")}},
	} {
		for range 20 {
			if got, err := keys.Eval(Map{"m": c.m}); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("%v, %v, want %v", got, err, c.want)
			}
		}
	}
}

func TestMapsOfTextsAreOfGoStrings(t *testing.T) {
	t.Parallel()
	one := Constant(int64(1))
	for _, c := range []struct {
		node *Node
		want any
	}{
		{Call(OpMap), map[string]any{}},
		{Call(OpMap, v("x"), one), map[string]any{"text": int64(1)}},
		{Call(OpMap, v("x"), one, one, one), map[any]any{"text": int64(1), int64(1): int64(1)}},
	} {
		if got, err := mustNew(t, c.node).Eval(Map{"x": "text"}); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%#v, %v, want %#v", got, err, c.want)
		}
	}
}

func TestWhatGoesInIsNotChanged(t *testing.T) {
	t.Parallel()
	texts := append(make([]string, 0, 8), "b", "a")
	values := append(make([]any, 0, 8), int64(2), int64(1))
	for _, n := range []*Node{
		Call("_+_", v("texts"), Call(OpList, Constant("x"))), Call("_+_", v("texts"), v("texts")), Call("sort", v("texts")), Call("reverse", v("texts")),
		Call("_+_", Call("slice", v("texts"), Constant(int64(0)), Constant(int64(1))), Call("slice", v("texts"), Constant(int64(0)), Constant(int64(1)))),
		Call("_+_", v("values"), Call(OpList, Constant("x"))), Call("sort", v("values")), Call("reverse", v("values")), Call("distinct", v("values")),
		Call("_+_", v("bytes"), v("bytes")),
	} {
		bytes := append(make([]byte, 0, 8), 'a')
		if _, err := mustNew(t, n).Eval(Map{"texts": texts, "values": values, "bytes": bytes}); err != nil {
			t.Errorf("%#v: %v", n, err)
		}
		if !reflect.DeepEqual(texts, []string{"b", "a"}) || !reflect.DeepEqual(values, []any{int64(2), int64(1)}) || bytes[:2][1] != 0 ||
			texts[:3][2] != "" || values[:3][2] != nil {
			t.Fatalf("%#v has changed its operand: %v, %v, %v", n, texts, values, bytes)
		}
	}
}

func TestEvaluationsShareAnExpression(t *testing.T) {
	t.Parallel()
	e := mustNew(t, Call(OpCollect, Constant("g"), v("groups"), Call("matches", v("g"), Constant("^[a-z]+$")), Call("_+_", v("g"), v("suffix"))))
	var wait sync.WaitGroup
	for _, suffix := range []string{"1", "2", "3", "4"} {
		wait.Go(func() {
			for range 500 {
				got, err := e.Eval(Map{"groups": []string{"a", "B", "c"}, "suffix": suffix})
				if want := []any{"a" + suffix, "c" + suffix}; err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v, %v, want %v", got, err, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

type broken struct{}

func (broken) Variable(string) any { panic("no value") }

func TestAPanicIsAnError(t *testing.T) {
	t.Parallel()
	if got, err := mustNew(t, v("x")).Eval(broken{}); got != nil || err != error(NotConverted) {
		t.Errorf("%v, %v", got, err)
	}
}

// ops are some of each kind of operation, and those with the most delicate arguments.
var ops = strings.Fields(`#list #map _[_] _[?_] _&&_ _||_ _?_:_ _==_ _!=_ @in !_ -_ _+_ _-_ _*_ _/_ _%_ _<_ _>=_ size type dyn bool bytes double
	duration int string timestamp uint int(string) math.@max(list(double)) optional.of optional.ofNonZeroValue value hasValue or orValue
	optional.unwrap first last lowerAscii trim strings.quote join reverse flatten sort distinct lists.range contains startsWith matches charAt indexOf
	lastIndexOf split substring replace format slice @sortByAssociatedKeys sets.contains hasAny math.@max math.@min math.ceil math.isNaN math.abs
	math.sign math.sqrt math.bitNot math.bitAnd math.bitShiftLeft math.bitShiftRight getFullYear getHours getMilliseconds`)

func randomTree(r *rand.Rand, values []string, depth int) *Node {
	constants := []any{nil, true, int64(0), int64(-1), int64(2), int64(math.MaxInt64), uint64(1), uint64(math.MaxUint64), 0.5, math.NaN(), math.Inf(1), 1e300,
		"", "a", "é", "%s%.3f%x", "-01:30", "Europe/London", "2020-01-01T00:00:00Z", "1h", "(", []byte("x"), Type("int")}
	if depth == 0 || r.IntN(6) == 0 {
		if r.IntN(2) == 0 {
			return v(values[r.IntN(len(values))])
		}
		return Constant(constants[r.IntN(len(constants))])
	}
	sub := func() *Node { return randomTree(r, values, depth-1) }
	name := Constant([]string{"x", "k"}[r.IntN(2)])
	switch r.IntN(10) {
	case 0:
		return Call([]string{OpSelect, OpHas, "_?._"}[r.IntN(3)], sub(), name)
	case 1:
		return Call([]string{OpAll, OpExists, OpExistsOne, OpBind}[r.IntN(4)], name, sub(), sub())
	case 2:
		return Call(OpCollect, name, sub(), sub(), sub())
	case 3:
		return Call(OpList, sub(), Call(OpOptional, sub()))
	case 4:
		return Call(OpMap, sub(), sub(), sub(), Call(OpOptional, sub()))
	}
	n := Call(ops[r.IntN(len(ops))])
	for range r.IntN(4) {
		n.Args = append(n.Args, sub())
	}
	return n
}

var everything = Map{
	"null": nil, "bool": true, "int": int64(3), "double": 1.5, "text": "text", "texts": []string{"b", "a"}, "noTexts": []string(nil), "values": []any{int64(1), "x", nil},
	"noValues": []any(nil), "attributes": map[string]string{"k": "v"}, "map": map[string]any{"k": []any{"x"}, "x": map[string]any{}}, "noMap": map[string]any(nil),
	"mixed": map[any]any{int64(1): "a", "k": "b", 1.5: nil}, "time": time.Unix(0, 0), "duration": time.Hour, "uint": uint64(7), "bytes": []byte("b"),
	"some": some("v"), "none": none, "type": Type("int"), "foreign": struct{}{}, "foreignList": []int{1}, "x": "x", "k": int64(1),
}

// evaluate does without the safety net of Eval.
func evaluate(t *testing.T, n *Node) (evaluated bool) {
	defer func() {
		if r := recover(); r != nil {
			data, _ := json.Marshal(n)
			t.Fatalf("%s: panic: %v", data, r)
		}
	}()
	e, err := New(n)
	if err != nil {
		return false
	}
	var kind Error
	if _, err := e.root.eval(frame{vars: everything, locals: make([]local, e.locals)}); err != nil && !errors.As(err, &kind) {
		data, _ := json.Marshal(n)
		t.Errorf("%s: the error is a %T", data, err)
	}
	return true
}

// Trees that no type checker has seen come to values or errors.
func TestRandomTreesDoNotPanic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{}
	for name := range everything {
		names = append(names, name)
	}
	evaluated := 0
	for range 40_000 {
		if evaluate(t, randomTree(r, names, 1+r.IntN(4))) {
			evaluated++
		}
	}
	if evaluated < 10_000 {
		t.Errorf("only %d trees could be evaluated", evaluated)
	}
}

func FuzzTrees(f *testing.F) {
	for _, seed := range []string{
		`["_==_",["#get",["#var","map"],"k"],3]`, `["@in","a",["#list","a",["#double","1"]]]`, `["#collect","x",["#var","map"],["#has",["#var","x"],"k"],["#var","x"]]`,
		`["#bind","@y",["_?._",["#var","map"],"k"],["orValue",["#var","@y"],null]]`, `["format","%.2f %s",["#var","values"]]`, `["int(string)",["#var","text"]]`,
		`["getHours",["timestamp",0],"-08:00"]`, `["#map","a",["#optional",["optional.none"]]]`, `["#bytes","AA=="]`, `"\ud800\u0000"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var n Node
		if n.UnmarshalJSON(data) != nil {
			return
		}
		written, err := json.Marshal(&n)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		var back Node
		if err := json.Unmarshal(written, &back); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		evaluate(t, &n)
	})
}
