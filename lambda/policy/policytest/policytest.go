// Package policytest tests a claim policy by a table of examples: who signs in and what their tokens carry, who asks for
// what and what they are told. The table is a YAML file beside the policy, and one line of Go runs it:
//
//	func TestClaims(t *testing.T) { policytest.Run(t, "claims.yaml", "claims_test.yaml") }
//
// Users are sign-ins with the tokens that they must get, or with why they get none. Requests are made with a user's
// token or with any other claims:
//
//	params: {stage: prod}                        # a value for each of the policy's params
//	tables:                                      # rows of the tables that the policy looks up
//	  subscriptions:
//	    - {pk: sub-of-owner, plan: pro}
//	users:
//	  owner:                                     # the case users/owner
//	    attributes: {"custom:company_id": acme}  # and the other fields of SignIn, in lower camel case
//	    groups: [owners]
//	    want:
//	      access: {company_id: acme, roles: {owner: {permission: full}}}
//	      scopes: [documents/read, documents/write]
//	      groups: [owners]
//	      id: {email: null}
//	  unassigned:
//	    want: {refused: [claims.company_id]}
//	authorizers:
//	  Documents:
//	    "PUT /documents/{id}":
//	      - {as: owner, path: /documents/7, allow: true}
//	      - {as: [editor, outsider], path: /documents/7, deny: [owners only]}
//	      - {name: guest, claims: {scope: documents/read}, path: /documents/7, deny: [owners only]}
//
// # What is compared
//
// The tokens, not the policy's output: the real function answers a real event, and [Apply] makes of the answer what AWS
// documents that Cognito makes of it. Without want it is only tested that tokens are issued. What want says is exact, and
// what it does not say is not tested:
//
//   - access and id are all of the policy's own claims in that token, to the last digit (2 and 2.0 are equal, "2" is neither).
//     Claims that Cognito itself puts there, such as client_id or in ID tokens the user's attributes, are compared only
//     where they are named. A claim that is null must be absent.
//   - scopes and groups are all of the access token's, in any order.
//   - refused are all reasons why no tokens are issued, in the policy's order: each either a path, such as claims.company_id,
//     or a path and message, as in "claims.company_id: is required, …".
//
// A lookup finds the rows of tables that have its key. Of a user, unavailable names lookups that cannot be made, and code
// gives what the function's own code would set, by claim.
//
// A request has as, one or more of the users, or claims, a token's payload: the whole of it, in Cognito's own words (scope,
// cognito:groups). Its other fields are method, path, pathParameters, queryParameters, headers and sourceIp, completed as
// [Complete] says. allow: true, or deny with the messages of all rules that are not met, in the policy's order.
//
// # ID tokens
//
// token: id makes a user send the ID token instead of the access token; claims are those of an ID token when their
// token_use is id. Where the policy's idTokens accept none, the answer is invalid: true, and no rule is asked. Whether they
// do depends on the day, in UTC, that at names. Without it the request is made before the day on which idTokens end,
// whichever that is: no case depends on when it is run.
//
//	authorizers:
//	  Documents:
//	    GET /documents:                          # with idTokens: {until: 2027-04-01, routes: [GET /documents]}
//	      - {as: owner, token: id, at: 2027-03-31, allow: true}
//	      - {as: owner, token: id, at: 2027-04-01, invalid: true}
//	      - {as: outsider, token: id, deny: [members only]}
//
// # Compatibility
//
// Case files that work today work tomorrow, within a major version. The texts of failures are for people and may change.
package policytest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Run tests the policy in one file by the cases in another, each as a subtest: users/owner,
// "Documents/PUT /documents/{id}/owner". The files are relative to the test's folder.
func Run(t *testing.T, policyFile, caseFile string) {
	t.Helper()
	cases, err := load(policyFile, caseFile)
	if err != nil {
		t.Fatalf("\n%v", err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if failures := c.Failures(); len(failures) > 0 {
				t.Errorf("\n%s", c.Report(failures))
			}
		})
	}
}

func load(policyFile, caseFile string) ([]Case, error) {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(policyFile, text)
	if err != nil {
		return nil, err
	}
	compiled, err := policy.Compile(p)
	if err != nil {
		return nil, err
	}
	if text, err = os.ReadFile(caseFile); err != nil {
		return nil, err
	}
	return Load(compiled, caseFile, text)
}

// Case is one example of a case file. [Load] makes it.
type Case struct {
	// Name is the name of the subtest, such as users/owner.
	Name string

	// File, Line and Column are where the case is.
	File         string
	Line, Column int

	failures func() []string
}

