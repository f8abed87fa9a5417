package tokentest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func Example() {
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	defer server.Close()

	config := pool.Config()
	config.Keys, config.Endpoint = nil, server.URL // over the network, unlike pool.Config's own
	verifier, err := token.NewVerifier(config)
	if err != nil {
		panic(err)
	}
	for _, changes := range []map[string]any{
		nil,
		{"client_id": "another"},
		{"exp": tokentest.Absent},
	} {
		_, err := verifier.Verify(context.Background(), pool.AccessToken(changes))
		fmt.Println(err)
	}
	fmt.Println(pool.Fetches(), "fetch")
	// Output:
	// <nil>
	// token: rejected: client_id: expected one of ["1example23456789"], the clients allowed for user pool eu-west-1_Claimsmith
	// token: rejected: exp: expected a time, found none
	// 1 fetch
}

func TestPoolKnowsItsOwnKeysOnly(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	old := pool.KeyID()
	pool.Rotate()
	for _, c := range []struct {
		name, issuer, kid string
		known             bool
	}{
		{name: "current key", issuer: pool.Issuer(), kid: pool.KeyID(), known: true},
		{name: "key before, updated issuer", issuer: pool.UpdatedIssuer(), kid: old, known: true},
		{name: "another issuer", issuer: pool.Issuer() + "x", kid: old},
		{name: "another key", issuer: pool.Issuer(), kid: "x"},
	} {
		key, err := pool.Key(t.Context(), c.issuer, c.kid)
		if _, rejected := errors.AsType[*token.RejectedError](err); (key != nil) != c.known || rejected == c.known {
			t.Errorf("%s: got %v, %v", c.name, key, err)
		}
	}
	pool.Withdraw()
	if _, err := pool.Key(t.Context(), pool.Issuer(), old); err == nil {
		t.Error("a withdrawn key is still published")
	}
}

func TestPoolServesItsKeySetOnly(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/" + pool.ID + "/.well-known/jwks.json", http.StatusOK},
		{"GET", "/other/.well-known/jwks.json", http.StatusNotFound},
		{"POST", "/" + pool.ID + "/.well-known/jwks.json", http.StatusNotFound},
	} {
		w := httptest.NewRecorder()
		pool.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, w.Code, c.status)
		}
	}
}

func TestRotatePanicsWhenKeysRunOut(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	pool.Rotate()
	pool.Rotate()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	pool.Rotate()
}
