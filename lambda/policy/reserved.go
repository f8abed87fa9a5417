package policy

import (
	"fmt"
	"slices"
	"strings"
)

// protectedInAccess are the claims that no trigger can add, change or suppress in an access token
// (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html, "Claims and
// scopes reference"). What Cognito does about a trigger that tries is not documented; others saw the claim vanish
// silently, so it is refused here.
var protectedInAccess = []string{
	"acr", "amr", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat", "iss", "jti", "nbf", "nonce",
	"origin_jti", "sub", "token_use", "username", "version",
}

// refuseClaim says why a claim of that name cannot be minted, and what to do instead. It is empty when it can.
func refuseClaim(name string, c Claim) string {
	switch {
	case name == "":
		return "a claim needs a name"
	case slices.Contains(protectedInAccess, name):
		return fmt.Sprintf("claim %q is protected by Cognito and cannot be set in an access token; choose another name", name)
	case strings.HasPrefix(name, "cognito:"):
		return fmt.Sprintf("claim %q: names that begin with \"cognito:\" belong to Cognito; choose another name", name)
	case name == "scope":
		return `claim "scope" is made by Cognito from the token's scopes; use scopes.add and scopes.suppress`
	case name == "scopes":
		return `claim "scopes" would hide the token's own scopes, which rules read as claims.scopes; use scopes.add, or choose another name`
	case name == "groups":
		return `claim "groups" would hide the user's groups, which rules read as claims.groups; choose another name`
	case name == "aud" && c.Expr != "client.id":
		return `claim "aud" can only be the app client's id: write {expr: client.id} or leave it out`
	default:
		return ""
	}
}
