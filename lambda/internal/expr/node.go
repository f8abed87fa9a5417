package expr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Node is a node of a checked expression's tree: a constant, or an operation on what other nodes come to.
//
// As JSON a node looks like what it is. Texts, whole numbers, true, false and null are constants; an array is an
// operation, its name first: ["_==_", ["#get", ["#var", "claims"], "tier"], 3] is claims.tier == 3. Constants that JSON
// has no form of its own for are arrays as well: ["#uint", "1"], ["#double", "0.5"], ["#bytes", "YQ=="] and
// ["#type", "int"]. Every constant comes back exactly as it was.
type Node struct {
	Op    string  // a function of CEL by CEL's name for it, or one of the operations below; "" for a constant
	Args  []*Node // a member function's target is the first
	Value any     // of a constant: nil, bool, int64, uint64, float64, string, []byte or Type
}

// The operations that are no functions of CEL. A name is a constant text.
const (
	OpVariable  = "#var"       // name
	OpSelect    = "#get"       // operand, name
	OpHas       = "#has"       // operand, name
	OpList      = "#list"      // elements
	OpMap       = "#map"       // key, value, key, value, …
	OpOptional  = "#optional"  // an element of a list or a value of a map that is there if the optional has a value
	OpAll       = "#all"       // name of the loop's variable, range, condition
	OpExists    = "#exists"    // name, range, condition
	OpExistsOne = "#existsOne" // name, range, condition
	OpCollect   = "#collect"   // name, range, condition, value: the list of the values where the condition holds
	OpBind      = "#bind"      // name, value, expression that knows the value by the name
)

const (
	uintConstant   = "#uint"
	doubleConstant = "#double"
	bytesConstant  = "#bytes"
	typeConstant   = "#type"
)

// maxDepth is more than cel-go's parser lets through, and keeps a damaged file from exhausting the stack.
const maxDepth = 1000

// Constant is the node of a constant.
func Constant(v any) *Node { return &Node{Value: v} }

// Call is the node of an operation.
func Call(op string, args ...*Node) *Node { return &Node{Op: op, Args: args} }

// MarshalJSON implements [json.Marshaler]. What it is part of had better be encoded without escapes for HTML, as
// [json.Encoder.SetEscapeHTML] says: many operators are made of <, > and &, and are read faster without.
func (n *Node) MarshalJSON() ([]byte, error) { return n.appendJSON(nil, maxDepth) }

func (n *Node) appendJSON(b []byte, depth int) ([]byte, error) {
	switch {
	case n == nil:
		return nil, errors.New("expr: a node is missing")
	case depth == 0:
		return nil, errors.New("expr: the tree is too deep")
	case n.Op == "":
		return appendConstant(b, n.Value)
	}
	b = append(b, '[')
	b, err := appendText(b, n.Op)
	for _, arg := range n.Args {
		if err == nil {
			b, err = arg.appendJSON(append(b, ','), depth-1)
		}
	}
	return append(b, ']'), err
}

func appendConstant(b []byte, v any) ([]byte, error) {
	tagged := func(tag, text string) ([]byte, error) {
		b, err := appendText(append(b, `["`+tag+`",`...), text)
		return append(b, ']'), err
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case string:
		return appendText(b, v)
	case uint64:
		return tagged(uintConstant, strconv.FormatUint(v, 10))
	case float64:
		return tagged(doubleConstant, strconv.FormatFloat(v, 'g', -1, 64))
	case []byte:
		return tagged(bytesConstant, base64.StdEncoding.EncodeToString(v))
	case Type:
		return tagged(typeConstant, string(v))
	}
	return nil, fmt.Errorf("expr: no constant can be a %T", v)
}

func appendText(b []byte, text string) ([]byte, error) {
	out := bytes.NewBuffer(b)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// UnmarshalJSON implements [json.Unmarshaler]. What comes out has the form of a tree; whether it is one that can be
// evaluated is for [New] to say.
func (n *Node) UnmarshalJSON(data []byte) error {
	r := reader{data: data}
	parsed, err := r.node(maxDepth)
	if err != nil {
		return err
	}
	if r.next() != 0 {
		return r.unexpected()
	}
	*n = *parsed
	return nil
}

// reader reads nodes in a tenth of the time that reflection takes, which counts when a function starts.
type reader struct {
	data []byte
	at   int
}

// next is the next character that is no space, 0 at the end.
func (r *reader) next() byte {
	for ; r.at < len(r.data); r.at++ {
		if c := r.data[r.at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

func (r *reader) unexpected() error {
	return fmt.Errorf("expr: not a tree: byte %d is unexpected", r.at)
}

func (r *reader) node(depth int) (*Node, error) {
	switch c := r.next(); {
	case c == '[' && depth > 0:
		return r.operation(depth)
	case c == '"':
		text, err := r.text()
		return &Node{Value: text}, err
	case c == '-' || '0' <= c && c <= '9':
		start := r.at
		for r.at++; r.at < len(r.data) && '0' <= r.data[r.at] && r.data[r.at] <= '9'; r.at++ {
		}
		i, err := strconv.ParseInt(string(r.data[start:r.at]), 10, 64)
		if err != nil {
			return nil, r.unexpected()
		}
		return &Node{Value: i}, nil
	}
	for _, word := range []struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if bytes.HasPrefix(r.data[r.at:], []byte(word.text)) {
			r.at += len(word.text)
			return &Node{Value: word.value}, nil
		}
	}
	return nil, r.unexpected()
}

func (r *reader) operation(depth int) (*Node, error) {
	r.at++ // the bracket
	if r.next() != '"' {
		return nil, r.unexpected()
	}
	op, err := r.text()
	if err != nil || op == "" {
		return nil, r.unexpected()
	}
	n := &Node{Op: op}
	for r.next() == ',' {
		r.at++
		arg, err := r.node(depth - 1)
		if err != nil {
			return nil, err
		}
		n.Args = append(n.Args, arg)
	}
	if r.next() != ']' {
		return nil, r.unexpected()
	}
	r.at++
	if slices.Contains([]string{uintConstant, doubleConstant, bytesConstant, typeConstant}, op) {
		if n.Value, err = n.taggedConstant(); err != nil {
			return nil, err
		}
		n.Op, n.Args = "", nil
	}
	return n, nil
}

func (n *Node) taggedConstant() (any, error) {
	if len(n.Args) == 1 {
		if text, ok := n.Args[0].text(); ok {
			switch n.Op {
			case uintConstant:
				if u, err := strconv.ParseUint(text, 10, 64); err == nil {
					return u, nil
				}
			case doubleConstant:
				if f, err := strconv.ParseFloat(text, 64); err == nil {
					return f, nil
				}
			case bytesConstant:
				if b, err := base64.StdEncoding.DecodeString(text); err == nil {
					return b, nil
				}
			case typeConstant:
				return Type(text), nil
			}
		}
	}
	return nil, errors.New("expr: not a constant: " + n.Op)
}

// text is the constant text that the node is.
func (n *Node) text() (string, bool) {
	if n == nil || n.Op != "" {
		return "", false
	}
	text, ok := n.Value.(string)
	return text, ok
}

func (r *reader) text() (string, error) {
	start, escaped := r.at, false
	for r.at++; r.at < len(r.data) && r.data[r.at] != '"'; r.at++ {
		if r.data[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	if r.at >= len(r.data) {
		return "", r.unexpected()
	}
	r.at++ // the closing quote
	quoted := r.data[start:r.at]
	if !escaped {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return "", r.unexpected()
	}
	return text, nil
}
