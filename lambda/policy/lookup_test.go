package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

type row = map[string]any

// lookupCase is a lookup, what it found, and what the claims make of it.
type lookupCase struct {
	name    string
	lookup  string // as YAML in flow style, without the braces
	claims  string
	found   map[string]program.Found
	access  row
	refused []program.Reason
	fault   bool
	omitted []program.Reason
}

func (c lookupCase) run(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, "lookups: {tier: {table: subscriptions, "+c.lookup+"}}\nclaims: "+c.claims)
	got := prog.Mint(program.SignIn{Attributes: map[string]string{"sub": "u1", "empty": ""}, Found: c.found})
	equal(t, "issue", got.Issue, c.refused == nil)
	equal(t, "access claims", got.Access, c.access)
	equal(t, "refusals", got.Refusals, c.refused)
	equal(t, "fault", got.Fault, c.fault)
	equal(t, "omitted", got.Omitted, c.omitted)
}

func TestLookups(t *testing.T) {
	t.Parallel()
	const (
		bySub = `key: {pk: "user.attributes.sub"}, type: {plan: string, seats: int, ratio: double, tags: list(string), limits: {docs: int}, extra: any}`
		plan  = `{plan: {expr: lookup.tier.plan}}`
	)
	found := func(rows ...row) map[string]program.Found { return map[string]program.Found{"tier": {Rows: rows}} }
	broken := map[string]program.Found{"tier": {Problem: "no answer in time", Rows: []row{{"plan": "pro"}}}}
	refused := func(message string) []program.Reason { return reasons("lookups.tier", message) }

	for _, c := range []lookupCase{
		{"a row", bySub, `{plan: {expr: lookup.tier.plan}, seats: {expr: lookup.tier.seats}, ratio: {expr: lookup.tier.ratio}, docs: {expr: lookup.tier.limits.docs}, extra: {expr: lookup.tier.extra}}`,
			found(row{"pk": "u1", "plan": "pro", "seats": json.Number("9007199254740993"), "ratio": json.Number("2"), "limits": row{"docs": json.Number("1")}, "extra": []any{json.Number("1.50")}}),
			row{"plan": "pro", "seats": int64(9007199254740993), "ratio": 2.0, "docs": int64(1), "extra": []any{1.5}}, nil, false, nil},
		{"the whole row as a claim, without what is not declared", bySub, `{tier: {expr: lookup.tier}, limits: {expr: "lookup.?tier.?limits"}}`,
			found(row{"pk": "u1", "plan": "pro", "tags": []any{"a"}, "limits": row{"docs": json.Number("1"), "other": "x"}}),
			row{"tier": row{"plan": "pro", "tags": []any{"a"}, "limits": row{"docs": int64(1)}}, "limits": row{"docs": int64(1)}}, nil, false, nil},
		{"NULL is absent", bySub, `{tier: {expr: lookup.tier}, plan: {expr: "lookup.tier.?plan"}}`,
			found(row{"plan": nil, "seats": json.Number("1"), "limits": row{"docs": nil}}), row{"tier": row{"seats": int64(1), "limits": row{}}}, nil, false, nil},
		{"an attribute that the row lacks fails the claim", bySub, plan, found(row{"seats": json.Number("1")}), nil,
			reasons("claims.plan", "expr: no such key"), false, nil},
		{"conditions of scopes and claims", bySub, `{a: {value: 1, when: "lookup.tier.plan == 'pro'"}, b: {value: 1, when: "lookup.tier.seats > 5"}}`,
			found(row{"plan": "pro", "seats": json.Number("5")}), row{"a": int64(1)}, nil, false, nil},

		{"no row", bySub, plan, found(), nil, refused("there is no such row"), false, nil},
		{"no row, deny", bySub + ", onMissing: deny", plan, found(), nil, refused("there is no such row"), false, nil},
		{"no row, omit", bySub + ", onMissing: omit", `{plan: {expr: "lookup.?tier.?plan"}, free: {value: true, when: "!has(lookup.tier)"}}`, found(), row{"free": true}, nil, false, nil},
		{"no row, default", bySub + ", onMissing: {default: {plan: free, ratio: 1}}", `{plan: {expr: lookup.tier.plan}, ratio: {expr: lookup.tier.ratio}}`, found(), row{"plan": "free", "ratio": 1.0}, nil, false, nil},
		{"an empty key is no row", `key: {pk: "user.attributes.empty"}, type: {plan: string}, onMissing: {default: {plan: free}}`, plan, nil, row{"plan": "free"}, nil, false, nil},
		{"no key is no row", `key: {pk: "user.attributes[?'none']"}, type: {plan: string}, onMissing: {default: {plan: free}}`, plan, nil, row{"plan": "free"}, nil, false, nil},

		{"a fault", bySub, plan, broken, nil, refused("no answer in time"), true, nil},
		{"a fault, although no row is omitted", bySub + ", onMissing: omit", `{plan: {expr: "lookup.?tier.?plan"}}`, broken, nil, refused("no answer in time"), true, nil},
		{"a fault, omit", bySub + ", onError: omit", `{plan: {expr: "lookup.?tier.?plan"}}`, broken, row{}, nil, false, refused("no answer in time")},
		{"a fault, default", bySub + ", onError: {default: {plan: free}}", plan, broken, row{"plan": "free"}, nil, false, refused("no answer in time")},
		{"nobody looked", bySub, plan, nil, nil, refused("it was not looked up"), true, nil},
		{"a value of another type", bySub, plan, found(row{"plan": json.Number("1")}), nil, refused("lookup.tier.plan is no string"), true, nil},
		{"a number beyond 64 bits", bySub, plan, found(row{"seats": json.Number("9223372036854775808")}), nil, refused("lookup.tier.seats is no int"), true, nil},
		{"a number that is not whole, default", bySub + ", onError: {default: {plan: free}}", plan, found(row{"seats": json.Number("1.5")}), row{"plan": "free"}, nil, false, refused("lookup.tier.seats is no int")},
		{"a key that fails", `key: {pk: "user.attributes.none"}, type: {plan: string}`, plan, nil, nil, refused("key.pk: no such key"), true, nil},
		{"a key that is nothing a key can be", `key: {pk: "dyn(true)"}, type: {plan: string}`, plan, nil, nil, refused("key.pk: is neither a string nor a number"), true, nil},
		{"a condition that fails", bySub + `, when: "user.groups[3] == 'a'", onError: omit`, `{plan: {expr: "lookup.?tier.?plan"}}`, nil, row{}, nil, false, refused("when: index out of bounds")},
		{"a condition that does not hold", bySub + `, when: "'sub' in user.groups"`, `{plan: {expr: "lookup.?tier.?plan"}}`, nil, row{}, nil, false, nil},

		{"a query", bySub + ", limit: 3", `{plans: {expr: "lookup.tier.map(r, r.plan)"}, seats: {expr: "lookup.tier.filter(r, r.plan == 'pro').map(r, r.seats)"}}`,
			found(row{"plan": "pro", "seats": json.Number("1")}, row{"plan": "free"}), row{"plans": []any{"pro", "free"}, "seats": []any{int64(1)}}, nil, false, nil},
		{"a query without rows", bySub + ", limit: 3", `{n: {expr: "lookup.tier.size()"}}`, found(), nil, refused("there is no such row"), false, nil},
		{"a query without rows, default", bySub + ", limit: 3, index: by-sub, onMissing: {default: []}", `{n: {expr: "lookup.tier.size()"}}`, found(), row{"n": int64(0)}, nil, false, nil},
		{"a query that fails, default", bySub + ", limit: 3, onError: {default: [{plan: free}]}", `{plans: {expr: "lookup.tier.map(r, r.plan)"}}`, broken, row{"plans": []any{"free"}}, nil, false, refused("no answer in time")},
	} {
		t.Run(c.name, c.run)
	}
}

