package policytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got: %s\nwant: %s", what, got, want)
	}
}

const shop = `
params: [stage]
claims:
  company: {attribute: "custom:company", required: true}
  tier: {expr: "user.groups.size()"}
  stage: {expr: "params.stage", tokens: [access, id]}
  big: {value: 9007199254740993}
  share: {value: 0.5}
  caller: {expr: "client.id + trigger.source + pool.region + client.metadata[?'via'].orValue('')"}
  limit: {attribute: "custom:limit", as: int, onError: omit}
  "https://e.com/roles": {owner: {when: "'owners' in user.groups", value: {can: [read, write]}}}
suppress: [{claim: email, tokens: [id]}]
scopes: {add: [docs/read], suppress: [aws.cognito.signin.user.admin]}
groups: {expr: "user.groups.filter(g, g != 'beta')"}
authorizers:
  Docs:
    default: [{rule: "'docs/read' in claims.scopes", message: no scope}]
    routes:
      "PUT /docs/{id}": [{rule: "'owners' in claims.groups", message: owners only}, {rule: "claims.tier > 1", message: tier too low}]
      "GET /big": [{rule: "claims.big == 9007199254740993", message: other number}]
      "GET /read/{a}/{rest+}": [{rule: "request.pathParameters.a == 'x' && request.pathParameters.rest == 'y/z'", message: path}]
      "ANY /all": [{rule: "request.method == 'GET' && request.path == '/all'", message: method}, {rule: "request.queryParameters.q == '1,2'", message: query},
        {rule: "request.headers['x-a'] == 'b'", message: header}, {rule: "request.sourceIp == '10.0.0.1'", message: address}]
      "GET /stage": [{rule: "params.stage == 'prod'", message: not prod}]
`

// run returns the reports of all cases that fail.
func run(t *testing.T, program *policy.Compiled, cases string) string {
	t.Helper()
	loaded, err := Load(program, "cases.yaml", []byte(cases))
	if err != nil {
		t.Fatalf("the case file does not load:\n%v", err)
	}
	var reports []string
	for _, c := range loaded {
		if f := c.Failures(); len(f) > 0 {
			reports = append(reports, c.Report(f))
		}
	}
	return strings.Join(reports, "\n")
}

func TestPassingTable(t *testing.T) {
	t.Parallel()
	equal(t, "failures", run(t, programtest.Compile(t, shop), `
params: {stage: prod}
users:
  ann:
    userName: ann@example.com
    attributes: {"custom:company": acme, email: ann@example.com, "custom:limit": x}
    groups: [owners, beta]
    roles: ["arn:aws:iam::123456789012:role/a"]
    preferredRole: "arn:aws:iam::123456789012:role/a"
    clientId: web
    clientMetadata: {via: test}
    scopes: [aws.cognito.signin.user.admin, openid]
    triggerSource: TokenGeneration_HostedAuth
    poolId: eu-west-1_a
    region: eu-central-1
    want:
      access:
        company: acme
        tier: 2.0
        stage: prod
        big: 9007199254740993
        share: 0.50
        caller: webTokenGeneration_HostedAutheu-central-1test
        limit: null
        "https://e.com/roles": {owner: {can: [read, write]}, guest: null}
        username: ann@example.com
        client_id: web
        version: 2
        iss: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a
      scopes: [docs/read, openid]
      groups: [owners]
      id: {stage: prod, email: null, aud: web, "cognito:groups": [owners], "cognito:preferred_role": "arn:aws:iam::123456789012:role/a", "cognito:roles": ["arn:aws:iam::123456789012:role/a"]}
  bob: {attributes: {"custom:company": acme}, groups: [owners, a]}
  nobody: {want: {refused: [claims.company]}}
  no one: {want: {refused: ["claims.company: is required, but the user has no value for it"]}}
authorizers:
  Docs:
    "PUT /docs/{id}":
      - {as: [ann, bob], path: /docs/7, allow: true}
      - {name: "a guest", claims: {scope: docs/read, "cognito:groups": [x], tier: 1}, pathParameters: {id: "7"}, deny: [owners only, tier too low]}
    "GET /big": [{claims: {scope: docs/read, big: 9007199254740993}, allow: true}, {claims: {scope: docs/read, big: 9007199254740992}, deny: [other number]}]
    "GET /read/{a}/{rest+}": [{as: ann, path: /read/x/y/z, allow: true}, {as: ann, path: /prod/read/x/y/z, pathParameters: {a: x, rest: y/z}, allow: true}]
    "ANY /all":
      - {as: ann, path: "/all?q=1&q=2", headers: {X-A: b}, sourceIp: 10.0.0.1, allow: true}
      - {as: ann, method: PUT, queryParameters: {q: "1"}, sourceIp: "::1", deny: [method, query, header (no such key), address]}
    "GET /stage": [{as: ann, allow: true}]
    "GET /other": [{as: ann, allow: true}]
    "$default": [{as: ann, allow: true}]
`), "")
}

