package pooltrigger

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
)

const (
	poolID   = "eu-west-1_Example"
	ours     = "arn:aws:lambda:eu-west-1:111122223333:function:claims"
	ourAlias = ours + ":live"
	theirs   = "arn:aws:lambda:eu-west-1:111122223333:function:handwritten"
)

func properties(edit func(map[string]any)) map[string]any {
	p := map[string]any{"ServiceToken": "arn:…", "UserPoolId": poolID, "FunctionArn": ours, "LambdaVersion": "V2_0"}
	if edit != nil {
		edit(p)
	}
	return p
}

func replacing(p map[string]any) {
	p["ReplacedFunctionArn"], p["ReplacedLambdaVersion"] = theirs, "V1_0"
}

func create(edit func(map[string]any)) cfn.Event {
	return cfn.Event{RequestType: cfn.RequestCreate, RequestID: "request-1", ResourceProperties: properties(edit)}
}

func update(old, edit func(map[string]any)) cfn.Event {
	e := create(edit)
	e.RequestType, e.OldResourceProperties, e.PhysicalResourceID = cfn.RequestUpdate, properties(old), poolID+"/PreTokenGeneration"
	return e
}

func remove(edit func(map[string]any)) cfn.Event {
	e := create(edit)
	e.RequestType, e.PhysicalResourceID = cfn.RequestDelete, poolID+"/PreTokenGeneration"
	return e
}

// A pool with everything set that the 2026 API describes, and one setting that no SDK knows yet.
const fullPool = `{
	"Id": "eu-west-1_Example", "Arn": "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_Example", "Name": "customers",
	"Status": "Enabled", "CreationDate": 1700000000.123, "LastModifiedDate": 1700000000.123, "EstimatedNumberOfUsers": 9007199254740993,
	"Domain": "customers", "CustomDomain": "auth.example.com", "SmsConfigurationFailure": "SNSSandbox", "EmailConfigurationFailure": "x",
	"SchemaAttributes": [{"Name": "sub", "AttributeDataType": "String"}], "AliasAttributes": ["email"], "UsernameAttributes": ["email"],
	"UsernameConfiguration": {"CaseSensitive": false},
	"Policies": {"PasswordPolicy": {"MinimumLength": 14, "RequireSymbols": false, "TemporaryPasswordValidityDays": 3, "PasswordHistorySize": 5},
		"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}},
	"DeletionProtection": "ACTIVE",
	"LambdaConfig": {"PreSignUp": "arn:aws:lambda:eu-west-1:111122223333:function:signup",
		"CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": "arn:aws:lambda:eu-west-1:111122223333:function:mail"},
		"KMSKeyID": "arn:aws:kms:eu-west-1:111122223333:key/1"},
	"AutoVerifiedAttributes": ["email", "phone_number"],
	"EmailVerificationMessage": "code {####}", "EmailVerificationSubject": "code",
	"VerificationMessageTemplate": {"EmailMessage": "code {####}", "EmailSubject": "code", "DefaultEmailOption": "CONFIRM_WITH_CODE"},
	"SmsAuthenticationMessage": "code {####}",
	"UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
	"MfaConfiguration": "ON", "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true},
	"EmailConfiguration": {"EmailSendingAccount": "DEVELOPER", "SourceArn": "arn:aws:ses:eu-west-1:111122223333:identity/example.com"},
	"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "x", "SnsRegion": "eu-west-1"},
	"UserPoolTags": {"team": "identity"},
	"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": 3, "InviteMessageTemplate": {"EmailSubject": "hi"}},
	"UserPoolAddOns": {"AdvancedSecurityMode": "ENFORCED"},
	"AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
	"UserPoolTier": "PLUS", "IssuerConfiguration": {"Type": "UPDATED"},
	"SettingOf2031": {"Exact": 9007199254740993}
}`

