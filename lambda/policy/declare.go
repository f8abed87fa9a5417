package policy

import (
	"fmt"
	"regexp"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

var genericType = regexp.MustCompile(`^(list|map)\((.+)\)$`)

// declaredShape is the shape that a type declares. path names objects; the problem, if any, says what is allowed.
func declaredShape(t Type, path string) (s *contract.Shape, problem string) {
	if t.Fields != nil {
		fields := map[string]*contract.Field{}
		for _, name := range contract.SortedKeys(t.Fields) {
			f, problem := declaredShape(t.Fields[name], contract.Nested(path, name))
			if problem != "" {
				return dynShape, problem
			}
			fields[name] = &contract.Field{Shape: f, Optional: true}
		}
		return objectOf(path, fields), ""
	}
	if s := map[string]*contract.Shape{
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
		return &contract.Shape{Kind: contract.Map, Elem: elem}, ""
	case elem.Kind == contract.List || elem.Kind == contract.Map:
		return dynShape, fmt.Sprintf("type %q is a list of lists or objects, which Cognito documents no way to carry", t.Name)
	default:
		return listOf(elem), ""
	}
}

// mayBe tells whether a value of shape s may turn out to be of another, so that declaring the latter makes sense.
func mayBe(s, declared *contract.Shape) bool {
	numbers := func(k contract.Kind) bool { return k == contract.Int || k == contract.Double }
	objects := func(k contract.Kind) bool { return k == contract.Map || k == contract.Object }
	switch {
	case s.Kind == contract.Any || declared.Kind == contract.Any:
		return true
	case s.Kind == contract.List && declared.Kind == contract.List, s.Kind == contract.Map && declared.Kind == contract.Map:
		return mayBe(s.Elem, declared.Elem)
	case numbers(s.Kind) && numbers(declared.Kind), objects(s.Kind) && objects(declared.Kind):
		return true
	default:
		return s.Kind == declared.Kind
	}
}
