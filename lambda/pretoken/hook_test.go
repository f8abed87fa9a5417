package pretoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// hookCase is a hook, and what Cognito gets and the log says.
type hookCase struct {
	name  string
	hook  Hook
	want  string // the response, or
	err   string // the error
	log   string
	after Hook
}

func (c hookCase) run(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, `
claims:
  plan: {value: free}
  limits: {code: true, type: {docs: int}}
`, &log)
	h.Deadline = 200 * time.Millisecond
	if c.name != "a hook that does not return" && c.name != "a hook that minds the deadline" {
		h.Deadline = time.Minute
	}
	h.Hooks = []Hook{c.hook}
	if c.after != nil {
		h.Hooks = append(h.Hooks, c.after)
	}
	answer, err := h.Invoke(t.Context(), fixture(t, "user.json"))
	switch {
	case c.err != "":
		if answer != nil || err == nil || err.Error() != c.err {
			t.Errorf("got %s, %v", answer, err)
		}
	case err != nil:
		t.Errorf("%v; log %s", err, &log)
	default:
		want := tree(t, []byte(`{"claimsAndScopeOverrideDetails": `+c.want+`}`))
		if got := tree(t, answer)["response"]; !reflect.DeepEqual(got, any(want)) {
			t.Errorf("response\n got %v\nwant %v", got, want)
		}
	}
	if !strings.Contains(log.String(), c.log) {
		t.Errorf("the log lacks %s: %s", c.log, &log)
	}
	noPersonalData(t, log.String())
}

func TestHooks(t *testing.T) {
	t.Parallel()
	const refused, fault = "sign-in is not permitted for this account", "sign-in is temporarily not possible"
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, c := range []hookCase{
		{name: "sets and removes", hook: func(_ context.Context, in program.SignIn, out *program.Minted) error {
			delete(out.Access, "plan")
			out.Access["limits"] = map[string]any{"docs": len(in.Groups)}
			out.ID["seen"] = in.UserName
			out.ScopesToAdd = append(out.ScopesToAdd, "documents/read")
			return nil
		}, want: `{"accessTokenGeneration": {"claimsToAddOrOverride": {"limits": {"docs": 2}}, "scopesToAdd": ["documents/read"]}, "idTokenGeneration": {"claimsToAddOrOverride": {"seen": "brcotter"}}}`,
			log: `"outcome":"issued"`},
		{name: "the second sees what the first did", hook: func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			out.Access["plan"] = "pro"
			return nil
		}, after: func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			out.Access["plan"] = out.Access["plan"].(string) + "+"
			return nil
		}, want: `{"accessTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro+"}}}`, log: `"outcome":"issued"`},
		{name: "denies", hook: func(context.Context, program.SignIn, *program.Minted) error {
			return fmt.Errorf("wrapped: %w", Deny("no seat is free"))
		}, err: refused, log: `"outcome":"refused","reasons":[{"path":"hooks[0]","message":"no seat is free"}]`},
		{name: "refuses what a policy cannot mint", hook: func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			out.Access["sub"] = "brcotter"
			return nil
		}, err: refused, log: `{"path":"claims.sub","message":"claim \"sub\" is protected by Cognito and cannot be set in an access token"}`},
		{name: "refuses another type than declared", hook: func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			out.Access["limits"] = map[string]any{"docs": "acme"}
			return nil
		}, err: refused, log: `claims.limits.docs is no int`},
		{name: "an error", hook: func(context.Context, program.SignIn, *program.Minted) error {
			return fmt.Errorf("tier of brcotter: %w", &url.Error{Op: "Get", URL: "https://tiers.example.com/brcotter", Err: errors.New("acme")})
		}, err: fault, log: `"outcome":"fault","error":"hooks[0]: error of type *fmt.wrapError, *url.Error, *errors.errorString"`},
		{name: "a panic", hook: func(_ context.Context, in program.SignIn, _ *program.Minted) error { panic(in.UserName) },
			err: fault, log: `"outcome":"fault","error":"hooks[0]: panic of type string"`},
		{name: "a hook that minds the deadline", hook: func(ctx context.Context, _ program.SignIn, _ *program.Minted) error {
			<-ctx.Done()
			return ctx.Err()
		}, err: fault, log: `time"`},
		{name: "a hook that does not return", hook: func(context.Context, program.SignIn, *program.Minted) error {
			<-hang
			return nil
		}, err: fault, log: `"error":"hooks[0]: has not returned in time"`},
	} {
		t.Run(c.name, c.run)
	}
}

