package apigw

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/metrics"
	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func TestFromEnvironment(t *testing.T) {
	file := programtest.Write(t, programtest.Executable(t), `{"authorizers": {"A": {"default": [{"rule": "true"}]}, "B": {"default": [{"rule": "true"}]}}}`)
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)

	for name, c := range map[string]struct {
		environment map[string]string
		want        string // the error
		check       func(*Handler) bool
	}{
		"nothing optional": {nil, "", func(h *Handler) bool {
			return h.InvalidToken == Forbidden && h.Response == Simple && !h.WWWAuthenticate && reflect.DeepEqual(h.Sources, DefaultSources) && h.Observe == nil
		}},
		"everything": {map[string]string{
			"CLAIMSMITH_AUTHORIZER": "B", "CLAIMSMITH_INVALID_TOKEN": "unauthorized", "CLAIMSMITH_RESPONSE": "policy",
			"CLAIMSMITH_TOKEN_SOURCES": "header:Authorization,subprotocol", "CLAIMSMITH_WWW_AUTHENTICATE": "true",
			"CLAIMSMITH_METRICS_NAMESPACE": "N",
		}, "", func(h *Handler) bool {
			return h.InvalidToken == Unauthorized && h.Response == IAMPolicy && h.WWWAuthenticate && len(h.Sources) == 2 && h.Observe != nil
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

func TestMeasures(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := metrics.New(&out, time.Now, "N", "f", "")
	for _, c := range []struct {
		measure func()
		want    string // the line's end
	}{
		{func() { Observation{Outcome: allow, Duration: time.Millisecond}.measure(m) }, `"Outcome":"allow","Decisions":1,"DecisionDuration":1}`},
		{func() { Observation{Outcome: deny, Reason: "rule", IDToken: true}.measure(m) },
			`"Outcome":"deny","Decisions":1,"DecisionDuration":0,"Reason":"rule","Refusals":1,"IDTokenUses":1}`},
		{func() { Observation{Outcome: allow, Omitted: 2}.measure(m) }, `"DecisionDuration":0,"OmittedClaims":2}`},
		{func() { measureFetch(m, nil) }, `"FunctionName":"f","KeyFetches":1}`},
		{func() { measureFetch(m, errors.New("down")) }, `"FunctionName":"f","KeyFetches":1,"KeyFetchFailures":1}`},
	} {
		out.Reset()
		if c.measure(); !strings.HasSuffix(out.String(), c.want+"\n") {
			t.Errorf("got %s, want …%s", &out, c.want)
		}
	}
	measureFetch(nil, nil) // as when there are no metrics
}

// BenchmarkMeasure is what metrics add to a decision, the writing itself not counted.
func BenchmarkMeasure(b *testing.B) {
	m := metrics.New(io.Discard, time.Now, "Claimsmith", "Documents-AuthDocumentsAuthorizer1234ABCD-abcdefghijkl", "")
	b.ReportAllocs()
	for b.Loop() {
		Observation{Outcome: allow, Duration: 1234 * time.Microsecond}.measure(m)
	}
}
