package expr

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
