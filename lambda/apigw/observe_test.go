package apigw_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
)

// fails is a verifier that has this error for everything.
func fails(err error) verifier {
	return func(context.Context, string) (*token.Token, error) { return nil, err }
}

func TestDecisionsAreObserved(t *testing.T) {
	t.Parallel()
	good := accepts(map[string]any{"client_id": "c", "scope": "documents/read"})
	for _, c := range []struct {
		name     string
		verifier apigw.Verifier
		hook     apigw.Hook
		request  apigwtest.Request
		event    []byte // instead of the request's
		checker  string // of the policy; default: Documents
		want     string // outcome and reason
	}{
		{name: "allow", verifier: good, want: "allow "},
		{name: "a rule", verifier: accepts(map[string]any{"client_id": "c"}), want: "deny rule"},
		{name: "no rule", verifier: good, checker: "Narrow", want: "deny no rule"},
		{name: "a hook's refusal", verifier: good, hook: func(context.Context, map[string]any, program.Request) (string, error) { return "closed", nil }, want: "deny hook"},
		{name: "a hook's error", verifier: good, hook: func(context.Context, map[string]any, program.Request) (string, error) { return "", errors.New("x") }, want: "fault hook"},
		{name: "a path that no policy can name", verifier: good, want: "deny path",
			request: with(get("/documents", "t"), func(r *apigwtest.Request) { r.Path = "/*" })},
		{name: "no token", verifier: good, request: with(get("/documents", "t"), func(r *apigwtest.Request) { r.Header.Del("Authorization") }), want: "invalid token credential"},
		{name: "another scheme", verifier: good, request: with(get("/documents", "t"), func(r *apigwtest.Request) { r.Header.Set("Authorization", "Basic t") }), want: "invalid token credential"},
		{name: "an expired token", verifier: fails(&token.RejectedError{Reason: "exp: the token has expired"}), want: "invalid token exp"},
		{name: "a verifier of another make", verifier: fails(&token.RejectedError{Reason: "no"}), want: "invalid token other"},
		{name: "keys out of reach", verifier: fails(fmt.Errorf("token: %w: down", token.ErrKeysOutOfReach)), want: "fault keys"},
		{name: "an unknown key", verifier: fails(fmt.Errorf("token: %w: x", token.ErrUnknownKey)), want: "fault unknown key"},
		{name: "a token of the future", verifier: fails(fmt.Errorf("token: %w: x", token.ErrNotYetValid)), want: "fault not yet valid"},
		{name: "another fault", verifier: fails(errors.New("x")), want: "fault other"},
		{name: "an event that is none", verifier: good, event: []byte("{}"), want: "fault event"},
		{name: "a panic", verifier: verifier(nil), want: "fault panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, log := handler(c.verifier, apigwtest.REST)
			if c.checker != "" {
				h.Checker = narrow(t, c.checker)
			}
			if c.hook != nil {
				h.Hooks = []apigw.Hook{c.hook}
			}
			var seen []apigw.Observation
			h.Observe = func(o apigw.Observation) { seen = append(seen, o) }
			if c.request.Method == "" {
				c.request = get("/documents", "t")
			}
			if c.event == nil {
				c.event = c.request.Event(apigwtest.REST)
			}
			_, _ = h.Invoke(t.Context(), c.event)
			if len(seen) != 1 || seen[0].Outcome+" "+seen[0].Reason != c.want || seen[0].Duration <= 0 {
				t.Errorf("observed %+v, want %q; log %s", seen, c.want, log)
			}
			if !strings.Contains(log.String(), `"microseconds":`) {
				t.Errorf("log %s", log)
			}
		})
	}
}

// narrow is an authorizer that has rules for another route alone.
func narrow(t *testing.T, name string) *program.Checker {
	t.Helper()
	compiled, err := policy.Compile(&policy.Policy{Authorizers: map[string]policy.Authorizer{
		name: {Routes: map[string][]policy.Rule{"GET /other": {{Rule: "true"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	checker, _ := compiled.Checker(name)
	return checker
}
