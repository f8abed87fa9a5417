package policy

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// forms are the forms of expressions by type. <int> stands for an expression of type int, @int for a new variable of a loop
// that is one in what follows. The first form has no parts. There are none for that in which the two are known to differ,
// see the doc comment of package expr.
var forms = map[string][]string{
	"bool": {"true", "false", "a_yes", "!<bool>", "<bool> && <bool>", "<bool> || <bool>", "<bool> ? !<bool> : !<bool>", "<any> == <dyn>", "<dyn> != <any>",
		"<int> == <int>", "<int> == <double>", "<uint> != <int>", "<int> < <int>", "<int> <= <double>", "<uint> > <int>", "<double> >= <double>",
		"<string> < <string>", "<string> == <string>", "<bytes> < <bytes>", "<bytes> == <dyn>", "<duration> < <duration>", "<timestamp> >= <timestamp>",
		"<dyn> < <dyn>", "<dyn> >= <dyn>", "<dyn> && <bool>", "<bool> || <dyn>", "<int> in <ints>", "<string> in <strings>", "<dyn> in <dyn>",
		"<dyn> in <list>", "<string> in <map>", "<dyn> in [1, 2.0, 3u, 'a', true]", "<dyn> in ['a', 'b']", "<string>.contains(<string>)",
		"<string>.startsWith(<string>)", "<dyn>.endsWith(<dyn>)", "<string>.matches('h.l*')", "<string>.matches(<string>)", "<dyn>.matches(<dyn>)",
		"<ints>.all(@int, <bool>)", "<strings>.exists(@string, <bool>)", "<list>.exists_one(@dyn, <bool>)", "<dyn>.exists(@dyn, <bool>)",
		"<map>.all(@string, <bool>)", "<opt>.hasValue()", "<opt>.hasValue(<dyn>)", "has(<map>.deep)", "has(<dyn>.deep)", "has(<dyn>.deep.list)",
		"has(<opt>.deep)", "<list>.hasAny(<list>)", "sets.contains(<list>, <dyn>)", "<strings>.hasExactly(<strings>)", "math.isNaN(<double>)",
		"type(<dyn>) == type(<any>)", "bool(<dyn>)", "<opt> == <opt>", "<list> == <list>", "<map> == <map>"},
	"int": {"0", "1", "-1", "2", "9223372036854775807", "-9223372036854775808", "a_int", "<int> + <int>", "<int> - <int>", "<int> * <int>", "<int> / <int>",
		"<int> % <int>", "-<int>", "int(<uint>)", "int(<double>)", "int(<string>)", "int(<dyn>)", "int(<duration>)", "int(<timestamp>)", "size(<string>)",
		"size(<list>)", "size(<dyn>)", "<string>.indexOf(<string>)", "<string>.indexOf(<string>, <int>)", "<string>.lastIndexOf(<string>)",
		"<string>.lastIndexOf(<string>, <int>)", "<bool> ? <int> : <int>", "<ints>[<int>]", "<timestamp>.getHours('+01:30')", "<timestamp>.getDayOfYear()",
		"<duration>.getMinutes()", "math.abs(<int>)", "math.bitShiftLeft(<int>, <int>)", "math.bitXor(<int>, <int>)", "math.sign(<int>)",
		"math.greatest(<int>, <int>)", "math.least(<ints>)", "[1, 2, 3][?<int>].orValue(<int>)", "<ints>.first().value()"},
	"uint": {"0u", "3u", "18446744073709551615u", "<uint> + <uint>", "<uint> - <uint>", "<uint> * <uint>", "<uint> / <uint>", "uint(<int>)", "uint(<dyn>)",
		"uint(<double>)", "math.bitNot(<uint>)", "math.bitShiftRight(<uint>, <int>)"},
	"double": {"0.0", "1.0", "-1.5", "1e300", "a_double", "<double> + <double>", "<double> * <double>", "<double> / <double>", "-<double>", "double(<int>)",
		"double(<dyn>)", "double(<string>)", "math.round(<double>)", "math.sqrt(<dyn>)", "math.greatest(<double>, <double>)"},
	"string": {"''", "'a'", "'héllo'", "'12'", "a_text", "<string> + <string>", "string(<int>)", "string(<double>)", "string(<dyn>)", "string(<bytes>)",
		"string(<duration>)", "string(<timestamp>)", "<string>.substring(<int>)", "<string>.substring(<int>, <int>)", "<string>.charAt(<int>)",
		"<string>.replace(<string>, <string>)", "<string>.replace(<string>, <string>, <int>)", "<string>.upperAscii()", "<string>.reverse()",
		"<string>.trim()", "strings.quote(<string>)", "<strings>.join(<string>)", "<dyn>.join('-')", "a_stringMap.k", "a_stringMap[<string>]",
		"a_stringMap[?<string>].orValue(<string>)", "'%s|%s'.format([<dyn>, <any>])", "'%.2f %d'.format([<double>, <int>])", "'%x'.format([<dyn>])",
		"<bool> ? <string> : <string>", "<strings>[<int>]"},
	"bytes":     {"b''", "b'a\\xff'", "bytes(<string>)", "<bytes> + <bytes>"},
	"duration":  {"duration('1h')", "duration('-1.5s')", "<duration> + <duration>", "<duration> - <duration>", "<timestamp> - <timestamp>"},
	"timestamp": {"timestamp(0)", "timestamp('2020-02-29T23:59:59.5+02:00')", "timestamp(<int>)", "<timestamp> + <duration>", "<timestamp> - <duration>"},
	"ints": {"[]", "[1, 2, 3]", "a_ints", "[<int>]", "[<int>, <int>]", "<ints> + <ints>", "<ints>.map(@int, <int>)", "<ints>.filter(@int, <bool>)",
		"<strings>.map(@string, <bool>, <int>)", "<ints>.sort()", "<ints>.reverse()", "<ints>.slice(<int>, <int>)", "<ints>.distinct()", "lists.range(3)",
		"<ints>.sortBy(@int, <int>)", "[?[1, 2][?<int>], <int>]"},
	"strings": {"['a', 'b']", "a_texts", "[<string>]", "<strings> + <strings>", "<strings>.filter(@string, <bool>)", "<ints>.map(@int, <string>)",
		"<string>.split(<string>)", "<string>.split('', <int>)", "<strings>.sort()", "<strings>.sortBy(@string, <string>)", "<map>.map(@string, <string>)"},
	"list": {"<ints>", "<strings>", "a_list", "[<dyn>, <any>]", "<list>.map(@dyn, <any>)", "<list>.filter(@dyn, <bool>)", "[<list>, <list>].flatten()",
		"<list>.flatten(<int>)", "<list>.distinct()", "[<opt>, <opt>].unwrapOpt()", "dyn([<dyn>, <dyn>]).sort()"},
	"map": {"{}", "a_map", "{string(<dyn>): <dyn>}", "{?'deep': <opt>}", "{'deep': {'list': <dyn>}}"},
	"opt": {"optional.none()", "optional.of(<dyn>)", "optional.ofNonZeroValue(<dyn>)", "a_map.?deep", "a_map.?deep.list", "a_map.?deep.?x", "<map>.?deep",
		"<dyn>.?deep", "<dyn>[?<dyn>]", "<list>[?<int>]", "<opt>.deep", "<opt>[?'list']", "<opt>.or(<opt>)", "<opt>.optMap(@dyn, <dyn>)",
		"<opt>.optFlatMap(@dyn, <opt>)", "<list>.last()", "(<bool> ? <opt> : <opt>).?list"},
	"dyn": {"dyn_null", "dyn_yes", "dyn_int", "dyn_double", "dyn_text", "dyn_texts", "dyn_list", "dyn_map", "dyn_ints", "dyn_blank", "dyn(<any>)", "dyn(<any>)",
		"<dyn> + <dyn>", "<dyn> - <dyn>", "<dyn> * <dyn>", "<dyn> / <dyn>", "-<dyn>", "<dyn>[<dyn>]", "<dyn>.deep", "<dyn>.deep.list[0]", "<list>[<int>]",
		"<map>[<string>]", "{1: <dyn>}[<dyn>]", "<opt>.orValue(<dyn>)", "<opt>.value()", "<bool> ? <dyn> : <dyn>", "<dyn> ? <dyn> : <dyn>",
		"math.greatest(<dyn>, <dyn>)", "math.least(<dyn>)", "(<bool> ? <dyn> : <map>).deep"},
	"any": {"<bool>", "<int>", "<uint>", "<double>", "<string>", "<duration>", "<timestamp>", "<ints>", "<strings>", "<list>", "<map>",
		"<dyn>", "null", "{int(<dyn>): <dyn>}"},
}

