package token_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func TestFetchesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := tokentest.NewPool()
		var told []string
		verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, OnFetch: func(err error) {
			text := "fetched"
			if err != nil {
				text = "failed"
			}
			told = append(told, text)
		}})
		if err != nil {
			t.Fatal(err)
		}
		n := &network{}
		verifier.SetTransport(n)
		want := func(what string, want ...string) {
			t.Helper()
			if fmt.Sprint(told) != fmt.Sprint(want) {
				t.Errorf("%s: told %q, want %q", what, told, want)
			}
			told = nil
		}
		// As Cognito does, for a pool whose issuer has the original form.
		cognito := func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Host, "issuer-") {
				return status(http.StatusForbidden, "")(r)
			}
			return serve(pool)(r)
		}

		n.set(0, down)
		_ = verifier.Prefetch(t.Context())
		want("a prefetch that fails, for the pool as a whole", "failed")
		raw := pool.AccessToken(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		for range 2 { // the second is within the penalty
			if _, err := verifier.Verify(t.Context(), raw); !errors.Is(err, token.ErrKeysOutOfReach) {
				t.Errorf("got %v", err)
			}
		}
		want("an outage", "failed")

		n.set(0, cognito)
		if err := verifier.Prefetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("a prefetch", "fetched")
		if _, err := verifier.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		want("a token of a known key")

		time.Sleep(10 * time.Second)
		stranger := pool.AccessToken(map[string]any{"iss": pool.UpdatedIssuer(), "exp": time.Now().Add(time.Hour).Unix()})
		if _, err := verifier.Verify(t.Context(), stranger); !errors.Is(err, token.ErrKeysOutOfReach) {
			t.Errorf("got %v", err)
		}
		want("a form of issuer that the pool does not have, which is no outage", "fetched")

		n.set(0, status(http.StatusForbidden, ""))
		time.Sleep(2 * time.Hour)
		raw = pool.AccessToken(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		if _, err := verifier.Verify(t.Context(), raw); err != nil {
			t.Errorf("the last good keys do not serve: %v", err)
		}
		want("a set that was there and is refused now", "failed")
	})
}

func TestFaultsCanBeToldApart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.expect(w.madeUp("a"), rejected, 1)
		if _, err := w.Verify(w.Context(), w.madeUp("b")); !errors.Is(err, token.ErrUnknownKey) {
			w.Errorf("got %v", err)
		}
		future := w.AccessToken(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})
		if _, err := w.Verify(w.Context(), future); !errors.Is(err, token.ErrNotYetValid) {
			w.Errorf("got %v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"exp: the token has expired":             "exp",
		"cognito:groups: expected a list":        "cognito:groups",
		"token_use: expected \"access\"":         "token_use",
		"expired, says a KeySet of another make": "other",
		"":                                       "other",
	} {
		if got := (&token.RejectedError{Reason: reason}).Check(); got != want {
			t.Errorf("%q: got %q, want %q", reason, got, want)
		}
	}
}
