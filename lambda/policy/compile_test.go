package policy

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// problemCase is a policy with mistakes and the exact text of what is said about them.
type problemCase struct {
	name, policy, want string
}

func (c problemCase) run(t *testing.T) {
	t.Parallel()
	p, err := Parse("p.yaml", []byte(c.policy))
	if err == nil {
		_, err = Compile(p)
	}
	problems, _ := errors.AsType[Problems](err)
	if got, want := problems.Error(), strings.TrimPrefix(c.want, "\n"); got != want {
		t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
	for _, p := range problems {
		placed(t, c.policy, p)
	}
}

// placed checks that the place in the file and the caret in the excerpt show the same text.
func placed(t *testing.T, policy string, p Problem) {
	t.Helper()
	text, caret, ok := strings.Cut(p.Excerpt, "\n")
	if !ok {
		return // not about an expression
	}
	line := strings.Split(policy, "\n")[p.Line-1]
	if !strings.Contains(line, text) {
		return // the expression's text is not in the file as it is
	}
	if at := len(caret) - 1; !strings.HasPrefix(line[p.Column-1:], text[min(at, len(text)):]) {
		t.Errorf("%d:%d is not where the caret is:\n%s", p.Line, p.Column, p)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []problemCase{
		// The document.
		{"no YAML", "claims: [", `p.yaml:2:1: not valid YAML: did not find expected node content`},
		{"empty", "# nothing\n", `p.yaml:1:1: the document is empty; a policy is a mapping with keys such as claims and authorizers`},
		{"not UTF-8", "claims: \xff", `p.yaml:1:1: the document is not UTF-8 text`},
		{"a list", "[1]", `p.yaml:1:1: must be a mapping, found a list`},
		{"unknown key", "clams: {}\nfoo: 1", `
p.yaml:1:1: unknown key "clams" (did you mean "claims"?); allowed are "params", "lookups", "claims", "suppress", "scopes", "resourceServers", "groups", "tokenBudget" or "authorizers"
p.yaml:2:1: unknown key "foo"; allowed are "params", "lookups", "claims", "suppress", "scopes", "resourceServers", "groups", "tokenBudget" or "authorizers"`},
		{"duplicate key", "claims:\n  a: {value: 1}\n  a: {value: 2}", `p.yaml:3:3: claims: key "a" is given twice, first in line 2`},
		{"null", "claims:", `p.yaml:1:8: claims: is null; give a value or leave the key out`},
		{"merge key", "claims:\n  a: &a {value: 1}\n  b: {<<: *a}", `p.yaml:3:7: claims.b: merge keys (<<) are not supported; write the keys out, or use an alias for the whole value`},
		{"key of another kind", "claims: {1: {value: 1}}", `p.yaml:1:10: claims: a key must be a string, found the number 1; quote it`},
		{"several documents", "claims: {a: {value: 1}}\n---\nclaims: {b: {value: 1}}", `p.yaml:2:1: a second document begins; a policy is one document`},
		{"wrong kinds", "params: stage\nclaims:\n  a: {value: 1, required: 'yes', when: [true]}\n  b: 3", `
p.yaml:1:9: params: must be a list, found the string "stage"
p.yaml:3:27: claims.a.required: must be true or false, found the string "yes"
p.yaml:3:40: claims.a.when: must be a string, found a list
p.yaml:4:6: claims.b: must be a mapping, found the number 3`},
		{"an alias of itself", "claims:\n  a: &a {claims: {b: *a}}", `p.yaml:2:6: claims.a` + strings.Repeat(".b", 16) + `: nested more than 32 deep`},

		// Params.
		{"params", "params: [ok, 1x, ok]\nclaims: {a: {expr: params.okay}}", `
p.yaml:1:14: params[1]: param "1x": a name is a letter followed by letters, digits and underscores
p.yaml:1:18: params[2]: param "ok" is declared twice
p.yaml:2:26: claims.a.expr: params has no field "okay"; it has 1x, ok
    params.okay
          ^`},

		// Claims.
		{"no source", "claims: {a: {required: true}, b: {}}", `
p.yaml:1:10: claims.a: says nothing about where the value comes from; give one of "value", "attribute", "expr", "code" or "claims"
p.yaml:1:31: claims.b: says nothing about where the value comes from; give one of "value", "attribute", "expr", "code" or "claims"`},
		{"two sources", "claims: {a: {value: 1, expr: '2'}}", `p.yaml:1:10: claims.a: has value and expr; a claim has exactly one of them`},
		{"misspelt field", "claims: {a: {atribute: 'custom:x'}}", `p.yaml:1:14: claims.a: unknown key "atribute" (did you mean "attribute"?); allowed are "value", "attribute", "as", "expr", "code", "claims", "when", "required", "onError", "type" or "tokens"`},
		{"nested claims beside fields", "claims: {a: {when: 'true', owner: {value: 1}}}", `p.yaml:1:28: claims.a: unknown key "owner"; nested claims beside fields of the outer claim go under "claims"`},
		{"no nested claims", "claims: {a: {claims: {}}}", `p.yaml:1:10: claims.a: has no nested claims; give it some or remove it`},
		{"onError", "claims: {a: {value: 1, onError: ommit}, b: {value: 1, onError: omit, required: true}}", `
p.yaml:1:33: claims.a.onError: "ommit" is unknown (did you mean "omit"?); allowed are "deny" and "omit"
p.yaml:1:41: claims.b: cannot be required and omitted on an error; remove one of the two`},
		{"null inside a literal", "claims: {a: {value: {b: null, c: [~]}}}", `
p.yaml:1:25: claims.a.value.b: is null; give a value or leave the key out
p.yaml:1:35: claims.a.value.c[0]: is null; give a value or leave the key out`},
		{"lists in lists", "claims: {a: {value: [[1]]}, b: {value: [{c: 1}]}}", `
p.yaml:1:22: claims.a.value[0]: is a list or object inside a list, which Cognito documents no way to carry; use an object with names instead
p.yaml:1:41: claims.b.value[0]: is a list or object inside a list, which Cognito documents no way to carry; use an object with names instead`},
		{"numbers that JSON lacks", "claims: {a: {value: .inf}, b: {value: 99999999999999999999}}", `
p.yaml:1:21: claims.a.value: .inf is no number that JSON can carry
p.yaml:1:39: claims.b.value: 99999999999999999999 is beyond a 64-bit integer; quote it to mint a string`},
		{"binary", "claims: {a: {value: !!binary aGk=}}", `p.yaml:1:21: claims.a.value: YAML tag !!binary cannot be carried in a token; allowed are strings, numbers, booleans, lists and mappings`},

		{"as and type", "claims: {a: {attribute: x, as: split}, b: {value: 1, as: int}, c: {attribute: x, type: int}, d: {expr: 'dyn(1)', type: sting}, e: {attribute: x, as: json, type: 'list(list(int))'}, f: {expr: '1', type: string}, g: {expr: 'dyn(1)', type: {h: map(x)}}}", `
p.yaml:1:32: claims.a.as: "split" is unknown; allowed are "string", "list", "int", "double", "bool" or "json"
p.yaml:1:58: claims.b.as: is about how an attribute is read; remove it, or give an attribute
p.yaml:1:88: claims.c.type: is for an expr, for an attribute that is read as json, or for code; the type of anything else is known
p.yaml:1:120: claims.d.type: type "sting" is unknown (did you mean "string"?); allowed are string, bool, int, double, any, list(T), map(T) and a mapping of fields to types
p.yaml:1:162: claims.e.type: type "list(list(int))" is a list of lists or objects, which Cognito documents no way to carry
p.yaml:1:203: claims.f.type: is string, but the expression yields int
p.yaml:1:232: claims.g.type: type "x" is unknown; allowed are string, bool, int, double, any, list(T), map(T) and a mapping of fields to types`},
		{"tokens", "claims: {a: {value: 1, tokens: [acess]}, b: {value: 1, tokens: []}, sub: {value: x, tokens: [id]}, address: {value: {street: x}, tokens: [id]}, c: {claims: {d: {value: 1, tokens: [id]}}}}", `
p.yaml:1:33: claims.a.tokens[0]: "acess" is unknown (did you mean "access"?); allowed are "access" and "id"
p.yaml:1:56: claims.b.tokens: names no token; allowed are "access" and "id"
p.yaml:1:69: claims.sub: claim "sub" is protected by Cognito and cannot be set in an ID token; choose another name
p.yaml:1:100: claims.address: claim "address" of an ID token must be a string, number or boolean, not of type object
p.yaml:1:172: claims.c.d.tokens: a nested claim is where the outer one is; remove it, or give it to the outer claim`},
		{"a rule about a claim of the ID token", "claims: {a: {value: 1, tokens: [id]}}\nauthorizers: {A: {default: [{rule: claims.a == 1}]}}", `
p.yaml:2:42: authorizers.A.default[0].rule: no claim "a" is minted, nor does Cognito put it into an access token
    claims.a == 1
          ^`},
		{"suppress", "claims: {a: {value: 1, tokens: [id]}}\nsuppress: [{claim: email}, {claim: sub, tokens: [id]}, {claim: a, tokens: [id]}, {claim: 'cognito:roles', tokens: [id]}, {claim: scope}, {tokens: [id]}, {claim: email, tokens: [id], when: '1'}, {claim: 'cognito:username', tokens: [id]}]", `
p.yaml:2:12: suppress[0]: claim "email" is in no access token unless the policy mints it; give tokens: [id], or remove the entry
p.yaml:2:28: suppress[1]: claim "sub" is protected by Cognito and cannot be suppressed
p.yaml:2:56: suppress[2]: claim "a" of the same token is minted too; Cognito lets the suppression win: remove one of the two
p.yaml:2:82: suppress[3]: claim "cognito:roles" goes with the groups; suppress "cognito:groups"
p.yaml:2:122: suppress[4]: claim "scope" is made by Cognito from the token's scopes; use scopes.suppress
p.yaml:2:138: suppress[5]: has no claim; give its name, such as "email"
p.yaml:2:189: suppress[6].when: must be true or false, but yields int
p.yaml:2:195: suppress[7]: claim "cognito:username" is protected by Cognito and cannot be suppressed`},
		{"groups", "groups: {when: 'true'}", `p.yaml:1:1: groups: has a when but no expr; give an expression that yields the groups`},
		{"groups of another type", "groups: {expr: user.name, when: user.name}", `
p.yaml:1:16: groups.expr: must yield a list of strings, but yields string
p.yaml:1:33: groups.when: must be true or false, but yields string`},
		{"token budget", "tokenBudget: 100", `p.yaml:1:14: tokenBudget: 100 bytes are too few: Cognito's own claims take about 1410`},
		{"token budget of nothing", "tokenBudget: 0", `p.yaml:1:14: tokenBudget: must be a positive whole number, found the number 0`},
		{"empty text", "claims: {a: {value: 1, when: ''}, b: {attribute: '', value: ''}}\nscopes: {add: [{scope: s, when: ''}]}", `
p.yaml:1:30: claims.a.when: is empty; give a value or leave the key out
p.yaml:1:50: claims.b.attribute: is empty; give a value or leave the key out
p.yaml:2:33: scopes.add[0].when: is empty; give a value or leave the key out`},
		{"listed twice", "claims: {a: {value: 1, tokens: [id, id]}}\nscopes: {add: [s, {scope: s, when: \"user.name == ''\"}, s]}\nauthorizers: {A: {default: [{rule: 'true'}], context: [sub, sub]}}", `
p.yaml:1:37: claims.a.tokens[1]: "id" is listed twice
p.yaml:2:19: scopes.add[1]: scope "s" is listed before, without a condition; remove one of the two
p.yaml:2:56: scopes.add[2]: scope "s" is listed before, without a condition; remove one of the two
p.yaml:3:61: authorizers.A.context[1]: claim "sub" is listed twice`},
		{"token budget of another kind", "tokenBudget: 8k", `p.yaml:1:14: tokenBudget: must be a positive whole number, found the string "8k"`},
		{"token that is too large for sure", "tokenBudget: 1600\nclaims: {a: {value: " + strings.Repeat("x", 90) + "}, b: {value: [" + strings.Repeat("y", 60) + "]}, c: {value: z}}\nscopes: {add: [documents/read]}", `p.yaml:1:14: tokenBudget: the access token would have about 1665 bytes, at most 1600 are allowed; the biggest parts are claims.a (97 bytes), claims.b (69 bytes), scopes (17 bytes); make them smaller, or raise tokenBudget if what carries the token allows it`},
		{"context", "authorizers: {A: {default: [{rule: 'true'}], context: [sub, clientid]}}", `p.yaml:1:61: authorizers.A.context[1]: no claim "clientid" is minted, nor does Cognito put it into an access token (did you mean "client_id"?)`},

		// Expressions.
		{"syntax", "claims:\n  a:\n    expr: \"'x' in user.groups ?\"\n  b: {expr: \"1 +* 2\"}\n  c: {expr: \"'\"}", `
p.yaml:3:32: claims.a.expr: syntax error: unexpected end of the expression
    'x' in user.groups ?
                        ^
p.yaml:4:17: claims.b.expr: syntax error: unexpected '*'
    1 +* 2
       ^
p.yaml:5:14: claims.c.expr: syntax error: unexpected '''
    '
    ^
p.yaml:5:15: claims.c.expr: syntax error: unexpected end of the expression
    '
     ^`},
		{"unknown name", "claims: {a: {expr: usr.name}, b: {expr: 'siize(user.name)'}, c: {expr: \"user.name.upper()\"}}", `
p.yaml:1:20: claims.a.expr: unknown name "usr" (did you mean "user"?); known here are client, lookup, params, pool, scopes, trigger, user
    usr.name
    ^
p.yaml:1:47: claims.b.expr: unknown function "siize" (did you mean "size"?)
    siize(user.name)
         ^
p.yaml:1:88: claims.c.expr: unknown function "upper"
    user.name.upper()
                   ^`},
		{"condition that is none", "claims: {a: {value: 1, when: user.name}}", `p.yaml:1:30: claims.a.when: must be true or false, but yields string`},
		{"what a token cannot carry", "claims: {a: {expr: '[[1]]'}, b: {expr: '{1: 2}'}, c: {expr: \"timestamp('2026-01-01T00:00:00Z')\"}, d: {expr: 'null'}}", `
p.yaml:1:20: claims.a.expr: yields list(list(int)), which Cognito cannot carry: a list in a token holds strings, numbers and booleans, no lists or objects
p.yaml:1:40: claims.b.expr: yields map(int, int), which Cognito cannot carry: the keys of an object in a token are strings
p.yaml:1:61: claims.c.expr: yields timestamp, which Cognito cannot carry: a token carries strings, numbers, booleans, lists of those, and objects
p.yaml:1:109: claims.d.expr: yields null, which Cognito cannot carry: a token carries strings, numbers, booleans, lists of those, and objects`},
		{"too costly", "claims: {a: {expr: \"user.groups.all(a, user.groups.all(b, user.groups.all(c, a + b != c)))\"}}",
			`p.yaml:1:20: claims.a.expr: the expression may cost 84060603 steps; at most 10000000 are allowed: avoid loops inside loops and repeated text operations`},
		{"regular expression", "claims: {a: {expr: \"user.name.matches('(')\"}}", "p.yaml:1:20: claims.a.expr: cannot be evaluated: error parsing regexp: missing closing ): `(`"},
		{"a constant that no map has as a key", "claims: {a: {expr: \"{b'a': 1}.size()\"}}", `p.yaml:1:20: claims.a.expr: cannot be evaluated: a constant in it is not allowed there`},
		{"a value that no policy has", "claims: {a: {expr: 'google.protobuf.Int64Value{value: 1} == 1'}}", `p.yaml:1:20: claims.a.expr: cannot be evaluated: there are no values of type google.protobuf.Int64Value`},
		{"block and folded text", `claims:
  a:
    expr: |
      user.name +

        user.nam
  b:
    expr: >
      user.name +
      user.nam
`, `
p.yaml:6:13: claims.a.expr: user has no field "nam" (did you mean "name"?); it has attributes, groups, name
      user.nam
          ^
p.yaml:8:11: claims.b.expr: user has no field "nam" (did you mean "name"?); it has attributes, groups, name
    user.name + user.nam
                    ^`},

		// Scopes.
		{"scopes", "scopes:\n  add: [a, 'b c', {scope: ''}, {when: 'true'}]\n  suppress: [a, {scope: d, when: '1'}]", `
p.yaml:2:12: scopes.add[1]: scope "b c" contains a blank; write one entry for each scope
p.yaml:2:27: scopes.add[2].scope: is empty; give a value or leave the key out
p.yaml:2:32: scopes.add[3]: has no scope; give its name, such as "documents/read"
p.yaml:3:14: scopes.suppress[0]: scope "a" is added too, always; Cognito lets the suppression win: remove one of the two
p.yaml:3:34: scopes.suppress[1].when: must be true or false, but yields int`},

		// Authorizers.
		{"authorizer", "authorizers:\n  'my api': {default: [{rule: 'true'}]}\n  B: {}\n  C: {routes: {'GET /x': []}}", `
p.yaml:2:3: authorizers["my api"]: authorizer "my api": a name is a letter followed by letters and digits, since it becomes part of construct ids
p.yaml:3:3: authorizers.B: has no rules, so it would refuse every request; give it default or routes
p.yaml:4:16: authorizers.C.routes["GET /x"]: has no rules; write {rule: "true"} to accept every verified token that meets the default rules`},
		{"route key", "authorizers: {A: {routes: {'get /x': [{rule: 'true'}], '/x': [{rule: 'true'}], 'GET x': [{rule: 'true'}]}}}", `
p.yaml:1:28: authorizers.A.routes["get /x"]: "get /x" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"
p.yaml:1:56: authorizers.A.routes["/x"]: "/x" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"
p.yaml:1:80: authorizers.A.routes["GET x"]: "GET x" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"`},
		{"rule", "authorizers: {A: {default: [{message: x}, {rule: claims.sub}]}}", `
p.yaml:1:29: authorizers.A.default[0]: has no rule; give an expression that is true when the request is allowed
p.yaml:1:50: authorizers.A.default[1].rule: must be true or false, but yields string`},

		// The loop between the two halves.
		{"claim that nobody mints", "claims: {compliance_level: {value: high}}\nauthorizers: {A: {default: [{rule: \"claims.complaince_level == 'high'\"}]}}", `
p.yaml:2:43: authorizers.A.default[0].rule: no claim "complaince_level" is minted, nor does Cognito put it into an access token (did you mean "compliance_level"?); minted are compliance_level
    claims.complaince_level == 'high'
          ^`},
		{"no claims at all", "authorizers: {A: {default: [{rule: \"claims.tier == 3\"}]}}", `
p.yaml:1:43: authorizers.A.default[0].rule: no claim "tier" is minted, nor does Cognito put it into an access token
    claims.tier == 3
          ^`},
		{"wrong nested field", "claims: {roles: {owner: {value: {permission: all}}}}\nauthorizers: {A: {default: [{rule: \"claims.roles.owner.permision == 'all'\"}, {rule: claims.?roles.?ovner.hasValue()}]}}", `
p.yaml:2:55: authorizers.A.default[0].rule: claims.roles.owner has no field "permision" (did you mean "permission"?); it has permission
    claims.roles.owner.permision == 'all'
                      ^
p.yaml:2:98: authorizers.A.default[1].rule: claims.roles has no field "ovner" (did you mean "owner"?); it has owner
    claims.?roles.?ovner.hasValue()
                 ^`},
		{"type mismatch", "claims: {tier: {value: 3}, names: {value: [a]}}\nauthorizers: {A: {default: [{rule: \"claims.tier == '3'\"}, {rule: \"claims.names == 'a'\"}, {rule: \"'a' in claims.tier\"}, {rule: \"claims.names.contains('a')\"}, {rule: '!claims.tier'}]}}", `
p.yaml:2:49: authorizers.A.default[0].rule: types do not fit: int == string
    claims.tier == '3'
                ^
p.yaml:2:80: authorizers.A.default[1].rule: types do not fit: list(string) == string
    claims.names == 'a'
                 ^
p.yaml:2:102: authorizers.A.default[2].rule: types do not fit: string in int
    'a' in claims.tier
        ^
p.yaml:2:149: authorizers.A.default[3].rule: function "contains" does not take list(string).(string)
    claims.names.contains('a')
                         ^
p.yaml:2:166: authorizers.A.default[4].rule: types do not fit: ! applied to (int)
    !claims.tier
    ^`},
		{"the token as a whole", "authorizers: {A: {default: [{rule: 'claims == claims'}]}}", `
p.yaml:1:37: authorizers.A.default[0].rule: reads claims as a whole; read single claims, such as claims.client_id
    claims == claims
    ^
p.yaml:1:47: authorizers.A.default[0].rule: reads claims as a whole; read single claims, such as claims.client_id
    claims == claims
              ^`},
		{"the request as a whole", "authorizers: {A: {default: [{rule: '[request].size() == 1'}]}}", `
p.yaml:1:38: authorizers.A.default[0].rule: reads request as a whole; read single fields, such as request.method
    [request].size() == 1
     ^`},
		{"path parameter", "authorizers: {A: {routes: {'GET /c/{companyId}': [{rule: \"request.pathParameters.companyid == 'x'\"}], 'GET /d': [{rule: \"request.pathParameters['id'] == 'x'\"}]}}}", `
p.yaml:1:81: authorizers.A.routes["GET /c/{companyId}"][0].rule: route "GET /c/{companyId}" has no path parameter "companyid"; it has "companyId" (did you mean "companyId"?)
    request.pathParameters.companyid == 'x'
                          ^
p.yaml:1:144: authorizers.A.routes["GET /d"][0].rule: route "GET /d" has no path parameter "id"; it has none
    request.pathParameters['id'] == 'x'
                          ^`},
		{"header in capitals", "authorizers: {A: {default: [{rule: \"request.headers['X-Tenant'] == 'a'\"}]}}", `
p.yaml:1:52: authorizers.A.default[0].rule: header "X-Tenant" is never found, since header names arrive in lower case; write "x-tenant"
    request.headers['X-Tenant'] == 'a'
                   ^`},
	} {
		t.Run(c.name, c.run)
	}
}

func TestReservedClaimsAreRefused(t *testing.T) {
	t.Parallel()
	const access = "is protected by Cognito and cannot be set in an access token; choose another name"
	refused := map[string]string{
		"":               "a claim needs a name",
		"scope":          "use scopes.add and scopes.suppress",
		"scopes":         "would hide the token's own scopes",
		"groups":         "would hide the user's groups",
		"aud":            "can only be the app client's id: write {expr: client.id} or leave it out",
		"cognito:groups": `holds the user's groups; use groups.expr to change them`,
		"cognito:roles":  `names that begin with "cognito:" belong to Cognito`,
		"identities":     "belongs to ID tokens",
		"dev:x":          "a developer-only attribute can only be suppressed",
		"cognito:x":      `names that begin with "cognito:" belong to Cognito`,
	}
	for _, name := range strings.Fields("sub username client_id event_id device_key version acr amr auth_time azp exp iat iss jti nbf nonce origin_jti token_use") {
		refused[name] = access
	}
	for name, want := range refused {
		_, err := Compile(&Policy{Claims: map[string]Claim{name: {Value: "x"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("claim %q: got %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{"custom:tenant", "email", "Sub", "https://example.com/roles", "a.b", "value", "at_hash"} {
		if _, err := Compile(&Policy{Claims: map[string]Claim{name: {Value: "x"}}}); err != nil {
			t.Errorf("claim %q: %v", name, err)
		}
	}
	if _, err := Compile(&Policy{Claims: map[string]Claim{"aud": {Expr: "client.id"}}}); err != nil {
		t.Errorf("aud that is the client's id: %v", err)
	}
}

// What people write naturally must be within the limit on cost.
func TestNaturalExpressionsCompile(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"'admin' in claims.?l.orValue([])", "sets.contains(claims.?l.orValue([]), ['a', 'b'])", "claims.?s.orValue('').contains('x')",
		"claims.?s.orValue('').matches('^[a-z]+$')", "claims.?s.orValue('').lowerAscii() == 'x'", "claims.?l.orValue([]).exists(x, x in claims.groups)",
		"claims.?s.optMap(v, v + 'x').orValue('') == 'x'", "claims.?l.orValue([]).map(x, x.trim()).exists(x, x in claims.scopes)",
		"has(claims['a/b']) && claims['a/b'] == 'x'", "has(claims['o']['p']) && has(request.headers['x-y'])", "request.path.split('/').exists(x, x in claims.groups)",
		"claims.n == 2.0 && 2.0 != claims.n && 2u == claims.n && 2.0 in [1, 2]",
	} {
		_, err := Compile(&Policy{
			Claims: map[string]Claim{
				"l": {Attribute: "l", As: AsList}, "s": {Attribute: "s"}, "a/b": {Attribute: "x"}, "n": {Value: 2},
				"o": {Claims: map[string]Claim{"p": {Attribute: "p"}}},
			},
			Authorizers: map[string]Authorizer{"A": {Default: []Rule{{Rule: rule}}}},
		})
		if err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for _, expr := range []string{"user.attributes[?'csv'].orValue('').split(',').map(x, x.trim())", "user.groups.filter(g, user.groups.exists(h, h == g + '-x'))"} {
		if _, err := Compile(&Policy{Claims: map[string]Claim{"a": {Expr: expr}}}); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func TestReservedClaimsOfIDTokensAreRefused(t *testing.T) {
	t.Parallel()
	mint := func(name string) error {
		_, err := Compile(&Policy{Claims: map[string]Claim{name: {Value: "x", Tokens: []Token{IDToken}}}})
		return err
	}
	for _, name := range strings.Fields("sub cognito:username cognito:groups cognito:x identities aud at_hash acr amr auth_time azp exp iat iss jti nbf nonce origin_jti token_use dev:x scope") {
		if mint(name) == nil {
			t.Errorf("claim %q is accepted", name)
		}
	}
	for _, name := range []string{"email", "custom:tenant", "phone_number_verified", "groups", "roles", "https://example.com/x"} {
		if err := mint(name); err != nil {
			t.Errorf("claim %q: %v", name, err)
		}
	}
}

func TestTheQuotaOfClaims(t *testing.T) {
	t.Parallel()
	p := &Policy{Claims: map[string]Claim{}}
	for i := range 5000 {
		p.Claims[fmt.Sprintf("c%d", i)] = Claim{Attribute: "x"}
	}
	_, err := Compile(p)
	if want := "claims: there may be 5050 claims and scopes in a user's tokens; Cognito's quota is 5000"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGoValuesThatNoTokenCarries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
	}{
		{map[int]string{1: "a"}, "claims.a.value: has keys of type int; the keys of an object are strings"},
		{struct{}{}, "claims.a.value: has type struct {}; allowed are strings, numbers, booleans, lists and maps with string keys"},
		{uint64(math.MaxUint64), "claims.a.value: is beyond a 64-bit integer; mint a string"},
		{math.NaN(), "claims.a.value: NaN is no number that JSON can carry"},
		{[]any{nil}, "claims.a.value[0]: is null, which Cognito documents no way to carry; leave it out or give a value"},
		{map[string]any{"b c": []any{map[string]any{}}}, `claims.a.value["b c"][0]: is a list or object inside a list, which Cognito documents no way to carry; use an object with names instead`},
	} {
		_, err := Compile(&Policy{Claims: map[string]Claim{"a": {Value: c.value}}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%#v:\n got %v\nwant %s", c.value, err, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, policy, want string }{
		{"nothing to say", "claims: {a: {value: 1}, b: {attribute: x, required: true}}\nauthorizers: {A: {default: [{rule: \"claims.a == 1 && claims.b == 'x' && claims.sub != ''\"}]}}", ""},
		{"absent claim read bare", "claims: {a: {attribute: x}, r: {o: {when: \"'o' in user.groups\", value: {p: 1}}}}\nauthorizers:\n  A:\n    default:\n    - {rule: \"claims.a == 'x'\"}\n    - {rule: claims.r.o.p == 1}", `
p.yaml:5:21: authorizers.A.default[0].rule: claims.a may be absent, and the rule then refuses the request; if that is meant, say so with has(claims.a) && …, otherwise read it with .? and orValue
    claims.a == 'x'
          ^
p.yaml:6:24: authorizers.A.default[1].rule: claims.r may be absent, and the rule then refuses the request; if that is meant, say so with has(claims.r) && …, otherwise read it with .? and orValue
    claims.r.o.p == 1
              ^`},
		{"absent claim read with care", "claims: {a: {attribute: x}, r: {o: {when: \"'o' in user.groups\", value: {p: 1}}}}\nauthorizers:\n  A:\n    default:\n    - {rule: \"has(claims.a) && claims.a == 'x'\"}\n    - {rule: claims.?r.o.p.orValue(0) == 1}\n    - {rule: \"has(claims.r.o) && claims.r.o.p == 1\"}", ""},
		{"declared fields may be absent", "claims: {a: {attribute: x, as: json, required: true, type: {plan: string}}}\nauthorizers: {A: {default: [{rule: \"claims.a.plan == 'x'\"}]}}", `
p.yaml:2:45: authorizers.A.default[0].rule: claims.a.plan may be absent, and the rule then refuses the request; if that is meant, say so with has(claims.a.plan) && …, otherwise read it with .? and orValue
    claims.a.plan == 'x'
            ^`},
		{"the users' own scope", "scopes: {suppress: [aws.cognito.signin.user.admin]}", `
p.yaml:1:21: scopes.suppress[0]: without scope "aws.cognito.signin.user.admin" users can no longer read or change their own profile, password and devices with their token; that is often meant, so acknowledge this warning then`},
		{"a claim of the caller's choice that a rule relies on", "claims: {a: {expr: \"client.metadata[?'x']\"}, b: {expr: \"client.metadata[?'x']\"}, c: {d: {value: 1, when: \"client.metadata.size() > 0\"}}}\nauthorizers: {A: {default: [{rule: claims.?a.hasValue()}, {rule: claims.?c.d.hasValue()}]}}", `
p.yaml:1:10: claims.a: comes from client.metadata, which the caller chooses freely, but a rule relies on it; take it from an attribute or a group
p.yaml:1:86: claims.c.d: comes from client.metadata, which the caller chooses freely, but a rule relies on it; take it from an attribute or a group`},
		{"never true", "claims: {a: {value: 1, when: \"user.name == 'x' && 1 > 2\"}}\nscopes: {add: [{scope: s, when: 'false'}]}\nauthorizers: {A: {default: [{rule: \"request.path == 'x' && false\"}]}}", `
p.yaml:1:31: claims.a.when: can never be true
    user.name == 'x' && 1 > 2
    ^
p.yaml:2:34: scopes.add[0].when: can never be true
    false
    ^
p.yaml:3:37: authorizers.A.default[0].rule: can never be true with the claims that the policy mints, so it refuses every request
    request.path == 'x' && false
    ^`},
		{"never true with the values that are minted", `claims:
  country: {value: uk}
  level: {expr: "'a' in user.groups ? 'high' : user.name == '' ? 'none' : 'low'"}
  tier: {expr: "user.groups.size()"}
  roles: {owner: {when: "'o' in user.groups", value: {permission: full}}, editor: {when: "'e' in user.groups", value: {permission: edit}}}
authorizers:
  A:
    default:
    - {rule: "claims.country == 'us'"}
    - {rule: "claims.level == 'hihg' || claims.country != 'uk'"}
    - {rule: "claims.level == 'high' && claims.country == 'uk'"}
    - {rule: "claims.?roles.owner.permission.orValue('') == 'ful'"}
    - {rule: "claims.?roles.owner.permission.orValue('') == 'full' && claims.?roles.editor.permission.orValue('') == 'edit'"}
    - {rule: "claims.tier > 100 || claims.sub == 'x' || 'g' in claims.groups"}
`, `
p.yaml:9:15: authorizers.A.default[0].rule: can never be true with the claims that the policy mints, so it refuses every request
    claims.country == 'us'
    ^
p.yaml:10:15: authorizers.A.default[1].rule: can never be true with the claims that the policy mints, so it refuses every request
    claims.level == 'hihg' || claims.country != 'uk'
    ^
p.yaml:12:15: authorizers.A.default[3].rule: can never be true with the claims that the policy mints, so it refuses every request
    claims.?roles.owner.permission.orValue('') == 'ful'
    ^`},
		{"Cognito's claims that may be absent", "authorizers: {A: {default: [{rule: claims.username == 'x'}, {rule: has(claims.acr) && claims.acr == 'x' && claims.sub == 'x'}]}}", `
p.yaml:1:42: authorizers.A.default[0].rule: claims.username may be absent, and the rule then refuses the request; if that is meant, say so with has(claims.username) && …, otherwise read it with .? and orValue
    claims.username == 'x'
          ^`},
		{"attributes that users may lack", `claims:
  a: {expr: "user.attributes['custom:a'] + user.attributes.sub"}
  b: {value: 1, when: "client.metadata.b == 'x'"}
  c: {expr: "user.attributes.c", onError: omit}
  d: {expr: "has(user.attributes.d) ? user.attributes.d : ''"}
  e: {expr: "'e' in user.attributes ? user.attributes.e : ''"}
scopes: {add: [{scope: s, when: "user.attributes.s == 'x'"}]}
`, `
p.yaml:2:29: claims.a.expr: user.attributes["custom:a"] may be absent, and the sign-in is then refused; read it as user.attributes[?"custom:a"].orValue('')
    user.attributes['custom:a'] + user.attributes.sub
                   ^
p.yaml:3:39: claims.b.when: client.metadata.b may be absent, and the sign-in is then refused; read it as client.metadata[?"b"].orValue('')
    client.metadata.b == 'x'
                   ^
p.yaml:7:49: scopes.add[0].when: user.attributes.s may be absent, and the sign-in is then refused; read it as user.attributes[?"s"].orValue('')
    user.attributes.s == 'x'
                   ^`},
		{"large integer", "claims: {a: {value: 9007199254740993}, b: {value: [-9007199254740993]}}", `
p.yaml:1:21: claims.a.value: 9007199254740993 is carried exactly, but JavaScript readers of the token round integers beyond 2^53; mint a string if they must not
p.yaml:1:52: claims.b.value[0]: -9007199254740993 is carried exactly, but JavaScript readers of the token round integers beyond 2^53; mint a string if they must not`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p.yaml", []byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			prog, err := Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range prog.Warnings() {
				if w.ID == "" || strings.ContainsAny(w.ID, "[]") {
					t.Errorf("the warning has the ID %q: %s", w.ID, w)
				}
			}
			got := Problems(prog.Warnings()).Error()
			if want := strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("got\n%s\n\nwant\n%s", got, want)
			}
		})
	}
}

func TestProblemsOfGoValuesHavePathsOnly(t *testing.T) {
	t.Parallel()
	_, err := Compile(&Policy{
		Claims:      map[string]Claim{"z": {}, "a b": {Expr: "user.nam"}},
		Authorizers: map[string]Authorizer{"A": {Routes: map[string][]Rule{"GET /x": {{Rule: "claims.zz == 1"}}}}},
	})
	want := `claims["a b"].expr: user has no field "nam" (did you mean "name"?); it has attributes, groups, name
    user.nam
        ^
claims.z: says nothing about where the value comes from; give one of "value", "attribute", "expr", "code" or "claims"
authorizers.A.routes["GET /x"][0].rule: no claim "zz" is minted, nor does Cognito put it into an access token (did you mean "z"?); minted are a b, z
    claims.zz == 1
          ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\n\nwant\n%s", err, want)
	}
}

func TestHostileDocumentsAreRefusedQuickly(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		prev := "*a" + string(rune('0'+i-1))
		bomb += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(prev+", ", 9) + prev + "]\n"
	}
	for name, text := range map[string]string{
		"too large":    strings.Repeat("#", maxDocumentSize+1),
		"deep":         "claims: {a: {value: " + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}}",
		"alias bomb":   "claims: {a: {value: {" + strings.ReplaceAll(strings.TrimSpace(bomb), "\n", ", ") + "}}}",
		"long formula": "claims: {a: {expr: \"" + strings.Repeat("1+", 100_000) + "1\"}}",
		"deep formula": "claims: {a: {expr: \"" + strings.Repeat("(", 3000) + "1" + strings.Repeat(")", 3000) + "\"}}",
	} {
		p, err := Parse("p.yaml", []byte(text))
		if err == nil {
			_, err = Compile(p)
		}
		if err == nil {
			t.Errorf("%s: compiles", name)
		} else if len(err.Error()) > 20_000 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}
