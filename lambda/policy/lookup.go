package policy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
)

// LookupRequest is what is to be fetched for one sign-in.
type LookupRequest struct {
	// Name is the lookup's, and Table its table's, as the policy calls them.
	Name, Table string

	// Key are the key attributes: strings, and numbers as [json.Number].
	Key map[string]any

	// Index is the index to query; empty for the table itself.
	Index string

	// Limit is the largest number of rows; 0 means the one row with that primary key.
	Limit int

	// Consistent asks for a consistent read.
	Consistent bool

	// Attributes are those to fetch, sorted; the key's are among them, so that a row is never empty.
	Attributes []string

	// Cache is how long the rows may be taken from memory.
	Cache time.Duration
}

// Found is what became of a [LookupRequest].
type Found struct {
	// Rows are the rows, values as in JSON: string, bool, [json.Number], nil, []any and map[string]any. None: no such row.
	Rows []map[string]any

	// Problem says why they could not be had, in words that hold no data. Rows is then ignored.
	Problem string
}

// Table is what the policy does with one table.
type Table struct {
	// Name is what the policy calls it.
	Name string

	// Get tells that rows are got by their primary key, and Query that the table itself is queried.
	Get, Query bool

	// Indexes are the indexes that are queried, sorted.
	Indexes []string
}

// lookup is a compiled [Lookup].
type lookup struct {
	name, path         string
	request            LookupRequest // all but the key
	key                map[string]*expression
	when               *expression
	row                *shape
	onMissing, onError fallback
}

// fallback is a compiled [Fallback].
type fallback struct {
	omit  bool
	value any // nil: none
}

// shape is that of lookup.<name>.
func (l *lookup) shape() *shape {
	if l.request.Limit > 0 {
		return listOf(l.row)
	}
	return l.row
}

func (l *lookup) optional() bool { return l.when != nil || l.onMissing.omit || l.onError.omit }

// Tables are the tables that the policy's lookups read, by name.
func (p *Program) Tables() []Table {
	tables := map[string]*Table{}
	for i := range p.lookups {
		r := &p.lookups[i].request
		t := tables[r.Table]
		if t == nil {
			t = &Table{Name: r.Table}
			tables[r.Table] = t
		}
		switch {
		case r.Index != "":
			t.Indexes = appendNew(t.Indexes, r.Index)
		case r.Limit > 0:
			t.Query = true
		default:
			t.Get = true
		}
	}
	var out []Table
	for _, name := range sortedKeys(tables) {
		slices.Sort(tables[name].Indexes)
		out = append(out, *tables[name])
	}
	return out
}

// Lookups are what is to be fetched before [Program.Mint] can compute the claims for a sign-in. A lookup whose key has no
// value, or whose condition does not hold, is not among them.
func (p *Program) Lookups(in SignIn) []LookupRequest {
	if len(p.lookups) == 0 {
		return nil
	}
	var out []LookupRequest
	env := mintEnvironment(in)
	for i := range p.lookups {
		if request, _, problem := p.lookups[i].need(env); request != nil && problem == "" {
			out = append(out, *request)
		}
	}
	return out
}

// need is what is to be fetched. It is nil without a problem when there is nothing to fetch, because the condition does not
// hold (skip) or because the key has no value.
func (l *lookup) need(env map[string]any) (request *LookupRequest, skip bool, problem string) {
	if l.when != nil {
		holds, problem := l.when.holds(env)
		if problem != "" {
			return nil, false, "when: " + problem
		}
		if !holds {
			return nil, true, ""
		}
	}
	r := l.request
	r.Key = make(map[string]any, len(l.key))
	for _, attribute := range sortedKeys(l.key) {
		v, problem := l.key[attribute].eval(env)
		var value any
		if problem == "" {
			value, problem = carried(v)
		}
		if problem != "" {
			return nil, false, child("key", attribute) + ": " + problem
		}
		switch value := value.(type) {
		case string:
			if value == "" {
				return nil, false, ""
			}
			r.Key[attribute] = value
		case int64:
			r.Key[attribute] = json.Number(strconv.FormatInt(value, 10))
		case float64:
			r.Key[attribute] = json.Number(strconv.FormatFloat(value, 'g', -1, 64))
		case nil:
			return nil, false, ""
		default:
			return nil, false, child("key", attribute) + ": is neither a string nor a number"
		}
	}
	return &r, false, ""
}