func TestFailingTable(t *testing.T) {
	t.Parallel()
	equal(t, "failures", run(t, programtest.Compile(t, shop), `
params: {stage: dev}
users:
  ann:
    attributes: {"custom:company": acme, "custom:limit": x}
    groups: [owners]
    want:
      access:
        company: initech
        tier: "1"
        stage: [dev]
        big: 9007199254740992
        share: {}
        limit: 3
        "https://e.com/roles": {owner: {can: [read, delete], must: true}, guest: x}
        client_id: web
      scopes: [docs/write]
      groups: [owners, editors]
      id: {stage: null, sub: x, "cognito:groups": [a, b]}
  bob: {}
  cat: {want: {refused: [claims.tier, scopes]}}
  dan: {attributes: {"custom:company": x}, want: {refused: [claims.company, other]}}
  eve: {attributes: {"custom:company": x}}
authorizers:
  Docs:
    "PUT /docs/{id}":
      - {as: ann, path: /docs/7, allow: true}
      - {as: bob, path: /docs/7, allow: true}
    "PUT /docs/{idd}": [{as: ann, path: /docs/7, deny: [owners only, "a, b"]}]
    "GET /x": [{name: what, as: [ann, eve], deny: [no scope]}]
`), `cases.yaml:4:3: users/ann
    access.big: got 9007199254740993, want 9007199254740992
    access.caller: got "clientTokenGeneration_Authenticationus-east-1", want none
    access.client_id: got "client", want "web"
    access.company: got "acme", want "initech"
    access["https://e.com/roles"].guest: got none, want "x"
    access["https://e.com/roles"].owner.can[1]: got "write", want "delete"
    access["https://e.com/roles"].owner.must: got none, want true
    access.limit: got none, want 3
    access.share: got 0.5, want {}
    access.stage: got "dev", want ["dev"]
    access.tier: got 1, want "1"
    id["cognito:groups"]: got ["owners"], want ["a","b"]
    id.stage: got "dev", want none
    id.sub: got "sub-of-ann", want "x"
    scopes: missing "docs/write"
    scopes: unexpected "docs/read"
    groups: missing "editors"
    (left out because of an error: claims.limit: attribute: is no int)
cases.yaml:20:3: users/bob
    no tokens are issued: claims.company: is required, but the user has no value for it
cases.yaml:21:3: users/cat
    refused[0]: got "claims.company: is required, but the user has no value for it", want "claims.tier"
    refused[1]: got none, want "scopes"
cases.yaml:22:3: users/dan
    tokens are issued, want a refusal because of "claims.company", "other"
cases.yaml:27:9: Docs/PUT /docs/{id}/ann
    got  deny: "tier too low"
    want allow
cases.yaml:28:9: Docs/PUT /docs/{id}/bob
    user "bob" gets no token, see users/bob
cases.yaml:29:25: Docs/PUT /docs/{idd}/ann
    got  allow
    want deny: "owners only", "a, b"
    (the policy has no rules of its own for route "PUT /docs/{idd}" (did you mean "PUT /docs/{id}"?))
cases.yaml:30:16: Docs/GET /x/what ann
    got  allow
    want deny: "no scope"
    (the policy has no rules of its own for route "GET /x")
cases.yaml:30:16: Docs/GET /x/what eve
    got  allow
    want deny: "no scope"
    (the policy has no rules of its own for route "GET /x")`)
}

