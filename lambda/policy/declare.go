package policy

import (
	"fmt"
	"regexp"
)

var genericType = regexp.MustCompile(`^(list|map)\((.+)\)$`)

// declaredShape is the shape that a type declares. path names objects; the problem, if any, says what is allowed.
func declaredShape(t Type, path string) (s *shape, problem string) {
	if t.Fields != nil {
		fields := map[string]*field{}
		for _, name := range sortedKeys(t.Fields) {
			f, problem := declaredShape(t.Fields[name], nested(path, name))
			if problem != "" {
				return dynShape, problem
			}
			fields[name] = &field{shape: f, optional: true}
		}
		return objectOf(path, fields), ""
	}
	if s := map[string]*shape{
		"string": stringShape, "bool": boolShape, "int": intShape, "double": doubleShape, "any": dynShape,
	}[t.Name]; s != nil {
		return s, ""
	}
	m := genericType.FindStringSubmatch(t.Name)
	if m == nil {
		return dynShape, fmt.Sprintf("type %q is unknown%s; allowed are string, bool, int, double, any, list(T), map(T) and a mapping of fields to types",
			t.Name, DidYouMean(t.Name, []string{"string", "bool", "int", "double", "any"}))
	}
	elem, problem := declaredShape(Type{Name: m[2]}, path)
	switch {
	case problem != "":
		return dynShape, problem
	case m[1] == "map":
		return &shape{kind: mapKind, elem: elem}, ""
	case elem.kind == listKind || elem.kind == mapKind:
		return dynShape, fmt.Sprintf("type %q is a list of lists or objects, which Cognito documents no way to carry", t.Name)
	default:
		return listOf(elem), ""
	}
}

// mayBe tells whether a value of one shape may turn out to be of another, so that declaring the latter makes sense.
func (s *shape) mayBe(declared *shape) bool {
	numbers := func(k kind) bool { return k == intKind || k == doubleKind }
	objects := func(k kind) bool { return k == mapKind || k == objectKind }
	switch {
	case s.kind == dynKind || declared.kind == dynKind:
		return true
	case s.kind == listKind && declared.kind == listKind, s.kind == mapKind && declared.kind == mapKind:
		return s.elem.mayBe(declared.elem)
	case numbers(s.kind) && numbers(declared.kind), objects(s.kind) && objects(declared.kind):
		return true
	default:
		return s.kind == declared.kind
	}
}
