package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// MaxDepth is how deep values may be nested.
const MaxDepth = 32

// Why lists and objects inside lists are refused.
const (
	ListInList   = "holds a list inside a list, which Cognito documents no way to carry"
	ObjectInList = "holds an object inside a list, which Cognito documents no way to carry"
)

// Value is a literal: a string, bool, int64, float64, []any or map[string]any. In JSON a float keeps its decimal point, so
// that it is read as a float again.
type Value struct{ V any }

// MarshalJSON writes the value.
func (v Value) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(exact(v.V))
	return bytes.TrimSpace(b.Bytes()), err
}

// exact is the value with its floats as they are written.
func exact(v any) any {
	switch v := v.(type) {
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return json.RawMessage(text)
	case []any:
		list := slices.Clone(v)
		for i := range list {
			list[i] = exact(list[i])
		}
		return list
	case map[string]any:
		object := maps.Clone(v)
		for key := range object {
			object[key] = exact(object[key])
		}
		return object
	default:
		return v
	}
}

// UnmarshalJSON reads the value.
func (v *Value) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var read any
	if err := d.Decode(&read); err != nil {
		return err
	}
	var err error
	v.V, err = numbers(read)
	return err
}

// numbers gives the numbers of a value their types.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = numbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Normalise brings a value of any Go type into the form of [Value]. fail is told what a token cannot carry, with the path
// of the value at fault.
func Normalise(path string, v any, fail func(path, message string)) any {
	return normaliser{fail}.value(path, reflect.ValueOf(v), 0, false)
}

type normaliser struct{ fail func(path, message string) }

func (n normaliser) value(path string, v reflect.Value, depth int, inList bool) any {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		n.fail(path, "is null, which Cognito documents no way to carry; leave it out or give a value")
		return nil
	case depth > MaxDepth:
		n.fail(path, fmt.Sprintf("is nested more than %d deep", MaxDepth))
		return nil
	case inList && (v.Kind() == reflect.Map || v.Kind() == reflect.Slice || v.Kind() == reflect.Array):
		n.fail(path, "is a list or object inside a list, which Cognito documents no way to carry; use an object with names instead")
		return nil
	}
	if number, ok := v.Interface().(json.Number); ok {
		if i, err := number.Int64(); err == nil {
			return i
		} else if f, err := number.Float64(); err == nil {
			return f
		}
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() <= math.MaxInt64 {
			return int64(v.Uint())
		}
		n.fail(path, "is beyond a 64-bit integer; mint a string")
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		n.fail(path, fmt.Sprintf("%v is no number that JSON can carry", v.Float()))
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = n.value(Item(path, i), v.Index(i), depth+1, true)
		}
		return list
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			n.fail(path, fmt.Sprintf("has keys of type %s; the keys of an object are strings", v.Type().Key()))
			return nil
		}
		object := make(map[string]any, v.Len())
		keys := map[string]reflect.Value{}
		for k, e := range v.Seq2() {
			keys[k.String()] = e
		}
		for _, key := range SortedKeys(keys) {
			object[key] = n.value(Child(path, key), keys[key], depth+1, false)
		}
		return object
	default:
		n.fail(path, fmt.Sprintf("has type %s; allowed are strings, numbers, booleans, lists and maps with string keys", v.Type()))
	}
	return nil
}
