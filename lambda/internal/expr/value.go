package expr

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Type is a type as a value, by CEL's name: what type(1) comes to.
type Type string

// The types of values. A type that is none of these, such as a message's, can only be compared.
const (
	nullType      Type = "null_type"
	boolType      Type = "bool"
	intType       Type = "int"
	uintType      Type = "uint"
	doubleType    Type = "double"
	stringType    Type = "string"
	bytesType     Type = "bytes"
	timestampType Type = "google.protobuf.Timestamp"
	durationType  Type = "google.protobuf.Duration"
	listType      Type = "list"
	mapType       Type = "map"
	typeType      Type = "type"
	optionalType  Type = "optional_type"
)

// TypeOf is the type of a value.
func TypeOf(v any) Type {
	switch v.(type) {
	case nil:
		return nullType
	case bool:
		return boolType
	case int64:
		return intType
	case uint64:
		return uintType
	case float64:
		return doubleType
	case string:
		return stringType
	case []byte:
		return bytesType
	case time.Time:
		return timestampType
	case time.Duration:
		return durationType
	case []any, []string:
		return listType
	case map[string]any, map[string]string, map[any]any:
		return mapType
	case Type:
		return typeType
	case *Optional:
		return optionalType
	default:
		return "" // nothing that a caller may hand in; no function takes it
	}
}

// Optional is the value of an optional: nothing, or something, which may be null.
type Optional struct {
	value   any
	present bool
}

var none = &Optional{}

func some(v any) *Optional { return &Optional{value: v, present: true} }

// Value is what the optional has, and whether it has anything.
func (o *Optional) Value() (any, bool) { return o.value, o.present }

// list is a view of a list in either of its forms.
type list struct {
	texts  []string
	values []any
}

func listOf(v any) (list, bool) {
	switch v := v.(type) {
	case []string:
		return list{texts: v}, true
	case []any:
		return list{values: v}, true
	}
	return list{}, false
}

func (l list) size() int { return len(l.texts) + len(l.values) } // one of them is empty

func (l list) at(i int) any {
	if l.texts != nil {
		return l.texts[i]
	}
	return l.values[i]
}

func (l list) all() iter.Seq[any] {
	return func(yield func(any) bool) {
		for i := range l.size() {
			if !yield(l.at(i)) {
				return
			}
		}
	}
}

func (l list) contains(v any) bool {
	if l.texts != nil {
		text, ok := v.(string)
		return ok && slices.Contains(l.texts, text)
	}
	return slices.ContainsFunc(l.values, func(e any) bool { return equal(v, e) })
}

// A map is map[string]any or map[string]string when all of its keys are texts, and map[any]any otherwise.

func mapSize(v any) (int, bool) {
	switch v := v.(type) {
	case map[string]any:
		return len(v), true
	case map[string]string:
		return len(v), true
	case map[any]any:
		return len(v), true
	}
	return 0, false
}

// find looks a key up in a map. Numbers find equal integers of the other type, and nothing else does: 1 is 1u and 1.0 is
// 1, but a key 1.0 is found by doubles alone.
func find(m, key any) (any, bool) {
	switch m := m.(type) {
	case map[string]any:
		text, ok := key.(string)
		if !ok {
			return nil, false
		}
		v, found := m[text]
		return v, found
	case map[string]string:
		text, ok := key.(string)
		if !ok {
			return nil, false
		}
		v, found := m[text]
		return v, found
	case map[any]any:
		if !isKey(key) {
			return nil, false
		}
		if v, found := m[key]; found {
			return v, true
		}
		switch key := key.(type) {
		case int64:
			if key >= 0 {
				v, found := m[uint64(key)]
				return v, found
			}
		case uint64:
			if key <= math.MaxInt64 {
				v, found := m[int64(key)]
				return v, found
			}
		case float64:
			if i, err := floatToInt(key); err == nil && float64(i) == key {
				if v, found := m[i]; found {
					return v, true
				}
			}
			if u, err := floatToUint(key); err == nil && float64(u) == key {
				v, found := m[u]
				return v, found
			}
		}
	}
	return nil, false
}

// isKey tells what can be the key of a map: all that has no parts.
func isKey(v any) bool {
	switch v.(type) {
	case nil, bool, int64, uint64, float64, string, time.Time, time.Duration, Type:
		return true
	}
	return false
}

func entries(m any) iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		switch m := m.(type) {
		case map[string]any:
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		case map[string]string:
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		case map[any]any:
			maps.All(m)(yield)
		}
	}
}

