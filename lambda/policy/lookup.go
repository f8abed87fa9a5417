package policy

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// lookup is a compiled [Lookup].
type lookup struct {
	contract.Lookup // all but the expressions
	key             map[string]*expression
	when            *expression
}

// shape is that of lookup.<name>.
func (l *lookup) shape() *contract.Shape {
	if l.Limit > 0 {
		return listOf(l.Row)
	}
	return l.Row
}

func (l *lookup) optional() bool { return l.when != nil || l.OnMissing.Omit || l.OnError.Omit }

// DynamoDB's own rules for names of indexes, and a bound on what a query reads.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
var indexName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

const (
	maxRows         = 100
	maxCacheSeconds = 900
)

// lookups compiles the lookups and returns what lookup is in expressions. The document gets their normal form.
func (c *compiler) lookups(p *Policy, prog *Compiled, doc *Policy) *contract.Shape {
	l := c.language(mintVariables(p.Params, nil))
	fields := map[string]*contract.Field{}
	for _, name := range contract.SortedKeys(p.Lookups) {
		in := p.Lookups[name]
		compiled := c.lookup(l, name, &in)
		if doc.Lookups == nil {
			doc.Lookups = map[string]Lookup{}
		}
		doc.Lookups[name] = in
		prog.lookups = append(prog.lookups, compiled)
		fields[name] = &contract.Field{Shape: compiled.shape(), Optional: compiled.optional()}
	}
	return objectOf("lookup", fields)
}

// lookup compiles one lookup and brings in into its normal form.
func (c *compiler) lookup(l *language, name string, in *Lookup) lookup {
	path := contract.Child("lookups", name)
	out := lookup{key: map[string]*expression{}, Lookup: contract.Lookup{
		Name: name, Path: path, Table: in.Table, Index: in.Index, Limit: in.Limit, Consistent: in.Consistent,
		CacheSeconds: in.CacheSeconds, Row: dynShape,
	}}
	if !paramName.MatchString(name) {
		c.fail(path, "lookup %q: a name is a letter followed by letters, digits and underscores", name)
	}
	if !paramName.MatchString(in.Table) && !c.troubled(contract.Child(path, "table")) {
		c.fail(path, "table %q: give the table a name, a letter followed by letters, digits and underscores", in.Table)
	}
	switch {
	case len(in.Key) == 0 && !c.troubled(contract.Child(path, "key")):
		c.fail(path, `has no key; give an expression for each key attribute, such as key: {pk: "user.attributes.sub"}`)
	case len(in.Key) > 2:
		c.fail(contract.Child(path, "key"), "has %d attributes; a key has a partition key and at most a sort key", len(in.Key))
	}
	for _, attribute := range contract.SortedKeys(in.Key) {
		at := contract.Child(contract.Child(path, "key"), attribute)
		if attribute == "" {
			c.fail(contract.Child(path, "key"), "an attribute needs a name")
		}
		e := c.expression(l, at, in.Key[attribute])
		if e == nil {
			continue
		}
		if !isKeyType(e.result) {
			c.fail(at, "must yield a string or a number, but yields %s", typeName(e.result))
		}
		out.key[attribute] = e
	}
	if in.When != "" {
		out.when = c.condition(l, contract.Child(path, "when"), in.When)
	}
	if in.Index != "" && !indexName.MatchString(in.Index) {
		c.fail(contract.Child(path, "index"), "%q is no name of an index: 3 to 255 letters, digits, dots, dashes and underscores", in.Index)
	}
	if in.Index != "" && in.Limit == 0 {
		c.fail(contract.Child(path, "index"), "the rows of an index are queried, and there may be several: give limit, the largest number of rows")
	}
	if in.Index != "" && in.Consistent {
		c.fail(contract.Child(path, "consistent"), "a global secondary index has no consistent reads, and what kind this one is the policy does not know; remove it, or look the row up in the table")
	}
	if in.Limit < 0 || in.Limit > maxRows {
		c.fail(contract.Child(path, "limit"), "is %d; allowed are 1 to %d rows", in.Limit, maxRows)
	}
	if in.CacheSeconds < 0 || in.CacheSeconds > maxCacheSeconds {
		c.fail(contract.Child(path, "cacheSeconds"), "is %d; allowed are 1 to %d, or nothing for no cache", in.CacheSeconds, maxCacheSeconds)
	}
	if len(in.Type.Fields) == 0 {
		if !c.troubled(contract.Child(path, "type")) {
			c.fail(path, "does not say what a row holds; give type, a mapping of its attributes to types, such as type: {plan: string}")
		}
	} else {
		row, problem := declaredShape(in.Type, contract.Child("lookup", name))
		if problem != "" {
			c.fail(contract.Child(path, "type"), "%s", problem)
		}
		out.Row = row
		out.Attributes = slices.Concat(contract.SortedKeys(in.Type.Fields), contract.SortedKeys(in.Key))
		slices.Sort(out.Attributes)
		out.Attributes = slices.Compact(out.Attributes)
	}
	out.OnMissing = c.fallback(contract.Child(path, "onMissing"), &in.OnMissing, &out)
	out.OnError = c.fallback(contract.Child(path, "onError"), &in.OnError, &out)
	return out
}

// isKeyType tells whether a key attribute may have a value of that type.
func isKeyType(t *cel.Type) bool {
	s, _, refusal := resultShape(t, nil)
	return refusal == "" && slices.Contains([]contract.Kind{contract.String, contract.Int, contract.Double, contract.Any}, s.Kind)
}

// fallback compiles a fallback and brings in into its normal form.
func (c *compiler) fallback(path string, in *Fallback, l *lookup) contract.Fallback {
	if in.Action != "" && in.Action != Deny && in.Action != Omit {
		c.fail(path, "%q is unknown%s; allowed are %q, %q and {default: …}", in.Action,
			DidYouMean(string(in.Action), []string{string(Deny), string(Omit)}), Deny, Omit)
	}
	if in.Default == nil {
		return contract.Fallback{Omit: in.Action == Omit}
	}
	path = contract.Child(path, "default")
	if in.Action != "" {
		c.fail(path, "there is an action too; give one of the two")
	}
	rows := []any{in.Default}
	if l.Limit > 0 {
		list, ok := in.Default.([]any)
		if !ok {
			c.fail(path, "must be a list of rows, since the lookup is a query")
			return contract.Fallback{}
		}
		rows = list
	}
	decoded := make([]any, len(rows))
	normal := make([]any, len(rows))
	for i, row := range rows {
		at := path
		if l.Limit > 0 {
			at = contract.Item(path, i)
		}
		normal[i], _ = c.literal(at, at, row)
		object, ok := normal[i].(map[string]any)
		if !ok {
			c.fail(at, "must be an object with the fields of type")
			return contract.Fallback{}
		}
		for _, name := range contract.SortedKeys(object) {
			if l.Row.Kind == contract.Object && l.Row.Fields[name] == nil {
				c.fail(contract.Child(at, name), "type declares no such field%s; it declares %s", DidYouMean(name, contract.SortedKeys(l.Row.Fields)),
					strings.Join(contract.SortedKeys(l.Row.Fields), ", "))
			}
		}
		var bad *contract.Mismatch
		if decoded[i], bad = l.Row.Decode(object); bad != nil {
			c.fail(at, "%s", bad.Below(contract.Child("lookup", l.Name)).Message())
		}
	}
	if l.Limit > 0 {
		in.Default = normal
		return contract.Fallback{Value: &contract.Value{V: decoded}}
	}
	in.Default = normal[0]
	return contract.Fallback{Value: &contract.Value{V: decoded[0]}}
}