func TestMoreReasonsThanWanted(t *testing.T) {
	t.Parallel()
	equal(t, "failures", run(t, programtest.Compile(t, `claims: {a: {attribute: a, required: true}, b: {attribute: b, required: true}}`),
		`users: {u: {want: {refused: [claims.a]}}}`), `cases.yaml:1:9: users/u
    refused[1]: got "claims.b: is required, but the user has no value for it", want none`)
}

func TestMachines(t *testing.T) {
	t.Parallel()
	program := programtest.Compile(t, `
claims: {kind: {expr: "user.name == 'ClientCredentials' && user.groups == [] && trigger.source.endsWith('ClientCredentials') ? 'machine' : 'user'"}}
scopes: {add: [jobs/run]}
groups: {expr: "['all']"}
authorizers: {Jobs: {default: [{rule: "has(claims.username)", message: no user}, {rule: "claims.sub != ''", message: no subject}]}}
`)
	equal(t, "failures", run(t, program, `
users:
  job: {machine: true, clientId: batch, want: {access: {kind: machine, username: null, sub: null, "cognito:groups": null, client_id: batch}, scopes: [jobs/run]}}
  other: {machine: true, scopes: [jobs/see], want: {scopes: [jobs/run, jobs/see]}}
  person: {want: {access: {kind: user, sub: sub-of-person}, groups: [all]}}
authorizers:
  Jobs: {"GET /": [{as: job, deny: [no user, no subject (no such key)]}, {as: person, allow: true}]}
`), "")
}

const sunset = `
claims: {company: {attribute: "custom:company", tokens: [access, id]}, kind: {value: id token, tokens: [id]}}
suppress: [{claim: email, tokens: [id]}]
authorizers:
  Docs:
    default: [{rule: "claims.token_use == 'id' || 'docs/read' in claims.scopes", message: no scope}]
    routes:
      GET /docs: [{rule: "claims.?company.orValue('') == 'acme'", message: acme only}]
      PUT /docs: [{rule: "'docs/write' in claims.scopes", message: read only}]
      GET /me: [{rule: "!claims.is_machine && claims.groups.size() > 0", message: no groups}]
    idTokens: {until: 2027-04-01, routes: [GET /docs, GET /me]}
  Everywhere: {routes: {GET /docs: [{rule: "true"}]}, idTokens: {until: 2027-04-01}}
  Never: {routes: {GET /docs: [{rule: "true"}]}}
`

