package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// shape is the type of a claim in a token: what minting yields and what rules are checked against. Closing the loop
// between the two is all that it is for.
type shape struct {
	kind   kind
	elem   *shape            // of lists and maps
	fields map[string]*field // of objects
	name   string            // of objects: the name of the CEL type
}

type field struct {
	*shape
	optional bool // may be absent from the token
}

type kind int

const (
	dynKind kind = iota
	stringKind
	boolKind
	intKind
	doubleKind
	listKind
	mapKind    // any string keys, all values of one shape
	objectKind // known keys
)

var (
	dynShape     = &shape{kind: dynKind}
	stringShape  = &shape{kind: stringKind}
	boolShape    = &shape{kind: boolKind}
	intShape     = &shape{kind: intKind}
	doubleShape  = &shape{kind: doubleKind}
	stringsShape = listOf(stringShape)
)

func listOf(elem *shape) *shape { return &shape{kind: listKind, elem: elem} }

func objectOf(name string, fields map[string]*field) *shape {
	return &shape{kind: objectKind, name: name, fields: fields}
}

func (s *shape) String() string {
	switch s.kind {
	case stringKind:
		return "string"
	case boolKind:
		return "bool"
	case intKind:
		return "int"
	case doubleKind:
		return "double"
	case listKind:
		return "list(" + s.elem.String() + ")"
	case mapKind:
		return "map(string, " + s.elem.String() + ")"
	case objectKind:
		return "object"
	default:
		return "any"
	}
}

// typeName is the name of an object's CEL type. The blank keeps the checker from taking a path such as claims.roles for
// the name of the type.
func (s *shape) typeName() string { return "object " + s.name }

func (s *shape) celType() *cel.Type {
	switch s.kind {
	case stringKind:
		return cel.StringType
	case boolKind:
		return cel.BoolType
	case intKind:
		return cel.IntType
	case doubleKind:
		return cel.DoubleType
	case listKind:
		return cel.ListType(s.elem.celType())
	case mapKind:
		return cel.MapType(cel.StringType, s.elem.celType())
	case objectKind:
		return cel.ObjectType(s.typeName())
	default:
		return cel.DynType
	}
}

// literalShape is the shape of a normalised literal. name is the CEL type's when it is an object.
func literalShape(v any, name string) *shape {
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
			} else if s.kind != elem.kind {
				return listOf(dynShape)
			}
		}
		return listOf(elem)
	case map[string]any:
		fields := map[string]*field{}
		for key, e := range v {
			fields[key] = &field{shape: literalShape(e, nested(name, key))}
		}
		return objectOf(name, fields)
	default:
		return dynShape
	}
}

// resultShape is the shape of an expression's result, whether it may be absent (an optional), and, when Cognito cannot
// carry it, why not. Of the objects it may be one of a row.
func resultShape(t *cel.Type, objects map[string]*shape) (s *shape, optional bool, refusal string) {
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
		if refusal == "" && slices.Contains([]kind{listKind, mapKind, objectKind}, elem.kind) {
			refusal = "a list in a token holds strings, numbers and booleans, no lists or objects"
		}
		return listOf(elem), false, refusal
	case types.MapKind:
		key, value := t.Parameters()[0], t.Parameters()[1]
		if k := key.Kind(); k != types.StringKind && k != types.DynKind && k != types.TypeParamKind {
			return dynShape, false, "the keys of an object in a token are strings"
		}
		elem, _, refusal := resultShape(value, objects)
		return &shape{kind: mapKind, elem: elem}, false, refusal
	case types.StructKind:
		if row := objects[t.TypeName()]; row != nil {
			return row, false, ""
		}
		fallthrough
	default:
		return dynShape, false, "a token carries strings, numbers, booleans, lists of those, and objects"
	}
}

// mismatch says that a value is not of the shape that the policy declares or mints.
type mismatch struct{ path, want string }

func (m *mismatch) message() string { return fmt.Sprintf("%s is no %s", m.path, m.want) }

// below is the mismatch as seen from the value that holds the value at fault. The path is made only when it is needed.
func (m *mismatch) below(path string) *mismatch {
	m.path = path + m.path
	return m
}

