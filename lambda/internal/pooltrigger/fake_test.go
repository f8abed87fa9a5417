package pooltrigger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// fault is an answer that the fake gives instead of the right one.
type fault struct {
	status  int
	kind    string
	message string
	cut     bool // the connection breaks before the answer
	applied bool // after the request was carried out
}

// updatable are the members that a described pool and UpdateUserPool have in common, as the API reference of November 2026
// lists them, and one that it does not list yet. The list is not taken from the code, which has the others.
//
// See https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
var updatable = []string{
	"AccountRecoverySetting", "AdminCreateUserConfig", "AutoVerifiedAttributes", "DeletionProtection", "DeviceConfiguration",
	"EmailConfiguration", "EmailVerificationMessage", "EmailVerificationSubject", "IssuerConfiguration", "KeyConfiguration",
	"LambdaConfig", "MfaConfiguration", "Policies", "SmsAuthenticationMessage", "SmsConfiguration", "SmsVerificationMessage",
	"UserAttributeUpdateSettings", "UserPoolAddOns", "UserPoolTags", "UserPoolTier", "VerificationMessageTemplate",
	"SettingOf2031",
}

func repeat(n int, f fault) []fault { return slices.Repeat([]fault{f}, n) }

// fake is Cognito with one pool, and the place where CloudFormation waits for answers. As Cognito does, it resets what an
// update does not name, and refuses members that updates do not have.
type fake struct {
	t           *testing.T
	server      *httptest.Server
	pool, mfa   map[string]any
	afterUpdate func(*fake)
	faults      map[string][]fault // by operation, or "answer"
	calls       map[string]int
	updates     int
	answer      *cfn.Response
	slept       []time.Duration
	sleepErr    error
	log         bytes.Buffer
}

func newFake(t *testing.T, pool string) *fake {
	f := &fake{t: t, faults: map[string][]fault{}, calls: map[string]int{}}
	f.mfa = map[string]any{"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": map[string]any{"Enabled": true}}
	decoder := json.NewDecoder(strings.NewReader(pool))
	decoder.UseNumber()
	if err := decoder.Decode(&f.pool); err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) client() *Client {
	return &Client{
		Endpoint: f.server.URL,
		Region:   "eu-west-1",
		Credentials: func() aws.Credentials {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "session"}
		},
		HTTP: f.server.Client(),
		Now:  func() time.Time { return time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC) },
	}
}

func (f *fake) handler() *Handler {
	return &Handler{
		Cognito: f.client(),
		HTTP:    f.server.Client(),
		Sleep: func(_ context.Context, d time.Duration) error {
			f.slept = append(f.slept, d)
			return f.sleepErr
		},
		Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
	}
}

// handle returns what CloudFormation is told.
func (f *fake) handle(event cfn.Event) cfn.Response {
	f.t.Helper()
	f.answer = nil
	event.ResponseURL = f.server.URL + "/answer?X-Amz-Signature=secret"
	event.StackID, event.LogicalResourceID = "stack", "Trigger"
	if err := f.handler().Handle(f.t.Context(), event); err != nil {
		f.t.Fatalf("handler: %v", err)
	}
	if f.answer == nil {
		f.t.Fatal("CloudFormation was not answered")
	}
	if f.answer.StackID != "stack" || f.answer.LogicalResourceID != "Trigger" || f.answer.RequestID != event.RequestID {
		f.t.Errorf("answer is for %+v", *f.answer)
	}
	return *f.answer
}

// settings is everything but the trigger and the time stamps.
func (f *fake) settings() map[string]any {
	r := maps.Clone(f.pool)
	triggers := maps.Clone(r["LambdaConfig"].(map[string]any))
	delete(triggers, "PreTokenGeneration")
	delete(triggers, "PreTokenGenerationConfig")
	r["LambdaConfig"] = triggers
	delete(r, "LastModifiedDate")
	return r
}

