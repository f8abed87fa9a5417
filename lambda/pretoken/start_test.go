package pretoken

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func TestFromEnvironment(t *testing.T) {
	folder := programtest.Executable(t)
	programtest.Write(t, folder, `{"params": ["stage"], "claims": {"stage": {"expr": "params.stage"}}}`)

	for _, c := range []struct{ version, stage, want string }{
		{"", "", `CLAIMSMITH_TRIGGER_VERSION is ""; allowed are V1_0, V2_0 and V3_0`},
		{"V1_0", "", `CLAIMSMITH_TRIGGER_VERSION is V1_0, which cannot shape access tokens as the policy does; use V2_0 or V3_0`},
		{"V2_0", "", `the policy's param "stage" has no value`},
		{"V2_0", "prod", ""},
		{"V3_0", "prod", ""},
	} {
		t.Setenv("CLAIMSMITH_TRIGGER_VERSION", c.version)
		if c.stage != "" {
			t.Setenv("CLAIMSMITH_PARAM_stage", c.stage)
		}
		namespace := map[string]string{"V3_0": "Claimsmith"}[c.version]
		t.Setenv("CLAIMSMITH_METRICS_NAMESPACE", namespace)
		h, err := fromEnvironment(nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.want == "" && (h.Params["stage"] != "prod" || (h.Observe != nil) != (namespace != "")):
			t.Errorf("%+v: got %+v", c, h)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%+v: got %v", c, err)
		}
	}

	programtest.Write(t, folder, `{"lookups": {"a": {"table": "t", "key": {"pk": "user.name"}, "type": {"b": "string"}}}}`)
	found := func(context.Context, []program.LookupRequest) map[string]program.Found { return nil }
	for _, c := range []struct {
		options []Option
		want    string
	}{
		{nil, "the policy has lookups, which this function does not make: call pretoken.Start(lookup.DynamoDB())"},
		{[]Option{WithLookups(func() (LookupFunc, error) { return nil, errors.New("no tables") })}, "no tables"},
		{[]Option{WithLookups(func() (LookupFunc, error) { return found, nil })}, ""},
	} {
		got := ""
		if _, err := fromEnvironment(c.options); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}

	file := programtest.Write(t, folder, `{"claims": {"a": {"code": true, "type": "int"}}}`)
	if _, err := fromEnvironment(nil); err == nil || err.Error() != `the policy says that code sets ["a"], but this function has no hook: call pretoken.Start(pretoken.Hook(…))` {
		t.Errorf("without a hook: %v", err)
	}
	if _, err := fromEnvironment([]Option{Hook(nil)}); err == nil || err.Error() != "a hook is nil" {
		t.Errorf("with a nil hook: %v", err)
	}
	if h, err := fromEnvironment([]Option{Hook(func(context.Context, program.SignIn, *program.Minted) error { return nil })}); err != nil || len(h.Hooks) != 1 {
		t.Errorf("with a hook: %v", err)
	}

	os.Remove(file)
	if _, err := fromEnvironment(nil); err == nil {
		t.Error("starts without a policy")
	}
}
