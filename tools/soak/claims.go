package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"
)

// What an answer of the claim function is.
const (
	issued  = "issued"
	refused = "refused"
)

// signIn is an event and the answer that it should have.
type signIn struct {
	kind, want string
	event      []byte
	response   map[string]any
}

func soakClaims(ctx context.Context, bootstrap string, r *report, random *rand.Rand, events int) error {
	launch := func() (*process, error) { return start(ctx, bootstrap, "mint", "CLAIMSMITH_TRIGGER_VERSION=V2_0") }
	first, err := launch()
	if err != nil {
		return err
	}
	fresh, err := freshGoroutines(first, newSignIn(random).event)
	if err != nil {
		return err
	}
	p, err := launch()
	if err != nil {
		return err
	}
	defer p.kill()
	const freezes, freeze = 10, 200 * time.Millisecond
	r.faults = append(r.faults, fmt.Sprintf("frozen %d times for %s", freezes, freeze))
	for done := range events {
		if done%max(1, events/freezes) == 0 {
			if err := p.freeze(freeze); err != nil {
				return err
			}
		}
		s := newSignIn(random)
		a, took, err := p.invoke(s.event)
		if err != nil {
			return fmt.Errorf("event %d, %s: %w", done, s.kind, err)
		}
		got, err := s.outcome(a)
		if err == nil && got != s.want {
			err = fmt.Errorf("%s, expected %s", got, s.want)
		}
		if err != nil {
			return fmt.Errorf("event %d, %s: %w", done, s.kind, err)
		}
		r.add(s.kind, got, took)
		if done%max(1, events/200) == 0 {
			if err := p.sample(); err != nil {
				return err
			}
		}
	}
	return p.finish(r, fresh)
}

// newSignIn chooses an event. What it expects is the policy's, written down by hand.
func newSignIn(random *rand.Rand) signIn {
	maybe := func() bool { return random.IntN(2) == 0 }
	attributes := map[string]any{"sub": planted, "email": planted + "@example.com", "email_verified": "true", "cognito:user_status": "CONFIRMED"}
	add := map[string]any{"country_id": "uk", "compliance_level": "standard"}
	scopes := []any{"documents/read"}
	groups, roles := []any{}, map[string]any{}
	if maybe() {
		groups = append(groups, "owners")
		roles["owner"] = map[string]any{"document_permission": "full_control"}
		scopes = append(scopes, "documents/write")
	}
	if maybe() {
		groups = append(groups, "editors")
		roles["contributor"] = map[string]any{"document_permission": "edit"}
	}
	if maybe() {
		groups = append(groups, "auditors")
		add["compliance_level"] = "high"
	}
	if maybe() {
		attributes["custom:partner_id"] = planted + "-partner"
		add["external_partner_id"] = planted + "-partner"
	}
	if len(roles) > 0 {
		add["roles"] = roles
	}
	company := fmt.Sprintf("%s-<&>-ß\u2028-%d", planted, random.IntN(1000))
	attributes["custom:company_id"], add["company_id"] = company, company

	request := map[string]any{
		"userAttributes": attributes, "scopes": []any{"aws.cognito.signin.user.admin"},
		"groupConfiguration": map[string]any{"groupsToOverride": groups, "iamRolesToOverride": []any{}, "preferredRole": nil},
	}
	event := map[string]any{
		"version": "2", "triggerSource": "TokenGeneration_Authentication", "region": "eu-west-1", "userPoolId": "eu-west-1_Claimsmith",
		"userName": planted, "callerContext": map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
		"request": request, "response": map[string]any{"claimsAndScopeOverrideDetails": nil},
	}
	s := signIn{kind: "a sign-in", want: issued, response: map[string]any{"claimsAndScopeOverrideDetails": map[string]any{
		"accessTokenGeneration": map[string]any{
			"claimsToAddOrOverride": add, "scopesToAdd": scopes, "scopesToSuppress": []any{"aws.cognito.signin.user.admin"},
		},
	}}}
	switch random.IntN(20) {
	case 0:
		s.kind, s.want = "a user without a company", refused
		delete(attributes, "custom:company_id")
	case 1:
		s.kind, s.want = "a machine", refused // it has no company either
		event["version"], event["triggerSource"], event["userName"] = "3", "TokenGeneration_ClientCredentials", "ClientCredentials"
		request["userAttributes"], request["groupConfiguration"] = map[string]any{}, nil
	case 2:
		s.kind = "an event of the shape of AWS's samples"
		event["response"] = map[string]any{"claimsAndScopeOverrideDetails": []any{}}
		request["groupConfiguration"].(map[string]any)["preferredRole"] = []any{"arn:aws:iam::123456789012:role/" + planted}
	case 3:
		s.kind = "an event with elements that nobody knows"
		event["later"] = map[string]any{"number": json.Number("12345678901234567890.10"), "list": []any{nil, true, planted}}
		request["clientMetadata"] = map[string]any{"key": planted}
	case 4:
		s.kind = "a user with all that Cognito allows" // 50 attributes of 2,048 characters, 100 groups
		for i := range 50 - len(attributes) {
			attributes[fmt.Sprintf("custom:note_%d", i)] = strings.Repeat("ß", 2048)
		}
		for i := range 100 - len(groups) {
			groups = append(groups, fmt.Sprintf("%s-%d", planted, i))
		}
		request["groupConfiguration"].(map[string]any)["groupsToOverride"] = groups
	case 5:
		s.kind, s.want = "a malformed event", fault
		s.event = malformed(random, encode(event))
		return s
	}
	s.event = encode(event)
	return s
}

// outcome reads an answer. Besides the response it must be the event as it was sent.
func (s signIn) outcome(a answer) (string, error) {
	if a.err != nil {
		outcome, ok := map[string]string{
			"sign-in is not permitted for this account": refused,
			"sign-in is temporarily not possible":       fault,
		}[a.err.Error()]
		if !ok {
			return "", fmt.Errorf("the error is %q", a.err)
		}
		return outcome, nil
	}
	if s.want != issued {
		return issued, nil
	}
	sent, err := decode(s.event)
	if err != nil {
		return "", err
	}
	got, err := decode(a.body)
	if err != nil {
		return "", err
	}
	sent["response"] = s.response
	if !reflect.DeepEqual(got, sent) {
		return "", fmt.Errorf("the answer is\n%.2000s\nexpected\n%.2000s", a.body, encode(sent))
	}
	return issued, nil
}

// decode keeps numbers as they are written.
func decode(data []byte) (object map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	err = decoder.Decode(&object)
	return object, err
}
