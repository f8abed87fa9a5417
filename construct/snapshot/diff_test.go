package snapshot

import "testing"

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want, got, diff string
	}{
		{"the order of keys and blanks do not matter", `{"a": 1, "b": [2]}`, `{"b":[2],"a":1}`, ""},
		{"a value", `{"a": {"b": 1}}`, `{"a": {"b": "1"}}`, "  a.b\n    - 1\n    + \"1\"\n"},
		{"numbers as they are written", `{"a": 1.0}`, `{"a": 1}`, "  a\n    - 1.0\n    + 1\n"},
		{"what is only in one", `{"a": null, "c": 1}`, `{"b": {"x": "<"}, "c": 1}`,
			"  a\n    - null\n  b\n    + {\n    +   \"x\": \"<\"\n    + }\n"},
		{"an element put into a list", `{"a": [1, 2, 3]}`, `{"a": [1, 9, 2, 3]}`, "  a[1]\n    + 9\n"},
		{"an element taken out of a list", `{"a": [1, 1, 1]}`, `{"a": [1, 1]}`, "  a[2]\n    - 1\n"},
		{"elements changed in a list", `{"a": [1, {"b": 2, "c": 0}, 3]}`, `{"a": [1, {"b": 4, "c": 0}, 3]}`, "  a[1].b\n    - 2\n    + 4\n"},
		{"keys with dots", `{"a": {"x.y": 1}}`, `{"a": {"x.y": 2}}`, "  a[\"x.y\"]\n    - 1\n    + 2\n"},
		{"another kind of value", `{"a": [1]}`, `{"a": {"b": 1}}`, "  a\n    - [\n    -   1\n    - ]\n    + {\n    +   \"b\": 1\n    + }\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := diff([]byte(c.want), []byte(c.got))
			if err != nil || got != c.diff {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, c.diff)
			}
		})
	}
	if _, err := diff([]byte("no JSON"), []byte("{}")); err == nil {
		t.Error("a file that is no template was compared")
	}
}
