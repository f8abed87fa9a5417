package policy

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Functions of CEL's optional syntax: a.?b and a[?b].
const (
	optionalSelect = "_?._"
	optionalIndex  = "_[?_]"
)

// language is a CEL environment and the shapes of the names in it.
type language struct {
	env  *cel.Env
	vars variables
}

func (c *compiler) language(vars variables) *language {
	env, err := vars.environment()
	if err != nil {
		panic("internal error: the CEL environment: " + err.Error())
	}
	return &language{env: env, vars: vars}
}

// rows are the objects that a token can carry as they are: rows of tables and what is in them, by the names of their
// types. In the other objects of the environment are things that no token needs.
func (l *language) rows() map[string]*contract.Shape {
	p := provider{objects: map[string]*contract.Shape{}}
	if lookup := l.vars["lookup"]; lookup != nil {
		for _, f := range lookup.Fields {
			p.add(f.Shape)
		}
	}
	return p.objects
}

// expression is a compiled CEL expression.
type expression struct {
	text     string
	prepared *contract.Expression
	ast      *ast.AST
	result   *cel.Type
	reads    []read
}

func (e *expression) isBool() bool { return e.result.Kind() == types.BoolKind }

// read is one place where an expression reads its environment, such as request.headers["x-tenant"].
type read struct {
	names        []string // the path, beginning with the variable
	presence     bool     // copes with an absent value: has(), .? or [?]
	always       bool     // read at each evaluation, so that an absent value always fails the expression
	line, column int      // in the expression, from 1
}

// expression parses, checks and prepares an expression. It returns nil after a problem.
func (c *compiler) expression(l *language, path, text string) *expression {
	parsed, issues := l.env.Parse(text)
	if issues.Err() != nil {
		c.report(l, path, text, nil, issues.Errors())
		return nil
	}
	l.nameFields(parsed.NativeRep())
	checked, issues := l.env.Check(parsed)
	if issues.Err() != nil && mixNumbers(parsed.NativeRep(), issues.Errors()) {
		checked, issues = l.env.Check(parsed)
	}
	if issues.Err() != nil {
		c.report(l, path, text, parsed.NativeRep(), issues.Errors())
		return nil
	}
	if estimate, err := l.env.EstimateCost(checked, sizes{}); err != nil {
		c.fail(path, "the cost of the expression cannot be estimated: %v", err)
		return nil
	} else if estimate.Max == math.MaxUint64 {
		c.fail(path, "the cost of the expression cannot be bounded: avoid loops over what functions make")
		return nil
	} else if estimate.Max > maxExpressionCost {
		c.fail(path, "the expression may cost %d steps; at most %d are allowed: avoid loops inside loops and repeated text operations",
			estimate.Max, maxExpressionCost)
		return nil
	}
	e, err := l.prepare(text, checked.NativeRep())
	if err != nil {
		c.fail(path, "cannot be evaluated: %s", firstLine(err.Error()))
		return nil
	}
	return e
}

// prepare makes a checked expression executable.
func (l *language) prepare(text string, checked *ast.AST) (*expression, error) {
	t, err := tree(checked)
	if err != nil {
		return nil, err
	}
	// Of the constants in it cel-go refuses those that would fail at each evaluation, such as patterns that are none.
	if _, err := l.plan(checked); err != nil {
		return nil, err
	}
	prepared, err := contract.NewExpression(t)
	if err != nil {
		return nil, err
	}
	return &expression{text: text, prepared: prepared, ast: checked, result: checked.GetType(checked.Expr().ID()), reads: l.reads(checked)}, nil
}

// plan makes a checked expression executable by cel-go.
func (l *language) plan(checked *ast.AST) (program cel.Program, err error) {
	defer func() {
		if recover() != nil { // cel-go panics at some constants, such as {b'a': 1}
			err = errors.New("a constant in it is not allowed there")
		}
	}()
	return l.env.PlanProgram(checked, cel.EvalOptions(cel.OptOptimize))
}

// nameFields turns claims["a.b"] into the selection of the field named a.b, so that any claim name can be read and the
// type checker sees it. CEL itself has no index on objects.
func (l *language) nameFields(a *ast.AST) {
	factory := ast.NewExprFactory()
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		f := call.FunctionName()
		if f != operators.Index && f != optionalIndex {
			return
		}
		name, literal := stringLiteral(call.Args()[1])
		chain := l.chain(call.Args()[0], nil)
		if !literal || chain == nil {
			return
		}
		if operand := fieldAt(l.vars[chain.names[0]], chain.names[1:]); operand == nil || operand.Kind != contract.Object {
			return
		}
		if f == operators.Index {
			e.SetKindCase(factory.NewSelect(e.ID(), call.Args()[0], name))
		} else {
			e.SetKindCase(factory.NewCall(e.ID(), optionalSelect, call.Args()...))
		}
	}))
}