func (f *fake) trigger() Trigger {
	t, _ := state{pool: f.pool}.trigger()
	return t
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	name := "answer"
	if r.URL.Path != "/answer" {
		name = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")
	}
	f.calls[name]++
	var now fault
	if faults := f.faults[name]; len(faults) > 0 {
		now, f.faults[name] = faults[0], faults[1:]
	}
	var answer any
	if now == (fault{}) || now.applied {
		answer = f.carryOut(name, r, body)
	}
	if refused, ok := answer.(fault); ok {
		now = refused
	}
	switch {
	case now.cut:
		panic(http.ErrAbortHandler)
	case now.status != 0:
		w.WriteHeader(now.status)
		answer = map[string]any{"__type": "com.amazonaws.cognito#" + now.kind, "message": now.message}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

func (f *fake) carryOut(name string, r *http.Request, body []byte) any {
	if name == "answer" {
		if r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" || r.URL.RawQuery != "X-Amz-Signature=secret" {
			f.t.Errorf("answered with %s %s, content type %q", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if err := json.Unmarshal(body, &f.answer); err != nil {
			f.t.Error(err)
		}
		return nil
	}
	if a := r.Header.Get("Authorization"); r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" ||
		r.Header.Get("X-Amz-Security-Token") != "session" ||
		!strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKID/20261125/eu-west-1/cognito-idp/aws4_request") ||
		!strings.Contains(a, "x-amz-target") {
		f.t.Errorf("%s: not a signed request: %v", name, r.Header)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var input map[string]any
	if err := decoder.Decode(&input); err != nil {
		f.t.Fatal(err)
	}
	if f.pool == nil || input["UserPoolId"] != poolID {
		return fault{status: 400, kind: "ResourceNotFoundException", message: "no such pool"}
	}
	switch name {
	case "DescribeUserPool":
		return map[string]any{"UserPool": f.pool}
	case "GetUserPoolMfaConfig":
		return f.mfa
	case "UpdateUserPool":
		return f.update(input)
	default:
		return fault{status: 400, kind: "UnknownOperationException"}
	}
}

func (f *fake) update(input map[string]any) any {
	f.updates++
	refuse := func(format string, args ...any) any {
		return fault{status: 400, kind: "InvalidParameterException", message: fmt.Sprintf(format, args...)}
	}
	policies, _ := input["Policies"].(map[string]any)
	password, _ := policies["PasswordPolicy"].(map[string]any)
	admin, _ := input["AdminCreateUserConfig"].(map[string]any)
	if password["TemporaryPasswordValidityDays"] != nil && admin["UnusedAccountValidityDays"] != nil {
		return refuse("Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays")
	}
	triggers, _ := input["LambdaConfig"].(map[string]any)
	config, _ := triggers["PreTokenGenerationConfig"].(map[string]any)
	if legacy := triggers["PreTokenGeneration"]; legacy != nil && config != nil && legacy != config["LambdaArn"] {
		return refuse("PreTokenGeneration and PreTokenGenerationConfig differ")
	}

	next := map[string]any{}
	for name, value := range f.pool {
		if !slices.Contains(updatable, name) {
			next[name] = value
		}
	}
	for name := range input {
		if !slices.Contains(updatable, name) && name != "UserPoolId" && name != "PoolName" {
			return refuse("%s cannot be updated", name)
		}
	}
	for name, value := range input {
		switch name {
		case "UserPoolId":
		case "PoolName":
			next["Name"] = value
		default:
			next[name] = value
		}
	}
	next["LastModifiedDate"] = json.Number(fmt.Sprint(1800000000 + f.updates))
	if days := password["TemporaryPasswordValidityDays"]; days != nil { // told twice
		admin = maps.Clone(admin)
		admin["UnusedAccountValidityDays"] = days
		next["AdminCreateUserConfig"] = admin
	}
	f.pool = next
	if f.afterUpdate != nil {
		f.afterUpdate(f)
	}
	return map[string]any{}
}

func TestFaultsAreOutlived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation string
		faults    []fault
	}{
		"throttled":                  {"DescribeUserPool", repeat(3, fault{status: 400, kind: "TooManyRequestsException"})},
		"HTTP 503 without JSON type": {"UpdateUserPool", repeat(2, fault{status: 503})},
		"HTTP 429":                   {"GetUserPoolMfaConfig", repeat(1, fault{status: 429})},
		"connection broken":          {"UpdateUserPool", repeat(2, fault{cut: true})},
		"answer lost":                {"UpdateUserPool", repeat(1, fault{cut: true, applied: true})},
		"error after all":            {"UpdateUserPool", repeat(1, fault{status: 500, applied: true})},
		"concurrent change":          {"UpdateUserPool", repeat(2, fault{status: 400, kind: "ConcurrentModificationException"})},
		"role not known yet":         {"UpdateUserPool", repeat(2, fault{status: 400, kind: "InvalidSmsRoleTrustRelationshipException"})},
		"answer to CloudFormation":   {"answer", repeat(4, fault{status: 503})},
		"answer broken":              {"answer", repeat(2, fault{cut: true})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, fullPool)
			before := f.settings()
			f.faults[c.operation] = c.faults
			if answer := f.handle(create(nil)); answer.Status != cfn.StatusSuccess {
				t.Fatalf("answer %+v", answer)
			}
			if f.trigger() != (Trigger{ours, "V2_0"}) || fmt.Sprint(before) != fmt.Sprint(f.settings()) {
				t.Errorf("trigger %s, settings %v", f.trigger(), f.settings())
			}
			if f.updates != 1 {
				t.Errorf("%d updates carried out, want 1", f.updates)
			}
			if len(f.slept) == 0 {
				t.Error("no wait before trying again")
			}
		})
	}
}