// The kind of token and the day are all that idTokens depend on; the rules are those of the route, on the token's claims.
func TestIDTokens(t *testing.T) {
	t.Parallel()
	const users = `
users:
  ann: {attributes: {"custom:company": acme}, groups: [a], scopes: [docs/read, docs/write]}
  bob: {attributes: {"custom:company": globex}}
  job: {machine: true, scopes: [docs/read]}
authorizers:
`
	program := programtest.Compile(t, sunset)
	equal(t, "failures", run(t, program, users+`
  Docs:
    GET /docs:
      - {as: ann, token: id, at: 2027-03-31, allow: true}
      - {as: ann, token: id, at: "2027-04-01", invalid: true}
      - {as: [ann, bob], token: id, at: 9999-12-31, invalid: true}
      - {as: ann, token: id, allow: true} # before that day, whichever it is
      - {as: bob, token: id, at: 2027-03-31, deny: [acme only]}
      - {as: ann, token: access, at: 2027-04-01, allow: true}
      - {as: bob, at: 2027-04-01, deny: [no scope, acme only]}
      - {as: job, deny: [acme only]}
      - {claims: {token_use: id, company: acme}, at: 0001-01-01, allow: true}
      - {claims: {token_use: id, company: acme}, at: 2027-04-01, invalid: true}
      - {claims: {company: acme, token_use: access}, at: 2027-04-01, deny: [no scope]}
    PUT /docs:
      - {as: ann, allow: true}
      - {as: ann, token: id, at: 2027-03-31, invalid: true}
    GET /me:
      - {as: ann, token: id, allow: true}
      - {as: bob, token: id, deny: [no groups]}
    GET /other: [{as: ann, token: id, invalid: true}]
  Everywhere:
    GET /docs: [{as: bob, token: id, allow: true}]
    GET /other:
      - {as: bob, token: id, deny: ['no rule covers route "GET /other"']}
      - {as: bob, token: id, at: 2027-04-01, invalid: true}
  Never:
    GET /docs: [{as: bob, token: id, invalid: true}, {as: bob, token: id, at: 0001-01-01, invalid: true}, {as: bob, allow: true}]
`), "")

	const words = `token_use: this is an ID token, which proves who signed in and grants nothing; send the access token`
	equal(t, "failures", run(t, program, users+`
  Docs:
    GET /docs:
      - {as: ann, token: id, at: 2027-04-01, allow: true}
      - {as: bob, token: id, at: 2027-03-31, invalid: true}
      - {name: late, as: [ann, bob], token: id, at: 2027-04-01, deny: [acme only]}
      - {as: ann, invalid: true}
    PUT /docs: [{as: ann, token: id, allow: true}]
    GET /me: [{claims: {token_use: id}, at: 2027-04-02, allow: true}]
`), `cases.yaml:10:9: Docs/GET /docs/ann with an ID token on 2027-04-01
    got  invalid token: "`+words+`"
    want allow
    (the policy's idTokens refuse them here from 2027-04-01 on)
cases.yaml:11:9: Docs/GET /docs/bob with an ID token on 2027-03-31
    got  deny: "acme only"
    want invalid token
    (the policy's idTokens refuse them here from 2027-04-01 on)
cases.yaml:12:9: Docs/GET /docs/late ann
    got  invalid token: "`+words+`"
    want deny: "acme only"
    (the policy's idTokens refuse them here from 2027-04-01 on)
cases.yaml:12:9: Docs/GET /docs/late bob
    got  invalid token: "`+words+`"
    want deny: "acme only"
    (the policy's idTokens refuse them here from 2027-04-01 on)
cases.yaml:13:9: Docs/GET /docs/ann
    got  allow
    want invalid token
cases.yaml:14:17: Docs/PUT /docs/ann with an ID token
    got  invalid token: "`+words+`"
    want allow
    (the policy's idTokens never accept one here)
cases.yaml:15:15: Docs/GET /me/claims on 2027-04-02
    got  invalid token: "`+words+`"
    want allow
    (the policy's idTokens refuse them here from 2027-04-01 on)`)

	_, err := Load(program, "cases.yaml", []byte(users+`
  Docs: {GET /docs: [{as: [ann, job], token: id, invalid: true}]}
`))
	equal(t, "problems", err.Error(), `cases.yaml:8:46: authorizers.Docs["GET /docs"][0].token: user "job" is a machine and has no ID token`)
}

const lookups = `
lookups:
  tier: {table: subscriptions, key: {pk: user.name, sk: "1"}, type: {plan: string}, onMissing: {default: {plan: free}}}
  seats: {table: subscriptions, index: by-tenant, key: {tenant: "user.attributes[?'custom:tenant']"}, limit: 2, type: {product: string}, onMissing: omit, onError: omit}
claims:
  plan: {expr: lookup.tier.?plan}
  seats: {expr: "lookup.?seats.orValue([]).map(s, has(s.product), s.product)"}
  entitlements: {code: true, type: list(string), tokens: [access, id]}
  level: {code: true, type: int, required: true}
authorizers: {A: {default: [{rule: "'export' in claims.?entitlements.orValue([])", message: no export}]}}
`