// find computes lookup.<name> and tells whether it is present.
func (m *minting) find(l *lookup) (any, bool) {
	request, skip, problem := l.need(m.env)
	switch {
	case problem != "":
		return m.unavailable(l, problem)
	case skip:
		return nil, false
	}
	var found Found
	if request != nil {
		var done bool
		if found, done = m.in.Found[l.name]; !done {
			found.Problem = "it was not looked up"
		}
	}
	if found.Problem != "" {
		return m.unavailable(l, found.Problem)
	}
	if len(found.Rows) == 0 {
		if !l.onMissing.omit && l.onMissing.value == nil {
			m.refusals = append(m.refusals, Reason{Path: l.path, Message: "there is no such row"})
		}
		return l.onMissing.value, l.onMissing.value != nil
	}
	rows := make([]any, len(found.Rows))
	for i, row := range found.Rows {
		decoded, bad := l.row.decode(withoutNulls(row))
		if bad != nil {
			return m.unavailable(l, bad.below(child("lookup", l.name)).message())
		}
		rows[i] = decoded
	}
	if l.request.Limit > 0 {
		return rows, true
	}
	return rows[0], true
}

// unavailable is what a lookup comes to that could not be made.
func (m *minting) unavailable(l *lookup, problem string) (any, bool) {
	reason := Reason{Path: l.path, Message: problem}
	if l.onError.omit || l.onError.value != nil {
		m.omitted = append(m.omitted, reason)
	} else {
		m.refusals = append(m.refusals, reason)
		m.fault = true
	}
	return l.onError.value, l.onError.value != nil
}

// withoutNulls is an object without the fields that are null, at any depth: DynamoDB's NULL is taken for absent.
func withoutNulls(object map[string]any) map[string]any {
	out := make(map[string]any, len(object))
	for key, v := range object {
		if inner, ok := v.(map[string]any); ok {
			v = withoutNulls(inner)
		}
		if v != nil {
			out[key] = v
		}
	}
	return out
}

// DynamoDB's own rules for names of indexes, and a bound on what a query reads.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
var indexName = pattern(`^[A-Za-z0-9_.-]{3,255}$`)

const (
	maxRows         = 100
	maxCacheSeconds = 900
)

// lookups compiles the lookups and returns what lookup is in expressions. The document gets their normal form.
func (c *compiler) lookups(p *Policy, prog *Program, doc *Policy) *shape {
	l := c.language(mintVariables(p.Params, nil))
	fields := map[string]*field{}
	for _, name := range sortedKeys(p.Lookups) {
		in := p.Lookups[name]
		compiled := c.lookup(l, name, &in)
		if doc.Lookups == nil {
			doc.Lookups = map[string]Lookup{}
		}
		doc.Lookups[name] = in
		prog.lookups = append(prog.lookups, compiled)
		fields[name] = &field{shape: compiled.shape(), optional: compiled.optional()}
	}
	return objectOf("lookup", fields)
}