func TestFaultsThatStayAreReported(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.faults["UpdateUserPool"] = repeat(99, fault{status: 500, kind: "InternalErrorException", message: "sorry"})
	answer := f.handle(create(nil))
	if want := "UpdateUserPool: InternalErrorException (HTTP 500): sorry"; answer.Status != cfn.StatusFailed || answer.Reason != want {
		t.Errorf("answer %+v, want reason %s", answer, want)
	}
	if f.calls["UpdateUserPool"] != attempts {
		t.Errorf("tried %d times, want %d", f.calls["UpdateUserPool"], attempts)
	}

	// A creation that failed is followed by a Delete, which leaves the pool as it was.
	f.faults["UpdateUserPool"] = nil
	if answer := f.handle(remove(nil)); answer.Status != cfn.StatusSuccess || f.updates != 0 {
		t.Errorf("Delete: %+v after %d updates", answer, f.updates)
	}
}

// What was changed in between by somebody else is kept: each attempt begins with reading.
func TestAConflictingChangeIsKept(t *testing.T) {
	t.Parallel()
	f := newFake(t, `{"Name": "p", "MfaConfiguration": "OFF"}`)
	f.faults["UpdateUserPool"] = repeat(1, fault{status: 400, kind: "ConcurrentModificationException"})
	h := f.handler()
	h.Sleep = func(context.Context, time.Duration) error {
		f.pool["MfaConfiguration"] = "OPTIONAL"
		return nil
	}
	event := create(nil)
	event.ResponseURL = f.server.URL + "/answer?X-Amz-Signature=secret"
	if err := h.Handle(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if f.answer.Status != cfn.StatusSuccess || f.pool["MfaConfiguration"] != "OPTIONAL" {
		t.Errorf("answer %+v, MfaConfiguration %v", *f.answer, f.pool["MfaConfiguration"])
	}
}

// The address of the answer is a credential.
func TestNobodyIsToldTheAddressOfTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	f.faults["answer"] = repeat(99, fault{cut: true})
	event := create(nil)
	event.ResponseURL = f.server.URL + "/answer?X-Amz-Signature=secret"
	err := f.handler().Handle(t.Context(), event)
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(f.log.String(), "X-Amz-Signature") {
		t.Errorf("error %v, log %s", err, f.log.String())
	}
}

// Time is kept for the answer: the work ends before the function does.
func TestTimeIsKeptForTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t, fullPool)
	ctx, cancel := context.WithTimeout(t.Context(), reserve/2)
	defer cancel()
	event := create(nil)
	event.ResponseURL = f.server.URL + "/answer?X-Amz-Signature=secret"
	if err := f.handler().Handle(ctx, event); err != nil {
		t.Fatal(err)
	}
	if f.answer == nil || f.answer.Status != cfn.StatusFailed || f.updates != 0 {
		t.Errorf("answer %+v after %d updates, want a failure told in time", f.answer, f.updates)
	}
}
