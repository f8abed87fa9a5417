package policy

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Warnings are what is legal in the policy but likely to surprise, in document order:
//
//   - a rule that reads a claim which may be absent, without has() or .?, and so refuses those who lack it;
//   - an expression that reads an attribute or client metadata in that way, and so refuses sign-ins;
//   - a condition or rule that can never be true, whatever the user, the token or the request;
//   - an expression that reads a row which may be absent, without has() or .?, and so refuses those who lack it;
//   - an expression that reads an attribute of a row in that way, unless it is of the key, and so refuses those whose row lacks it;
//   - a claim that comes from client.metadata, or from a row that is looked up by it, which the caller chooses freely, and that a rule relies on;
//   - suppressing the scope aws.cognito.signin.user.admin;
//   - an integer that JavaScript readers of the token round.
//
// They take a while to compute, so the functions do not ask for them.
func (p *Compiled) Warnings() []Problem {
	l := linter{program: p, warnings: slices.Clone(p.warnings), outcomes: map[string][]any{}}
	if p.document == nil {
		return nil
	}
	for i := range p.claims {
		c := &p.claims[i]
		if slices.Contains(c.tokens, AccessToken) {
			l.outcomes[c.name] = c.outcomes()
		}
	}
	l.scopes()
	l.metadata()
	omits := map[string]bool{}                                                       // claims that are left out when an expression fails
	guards := map[string]*expression{contract.Child("groups", "expr"): p.groupsWhen} // without which an expression is not evaluated
	eachClaim(p.claims, func(c *claim) { omits[c.path], guards[contract.Child(c.path, "expr")] = c.omitOnError, c.when })
	p.eachExpression(func(path string, e *expression) {
		if !omits[strings.TrimSuffix(strings.TrimSuffix(path, ".expr"), ".when")] {
			l.bare(path, e)
			l.bareInRow(path, e, guards[path])
			l.absent(path, e, "lookup", 2, "%s may be absent, and this then fails; read it with .? and orValue, or look it up with onMissing and onError other than omit, and without when")
		}
		if e.isBool() && strings.HasSuffix(path, ".when") && !l.mayHold(p.mint, e, nil) {
			l.warnAt("neverTrue:"+inID(path), path, e, 1, 1, "can never be true")
		}
	})
	for _, name := range contract.SortedKeys(p.authorizers) {
		p.authorizers[name].each(func(r *rule) { l.rule(r) })
	}
	l.warnings.sort()
	return l.warnings
}

type linter struct {
	program  *Compiled
	warnings Problems
	outcomes map[string][]any // the values that a claim can have, absent included; none when they are not known
}

func (l *linter) warn(id, path, format string, args ...any) {
	l.add(id, l.program.source.problem(path, fmt.Sprintf(format, args...)))
}

func (l *linter) warnAt(id, path string, e *expression, line, column int, format string, args ...any) {
	l.add(id, l.program.source.problemIn(path, e.text, line, column, fmt.Sprintf(format, args...)))
}

func (l *linter) add(id string, p Problem) {
	p.ID = id
	l.warnings = append(l.warnings, p)
}

// inID is a path as a part of an ID. CDK takes no brackets there.
var inID = strings.NewReplacer("[", ".", "]", "", `"`, "").Replace

func (l *linter) scopes() {
	for _, s := range l.program.scopes.suppress {
		if s.name == "aws.cognito.signin.user.admin" {
			l.warn("adminScopeSuppressed", s.path, "without scope %q users can no longer read or change their own profile, password and devices with their token; that is often meant, so acknowledge this warning then", s.name)
		}
	}
}

// metadata finds claims that rest on client.metadata and that rules rely on.
func (l *linter) metadata() {
	untrusted := map[string]bool{} // lookups
	fromMetadata := func(r read) bool {
		switch r.names[0] {
		case "client":
			return len(r.names) == 1 || r.names[1] == "metadata"
		case "lookup":
			return len(r.names) > 1 && untrusted[r.names[1]]
		}
		return false
	}
	for _, lookup := range l.program.lookups {
		for _, e := range lookup.key {
			untrusted[lookup.Name] = untrusted[lookup.Name] || slices.ContainsFunc(e.reads, fromMetadata)
		}
	}
	relied := map[string]bool{}
	for _, c := range l.program.authorizers {
		for name := range c.claims {
			relied[name] = true
		}
	}
	for i := range l.program.claims {
		top := &l.program.claims[i]
		if !relied[top.name] || !slices.Contains(top.tokens, AccessToken) {
			continue
		}
		eachClaim(l.program.claims[i:i+1], func(c *claim) {
			for _, e := range []*expression{c.expr, c.when} {
				if e != nil && slices.ContainsFunc(e.reads, fromMetadata) {
					l.warn("untrustedMetadata:"+inID(c.path), c.path, "comes from client.metadata, which the caller chooses freely, but a rule relies on it; take it from an attribute or a group")
					return
				}
			}
		})
	}
}