// sortedKeys are the keys of a map in the order in which loops visit them.
func sortedKeys(m any) (list, bool) {
	switch m := m.(type) {
	case map[string]any:
		return list{texts: slices.Sorted(maps.Keys(m))}, true
	case map[string]string:
		return list{texts: slices.Sorted(maps.Keys(m))}, true
	case map[any]any:
		return list{values: slices.SortedFunc(maps.Keys(m), compareKeys)}, true
	}
	return list{}, false
}

// compareKeys orders keys by type, numbers of all types as one.
func compareKeys(a, b any) int {
	family := func(v any) Type {
		if isNumber(v) {
			return "number"
		}
		return TypeOf(v)
	}
	if c := cmp.Compare(family(a), family(b)); c != 0 {
		return c
	}
	if a, ok := a.(Type); ok {
		return cmp.Compare(a, b.(Type))
	}
	if c, err := compare(a, b); err == nil && c != 0 {
		return c
	}
	return cmp.Compare(TypeOf(a), TypeOf(b)) // 1 and 1u, which can be keys of one map
}

// equal is CEL's ==: numbers are equal by value, whatever their types; otherwise values of different types are unequal.
func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case int64, uint64, float64:
		c, ok := compareNumbers(a, b)
		return ok && c == 0
	case string:
		b, ok := b.(string)
		return ok && a == b
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case time.Duration:
		b, ok := b.(time.Duration)
		return ok && a == b
	case Type:
		b, ok := b.(Type)
		return ok && a == b
	case *Optional:
		b, ok := b.(*Optional)
		return ok && a.present == b.present && equal(a.value, b.value)
	case []any, []string:
		return equalLists(a, b)
	case map[string]any, map[string]string, map[any]any:
		return equalMaps(a, b)
	}
	return false
}

func equalLists(a, b any) bool {
	l, _ := listOf(a)
	r, ok := listOf(b)
	if !ok || l.size() != r.size() {
		return false
	}
	for i := range l.size() {
		if !equal(l.at(i), r.at(i)) {
			return false
		}
	}
	return true
}

func equalMaps(a, b any) bool {
	n, _ := mapSize(a)
	if m, ok := mapSize(b); !ok || n != m {
		return false
	}
	for key, v := range entries(a) {
		if w, found := find(b, key); !found || !equal(v, w) {
			return false
		}
	}
	return true
}

// compareNumbers compares by value. It is false for what is no number, NaN included.
func compareNumbers(a, b any) (int, bool) {
	switch a := a.(type) {
	case int64:
		switch b := b.(type) {
		case int64:
			return cmp.Compare(a, b), true
		case uint64:
			return compareIntUint(a, b), true
		case float64:
			return -compareFloatInt(b, a), !math.IsNaN(b)
		}
	case uint64:
		switch b := b.(type) {
		case int64:
			return -compareIntUint(b, a), true
		case uint64:
			return cmp.Compare(a, b), true
		case float64:
			return -compareFloatUint(b, a), !math.IsNaN(b)
		}
	case float64:
		switch b := b.(type) {
		case int64:
			return compareFloatInt(a, b), !math.IsNaN(a)
		case uint64:
			return compareFloatUint(a, b), !math.IsNaN(a)
		case float64:
			return cmp.Compare(a, b), !math.IsNaN(a) && !math.IsNaN(b)
		}
	}
	return 0, false
}

func compareIntUint(i int64, u uint64) int {
	if i < 0 {
		return -1
	}
	return cmp.Compare(uint64(i), u)
}

// Where an integer is no double, the nearest double stands for it, as in cel-go.
func compareFloatInt(f float64, i int64) int {
	switch {
	case f < math.MinInt64:
		return -1
	case f > math.MaxInt64:
		return 1
	}
	return cmp.Compare(f, float64(i))
}

func compareFloatUint(f float64, u uint64) int {
	switch {
	case f < 0:
		return -1
	case f > math.MaxUint64:
		return 1
	}
	return cmp.Compare(f, float64(u))
}

// isOrdered tells which values have an order among those of their type.
func isOrdered(v any) bool {
	switch v.(type) {
	case bool, int64, uint64, float64, string, []byte, time.Time, time.Duration:
		return true
	}
	return false
}

// compare orders values of one type, and numbers of any.
func compare(a, b any) (int, error) {
	switch a := a.(type) {
	case int64, uint64, float64:
		if c, ok := compareNumbers(a, b); ok {
			return c, nil
		}
		if isNaN(a) || isNaN(b) {
			return 0, NotConverted
		}
	case bool:
		if b, ok := b.(bool); ok {
			switch {
			case a == b:
				return 0, nil
			case b:
				return -1, nil
			}
			return 1, nil
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), nil
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b), nil
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b), nil
		}
	case time.Duration:
		if b, ok := b.(time.Duration); ok {
			return cmp.Compare(a, b), nil
		}
	}
	return 0, NoSuchOverload
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}
