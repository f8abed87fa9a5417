package apigw_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func TestHooksRefuseAndNeverAllow(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	allow := func(context.Context, map[string]any, program.Request) (string, error) { return "", nil }
	const allowed, denied = `"isAuthorized":true`, `{"isAuthorized":false}`
	for name, c := range map[string]struct {
		scope    string
		hooks    []apigw.Hook
		response string // empty: a fault
		log      string
	}{
		"allows":                      {"documents/read", []apigw.Hook{allow, allow}, allowed, `"outcome":"allow"`},
		"cannot allow":                {"other", []apigw.Hook{allow}, denied, `"message":"needs scope documents/read"`},
		"is not asked for what fails": {"other", []apigw.Hook{func(context.Context, map[string]any, program.Request) (string, error) { panic("asked") }}, denied, `"outcome":"deny"`},
		"refuses": {"documents/read", []apigw.Hook{allow, func(_ context.Context, claims map[string]any, request program.Request) (string, error) {
			return fmt.Sprint("closed: ", claims["company_id"] == "acme", " ", request.RouteKey, " ", request.Headers["accept"]), nil
		}}, denied, `"reasons":[{"path":"hooks[1]","message":"closed: true GET /documents */*"}]`},
		"cannot change what the backend gets": {"documents/read", []apigw.Hook{func(_ context.Context, claims map[string]any, request program.Request) (string, error) {
			claims["sub"] = "other"
			claims["https://example.com/plan"].(map[string]any)["tier"] = "gold"
			claims["cognito:groups"].([]any)[0] = "admins"
			request.Headers["x"] = "y"
			return "", nil
		}}, `"groups":["owners"],"company_id":"acme","https://example.com/plan":{"tier":"pro"}`, `"outcome":"allow"`},
		"fails": {"documents/read", []apigw.Hook{func(_ context.Context, claims map[string]any, _ program.Request) (string, error) {
			return "", fmt.Errorf("acme: %w", errors.New("acme"))
		}}, "", `"error":"hooks[0]: error of type *fmt.wrapError, *errors.errorString"`},
		"panics": {"documents/read", []apigw.Hook{func(_ context.Context, claims map[string]any, _ program.Request) (string, error) { panic("acme") }},
			"", `"error":"hooks[0]: panic of type string"`},
		"hangs": {"documents/read", []apigw.Hook{func(context.Context, map[string]any, program.Request) (string, error) {
			<-hang
			return "", nil
		}}, "", `"error":"hooks[0]: has not returned in time"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, log := handler(accepts(map[string]any{
				"sub": "user", "company_id": "acme", "scope": c.scope, "cognito:groups": []any{"owners"},
				"https://example.com/plan": map[string]any{"tier": "pro"},
			}), apigwtest.HTTP2)
			h.Hooks = c.hooks
			if h.HookTimeout = time.Minute; name == "hangs" {
				h.HookTimeout = 50 * time.Millisecond
			}
			response, err := h.Invoke(t.Context(), get("/documents", "x").Event(apigwtest.HTTP2))
			if (err != nil) != (c.response == "") || !strings.Contains(string(response), c.response) {
				t.Errorf("got %s, %v; want %s", response, err, c.response)
			}
			if err != nil && err.Error() != "the authorizer cannot decide now" {
				t.Errorf("the error is %v", err)
			}
			if !strings.Contains(log.String(), c.log) || strings.Contains(log.String(), "acme") {
				t.Errorf("the log lacks %s, or has data: %s", c.log, log)
			}
		})
	}
}

// Lambda's runtime reads the next event into the memory of the last one, maybe while a hook that took too long still looks
// at its request, or a verifier of another make remembers a token.
func TestWhatHooksGetIsTheirs(t *testing.T) {
	t.Parallel()
	for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST} {
		seen := make(chan program.Request, 1)
		remembered := ""
		h, _ := handler(verifier(func(ctx context.Context, raw string) (*token.Token, error) {
			remembered = raw
			return accepts(map[string]any{"sub": "user", "scope": "documents/read documents/any documents/default"}).Verify(ctx, raw)
		}), api)
		h.Hooks = []apigw.Hook{func(_ context.Context, _ map[string]any, request program.Request) (string, error) {
			seen <- request
			return "", nil
		}}
		r := with(get("/documents", "x.y.z"), func(r *apigwtest.Request) { r.PathParameters = map[string]string{"id": "7"} })
		event := r.Event(api)
		if _, err := h.Invoke(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		for i := range event {
			event[i] = '?'
		}
		request := <-seen
		if remembered != "x.y.z" {
			t.Errorf("%s: the token changed to %s", api, remembered)
		}
		if request.Headers["accept"] != "*/*" || request.Headers["authorization"] != "Bearer x.y.z" || request.QueryParameters["room"] != "lobby" ||
			request.PathParameters["id"] != "7" || request.Path != "/documents" || request.RouteKey != "GET /documents" || request.Method != "GET" || request.SourceIP != "192.0.2.1" {
			t.Errorf("%s: the request changed to %+v", api, request)
		}
		h.Hooks = nil
		event = r.Event(api)
		if _, err := h.Invoke(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		for i := range event {
			event[i] = '?'
		}
		if remembered != "x.y.z" {
			t.Errorf("%s: without hooks the token changed to %s", api, remembered)
		}
	}
}

// A log may be written later too.
func TestWhatIsLoggedIsOfNoEvent(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	v := realVerifier(pool)
	for _, api := range []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST} {
		h, _ := handler(v, api)
		var kept keptRecords
		h.Logger = slog.New(&kept)
		event := get("/documents", pool.AccessToken(map[string]any{"scope": "other"})).Event(api)
		if _, err := h.Invoke(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		for i := range event {
			event[i] = '?'
		}
		if got := kept.String(); !strings.Contains(got, "route=GET /documents") || strings.Contains(got, "?") {
			t.Errorf("%s: the record changed to %s", api, got)
		}
	}
}

// keptRecords is a log that is not written yet.
type keptRecords []slog.Record

func (*keptRecords) Enabled(context.Context, slog.Level) bool { return true }

func (k *keptRecords) Handle(_ context.Context, r slog.Record) error {
	*k = append(*k, r)
	return nil
}

func (k *keptRecords) WithAttrs([]slog.Attr) slog.Handler { return k }

func (k *keptRecords) WithGroup(string) slog.Handler { return k }

func (k *keptRecords) String() string {
	var b strings.Builder
	for _, r := range *k {
		r.Attrs(func(a slog.Attr) bool {
			fmt.Fprintln(&b, a)
			return true
		})
	}
	return b.String()
}