// author writes random expressions.
type author struct {
	*rand.Rand
	scope []struct{ name, kind string }
}

func (a *author) write(kind string, depth int) string {
	if kind != "any" && kind != "opt" && a.IntN(12) == 0 {
		kind = "dyn"
	}
	for _, v := range a.scope {
		if v.kind == kind && a.IntN(3) == 0 {
			return v.name
		}
	}
	form := forms[kind][a.IntN(len(forms[kind]))]
	if depth <= 0 && strings.ContainsAny(form, "<@") {
		form = leaf(kind)
	}
	outer := len(a.scope)
	defer func() { a.scope = a.scope[:outer] }()
	var b strings.Builder
	for form != "" {
		i := strings.IndexAny(form, "<@")
		if i < 0 {
			b.WriteString(form)
			break
		}
		b.WriteString(form[:i])
		word := form[i+1:]
		end := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || 'z' < r })
		kind := word[:max(end, 0)]
		switch {
		case forms[kind] == nil: // the operator
			b.WriteByte(form[i])
			form = word
		case form[i] == '@':
			name := string(rune('m' + len(a.scope)%8))
			a.scope = append(a.scope, struct{ name, kind string }{name, kind})
			b.WriteString(name)
			form = word[end:]
		default:
			b.WriteString("(" + a.write(kind, depth-1) + ")")
			form = word[end+1:]
		}
	}
	return b.String()
}

