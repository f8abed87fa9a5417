package expr

import (
	"slices"
	"sort"
)

const maxRange = 1_000_000 // of lists.range()

func concatenate(a, b list) any {
	switch {
	case b.size() == 0:
		return a.value()
	case a.size() == 0:
		return b.value()
	case a.texts != nil && b.texts != nil:
		return slices.Concat(a.texts, b.texts)
	}
	values := make([]any, 0, a.size()+b.size())
	values = slices.AppendSeq(values, a.all())
	return slices.AppendSeq(values, b.all())
}

// value is the list in the form that it came in.
func (l list) value() any {
	if l.texts != nil {
		return l.texts
	}
	return l.values
}

// optional is the element at an index, if there is one.
func (l list) optional(i int) (any, error) {
	if i < 0 || i >= l.size() {
		return none, nil
	}
	return some(l.at(i)), nil
}

func unwrap(l list) (any, error) {
	values := []any{}
	for i := range l.size() {
		o, ok := l.at(i).(*Optional)
		switch {
		case !ok && i == 0:
			return nil, NoSuchOverload // an overload is chosen by the first element
		case !ok:
			return nil, NotConverted
		case o.present:
			values = append(values, o.value)
		}
	}
	return values, nil
}

func makeRange(n int64) ([]any, error) {
	if n < 0 || n > maxRange {
		return nil, NotConverted
	}
	values := make([]any, n)
	for i := range values {
		values[i] = int64(i)
	}
	return values, nil
}

func slice(l list, start, end int64) (any, error) {
	if start < 0 || start > end || end > int64(l.size()) {
		return nil, NotConverted
	}
	if l.texts != nil {
		return l.texts[start:end:end], nil
	}
	return l.values[start:end:end], nil
}

func reverse(v any) (any, error) {
	if s, ok := v.(string); ok {
		runes := []rune(s)
		slices.Reverse(runes)
		return string(runes), nil
	}
	l, ok := listOf(v)
	if !ok {
		return nil, NoSuchOverload
	}
	reversed := list{texts: slices.Clone(l.texts), values: slices.Clone(l.values)}
	slices.Reverse(reversed.texts)
	slices.Reverse(reversed.values)
	return reversed.value(), nil
}

func flatten(l list, depth int64) (any, error) {
	if depth < 0 {
		return nil, NotConverted
	}
	return appendFlat([]any{}, l, depth), nil
}

func appendFlat(values []any, l list, depth int64) []any {
	for v := range l.all() {
		if inner, ok := listOf(v); ok && depth > 0 {
			values = appendFlat(values, inner, depth-1)
		} else {
			values = append(values, v)
		}
	}
	return values
}

func distinct(l list) (any, error) {
	values := []any{}
	for v := range l.all() {
		if !(list{values: values}).contains(v) {
			values = append(values, v)
		}
	}
	return values, nil
}

func containsAll(l, elements list) bool {
	for v := range elements.all() {
		if !l.contains(v) {
			return false
		}
	}
	return true
}

func intersects(a, b list) (any, error) {
	for v := range a.all() {
		if b.contains(v) {
			return true, nil
		}
	}
	return false, nil
}

// sortBy sorts a list by keys, one for each element. The sort is cel-go's, which is not stable: elements with equal keys
// must come in the order that they have there.
func sortBy(l, keys list) (any, error) {
	n := keys.size()
	switch {
	case l.size() != n:
		return nil, NotConverted
	case n == 0:
		return l.value(), nil
	case !isOrdered(keys.at(0)):
		return nil, NotConverted
	}
	for key := range keys.all() {
		if TypeOf(key) != TypeOf(keys.at(0)) {
			return nil, NotConverted
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool {
		c, err := compare(keys.at(order[i]), keys.at(order[j]))
		return err == nil && c < 0 // NaN is less than nothing
	})
	sorted := make([]any, n)
	for i, place := range order {
		sorted[i] = l.at(place)
	}
	return sorted, nil
}
