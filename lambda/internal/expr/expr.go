// Package expr evaluates CEL expressions that cel-go has parsed, type-checked and bounded in cost. It is what the
// functions need of CEL at run time, in a small part of the time, the memory and the code that cel-go takes to start.
//
// It knows the language of package policy: CEL's standard library, optional types and the extensions for strings, lists,
// sets and math. It comes to the results that cel-go comes to, which tests in package policy compare, except:
//   - Loops visit the keys of a map in order, so that equal environments give equal results. cel-go's order is random.
//   - Bytes, lists, maps and optionals cannot be keys of a map that an expression makes. cel-go panics at bytes, and takes
//     the others for keys that nothing finds.
//   - Bytes are in no list of constant texts, numbers and booleans, and are no key of any map. To look for them there is at
//     times an internal error of cel-go's.
//   - has() is a bool wherever it stands, and matches() takes nothing but text. cel-go looks into optionals and the names
//     of types there when their static types are not known.
//
// Values are nil, bool, int64, uint64, float64, string, []byte, [time.Time], [time.Duration], [Type], *[Optional], lists
// ([]any, []string) and maps (map[string]any, map[string]string, and map[any]any if a key is no text). What comes out may
// share memory with what went in and with the expression: it must not be changed.
package expr

import "fmt"

// Error is the kind of a failed evaluation. It never holds a value.
type Error string

// Error implements error.
func (e Error) Error() string { return string(e) }

// The kinds of failure.
const (
	NoSuchKey      Error = "no such key"
	NoSuchOverload Error = "no such overload"
	OutOfBounds    Error = "index out of bounds"
	DivisionByZero Error = "division by zero"
	ModulusByZero  Error = "modulus by zero"
	Overflow       Error = "integer overflow"
	NoValue        Error = "optional.none() dereference"
	NotConverted   Error = "a value could not be converted" // everything else
)

// Variables are the top-level variables of an expression.
type Variables interface {
	// Variable is the value of a variable. It holds, deeply, only nil, bool, int64, float64, string, []string, []any,
	// map[string]string and map[string]any. The variable itself may be an [Object].
	Variable(name string) any
}

// Object is a variable of which an expression reads nothing but single members, by name. It is no value: an expression that
// does anything else with it fails.
type Object interface {
	// Member is the value of a member, as [Variables.Variable], and whether there is one.
	Member(name string) (v any, ok bool)
}

// Map is variables by their names.
type Map map[string]any

// Variable implements [Variables].
func (m Map) Variable(name string) any { return m[name] }

// Expression is a tree that is ready for evaluation. It may be used by several goroutines at once.
type Expression struct {
	root   node
	locals int
}

// New prepares a tree. The error says which operation is not known or has the wrong arguments.
func New(n *Node) (*Expression, error) {
	var b builder
	root, err := b.node(n)
	if err != nil {
		return nil, err
	}
	return &Expression{root: root, locals: b.locals}, nil
}

// Eval evaluates the expression. The error is an [Error].
func (e *Expression) Eval(vars Variables) (v any, err error) {
	defer func() {
		if recover() != nil { // a mistake of ours must not end the process in which others sign in
			err = NotConverted
		}
		if err != nil {
			v = nil
		}
	}()
	f := frame{vars: vars}
	if e.locals > 0 {
		f.locals = make([]local, e.locals)
	}
	return e.root.eval(f)
}

// builder makes nodes of a tree.
type builder struct {
	scope  []string // the loop variables that are known here, by their places among the locals
	locals int      // how many places are needed
	depth  int
}

func (b *builder) node(n *Node) (node, error) {
	if b.depth++; b.depth > maxDepth {
		return nil, fmt.Errorf("expr: the tree is too deep")
	}
	defer func() { b.depth-- }()
	switch {
	case n == nil:
		return nil, fmt.Errorf("expr: a node is missing")
	case n.Op == "" && len(n.Args) == 0:
		return newConstant(n.Value)
	}
	switch n.Op {
	case OpVariable:
		return b.variable(n)
	case OpSelect, OpHas, "_?._":
		return b.selection(n)
	case "_[_]", "_[?_]":
		return b.index(n)
	case OpList:
		return b.list(n)
	case OpMap:
		return b.mapping(n)
	case OpAll, OpExists, OpExistsOne:
		return b.quantifier(n)
	case OpCollect:
		return b.collect(n)
	case OpBind:
		return b.bind(n)
	}
	args, err := b.nodes(n.Args)
	if err != nil {
		return nil, err
	}
	if made := operator(n, args); made != nil {
		return made, nil
	}
	if made := function(n.Op, args); made != nil {
		return made, nil
	}
	return nil, fmt.Errorf("expr: no operation %q with %d arguments is known", n.Op, len(args))
}

