package expr

import (
	"math"
	"regexp"
	"strings"
	"time"
)

// operator is the node of an operation that is more than a call of a function, or nil.
func operator(n *Node, args []node) node {
	if len(args) != 2 {
		if n.Op == "_?_:_" && len(args) == 3 {
			return &conditional{condition: args[0], yes: args[1], no: args[2]}
		}
		return nil
	}
	a, b := args[0], args[1]
	switch n.Op {
	case "_&&_", "_||_":
		return &logical{left: a, right: b, decides: n.Op == "_||_"}
	case "_==_", "_!=_":
		return &equality{left: asTexter(a), right: asTexter(b), want: n.Op == "_==_"}
	case "@in":
		if among, ok := b.(*constant); ok && n.Args[1].Op == OpList {
			l, _ := listOf(among.value)
			if s := newSet(a, l); s != nil && l.size() > 0 {
				return s
			} else if s != nil {
				return &constant{value: false} // whatever becomes of the element
			}
		}
		return &membership{element: asTexter(a), among: b}
	case "contains":
		return &textTest{left: asTexter(a), right: asTexter(b), holds: strings.Contains}
	case "startsWith":
		return &textTest{left: asTexter(a), right: asTexter(b), holds: strings.HasPrefix}
	case "endsWith":
		return &textTest{left: asTexter(a), right: asTexter(b), holds: strings.HasSuffix}
	case "matches":
		if pattern, ok := b.(*constant); ok && pattern.isText {
			if compiled, err := regexp.Compile(pattern.text); err == nil {
				return &match{text: asTexter(a), pattern: compiled}
			}
		}
	case "or", "orValue":
		return &orElse{optional: a, other: b, unwrap: n.Op == "orValue"}
	}
	return nil
}

// function is the node of a call, or nil if no function of that name takes so many arguments. After the name there may be
// the types that the arguments must have, in parentheses.
func function(op string, args []node) node {
	name, chosen, typed := strings.Cut(op, "(")
	var types []string
	if typed {
		chosen, closed := strings.CutSuffix(chosen, ")")
		if types = strings.Split(chosen, ", "); !closed || len(types) != len(args) {
			return nil
		}
	}
	switch len(args) {
	case 0:
		if name == "optional.none" {
			return &constant{value: none}
		}
	case 1:
		if fn := unary(name); fn != nil {
			if typed {
				fn = unaryOf(types[0], fn)
			}
			return folded(&call1{args[0], fn}, isConversion(name) && isConstant(args[0]))
		}
	case 2:
		if fn := binary(name); fn != nil {
			if typed {
				fn = binaryOf(types[0], types[1], fn)
			}
			return &call2{args[0], args[1], fn}
		}
	default:
		if fn := more(name, len(args)); fn != nil && !typed {
			return &callN{args, fn}
		}
	}
	return nil
}

func unaryOf(chosen string, fn func(any) (any, error)) func(any) (any, error) {
	return func(a any) (any, error) {
		if !isOf(a, chosen) {
			return nil, NoSuchOverload
		}
		return fn(a)
	}
}

func binaryOf(chosenA, chosenB string, fn func(a, b any) (any, error)) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		if !isOf(a, chosenA) || !isOf(b, chosenB) {
			return nil, NoSuchOverload
		}
		return fn(a, b)
	}
}

// isOf tells whether a value has a type that was chosen for it. cel-go looks at no more than the first element of a list.
func isOf(v any, chosen string) bool {
	outer, inner, _ := strings.Cut(chosen, "(")
	if chosen == "dyn" || string(TypeOf(v)) == chosen {
		return true
	}
	l, isList := listOf(v)
	return isList && outer == string(listType) && (l.size() == 0 || isOf(l.at(0), strings.TrimSuffix(inner, ")")))
}

func isConversion(name string) bool {
	switch name {
	case "bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint":
		return true
	}
	return false
}