func TestCreateSetsTheTriggerAndNothingElse(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	before := f.settings()
	if answer := f.handle(create(nil)); answer.Status != cfn.StatusSuccess || answer.PhysicalResourceID != poolID+"/PreTokenGeneration" {
		t.Fatalf("answer %+v", answer)
	}
	if got := f.trigger(); got != (Trigger{ours, "V2_0"}) {
		t.Errorf("trigger %s", got)
	}
	if after := f.settings(); !reflect.DeepEqual(before, after) {
		t.Errorf("the pool became\n%v, was\n%v", after, before)
	}

	// Doing it again finds that nothing is to be done.
	updates := f.updates
	if answer := f.handle(create(nil)); answer.Status != cfn.StatusSuccess || f.updates != updates {
		t.Errorf("second time: %+v after %d more updates", answer, f.updates-updates)
	}

	if answer := f.handle(remove(nil)); answer.Status != cfn.StatusSuccess || answer.PhysicalResourceID != poolID+"/PreTokenGeneration" {
		t.Fatalf("answer to Delete: %+v", answer)
	}
	if got := f.trigger(); got != (Trigger{}) {
		t.Errorf("trigger after Delete: %s", got)
	}
	if after := f.settings(); !reflect.DeepEqual(before, after) {
		t.Errorf("after Delete the pool became\n%v, was\n%v", after, before)
	}
}

func TestTheOnlyTriggerCanBeRemoved(t *testing.T) {
	t.Parallel()
	f := newFake(t, `{"Name": "p", "LambdaConfig": {}}`)
	f.handle(create(nil))
	f.handle(remove(nil))
	if got := f.pool["LambdaConfig"]; len(got.(map[string]any)) != 0 {
		t.Errorf("LambdaConfig %v, want none", got)
	}
}

type triggerCase struct {
	name    string
	present string // LambdaConfig before
	event   cfn.Event
	want    string // LambdaConfig after
	failure string // part of the reason, or empty
}

func (c triggerCase) run(t *testing.T) {
	t.Parallel()
	f := newFake(t, `{"Name": "p", "UserPoolTier": "ESSENTIALS", "LambdaConfig": `+c.present+`}`)
	answer := f.handle(c.event)
	if (answer.Status == cfn.StatusFailed) != (c.failure != "") || !strings.Contains(answer.Reason, c.failure) {
		t.Errorf("answer %s %q, want reason %q", answer.Status, answer.Reason, c.failure)
	}
	var want any
	if err := json.Unmarshal([]byte(c.want), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.pool["LambdaConfig"], want) {
		t.Errorf("LambdaConfig %v, want %v", f.pool["LambdaConfig"], want)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	config := func(arn, version string) string {
		return `{"PreTokenGenerationConfig": {"LambdaArn": "` + arn + `", "LambdaVersion": "` + version + `"}}`
	}
	both := func(arn, version string) string {
		return `{"PreTokenGeneration": "` + arn + `", ` + config(arn, version)[1:]
	}
	const legacy = `{"PreTokenGeneration": "` + theirs + `"}`
	other := strings.Replace(ours, "claims", "other", 1)
	alias := func(p map[string]any) { p["FunctionArn"] = ourAlias }

	for _, c := range []triggerCase{
		{"none before", `{}`, create(nil), config(ours, "V2_0"), ""},
		{"another's stays", config(theirs, "V2_0"), create(nil), config(theirs, "V2_0"),
			"user pool eu-west-1_Example has a pre token generation trigger already, " + theirs + " (V2_0), and a pool has only one: remove it, or set ReplacedTriggerArn"},
		{"another's legacy trigger stays", legacy, create(nil), legacy, theirs + " (V1_0)"},
		{"the named one is replaced", legacy, create(replacing), config(ours, "V2_0"), ""},
		{"the named one is replaced in both members", both(theirs, "V1_0"), create(replacing), config(ours, "V2_0"), ""},
		{"not the named one", config(other, "V1_0"), create(replacing), config(other, "V1_0"), "already"},
		{"the named one in another version", config(theirs, "V2_0"), create(replacing), config(theirs, "V2_0"), "already"},
		{"as Cognito tells it in both members", both(ours, "V2_0"), create(nil), both(ours, "V2_0"), ""},
		{"ours in version V1_0 is put right", both(ours, "V1_0"), create(nil), config(ours, "V2_0"), ""},
		{"update through an alias", config(ours, "V2_0"), update(nil, alias), config(ourAlias, "V2_0"), ""},
		{"update rolled back", config(ourAlias, "V2_0"), update(alias, nil), config(ours, "V2_0"), ""},
		{"update after the trigger was taken off", `{}`, update(nil, nil), config(ours, "V2_0"), ""},
		{"update after another took its place", config(theirs, "V1_0"), update(nil, alias), config(theirs, "V1_0"), "already"},
		{"removed", config(ours, "V2_0"), remove(nil), `{}`, ""},
		{"the replaced one is put back", config(ours, "V2_0"), remove(replacing), config(theirs, "V1_0"), ""},
		{"it is put back already", config(theirs, "V1_0"), remove(replacing), config(theirs, "V1_0"), ""},
		{"another's is not removed", config(other, "V3_0"), remove(replacing), config(other, "V3_0"), ""},
		{"nothing to remove", `{}`, remove(nil), `{}`, ""},
	} {
		t.Run(c.name, c.run)
	}
}

func TestPlanLiteIsRefusedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	const lite = `{"Name": "p", "UserPoolTier": "LITE"}`
	f := newFake(t, lite)
	answer := f.handle(create(nil))
	if answer.Status != cfn.StatusFailed || f.updates != 0 || !strings.HasPrefix(answer.Reason,
		"user pool eu-west-1_Example is on feature plan LITE, which cannot customise access tokens (trigger V2_0): move it to ESSENTIALS or PLUS") {
		t.Errorf("answer %+v after %d updates", answer, f.updates)
	}
	f = newFake(t, lite)
	if answer := f.handle(create(func(p map[string]any) { p["SkipFeaturePlanCheck"] = "true" })); answer.Status != cfn.StatusSuccess {
		t.Errorf("answer %+v", answer)
	}
}