func TestWhatIsLookedUp(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
params: [stage]
lookups:
  tier: {table: subscriptions, key: {pk: "params.stage + '#' + user.attributes.sub", sk: "1"}, type: {plan: string, sk: int}, consistent: true, cacheSeconds: 60}
  seats: {table: subscriptions, index: by-tenant, key: {tenant: "user.attributes[?'custom:tenant']"}, limit: 5, type: {product: string}, onMissing: omit}
  none: {table: other, key: {pk: "user.attributes[?'custom:none']"}, type: {a: string}, onMissing: omit}
  unwanted: {table: other, key: {pk: "user.name"}, type: {a: string}, when: "false"}
  failing: {table: other, key: {pk: "user.attributes.none"}, type: {a: string}, limit: 2, onError: omit}
  price: {table: other, key: {pk: "0.5"}, type: {a: string}}
claims: {a: {value: 1}}
`)
	got := prog.Lookups(program.SignIn{Attributes: map[string]string{"sub": "u1", "custom:tenant": "acme"}, Params: map[string]string{"stage": "prod"}})
	equal(t, "requests", got, []program.LookupRequest{
		{Name: "price", Table: "other", Key: map[string]any{"pk": json.Number("0.5")}, Attributes: []string{"a", "pk"}},
		{Name: "seats", Table: "subscriptions", Index: "by-tenant", Key: map[string]any{"tenant": "acme"}, Limit: 5, Attributes: []string{"product", "tenant"}},
		{Name: "tier", Table: "subscriptions", Key: map[string]any{"pk": "prod#u1", "sk": json.Number("1")}, Consistent: true, Attributes: []string{"pk", "plan", "sk"}, Cache: time.Minute},
	})
	equal(t, "tables", prog.Tables(), []program.Table{
		{Name: "other", Get: true, Query: true},
		{Name: "subscriptions", Get: true, Indexes: []string{"by-tenant"}},
	})
	// What users may write decides what is looked up, so that the construct must know.
	equal(t, "attributes", prog.Attributes(), []string{"custom:none", "custom:tenant", "none", "sub"})

	if got := mustCompile(t, "claims: {a: {value: 1}}").Lookups(program.SignIn{}); got != nil {
		t.Errorf("without lookups: %v", got)
	}
}

func TestLookupProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []problemCase{
		{"a rule about a field that no row has", "lookups: {tier: {table: t, key: {pk: user.name}, type: {plan: string}}}\nclaims: {tier: {expr: lookup.tier}, plan: {expr: lookup.tier.plan}}\nauthorizers: {A: {default: [{rule: claims.tier.pln == ''}, {rule: claims.plan == 3}]}}", `
p.yaml:3:47: authorizers.A.default[0].rule: claims.tier has no field "pln" (did you mean "plan"?); it has plan
    claims.tier.pln == ''
               ^
p.yaml:3:79: authorizers.A.default[1].rule: types do not fit: string == int
    claims.plan == 3
                ^`},
		{"an expression about rows", "lookups: {tier: {table: t, key: {pk: user.name}, type: {plan: string}}}\nclaims: {a: {expr: lookup.tire.plan}, b: {expr: lookup.tier.plna}, c: {expr: lookup}}", `
p.yaml:2:26: claims.a.expr: lookup has no field "tire" (did you mean "tier"?); it has tier
    lookup.tire.plan
          ^
p.yaml:2:60: claims.b.expr: lookup.tier has no field "plna" (did you mean "plan"?); it has plan
    lookup.tier.plna
               ^
p.yaml:2:78: claims.c.expr: yields lookup, which Cognito cannot carry: a token carries strings, numbers, booleans, lists of those, and objects`},
		{"no lookups", "claims: {a: {expr: lookup.tier}}", `
p.yaml:1:26: claims.a.expr: lookup has no field "tier"; it has none
    lookup.tier
          ^`},
		{"rows in a token", "lookups: {tier: {table: t, key: {pk: user.name}, type: {plan: string}, limit: 2}}\nclaims: {a: {expr: lookup.tier}}",
			`p.yaml:2:20: claims.a.expr: yields list(lookup.tier), which Cognito cannot carry: a list in a token holds strings, numbers and booleans, no lists or objects`},
		{"a key that depends on a row", "lookups: {a: {table: t, key: {pk: lookup.b.x}, type: {x: string}}}", `
p.yaml:1:35: lookups.a.key.pk: unknown name "lookup"; known here are client, params, pool, scopes, trigger, user
    lookup.b.x
    ^`},
		{"nothing said", "lookups: {a: {}}", `
p.yaml:1:11: lookups.a: table "": give the table a name, a letter followed by letters, digits and underscores
p.yaml:1:11: lookups.a: has no key; give an expression for each key attribute, such as key: {pk: "user.attributes.sub"}
p.yaml:1:11: lookups.a: does not say what a row holds; give type, a mapping of its attributes to types, such as type: {plan: string}`},
		{"everything wrong", "lookups: {'a-b': {table: 'x y', key: {a: 'true', b: '[1]', c: '1'}, type: {plan: sting}, index: ix, consistent: true, limit: 101, cacheSeconds: 1000, onMissing: omitt, onError: {action: omit, default: {plan: x}}, when: '1'}}", `
p.yaml:1:11: lookups["a-b"]: lookup "a-b": a name is a letter followed by letters, digits and underscores
p.yaml:1:11: lookups["a-b"]: table "x y": give the table a name, a letter followed by letters, digits and underscores
p.yaml:1:33: lookups["a-b"].key: has 3 attributes; a key has a partition key and at most a sort key
p.yaml:1:42: lookups["a-b"].key.a: must yield a string or a number, but yields bool
p.yaml:1:53: lookups["a-b"].key.b: must yield a string or a number, but yields list(int)
p.yaml:1:69: lookups["a-b"].type: type "sting" is unknown (did you mean "string"?); allowed are string, bool, int, double, any, list(T), map(T) and a mapping of fields to types
p.yaml:1:97: lookups["a-b"].index: "ix" is no name of an index: 3 to 255 letters, digits, dots, dashes and underscores
p.yaml:1:113: lookups["a-b"].consistent: a global secondary index has no consistent reads, and what kind this one is the policy does not know; remove it, or look the row up in the table
p.yaml:1:126: lookups["a-b"].limit: is 101; allowed are 1 to 100 rows
p.yaml:1:145: lookups["a-b"].cacheSeconds: is 1000; allowed are 1 to 900, or nothing for no cache
p.yaml:1:162: lookups["a-b"].onMissing: "omitt" is unknown (did you mean "omit"?); allowed are "deny", "omit" and {default: …}
p.yaml:1:193: lookups["a-b"].onError.default: there is an action too; give one of the two
p.yaml:1:193: lookups["a-b"].onError.default: must be a list of rows, since the lookup is a query
p.yaml:1:220: lookups["a-b"].when: must be true or false, but yields int`},
		{"an index without a limit", "lookups: {a: {table: t, key: {pk: user.name}, type: {plan: string}, index: by-name}}",
			`p.yaml:1:76: lookups.a.index: the rows of an index are queried, and there may be several: give limit, the largest number of rows`},
		{"defaults of another type", "lookups: {a: {table: t, key: {pk: user.name}, type: {plan: string, n: int}, onMissing: {default: {pln: x, n: 1.5}}, onError: {default: free}}, b: {table: t, key: {pk: user.name}, limit: 2, type: {plan: string}, onMissing: {default: [{plan: 1}, x]}}}", `
p.yaml:1:89: lookups.a.onMissing.default: lookup.a.n is no int
p.yaml:1:104: lookups.a.onMissing.default.pln: type declares no such field (did you mean "plan"?); it declares n, plan
p.yaml:1:136: lookups.a.onError.default: must be an object with the fields of type
p.yaml:1:234: lookups.b.onMissing.default[0]: lookup.b.plan is no string
p.yaml:1:245: lookups.b.onMissing.default[1]: must be an object with the fields of type`},
		{"of another kind", "lookups: {a: {table: [t], key: user.name, type: {plan: string}, limit: many, onMissing: [omit]}}", `
p.yaml:1:22: lookups.a.table: must be a string, found a list
p.yaml:1:32: lookups.a.key: must be a mapping, found the string "user.name"
p.yaml:1:72: lookups.a.limit: must be a positive whole number, found the string "many"
p.yaml:1:89: lookups.a.onMissing: must be a mapping, found a list`},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLookupWarnings(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
lookups:
  tier: {table: t, key: {pk: "user.name"}, type: {plan: string}, onMissing: omit}
  tenant: {table: t, key: {pk: "client.metadata[?'tenant']"}, type: {id: string}}
claims:
  bare: {expr: lookup.tier.plan}
  omitted: {expr: lookup.tier.plan, onError: omit}
  tested: {expr: "has(lookup.tier) ? lookup.tier.plan : 'free'"}
  optional: {expr: "lookup.?tier.?plan"}
  tenant: {expr: lookup.tenant.id}
authorizers: {A: {default: [{rule: "claims.tenant == 'acme'"}]}}
`)
	var got []string
	for _, w := range prog.Warnings() {
		got = append(got, w.ID)
	}
	slices.Sort(got)
	equal(t, "warnings", got, []string{"rowAttributeMayBeAbsent:claims.bare.expr", "rowAttributeMayBeAbsent:claims.tenant.expr",
		"rowAttributeMayBeAbsent:claims.tested.expr", "rowMayBeAbsent:claims.bare.expr", "untrustedMetadata:claims.tenant"})
}

