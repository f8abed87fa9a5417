package pretoken

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Every documented trigger source, for users and machines, and one that is not: AWS does not say which GetClientToken has.
func TestEveryTriggerSource(t *testing.T) {
	t.Parallel()
	const kinds = `
claims:
  kind: {expr: "client.is_machine ? 'machine' : 'user'"}
  source: {expr: trigger.source}
  department: {attribute: "custom:department"}
  provider: {value: corporate, when: "user.attributes[?'identities'].orValue('').contains('\"providerName\":\"corporate\"')"}
  groups_seen: {expr: "user.groups.size()"}
`
	for _, c := range []struct{ fixture, source, kind string }{
		{"user.json", "TokenGeneration_HostedAuth", "user"},
		{"user.json", "TokenGeneration_Authentication", "user"},
		{"user.json", "TokenGeneration_NewPasswordChallenge", "user"},
		{"user.json", "TokenGeneration_AuthenticateDevice", "user"},
		{"user.json", "TokenGeneration_RefreshTokens", "user"},
		{"federated-saml.json", "TokenGeneration_HostedAuth", "user"},
		{"federated-saml.json", "TokenGeneration_RefreshTokens", "user"},
		{"federated-oidc.json", "TokenGeneration_HostedAuth", "user"},
		{"federated-oidc.json", "TokenGeneration_RefreshTokens", "user"},
		{"machine.json", "TokenGeneration_ClientCredentials", "machine"},
		{"machine.json", "TokenGeneration_SomethingNew", "machine"},
		{"sparse.json", "TokenGeneration_Authentication", "user"}, // no sub, but nothing of a machine either
	} {
		event := tree(t, fixture(t, c.fixture))
		event["triggerSource"] = c.source
		payload, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := handler(t, kinds, &bytes.Buffer{}).Invoke(t.Context(), payload)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		details := tree(t, answer)["response"].(map[string]any)["claimsAndScopeOverrideDetails"].(map[string]any)
		claims := details["accessTokenGeneration"].(map[string]any)["claimsToAddOrOverride"].(map[string]any)
		if claims["kind"] != c.kind || claims["source"] != c.source {
			t.Errorf("%+v: %v", c, claims)
		}
		federated := strings.HasPrefix(c.fixture, "federated")
		if got := claims["department"] == "finance" && claims["provider"] == "corporate"; got != federated {
			t.Errorf("%+v: %v", c, claims)
		}
	}
}

// A user may be called what machines are called, and a machine's event may lack all that it has as null.
func TestWhoIsAMachine(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]bool{
		`{"userName": "ClientCredentials", "request": {"userAttributes": {"sub": "x"}}}`:                                                             false,
		`{"userName": "ClientCredentials", "request": {"userAttributes": null, "groupConfiguration": null, "clientMetadata": null, "scopes": null}}`: true,
		`{"triggerSource": "TokenGeneration_ClientCredentials", "request": {}}`:                                                                      true,
		`{"triggerSource": "TokenGeneration_ClientCredentials", "userName": "owner", "request": {"userAttributes": {"sub": "x"}}}`:                   false,
		`{"userName": "owner", "request": {"userAttributes": {}}}`:                                                                                   false,
	} {
		_, in, err := decode([]byte(event), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := in.signIn.Machine; got != want {
			t.Errorf("%s: %v", event, got)
		}
	}
}