func (l *linter) rule(r *rule) {
	path := contract.Child(r.path, "rule")
	l.absent(path, r.expression, "claims", math.MaxInt,
		"%[1]s may be absent, and the rule then refuses the request; if that is meant, say so with has(%[1]s) && …, otherwise read it with .? and orValue")
	if !l.mayHold(l.program.check, r.expression, r.claims) {
		l.warnAt("neverTrue:"+inID(path), path, r.expression, 1, 1, "can never be true with the claims that the policy mints, so it refuses every request")
	}
}

// absent finds what an expression reads of a variable although it may be absent, at most so many names deep.
func (l *linter) absent(path string, e *expression, variable string, depth int, format string) {
	tested := map[string]bool{}
	for _, read := range e.reads {
		if read.presence && read.names[0] == variable {
			for i := range read.names {
				tested[dotted("", read.names[:i+1])] = true
			}
		}
	}
	root := cmp.Or(l.program.check.vars[variable], l.program.mint.vars[variable])
	for _, read := range e.reads {
		if read.presence || read.names[0] != variable || len(read.names) == 1 {
			continue
		}
		for i := 2; i <= min(depth, len(read.names)); i++ {
			f := fieldAt(root, read.names[1:i])
			if f == nil {
				break
			}
			if f.Optional && !tested[dotted("", read.names[:i])] {
				id := map[string]string{"claims": "claimMayBeAbsent:", "lookup": "rowMayBeAbsent:"}[variable]
				l.warnAt(id+inID(path), path, e, read.line, read.column, format, dotted(variable, read.names[1:i]))
				break
			}
		}
	}
}

// bare finds attributes and client metadata that an expression of minting reads although a user or caller may lack them.
func (l *linter) bare(path string, e *expression) {
	names := func(r read) (string, bool) {
		from := strings.Join(r.names[:min(2, len(r.names))], ".")
		return dotted(r.names[0], r.names[1:]), len(r.names) > 2 && (from == "user.attributes" || from == "client.metadata")
	}
	for _, r := range e.reads {
		name, may := names(r)
		if !may || r.presence || name == "user.attributes.sub" {
			continue
		}
		if slices.ContainsFunc(e.reads, func(other read) bool {
			tested, _ := names(other)
			return other.presence && tested == name || len(other.names) == 2 && slices.Equal(other.names, r.names[:2])
		}) {
			continue // tested with has(), or the map is searched as a whole
		}
		l.warnAt("attributeMayBeAbsent:"+inID(path), path, e, r.line, r.column,
			"%s may be absent, and the sign-in is then refused; read it as %s[?%q].orValue('')", name, strings.Join(r.names[:2], "."), r.names[2])
	}
}

// bareInRow finds attributes of rows that an expression of minting reads although a row may lack them. guard, if there is
// one, must hold before it is evaluated.
func (l *linter) bareInRow(path string, e, guard *expression) {
	copes := l.keys()
	for _, x := range []*expression{e, guard} {
		if x != nil {
			l.eachInRow(x, func(_ ast.Expr, name string, presence bool) { copes[name] = copes[name] || presence })
		}
	}
	remedy := ""
	if strings.HasPrefix(path, "claims") {
		remedy = ", or give the claim onError: omit"
	}
	found := map[int64]bool{}
	l.eachInRow(e, func(at ast.Expr, name string, _ bool) {
		if copes[name] || at.Kind() == ast.SelectKind && found[at.AsSelect().Operand().ID()] {
			return // to be read with .?, whatever is read of it is too
		}
		found[at.ID()] = true
		place := e.ast.SourceInfo().GetStartLocation(at.ID())
		l.warnAt("rowAttributeMayBeAbsent:"+inID(path), path, e, place.Line(), place.Column()+1,
			"%s may be absent, since a row may lack it, and the sign-in is then refused; read it with .? and orValue, or test it with has()%s", name, remedy)
	})
}

// keys are the attributes that no row lacks, by the names of [linter.eachInRow]: those of the key, unless a default row has none.
func (l *linter) keys() map[string]bool {
	out := map[string]bool{}
	for _, lookup := range l.program.lookups {
		for attribute := range lookup.key {
			lacks := func(f contract.Fallback) bool {
				if f.Value == nil {
					return false
				}
				rows, many := f.Value.V.([]any)
				if !many {
					rows = []any{f.Value.V}
				}
				return slices.ContainsFunc(rows, func(row any) bool { return row.(map[string]any)[attribute] == nil })
			}
			out[contract.Child(contract.Child("lookup", lookup.Name), attribute)] = !lacks(lookup.OnMissing) && !lacks(lookup.OnError)
		}
	}
	return out
}