// Failures are the ways in which the policy does not do what the case says, one line each. There are none when it does.
func (c Case) Failures() []string { return c.failures() }

// Report is a text of failures for people: the place and name of the case, and the failures below, indented.
func (c Case) Report(failures []string) string {
	return fmt.Sprintf("%s:%d:%d: %s\n    %s", c.File, c.Line, c.Column, c.Name, strings.Join(failures, "\n    "))
}

// Load reads the cases of a file, in its order. The file name is used in messages only. The error is [policy.Problems]:
// everything that is wrong with the file, such as unknown keys and users.
func Load(compiled *policy.Compiled, file string, text []byte) ([]Case, error) {
	l := loader{decoder: decoder{file: file}, program: compiled, claims: compiled.Explain().Claims, users: map[string]*user{}}
	if root := l.root(text); root != nil {
		l.file(root)
	}
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b policy.Problem) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, l.problems
	}
	return l.cases, nil
}

// loader makes cases of a file.
type loader struct {
	decoder
	program *policy.Compiled
	claims  []policy.ExplainedClaim
	params  map[string]string
	tables  Tables
	users   map[string]*user
	cases   []Case
}

// user is a sign-in and what comes of it.
type user struct {
	tokens Tokens
	fault  error
	want   want
}

// want is what a user must get. What is nil is not compared.
type want struct {
	access, id              map[string]any
	scopes, groups, refused []string
}

func (l *loader) file(root *yaml.Node) {
	sections := map[string]*yaml.Node{}
	l.entries(root, "", []string{"params", "tables", "users", "authorizers"}, func(key string, _, v *yaml.Node) { sections[key] = v })
	l.paramValues(root, sections["params"])
	if n := sections["tables"]; n != nil {
		l.tables = l.rows(n)
	}
	if n := sections["users"]; n != nil {
		l.entries(n, "users", nil, l.user)
	}
	if n := sections["authorizers"]; n != nil {
		l.entries(n, "authorizers", nil, l.authorizer)
	}
	if len(l.cases) == 0 && len(l.problems) == 0 {
		l.fail(root, "", "has no cases; give it users or authorizers")
	}
}

func (l *loader) paramValues(root, n *yaml.Node) {
	declared := l.program.Params()
	l.params = map[string]string{}
	if n != nil {
		l.entries(n, "params", nil, func(name string, k, v *yaml.Node) {
			if !slices.Contains(declared, name) {
				l.fail(k, "params", "the policy declares no param %q%s", name, policy.DidYouMean(name, declared))
			}
			l.params[name] = l.text(v, child("params", name))
		})
		root = n
	}
	for _, name := range declared {
		if _, ok := l.params[name]; !ok {
			l.fail(root, "params", "the policy's param %q has no value", name)
		}
	}
}

// rows are the rows of tables that the policy looks up.
func (l *loader) rows(n *yaml.Node) Tables {
	tables := Tables{}
	var known []string
	for _, t := range l.program.Tables() {
		known = append(known, t.Name)
	}
	l.entries(n, "tables", nil, func(name string, k, v *yaml.Node) {
		l.known(k, "tables", "table", name, known)
		path := child("tables", name)
		l.items(v, path, func(path string, n *yaml.Node) { tables[name] = append(tables[name], l.object(n, path)) })
	})
	return tables
}

// known complains of a name that the policy does not have.
func (l *loader) known(at *yaml.Node, path, what, name string, names []string) {
	if !slices.Contains(names, name) {
		l.fail(at, path, "the policy has no %s %q%s", what, name, policy.DidYouMean(name, names))
	}
}

var userKeys = []string{
	"machine", "userName", "attributes", "groups", "roles", "preferredRole", "clientId", "clientMetadata", "scopes", "triggerSource",
	"poolId", "region", "unavailable", "code", "want",
}

