// Package pooltrigger makes a function the pre token generation trigger of a user pool that somebody else owns, and takes
// it away again, as a CloudFormation custom resource.
//
// Cognito has no operation that sets a trigger alone: UpdateUserPool takes a pool's whole configuration and sets what it
// is not given to a default. So the pool is read, the trigger exchanged in what was read, the whole sent back, and the pool
// read again to see that nothing else became different. What is read is sent back as it came, with the few members that
// only describe left out: a list of the members that may be sent, or the types of an SDK, would silently drop, and thereby
// reset, every setting that Cognito gains later.
//
// See https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
package pooltrigger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Trigger is a pre token generation trigger. The zero value is none.
type Trigger struct {
	FunctionARN string
	Version     string // V1_0, V2_0 or V3_0
}

// Change is what is to be done to a pool.
type Change struct {
	UserPoolID string
	Want       Trigger // the zero value removes the trigger
	// May tells whether the present trigger may be exchanged. It is not asked when there is none, or it is Want already.
	May func(present Trigger) error
	// AllowLite attaches to a pool on plan LITE as well.
	AllowLite bool
}

// Cognito calls operations of the Cognito user pools API. *[Client] does.
type Cognito interface {
	Call(ctx context.Context, operation string, input any, output any) error
}

// attempts is how often a change is tried from the start. It starts from reading again, since a failed attempt may have
// been carried out all the same, and a conflicting change means that what was read is out of date.
const attempts = 5

// Apply carries the change out and verifies it. It may be repeated any number of times: where nothing is to be done it
// changes nothing.
func Apply(ctx context.Context, cognito Cognito, sleep func(context.Context, time.Duration) error, c Change) error {
	var err error
	for attempt := range attempts {
		if attempt > 0 {
			if sleepErr := sleep(ctx, time.Second<<attempt); sleepErr != nil {
				return errors.Join(err, sleepErr)
			}
		}
		if err = apply(ctx, cognito, c); err == nil || !isTransient(err) {
			return err
		}
	}
	return err
}

func apply(ctx context.Context, cognito Cognito, c Change) error {
	before, err := read(ctx, cognito, c.UserPoolID)
	if err != nil {
		return err
	}
	present, agree := before.trigger()
	if present == c.Want && agree {
		return nil
	}
	if c.Want.Version != "" && c.Want.Version != "V1_0" && before.pool["UserPoolTier"] == "LITE" && !c.AllowLite {
		return fmt.Errorf("user pool %s is on feature plan LITE, which cannot customise access tokens (trigger %s): move it to "+
			"ESSENTIALS or PLUS, or set SkipFeaturePlanCheck if it has had advanced security features on since before 22 November 2024",
			c.UserPoolID, c.Want.Version)
	}
	if present != (Trigger{}) && present != c.Want {
		if err := c.May(present); err != nil {
			return err
		}
	}

	if err := cognito.Call(ctx, "UpdateUserPool", before.update(c.UserPoolID, c.Want), nil); err != nil {
		return explain(err, before)
	}

	after, err := read(ctx, cognito, c.UserPoolID)
	if err != nil {
		return err
	}
	if got, agree := after.trigger(); got != c.Want || !agree {
		return transient{fmt.Errorf("user pool %s: its pre token generation trigger is %s after the update, want %s", c.UserPoolID, got, c.Want)}
	}
	if changed := differences(before, after); len(changed) > 0 {
		return fmt.Errorf("user pool %s: these settings are not what they were before its trigger was changed: %s; "+
			"either somebody else changed them at the same time, or UpdateUserPool did: compare them with what they should be",
			c.UserPoolID, strings.Join(changed, ", "))
	}
	return nil
}

// explain adds what to do about a permission that an update of this pool needs and of others does not.
// CloudFormation's own handler of user pools has the permission iam:PassRole too.
func explain(err error, s state) error {
	apiErr, ok := errors.AsType[*APIError](err)
	sms, _ := s.pool["SmsConfiguration"].(map[string]any)
	if role, _ := sms["SnsCallerArn"].(string); ok && role != "" && strings.Contains(apiErr.Type, "AccessDenied") {
		return fmt.Errorf("%w; the pool sends SMS messages through the role %s, which whoever updates the pool must be allowed to pass: "+
			"import the role and call GrantPassRole(auth.AttachFunction().GrantPrincipal())", err, role)
	}
	return err
}

func (t Trigger) String() string {
	if t == (Trigger{}) {
		return "none"
	}
	return t.FunctionARN + " (" + t.Version + ")"
}

// state is a pool's configuration as Cognito tells it.
type state struct {
	pool map[string]any
	// mfa is what DescribeUserPool leaves out about second factors. UpdateUserPool does not set it either; it is read to
	// see that it stayed.
	mfa map[string]any
}

func read(ctx context.Context, cognito Cognito, id string) (state, error) {
	input := map[string]any{"UserPoolId": id}
	var described struct{ UserPool map[string]any }
	if err := cognito.Call(ctx, "DescribeUserPool", input, &described); err != nil {
		return state{}, err
	}
	if described.UserPool == nil {
		return state{}, fmt.Errorf("user pool %s: DescribeUserPool answered without a UserPool", id)
	}
	s := state{pool: described.UserPool}
	if err := cognito.Call(ctx, "GetUserPoolMfaConfig", input, &s.mfa); err != nil {
		return state{}, err
	}
	return s, nil
}