func TestASettingThatChangedIsReportedByName(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *fake){
		"Policies":                          func(f *fake) { f.pool["Policies"] = map[string]any{} },
		"LambdaConfig":                      func(f *fake) { delete(f.pool["LambdaConfig"].(map[string]any), "PreSignUp") },
		"SettingOf2031":                     func(f *fake) { delete(f.pool, "SettingOf2031") },
		"Brandnew":                          func(f *fake) { f.pool["Brandnew"] = "x" },
		"MFA SoftwareTokenMfaConfiguration": func(f *fake) { f.mfa = map[string]any{"MfaConfiguration": "ON"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, fullPool)
			f.afterUpdate = change
			answer := f.handle(create(nil))
			if want := "these settings are not what they were before its trigger was changed: " + name + ";"; answer.Status != cfn.StatusFailed ||
				!strings.Contains(answer.Reason, want) {
				t.Errorf("answer %+v, want reason %s", answer, want)
			}
			if strings.Contains(answer.Reason, "code {####}") {
				t.Errorf("the reason tells the pool's configuration: %s", answer.Reason)
			}
		})
	}
}

func TestAPoolThatIsGoneCountsAsLetGo(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.pool = nil
	if answer := f.handle(remove(nil)); answer.Status != cfn.StatusSuccess {
		t.Errorf("Delete: %+v", answer)
	}
	answer := f.handle(create(nil))
	if want := "DescribeUserPool: ResourceNotFoundException (HTTP 400): no such pool"; answer.Status != cfn.StatusFailed || answer.Reason != want {
		t.Errorf("Create: %+v, want reason %s", answer, want)
	}
	if calls := f.calls["DescribeUserPool"]; calls != 2 {
		t.Errorf("asked %d times, want once for each event: it does not come back", calls)
	}
}

