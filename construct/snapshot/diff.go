package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// diff lists where two JSON documents differ, or is empty: the path of each value that does, and the value in both.
func diff(want, got []byte) (string, error) {
	a, err := decode(want)
	if err != nil {
		return "", fmt.Errorf("not a template: %w", err)
	}
	b, err := decode(got)
	if err != nil {
		return "", fmt.Errorf("internal error: %w", err)
	}
	var out strings.Builder
	differ(&out, "", a, b)
	return out.String(), nil
}

func decode(data []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // numbers are compared as they are written
	err = decoder.Decode(&value)
	return value, err
}

// absent is in the place of a value that one document lacks.
type absent struct{}

func differ(out *strings.Builder, path string, want, got any) {
	if reflect.DeepEqual(want, got) {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			differInMaps(out, path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			differInLists(out, path, w, g)
			return
		}
	}
	fmt.Fprintf(out, "  %s\n", path)
	show(out, "-", want)
	show(out, "+", got)
}

func differInMaps(out *strings.Builder, path string, want, got map[string]any) {
	keys := slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
	slices.Sort(keys)
	at := func(m map[string]any, key string) any {
		if value, ok := m[key]; ok {
			return value
		}
		return absent{}
	}
	for _, key := range slices.Compact(keys) {
		element := key
		if strings.Contains(key, ".") {
			element = fmt.Sprintf("[%q]", key)
		} else if path != "" {
			element = "." + key
		}
		differ(out, path+element, at(want, key), at(got, key))
	}
}

// differInLists compares the elements between those that both lists begin and end with, so that one which is put in does
// not make all after it differ.
func differInLists(out *strings.Builder, path string, want, got []any) {
	first := 0
	for first < min(len(want), len(got)) && reflect.DeepEqual(want[first], got[first]) {
		first++
	}
	last := 0 // from the end
	for last < min(len(want), len(got))-first && reflect.DeepEqual(want[len(want)-1-last], got[len(got)-1-last]) {
		last++
	}
	at := func(list []any, i int) any {
		if i < len(list)-last {
			return list[i]
		}
		return absent{}
	}
	for i := first; i < max(len(want), len(got))-last; i++ {
		differ(out, fmt.Sprintf("%s[%d]", path, i), at(want, i), at(got, i))
	}
}

func show(out *strings.Builder, sign string, value any) {
	if value == (absent{}) {
		return
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("    "+sign+" ", "  ")
	_ = encoder.Encode(value) // it was decoded from JSON
	fmt.Fprintf(out, "    %s %s", sign, b.String())
}
