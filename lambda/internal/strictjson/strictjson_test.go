package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type decodeCase struct {
	name string
	json string
	want map[string]any
	err  string
}

func (c decodeCase) run(t *testing.T) {
	t.Parallel()
	got, err := Object([]byte(c.json))
	if c.err != "" {
		if err == nil || err.Error() != c.err {
			t.Fatalf("got %v, %v, want error %q", got, err, c.err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c.want) {
		t.Fatalf("got %#v, want %#v", got, c.want)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
	}
	for _, c := range []decodeCase{
		{name: "reads every kind of value", json: `{"s":"x","n":-1.5e3,"t":true,"f":false,"z":null,"a":[1,"b",[],{}],"o":{"k":{}}}`,
			want: map[string]any{
				"s": "x", "n": json.Number("-1.5e3"), "t": true, "f": false, "z": nil,
				"a": []any{json.Number("1"), "b", []any{}, map[string]any{}},
				"o": map[string]any{"k": map[string]any{}},
			}},
		{name: "allows white space between tokens", json: " {\t\"a\" : [ 1 , 2 ] ,\r\n\"b\" : { } , \"c\" : [ ] } \n",
			want: map[string]any{"a": []any{json.Number("1"), json.Number("2")}, "b": map[string]any{}, "c": []any{}}},
		{name: "keeps integers exact", json: `{"n":9007199254740993}`, want: map[string]any{"n": json.Number("9007199254740993")}},
		{name: "reads escapes", json: `{"a":"\"\\\/\b\f\n\r\tx\u00e4\uD83D\ude00é"}`, want: map[string]any{"a": "\"\\/\b\f\n\r\txä😀é"}},
		{name: "reads escaped keys", json: `{"\u0061b":1}`, want: map[string]any{"ab": json.Number("1")}},
		{name: "tells keys apart by case", json: `{"alg":1,"ALG":2}`, want: map[string]any{"alg": json.Number("1"), "ALG": json.Number("2")}},
		{name: "reads a replacement character that was sent", json: `{"a":"\ufffd�"}`, want: map[string]any{"a": "��"}},

		{name: "refuses an unknown word", json: `{"a":nul}`, err: "is not JSON"},
		{name: "refuses a key without quotes", json: `{a:1}`, err: "is not JSON"},
		{name: "refuses a missing colon", json: `{"a" 1}`, err: "is not JSON"},
		{name: "refuses a missing comma", json: `{"a":[1 2]}`, err: "is not JSON"},
		{name: "refuses a missing bracket", json: `{"a":[1}`, err: "is not JSON"},
		{name: "refuses a NUL after the object", json: "{}\x00", err: "is not JSON"},
		{name: "refuses a string without an end", json: `{"a":"x`, err: "is not JSON"},
		{name: "refuses a string with an escape and without an end", json: `{"a":"\n`, err: "is not JSON"},
		{name: "refuses an escape without an end", json: `{"a":"\`, err: "is not JSON"},
		{name: "refuses an unknown escape", json: `{"a":"\x"}`, err: "is not JSON"},
		{name: "refuses an escape of three digits", json: `{"a":"\u123"}`, err: "is not JSON"},
		{name: "refuses an escape cut short", json: `{"a":"\u12`, err: "is not JSON"},
		{name: "refuses a half character whose other half is none", json: `{"a":"\ud83d\uzzzz"}`, err: "is not JSON"},
		{name: "refuses a number without digits", json: `{"a":-}`, err: "is not JSON"},
		{name: "refuses a point without digits", json: `{"a":1.}`, err: "is not JSON"},
		{name: "refuses an exponent without digits", json: `{"a":1e+}`, err: "is not JSON"},

		{name: "refuses nothing", json: ``, err: "is not JSON"},
		{name: "refuses null", json: `null`, err: "is not a JSON object"},
		{name: "refuses a list", json: `[{}]`, err: "is not a JSON object"},
		{name: "refuses a string", json: `"{}"`, err: "is not a JSON object"},
		{name: "refuses trailing data", json: `{} {}`, err: "is not JSON"},
		{name: "refuses a trailing comma", json: `{"a":1,}`, err: "is not JSON"},
		{name: "refuses a comment", json: `{}//`, err: "is not JSON"},
		{name: "refuses a byte order mark", json: "\ufeff{}", err: "is not JSON"},
		{name: "refuses NaN", json: `{"a":NaN}`, err: "is not JSON"},
		{name: "refuses a leading zero", json: `{"a":01}`, err: "is not JSON"},
		{name: "refuses a control character", json: "{\"a\":\"\x01\"}", err: "is not JSON"},
		{name: "refuses bytes that are not UTF-8", json: "{\"a\":\"\xff\"}", err: "is not UTF-8"},
		{name: "refuses an encoded surrogate", json: "{\"a\":\"\xed\xa0\x80\"}", err: "is not UTF-8"},
		{name: "refuses a high surrogate alone", json: `{"a":"\ud83d"}`, err: "has half a character, at byte 11"},
		{name: "refuses a high surrogate before another character", json: `{"a":"\ud83d\u0041"}`, err: "has half a character, at byte 17"},
		{name: "refuses a low surrogate alone", json: `{"a":"\ude00"}`, err: "has half a character, at byte 11"},
		{name: "refuses half a character in a key", json: `{"\ud83d":1}`, err: "has half a character, at byte 7"},
		{name: "refuses half a character in a list", json: `{"a":["\ud83d"]}`, err: "has half a character, at byte 12"},
		{name: "refuses a key that comes twice", json: `{"a":1,"b":2,"a":1}`, err: "has the same key twice, at byte 13"},
		{name: "refuses a key that comes twice in different spelling", json: `{"a":1,"\u0061":2}`, err: "has the same key twice, at byte 7"},
		{name: "refuses a nested key that comes twice", json: `{"a":[{"b":1,"b":2}]}`, err: "has the same key twice, at byte 13"},
		{name: "refuses a number beyond float64", json: `{"a":1e309}`, err: "has a number too large or too long, at byte 5"},
		{name: "refuses a number of many digits", json: `{"a":` + strings.Repeat("1", 41) + `}`, err: "has a number too large or too long, at byte 5"},
		{name: "refuses objects nested too deep", json: nested(33), err: "is nested deeper than 32 levels"},
		{name: "refuses lists nested too deep", json: `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, err: "is nested deeper than 32 levels"},
		{name: "refuses nesting beyond all reason", json: `{"a":` + strings.Repeat("[", 100_000), err: "is nested deeper than 32 levels"},
	} {
		t.Run(c.name, c.run)
	}
	if _, err := Object([]byte(nested(32))); err != nil {
		t.Errorf("32 levels: %v", err)
	}
}

// What Object accepts, package json reads alike; what is JSON, it does not call something else.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,2.5e-7,{"b":null}],"c":"\ud83d\ude00\n"}`, "{ \"a\" :\t[ ] }", `{"a":1,"a":2}`, `{"a":"\ud83d"}`, `[1]`, `{"a":1e999}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Object(data)
		if err != nil {
			if err.Error() == "is not JSON" && json.Valid(data) {
				t.Fatalf("%q is JSON", data)
			}
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var want map[string]any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("package json refuses %q: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, package json %#v", data, got, want)
		}
	})
}

// record is what the tests of Reader read: an object of texts, lists and whatever.
type record struct {
	text, nested string
	list         []string
	later        Reader
	names        []string
}

func (c *record) read(data string) error {
	r := NewReader([]byte(data))
	for name, ok := r.Object(); ok; name, ok = r.Member() {
		c.names = append(c.names, name)
		switch name {
		case "text":
			r.Text(&c.text)
		case "list":
			for ok := r.Array(); ok; ok = r.Element() {
				var text string
				r.Text(&text)
				c.list = append(c.list, text)
			}
		case "later":
			c.later = r.Postpone()
		case "object":
			for _, ok := r.Object(); ok; _, ok = r.Member() {
				r.Text(&c.nested)
			}
		default:
			r.Skip()
		}
	}
	return r.End()
}

func TestReader(t *testing.T) {
	t.Parallel()
	var c record
	err := c.read(` {"text": "a\n", "x": {"y": [1, {"z": "\"}\\"}], "text": null}, "list": ["b", "c", null], "object": {"d": "e", "f": null}, ` +
		`"later": {"x": "\\\""}, "y": "\\", "z": [], "text": null, "list": null, "object": null, "true": true, "false": false, "number": -1.5e3} `)
	if err != nil {
		t.Fatal(err)
	}
	if c.text != "a\n" || c.nested != "e" || !reflect.DeepEqual(c.list, []string{"b", "c", ""}) {
		t.Errorf("got %+v", c)
	}
	if got := strings.Join(c.names, " "); got != "text x list object later y z text list object true false number" {
		t.Errorf("names %s", got)
	}
	var later string
	for _, ok := c.later.Object(); ok; _, ok = c.later.Member() {
		c.later.Text(&later)
	}
	if err := c.later.Err(); err != nil || later != `\"` {
		t.Errorf("later %q, %v", later, err)
	}
	var nothing Reader
	if nothing.Text(&later); nothing.Err() != nil || later != `\"` {
		t.Errorf("the zero Reader read %q, %v", later, nothing.Err())
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		``:                    "has a value of another type than expected, at byte 0",
		`[]`:                  "has a value of another type than expected, at byte 0",
		`{"text": 1}`:         "has a value of another type than expected, at byte 9",
		`{"text": nil}`:       "is not JSON",
		`{"text": "\ud83d"}`:  "has half a character, at byte 15",
		`{"list": "x"}`:       "has a value of another type than expected, at byte 9",
		`{"list": ["x", 1]}`:  "has a value of another type than expected, at byte 15",
		`{"list": ["x" "y"]}`: "is not JSON",
		`{"object": []}`:      "has a value of another type than expected, at byte 11",
		`{"later": "x}`:       "is not JSON",
		`{"later": "x\\\"}`:   "is not JSON",
		`{"x": 1`:             "is not JSON",
		`{"x": tru}`:          "is not JSON",
		`{} {}`:               "is not JSON",
		"{\"\xff\": 1}":       "is not UTF-8",
		`{"x": [1}`:           "is not JSON",
		`{"x": 1e309}`:        "has a number too large or too long, at byte 6",
		strings.Repeat(`{"x":`, 33) + "1" + strings.Repeat("}", 33):       "is nested deeper than 32 levels",
		`{"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}": "is nested deeper than 32 levels",
	} {
		var c record
		if err := c.read(data); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", data, err, want)
		}
	}
}

// plain is the same whatever stands before, and after, what it looks for.
func TestPlain(t *testing.T) {
	t.Parallel()
	for size := range 40 {
		for at := range size {
			for c := range 256 {
				text := []byte(strings.Repeat("#", size))
				text[at] = byte(c)
				text[size-1-at/2] = '"'
				want := 0
				for want < size && isPlain[text[want]] {
					want++
				}
				if got := plain(string(text)); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	value := map[string]any{
		"q": `\"a\\"`, "c": "\x00\x1f", "own": struct{ Text string }{"\"\n"}, "s": "x<\"\n\u2028é", "n": json.Number("-1.5e3"), "t": true, "z": nil, "i": 7,
		"a": []any{json.Number("1"), "b", []any{}, map[string]any{}}, "texts": []string{"c", "d"}, "": map[string]any{"k": "\xff"},
	}
	got, err := Append([]byte("> "), value)
	if err != nil {
		t.Fatal(err)
	}
	var gotValue, wantValue any
	want, err := json.Marshal(value)
	if err != nil || json.Unmarshal(want, &wantValue) != nil || json.Unmarshal(got[2:], &gotValue) != nil {
		t.Fatalf("%s, %v", got, err)
	}
	if !reflect.DeepEqual(gotValue, wantValue) || string(got[:2]) != "> " {
		t.Errorf("got %s, want %s", got, want)
	}
	quoted, err := AppendQuoted([]byte(`"`), value)
	if want := AppendText(nil, string(got[2:])); err != nil || string(quoted)+`"` != string(want) {
		t.Errorf("got %s, %v, want %s", quoted, err, want)
	}
	for _, value := range []any{func() {}, []any{func() {}}, map[string]any{"x": []any{func() {}}}} {
		if got, err := Append(nil, value); err == nil {
			t.Errorf("got %s", got)
		}
		if got, err := AppendQuoted(nil, value); err == nil {
			t.Errorf("got %s", got)
		}
	}
}

// What Object reads, Append writes, and the other way round.
func FuzzAppend(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5e-7,{"b":null}],"c":"\ud83d\ude00\n\u007f<","d":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := Object(data)
		if err != nil {
			return
		}
		text, err := Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Object(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %v, %v, want %v", text, got, err, want)
		}
	})
}