func (l *loader) user(name string, k, n *yaml.Node) {
	u, in, path := &user{}, SignIn{UserName: name}, child("users", name)
	var unavailable []string
	var code map[string]any
	onlyUsers := map[string]*yaml.Node{}
	l.entries(n, path, userKeys, func(key string, k, v *yaml.Node) {
		path := child(path, key)
		switch key {
		case "machine":
			in.Machine = l.flag(v, path)
		case "userName":
			in.UserName = l.text(v, path)
		case "attributes":
			in.Attributes = l.textMap(v, path)
		case "groups":
			in.Groups = l.texts(v, path)
		case "roles":
			in.Roles = l.texts(v, path)
		case "preferredRole":
			in.PreferredRole = l.text(v, path)
		case "clientId":
			in.ClientID = l.text(v, path)
		case "clientMetadata":
			in.ClientMetadata = l.textMap(v, path)
		case "scopes":
			in.Scopes = l.texts(v, path)
		case "triggerSource":
			in.TriggerSource = l.text(v, path)
		case "poolId":
			in.PoolID = l.text(v, path)
		case "region":
			in.Region = l.text(v, path)
		case "unavailable":
			var lookups []string
			for _, lookup := range l.program.Explain().Lookups {
				lookups = append(lookups, lookup.Name)
			}
			unavailable = l.texts(v, path)
			for _, name := range unavailable {
				l.known(k, path, "lookup", name, lookups)
			}
		case "code":
			code = l.object(v, path)
			for _, name := range slices.Sorted(maps.Keys(code)) {
				l.known(k, path, "claim that code sets,", name, l.program.CodeClaims())
			}
		case "want":
			u.want = l.want(v, path)
		}
		if slices.Contains([]string{"userName", "attributes", "groups", "roles", "preferredRole"}, key) {
			onlyUsers[key] = k
		}
	})
	if in.Machine {
		for key, k := range onlyUsers {
			l.fail(k, child(path, key), "a machine has none; remove it, or remove machine")
		}
		if u.want.id != nil || u.want.groups != nil {
			l.fail(k, child(path, "want"), "a machine gets no ID token and no groups; remove id and groups")
		}
	}
	find := func(ctx context.Context, requests []program.LookupRequest) map[string]program.Found {
		found := l.tables.find(ctx, requests)
		for _, name := range unavailable {
			found[name] = program.Found{Problem: "it cannot be made"}
		}
		return found
	}
	u.tokens, u.fault = issue(l.program, l.params, find, code, in.Event())
	l.users[name] = u
	l.add("users/"+name, k, func() []string { return l.compare(u, in) })
}

func (l *loader) want(n *yaml.Node, path string) want {
	var w want
	l.entries(n, path, []string{"access", "id", "scopes", "groups", "refused"}, func(key string, k, v *yaml.Node) {
		path := child(path, key)
		switch key {
		case "access":
			w.access = l.object(v, path)
		case "id":
			w.id = l.object(v, path)
		case "scopes":
			w.scopes = l.texts(v, path)
		case "groups":
			w.groups = l.texts(v, path)
		case "refused":
			if w.refused = l.texts(v, path); len(w.refused) == 0 {
				l.fail(k, path, "names no reason; give the paths of what refuses, or remove it")
			}
		}
	})
	if w.refused != nil && (w.access != nil || w.id != nil || w.scopes != nil || w.groups != nil) {
		l.fail(n, path, "wants tokens and a refusal; remove one of the two")
	}
	return w
}

func (l *loader) add(name string, at *yaml.Node, failures func() []string) {
	l.cases = append(l.cases, Case{Name: name, File: l.decoder.file, Line: at.Line, Column: at.Column, failures: failures})
}

// compare lists how a user's tokens differ from what is wanted.
func (l *loader) compare(u *user, in SignIn) []string {
	if u.fault != nil {
		return []string{"the claim function fails: " + u.fault.Error()}
	}
	var out []string
	if u.want.refused != nil {
		if len(u.tokens.Refusals) == 0 {
			return []string{"tokens are issued, want a refusal because of " + quoted(u.want.refused)}
		}
		return diffReasons(u.tokens.Refusals, u.want.refused)
	}
	if len(u.tokens.Refusals) > 0 {
		for _, r := range u.tokens.Refusals {
			out = append(out, "no tokens are issued: "+r.Path+": "+r.Message)
		}
		return out
	}
	if u.want.access != nil {
		out = append(out, l.diffClaims("access", u.tokens.Access, u.want.access, policy.AccessToken, in)...)
	}
	if u.want.id != nil {
		out = append(out, l.diffClaims("id", u.tokens.ID, u.want.id, policy.IDToken, in)...)
	}
	if u.want.scopes != nil {
		out = append(out, diffSet("scopes", strings.Fields(text(u.tokens.Access["scope"])), u.want.scopes)...)
	}
	if u.want.groups != nil {
		out = append(out, diffSet("groups", list(u.tokens.Access["cognito:groups"]), u.want.groups)...)
	}
	if len(out) > 0 {
		for _, r := range u.tokens.Omitted {
			out = append(out, "(left out because of an error: "+r.Path+": "+r.Message+")")
		}
	}
	return out
}

