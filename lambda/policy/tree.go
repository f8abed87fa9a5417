package policy

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/claimsmith/claimsmith/lambda/internal/expr"
)

// tree is a checked expression in the form in which the functions evaluate it. Types, positions and overloads stay
// behind, and the comprehensions of CEL's macros become the loops that they were written as.
func tree(a *ast.AST) (*expr.Node, error) { return (&trunk{a}).node(a.Expr()) }

type trunk struct{ *ast.AST }

func (t *trunk) node(e ast.Expr) (*expr.Node, error) {
	if r := t.ReferenceMap()[e.ID()]; r != nil && (e.Kind() == ast.IdentKind || e.Kind() == ast.SelectKind) {
		return t.name(e, r)
	}
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e.AsLiteral())
	case ast.IdentKind:
		return variable(e.AsIdent()), nil
	case ast.SelectKind:
		s := e.AsSelect()
		op := expr.OpSelect
		if s.IsTestOnly() {
			op = expr.OpHas
		}
		operand, err := t.node(s.Operand())
		return expr.Call(op, operand, expr.Constant(s.FieldName())), err
	case ast.CallKind:
		call := e.AsCall()
		args := call.Args()
		if call.IsMemberFunction() {
			args = append([]ast.Expr{call.Target()}, args...)
		}
		return t.call(t.function(e, args), args...)
	case ast.ListKind:
		return t.list(e.AsList())
	case ast.MapKind:
		return t.mapping(e.AsMap())
	case ast.ComprehensionKind:
		return t.loop(e.AsComprehension())
	case ast.StructKind:
		return nil, fmt.Errorf("there are no values of type %s", e.AsStruct().TypeName())
	default:
		return nil, fmt.Errorf("an expression of kind %v cannot be evaluated", e.Kind())
	}
}

// name is a name that the type checker knows: of a constant, a type or a variable.
func (t *trunk) name(e ast.Expr, r *ast.ReferenceInfo) (*expr.Node, error) {
	if r.Value != nil {
		return literal(r.Value)
	}
	if is := t.GetType(e.ID()); is.Kind() == types.TypeKind {
		// cel-go does not tell a variable that has a type as its value from the name of a type, and cannot evaluate it.
		if len(is.Parameters()) != 1 || is.Parameters()[0].TypeName() != r.Name {
			return nil, fmt.Errorf("%s cannot be used as a value: it is a type", r.Name)
		}
		return expr.Constant(expr.Type(r.Name)), nil
	}
	return variable(r.Name), nil
}

func variable(name string) *expr.Node { return expr.Call(expr.OpVariable, expr.Constant(name)) }

func literal(v ref.Val) (*expr.Node, error) {
	switch v := v.(type) {
	case types.Null:
		return expr.Constant(nil), nil
	case types.Bool, types.Int, types.Uint, types.Double, types.String, types.Bytes:
		return expr.Constant(v.Value()), nil
	default:
		return nil, fmt.Errorf("a literal of type %s cannot be evaluated", v.Type().TypeName())
	}
}

// function is the name of a called function. Where there are several overloads for so many arguments and the type checker
// has chosen one, cel-go tries no other, even if the type that it was chosen for was a guess. The types keep that.
func (t *trunk) function(call ast.Expr, args []ast.Expr) string {
	name := call.AsCall().FunctionName()
	switch name {
	case "bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint", "reverse",
		"getHours", "getMinutes", "getSeconds", "getMilliseconds", "math.@max", "math.@min", "math.abs", "math.sign", "math.sqrt",
		"math.bitAnd", "math.bitOr", "math.bitXor", "math.bitNot", "math.bitShiftLeft", "math.bitShiftRight":
	default:
		return name
	}
	if r := t.ReferenceMap()[call.ID()]; r == nil || len(r.OverloadIDs) != 1 {
		return name
	}
	chosen := make([]string, len(args))
	for i, arg := range args {
		is := t.GetType(arg.ID())
		chosen[i] = is.TypeName()
		if is.Kind() == types.ListKind && name != "reverse" { // which takes lists of anything
			chosen[i] += "(" + is.Parameters()[0].TypeName() + ")"
		}
	}
	return name + "(" + strings.Join(chosen, ", ") + ")"
}

func (t *trunk) call(op string, args ...ast.Expr) (*expr.Node, error) {
	n := expr.Call(op)
	for _, arg := range args {
		made, err := t.node(arg)
		if err != nil {
			return nil, err
		}
		n.Args = append(n.Args, made)
	}
	return n, nil
}

func (t *trunk) list(l ast.ListExpr) (*expr.Node, error) {
	n, err := t.call(expr.OpList, l.Elements()...)
	if err != nil {
		return nil, err
	}
	for _, i := range l.OptionalIndices() {
		n.Args[i] = expr.Call(expr.OpOptional, n.Args[i])
	}
	return n, nil
}

func (t *trunk) mapping(m ast.MapExpr) (*expr.Node, error) {
	n := expr.Call(expr.OpMap)
	for _, e := range m.Entries() {
		entry := e.AsMapEntry()
		pair, err := t.call("", entry.Key(), entry.Value())
		if err != nil {
			return nil, err
		}
		if entry.IsOptional() {
			pair.Args[1] = expr.Call(expr.OpOptional, pair.Args[1])
		}
		n.Args = append(n.Args, pair.Args...)
	}
	return n, nil
}

// loop tells by its parts which macro a comprehension is of. c.AccuVar is a name that no author can write, but for that
// of a bound value.
func (t *trunk) loop(c ast.ComprehensionExpr) (*expr.Node, error) {
	made := func(op, name string, parts ...ast.Expr) (*expr.Node, error) {
		n, err := t.call(op, parts...)
		if err != nil {
			return nil, err
		}
		n.Args = append([]*expr.Node{expr.Constant(name)}, n.Args...)
		return n, nil
	}
	accumulator := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	isLiteral := func(e ast.Expr, v ref.Val) bool { return e.Kind() == ast.LiteralKind && e.AsLiteral() == v }
	step, init := c.LoopStep(), c.AccuInit()
	switch {
	case c.HasIterVar2():
	case isLiteral(c.LoopCondition(), types.False) && accumulator(step):
		return made(expr.OpBind, c.AccuVar(), init, c.Result())
	case init.Kind() == ast.ListKind:
		condition := ast.NewExprFactory().NewLiteral(0, types.True)
		if args := arguments(step, operators.Conditional); args != nil {
			condition, step = args[0], args[1]
		}
		if args := arguments(step, operators.Add); args != nil && accumulator(args[0]) && args[1].Kind() == ast.ListKind {
			return made(expr.OpCollect, c.IterVar(), c.IterRange(), condition, args[1].AsList().Elements()[0])
		}
	case isLiteral(init, types.IntZero):
		if args := arguments(step, operators.Conditional); args != nil {
			return made(expr.OpExistsOne, c.IterVar(), c.IterRange(), args[0])
		}
	case isLiteral(init, types.False):
		if args := arguments(step, operators.LogicalOr); args != nil && accumulator(args[0]) {
			return made(expr.OpExists, c.IterVar(), c.IterRange(), args[1])
		}
	case isLiteral(init, types.True):
		if args := arguments(step, operators.LogicalAnd); args != nil && accumulator(args[0]) {
			return made(expr.OpAll, c.IterVar(), c.IterRange(), args[1])
		}
	}
	return nil, fmt.Errorf("a loop of no known macro cannot be evaluated")
}

func arguments(e ast.Expr, function string) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != function {
		return nil
	}
	return e.AsCall().Args()
}