var mixedNumbers = regexp.MustCompile(`^found no matching overload for '(?:_(?:==|!=)_' applied to '\((?:int|uint|double), (?:int|uint|double)\)'|@in' applied to '\((?:int|uint|double), list\((?:int|uint|double)\)\)')$`)

// mixNumbers makes comparisons of integers with floats, which the type checker refuses, compare by value: 2 is 2.0. It
// reports whether these were all that the checker complained of.
func mixNumbers(a *ast.AST, errs []*common.Error) bool {
	ids := map[int64]bool{}
	for _, err := range errs {
		if !mixedNumbers.MatchString(firstLine(err.Message)) {
			return false
		}
		ids[err.ExprID] = true
	}
	factory, next := ast.NewExprFactory(), ast.MaxID(a)
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if !ids[e.ID()] || e.Kind() != ast.CallKind {
			return
		}
		args := slices.Clone(e.AsCall().Args())
		args[0] = factory.NewCall(next, overloads.TypeConvertDyn, args[0])
		next++
		e.SetKindCase(factory.NewCall(e.ID(), e.AsCall().FunctionName(), args...))
	}))
	return true
}

func stringLiteral(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// chain follows selections and literal indexes down to a variable. nil means that the expression is something else.
// bound are the loop variables that hide variables here.
func (l *language) chain(e ast.Expr, bound []string) *read {
	step := func(operand ast.Expr, name string, presence bool) *read {
		r := l.chain(operand, bound)
		if r != nil {
			r.names = append(r.names, name)
			r.presence = r.presence || presence
		}
		return r
	}
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); l.vars[name] != nil && !slices.Contains(bound, name) {
			return &read{names: []string{name}}
		}
	case ast.SelectKind:
		s := e.AsSelect()
		return step(s.Operand(), s.FieldName(), s.IsTestOnly())
	case ast.CallKind:
		call := e.AsCall()
		switch f := call.FunctionName(); f {
		case operators.Index, optionalIndex, optionalSelect:
			if name, ok := stringLiteral(call.Args()[1]); ok {
				return step(call.Args()[0], name, f != operators.Index)
			}
		}
	}
	return nil
}

// reads lists where a checked expression reads its environment.
func (l *language) reads(a *ast.AST) []read {
	var out []read
	var walk func(e ast.Expr, always bool, bound []string)
	walk = func(e ast.Expr, always bool, bound []string) {
		if r := l.chain(e, bound); r != nil {
			r.always = always
			at := a.SourceInfo().GetStartLocation(e.ID())
			r.line, r.column = at.Line(), at.Column()+1
			out = append(out, *r)
			return
		}
		switch e.Kind() {
		case ast.SelectKind:
			walk(e.AsSelect().Operand(), always, bound)
		case ast.CallKind:
			call := e.AsCall()
			if call.IsMemberFunction() {
				walk(call.Target(), always, bound)
			}
			for i, arg := range call.Args() {
				f := call.FunctionName()
				walk(arg, always && f != operators.LogicalOr && (f != operators.Conditional || i == 0), bound)
			}
		case ast.ListKind:
			for _, elem := range e.AsList().Elements() {
				walk(elem, always, bound)
			}
		case ast.MapKind:
			for _, entry := range e.AsMap().Entries() {
				walk(entry.AsMapEntry().Key(), always, bound)
				walk(entry.AsMapEntry().Value(), always, bound)
			}
		case ast.ComprehensionKind:
			loop := e.AsComprehension()
			walk(loop.IterRange(), always, bound)
			walk(loop.AccuInit(), false, bound)
			inner := append(slices.Clone(bound), loop.IterVar(), loop.IterVar2(), loop.AccuVar())
			walk(loop.LoopCondition(), false, inner)
			walk(loop.LoopStep(), false, inner)
			walk(loop.Result(), false, inner)
		}
	}
	walk(a.Expr(), true, nil)
	return out
}

// sizes bounds what the environment holds, for the estimate of an expression's cost: Cognito's quotas, and for a request
// what API Gateway lets through (10,240 bytes of headers in all, the token included).
type sizes struct{}

// EstimateCallCost knows what CEL does not: how large the value of an optional can be.
func (sizes) EstimateCallCost(function, _ string, target *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if function != "orValue" && function != "value" || target == nil || len((*target).Type().Parameters()) != 1 {
		return nil
	}
	return cost.NewCallEstimate(cost.FixedCostEstimate(1), largest((*target).Type().Parameters()[0]))
}

func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	switch path := node.Path(); {
	case path == nil:
		return nil
	case path[len(path)-1] == "@items":
		return &cost.SizeEstimate{Max: 256} // groups have at most 128 characters, scopes 256
	default:
		return largest(node.Type())
	}
}

