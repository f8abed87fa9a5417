package policy

import (
	"math"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// acceptCase is what own code changes and what becomes of it.
type acceptCase struct {
	name     string
	change   func(*program.Minted)
	access   map[string]any
	refusals []program.Reason
}

func (c acceptCase) run(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `
claims:
  plan: {value: free}
  must: {value: 1, required: true}
  limits: {code: true, type: {docs: int, ratio: double}}
  both: {code: true, type: any, tokens: [access, id]}
suppress: [{claim: email, tokens: [id]}]
`)
	in := program.SignIn{ClientID: "web"}
	minted := prog.Mint(in)
	c.change(&minted)
	got := prog.Accept(in, minted)
	equal(t, "issue", got.Issue, c.refusals == nil)
	equal(t, "refusals", got.Refusals, c.refusals)
	equal(t, "access claims", got.Access, c.access)
}

func TestAccept(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	set := func(name string, v any) func(*program.Minted) { return func(m *program.Minted) { m.Access[name] = v } }
	for _, c := range []acceptCase{
		{"nothing", func(*program.Minted) {}, object{"plan": "free", "must": int64(1)}, nil},
		{"claims set and removed", func(m *program.Minted) {
			m.Access["plan"] = "pro"
			m.Access["new"] = []string{"a"}
			delete(m.Access, "nothing")
		},
			object{"plan": "pro", "must": int64(1), "new": []any{"a"}}, nil},
		{"a declared claim, in the form that rules expect", set("limits", map[string]any{"docs": 3.0, "ratio": int32(2), "more": "x"}),
			object{"plan": "free", "must": int64(1), "limits": object{"docs": int64(3), "ratio": 2.0}}, nil},
		{"a claim of another type", set("plan", 3), nil, reasons("claims.plan", "claims.plan is no string")},
		{"a declared claim of another type", set("limits", map[string]any{"docs": "secret"}), nil, reasons("claims.limits", "claims.limits.docs is no int")},
		{"protected claims", func(m *program.Minted) {
			for _, name := range []string{"sub", "cognito:groups", "scope", "groups", "dev:x", ""} {
				m.Access[name] = "x"
			}
		}, nil, reasons(
			`claims[""]`, "a claim needs a name",
			`claims["cognito:groups"]`, `claim "cognito:groups" holds the user's groups`,
			`claims["dev:x"]`, `claim "dev:x": a developer-only attribute can only be suppressed`,
			"claims.groups", `claim "groups" would hide the user's groups, which rules read as claims.groups`,
			"claims.scope", `claim "scope" is made by Cognito from the token's scopes`,
			"claims.sub", `claim "sub" is protected by Cognito and cannot be set in an access token`)},
		{"aud of the client", set("aud", "web"), object{"plan": "free", "must": int64(1), "aud": "web"}, nil},
		{"aud of another", set("aud", "other"), nil, reasons("claims.aud", `claim "aud" can only be the app client's id: write {expr: client.id} or leave it out`)},
		{"what no token carries", func(m *program.Minted) {
			m.Access["a"] = nil
			m.Access["b"] = map[string]any{"secret": nil}
			m.Access["c"] = []any{[]any{1}}
			m.Access["d"] = math.NaN()
			m.Access["e"] = struct{}{}
			m.Access["f"] = uint64(math.MaxUint64)
		}, nil, reasons(
			"claims.a", "is null, which Cognito documents no way to carry; leave it out or give a value",
			"claims.b", "is null, which Cognito documents no way to carry; leave it out or give a value",
			"claims.c", "is a list or object inside a list, which Cognito documents no way to carry; use an object with names instead",
			"claims.d", "NaN is no number that JSON can carry",
			"claims.e", "has type struct {}; allowed are strings, numbers, booleans, lists and maps with string keys",
			"claims.f", "is beyond a 64-bit integer; mint a string")},
		{"a required claim is gone", func(m *program.Minted) { delete(m.Access, "must") }, nil, reasons("claims.must", "is required, but there is no value for it")},
		{"an object where an ID token has none", func(m *program.Minted) { m.ID["address"] = map[string]any{"street": "x"} }, nil, reasons("claims.address", "of an ID token cannot hold an object")},
		{"suppressions", func(m *program.Minted) {
			m.SuppressInAccess = []string{"sub", "plan"}
			m.SuppressInID = append(m.SuppressInID, "phone_number")
		}, nil, reasons("suppress", `claim "sub" is protected by Cognito and cannot be suppressed`,
			"suppress", `claim "plan" of the same token is minted too; Cognito lets the suppression win`)},
		{"scopes", func(m *program.Minted) { m.ScopesToAdd = []string{"a", "b c", ""} }, nil,
			reasons("scopes.add[1]", "is empty or contains a blank", "scopes.add[2]", "is empty or contains a blank")},
		{"a refusal of its own", func(m *program.Minted) { *m = program.Minted{Refusals: reasons("x", "y")} }, nil, reasons("x", "y")},
	} {
		t.Run(c.name, c.run)
	}
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		prog := mustCompile(t, "claims: {a: {value: 1}}")
		minted := prog.Mint(program.SignIn{})
		minted.Access["b"] = strings.Repeat("x", 10_000)
		if got := prog.Accept(program.SignIn{}, minted); got.Issue || got.Refusals[0].Path != "tokenBudget" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestClaimsThatCodeSets(t *testing.T) {
	t.Parallel()
	for _, c := range []problemCase{
		{"rules are checked against the declared type", "claims: {a: {code: true, type: {b: int}}}\nauthorizers: {A: {default: [{rule: \"claims.?a.?b.orValue(0) == 1\"}, {rule: claims.a.c == 1}]}}", `
p.yaml:2:84: authorizers.A.default[1].rule: claims.a has no field "c" (did you mean "b"?); it has b
    claims.a.c == 1
            ^`},
		{"what does not go with code", "claims: {a: {code: true}, b: {code: true, value: 1, type: int}, c: {code: true, type: int, when: 'true'}, d: {claims: {e: {code: true, type: int}}}, f: {code: false, value: 1}}", `
p.yaml:1:10: claims.a: is set by code, so nothing is known of it: give its type, or type: any
p.yaml:1:27: claims.b: has value and code; a claim has exactly one of them
p.yaml:1:65: claims.c: is set by code, which decides itself: when and onError do not apply
p.yaml:1:130: claims.d.e.code: code sets whole claims; give it to the outermost one, with its type
p.yaml:1:160: claims.f.code: is not true; say where the value comes from instead`},
	} {
		t.Run(c.name, c.run)
	}
	prog := mustCompile(t, "claims: {b: {code: true, type: int}, a: {code: true, type: any, required: true}, c: {value: 1}}")
	equal(t, "claims of code", prog.CodeClaims(), []string{"a", "b"})
	if got := prog.Mint(program.SignIn{}); !got.Issue || len(got.Access) != 1 {
		t.Errorf("before the code has run: %+v", got)
	}
	shipped, err := prog.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "shipped", mustCompile(t, string(shipped)).CodeClaims(), []string{"a", "b"})
}
