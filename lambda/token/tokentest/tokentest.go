// Package tokentest is a user pool for tests: it signs tokens as Amazon Cognito does, and publishes its keys as Cognito
// does. Its private keys are public, so nothing must trust them but a test.
//
//	pool := tokentest.NewPool()
//	verifier, err := token.NewVerifier(pool.Config())  // trusts the pool, without a network
//	…
//	raw := pool.AccessToken(nil)
//	old := pool.AccessToken(map[string]any{"exp": pool.Now().Unix() - 1})
//	id  := pool.IDToken(nil)
//
// With a network, serve the pool, for it is an [http.Handler], and point the verifier at it:
//
//	server := httptest.NewServer(pool)
//	config := token.Config{Pools: pool.Config().Pools, Now: pool.Now, Endpoint: server.URL}
//
// Misuse panics, since a test has nothing better to do.
package tokentest

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimsmith/claimsmith/lambda/token"
)

//go:generate go run genkeys.go

//go:embed testdata/keys.pem
var keysPEM []byte

// privateKeys are the keys that a pool has in turn.
var privateKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for block, rest := pem.Decode(keysPEM); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key.(*rsa.PrivateKey))
	}
	return keys
})

// Absent, as the value of a claim, takes the claim away.
var Absent any = absent{}

type absent struct{}

// Pool is a fake user pool. It is safe for concurrent use as long as its fields are not changed.
type Pool struct {
	// ID is the user pool's id.
	ID string

	// ClientID is the app client that tokens are issued to.
	ClientID string

	// Now is the clock by which claims are made.
	Now func() time.Time

	mu      sync.Mutex
	current int // index of the key that signs
	oldest  int // index of the oldest key published
	fetches int
}

// NewPool returns a pool whose clock is [time.Now].
func NewPool() *Pool {
	return &Pool{ID: "eu-west-1_Claimsmith", ClientID: "1example23456789", Now: time.Now}
}

// Issuer returns the pool's issuer, in its original form.
func (p *Pool) Issuer() string {
	region, _, _ := strings.Cut(p.ID, "_")
	return "https://cognito-idp." + region + ".amazonaws.com/" + p.ID
}

// UpdatedIssuer returns the pool's issuer, in the form that AWS calls updated.
func (p *Pool) UpdatedIssuer() string {
	return strings.Replace(p.Issuer(), "https://cognito-idp.", "https://issuer-cognito-idp.", 1)
}

// Config returns the configuration of a verifier that trusts the pool and gets its keys from it directly.
func (p *Pool) Config() token.Config {
	return token.Config{
		Pools: []token.Pool{{ID: p.ID, ClientIDs: []string{p.ClientID}}},
		Now:   p.Now,
		Keys:  p,
	}
}

// Claims returns the claims of an access token as Cognito issues it to a user who has just signed in, with the given
// claims added, replaced, or taken away if they are [Absent].
func (p *Pool) Claims(changes map[string]any) map[string]any {
	now := p.Now().Unix()
	claims := map[string]any{
		"sub":            "9d3f5a1e-0c2b-4f6d-8e7a-1b2c3d4e5f60",
		"cognito:groups": []string{"owners", "auditors"},
		"iss":            p.Issuer(),
		"version":        2,
		"client_id":      p.ClientID,
		"origin_jti":     "6b1f0c8e-7a52-4c1d-9b0e-2f3a4b5c6d7e",
		"event_id":       "0f9e8d7c-6b5a-4938-8271-605f4e3d2c1b",
		"token_use":      "access",
		"scope":          "openid documents/read documents/write",
		"auth_time":      now,
		"iat":            now,
		"exp":            now + 3600,
		"jti":            "c4b3a291-8070-4f6e-9d5c-4b3a29180706",
		"username":       "owner",
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == Absent })
	return claims
}

// IDToken signs the claims of an ID token of the same user, with the given claims added, replaced, or taken away if they
// are [Absent].
func (p *Pool) IDToken(changes map[string]any) string {
	claims := map[string]any{
		"token_use": "id", "aud": p.ClientID, "cognito:username": "owner", "email": "owner@example.com", "email_verified": true,
		"client_id": Absent, "scope": Absent, "version": Absent, "username": Absent,
	}
	maps.Copy(claims, changes)
	return p.AccessToken(claims)
}

// AccessToken signs [Pool.Claims].
func (p *Pool) AccessToken(changes map[string]any) string {
	payload, err := json.Marshal(p.Claims(changes))
	if err != nil {
		panic(err)
	}
	p.mu.Lock() // for the id and the key of one moment
	current := p.current
	p.mu.Unlock()
	return sign(privateKeys()[current], fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, keyID(current)), string(payload))
}

// Sign signs any header and payload, well-formed or not, with RS256 and the pool's current key.
func (p *Pool) Sign(header, payload string) string { return sign(p.PrivateKey(), header, payload) }

func sign(key *rsa.PrivateKey, header, payload string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature(key, signed))
}

// Signature returns the RS256 signature of any text by the pool's current key.
func (p *Pool) Signature(signed string) []byte { return signature(p.PrivateKey(), signed) }

func signature(key *rsa.PrivateKey, signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signature
}

// PrivateKey returns the current key.
func (p *Pool) PrivateKey() *rsa.PrivateKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return privateKeys()[p.current]
}

// KeyID returns the id of the current key.
func (p *Pool) KeyID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return keyID(p.current)
}

func keyID(index int) string { return fmt.Sprintf("tokentest-%d", index+1) }

// Rotate makes the pool sign with its next key, and publish that beside the one before. A pool has three keys.
func (p *Pool) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current+1 == len(privateKeys()) {
		panic("tokentest: the pool has no further key")
	}
	p.oldest = p.current
	p.current++
}

// Withdraw makes the pool publish its current key only.
func (p *Pool) Withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.oldest = p.current
}

// Key makes the pool a [token.KeySet].
func (p *Pool) Key(_ context.Context, issuer, kid string) (*rsa.PublicKey, error) {
	if issuer == p.Issuer() || issuer == p.UpdatedIssuer() {
		for _, key := range p.published().Key(kid) {
			return key.Key.(*rsa.PublicKey), nil
		}
	}
	return nil, &token.RejectedError{Reason: fmt.Sprintf("kid: %q is not among the keys of %s", kid, issuer)}
}

func (p *Pool) published() *jose.JSONWebKeySet {
	p.mu.Lock()
	defer p.mu.Unlock()
	var set jose.JSONWebKeySet
	for i := p.oldest; i <= p.current; i++ {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: &privateKeys()[i].PublicKey, KeyID: keyID(i), Algorithm: "RS256", Use: "sig",
		})
	}
	return &set
}

// ServeHTTP serves the pool's keys at /<pool id>/.well-known/jwks.json, as Cognito does.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != "/"+p.ID+"/.well-known/jwks.json" {
		http.NotFound(w, r)
		return
	}
	p.mu.Lock()
	p.fetches++
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(p.published()); err != nil {
		panic(err)
	}
}

// Fetches returns how often the keys were fetched from [Pool.ServeHTTP].
func (p *Pool) Fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}