func (b *builder) nodes(args []*Node) ([]node, error) {
	made := make([]node, len(args))
	for i, arg := range args {
		var err error
		if made[i], err = b.node(arg); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func malformed(n *Node) error {
	return fmt.Errorf("expr: operation %q has the wrong arguments", n.Op)
}

func newConstant(v any) (node, error) {
	switch v := v.(type) {
	case string:
		return &constant{value: v, text: v, isText: true}, nil
	case nil, bool, int64, uint64, float64, []byte, Type:
		return &constant{value: v}, nil
	default:
		return nil, fmt.Errorf("expr: no constant can be a %T", v)
	}
}

// variable is one of a loop, if it has that name, or a top-level one. A leading dot is for a top-level one that a loop's
// variable hides.
func (b *builder) variable(n *Node) (node, error) {
	if len(n.Args) != 1 {
		return nil, malformed(n)
	}
	name, ok := n.Args[0].text()
	if !ok || name == "" {
		return nil, malformed(n)
	}
	for place := len(b.scope) - 1; place >= 0; place-- {
		if b.scope[place] == name {
			return &loopVariable{place: place}, nil
		}
	}
	if name[0] == '.' {
		name = name[1:]
	}
	return &variable{name: name}, nil
}

func (b *builder) selection(n *Node) (node, error) {
	if len(n.Args) != 2 {
		return nil, malformed(n)
	}
	name, ok := n.Args[1].text()
	if !ok {
		return nil, malformed(n)
	}
	operand, err := b.node(n.Args[0])
	if err != nil {
		return nil, err
	}
	made := follow(operand, step{name: name, optional: n.Op == "_?._"})
	if n.Op == OpHas {
		made = presence(made)
	}
	return made, nil
}

func (b *builder) index(n *Node) (node, error) {
	args, err := b.nodes(n.Args)
	if err != nil {
		return nil, err
	}
	if len(args) != 2 {
		return nil, malformed(n)
	}
	s := step{key: args[1], optional: n.Op == "_[?_]"}
	if key, ok := s.key.(*constant); ok && key.isText {
		s.name, s.key = key.text, nil
	}
	return follow(args[0], s), nil
}

// follow is the operand with a step more. A step from either branch of a conditional is one from the branch, as in
// cel-go, where it makes a difference whether an optional is what a path begins with or comes up on it.
func follow(operand node, s step) node {
	switch operand := operand.(type) {
	case *path:
		operand.steps = append(operand.steps, s)
		return operand
	case *conditional:
		operand.yes, operand.no = follow(operand.yes, s), follow(operand.no, s)
		return operand
	}
	return &path{root: operand, steps: []step{s}}
}

// presence asks for the last step of a path instead of taking it.
func presence(n node) node {
	switch n := n.(type) {
	case *path:
		last := len(n.steps) - 1
		return &has{path: path{root: n.root, steps: n.steps[:last]}, last: n.steps[last]}
	case *conditional:
		n.yes, n.no = presence(n.yes), presence(n.no)
	}
	return n
}

func (b *builder) list(n *Node) (node, error) {
	made := &listLiteral{elements: make([]element, len(n.Args))}
	constants := true
	for i, arg := range n.Args {
		e, err := b.element(arg)
		if err != nil {
			return nil, err
		}
		made.elements[i] = e
		constants = constants && e.isConstant()
	}
	return folded(made, constants), nil
}

func (b *builder) mapping(n *Node) (node, error) {
	if len(n.Args)%2 != 0 {
		return nil, malformed(n)
	}
	made := &mapLiteral{}
	constants := true
	for i := 0; i < len(n.Args); i += 2 {
		key, err := b.node(n.Args[i])
		if err != nil {
			return nil, err
		}
		value, err := b.element(n.Args[i+1])
		if err != nil {
			return nil, err
		}
		made.keys, made.values = append(made.keys, key), append(made.values, value)
		constants = constants && isConstant(key) && value.isConstant()
	}
	return folded(made, constants), nil
}

func (b *builder) element(n *Node) (element, error) {
	optional := n != nil && n.Op == OpOptional
	if optional {
		if len(n.Args) != 1 {
			return element{}, malformed(n)
		}
		n = n.Args[0]
	}
	made, err := b.node(n)
	return element{node: made, optional: optional}, err
}

func isConstant(n node) bool {
	_, ok := n.(*constant)
	return ok
}

// folded is what a node of constants comes to. One that fails does so at each evaluation.
func folded(n node, constants bool) node {
	if !constants {
		return n
	}
	v, err := n.eval(frame{})
	if err != nil {
		return n
	}
	text, isText := v.(string)
	return &constant{value: v, text: text, isText: isText}
}

// loop makes what is common to loops: the range, and the nodes inside of it, which know its variable.
func (b *builder) loop(n *Node, args int) (place int, over node, inside []node, err error) {
	if len(n.Args) != args {
		return 0, nil, nil, malformed(n)
	}
	name, ok := n.Args[0].text()
	if !ok {
		return 0, nil, nil, malformed(n)
	}
	if over, err = b.node(n.Args[1]); err != nil {
		return 0, nil, nil, err
	}
	place = len(b.scope)
	b.scope = append(b.scope, name)
	b.locals = max(b.locals, len(b.scope))
	inside, err = b.nodes(n.Args[2:])
	b.scope = b.scope[:place]
	return place, over, inside, err
}

func (b *builder) quantifier(n *Node) (node, error) {
	place, over, inside, err := b.loop(n, 3)
	if err != nil {
		return nil, err
	}
	if n.Op == OpExistsOne {
		return &existsOne{place: place, over: over, condition: inside[0]}, nil
	}
	return &quantifier{place: place, over: over, condition: inside[0], decides: n.Op == OpExists}, nil
}

func (b *builder) collect(n *Node) (node, error) {
	place, over, inside, err := b.loop(n, 4)
	if err != nil {
		return nil, err
	}
	made := &collect{place: place, over: over, value: inside[1]}
	if always, ok := inside[0].(*constant); !ok || always.value != true {
		made.condition = inside[0]
	}
	return made, nil
}

func (b *builder) bind(n *Node) (node, error) {
	place, value, inside, err := b.loop(n, 3)
	if err != nil {
		return nil, err
	}
	return &bind{place: place, value: value, body: inside[0]}, nil
}
