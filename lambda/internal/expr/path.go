package expr

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
	v, state, err := p.resolve(f, p.steps)
	return value(v, state), err
}

func (p *path) evalText(f frame) (string, bool, any, error) {
	last := len(p.steps) - 1
	v, state, err := p.resolve(f, p.steps[:last])
	if err != nil {
		return "", false, nil, err
	}
	step := &p.steps[last]
	if texts, ok := v.(map[string]string); ok && state == plain && step.key == nil && !step.optional {
		text, ok := texts[step.name]
		if !ok {
			err = NoSuchKey
		}
		return text, true, nil, err
	}
	v, state, err = walk(f, p.steps[last:], v, state)
	v = value(v, state)
	text, isText := v.(string)
	return text, isText, v, err
}

// value is what a path comes to as one value.
func value(v any, state found) any {
	switch state {
	case nothing:
		return none
	case optional:
		return some(v)
	default:
		return v
	}
}

// resolve follows the steps, which are those of the path or some of them.
func (p *path) resolve(f frame, steps []step) (any, found, error) {
	v, err := p.root.eval(f)
	if err != nil {
		return nil, plain, err
	}
	state := plain
	if o, ok := v.(*Optional); ok {
		if !o.present {
			return nil, nothing, nil
		}
		v, state = o.value, optional
	}
	return walk(f, steps, v, state)
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
		case Object:
			member, ok := v.Member(s.name)
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
	v, state, err := h.path.resolve(f, h.path.steps)
	if err != nil || state == nothing {
		return false, err
	}
	_, ok, err := h.last.take(f, v)
	return ok, err
}

// orElse is or() and orValue().
type orElse struct {
	optional, other node
	unwrap          bool // orValue()
}

func (o *orElse) eval(f frame) (any, error) {
	if p, ok := o.optional.(*path); ok && o.unwrap {
		switch v, state, err := p.resolve(f, p.steps); {
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
