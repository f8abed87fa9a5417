package policy

import (
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// mintCase is a sign-in and what a policy makes of it.
type mintCase struct {
	name     string
	claims   string // the policy's claims, as YAML in flow style
	signIn   program.SignIn
	access   map[string]any
	refusals []program.Reason
	omitted  []program.Reason
}

func (c mintCase) run(t *testing.T) {
	t.Parallel()
	got := mustCompile(t, "params: [stage]\nclaims: "+c.claims).Mint(c.signIn)
	equal(t, "issue", got.Issue, c.refusals == nil)
	equal(t, "access claims", got.Access, c.access)
	equal(t, "refusals", got.Refusals, c.refusals)
	equal(t, "omitted", got.Omitted, c.omitted)
}

func TestMint(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	owner := program.SignIn{
		UserName:       "owner",
		Attributes:     map[string]string{"custom:company_id": "acme", "email": "o@example.com", "custom:empty": ""},
		Groups:         []string{"owners", "auditors"},
		ClientID:       "web",
		ClientMetadata: map[string]string{"device": "phone"},
		Scopes:         []string{"openid"},
		TriggerSource:  "TokenGeneration_Authentication",
		PoolID:         "eu-west-1_A",
		PoolRegion:     "eu-west-1",
		Params:         map[string]string{"stage": "prod"},
	}
	machine := program.SignIn{UserName: "ClientCredentials", ClientID: "m2m", TriggerSource: "TokenGeneration_ClientCredentials"}

	for _, c := range []mintCase{
		{"no claims", "{}", owner, object{}, nil, nil},
		{"literals of every kind", `{s: {value: uk}, t: {value: true}, i: {value: 9007199254740993}, f: {value: 1.5}, l: {value: [1, a, false]}, o: {value: {a: {b: [2]}}}}`, owner,
			object{"s": "uk", "t": true, "i": int64(9007199254740993), "f": 1.5, "l": []any{int64(1), "a", false}, "o": object{"a": object{"b": []any{int64(2)}}}}, nil, nil},
		{"falsy literals", `{s: {value: ""}, t: {value: false}, i: {value: 0}, l: {value: []}, o: {value: {}}}`, owner,
			object{"s": "", "t": false, "i": int64(0), "l": []any{}, "o": object{}}, nil, nil},
		{"attribute", `{company: {attribute: "custom:company_id"}}`, owner, object{"company": "acme"}, nil, nil},
		{"attribute that the user lacks", `{a: {attribute: "custom:none"}, b: {attribute: "custom:empty"}}`, owner, object{}, nil, nil},
		{"required attribute that the user lacks", `{a: {attribute: "custom:none", required: true}, b: {attribute: "custom:empty", required: true}}`, owner, nil,
			reasons("claims.a", "is required, but the user has no value for it", "claims.b", "is required, but the user has no value for it"), nil},
		{"attribute read as something", `{l: {attribute: csv, as: list}, l0: {attribute: commas, as: list}, i: {attribute: int, as: int}, d: {attribute: double, as: double}, b: {attribute: bool, as: bool}, s: {attribute: int, as: string}, j: {attribute: json, as: json}, none: {attribute: nothing, as: int}}`,
			program.SignIn{Attributes: map[string]string{"csv": " a, b c ,,d", "commas": " , ,", "int": " 9007199254740993 ", "double": "2.0", "bool": "True", "json": `{"seats": 9007199254740993, "ratio": 1.5, "tags": ["a", 1.0, true]}`}},
			object{"l": []any{"a", "b c", "d"}, "i": int64(9007199254740993), "d": 2.0, "b": true, "s": " 9007199254740993 ",
				"j": object{"seats": int64(9007199254740993), "ratio": 1.5, "tags": []any{"a", int64(1), true}}}, nil, nil},
		{"attribute with something behind its JSON", `{a: {attribute: object, as: json}, b: {attribute: list, as: json}, c: {attribute: two, as: json}}`,
			program.SignIn{Attributes: map[string]string{"object": `{"a": 1}}`, "list": "[1]]", "two": "1 2"}}, nil,
			reasons("claims.a", "attribute: is no JSON", "claims.b", "attribute: is no JSON", "claims.c", "attribute: is no JSON"), nil},
		{"attribute that does not read so", `{i: {attribute: x, as: int}, i2: {attribute: y, as: int}, d: {attribute: x, as: double}, d2: {attribute: inf, as: double}, b: {attribute: x, as: bool}, j: {attribute: x, as: json}, j2: {attribute: two, as: json}, j3: {attribute: "null", as: json}, j4: {attribute: "deep", as: json}, j5: {attribute: lists, as: json}, o: {attribute: x, as: int, onError: omit}}`,
			program.SignIn{Attributes: map[string]string{"x": "secret", "y": "2.5", "inf": "Inf", "two": "1 2", "null": `{"a": {"b": null}}`, "deep": `[{"a": 1}]`, "lists": `[[1]]`}}, nil,
			reasons("claims.b", "attribute: is neither true nor false", "claims.d", "attribute: is no double", "claims.d2", "attribute: is no number that JSON can carry",
				"claims.i", "attribute: is no int", "claims.i2", "attribute: is no int", "claims.j", "attribute: is no JSON", "claims.j2", "attribute: is no JSON",
				"claims.j3", "attribute: holds null, which Cognito documents no way to carry", "claims.j4", "attribute: holds an object inside a list, which Cognito documents no way to carry",
				"claims.j5", "attribute: holds a list inside a list, which Cognito documents no way to carry"), nil},
		{"declared types", `{j: {attribute: json, as: json, type: {plan: string, limits: {seats: int, ratio: double}, tags: list(string), more: map(int), any: any}}, d: {expr: "dyn(2)", type: double}, i: {expr: "dyn(2.0)", type: int}, e: {expr: "dyn({'a': 1, 'b': 2})", type: {a: int}}}`,
			program.SignIn{Attributes: map[string]string{"json": `{"plan": "pro", "limits": {"seats": 3.0, "ratio": 2}, "tags": ["a"], "more": {"x": 1}, "any": [1], "beyond": "left out"}`}},
			object{"j": object{"plan": "pro", "limits": object{"seats": int64(3), "ratio": 2.0}, "tags": []any{"a"}, "more": object{"x": int64(1)}, "any": []any{int64(1)}},
				"d": 2.0, "i": int64(2), "e": object{"a": int64(1)}}, nil, nil},
		{"values of another type than declared", `{j: {attribute: json, as: json, type: {limits: {seats: int}}}, d: {expr: "dyn('secret')", type: int}, m: {expr: "dyn({'secret': 'secret'})", type: map(int)}, o: {expr: "dyn('secret')", type: bool, onError: omit}}`,
			program.SignIn{Attributes: map[string]string{"json": `{"limits": {"seats": "secret"}}`}}, nil,
			reasons("claims.d", "type: claims.d is no int", "claims.j", "type: claims.j.limits.seats is no int", "claims.m", "type: claims.m[…] is no int"), nil},
		{"when", `{a: {value: 1, when: "'owners' in user.groups"}, b: {value: 1, when: "'editors' in user.groups"}}`, owner, object{"a": int64(1)}, nil, nil},
		{"required only while when holds", `{a: {attribute: x, required: true, when: "'editors' in user.groups"}}`, owner, object{}, nil, nil},
		{"the whole environment", `{e: {expr: "[user.name, user.attributes.email, user.groups[0], client.id, client.metadata.device, scopes[0], trigger.source, pool.id, pool.region, params.stage]"}}`, owner,
			object{"e": []any{"owner", "o@example.com", "owners", "web", "phone", "openid", "TokenGeneration_Authentication", "eu-west-1_A", "eu-west-1", "prod"}}, nil, nil},
		{"machine: empty, never null", `{g: {expr: "user.groups.size() + user.attributes.size() + client.metadata.size() + scopes.size()"}}`, machine, object{"g": int64(0)}, nil, nil},
		{"values of expressions", `{i: {expr: "1 + 1"}, u: {expr: "2u"}, d: {expr: "4.0 / 2.0"}, l: {expr: "user.groups.filter(g, g.startsWith('o'))"}, m: {expr: "{'a': {'b': [1, 'x']}}"}}`, owner,
			object{"i": int64(2), "u": int64(2), "d": 2.0, "l": []any{"owners"}, "m": object{"a": object{"b": []any{int64(1), "x"}}}}, nil, nil},
		{"optional results", `{a: {expr: "user.attributes[?'email']"}, b: {expr: "user.attributes[?'none']"}, c: {expr: "user.attributes[?'none']", required: true}}`, owner, nil,
			reasons("claims.c", "is required, but the user has no value for it"), nil},
		{"nesting", `{roles: {owner: {when: "'owners' in user.groups", value: {p: full}}, editor: {when: "'editors' in user.groups", value: {p: edit}}}}`, owner,
			object{"roles": object{"owner": object{"p": "full"}}}, nil, nil},
		{"nothing nested is minted", `{roles: {owner: {when: "'owners' in user.groups", value: 1}}, more: {claims: {deep: {er: {attribute: none}}}}}`, machine, object{}, nil, nil},
		{"condition on a group of claims", `{roles: {when: "'owners' in user.groups", claims: {value: {value: 1}, when: {value: 2}}}}`, owner, object{"roles": object{"value": int64(1), "when": int64(2)}}, nil, nil},
		{"required group of claims", `{roles: {required: true, claims: {a: {attribute: none}}}}`, owner, nil, reasons("claims.roles", "is required, but the user has no value for it"), nil},
		{"required nested claim", `{roles: {a: {attribute: none, required: true}}}`, owner, nil, reasons("claims.roles.a", "is required, but the user has no value for it"), nil},
		{"names of any kind", `{"https://example.com/roles": {a.b: {value: 1}, "c d": {value: 2}}}`, owner, object{"https://example.com/roles": object{"a.b": int64(1), "c d": int64(2)}}, nil, nil},
		{"an error refuses", `{a: {expr: "user.attributes['secret-name']"}, b: {value: 1, when: "int(user.attributes.email) > 0"}, c: {expr: "1 / (user.groups.size() - 2)"}}`, owner, nil,
			reasons("claims.a", "expr: no such key", "claims.b", "when: a value could not be converted", "claims.c", "expr: division by zero"), nil},
		{"an error omits where the policy says so", `{a: {expr: "user.attributes['none']", onError: omit}, b: {x: {expr: "user.groups[9]", onError: omit}}, c: {value: 1, onError: omit, when: "user.groups[9] == ''"}, d: {value: 2}}`, owner,
			object{"d": int64(2)}, nil, reasons("claims.a", "expr: no such key", "claims.b.x", "expr: index out of bounds", "claims.c", "when: index out of bounds")},
		{"values that appear only at run time", `{a: {expr: "dyn([[1]])"}, b: {expr: "dyn([{'a': 1}])"}, c: {expr: "dyn({1: 2})"}, d: {expr: "dyn({'a': null})"}, e: {expr: "0.0 / double(user.groups.size() - 2)"}, f: {expr: "18446744073709551615u"}, g: {expr: "dyn(bytes(user.name))"}}`, owner, nil,
			reasons("claims.a", "holds a list inside a list, which Cognito documents no way to carry",
				"claims.b", "holds an object inside a list, which Cognito documents no way to carry",
				"claims.c", "yields an object whose keys are no strings",
				"claims.d", "yields a value of type null_type, which a token cannot carry",
				"claims.e", "yields a number that JSON cannot carry",
				"claims.f", "yields an integer beyond 64 bits",
				"claims.g", "yields a value of type bytes, which a token cannot carry"), nil},
	} {
		t.Run(c.name, c.run)
	}
}

func TestMintTokens(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
claims:
  a: {value: 1}
  b: {value: 2, tokens: [id]}
  c: {value: 3, tokens: [access, id]}
  email: {value: hidden, tokens: [id], when: "'owners' in user.groups"}
suppress:
  - {claim: "custom:secret", tokens: [id]}
  - {claim: "cognito:groups", tokens: [access, id], when: "'hidden' in user.groups"}
  - {claim: "custom:secret", tokens: [id]}
`)
	got := prog.Mint(program.SignIn{Groups: []string{"hidden"}})
	equal(t, "access", got.Access, map[string]any{"a": int64(1), "c": int64(3)})
	equal(t, "id", got.ID, map[string]any{"b": int64(2), "c": int64(3)})
	equal(t, "suppressed in access", got.SuppressInAccess, []string{"cognito:groups"})
	equal(t, "suppressed in id", got.SuppressInID, []string{"custom:secret", "cognito:groups"})
	equal(t, "groups are left alone", got.ReplaceGroups, false)
}

func TestMintGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		groups string
		want   program.Minted
	}{
		{`{expr: "user.groups.filter(g, !g.startsWith('internal-'))"}`, program.Minted{Issue: true, ReplaceGroups: true, Groups: []string{"owners"}}},
		{`{expr: "[]"}`, program.Minted{Issue: true, ReplaceGroups: true, Groups: []string{}}},
		{`{expr: "user.groups", when: "user.name == 'x'"}`, program.Minted{Issue: true}},
		{`{expr: "[user.groups[7]]"}`, program.Minted{Refusals: reasons("groups", "expr: index out of bounds")}},
		{`{expr: "user.groups", when: "user.groups[7] == ''"}`, program.Minted{Refusals: reasons("groups", "when: index out of bounds")}},
		{`{expr: "dyn([user.name, dyn(1)])"}`, program.Minted{Refusals: reasons("groups", "expr: yields a group that is no string")}},
	} {
		got := mustCompile(t, "groups: "+c.groups).Mint(program.SignIn{Groups: []string{"owners", "internal-x"}})
		got.Access, got.ID = nil, nil
		equal(t, c.groups, got, c.want)
	}
}

func TestMintKeepsWithinLimits(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
tokenBudget: 2000
claims: {bio: {attribute: bio}, note: {attribute: note}, "for/id": {attribute: bio, tokens: [id]}}
scopes: {add: [s]}
`)
	fits := prog.Mint(program.SignIn{Attributes: map[string]string{"bio": strings.Repeat("b", 300), "note": strings.Repeat("n", 50)}})
	equal(t, "a token within the budget", fits.Issue, true)
	large := prog.Mint(program.SignIn{
		Attributes: map[string]string{"bio": strings.Repeat("b", 500), "note": strings.Repeat("\"", 50)},
		Groups:     []string{strings.Repeat("g", 100)}, Scopes: []string{"openid"},
	})
	equal(t, "a token beyond it", large, program.Minted{Refusals: reasons("tokenBudget",
		"the access token would have about 2390 bytes, at most 2000 are allowed; the biggest parts are claims.bio (509 bytes), claims.note (110 bytes), groups (103 bytes)")})

	scopes := make([]string, contract.MaxClaims)
	equal(t, "more claims and scopes than the quota", mustCompile(t, "tokenBudget: 10000000").Mint(program.SignIn{Scopes: scopes}), program.Minted{Refusals: reasons("claims",
		"there would be 5050 claims and scopes in the tokens; Cognito's quota is 5000")})
}