// decode turns a JSON value into the value that rules see: integers where the shape says int and doubles where it says
// double, however the number was written. It refuses what is of another shape, so that a string is never taken for a
// list, nor a list for a string. The path of a mismatch begins at the value.
func (s *shape) decode(v any) (any, *mismatch) {
	switch s.kind {
	case stringKind:
		if _, ok := v.(string); ok {
			return v, nil
		}
	case boolKind:
		if _, ok := v.(bool); ok {
			return v, nil
		}
	case intKind:
		if n, ok := number(v); ok {
			if i, ok := integer(n); ok {
				return i, nil
			}
		}
	case doubleKind:
		if n, ok := number(v); ok {
			if f, err := n.Float64(); err == nil {
				return f, nil
			}
		}
	case listKind:
		return s.decodeList(v)
	case mapKind, objectKind:
		if object, ok := v.(map[string]any); ok {
			return s.decodeObject(object)
		}
	default:
		return decodeAny(v), nil
	}
	return nil, &mismatch{want: s.String()}
}

func (s *shape) decodeList(v any) (any, *mismatch) {
	if _, ok := v.([]string); ok && s.elem.kind == stringKind {
		return v, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, &mismatch{want: s.String()}
	}
	decoded := make([]any, len(list))
	for i, e := range list {
		var bad *mismatch
		if decoded[i], bad = s.elem.decode(e); bad != nil {
			return nil, bad.below(item("", i))
		}
	}
	return decoded, nil
}

func (s *shape) decodeObject(object map[string]any) (any, *mismatch) {
	decoded := make(map[string]any, len(object))
	for key, e := range object {
		elem := s.elem
		if s.kind == objectKind {
			f := s.fields[key]
			if f == nil {
				continue // not part of the contract, so no rule can read it
			}
			elem = f.shape
		}
		var bad *mismatch
		if decoded[key], bad = elem.decode(e); bad == nil {
			continue
		}
		if s.kind == mapKind {
			return nil, bad.below("[…]") // the keys of a map are data, which is not to be told
		}
		return nil, bad.below(strings.TrimPrefix(nested("_", key), "_"))
	}
	return decoded, nil
}

// decodeAny decodes a value of unknown shape: a number is an int when it is whole.
func decodeAny(v any) any {
	if n, ok := number(v); ok {
		if i, ok := integer(n); ok {
			return i
		}
		f, _ := n.Float64()
		return f
	}
	switch v := v.(type) {
	case []any:
		decoded := make([]any, len(v))
		for i, e := range v {
			decoded[i] = decodeAny(e)
		}
		return decoded
	case map[string]any:
		decoded := make(map[string]any, len(v))
		for key, e := range v {
			decoded[key] = decodeAny(e)
		}
		return decoded
	default:
		return v
	}
}

// number accepts the forms that a JSON number takes in Go. [json.Number] is the one that keeps every digit.
func number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case int:
		return json.Number(strconv.Itoa(v)), true
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64)), true
	}
	return "", false
}

// integer is the int64 that a JSON number stands for, be it written 2, 2.0 or 2e0.
func integer(n json.Number) (int64, bool) {
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// provider tells CEL's type checker about objects: those of the environments and those of the claims.
type provider struct {
	*types.Registry
	objects map[string]*shape
}

// add makes an object and those nested in it known by their names.
func (p *provider) add(s *shape) {
	switch s.kind {
	case objectKind:
		p.objects[s.typeName()] = s
		for _, f := range s.fields {
			p.add(f.shape)
		}
	case listKind, mapKind:
		p.add(s.elem)
	}
}

func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if o := p.objects[name]; o != nil {
		return types.NewTypeTypeWithParam(o.celType()), true
	}
	return p.Registry.FindStructType(name)
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if o := p.objects[name]; o != nil {
		return sortedKeys(o.fields), true
	}
	return p.Registry.FindStructFieldNames(name)
}

func (p *provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	o := p.objects[name]
	if o == nil {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f := o.fields[fieldName]
	if f == nil {
		return nil, false
	}
	return &types.FieldType{Type: f.celType()}, true
}

// at follows a path of names through objects and maps; nil where it leads nowhere.
func (s *shape) at(names []string) *field {
	f := &field{shape: s}
	for _, name := range names {
		switch f.kind {
		case objectKind:
			if f = f.fields[name]; f == nil {
				return nil
			}
		case mapKind:
			f = &field{shape: f.elem, optional: true}
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
		if isIdentifier(name) {
			b.WriteString("." + name)
		} else {
			fmt.Fprintf(&b, "[%q]", name)
		}
	}
	return b.String()
}
