package pretoken

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

const tiers = `
lookups:
  tier: {table: subscriptions, key: {pk: "user.attributes.sub"}, type: {plan: string}, onMissing: {default: {plan: free}}, when: "!('staff' in user.groups)"}
claims:
  plan: {expr: "lookup.?tier.?plan"}
`

func TestRowsReachClaims(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(t, tiers, &log)
	var asked []program.LookupRequest
	h.Lookup = func(_ context.Context, requests []program.LookupRequest) map[string]program.Found {
		asked = append(asked, requests...)
		return map[string]program.Found{"tier": {Rows: []map[string]any{{"plan": "pro"}}}}
	}
	answer, err := h.Invoke(t.Context(), fixture(t, "user.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `"claimsToAddOrOverride":{"plan":"pro"}`; !strings.Contains(string(answer), want) {
		t.Errorf("the answer lacks %s: %s", want, answer)
	}
	sub := tree(t, fixture(t, "user.json"))["request"].(map[string]any)["userAttributes"].(map[string]any)["sub"]
	if len(asked) != 1 || asked[0].Table != "subscriptions" || !reflect.DeepEqual(asked[0].Key, map[string]any{"pk": sub}) {
		t.Errorf("asked for %+v", asked)
	}
	if !strings.Contains(log.String(), `"lookupMicroseconds":`) {
		t.Errorf("log %s", &log)
	}
	noPersonalData(t, log.String())
}

// A refusal tells the user that trying again is of no use, a fault that it may help.
func TestLookupsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy string
		found  map[string]program.Found
		want   string
		log    string
	}{
		"a fault":   {tiers, map[string]program.Found{"tier": {Problem: "throttled"}}, "sign-in is temporarily not possible", `"outcome":"fault","reasons":[{"path":"lookups.tier","message":"throttled"}]`},
		"a refusal": {strings.Replace(tiers, "{default: {plan: free}}", "deny", 1), map[string]program.Found{"tier": {}}, "sign-in is not permitted for this account", `"outcome":"refused","reasons":[{"path":"lookups.tier","message":"there is no such row"}]`},
		"nothing":   {tiers, nil, "sign-in is temporarily not possible", `it was not looked up`},
		"a default": {strings.Replace(tiers, "onMissing", "onError", 1), map[string]program.Found{"tier": {Problem: "throttled"}}, "", `"omitted":[{"path":"lookups.tier","message":"throttled"}]`},
	} {
		var log bytes.Buffer
		h := handler(t, c.policy, &log)
		h.Lookup = func(context.Context, []program.LookupRequest) map[string]program.Found { return c.found }
		_, err := h.Invoke(t.Context(), fixture(t, "user.json"))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want || !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: got %q, want %q; log %s", name, got, c.want, &log)
		}
		noPersonalData(t, log.String())
	}
}
