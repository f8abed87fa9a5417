package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Token is a kind of token.
type Token string

// The tokens that a policy may shape.
const (
	AccessToken Token = "access"
	IDToken     Token = "id"
)

// Protected are the claims that no trigger can add, change or suppress, by token
// (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html, "Claims and
// scopes reference"). What Cognito does about a trigger that tries is not documented; others saw the claim vanish
// silently, so it is refused here. Names that begin with "cognito:" are protected too, see below.
var Protected = map[Token][]string{
	AccessToken: {
		"acr", "amr", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat", "iss", "jti", "nbf", "nonce",
		"origin_jti", "sub", "token_use", "username", "version",
	},
	IDToken: {
		"acr", "amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "identities", "iss", "jti", "nbf", "nonce", "origin_jti",
		"sub", "token_use",
	},
}

// FlatInID are the claims of an ID token that cannot hold objects.
var FlatInID = []string{"address", "email_verified", "phone_number_verified", "updated_at"}

// RefuseClaim says why a token cannot get a claim of that name, and what to do instead. It is empty when it can. An access
// token can get an aud if it is the app client's id, which is for the caller to know.
func RefuseClaim(name string, token Token) string {
	article := map[Token]string{AccessToken: "an access token", IDToken: "an ID token"}[token]
	switch {
	case name == "":
		return "a claim needs a name"
	case slices.Contains(Protected[token], name):
		return fmt.Sprintf("claim %q is protected by Cognito and cannot be set in %s; choose another name", name, article)
	case name == "cognito:groups":
		return `claim "cognito:groups" holds the user's groups; use groups.expr to change them`
	case strings.HasPrefix(name, "cognito:"):
		return fmt.Sprintf("claim %q: names that begin with \"cognito:\" belong to Cognito; choose another name", name)
	case strings.HasPrefix(name, "dev:"):
		// For ID tokens AWS's table says so; for access tokens it says nothing, so that nothing is relied on.
		return fmt.Sprintf("claim %q: a developer-only attribute can only be suppressed; choose another name", name)
	case name == "scope":
		return `claim "scope" is made by Cognito from the token's scopes; use scopes.add and scopes.suppress`
	case token == IDToken:
		return ""
	case name == "identities":
		// AWS's table has it in ID tokens only, and says nothing about access tokens.
		return `claim "identities" belongs to ID tokens; choose another name`
	case name == "scopes":
		return `claim "scopes" would hide the token's own scopes, which rules read as claims.scopes; use scopes.add, or choose another name`
	case name == "groups":
		return `claim "groups" would hide the user's groups, which rules read as claims.groups; choose another name`
	case name == "is_machine":
		return `claim "is_machine" would hide whether the token is a machine's, which rules read as claims.is_machine; choose another name`
	case name == "aud":
		return `claim "aud" can only be the app client's id: write {expr: client.id} or leave it out`
	default:
		return ""
	}
}

// RefuseSuppression says why a claim cannot be taken out of a token, and what to do instead.
func RefuseSuppression(name string, token Token) string {
	switch {
	case name == "":
		return `has no claim; give its name, such as "email"`
	case name == "cognito:groups":
		return ""
	case name == "cognito:roles" || name == "cognito:preferred_role":
		return fmt.Sprintf("claim %q goes with the groups; suppress \"cognito:groups\"", name)
	case slices.Contains(Protected[token], name) || strings.HasPrefix(name, "cognito:"):
		return fmt.Sprintf("claim %q is protected by Cognito and cannot be suppressed", name)
	case name == "scope":
		return `claim "scope" is made by Cognito from the token's scopes; use scopes.suppress`
	case token == AccessToken:
		return fmt.Sprintf("claim %q is in no access token unless the policy mints it; give tokens: [id], or remove the entry", name)
	default:
		return ""
	}
}
