package expr

import (
	"cmp"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const defaultPrecision, maxPrecision = 6, 100 // of format()

// format fills in the clauses of a text, such as %s and %.2f, with the elements of a list one after the other.
func format(clauses string, args list) (any, error) {
	var b []byte
	used := 0
	for {
		before, clause, found := strings.Cut(clauses, "%")
		b = append(b, before...)
		if !found {
			return string(b), nil
		}
		if rest, ok := strings.CutPrefix(clause, "%"); ok {
			b, clauses = append(b, '%'), rest
			continue
		}
		precision, verb, rest, err := parseClause(clause)
		if err != nil {
			return nil, err
		}
		if used >= args.size() {
			return nil, NotConverted
		}
		if b, err = appendClause(b, verb, precision, args.at(used)); err != nil {
			return nil, err
		}
		used++
		clauses = rest
	}
}

func parseClause(clause string) (precision int, verb byte, rest string, err error) {
	precision = defaultPrecision
	if digits, ok := strings.CutPrefix(clause, "."); ok {
		clause = strings.TrimLeft(digits, "0123456789")
		precision, err = strconv.Atoi(digits[:len(digits)-len(clause)])
		if err != nil || precision > maxPrecision {
			return 0, 0, "", NotConverted
		}
	}
	if clause == "" {
		return 0, 0, "", NotConverted
	}
	return precision, clause[0], clause[1:], nil
}

func appendClause(b []byte, verb byte, precision int, v any) ([]byte, error) {
	switch verb {
	case 's':
		return appendValue(b, v)
	case 'd':
		if isNumber(v) {
			return appendValue(b, v)
		}
	case 'f', 'e':
		f, ok := v.(float64)
		switch i := v.(type) {
		case int64:
			f, ok = float64(i), true
		case uint64:
			f, ok = float64(i), true
		}
		if ok {
			return appendDouble(b, f, verb, precision), nil
		}
	case 'b':
		switch v {
		case true:
			return append(b, '1'), nil
		case false:
			return append(b, '0'), nil
		}
		return appendInteger(b, v, 2)
	case 'o':
		return appendInteger(b, v, 8)
	case 'x', 'X':
		digits, err := hexadecimal(v)
		if verb == 'X' {
			digits = strings.ToUpper(digits)
		}
		return append(b, digits...), err
	}
	return nil, NotConverted
}

func hexadecimal(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return hex.EncodeToString([]byte(v)), nil
	case []byte:
		return hex.EncodeToString(v), nil
	}
	digits, err := appendInteger(nil, v, 16)
	return string(digits), err
}

func appendInteger(b []byte, v any, base int) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, base), nil
	case uint64:
		return strconv.AppendUint(b, v, base), nil
	}
	return nil, NotConverted
}

func appendDouble(b []byte, f float64, verb byte, precision int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, f, verb, precision, 64)
}

// appendValue writes a value as %s does.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64, uint64:
		return appendInteger(b, v, 10)
	case float64:
		return appendDouble(b, v, 'f', -1), nil
	case string:
		return append(b, v...), nil
	case []byte:
		return append(b, v...), nil
	case time.Duration:
		return appendDuration(b, v), nil
	case time.Time:
		return v.UTC().AppendFormat(b, time.RFC3339Nano), nil
	case Type:
		return append(b, v...), nil
	case map[string]any, map[string]string, map[any]any:
		return appendMap(b, v)
	}
	l, ok := listOf(v)
	if !ok {
		return nil, NotConverted
	}
	b = append(b, '[')
	for i := range l.size() {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = appendValue(b, l.at(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendMap writes the entries in the order of how their keys are written.
func appendMap(b []byte, m any) ([]byte, error) {
	type entry struct{ key, value []byte }
	var written []entry
	keys, _ := sortedKeys(m)
	for key := range keys.all() {
		v, found := find(m, key)
		if !found {
			return nil, NotConverted // NaN, which nothing finds
		}
		k, err := appendValue(nil, key)
		if err != nil {
			return nil, err
		}
		value, err := appendValue(nil, v)
		if err != nil {
			return nil, err
		}
		written = append(written, entry{k, value})
	}
	slices.SortStableFunc(written, func(x, y entry) int { return cmp.Compare(string(x.key), string(y.key)) })
	b = append(b, '{')
	for i, e := range written {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, e.key...), ": "...), e.value...)
	}
	return append(b, '}'), nil
}