// eachInRow visits where an expression reads a declared attribute of a row, or a field inside of one, whichever way it came by
// the row: by name, from the list of a query, or in a loop. name is such as lookup.tier.plan. presence tells that it copes
// with an absent one.
func (l *linter) eachInRow(e *expression, visit func(at ast.Expr, name string, presence bool)) {
	rows := l.program.mint.rows()
	of := func(operand ast.Expr) (row *contract.Shape, optional bool) {
		t := e.ast.GetType(operand.ID())
		if optional = t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type"; optional {
			t = t.Parameters()[0]
		}
		return rows[t.TypeName()], optional
	}
	ast.PostOrderVisit(e.ast.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.SelectKind:
			s := x.AsSelect()
			if row, optional := of(s.Operand()); row != nil {
				visit(x, contract.Child(row.Name, s.FieldName()), optional || s.IsTestOnly())
			}
		case ast.CallKind:
			if call := x.AsCall(); call.FunctionName() == optionalSelect {
				if row, _ := of(call.Args()[0]); row != nil {
					field, _ := stringLiteral(call.Args()[1])
					visit(x, contract.Child(row.Name, field), true)
				}
			}
		}
	}))
}

// maxOutcomes bounds how many combinations of claim values are tried.
const maxOutcomes = 64

// absentValue stands for a claim that a token lacks.
type absentValue struct{}

// outcomes are the values that a claim can have in a token, absentValue for none; nil when they are not known or too
// many.
func (c *claim) outcomes() []any {
	var out []any
	switch {
	case c.value != nil:
		out = []any{c.value}
	case c.expr != nil:
		if c.declared || !literals(c.expr.ast.Expr(), &out) {
			return nil
		}
	case c.code:
		return nil
	case c.claims != nil:
		objects := []map[string]any{{}}
		for i := range c.claims {
			n := &c.claims[i]
			values := n.outcomes()
			if values == nil || len(objects)*len(values) > maxOutcomes {
				return nil
			}
			objects = combine(objects, n.name, values)
		}
		for _, object := range objects {
			if len(object) == 0 {
				out = append(out, absentValue{})
			} else {
				out = append(out, object)
			}
		}
	default:
		return nil
	}
	if c.when != nil || c.omitOnError {
		out = append(out, absentValue{})
	}
	return out
}

// combine extends each object with each of the values under the name.
func combine(objects []map[string]any, name string, values []any) []map[string]any {
	var out []map[string]any
	for _, object := range objects {
		for _, v := range values {
			extended := maps.Clone(object)
			if v != (absentValue{}) {
				extended[name] = v
			}
			out = append(out, extended)
		}
	}
	return out
}

// literals collects the literals that an expression chooses from with ?:. It reports false when it is anything else.
func literals(e ast.Expr, out *[]any) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		v, ok := literalValue(e.AsLiteral())
		*out = append(*out, v)
		return ok
	case ast.CallKind:
		call := e.AsCall()
		return call.FunctionName() == operators.Conditional && literals(call.Args()[1], out) && literals(call.Args()[2], out)
	default:
		return false
	}
}

// literalValue is the value that a token has for a literal of CEL.
func literalValue(v ref.Val) (any, bool) {
	switch v := v.(type) {
	case types.String:
		return string(v), true
	case types.Bool:
		return bool(v), true
	case types.Int:
		return int64(v), true
	case types.Double:
		return float64(v), true
	default:
		return nil, false
	}
}

// mayHold tells whether a condition can be true. claims are those that it reads; those whose values are known are tried
// in every combination, and all else is unknown.
func (l *linter) mayHold(lang *language, e *expression, claims []string) bool {
	program, err := lang.env.PlanProgram(e.ast, cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return true
	}
	var unknown []*cel.AttributePatternType
	for name := range lang.vars {
		if name != "claims" {
			unknown = append(unknown, cel.AttributePattern(name))
		}
	}
	combinations := []map[string]any{{}}
	for _, name := range claims {
		values := l.outcomes[name]
		if values == nil || len(combinations)*len(values) > maxOutcomes {
			unknown = append(unknown, cel.AttributePattern("claims").QualString(name))
			continue
		}
		combinations = combine(combinations, name, values)
	}
	for _, combination := range combinations {
		vars, err := cel.PartialVars(map[string]any{"claims": combination}, unknown...)
		if err != nil {
			return true
		}
		if v, _, err := program.Eval(vars); err == nil && (v == types.True || types.IsUnknown(v)) {
			return true
		}
	}
	return false
}