// trigger is the pool's pre token generation trigger. It has two members: PreTokenGenerationConfig, and the legacy
// PreTokenGeneration, which alone means version V1_0 and beside the other must have the same ARN; agree tells whether it has.
func (s state) trigger() (t Trigger, agree bool) {
	triggers, _ := s.pool["LambdaConfig"].(map[string]any)
	legacy, _ := triggers["PreTokenGeneration"].(string)
	if config, _ := triggers["PreTokenGenerationConfig"].(map[string]any); config != nil {
		t.FunctionARN, _ = config["LambdaArn"].(string)
		t.Version, _ = config["LambdaVersion"].(string)
		return t, legacy == "" || legacy == t.FunctionARN
	}
	if legacy == "" {
		return Trigger{}, true
	}
	return Trigger{legacy, "V1_0"}, true
}

// descriptive are the members of a described pool that UpdateUserPool does not take: what Cognito states, and what is
// decided for good when a pool is created.
var descriptive = []string{
	"Id", "Arn", "Name", "Status", "CreationDate", "LastModifiedDate", "EstimatedNumberOfUsers", "Domain", "CustomDomain",
	"SmsConfigurationFailure", "EmailConfigurationFailure",
	"SchemaAttributes", "AliasAttributes", "UsernameAttributes", "UsernameConfiguration",
}

// update is the request that sets the trigger and leaves everything else as it is.
func (s state) update(id string, want Trigger) map[string]any {
	request := maps.Clone(s.pool)
	for _, name := range descriptive {
		delete(request, name)
	}
	request["UserPoolId"] = id
	if name, ok := s.pool["Name"]; ok {
		request["PoolName"] = name
	}

	// Other triggers stay. An empty object is sent when none is left: without the member the last one might stay.
	triggers := map[string]any{}
	if present, _ := s.pool["LambdaConfig"].(map[string]any); present != nil {
		triggers = maps.Clone(present)
	}
	delete(triggers, "PreTokenGeneration")
	delete(triggers, "PreTokenGenerationConfig")
	if want != (Trigger{}) {
		triggers["PreTokenGenerationConfig"] = map[string]any{"LambdaArn": want.FunctionARN, "LambdaVersion": want.Version}
	}
	request["LambdaConfig"] = triggers

	// A pool that has TemporaryPasswordValidityDays describes the number twice, under its retired name as well, but is
	// refused an update with both.
	if s.validityTwice() {
		admin := maps.Clone(s.pool["AdminCreateUserConfig"].(map[string]any))
		delete(admin, "UnusedAccountValidityDays")
		request["AdminCreateUserConfig"] = admin
	}
	return request
}

func (s state) validityTwice() bool {
	policies, _ := s.pool["Policies"].(map[string]any)
	password, _ := policies["PasswordPolicy"].(map[string]any)
	admin, _ := s.pool["AdminCreateUserConfig"].(map[string]any)
	return password["TemporaryPasswordValidityDays"] != nil && admin["UnusedAccountValidityDays"] != nil
}

// differences names the settings that differ, apart from the trigger and what Cognito itself keeps changing.
func differences(before, after state) []string {
	a, b := before.settings(), after.settings()
	if before.validityTwice() { // then the retired name is no longer a setting of its own
		for _, s := range []map[string]any{a, b} {
			if admin, _ := s["AdminCreateUserConfig"].(map[string]any); admin != nil {
				delete(admin, "UnusedAccountValidityDays")
			}
		}
	}
	var changed []string
	for name := range a {
		if !reflect.DeepEqual(a[name], b[name]) {
			changed = append(changed, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// settings are the members that are compared. Absent, null and empty mean the same to Cognito and are left out.
func (s state) settings() map[string]any {
	all := map[string]any{}
	for name, value := range s.pool {
		switch name {
		case "LastModifiedDate", "EstimatedNumberOfUsers", "SmsConfigurationFailure", "EmailConfigurationFailure":
			continue
		case "LambdaConfig":
			if triggers, _ := value.(map[string]any); triggers != nil {
				triggers = maps.Clone(triggers)
				delete(triggers, "PreTokenGeneration")
				delete(triggers, "PreTokenGenerationConfig")
				value = triggers
			}
		}
		all[name] = value
	}
	for name, value := range s.mfa {
		all["MFA "+name] = value
	}
	pruned, _ := prune(all).(map[string]any)
	return pruned
}

// prune copies a value without its null and empty parts.
func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		r := map[string]any{}
		for name, member := range v {
			if p := prune(member); p != nil {
				r[name] = p
			}
		}
		if len(r) == 0 {
			return nil
		}
		return r
	case []any:
		if len(v) == 0 {
			return nil
		}
		r := make([]any, len(v))
		for i, element := range v {
			r[i] = prune(element)
		}
		return r
	default:
		return value
	}
}