// leaf is a form without parts.
func leaf(kind string) string {
	switch kind {
	case "any":
		return "null"
	case "list":
		return "a_list"
	default:
		return forms[kind][0]
	}
}

// random compares what a seed makes, and tells whether it compiled.
func (o *oracle) random(t *testing.T, seed uint64) bool {
	a := author{Rand: rand.New(rand.NewPCG(seed, 0))}
	kinds := contract.SortedKeys(forms)
	text := a.write(kinds[a.IntN(len(kinds))], 1+a.IntN(4))
	err := o.compare(text)
	if err != nil && !errors.Is(err, errNotCompiled) {
		t.Errorf("seed %d: %s: %v", seed, text, err)
	}
	return err == nil
}

// newRandomOracle has maps of one key alone, so that cel-go has no choice in what order to visit keys.
func newRandomOracle(t testing.TB) *oracle {
	o := newOracle(t)
	for _, name := range []string{"a_map", "dyn_map"} {
		o.vars[name] = map[string]any{"deep": map[string]any{"list": []string{"z", "y"}}}
	}
	return o
}

func TestRandomExpressionsComeToWhatCELSays(t *testing.T) {
	t.Parallel()
	o := newRandomOracle(t)
	compiled := 0
	const tried = 4000
	for seed := range uint64(tried) {
		if o.random(t, seed) {
			compiled++
		}
	}
	t.Logf("%d of %d random expressions compiled", compiled, tried)
	if compiled < tried/2 {
		t.Errorf("only %d of %d random expressions compile", compiled, tried)
	}
}

func FuzzExpressionsComeToWhatCELSays(f *testing.F) {
	o := newRandomOracle(f)
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { o.random(t, seed) })
}
