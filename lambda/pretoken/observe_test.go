package pretoken

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/metrics"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func TestMintsAreObserved(t *testing.T) {
	t.Parallel()
	found := func(f program.Found) LookupFunc {
		return func(context.Context, []program.LookupRequest) map[string]program.Found {
			return map[string]program.Found{"tier": f}
		}
	}
	for _, c := range []struct {
		name   string
		policy string
		lookup LookupFunc
		event  string // default: a user's
		want   Observation
	}{
		{name: "issued", policy: "claims: {a: {value: 1}}", want: Observation{Outcome: "issued"}},
		{name: "refused", policy: `claims: {a: {attribute: "custom:none", required: true}}`, want: Observation{Outcome: "refused"}},
		{name: "a claim left out", policy: `claims: {a: {expr: "user.attributes['custom:none']", onError: omit}}`, want: Observation{Outcome: "issued", Omitted: 1}},
		{name: "a fault", policy: "claims: {a: {value: 1}}", event: "{}", want: Observation{Outcome: "fault"}},
		{name: "a row", policy: tiers, lookup: found(program.Found{Rows: []map[string]any{{"plan": "pro"}}}), want: Observation{Outcome: "issued", Lookup: 1}},
		{name: "no row", policy: tiers, lookup: found(program.Found{}), want: Observation{Outcome: "issued", Lookup: 1}},
		{name: "a lookup that fails", policy: tiers, lookup: found(program.Found{Problem: "throttled"}), want: Observation{Outcome: "fault", Lookup: 1, LookupFailures: 1}},
		{name: "a lookup that is not made", policy: tiers, lookup: func(context.Context, []program.LookupRequest) map[string]program.Found { return nil },
			want: Observation{Outcome: "fault", Lookup: 1, LookupFailures: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := handler(t, c.policy, &log)
			h.Lookup = c.lookup
			var seen []Observation
			h.Observe = func(o Observation) {
				if o.Duration <= 0 {
					t.Error("no duration")
				}
				o.Duration = 0
				if o.Lookup > 0 {
					o.Lookup = 1
				}
				seen = append(seen, o)
			}
			event := []byte(c.event)
			if c.event == "" {
				event = fixture(t, "user.json")
			}
			_, _ = h.Invoke(t.Context(), event)
			if len(seen) != 1 || seen[0] != c.want {
				t.Errorf("observed %+v, want %+v; log %s", seen, c.want, &log)
			}
			if !strings.Contains(log.String(), `"microseconds":`) || !strings.Contains(log.String(), `"outcome":"`+c.want.Outcome+`"`) {
				t.Errorf("log %s", &log)
			}
		})
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Observation{
		`"Outcome":"refused","Mints":1,"MintDuration":1}`: {Outcome: refused, Duration: time.Millisecond},
		`"Outcome":"issued","Mints":1,"MintDuration":0,"LookupDuration":2.5,"LookupFailures":1,"OmittedClaims":3}`: {
			Outcome: issued, Lookup: 2500 * time.Microsecond, LookupFailures: 1, Omitted: 3},
	} {
		var out bytes.Buffer
		if o.measure(metrics.New(&out, time.Now, "N", "f", "")); !strings.HasSuffix(out.String(), want+"\n") {
			t.Errorf("got %s, want …%s", &out, want)
		}
	}
}
