package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(executable), "policy.json")
	if err := os.WriteFile(file, []byte(`{"params": ["stage"], "claims": {"stage": {"expr": "params.stage"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })

	for _, c := range []struct{ version, stage, want string }{
		{"", "", `CLAIMSMITH_TRIGGER_VERSION is ""; allowed are V2_0 and V3_0`},
		{"V1_0", "", `CLAIMSMITH_TRIGGER_VERSION is "V1_0"; allowed are V2_0 and V3_0`},
		{"V2_0", "", `the policy's param "stage" has no value`},
		{"V2_0", "prod", ""},
		{"V3_0", "prod", ""},
	} {
		t.Setenv("CLAIMSMITH_TRIGGER_VERSION", c.version)
		if c.stage != "" {
			t.Setenv("CLAIMSMITH_PARAM_stage", c.stage)
		}
		h, err := handler()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.want == "" && h.Params["stage"] != "prod":
			t.Errorf("%+v: params %v", c, h.Params)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%+v: got %v", c, err)
		}
	}
	os.Remove(file)
	if _, err := handler(); err == nil {
		t.Error("starts without a policy")
	}
}