func TestMintScopes(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
scopes:
  add: [documents/read, {scope: documents/write, when: "'owners' in user.groups"}, {scope: documents/write, when: "'owners' in user.groups"}]
  suppress: [aws.cognito.signin.user.admin, {scope: openid, when: "user.groups.size() == 0"}]
`)
	owner := prog.Mint(program.SignIn{Groups: []string{"owners"}})
	equal(t, "owner adds", owner.ScopesToAdd, []string{"documents/read", "documents/write"})
	equal(t, "owner suppresses", owner.ScopesToSuppress, []string{"aws.cognito.signin.user.admin"})
	outsider := prog.Mint(program.SignIn{})
	equal(t, "outsider adds", outsider.ScopesToAdd, []string{"documents/read"})
	equal(t, "outsider suppresses", outsider.ScopesToSuppress, []string{"aws.cognito.signin.user.admin", "openid"})

	broken := mustCompile(t, `scopes: {add: [{scope: a, when: "user.groups[0] == 'x'"}]}`).Mint(program.SignIn{})
	equal(t, "a condition that fails", broken, program.Minted{Refusals: reasons("scopes.add[0]", "when: index out of bounds")})
}

// What minting says of a failure goes to the log, so no value of the environment may be in it.
func TestReasonsHoldNoValues(t *testing.T) {
	t.Parallel()
	const secret = "planted-secret"
	signIn := program.SignIn{
		UserName: secret, Attributes: map[string]string{secret: secret, "a": secret}, Groups: []string{secret},
		ClientMetadata: map[string]string{secret: secret}, Scopes: []string{secret},
	}
	for _, expr := range []string{
		"int(user.name)", "double(user.attributes.a)", "bool(user.groups[0])", "timestamp(user.name).getFullYear()",
		"duration(user.name).getSeconds()", "{'x': 1}[user.name]", "user.attributes[user.groups[0] + '!']", "dyn(user.name) + 1",
		"dyn(user.name).foo", "user.name.matches(user.attributes.a + '(')", "user.name.substring(100)", "user.name.charAt(-1)",
		"math.greatest([dyn(user.name), 1])", "optional.none().value()", "'%d'.format([dyn(user.name)])",
		"user.groups.slice(3, 4)", "dyn(user.groups).all(g, g)", "user.name.substring(3, 1)",
		"[dyn(user.name), dyn(1)].sort()", "user.name.replace('p', 'q', 1).split('e')[100]",
	} {
		p := &Policy{Claims: map[string]Claim{"a": {Expr: expr}}}
		prog, err := Compile(p)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		minted := prog.Mint(signIn)
		if minted.Issue {
			t.Errorf("%s: yields %v, so nothing is tested", expr, minted.Access)
		}
		for _, r := range minted.Refusals {
			if strings.Contains(r.Message, secret) || strings.Contains(r.Path, secret) {
				t.Errorf("%s: %v", expr, r)
			}
		}
	}
}
