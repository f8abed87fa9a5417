package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

func TestVerifyIDToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   string // the reason, if it is refused
	}{
		{"accepts an ID token", nil, ""},
		{"accepts any claim beside Cognito's", map[string]any{"custom:company": "planted", "name": "planted"}, ""},
		{"refuses an access token", map[string]any{"token_use": "access"}, `token_use: expected "id"`},
		{"refuses no use", map[string]any{"token_use": tokentest.Absent}, `token_use: expected "id"`},
		{"refuses a foreign client", map[string]any{"aud": "planted"}, `aud: expected one of ["1example23456789"], the clients allowed for user pool eu-west-1_Claimsmith`},
		{"refuses no client", map[string]any{"aud": tokentest.Absent}, `aud: expected one of ["1example23456789"], the clients allowed for user pool eu-west-1_Claimsmith`},
		{"refuses a list of clients", map[string]any{"aud": []string{"1example23456789"}}, `aud: expected one of ["1example23456789"], the clients allowed for user pool eu-west-1_Claimsmith`},
		{"refuses a client_id", map[string]any{"client_id": "1example23456789"}, "client_id: expected none in an ID token"},
		{"refuses scopes", map[string]any{"scope": "planted"}, "scope: expected none in an ID token"},
		{"refuses groups that are no list", map[string]any{"cognito:groups": "planted"}, "cognito:groups: expected a list of texts"},
		{"refuses an expired one", map[string]any{"exp": epoch.Unix()}, "exp: the token has expired"},
		{"refuses another pool", map[string]any{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}, `iss: expected one of ["https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith" "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith"], got "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool := newPool()
			verifier, err := token.NewVerifier(pool.Config())
			if err != nil {
				t.Fatal(err)
			}
			got, err := verifier.VerifyIDToken(t.Context(), pool.IDToken(c.claims))
			if c.want == "" {
				if err != nil || got.Claims["token_use"] != "id" || got.Claims["email"] != "owner@example.com" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if rejected, ok := errors.AsType[*token.RejectedError](err); got != nil || !ok || rejected.Reason != c.want || strings.Contains(c.want, "planted") {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

// A token that was verified as what it is stays that.
func TestARememberedTokenIsOfItsUse(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	id, access := pool.IDToken(nil), pool.AccessToken(nil)
	for range 2 {
		if _, err := verifier.VerifyIDToken(t.Context(), id); err != nil {
			t.Error(err)
		}
		if _, err := verifier.Verify(t.Context(), id); err != token.ErrIDToken {
			t.Errorf("the ID token as access token: %v", err)
		}
		if _, err := verifier.Verify(t.Context(), access); err != nil {
			t.Error(err)
		}
		if _, err := verifier.VerifyIDToken(t.Context(), access); err == nil || err.Error() != `token: rejected: token_use: expected "id"` {
			t.Errorf("the access token as ID token: %v", err)
		}
	}
	if _, err := verifier.VerifyIDToken(t.Context(), id[:len(id)-4]+"AAAA"); err == nil {
		t.Error("a forged ID token is accepted")
	}
}