func largest(t *cel.Type) *cost.SizeEstimate {
	switch t.Kind() {
	case types.ListKind:
		return &cost.SizeEstimate{Max: 100, Elem: &cost.SizeEstimate{Max: 256}}
	case types.MapKind, types.StructKind:
		return &cost.SizeEstimate{Max: 100, Elem: &cost.SizeEstimate{Max: 2048}}
	default:
		return &cost.SizeEstimate{Max: 2048}
	}
}

// report turns CEL's errors into problems, with the words of a policy's author.
func (c *compiler) report(l *language, path, text string, a *ast.AST, errs []*common.Error) {
	for _, err := range errs {
		message := l.explain(a, err)
		if message == "" {
			continue
		}
		c.problems = append(c.problems, c.source.problemIn(path, text, err.Location.Line(), err.Location.Column()+1, message))
	}
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '(.*)'$`)
	undeclared     = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	syntaxError    = regexp.MustCompile(`^Syntax error: (?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) (.*?)(?: expecting .*)?$`)
	functionName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*$`)
	objectType     = regexp.MustCompile(`object ([^,()']+)`)
)

func (l *language) explain(a *ast.AST, err *common.Error) string {
	message := firstLine(err.Message)
	if m := undefinedField.FindStringSubmatch(message); m != nil && a != nil {
		return l.explainField(a, err.ExprID, m[1])
	}
	if m := undeclared.FindStringSubmatch(message); m != nil {
		known := contract.SortedKeys(l.vars)
		if isCall(a, err.ExprID) {
			functions := slices.DeleteFunc(contract.SortedKeys(l.env.Functions()), func(name string) bool { return !functionName.MatchString(name) })
			return fmt.Sprintf("unknown function %q%s", m[1], DidYouMean(m[1], functions))
		}
		return fmt.Sprintf("unknown name %q%s; known here are %s", m[1], DidYouMean(m[1], known), strings.Join(known, ", "))
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		args := objectType.ReplaceAllString(m[2], "$1")
		if symbol, ok := operators.FindReverse(m[1]); ok && symbol != "" {
			if left, right, ok := strings.Cut(strings.Trim(args, "()"), ", "); ok && !strings.Contains(right, ", ") {
				return fmt.Sprintf("types do not fit: %s %s %s", left, symbol, right)
			}
			return fmt.Sprintf("types do not fit: %s applied to %s", symbol, args)
		}
		return fmt.Sprintf("function %q does not take %s", m[1], args)
	}
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		return "syntax error: unexpected " + strings.ReplaceAll(m[1], "'<EOF>'", "end of the expression")
	}
	return objectType.ReplaceAllString(message, "$1")
}

func isCall(a *ast.AST, id int64) bool {
	found := false
	if a != nil {
		ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
			found = found || e.ID() == id && e.Kind() == ast.CallKind
		}))
	}
	return found
}

// explainField says which fields there are instead.
func (l *language) explainField(a *ast.AST, id int64, name string) string {
	var operand ast.Expr
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case operand != nil:
		case e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == name && (e.ID() == id || e.AsSelect().Operand().ID() == id):
			operand = e.AsSelect().Operand()
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == optionalSelect:
			if field, ok := stringLiteral(e.AsCall().Args()[1]); ok && field == name && (e.ID() == id || e.AsCall().Args()[1].ID() == id) {
				operand = e.AsCall().Args()[0]
			}
		}
	}))
	if operand == nil {
		return fmt.Sprintf("no field %q", name)
	}
	chain := l.chain(operand, nil)
	if chain == nil {
		return fmt.Sprintf("no field %q", name)
	}
	owner := fieldAt(l.vars[chain.names[0]], chain.names[1:])
	if owner == nil || owner.Kind != contract.Object {
		return fmt.Sprintf("no field %q", name)
	}
	fields := contract.SortedKeys(owner.Fields)
	if len(chain.names) == 1 && chain.names[0] == "claims" {
		minted := slices.DeleteFunc(slices.Clone(fields), isCognitoClaim)
		if len(minted) == 0 {
			return fmt.Sprintf("no claim %q is minted, nor does Cognito put it into an access token%s", name, DidYouMean(name, fields))
		}
		return fmt.Sprintf("no claim %q is minted, nor does Cognito put it into an access token%s; minted are %s",
			name, DidYouMean(name, fields), strings.Join(minted, ", "))
	}
	if len(fields) == 0 {
		return fmt.Sprintf("%s has no field %q; it has none", dotted("", chain.names)[1:], name)
	}
	return fmt.Sprintf("%s has no field %q%s; it has %s", dotted("", chain.names)[1:], name, DidYouMean(name, fields), strings.Join(fields, ", "))
}

var cognitoClaimNames = contract.SortedKeys(cognitoClaims())

func isCognitoClaim(name string) bool { return slices.Contains(cognitoClaimNames, name) }

func typeName(t *cel.Type) string { return objectType.ReplaceAllString(cel.FormatCELType(t), "$1") }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