func TestTablesAndCode(t *testing.T) {
	t.Parallel()
	equal(t, "failures", run(t, programtest.Compile(t, lookups), `
tables:
  subscriptions:
    - {pk: ann, sk: "1", plan: string-key}
    - {pk: ann, sk: 1.0, plan: pro}
    - {tenant: acme, product: c, plan: "not asked for"}
    - {tenant: globex, product: x}
    - {tenant: acme, product: a}
    - {tenant: acme, product: b}
users:
  ann:
    attributes: {"custom:tenant": acme}
    code: {entitlements: [export], level: 9007199254740993}
    want: {access: {plan: pro, seats: [c, a], entitlements: [export], level: 9007199254740993}, id: {entitlements: [export]}}
  bob: {code: {level: 1}, want: {access: {plan: free, seats: [], level: 1}, id: {}}}
  cat: {unavailable: [tier], code: {level: 1}, want: {refused: ["lookups.tier: it cannot be made"]}}
  dan: {unavailable: [seats], code: {level: 1}, attributes: {"custom:tenant": acme}, want: {access: {plan: free, seats: [], level: 1}}}
  eve: {want: {refused: [claims.level]}}
  fay: {code: {level: high}, want: {refused: ["claims.level: claims.level is no int"]}}
authorizers:
  A: {"GET /": [{as: ann, allow: true}, {as: bob, deny: [no export]}]}
`), "")
}

func TestMistakesInCaseFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, cases, want string }{
		{"no YAML", "users: {", "cases.yaml:2:1: not valid YAML: did not find expected node content"},
		{"empty", "# nothing", "cases.yaml:1:1: the file is empty; it needs users or authorizers"},
		{"two documents", "users: {a: {}}\n---\n{}", "cases.yaml:2:1: a second document begins; a case file is one document"},
		{"no mapping", "[a]", "cases.yaml:1:1: must be a mapping, found a list\ncases.yaml:1:1: params: the policy's param \"stage\" has no value"},
		{"no cases", "params: {stage: a}", "cases.yaml:1:1: has no cases; give it users or authorizers"},
		{"unknown section", "params: {stage: a}\nuser: {}", `cases.yaml:2:1: unknown key "user" (did you mean "users"?); allowed are "params", "tables", "users", "authorizers"`},
		{"params", "params: {stag: a, stage: 3}", `cases.yaml:1:10: params: the policy declares no param "stag" (did you mean "stage"?)
cases.yaml:1:26: params.stage: must be a string, found 3`},
		{"unknown keys of a user", "params: {stage: a}\nusers: {u: {group: [a], want: {acces: {}}, odd: 1}}", `cases.yaml:2:13: users.u: unknown key "group" (did you mean "groups"?); allowed are "machine", "userName", "attributes", "groups", "roles", "preferredRole", "clientId", "clientMetadata", "scopes", "triggerSource", "poolId", "region", "unavailable", "code", "want"
cases.yaml:2:32: users.u.want: unknown key "acces" (did you mean "access"?); allowed are "access", "id", "scopes", "groups", "refused"
cases.yaml:2:44: users.u: unknown key "odd"; allowed are "machine", "userName", "attributes", "groups", "roles", "preferredRole", "clientId", "clientMetadata", "scopes", "triggerSource", "poolId", "region", "unavailable", "code", "want"`},
		{"wrong kinds", `params: {stage: a}
users:
  u: {machine: 1, attributes: {a: 1, b: true}, groups: a, scopes: [[a], null], want: {access: [], id: x}}
  "v w": []`, `cases.yaml:3:16: users.u.machine: must be true or false, found 1
cases.yaml:3:35: users.u.attributes.a: must be a string, found 1
cases.yaml:3:41: users.u.attributes.b: must be a string, found true
cases.yaml:3:56: users.u.groups: must be a list, found the string "a"
cases.yaml:3:68: users.u.scopes[0]: must be a string, found a list
cases.yaml:3:73: users.u.scopes[1]: must be a string, found nothing
cases.yaml:3:95: users.u.want.access: must be a mapping, found a list
cases.yaml:3:103: users.u.want.id: must be a mapping, found the string "x"
cases.yaml:4:10: users["v w"]: must be a mapping, found a list`},
		{"keys", "params: {stage: a}\nusers:\n  a: {}\n  a: {}\n  1: {}\n  b: {<<: {}}", `cases.yaml:4:3: users: key "a" is given twice, first in line 3
cases.yaml:5:3: users: a key must be a string, found 1; quote it
cases.yaml:6:7: users.b: merge keys (<<) are not supported; write the keys out, or use an alias for the whole value`},
		{"tables and code", "params: {stage: a}\ntables: {subscriptions: [x]}\nusers: {m: {unavailable: [tier], code: {level: 1}}}", `cases.yaml:2:10: tables: the policy has no table "subscriptions"
cases.yaml:2:26: tables.subscriptions[0]: must be a mapping, found the string "x"
cases.yaml:3:13: users.m.unavailable: the policy has no lookup "tier"
cases.yaml:3:34: users.m.code: the policy has no claim that code sets, "level"`},
		{"machines", "params: {stage: a}\nusers: {m: {machine: true, groups: [a], want: {id: {}}}}", `cases.yaml:2:9: users.m.want: a machine gets no ID token and no groups; remove id and groups
cases.yaml:2:28: users.m.groups: a machine has none; remove it, or remove machine`},
		{"wants that contradict", "params: {stage: a}\nusers: {a: {want: {refused: [x], scopes: []}}, b: {want: {refused: []}}}", `cases.yaml:2:19: users.a.want: wants tokens and a refusal; remove one of the two
cases.yaml:2:59: users.b.want.refused: names no reason; give the paths of what refuses, or remove it`},
		{"numbers", "params: {stage: a}\nusers: {a: {want: {access: {a: .inf, b: .nan, c: 123456789012345678901234567890}}}}", `cases.yaml:2:32: users.a.want.access.a: .inf is no number that a token carries
cases.yaml:2:41: users.a.want.access.b: .nan is no number that a token carries
cases.yaml:2:50: users.a.want.access.c: 123456789012345678901234567890 is no number that a token carries`},
		{"a value of an unknown tag", "params: {stage: a}\nusers: {a: {want: {access: {a: !!int x}}}}", "cases.yaml:2:32: users.a.want.access.a: cannot be read as a value: go-yaml load error in resolver at <unknown position>: cannot construct !!str `x` as a !!int"},
		{"depth", "params: {stage: a}\nusers: {a: {want: {access: " + strings.Repeat("{a: ", 33) + "1" + strings.Repeat("}", 33) + "}}}",
			"cases.yaml:2:156: users.a.want.access" + strings.Repeat(".a", 32) + ": nested more than 32 deep"},
		{"values", "params: {stage: a}\nusers: {a: {want: {access: {a: &a [" + strings.Repeat("1,", 999) + "], b: &b [" + strings.Repeat("*a,", 99) + "]}}}}",
			"cases.yaml:2:2028: users.a.want.access.b[98][996]: the file has more than 100000 values, aliases followed"},
		{"authorizers", "params: {stage: a}\nauthorizers: {Doc: {}, Docs: {\"GET /\": {}}}", `cases.yaml:2:15: authorizers: the policy has no authorizer "Doc" (did you mean "Docs"?); it has "Docs"
cases.yaml:2:40: authorizers.Docs["GET /"]: must be a list, found a mapping`},
		{"requests", `params: {stage: a}
users: {ann: {}, bad: {want: {refused: [x]}}}
authorizers:
  Docs:
    "GET /":
      - {as: an, allow: true}
      - {as: [bad], allow: true}
      - {allow: true, deny: [x], as: ann}
      - {as: ann, claims: {}}
      - {as: ann, allow: false}
      - {as: ann, deny: []}
      - {as: ann, path: /x, allow: true}
      - {claims: {groups: [a], scopes: [b]}, deny: [x]}
      - {ass: ann, deny: [x]}
    "GET": [{as: ann, allow: true}]
`, `cases.yaml:6:10: authorizers.Docs["GET /"][0].as: there is no user "an" (did you mean "ann"?); there are "ann", "bad"
cases.yaml:7:10: authorizers.Docs["GET /"][1].as: user "bad" is refused and has no token
cases.yaml:8:9: authorizers.Docs["GET /"][2]: needs one of allow: true, deny: [messages] and invalid: true, found "allow", "deny"
cases.yaml:9:9: authorizers.Docs["GET /"][3]: needs either as, a user, or claims, a token's payload
cases.yaml:9:9: authorizers.Docs["GET /"][3]: needs one of allow: true, deny: [messages] and invalid: true, found none
cases.yaml:10:19: authorizers.Docs["GET /"][4].allow: must be true; for a refusal, give deny with its messages
cases.yaml:11:19: authorizers.Docs["GET /"][5].deny: has no messages; give those of the rules that are not met
cases.yaml:12:9: authorizers.Docs["GET /"][6]: path "/x" does not belong to route "GET /"
cases.yaml:13:18: authorizers.Docs["GET /"][7].claims.scopes: a token has no claim "scopes"; it has "scope", one string with a blank between scopes
cases.yaml:13:18: authorizers.Docs["GET /"][7].claims.groups: a token has no claim "groups"; it has "cognito:groups"
cases.yaml:14:10: authorizers.Docs["GET /"][8]: unknown key "ass" (did you mean "as"?); allowed are "name", "as", "token", "claims", "at", "method", "path", "pathParameters", "queryParameters", "headers", "sourceIp", "allow", "deny", "invalid"
cases.yaml:15:13: authorizers.Docs.GET[0]: "GET" is no route key; write a method in capitals and a path, such as "GET /documents/{id}", or "$default"`},
		{"ID tokens", `params: {stage: a}
users: {ann: {attributes: {"custom:company": x}}, job: {machine: true}}
authorizers:
  Docs:
    "GET /":
      - {as: ann, token: refresh, invalid: true}
      - {as: ann, token: [id], at: tomorrow, invalid: false}
      - {as: ann, token: id, at: 2027-04-01T00:00:00Z, deny: [x], invalid: true}
      - {as: ann, at: {}, allow: true, deny: [x], invalid: true}
      - {as: ann, at: 2027-02-29, allow: true}
      - {claims: {token_use: id, scope: a, client_id: b}, token: id, allow: true}
      - {claims: {token_use: id}, token: id, invalid: true}
      - {as: [ann], token: id, invalid: true, allow: true}
`, `cases.yaml:6:26: authorizers.Docs["GET /"][0].token: must be access or id, found the string "refresh"
cases.yaml:7:26: authorizers.Docs["GET /"][1].token: must be access or id, found a list
cases.yaml:7:36: authorizers.Docs["GET /"][1].at: must be a day in UTC, such as 2027-04-01, found the string "tomorrow"
cases.yaml:7:46: authorizers.Docs["GET /"][1].invalid: must be true; for a token that is accepted, give allow or deny
cases.yaml:8:34: authorizers.Docs["GET /"][2].at: must be a day in UTC, such as 2027-04-01, found 2027-04-01T00:00:00Z
cases.yaml:9:23: authorizers.Docs["GET /"][3].at: must be a day in UTC, such as 2027-04-01, found a mapping
cases.yaml:10:23: authorizers.Docs["GET /"][4].at: must be a day in UTC, such as 2027-04-01, found the string "2027-02-29"
cases.yaml:11:18: authorizers.Docs["GET /"][5].claims.scope: an ID token has no claim "scope"; remove it, or make token_use "access"
cases.yaml:11:18: authorizers.Docs["GET /"][5].claims.client_id: an ID token has no claim "client_id"; remove it, or make token_use "access"
cases.yaml:12:42: authorizers.Docs["GET /"][6].token: goes with as; of claims, token_use tells which token they are; remove it
cases.yaml:13:9: authorizers.Docs["GET /"][7]: needs one of allow: true, deny: [messages] and invalid: true, found "allow", "invalid"`},
		{"no users", "params: {stage: a}\nauthorizers: {Docs: {\"GET /\": [{as: x, allow: true}]}}", `cases.yaml:2:33: authorizers.Docs["GET /"][0].as: there is no user "x"; the file has no users`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(programtest.Compile(t, shop), "cases.yaml", []byte(c.cases))
			if err == nil {
				t.Fatal("the case file loads")
			}
			equal(t, "problems", err.Error(), c.want)
		})
	}
}

