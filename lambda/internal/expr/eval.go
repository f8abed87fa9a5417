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

// path is selections and indexes one after the other. Optional ones make all that follow optional, and so does an
// optional that the path begins with.
type path struct {
	root  node
	steps []step
}

// step is a.name, or a[key] where the key is not a constant text.
type step struct {
	name     string
	key      node
	optional bool
}

// found tells what a path comes to: a value, the value of an optional, or the lack of one.
type found int

const (
	plain found = iota
	optional
	nothing
)

func (p *path) eval(f frame) (any, error) {
	v, state, err := p.resolve(f)
	switch {
	case err != nil:
		return nil, err
	case state == nothing:
		return none, nil
	case state == optional:
		return some(v), nil
	}
	return v, nil
}

func (p *path) evalText(f frame) (string, bool, any, error) {
	steps := p.steps
	v, state, err := p.begin(f)
	if err == nil {
		v, state, err = walk(f, steps[:len(steps)-1], v, state)
	}
	last := steps[len(steps)-1:]
	if texts, ok := v.(map[string]string); ok && err == nil && state == plain && last[0].key == nil && !last[0].optional {
		text, ok := texts[last[0].name]
		if !ok {
			err = NoSuchKey
		}
		return text, true, nil, err
	}
	if err == nil {
		v, state, err = walk(f, last, v, state)
	}
	switch {
	case err != nil:
		return "", false, nil, err
	case state == nothing:
		return "", false, none, nil
	case state == optional:
		return "", false, some(v), nil
	}
	text, isText := v.(string)
	return text, isText, v, nil
}

func (p *path) resolve(f frame) (any, found, error) {
	v, state, err := p.begin(f)
	if err != nil {
		return nil, plain, err
	}
	return walk(f, p.steps, v, state)
}

func (p *path) begin(f frame) (any, found, error) {
	v, err := p.root.eval(f)
	if err != nil {
		return nil, plain, err
	}
	if o, ok := v.(*Optional); ok {
		if !o.present {
			return nil, nothing, nil
		}
		return o.value, optional, nil
	}
	return v, plain, nil
}

func walk(f frame, steps []step, v any, state found) (any, found, error) {
	for i := range steps {
		if state == nothing {
			return nil, nothing, nil
		}
		if steps[i].optional {
			state = optional
		}
		next, ok, err := steps[i].take(f, v)
		switch {
		case err != nil:
			return nil, plain, err
		case ok:
			v = next
		case state == optional:
			return nil, nothing, nil
		default:
			if _, isList := listOf(v); isList {
				return nil, plain, OutOfBounds
			}
			return nil, plain, NoSuchKey
		}
	}
	return v, state, nil
}

// take finds the member of a list or map. Nothing else has members.
func (s *step) take(f frame, v any) (any, bool, error) {
	if s.key == nil {
		switch v := v.(type) {
		case map[string]any:
			member, ok := v[s.name]
			return member, ok, nil
		case map[string]string:
			member, ok := v[s.name]
			return member, ok, nil
		}
		return member(v, s.name)
	}
	key, err := s.key.eval(f)
	if err != nil {
		return nil, false, err
	}
	switch key.(type) {
	case bool, int64, uint64, float64, string:
		return member(v, key)
	}
	return nil, false, NotConverted
}

func member(v, key any) (any, bool, error) {
	l, isList := listOf(v)
	if !isList {
		member, ok := find(v, key)
		return member, ok, nil
	}
	i := int64(-1)
	switch key := key.(type) {
	case int64:
		i = key
	case uint64:
		if i = int64(key); i < 0 {
			return nil, false, NotConverted
		}
	case float64:
		whole, err := floatToInt(key)
		if err != nil || float64(whole) != key {
			return nil, false, NotConverted
		}
		i = whole
	default:
		return nil, false, NotConverted
	}
	if i < 0 || i >= int64(l.size()) {
		return nil, false, nil
	}
	return l.at(int(i)), true, nil
}

// has is the macro: whether the last step of a path could be taken.
type has struct {
	path path
	last step
}

