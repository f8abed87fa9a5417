package contract

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Shape is the type of a claim in a token: what minting yields and what rules are checked against. Closing the loop
// between the two is all that it is for.
type Shape struct {
	Kind   Kind              `json:"kind"`
	Elem   *Shape            `json:"elem,omitempty"`   // of lists and maps
	Fields map[string]*Field `json:"fields,omitempty"` // of objects
	Name   string            `json:"-"`                // of objects: the name of the CEL type
}

// Field is a field of an object.
type Field struct {
	*Shape
	Optional bool `json:"-"` // may be absent from the token
}

// Kind is a kind of [Shape].
type Kind string

// The kinds of shapes.
const (
	Any    Kind = "any"
	String Kind = "string"
	Bool   Kind = "bool"
	Int    Kind = "int"
	Double Kind = "double"
	List   Kind = "list"
	Map    Kind = "map"    // any string keys, all values of one shape
	Object Kind = "object" // known keys
)

func (s *Shape) String() string {
	switch s.Kind {
	case List:
		return "list(" + s.Elem.String() + ")"
	case Map:
		return "map(string, " + s.Elem.String() + ")"
	default:
		return string(s.Kind)
	}
}

// Mismatch says that a value is not of the shape that the policy declares or mints.
type Mismatch struct{ path, want string }

// Message names the place and what should be there. It holds nothing of the value.
func (m *Mismatch) Message() string { return m.path + " is no " + m.want }

// Below is the mismatch as seen from the value that holds the value at fault. The path is made only when it is needed.
func (m *Mismatch) Below(path string) *Mismatch {
	m.path = path + m.path
	return m
}

// Decode turns a JSON value into the value that rules see: integers where the shape says int and doubles where it says
// double, however the number was written. It refuses what is of another shape, so that a string is never taken for a
// list, nor a list for a string. The path of a mismatch begins at the value.
func (s *Shape) Decode(v any) (any, *Mismatch) {
	switch s.Kind {
	case String:
		if _, ok := v.(string); ok {
			return v, nil
		}
	case Bool:
		if _, ok := v.(bool); ok {
			return v, nil
		}
	case Int:
		if n, ok := number(v); ok {
			if i, ok := integer(n); ok {
				return i, nil
			}
		}
	case Double:
		if n, ok := number(v); ok {
			if f, err := n.Float64(); err == nil {
				return f, nil
			}
		}
	case List:
		return s.decodeList(v)
	case Map, Object:
		if object, ok := v.(map[string]any); ok {
			return s.decodeObject(object)
		}
	case Any:
		return DecodeAny(v), nil
	}
	return nil, &Mismatch{want: s.String()}
}

func (s *Shape) decodeList(v any) (any, *Mismatch) {
	if _, ok := v.([]string); ok && s.Elem.Kind == String {
		return v, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, &Mismatch{want: s.String()}
	}
	decoded := make([]any, len(list))
	for i, e := range list {
		var bad *Mismatch
		if decoded[i], bad = s.Elem.Decode(e); bad != nil {
			return nil, bad.Below(Item("", i))
		}
	}
	return decoded, nil
}

func (s *Shape) decodeObject(object map[string]any) (any, *Mismatch) {
	decoded := make(map[string]any, len(object))
	for key, e := range object {
		elem := s.Elem
		if s.Kind == Object {
			f := s.Fields[key]
			if f == nil {
				continue // not part of the contract, so no rule can read it
			}
			elem = f.Shape
		}
		var bad *Mismatch
		if decoded[key], bad = elem.Decode(e); bad == nil {
			continue
		}
		if s.Kind == Map {
			return nil, bad.Below("[…]") // the keys of a map are data, which is not to be told
		}
		return nil, bad.Below(strings.TrimPrefix(Nested("_", key), "_"))
	}
	return decoded, nil
}

// DecodeAny decodes a value of unknown shape: a number is an int when it is whole.
func DecodeAny(v any) any {
	if n, ok := number(v); ok {
		if i, ok := integer(n); ok {
			return i
		}
		f, _ := n.Float64()
		return f
	}
	switch v := v.(type) {
	case []any:
		decoded := make([]any, len(v))
		for i, e := range v {
			decoded[i] = DecodeAny(e)
		}
		return decoded
	case map[string]any:
		decoded := make(map[string]any, len(v))
		for key, e := range v {
			decoded[key] = DecodeAny(e)
		}
		return decoded
	default:
		return v
	}
}

// number accepts the forms that a JSON number takes in Go. [json.Number] is the one that keeps every digit.
func number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case int:
		return json.Number(strconv.Itoa(v)), true
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64)), true
	}
	return "", false
}

// integer is the int64 that a JSON number stands for, be it written 2, 2.0 or 2e0.
func integer(n json.Number) (int64, bool) {
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
