package pretoken

import (
	"bytes"
	"reflect"
	"testing"
)

// Pools that are still on V1_0 get its form of an answer: claims of the ID token, all of them texts.
func TestAnswersV1(t *testing.T) {
	t.Parallel()
	const onlyID = `
claims:
  company_id: {attribute: "custom:company_id", tokens: [id]}
  tier: {value: 9007199254740993, tokens: [id]}
  roles: {claims: {owner: {value: <all>}}, tokens: [id]}
  tags: {value: [a, b], tokens: [id]}
suppress: [{claim: email, tokens: [id]}]
groups: {expr: "user.groups.filter(g, g != 'hidden')"}
`
	for name, c := range map[string]struct{ event, want string }{
		"a user": {`{"version": "1", "triggerSource": "TokenGeneration_Authentication", "region": "eu-west-1", "userPoolId": "eu-west-1_A", "userName": "ann",
			"callerContext": {"awsSdkVersion": "x", "clientId": "web"},
			"request": {"userAttributes": {"sub": "s", "custom:company_id": "acme"},
				"groupConfiguration": {"groupsToOverride": ["owners", "hidden"], "iamRolesToOverride": ["arn:aws:iam::1:role/r"], "preferredRole": "arn:aws:iam::1:role/r"}},
			"response": {"claimsOverrideDetails": null}}`,
			`{"claimsOverrideDetails": {
				"claimsToAddOrOverride": {"company_id": "acme", "tier": "9007199254740993", "roles": "{\"owner\":\"<all>\"}", "tags": "[\"a\",\"b\"]"},
				"claimsToSuppress": ["email"],
				"groupOverrideDetails": {"groupsToOverride": ["owners"], "iamRolesToOverride": ["arn:aws:iam::1:role/r"], "preferredRole": "arn:aws:iam::1:role/r"}}}`},
		"without groups": {`{"version": "1", "request": {"userAttributes": {}, "groupConfiguration": null}, "response": {}}`,
			`{"claimsOverrideDetails": {"claimsToAddOrOverride": {"tier": "9007199254740993", "roles": "{\"owner\":\"<all>\"}", "tags": "[\"a\",\"b\"]"}, "claimsToSuppress": ["email"]}}`},
	} {
		h := handler(t, onlyID, &bytes.Buffer{})
		h.Version = V1
		answer, err := h.Invoke(t.Context(), []byte(c.event))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, event, want := tree(t, answer), tree(t, []byte(c.event)), tree(t, []byte(c.want))
		if !reflect.DeepEqual(got["response"], any(want)) {
			t.Errorf("%s: got %v\nwant %v", name, got["response"], want)
		}
		if got["response"] = event["response"]; !reflect.DeepEqual(got, event) {
			t.Errorf("%s: the rest of the event is changed: %s", name, answer)
		}
		if bytes.Contains(answer, []byte("claimsAndScopeOverrideDetails")) {
			t.Errorf("%s: answered in two forms: %s", name, answer)
		}
	}
}