func (h *has) eval(f frame) (any, error) {
	v, state, err := h.path.resolve(f)
	if err != nil || state == nothing {
		return false, err
	}
	_, ok, err := h.last.take(f, v)
	return ok, err
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

// orElse is or() and orValue().
type orElse struct {
	optional, other node
	unwrap          bool // orValue()
}

func (o *orElse) eval(f frame) (any, error) {
	if p, ok := o.optional.(*path); ok && o.unwrap {
		switch v, state, err := p.resolve(f); {
		case err != nil:
			return nil, err
		case state == optional:
			return v, nil
		case state == nothing:
			return o.other.eval(f)
		default:
			return o.choose(f, v)
		}
	}
	v, err := o.optional.eval(f)
	if err != nil {
		return nil, err
	}
	return o.choose(f, v)
}

func (o *orElse) choose(f frame, v any) (any, error) {
	opt, ok := v.(*Optional)
	switch {
	case !ok:
		return nil, NoSuchOverload
	case !opt.present:
		return o.other.eval(f)
	case o.unwrap:
		return opt.value, nil
	}
	return v, nil
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

// items are what a loop over a value visits: the elements of a list, the keys of a map.
func items(over node, f frame) (list, error) {
	v, err := over.eval(f)
	if err != nil {
		return list{}, err
	}
	if l, ok := listOf(v); ok {
		return l, nil
	}
	if keys, ok := sortedKeys(v); ok {
		return keys, nil
	}
	switch v := v.(type) { // for cel-go whatever has the size 0 is a range of nothing
	case string:
		if v == "" {
			return list{}, nil
		}
	case []byte:
		if len(v) == 0 {
			return list{}, nil
		}
	}
	return list{}, NotConverted
}

// quantifier is exists() and all(). An element that decides does so whatever becomes of the others.
type quantifier struct {
	place           int
	over, condition node
	decides         bool
}

func (q *quantifier) eval(f frame) (any, error) {
	items, err := items(q.over, f)
	if err != nil {
		return nil, err
	}
	var problem error
	for i := range items.size() {
		f.locals[q.place].set(items, i)
		b, err := truth(q.condition, f)
		switch {
		case err == nil && b == q.decides:
			return b, nil
		case problem == nil:
			problem = err
		}
	}
	if problem != nil {
		return nil, problem
	}
	return !q.decides, nil
}

// existsOne is exists_one(). Of several errors the last is told, as in cel-go.
type existsOne struct {
	place           int
	over, condition node
}

func (e *existsOne) eval(f frame) (any, error) {
	items, err := items(e.over, f)
	if err != nil {
		return nil, err
	}
	var problem error
	count := 0
	for i := range items.size() {
		f.locals[e.place].set(items, i)
		b, err := truth(e.condition, f)
		if err != nil {
			problem = err
		}
		if b {
			count++
		}
	}
	if problem != nil {
		return nil, problem
	}
	return count == 1, nil
}

// collect is map() and filter(). Of several errors of conditions the last is told, as in cel-go.
type collect struct {
	place                  int
	over, condition, value node // no condition: always
}

func (c *collect) eval(f frame) (any, error) {
	items, err := items(c.over, f)
	if err != nil {
		return nil, err
	}
	values := make([]any, 0, items.size())
	var problem error
	for i := range items.size() {
		f.locals[c.place].set(items, i)
		if c.condition != nil {
			b, err := truth(c.condition, f)
			if err != nil {
				problem = err
			}
			if !b {
				continue
			}
		}
		if problem != nil {
			continue
		}
		v, err := c.value.eval(f)
		if err != nil {
			problem = err
			continue
		}
		values = append(values, v)
	}
	if problem != nil {
		return nil, problem
	}
	return values, nil
}

// bind gives a value a name, for optMap(), optFlatMap() and sortBy(). A value that fails does so where the name is used.
type bind struct {
	place       int
	value, body node
}

func (b *bind) eval(f frame) (any, error) {
	v, err := b.value.eval(f)
	f.locals[b.place] = local{value: v, err: err}
	return b.body.eval(f)
}

// The rest are calls of functions by how many arguments they take. All arguments are evaluated, from left to right, and
// the first error is that of the call.

type call0 struct{ fn func() (any, error) }

func (c *call0) eval(frame) (any, error) { return c.fn() }

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
