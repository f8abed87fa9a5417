package apigw

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func TestFromEnvironment(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(executable), "policy.json")
	if err := os.WriteFile(file, []byte(`{"authorizers": {"A": {"default": [{"rule": "true"}]}, "B": {"default": [{"rule": "true"}]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)

	const pools = `[{"userPoolId": "eu-west-1_Example", "clientIds": ["web"]}]`
	for _, c := range []struct{ name, invalid, pools, want string }{
		{"", "forbidden", pools, `CLAIMSMITH_AUTHORIZER is ""; the policy has A, B`},
		{"C", "forbidden", pools, `CLAIMSMITH_AUTHORIZER is "C"; the policy has A, B`},
		{"A", "", pools, `CLAIMSMITH_INVALID_TOKEN is ""; allowed are forbidden and unauthorized`},
		{"A", "forbidden", "", "CLAIMSMITH_USER_POOLS is no JSON list of user pools"},
		{"A", "forbidden", "[]", "token: pools: none configured"},
		{"A", "forbidden", `[{"userPoolId": "eu-west-1_Example"}]`, "token: pools[0].clientIds: none configured"},
		{"A", "unauthorized", pools, ""},
		{"B", "forbidden", pools, ""},
	} {
		t.Setenv("CLAIMSMITH_AUTHORIZER", c.name)
		t.Setenv("CLAIMSMITH_INVALID_TOKEN", c.invalid)
		t.Setenv("CLAIMSMITH_USER_POOLS", c.pools)
		h, err := fromEnvironment(nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.want == "" && h.InvalidToken != InvalidToken(c.invalid):
			t.Errorf("%+v: answers %q", c, h.InvalidToken)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
