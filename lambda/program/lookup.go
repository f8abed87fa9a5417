package program

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
	"github.com/claimsmith/claimsmith/lambda/internal/expr"
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

// Tables are the tables that the policy's lookups read, by name.
func (p *Program) Tables() []Table {
	tables := map[string]*Table{}
	for i := range p.policy.Lookups {
		r := &p.policy.Lookups[i]
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
	for _, name := range contract.SortedKeys(tables) {
		slices.Sort(tables[name].Indexes)
		out = append(out, *tables[name])
	}
	return out
}

// Lookups are what is to be fetched before [Program.Mint] can compute the claims for a sign-in. A lookup whose key has no
// value, or whose condition does not hold, is not among them.
func (p *Program) Lookups(in SignIn) []LookupRequest {
	if len(p.policy.Lookups) == 0 {
		return nil
	}
	var out []LookupRequest
	vars := in.variables()
	for i := range p.policy.Lookups {
		if request, _, problem := need(&p.policy.Lookups[i], vars); request != nil && problem == "" {
			out = append(out, *request)
		}
	}
	return out
}

// need is what is to be fetched. It is nil without a problem when there is nothing to fetch, because the condition does not
// hold (skip) or because the key has no value.
func need(l *contract.Lookup, vars expr.Map) (request *LookupRequest, skip bool, problem string) {
	if l.When != nil {
		holds, problem := l.When.Holds(vars)
		if problem != "" {
			return nil, false, "when: " + problem
		}
		if !holds {
			return nil, true, ""
		}
	}
	r := LookupRequest{
		Name: l.Name, Table: l.Table, Key: make(map[string]any, len(l.Key)), Index: l.Index, Limit: l.Limit, Consistent: l.Consistent,
		Attributes: l.Attributes, Cache: time.Duration(l.CacheSeconds) * time.Second,
	}
	for _, attribute := range contract.SortedKeys(l.Key) {
		v, problem := l.Key[attribute].Eval(vars)
		var value any
		if problem == "" {
			value, problem = carried(v)
		}
		if problem != "" {
			return nil, false, contract.Child("key", attribute) + ": " + problem
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
			return nil, false, contract.Child("key", attribute) + ": is neither a string nor a number"
		}
	}
	return &r, false, ""
}

// find computes lookup.<name> and tells whether it is present.
func (m *minting) find(l *contract.Lookup) (any, bool) {
	request, skip, problem := need(l, m.vars)
	switch {
	case problem != "":
		return m.unavailable(l, problem)
	case skip:
		return nil, false
	}
	var found Found
	if request != nil {
		var done bool
		if found, done = m.in.Found[l.Name]; !done {
			found.Problem = "it was not looked up"
		}
	}
	if found.Problem != "" {
		return m.unavailable(l, found.Problem)
	}
	if len(found.Rows) == 0 {
		if l.OnMissing == (contract.Fallback{}) {
			m.refuse(l.Path, "there is no such row")
		}
		return instead(l.OnMissing)
	}
	rows := make([]any, len(found.Rows))
	for i, row := range found.Rows {
		decoded, bad := l.Row.Decode(withoutNulls(row))
		if bad != nil {
			return m.unavailable(l, bad.Below(contract.Child("lookup", l.Name)).Message())
		}
		rows[i] = decoded
	}
	if l.Limit > 0 {
		return rows, true
	}
	return rows[0], true
}

// unavailable is what a lookup comes to that could not be made.
func (m *minting) unavailable(l *contract.Lookup, problem string) (any, bool) {
	if l.OnError == (contract.Fallback{}) {
		m.refuse(l.Path, problem)
		m.fault = true
	} else {
		m.omitted = append(m.omitted, Reason{Path: l.Path, Message: problem})
	}
	return instead(l.OnError)
}

// instead is what stands in for rows, and whether anything does.
func instead(f contract.Fallback) (any, bool) {
	if f.Value == nil {
		return nil, false
	}
	return f.Value.V, true
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