func unary(name string) func(any) (any, error) {
	switch name {
	case "!_":
		return on1(func(b bool) (bool, error) { return !b, nil })
	case "-_":
		return negate
	case "size":
		return size
	case "dyn":
		return func(v any) (any, error) { return v, nil }
	case "type":
		return func(v any) (any, error) { return TypeOf(v), nil }
	case "bool":
		return toBool
	case "bytes":
		return toBytes
	case "double":
		return toDouble
	case "duration":
		return toDuration
	case "int":
		return toInt
	case "string":
		return toString
	case "timestamp":
		return toTimestamp
	case "uint":
		return toUint

	case "optional.of":
		return func(v any) (any, error) { return some(v), nil }
	case "optional.ofNonZeroValue":
		return ofNonZeroValue
	case "value":
		return on1((*Optional).get)
	case "hasValue":
		return on1(func(o *Optional) (bool, error) { return o.present, nil })
	case "optional.unwrap", "unwrapOpt":
		return onList(unwrap)
	case "first":
		return onList(func(l list) (any, error) { return l.optional(0) })
	case "last":
		return onList(func(l list) (any, error) { return l.optional(l.size() - 1) })

	case "lowerAscii":
		return on1(lowerASCII)
	case "upperAscii":
		return on1(upperASCII)
	case "trim":
		return on1(func(s string) (string, error) { return strings.TrimSpace(s), nil })
	case "strings.quote":
		return on1(quote)
	case "join":
		return onList(func(l list) (any, error) { return join(l, "") })
	case "reverse":
		return reverse

	case "flatten":
		return onList(func(l list) (any, error) { return flatten(l, 1) })
	case "sort":
		return onList(func(l list) (any, error) { return sortBy(l, l) })
	case "distinct":
		return onList(distinct)
	case "lists.range":
		return on1(makeRange)

	case "math.@max":
		return func(v any) (any, error) { return extreme(v, 1) }
	case "math.@min":
		return func(v any) (any, error) { return extreme(v, -1) }
	case "math.ceil":
		return onDouble(math.Ceil)
	case "math.floor":
		return onDouble(math.Floor)
	case "math.round":
		return onDouble(math.Round)
	case "math.trunc":
		return onDouble(math.Trunc)
	case "math.isInf":
		return on1(func(f float64) (bool, error) { return math.IsInf(f, 0), nil })
	case "math.isNaN":
		return on1(func(f float64) (bool, error) { return math.IsNaN(f), nil })
	case "math.isFinite":
		return on1(func(f float64) (bool, error) { return !math.IsInf(f, 0) && !math.IsNaN(f), nil })
	case "math.abs":
		return abs
	case "math.sign":
		return sign
	case "math.sqrt":
		return sqrt
	case "math.bitNot":
		return bitNot
	}
	if part := timePart(name); part != nil {
		return func(v any) (any, error) { return part(v, nil) }
	}
	return nil
}

func binary(name string) func(a, b any) (any, error) {
	switch name {
	case "_+_":
		return add
	case "_-_":
		return subtract
	case "_*_":
		return multiply
	case "_/_":
		return divide
	case "_%_":
		return modulo
	case "_<_":
		return ordering(func(c int) bool { return c < 0 })
	case "_<=_":
		return ordering(func(c int) bool { return c <= 0 })
	case "_>_":
		return ordering(func(c int) bool { return c > 0 })
	case "_>=_":
		return ordering(func(c int) bool { return c >= 0 })

	case "hasValue":
		return func(a, b any) (any, error) {
			o, ok := a.(*Optional)
			if !ok {
				return nil, NoSuchOverload
			}
			return o.present && equal(o.value, b), nil
		}

	case "matches":
		return on2(matches)
	case "charAt":
		return on2(charAt)
	case "indexOf":
		return on2(func(s, sub string) (int64, error) { return indexOf(s, sub, 0) })
	case "lastIndexOf":
		return on2(lastIndexOf)
	case "split":
		return on2(func(s, separator string) ([]string, error) { return strings.Split(s, separator), nil })
	case "substring":
		return on2(func(s string, start int64) (string, error) { return substring(s, start, -1) })
	case "join":
		return func(a, b any) (any, error) {
			l, isList := listOf(a)
			separator, isText := b.(string)
			if !isList || !isText {
				return nil, NoSuchOverload
			}
			return join(l, separator)
		}
	case "format":
		return func(a, b any) (any, error) {
			clauses, isText := a.(string)
			l, isList := listOf(b)
			if !isText || !isList {
				return nil, NoSuchOverload
			}
			return format(clauses, l)
		}

	case "flatten":
		return func(a, b any) (any, error) {
			l, isList := listOf(a)
			depth, isInt := b.(int64)
			if !isList || !isInt {
				return nil, NoSuchOverload
			}
			return flatten(l, depth)
		}
	case "@sortByAssociatedKeys":
		return onLists(sortBy)
	case "sets.contains", "hasAll":
		return onLists(func(a, b list) (any, error) { return containsAll(a, b), nil })
	case "hasOnly":
		return onLists(func(a, b list) (any, error) { return containsAll(b, a), nil })
	case "sets.equivalent", "hasExactly":
		return onLists(func(a, b list) (any, error) { return containsAll(a, b) && containsAll(b, a), nil })
	case "sets.intersects", "hasAny":
		return onLists(intersects)

	case "math.@max":
		return func(a, b any) (any, error) { return extremeOfTwo(a, b, 1) }
	case "math.@min":
		return func(a, b any) (any, error) { return extremeOfTwo(a, b, -1) }
	case "math.bitAnd":
		return bits(func(a, b uint64) uint64 { return a & b })
	case "math.bitOr":
		return bits(func(a, b uint64) uint64 { return a | b })
	case "math.bitXor":
		return bits(func(a, b uint64) uint64 { return a ^ b })
	case "math.bitShiftLeft":
		return shift(func(v, by uint64) uint64 { return v << by })
	case "math.bitShiftRight":
		return shift(func(v, by uint64) uint64 { return v >> by })
	}
	if part := timePart(name); part != nil {
		return func(v, zone any) (any, error) {
			t, isTime := v.(time.Time)
			name, isText := zone.(string)
			if !isTime || !isText {
				return nil, NoSuchOverload
			}
			location, err := location(name)
			if err != nil {
				return nil, NotConverted
			}
			return part(t, location)
		}
	}
	return nil
}