func TestPassRoleIsExplained(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.faults["UpdateUserPool"] = repeat(9, fault{status: 400, kind: "AccessDeniedException", message: "not authorized"})
	answer := f.handle(create(nil))
	if want := "UpdateUserPool: AccessDeniedException (HTTP 400): not authorized; the pool sends SMS messages through the role " +
		"arn:aws:iam::111122223333:role/sms, which whoever updates the pool must be allowed to pass: import the role and call " +
		"GrantPassRole(auth.AttachFunction().GrantPrincipal())"; answer.Reason != want {
		t.Errorf("got reason\n%s\nwant\n%s", answer.Reason, want)
	}
	if f.calls["UpdateUserPool"] != 1 {
		t.Errorf("tried %d times, want once", f.calls["UpdateUserPool"])
	}
}

func TestMalformedEventsAreAnsweredToo(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]cfn.Event{
		"no properties": {RequestType: cfn.RequestCreate, RequestID: "request-1"},
		"no version":    create(func(p map[string]any) { delete(p, "LambdaVersion") }),
		"wrong type":    create(func(p map[string]any) { p["UserPoolId"] = []any{"x"} }),
		"unknown":       {RequestType: "Renew", RequestID: "request-1", ResourceProperties: properties(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, fullPool)
			answer := f.handle(event)
			if answer.Status != cfn.StatusFailed || answer.Reason == "" || answer.PhysicalResourceID == "" || f.updates != 0 {
				t.Errorf("answer %+v after %d updates", answer, f.updates)
			}
		})
	}
}

func TestAnotherPoolIsAnotherResource(t *testing.T) {
	t.Parallel()
	f := newFake(t, `{"Name": "p"}`)
	answer := f.handle(update(func(p map[string]any) { p["UserPoolId"] = "eu-west-1_Old"; p["FunctionArn"] = theirs }, nil))
	if answer.Status != cfn.StatusSuccess || answer.PhysicalResourceID != poolID+"/PreTokenGeneration" {
		t.Errorf("answer %+v", answer)
	}
	// What was ours on the old pool is not ours on this one.
	f = newFake(t, `{"Name": "p", "LambdaConfig": {"PreTokenGeneration": "`+theirs+`"}}`)
	if answer := f.handle(update(func(p map[string]any) { p["UserPoolId"] = "eu-west-1_Old"; p["FunctionArn"] = theirs }, nil)); answer.Status != cfn.StatusFailed {
		t.Errorf("answer %+v", answer)
	}
}

func TestReasonsFitIntoTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.faults["DescribeUserPool"] = repeat(1, fault{status: 400, kind: "InvalidParameterException", message: strings.Repeat("x", 10000)})
	if answer := f.handle(create(nil)); len(answer.Reason) > 2100 || answer.Status != cfn.StatusFailed {
		t.Errorf("reason of %d bytes", len(answer.Reason))
	}
}

func TestDescribedMembersAreSentOrKnownToBeDescriptive(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	before, err := read(t.Context(), f.client(), poolID)
	if err != nil {
		t.Fatal(err)
	}
	request := before.update(poolID, Trigger{ours, "V2_0"})
	for name := range before.pool {
		_, sent := request[name]
		if sent == slices.Contains(descriptive, name) {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
	if original := maps.Clone(before.pool); !reflect.DeepEqual(original["AdminCreateUserConfig"], before.pool["AdminCreateUserConfig"]) ||
		before.pool["AdminCreateUserConfig"].(map[string]any)["UnusedAccountValidityDays"] == nil {
		t.Error("what was read was written to")
	}
	if request["PoolName"] != "customers" || request["SettingOf2031"].(map[string]any)["Exact"] != json.Number("9007199254740993") {
		t.Errorf("request %v", request)
	}
}

func TestSleepEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.faults["DescribeUserPool"] = repeat(9, fault{status: 500})
	f.sleepErr = errors.New("time is up")
	answer := f.handle(create(nil))
	if answer.Status != cfn.StatusFailed || !strings.Contains(answer.Reason, "HTTP 500") || !strings.Contains(answer.Reason, "time is up") {
		t.Errorf("answer %+v", answer)
	}
}