// A row has its key; all else that is declared of it may be missing, and then fails what reads it bare.
func TestAttributesThatRowsMayLack(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
lookups:
  tier: {table: t, key: {pk: user.name}, type: {pk: string, plan: string, "e-mail": string, limits: {docs: int}, extra: any, tags: map(string)}}
  seats: {table: t, key: {pk: user.name}, limit: 3, type: {pk: string, product: string, limits: {docs: int}}, onMissing: {default: []}}
  partial: {table: t, key: {pk: user.name}, type: {pk: string, plan: string}, onMissing: {default: {plan: free}}}
  whole: {table: t, key: {pk: user.name}, type: {pk: string, plan: string}, onMissing: {default: {pk: none, plan: free}}, onError: {default: {pk: none}}}
  rows: {table: t, key: {pk: user.name}, limit: 3, type: {pk: string}, onMissing: {default: [{pk: a}, {}]}}
claims:
  bare: {expr: lookup.tier.plan}
  bareInside: {when: lookup.tier.limits.docs > 3, value: 1}
  bareBehind: {expr: lookup.tier.limits.?docs}
  testedBehind: {expr: "has(lookup.tier.limits.docs) ? lookup.tier.limits.docs : 0"}
  quoted: {expr: "lookup.tier['e-mail'] + lookup.tier.pk"}
  dynamic: {expr: lookup.tier.extra.x == 1 || lookup.tier.?tags.x.orValue('') == ''}
  loop: {expr: "lookup.seats.map(s, s.product)"}
  loopInside: {expr: "lookup.seats.filter(s, s.pk != '').exists(s, s.limits.docs > 1)"}
  index: {expr: "lookup.seats.size() > 0 ? lookup.seats[0].product : ''"}
  nested: {inner: {expr: lookup.tier.plan}}
  defaults: {expr: lookup.partial.pk + lookup.whole.pk}
  defaultRows: {expr: "lookup.rows.map(r, r.pk)"}
  unlike: {expr: "has(lookup.tier.plan) && lookup.partial.plan == lookup.tier.plan"}
  ok1: {expr: lookup.tier.?plan.orValue('')}
  ok2: {expr: "lookup.?tier.plan"}
  ok3: {expr: "has(lookup.tier.plan) ? lookup.tier.plan : ''"}
  ok4: {expr: lookup.tier.plan, onError: omit}
  ok5: {value: 1, when: lookup.tier.plan == 'x', onError: omit}
  ok6: {expr: lookup.tier.plan, when: has(lookup.tier.plan)}
  ok7: {expr: "lookup.seats.map(s, has(s.product), s.product)"}
  ok9: {expr: "lookup.seats.map(s, s.?product.orValue(''))"}
  ok10: {expr: "lookup.tier.?limits.docs"}
  ok11: {expr: lookup.tier}
  ok12: {expr: "has(lookup.tier.limits) && has(lookup.tier.limits.docs) ? lookup.tier.limits.docs : 0"}
  ok13: {expr: "has(lookup.tier['e-mail']) ? lookup.tier['e-mail'] : ''"}
groups: {expr: "[lookup.tier.plan]", when: has(lookup.tier.plan)}
scopes: {add: [{scope: s, when: lookup.tier.plan == 'pro'}], suppress: [{scope: b, when: lookup.tier.?plan.orValue('') == ''}]}
suppress: [{claim: email, tokens: [id], when: lookup.tier.plan == 'pro'}]
`)
	const fails, claim = " may be absent, since a row may lack it, and the sign-in is then refused; read it with .? and orValue, or test it with has()", ", or give the claim onError: omit"
	var got []string
	for _, w := range prog.Warnings() {
		got = append(got, w.ID+" "+w.Message)
	}
	slices.Sort(got)
	equal(t, "warnings", got, []string{
		"rowAttributeMayBeAbsent:claims.bare.expr lookup.tier.plan" + fails + claim,
		"rowAttributeMayBeAbsent:claims.bareBehind.expr lookup.tier.limits" + fails + claim,
		"rowAttributeMayBeAbsent:claims.bareInside.when lookup.tier.limits" + fails + claim,
		"rowAttributeMayBeAbsent:claims.defaultRows.expr lookup.rows.pk" + fails + claim,
		"rowAttributeMayBeAbsent:claims.defaults.expr lookup.partial.pk" + fails + claim,
		"rowAttributeMayBeAbsent:claims.dynamic.expr lookup.tier.extra" + fails + claim,
		"rowAttributeMayBeAbsent:claims.index.expr lookup.seats.product" + fails + claim,
		"rowAttributeMayBeAbsent:claims.loop.expr lookup.seats.product" + fails + claim,
		"rowAttributeMayBeAbsent:claims.loopInside.expr lookup.seats.limits" + fails + claim,
		"rowAttributeMayBeAbsent:claims.nested.inner.expr lookup.tier.plan" + fails + claim,
		`rowAttributeMayBeAbsent:claims.quoted.expr lookup.tier["e-mail"]` + fails + claim,
		"rowAttributeMayBeAbsent:claims.testedBehind.expr lookup.tier.limits" + fails + claim,
		"rowAttributeMayBeAbsent:claims.testedBehind.expr lookup.tier.limits" + fails + claim,
		"rowAttributeMayBeAbsent:claims.unlike.expr lookup.partial.plan" + fails + claim,
		"rowAttributeMayBeAbsent:scopes.add.0.when lookup.tier.plan" + fails,
		"rowAttributeMayBeAbsent:suppress.0.when lookup.tier.plan" + fails,
	})
}

func TestTheShippedLookupsMeanTheSame(t *testing.T) {
	t.Parallel()
	const text = `
lookups:
  tier: {table: t, key: {pk: "user.name", sk: "1.5"}, type: {plan: string, ratio: double}, consistent: true, cacheSeconds: 5, when: "true", onMissing: omit, onError: {default: {plan: free, ratio: 2}}}
  list: {table: t, index: by-a, limit: 2, key: {a: "user.name"}, type: {plan: "list(string)"}, onMissing: {default: []}}
claims: {plan: {expr: "lookup.?tier.?plan"}}
`
	shipped, err := json.Marshal(mustCompile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	again := mustCompile(t, string(shipped))
	if reshipped, err := json.Marshal(again); err != nil || string(reshipped) != string(shipped) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, reshipped, shipped)
	}
	in := program.SignIn{UserName: "u"}
	equal(t, "requests", again.Lookups(in), mustCompile(t, text).Lookups(in))
	in.Found = map[string]program.Found{"tier": {Problem: "x"}, "list": {}}
	equal(t, "minted", again.Mint(in), mustCompile(t, text).Mint(in))
}

// Compiling must not write to the caller's document.
func TestCompilingLookupsLeavesTheDocumentAlone(t *testing.T) {
	t.Parallel()
	p := Policy{Lookups: map[string]Lookup{"a": {Table: "t", Key: map[string]string{"pk": "user.name"},
		Type: Type{Fields: map[string]Type{"n": {Name: "int"}}}, OnMissing: Fallback{Default: map[string]any{"n": 1}}}}}
	if _, err := Compile(&p); err != nil {
		t.Fatal(err)
	}
	equal(t, "default", p.Lookups["a"].OnMissing.Default, any(map[string]any{"n": 1}))
}

func TestReasonsOfLookupsHoldNoData(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `{lookups: {a: {table: t, key: {pk: user.name}, type: {m: map(int)}}}, claims: {a: {expr: lookup.a}}}`)
	got := prog.Mint(program.SignIn{UserName: "secret", Found: map[string]program.Found{"a": {Rows: []row{{"m": row{"secret": "secret"}}}}}})
	if len(got.Refusals) != 1 || strings.Contains(got.Refusals[0].Message, "secret") {
		t.Errorf("refusals %v", got.Refusals)
	}
}