func more(name string, args int) func([]any) (any, error) {
	switch {
	case name == "indexOf" && args == 3:
		return on3(indexOf)
	case name == "lastIndexOf" && args == 3:
		return on3(lastIndexOfFrom)
	case name == "split" && args == 3:
		return on3(func(s, separator string, n int64) ([]string, error) { return strings.SplitN(s, separator, int(n)), nil })
	case name == "substring" && args == 3:
		return on3(func(s string, start, end int64) (string, error) {
			if end < 0 {
				return "", NotConverted
			}
			return substring(s, start, end)
		})
	case name == "replace" && args == 3:
		return on3(func(s, old, with string) (string, error) { return strings.ReplaceAll(s, old, with), nil })
	case name == "replace" && args == 4:
		return func(args []any) (any, error) {
			n, ok := args[3].(int64)
			if !ok {
				return nil, NoSuchOverload
			}
			return on3(func(s, old, with string) (string, error) { return strings.Replace(s, old, with, int(n)), nil })(args)
		}
	case name == "slice" && args == 3:
		return func(args []any) (any, error) {
			l, isList := listOf(args[0])
			start, isStart := args[1].(int64)
			end, isEnd := args[2].(int64)
			if !isList || !isStart || !isEnd {
				return nil, NoSuchOverload
			}
			return slice(l, start, end)
		}
	}
	return nil
}

// on1, on2 and on3 are functions of values of certain types. No overload takes others.

func on1[A, R any](fn func(A) (R, error)) func(any) (any, error) {
	return func(a any) (any, error) {
		x, ok := a.(A)
		if !ok {
			return nil, NoSuchOverload
		}
		return fn(x)
	}
}

func on2[A, B, R any](fn func(A, B) (R, error)) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		x, okX := a.(A)
		y, okY := b.(B)
		if !okX || !okY {
			return nil, NoSuchOverload
		}
		return fn(x, y)
	}
}

func on3[A, B, C, R any](fn func(A, B, C) (R, error)) func([]any) (any, error) {
	return func(args []any) (any, error) {
		x, okX := args[0].(A)
		y, okY := args[1].(B)
		z, okZ := args[2].(C)
		if !okX || !okY || !okZ {
			return nil, NoSuchOverload
		}
		return fn(x, y, z)
	}
}

func onDouble(fn func(float64) float64) func(any) (any, error) {
	return on1(func(f float64) (float64, error) { return fn(f), nil })
}

func onList(fn func(list) (any, error)) func(any) (any, error) {
	return func(a any) (any, error) {
		l, ok := listOf(a)
		if !ok {
			return nil, NoSuchOverload
		}
		return fn(l)
	}
}

func onLists(fn func(a, b list) (any, error)) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		l, okL := listOf(a)
		r, okR := listOf(b)
		if !okL || !okR {
			return nil, NoSuchOverload
		}
		return fn(l, r)
	}
}
