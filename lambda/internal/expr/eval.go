package expr

import (
	"regexp"
	"slices"
)

// node is a part of an expression that can be evaluated.
type node interface {
	eval(f frame) (any, error)
}

// texter is a node that can give a text without an allocation for the interface around it. When the value is none, it is v.
type texter interface {
	evalText(f frame) (text string, isText bool, v any, err error)
}

func asTexter(n node) texter {
	if t, ok := n.(texter); ok {
		return t
	}
	return boxed{n}
}

type boxed struct{ node }

func (b boxed) evalText(f frame) (string, bool, any, error) {
	v, err := b.eval(f)
	text, isText := v.(string)
	return text, isText, v, err
}

// frame is what an evaluation knows.
type frame struct {
	vars   Variables
	locals []local
}

// local is a loop's variable, or the error that a bound value came to.
type local struct {
	value  any
	text   string
	isText bool // the value is text
	err    error
}

func (l *local) set(items list, i int) {
	if items.texts != nil {
		l.text, l.isText = items.texts[i], true
	} else {
		l.value, l.isText = items.values[i], false
	}
	l.err = nil
}

type constant struct {
	value  any
	text   string
	isText bool
}

func (c *constant) eval(frame) (any, error) { return c.value, nil }

func (c *constant) evalText(frame) (string, bool, any, error) { return c.text, c.isText, c.value, nil }

type variable struct{ name string }

func (v *variable) eval(f frame) (any, error) { return f.vars.Variable(v.name), nil }

type loopVariable struct{ place int }

func (v *loopVariable) eval(f frame) (any, error) {
	l := &f.locals[v.place]
	if l.isText {
		return l.text, nil
	}
	return l.value, l.err
}

func (v *loopVariable) evalText(f frame) (string, bool, any, error) {
	l := &f.locals[v.place]
	if l.isText {
		return l.text, true, nil, nil
	}
	text, isText := l.value.(string)
	return text, isText, l.value, l.err
}

// logical is && and ||. The value that decides does so whatever becomes of the other side.
type logical struct {
	left, right node
	decides     bool
}

func (l *logical) eval(f frame) (any, error) {
	left, problem := truth(l.left, f)
	if problem == nil && left == l.decides {
		return left, nil
	}
	right, err := truth(l.right, f)
	switch {
	case err == nil && right == l.decides:
		return right, nil
	case problem != nil:
		return nil, problem
	case err != nil:
		return nil, err
	}
	return !l.decides, nil
}

func truth(n node, f frame) (bool, error) {
	v, err := n.eval(f)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, NoSuchOverload
	}
	return b, nil
}

type conditional struct{ condition, yes, no node }

func (c *conditional) eval(f frame) (any, error) {
	b, err := truth(c.condition, f)
	switch {
	case err != nil:
		return nil, err
	case b:
		return c.yes.eval(f)
	}
	return c.no.eval(f)
}

// equality is == and !=.
type equality struct {
	left, right texter
	want        bool
}

func (e *equality) eval(f frame) (any, error) {
	a, aIsText, left, err := e.left.evalText(f)
	if err != nil {
		return nil, err
	}
	b, bIsText, right, err := e.right.evalText(f)
	switch {
	case err != nil:
		return nil, err
	case aIsText && bIsText:
		return (a == b) == e.want, nil
	case aIsText || bIsText:
		return !e.want, nil // text equals text alone
	}
	return equal(left, right) == e.want, nil
}

// membership is in, on lists and on the keys of maps.
type membership struct {
	element texter
	among   node
}

func (m *membership) eval(f frame) (any, error) {
	text, isText, v, err := m.element.evalText(f)
	if err != nil {
		return nil, err
	}
	among, err := m.among.eval(f)
	if err != nil {
		return nil, err
	}
	if isText {
		switch among := among.(type) {
		case []string:
			return slices.Contains(among, text), nil
		case []any:
			for _, e := range among {
				if e, ok := e.(string); ok && e == text {
					return true, nil
				}
			}
			return false, nil
		case map[string]any:
			_, ok := among[text]
			return ok, nil
		case map[string]string:
			_, ok := among[text]
			return ok, nil
		}
		v = text
	}
	if l, ok := listOf(among); ok {
		return l.contains(v), nil
	}
	if _, ok := mapSize(among); ok {
		_, ok := find(among, v)
		return ok, nil
	}
	return nil, NoSuchOverload
}

// set is in on a list of constants.
type set struct {
	element texter
	texts   []string
	others  map[any]bool
}