// lookup compiles one lookup and brings in into its normal form.
func (c *compiler) lookup(l *language, name string, in *Lookup) lookup {
	path := child("lookups", name)
	out := lookup{name: name, path: path, key: map[string]*expression{}, row: dynShape, request: LookupRequest{
		Name: name, Table: in.Table, Index: in.Index, Limit: in.Limit, Consistent: in.Consistent,
		Cache: time.Duration(in.CacheSeconds) * time.Second,
	}}
	if !paramName.MatchString(name) {
		c.fail(path, "lookup %q: a name is a letter followed by letters, digits and underscores", name)
	}
	if !paramName.MatchString(in.Table) && !c.troubled(child(path, "table")) {
		c.fail(path, "table %q: give the table a name, a letter followed by letters, digits and underscores", in.Table)
	}
	switch {
	case len(in.Key) == 0 && !c.troubled(child(path, "key")):
		c.fail(path, `has no key; give an expression for each key attribute, such as key: {pk: "user.attributes.sub"}`)
	case len(in.Key) > 2:
		c.fail(child(path, "key"), "has %d attributes; a key has a partition key and at most a sort key", len(in.Key))
	}
	for _, attribute := range sortedKeys(in.Key) {
		at := child(child(path, "key"), attribute)
		if attribute == "" {
			c.fail(child(path, "key"), "an attribute needs a name")
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
		out.when = c.condition(l, child(path, "when"), in.When)
	}
	if in.Index != "" && !indexName().MatchString(in.Index) {
		c.fail(child(path, "index"), "%q is no name of an index: 3 to 255 letters, digits, dots, dashes and underscores", in.Index)
	}
	if in.Index != "" && in.Limit == 0 {
		c.fail(child(path, "index"), "the rows of an index are queried, and there may be several: give limit, the largest number of rows")
	}
	if in.Index != "" && in.Consistent {
		c.fail(child(path, "consistent"), "a global secondary index has no consistent reads, and what kind this one is the policy does not know; remove it, or look the row up in the table")
	}
	if in.Limit < 0 || in.Limit > maxRows {
		c.fail(child(path, "limit"), "is %d; allowed are 1 to %d rows", in.Limit, maxRows)
	}
	if in.CacheSeconds < 0 || in.CacheSeconds > maxCacheSeconds {
		c.fail(child(path, "cacheSeconds"), "is %d; allowed are 1 to %d, or nothing for no cache", in.CacheSeconds, maxCacheSeconds)
	}
	if len(in.Type.Fields) == 0 {
		if !c.troubled(child(path, "type")) {
			c.fail(path, "does not say what a row holds; give type, a mapping of its attributes to types, such as type: {plan: string}")
		}
	} else {
		row, problem := declaredShape(in.Type, child("lookup", name))
		if problem != "" {
			c.fail(child(path, "type"), "%s", problem)
		}
		out.row = row
		out.request.Attributes = slices.Concat(sortedKeys(in.Type.Fields), sortedKeys(in.Key))
		slices.Sort(out.request.Attributes)
		out.request.Attributes = slices.Compact(out.request.Attributes)
	}
	out.onMissing = c.fallback(child(path, "onMissing"), &in.OnMissing, &out)
	out.onError = c.fallback(child(path, "onError"), &in.OnError, &out)
	return out
}

// isKeyType tells whether a key attribute may have a value of that type.
func isKeyType(t *cel.Type) bool {
	s, _, refusal := resultShape(t, nil)
	return refusal == "" && slices.Contains([]kind{stringKind, intKind, doubleKind, dynKind}, s.kind)
}

// fallback compiles a fallback and brings in into its normal form.
func (c *compiler) fallback(path string, in *Fallback, l *lookup) fallback {
	if in.Action != "" && in.Action != Deny && in.Action != Omit {
		c.fail(path, "%q is unknown%s; allowed are %q, %q and {default: …}", in.Action,
			DidYouMean(string(in.Action), []string{string(Deny), string(Omit)}), Deny, Omit)
	}
	if in.Default == nil {
		return fallback{omit: in.Action == Omit}
	}
	path = child(path, "default")
	if in.Action != "" {
		c.fail(path, "there is an action too; give one of the two")
	}
	rows := []any{in.Default}
	if l.request.Limit > 0 {
		list, ok := in.Default.([]any)
		if !ok {
			c.fail(path, "must be a list of rows, since the lookup is a query")
			return fallback{}
		}
		rows = list
	}
	decoded := make([]any, len(rows))
	normal := make([]any, len(rows))
	for i, row := range rows {
		at := path
		if l.request.Limit > 0 {
			at = item(path, i)
		}
		normal[i], _ = c.literal(at, at, row)
		object, ok := normal[i].(map[string]any)
		if !ok {
			c.fail(at, "must be an object with the fields of type")
			return fallback{}
		}
		for _, name := range sortedKeys(object) {
			if l.row.kind == objectKind && l.row.fields[name] == nil {
				c.fail(child(at, name), "type declares no such field%s; it declares %s", DidYouMean(name, sortedKeys(l.row.fields)),
					strings.Join(sortedKeys(l.row.fields), ", "))
			}
		}
		var bad *mismatch
		if decoded[i], bad = l.row.decode(object); bad != nil {
			c.fail(at, "%s", bad.below(child("lookup", l.name)).message())
		}
	}
	if l.request.Limit > 0 {
		in.Default = normal
		return fallback{value: decoded}
	}
	in.Default = normal[0]
	return fallback{value: decoded[0]}
}