func TestHooksDoNotRunForASignInThatThePolicyRefuses(t *testing.T) {
	t.Parallel()
	h := handler(t, `claims: {a: {attribute: none, required: true}}`, &bytes.Buffer{})
	h.Hooks = []Hook{func(context.Context, program.SignIn, *program.Minted) error {
		t.Error("the hook ran")
		return nil
	}}
	if _, err := h.Invoke(t.Context(), fixture(t, "user.json")); err == nil {
		t.Error("the sign-in succeeded")
	}
}

func TestHooksNeedNoPolicy(t *testing.T) {
	t.Parallel()
	h := handler(t, `{}`, &bytes.Buffer{})
	h.Hooks = []Hook{func(_ context.Context, _ program.SignIn, out *program.Minted) error {
		out.Access["plan"] = "pro"
		return nil
	}}
	answer, err := h.Invoke(t.Context(), fixture(t, "user.json"))
	if want := `"claimsToAddOrOverride":{"plan":"pro"}`; err != nil || !strings.Contains(string(answer), want) {
		t.Errorf("got %s, %v; want %s", answer, err, want)
	}
}

// What V1_0 has no place for must not vanish without a word.
func TestHooksCannotShapeAccessTokensOnV1(t *testing.T) {
	t.Parallel()
	for claim, want := range map[string]string{
		"access": `"outcome":"refused","reasons":[{"path":"hooks","message":"shape the access token, which trigger version V1_0 cannot"}]`,
		"id":     `"outcome":"issued"`,
	} {
		var log bytes.Buffer
		h := handler(t, `{}`, &log)
		h.Version = V1
		h.Hooks = []Hook{func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			map[string]map[string]any{"access": out.Access, "id": out.ID}[claim]["plan"] = "pro"
			return nil
		}}
		if _, err := h.Invoke(t.Context(), fixture(t, "user.json")); (err == nil) != (claim == "id") || !strings.Contains(log.String(), want) {
			t.Errorf("%s: %v; log %s", claim, err, &log)
		}
	}
}

// Lambda's runtime reads the next event into the memory of the last one, maybe while a hook that took too long still looks
// at its sign-in.
func TestWhatHooksGetIsTheirs(t *testing.T) {
	t.Parallel()
	var seen program.SignIn
	h := handler(t, claims, &bytes.Buffer{})
	h.Hooks = []Hook{func(_ context.Context, in program.SignIn, _ *program.Minted) error {
		seen = in
		return nil
	}}
	event := fixture(t, "user.json")
	_, want, err := decode(bytes.Clone(event), h.Params)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	for i := range event {
		event[i] = '?'
	}
	if !reflect.DeepEqual(seen, want.signIn) {
		t.Errorf("the sign-in changed to %+v", seen)
	}
}

// What a hook changes is this sign-in's, not the policy's: neither the next sign-in nor the other token sees it.
func TestAHookChangesOneSignIn(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, `
params: [stage]
claims:
  roles: {value: {owner: {permission: edit}, tags: [a, b]}, tokens: [access, id]}
  stage: {expr: params.stage}
`, &log)
	h.Hooks = []Hook{func(_ context.Context, in program.SignIn, out *program.Minted) error {
		roles := out.Access["roles"].(map[string]any)
		roles["owner"].(map[string]any)["permission"] = "all"
		roles["tags"].([]any)[0] = "x"
		in.Params["stage"] = "dev"
		return nil
	}}
	const want = `{"claimsAndScopeOverrideDetails": {
		"accessTokenGeneration": {"claimsToAddOrOverride": {"roles": {"owner": {"permission": "all"}, "tags": ["x", "b"]}, "stage": "prod"}},
		"idTokenGeneration": {"claimsToAddOrOverride": {"roles": {"owner": {"permission": "edit"}, "tags": ["a", "b"]}}}}}`
	for range 2 {
		answer, err := h.Invoke(t.Context(), fixture(t, "user.json"))
		if err != nil {
			t.Fatalf("%v; log %s", err, &log)
		}
		if got := tree(t, answer)["response"]; !reflect.DeepEqual(got, any(tree(t, []byte(want)))) {
			t.Errorf("response\n got %v\nwant %s", got, want)
		}
	}
}