func TestAliasesAndOtherSpellings(t *testing.T) {
	t.Parallel()
	equal(t, "failures", run(t, programtest.Compile(t, `claims: {a: {value: 2026-01-01}, b: {value: 18446744073709551}, c: {value: {n: 16}}}`), `
users:
  a: &a {want: &w {access: {a: 2026-01-01, b: 18446744073709551, c: {n: 0x10}}}}
  b: *a
  c: {want: *w}
`), "")
}

func TestRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := write("claims.yaml", "claims: {a: {value: 1}}")
	passing := write("passing.yaml", "users: {u: {want: {access: {a: 1}}}, v: {}}")
	Run(t, program, passing)

	// What Run does on failures is seen in a process of its own.
	failing := write("failing.yaml", "users:\n  u: {want: {access: {a: 2}}}\n  v: {}")
	for _, c := range []struct {
		name, policy, cases, filter string
		passes                      bool
		want                        []string
	}{
		{"a case that fails", program, failing, "TestRunInAProcess", false, []string{"--- FAIL: TestRunInAProcess/users/u", failing + ":2:3: users/u\n", "access.a: got 1, want 2", "--- PASS: TestRunInAProcess/users/v"}},
		{"a case by its name", program, failing, "TestRunInAProcess/users/v", true, []string{"--- PASS: TestRunInAProcess/users/v"}},
		{"a policy that does not parse", write("unknown.yaml", "claim: {}"), passing, "TestRunInAProcess", false, []string{`unknown key "claim"`}},
		{"a policy that does not compile", write("bad.yaml", "claims: {sub: {value: 1}}"), passing, "TestRunInAProcess", false, []string{"bad.yaml:1:10: claims.sub"}},
		{"a bad case file", program, write("odd.yaml", "odd: {}"), "TestRunInAProcess", false, []string{`odd.yaml:1:1: unknown key "odd"`}},
		{"no policy", filepath.Join(folder, "none"), passing, "TestRunInAProcess", false, []string{"none: no such file"}},
		{"no case file", program, filepath.Join(folder, "none"), "TestRunInAProcess", false, []string{"none: no such file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+c.filter+"$")
			cmd.Env = append(os.Environ(), "POLICYTEST_POLICY="+c.policy, "POLICYTEST_CASES="+c.cases)
			out, err := cmd.CombinedOutput()
			if passed := err == nil; passed != c.passes {
				t.Errorf("passed: %v", passed)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

// TestRunInAProcess is what TestRun runs again.
func TestRunInAProcess(t *testing.T) {
	if policy := os.Getenv("POLICYTEST_POLICY"); policy != "" {
		Run(t, policy, os.Getenv("POLICYTEST_CASES"))
	}
}

func TestCaseNames(t *testing.T) {
	t.Parallel()
	cases, err := Load(programtest.Compile(t, shop), "cases.yaml", []byte(`
params: {stage: a}
authorizers: {Docs: {"GET /": [{as: [a, b], allow: true}, {as: [a, b], name: n, allow: true}, {claims: {}, deny: [no scope]}]}}
users: {b: {}, a: {}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.Name)
	}
	if want := []string{"users/b", "users/a", "Docs/GET //a", "Docs/GET //b", "Docs/GET //n a", "Docs/GET //n b", "Docs/GET //claims"}; !slices.Equal(names, want) {
		t.Errorf("names are %q, want %q", names, want)
	}
}
