package apigw

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
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

	for name, c := range map[string]struct {
		environment map[string]string
		want        string // the error
		check       func(*Handler) bool
	}{
		"nothing optional": {nil, "", func(h *Handler) bool {
			return h.InvalidToken == Forbidden && h.Response == Simple && !h.WWWAuthenticate && reflect.DeepEqual(h.Sources, DefaultSources)
		}},
		"everything": {map[string]string{
			"CLAIMSMITH_AUTHORIZER": "B", "CLAIMSMITH_INVALID_TOKEN": "unauthorized", "CLAIMSMITH_RESPONSE": "policy",
			"CLAIMSMITH_TOKEN_SOURCES": "header:Authorization,subprotocol", "CLAIMSMITH_WWW_AUTHENTICATE": "true",
		}, "", func(h *Handler) bool {
			return h.InvalidToken == Unauthorized && h.Response == IAMPolicy && h.WWWAuthenticate && len(h.Sources) == 2
		}},
		"no authorizer":             {map[string]string{"CLAIMSMITH_AUTHORIZER": ""}, `CLAIMSMITH_AUTHORIZER is ""; the policy has A, B`, nil},
		"an unknown authorizer":     {map[string]string{"CLAIMSMITH_AUTHORIZER": "C"}, `CLAIMSMITH_AUTHORIZER is "C"; the policy has A, B`, nil},
		"an unknown answer":         {map[string]string{"CLAIMSMITH_INVALID_TOKEN": "no"}, `CLAIMSMITH_INVALID_TOKEN is "no"; allowed are ["forbidden" "unauthorized"]`, nil},
		"an unknown form":           {map[string]string{"CLAIMSMITH_RESPONSE": "no"}, `CLAIMSMITH_RESPONSE is "no"; allowed are ["simple" "policy"]`, nil},
		"an unknown switch":         {map[string]string{"CLAIMSMITH_WWW_AUTHENTICATE": "1"}, `CLAIMSMITH_WWW_AUTHENTICATE is "1"; allowed are ["false" "true"]`, nil},
		"an unknown source":         {map[string]string{"CLAIMSMITH_TOKEN_SOURCES": "body"}, `CLAIMSMITH_TOKEN_SOURCES: apigw: "body" is no source of tokens`, nil},
		"pools that are no JSON":    {map[string]string{"CLAIMSMITH_USER_POOLS": ""}, "CLAIMSMITH_USER_POOLS is no JSON list of user pools", nil},
		"no pools":                  {map[string]string{"CLAIMSMITH_USER_POOLS": "[]"}, "token: pools: none configured", nil},
		"a pool without clients":    {map[string]string{"CLAIMSMITH_USER_POOLS": `[{"userPoolId": "eu-west-1_Example"}]`}, "token: pools[0].clientIds: none configured", nil},
		"keys that are unreachable": {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "", func(*Handler) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL", server.URL)
			t.Setenv("CLAIMSMITH_AUTHORIZER", "A")
			t.Setenv("CLAIMSMITH_USER_POOLS", `[{"userPoolId": "`+pool.ID+`", "clientIds": ["web"]}]`)
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			h, err := fromEnvironment(nil)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && !c.check(h):
				t.Errorf("got %+v", h)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("got %v", err)
			}
		})
	}
	if pool.Fetches() == 0 {
		t.Error("no keys were fetched at the start")
	}
	os.Remove(file)
	if _, err := fromEnvironment(nil); err == nil {
		t.Error("starts without a policy")
	}
}