// newSet is nil for a list that cel-go takes for no set either. Each number is in it in all the forms that are equal to
// it. That is not quite what == says of numbers that are too large for a double to tell apart.
func newSet(element node, l list) *set {
	s := &set{element: asTexter(element), texts: l.texts, others: map[any]bool{}}
	for _, v := range l.values {
		switch v := v.(type) {
		case string:
			s.texts = append(s.texts, v)
		case bool:
			s.others[v] = true
		case int64:
			s.others[v], s.others[float64(v)] = true, true
			if v >= 0 {
				s.others[uint64(v)] = true
			}
		case uint64:
			s.others[v], s.others[float64(v)] = true, true
			if i := int64(v); i >= 0 {
				s.others[i] = true
			}
		case float64:
			s.others[v] = true
			if i, err := floatToInt(v); err == nil && float64(i) == v {
				s.others[i] = true
			}
			if u, err := floatToUint(v); err == nil && float64(u) == v {
				s.others[u] = true
			}
		default:
			return nil
		}
	}
	return s
}

func (s *set) eval(f frame) (any, error) {
	text, isText, v, err := s.element.evalText(f)
	switch {
	case err != nil:
		return nil, err
	case isText:
		return slices.Contains(s.texts, text), nil
	}
	switch v.(type) {
	case bool, int64, uint64, float64:
		return s.others[v], nil
	}
	return false, nil
}

// textTest is a function of two texts.
type textTest struct {
	left, right texter
	holds       func(a, b string) bool
}

func (t *textTest) eval(f frame) (any, error) {
	a, aIsText, _, err := t.left.evalText(f)
	if err != nil {
		return nil, err
	}
	b, bIsText, _, err := t.right.evalText(f)
	if err != nil {
		return nil, err
	}
	if !aIsText || !bIsText {
		return nil, NoSuchOverload
	}
	return t.holds(a, b), nil
}

// match is matches() with a constant pattern.
type match struct {
	text    texter
	pattern *regexp.Regexp
}

func (m *match) eval(f frame) (any, error) {
	text, isText, _, err := m.text.evalText(f)
	switch {
	case err != nil:
		return nil, err
	case !isText:
		return nil, NoSuchOverload
	}
	return m.pattern.MatchString(text), nil
}

// element is one of a list literal, or a value of a map literal.
type element struct {
	node
	optional bool
}

func (e *element) isConstant() bool { return !e.optional && isConstant(e.node) }

func (e *element) evalElement(f frame) (v any, there bool, err error) {
	v, err = e.eval(f)
	if err != nil || !e.optional {
		return v, true, err
	}
	o, ok := v.(*Optional)
	if !ok {
		return nil, false, NotConverted
	}
	return o.value, o.present, nil
}

type listLiteral struct{ elements []element }

func (l *listLiteral) eval(f frame) (any, error) {
	values := make([]any, 0, len(l.elements))
	for i := range l.elements {
		v, there, err := l.elements[i].evalElement(f)
		if err != nil {
			return nil, err
		}
		if there {
			values = append(values, v)
		}
	}
	return values, nil
}

type mapLiteral struct {
	keys   []node
	values []element
}

func (m *mapLiteral) eval(f frame) (any, error) {
	made := make(map[string]any, len(m.keys))
	var mixed map[any]any // once there is a key that is no text
	for i := range m.keys {
		key, err := m.keys[i].eval(f)
		if err != nil {
			return nil, err
		}
		v, there, err := m.values[i].evalElement(f)
		if err != nil {
			return nil, err
		}
		text, isText := key.(string)
		if !isText && mixed == nil {
			mixed = make(map[any]any, len(m.keys))
			for k, v := range made {
				mixed[k] = v
			}
		}
		switch {
		case !isKey(key):
			return nil, NotConverted
		case mixed != nil && there:
			mixed[key] = v
		case mixed != nil:
			delete(mixed, key)
		case there:
			made[text] = v
		default:
			delete(made, text)
		}
	}
	if mixed != nil {
		return mixed, nil
	}
	return made, nil
}

// The rest are calls of functions by how many arguments they take. All arguments are evaluated, from left to right, and
// the first error is that of the call.

type call1 struct {
	a  node
	fn func(a any) (any, error)
}

func (c *call1) eval(f frame) (any, error) {
	a, err := c.a.eval(f)
	if err != nil {
		return nil, err
	}
	return c.fn(a)
}

type call2 struct {
	a, b node
	fn   func(a, b any) (any, error)
}

func (c *call2) eval(f frame) (any, error) {
	a, err := c.a.eval(f)
	if err != nil {
		return nil, err
	}
	b, err := c.b.eval(f)
	if err != nil {
		return nil, err
	}
	return c.fn(a, b)
}

type callN struct {
	args []node
	fn   func(args []any) (any, error)
}

func (c *callN) eval(f frame) (any, error) {
	args := make([]any, len(c.args))
	for i, arg := range c.args {
		var err error
		if args[i], err = arg.eval(f); err != nil {
			return nil, err
		}
	}
	return c.fn(args)
}
