package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// inBothTokens are the claims that Cognito itself puts into ID tokens as it does into access tokens, by the names that
// rules have for them
// (https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html).
// is_machine is false for them, since a machine gets none.
var inBothTokens = []string{
	"acr", "amr", "auth_time", "event_id", "exp", "groups", "iat", "is_machine", "iss", "jti", "origin_jti", "sub", "token_use",
}

// standardAttributes are the user attributes that an ID token shows under their own names
// (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html).
var standardAttributes = []string{
	"address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "locale", "middle_name", "name",
	"nickname", "phone_number", "phone_number_verified", "picture", "preferred_username", "profile", "updated_at", "website",
	"zoneinfo",
}

// idTokens compiles how long ID tokens are accepted, and refuses what would let more people in than access tokens do: ID
// tokens lack claims that a rule may count on, and show attributes that users may write.
func (c *compiler) idTokens(path string, in IDTokens, checker *authorizer, prog *Compiled) contract.IDTokens {
	if in.IsZero() {
		return contract.IDTokens{}
	}
	_, err := time.Parse(time.DateOnly, in.Until)
	if at := contract.Child(path, "until"); err != nil && !c.troubled(at) {
		c.fail(at, "%s is no day; write the first one, in UTC, on which ID tokens are refused, such as \"2027-04-01\"", cmp.Or(in.Until, "nothing"))
	}
	if at := contract.Child(path, "routes"); in.Routes != nil && len(in.Routes) == 0 && !c.troubled(at) {
		c.fail(at, "is empty; name the routes that accept ID tokens, or leave it out if all do")
	}
	rules := slices.Clone(checker.defaults)
	for i, key := range in.Routes {
		at := contract.Item(contract.Child(path, "routes"), i)
		if c.unreadable[at] {
			continue
		}
		if checker.routes[key] == nil {
			c.fail(at, "route %q has no rules of its own%s; give it some under routes, {rule: \"true\"} if the default rules say it all",
				key, DidYouMean(key, contract.SortedKeys(checker.routes)))
		}
		if slices.Contains(in.Routes[:i], key) {
			c.fail(at, "route %q is listed twice", key)
		}
		rules = append(rules, checker.routes[key]...)
	}
	if in.Routes == nil {
		for _, key := range contract.SortedKeys(checker.routes) {
			rules = append(rules, checker.routes[key]...)
		}
	}
	has := slices.Clone(inBothTokens)
	for _, claim := range prog.claims {
		if slices.Contains(claim.tokens, AccessToken) && slices.Contains(claim.tokens, IDToken) {
			has = append(has, claim.name)
		}
	}
	for _, r := range rules {
		for _, name := range r.claims {
			switch {
			case isAttribute(name):
				c.fail(contract.Child(r.path, "rule"), "reads %s, but idTokens accepts ID tokens here, which show the user's attribute of that name, maybe as the user wrote it; mint the claim under another name", dotted("claims", []string{name}))
			case !slices.Contains(has, name) && !slices.Contains(r.claims, "token_use"):
				c.fail(contract.Child(r.path, "rule"), "reads %s, which ID tokens do not have, but idTokens accepts them here; %slet the rule tell the two by claims.token_use, or take the route out of idTokens.routes",
					dotted("claims", []string{name}), mintable(name))
			}
		}
	}
	for _, name := range checker.context {
		if isAttribute(name) {
			c.fail(path, "the backend would get claim %q from ID tokens too, which show the user's attribute of that name, maybe as the user wrote it; leave it out of context, or mint the claim under another name", name)
		}
	}
	return contract.IDTokens{Until: in.Until, Routes: in.Routes}
}

func isAttribute(claim string) bool {
	return slices.Contains(standardAttributes, claim) || strings.HasPrefix(claim, "custom:") || strings.HasPrefix(claim, "dev:")
}

// mintable is the remedy for a claim that ID tokens lack, if the policy can put it there.
func mintable(claim string) string {
	if _, cognitos := cognitoClaims()[claim]; cognitos {
		return ""
	}
	return fmt.Sprintf("mint it into both (tokens: [%s, %s]), ", AccessToken, IDToken)
}
