package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

var (
	dynShape     = &contract.Shape{Kind: contract.Any}
	stringShape  = &contract.Shape{Kind: contract.String}
	boolShape    = &contract.Shape{Kind: contract.Bool}
	intShape     = &contract.Shape{Kind: contract.Int}
	doubleShape  = &contract.Shape{Kind: contract.Double}
	stringsShape = listOf(stringShape)
)

func listOf(elem *contract.Shape) *contract.Shape {
	return &contract.Shape{Kind: contract.List, Elem: elem}
}

func objectOf(name string, fields map[string]*contract.Field) *contract.Shape {
	return &contract.Shape{Kind: contract.Object, Name: name, Fields: fields}
}

// objectTypeName is the name of an object's CEL type. The blank keeps the checker from taking a path such as claims.roles
// for the name of the type.
func objectTypeName(s *contract.Shape) string { return "object " + s.Name }

// celType is the CEL type of values of that shape.
func celType(s *contract.Shape) *cel.Type {
	switch s.Kind {
	case contract.String:
		return cel.StringType
	case contract.Bool:
		return cel.BoolType
	case contract.Int:
		return cel.IntType
	case contract.Double:
		return cel.DoubleType
	case contract.List:
		return cel.ListType(celType(s.Elem))
	case contract.Map:
		return cel.MapType(cel.StringType, celType(s.Elem))
	case contract.Object:
		return cel.ObjectType(objectTypeName(s))
	default:
		return cel.DynType
	}
}

// literalShape is the shape of a normalised literal. name is the CEL type's when it is an object.
func literalShape(v any, name string) *contract.Shape {
	switch v := v.(type) {
	case string:
		return stringShape
	case bool:
		return boolShape
	case int64:
		return intShape
	case float64:
		return doubleShape
	case []any:
		elem := dynShape
		for i, e := range v {
			if s := literalShape(e, ""); i == 0 {
				elem = s
			} else if s.Kind != elem.Kind {
				return listOf(dynShape)
			}
		}
		return listOf(elem)
	case map[string]any:
		fields := map[string]*contract.Field{}
		for key, e := range v {
			fields[key] = &contract.Field{Shape: literalShape(e, contract.Nested(name, key))}
		}
		return objectOf(name, fields)
	default:
		return dynShape
	}
}

// resultShape is the shape of an expression's result, whether it may be absent (an optional), and, when Cognito cannot
// carry it, why not. Of the objects it may be one of a row.
func resultShape(t *cel.Type, objects map[string]*contract.Shape) (s *contract.Shape, optional bool, refusal string) {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" {
		s, _, refusal = resultShape(t.Parameters()[0], objects)
		return s, true, refusal
	}
	switch t.Kind() {
	case types.StringKind:
		return stringShape, false, ""
	case types.BoolKind:
		return boolShape, false, ""
	case types.IntKind, types.UintKind:
		return intShape, false, ""
	case types.DoubleKind:
		return doubleShape, false, ""
	case types.DynKind, types.TypeParamKind:
		return dynShape, false, ""
	case types.ListKind:
		elem, _, refusal := resultShape(t.Parameters()[0], objects)
		if refusal == "" && slices.Contains([]contract.Kind{contract.List, contract.Map, contract.Object}, elem.Kind) {
			refusal = "a list in a token holds strings, numbers and booleans, no lists or objects"
		}
		return listOf(elem), false, refusal
	case types.MapKind:
		key, value := t.Parameters()[0], t.Parameters()[1]
		if k := key.Kind(); k != types.StringKind && k != types.DynKind && k != types.TypeParamKind {
			return dynShape, false, "the keys of an object in a token are strings"
		}
		elem, _, refusal := resultShape(value, objects)
		return &contract.Shape{Kind: contract.Map, Elem: elem}, false, refusal
	case types.StructKind:
		if row := objects[t.TypeName()]; row != nil {
			return row, false, ""
		}
		fallthrough
	default:
		return dynShape, false, "a token carries strings, numbers, booleans, lists of those, and objects"
	}
}

// provider tells CEL's type checker about objects: those of the environments and those of the claims.
type provider struct {
	*types.Registry
	objects map[string]*contract.Shape
}

// add makes an object and those nested in it known by their names.
func (p *provider) add(s *contract.Shape) {
	switch s.Kind {
	case contract.Object:
		p.objects[objectTypeName(s)] = s
		for _, f := range s.Fields {
			p.add(f.Shape)
		}
	case contract.List, contract.Map:
		p.add(s.Elem)
	}
}

func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if o := p.objects[name]; o != nil {
		return types.NewTypeTypeWithParam(celType(o)), true
	}
	return p.Registry.FindStructType(name)
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if o := p.objects[name]; o != nil {
		return contract.SortedKeys(o.Fields), true
	}
	return p.Registry.FindStructFieldNames(name)
}

func (p *provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	o := p.objects[name]
	if o == nil {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f := o.Fields[fieldName]
	if f == nil {
		return nil, false
	}
	return &types.FieldType{Type: celType(f.Shape)}, true
}

// fieldAt follows a path of names through objects and maps; nil where it leads nowhere.
func fieldAt(s *contract.Shape, names []string) *contract.Field {
	f := &contract.Field{Shape: s}
	for _, name := range names {
		switch f.Kind {
		case contract.Object:
			if f = f.Fields[name]; f == nil {
				return nil
			}
		case contract.Map:
			f = &contract.Field{Shape: f.Elem, Optional: true}
		default:
			return nil
		}
	}
	return f
}

// dotted is a path of names as a rule would write it.
func dotted(root string, names []string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, name := range names {
		if contract.IsIdentifier(name) {
			b.WriteString("." + name)
		} else {
			fmt.Fprintf(&b, "[%q]", name)
		}
	}
	return b.String()
}
