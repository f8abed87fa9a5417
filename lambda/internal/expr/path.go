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
