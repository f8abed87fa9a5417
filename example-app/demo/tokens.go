package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tokens are what a user gets by signing in.
type tokens struct {
	Access string `json:"AccessToken"`
	ID     string `json:"IdToken"`
}

// claimsOf reads a token's claims without verifying it: that is the authorizer's work, and here they are only shown and
// compared.
func claimsOf(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a signed token: %d parts, want 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("token payload: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil {
		return nil, fmt.Errorf("token payload: %w", err)
	}
	return claims, nil
}

// tamper changes claims of a token and leaves its header and signature as they are, as a user who wants to be more would.
func tamper(token string, changes map[string]any) (string, error) {
	claims, err := claimsOf(token)
	if err != nil {
		return "", err
	}
	maps.Copy(claims, changes)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	parts := strings.Split(token, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, "."), nil
}

// cognitoClaims are the claims of an access token that a policy has no hand in.
var cognitoClaims = []string{"acr", "amr", "aud", "auth_time", "client_id", "device_key", "event_id", "exp", "iat", "iss",
	"jti", "nbf", "origin_jti", "sub", "token_use", "username", "version"}

// customClaims are the claims that the policy is about, groups and scopes included, in an order that does not vary.
func customClaims(claims map[string]any) map[string]any {
	custom := maps.Clone(claims)
	for _, name := range cognitoClaims {
		delete(custom, name)
	}
	if scope, ok := custom["scope"].(string); ok {
		words := strings.Fields(scope)
		slices.Sort(words)
		custom["scope"] = strings.Join(words, " ")
	}
	if groups, ok := custom["cognito:groups"].([]any); ok {
		custom["cognito:groups"] = slices.SortedFunc(slices.Values(groups), func(a, b any) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		})
	}
	return custom
}

// newPassword makes up a password that the usual password policies accept.
func newPassword() string { return "Demo-1-" + rand.Text() }