// diffClaims compares the policy's own claims, and those of Cognito's that are wanted.
func (l *loader) diffClaims(path string, token, wanted map[string]any, kind policy.Token, in SignIn) []string {
	event, _ := decode(in.Event())
	without := untouched(object(event))
	cognitos := map[policy.Token]map[string]any{policy.AccessToken: without.Access, policy.IDToken: without.ID}[kind]
	got := maps.Clone(token)
	maps.DeleteFunc(got, func(name string, _ any) bool {
		_, isWanted := wanted[name]
		_, isCognitos := cognitos[name]
		return !isWanted && (isCognitos || isProtected(kind, name) || name == "scope") && !l.mints(name, kind)
	})
	return diff(path, got, wanted)
}

// mints tells whether the policy may put a claim into a token.
func (l *loader) mints(name string, kind policy.Token) bool {
	return slices.ContainsFunc(l.claims, func(c policy.ExplainedClaim) bool {
		return c.Key == name && slices.Contains(c.Tokens, kind)
	})
}

// diffReasons compares reasons with what is wanted of them: the path, or the path and the message.
func diffReasons(got []program.Reason, wanted []string) []string {
	var out []string
	for i := range max(len(got), len(wanted)) {
		switch {
		case i >= len(got):
			out = append(out, fmt.Sprintf("refused[%d]: got none, want %q", i, wanted[i]))
		case i >= len(wanted):
			out = append(out, fmt.Sprintf("refused[%d]: got %q, want none", i, got[i].Path+": "+got[i].Message))
		case wanted[i] != got[i].Path && wanted[i] != got[i].Path+": "+got[i].Message:
			out = append(out, fmt.Sprintf("refused[%d]: got %q, want %q", i, got[i].Path+": "+got[i].Message, wanted[i]))
		}
	}
	return out
}

func (l *loader) authorizer(name string, k, n *yaml.Node) {
	path := child("authorizers", name)
	checker, ok := l.program.Checker(name)
	if !ok {
		names := l.program.CheckerNames()
		l.fail(k, "authorizers", "the policy has no authorizer %q%s; it has %s", name, policy.DidYouMean(name, names), quoted(names))
		return
	}
	l.entries(n, path, nil, func(route string, _, n *yaml.Node) {
		path := child(path, route)
		l.items(n, path, func(path string, n *yaml.Node) { l.request(name, checker, route, path, n) })
	})
}

var requestKeys = []string{
	"name", "as", "token", "claims", "at", "method", "path", "pathParameters", "queryParameters", "headers", "sourceIp",
	"allow", "deny", "invalid",
}

// verdict is what a request must get. The zero value is to be allowed.
type verdict struct {
	deny    []string
	invalid bool // the token is
}

func (v verdict) String() string {
	switch {
	case v.invalid:
		return "invalid token" // and the rules are not asked
	case len(v.deny) > 0:
		return "deny: " + quoted(v.deny)
	default:
		return "allow"
	}
}

func (l *loader) request(authorizer string, checker *program.Checker, route, path string, n *yaml.Node) {
	request := program.Request{RouteKey: route, Params: l.params}
	var name string
	var as []string
	var idToken bool
	var claims map[string]any
	var at time.Time
	var want verdict
	given := map[string]*yaml.Node{}
	before := len(l.problems)
	l.entries(n, path, requestKeys, func(key string, k, v *yaml.Node) {
		given[key] = v
		path := child(path, key)
		switch key {
		case "name":
			name = l.text(v, path)
		case "as":
			if v.Kind == yaml.ScalarNode {
				as = []string{l.text(v, path)}
			} else {
				as = l.texts(v, path)
			}
			for _, user := range as {
				l.knownUser(k, path, user)
			}
		case "token":
			if idToken = v.Value == "id"; !idToken && v.Value != "access" {
				l.fail(v, path, "must be access or id, found %s", describe(v))
			}
		case "claims":
			claims = l.payload(v, path)
		case "at":
			at = l.day(v, path)
		case "method":
			request.Method = l.text(v, path)
		case "path":
			request.Path = l.text(v, path)
		case "pathParameters":
			request.PathParameters = l.textMap(v, path)
		case "queryParameters":
			request.QueryParameters = l.textMap(v, path)
		case "headers":
			request.Headers = l.textMap(v, path)
		case "sourceIp":
			request.SourceIP = l.text(v, path)
		case "allow":
			if !l.flag(v, path) {
				l.fail(k, path, "must be true; for a refusal, give deny with its messages")
			}
		case "deny":
			if want.deny = l.texts(v, path); len(want.deny) == 0 {
				l.fail(k, path, "has no messages; give those of the rules that are not met")
			}
		case "invalid":
			if want.invalid = l.flag(v, path); !want.invalid {
				l.fail(k, path, "must be true; for a token that is accepted, give allow or deny")
			}
		}
	})
	if len(l.problems) > before {
		return
	}
	if (given["as"] == nil) == (given["claims"] == nil) {
		l.fail(n, path, "needs either as, a user, or claims, a token's payload")
	}
	if given["claims"] != nil && given["token"] != nil {
		l.fail(given["token"], child(path, "token"), "goes with as; of claims, token_use tells which token they are; remove it")
	}
	for _, who := range as {
		if tokens := l.users[who].tokens; idToken && tokens.Access != nil && tokens.ID == nil {
			l.fail(given["token"], child(path, "token"), "user %q is a machine and has no ID token", who)
		}
	}
	if verdicts := slices.DeleteFunc([]string{"allow", "deny", "invalid"}, func(key string) bool { return given[key] == nil }); len(verdicts) != 1 {
		l.fail(n, path, "needs one of allow: true, deny: [messages] and invalid: true, found %s", cmp.Or(quoted(verdicts), "none"))
	}
	request, err := Complete(request)
	if err != nil {
		l.fail(n, path, "%v", err)
	}
	title := func(who string) string {
		if name == "" && idToken {
			who += " with an ID token"
		}
		if name == "" && given["at"] != nil {
			who += " on " + at.Format(time.DateOnly)
		}
		switch {
		case name != "" && len(as) > 1:
			who = name + " " + who
		case name != "":
			who = name
		}
		return authorizer + "/" + route + "/" + who
	}
	if claims != nil {
		l.add(title("claims"), n, func() []string { return l.decide(checker, claims, request, at, want) })
	}
	for _, who := range as {
		l.add(title(who), n, func() []string {
			u := l.users[who]
			if u.tokens.Access == nil {
				return []string{fmt.Sprintf("user %q gets no token, see users/%s", who, who)}
			}
			payload := u.tokens.Access
			if idToken {
				payload = u.tokens.ID
			}
			return l.decide(checker, payload, request, at, want)
		})
	}
}

