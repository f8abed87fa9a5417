package token_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// A token that was verified is remembered, but neither time nor keys are.
func TestRememberedTokens(t *testing.T) {
	t.Parallel()
	pool := newPool()
	now := epoch
	gone := &token.RejectedError{Reason: "kid: gone"}
	down := errors.New("down")
	other := tokentest.NewPool()
	other.Rotate()
	var key *rsa.PublicKey
	var keyErr error
	config := pool.Config()
	config.Now = func() time.Time { return now }
	config.Keys = keySetFunc(func(context.Context, string, string) (*rsa.PublicKey, error) { return key, keyErr })
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	raw := pool.AccessToken(map[string]any{"nbf": epoch.Unix()})
	own := &pool.PrivateKey().PublicKey
	var first *token.Token
	for _, step := range []struct {
		name   string
		after  time.Duration
		key    *rsa.PublicKey
		keyErr error
		want   string // the error
	}{
		{name: "first seen", key: own},
		{name: "again", key: own},
		{name: "the same key, fetched anew", key: &rsa.PublicKey{N: own.N, E: own.E}},
		{name: "the key was withdrawn", keyErr: gone, want: "token: rejected: kid: gone"},
		{name: "keys are out of reach", keyErr: down, want: "down"},
		{name: "another key has its id", key: &other.PrivateKey().PublicKey, want: "token: rejected: signature: does not match the key named by kid"},
		{name: "the key is back", key: own},
		{name: "the clock went back", after: -time.Minute, key: own, want: "token: not valid yet: nbf or iat is more than the leeway of 30s in the future"},
		{name: "the last second", after: time.Hour - time.Second, key: own},
		{name: "expired", after: time.Hour, key: own, want: "token: rejected: exp: the token has expired"},
		{name: "expired, whatever the key", after: time.Hour, keyErr: down, want: "token: rejected: exp: the token has expired"},
	} {
		now, key, keyErr = epoch.Add(step.after), step.key, step.keyErr
		got, err := verifier.Verify(t.Context(), raw)
		if step.want != "" {
			if got != nil || err == nil || err.Error() != step.want {
				t.Errorf("%s: got %v, %v, want %s", step.name, got, err, step.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", step.name, err)
			continue
		}
		if first == nil {
			first = got
		}
		if got != first {
			t.Errorf("%s: the token was read anew", step.name)
		}
	}
}

// Nothing but the very text is the token that was verified.
func TestRememberedTokensAreToldApart(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	raw := pool.AccessToken(nil)
	if _, err := verifier.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	forged := strings.Split(pool.AccessToken(map[string]any{"username": "admin"}), ".")
	for _, other := range []string{
		raw + "=", " " + raw, raw[:len(raw)-1], parts[0] + "." + forged[1] + "." + parts[2], parts[0] + "." + parts[1] + "." + forged[2],
		parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
	} {
		if _, err := verifier.Verify(t.Context(), other); verdictOf(err) != rejected {
			t.Errorf("%s: got %v", other, err)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(n int) *token.Token {
		got, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{"n": n, "x": strings.Repeat("x", 8000)}))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := verify(0)
	for n := range 100 { // a megabyte
		verify(n)
		if verify(0) != first {
			t.Fatalf("a token in use was forgotten after %d others", n)
		}
	}
	for n := range 50 {
		verify(n + 1000)
	}
	if verify(0) == first {
		t.Error("nothing was forgotten")
	}
	if most := verifier.SeenBytes(); most > 400<<10 {
		t.Errorf("%d bytes of tokens are remembered", most)
	}
}

func TestRefusedTokensAreNotRemembered(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		for _, raw := range []string{
			pool.AccessToken(map[string]any{"n": n, "exp": 1}), pool.AccessToken(map[string]any{"n": n, "nbf": epoch.Unix() + 60}),
			pool.AccessToken(map[string]any{"n": n})[:500] + "AAAA",
		} {
			if _, err := verifier.Verify(t.Context(), raw); err == nil {
				t.Fatal("accepted")
			}
		}
	}
	if n := verifier.SeenBytes(); n != 0 {
		t.Errorf("%d bytes are remembered", n)
	}
}

func TestRememberingIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, 8)
	for i := range tokens {
		tokens[i] = pool.AccessToken(map[string]any{"n": fmt.Sprint(i), "x": strings.Repeat("x", 8000)})
	}
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for i, raw := range tokens {
				if got, err := verifier.Verify(t.Context(), raw); err != nil || got.Claims["n"] != fmt.Sprint(i) {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}