func (l *loader) knownUser(at *yaml.Node, path, name string) {
	u := l.users[name]
	switch {
	case u == nil && len(l.users) == 0:
		l.fail(at, path, "there is no user %q; the file has no users", name)
	case u == nil:
		names := slices.Sorted(maps.Keys(l.users))
		l.fail(at, path, "there is no user %q%s; there are %s", name, policy.DidYouMean(name, names), quoted(names))
	case u.want.refused != nil:
		l.fail(at, path, "user %q is refused and has no token", name)
	}
}

// payload is a token's payload. Names that only rules use are refused, since nothing would read them there, and so is what
// makes a verifier refuse an ID token.
func (l *loader) payload(n *yaml.Node, path string) map[string]any {
	o := l.object(n, path)
	for _, c := range []struct{ name, instead string }{
		{"scopes", `"scope", one string with a blank between scopes`},
		{"groups", `"cognito:groups"`},
	} {
		if _, ok := o[c.name]; ok {
			l.fail(n, child(path, c.name), "a token has no claim %q; it has %s", c.name, c.instead)
		}
	}
	for _, name := range []string{"scope", "client_id"} {
		if _, ok := o[name]; ok && o["token_use"] == "id" {
			l.fail(n, child(path, name), "an ID token has no claim %q; remove it, or make token_use \"access\"", name)
		}
	}
	return o
}

// decide lists how the decision differs from what is wanted.
func (l *loader) decide(checker *program.Checker, payload map[string]any, request program.Request, at time.Time, want verdict) []string {
	decision, invalid := Decide(checker, payload, request, at)
	got := verdict{invalid: invalid}
	for _, r := range decision.Reasons {
		if !invalid {
			got.deny = append(got.deny, r.Message)
		}
	}
	if got.invalid == want.invalid && slices.Equal(got.deny, want.deny) {
		return nil
	}
	out := []string{"got  " + got.String(), "want " + want.String()}
	if invalid {
		out[0] += ": " + quoted([]string{decision.Reasons[0].Message})
	}
	if payload["token_use"] == "id" {
		out = append(out, "("+idTokens(checker, request.RouteKey)+")")
	}
	if routes := checker.Routes(); !slices.Contains(routes, request.RouteKey) {
		out = append(out, fmt.Sprintf("(the policy has no rules of its own for route %q%s)", request.RouteKey, policy.DidYouMean(request.RouteKey, routes)))
	}
	return out
}

// idTokens says how long ID tokens are accepted on a route.
func idTokens(checker *program.Checker, route string) string {
	if !checker.AcceptsIDToken(route, time.Time{}) {
		return "the policy's idTokens never accept one here"
	}
	return "the policy's idTokens refuse them here from " + checker.IDTokensUntil().Format(time.DateOnly) + " on"
}
