package pretoken

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// event is a pre token generation event. The whole event goes back to Cognito, so that what is not understood here is
// kept as it came: AWS announces that events may gain elements
// (https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html).
//
// The types of aws-lambda-go are not used: they lose unknown elements and the digits of large integers, refuse AWS's own
// sample events, and answer with empty group overrides, which take the user's groups away.
type event map[string]any

// groupConfiguration is the user's groups and roles.
type groupConfiguration struct {
	groups, roles []string
	preferredRole string
}

// input is what of an event matters here.
type input struct {
	signIn program.SignIn
	groups *groupConfiguration // nil for machines
}

// decode reads an event leniently: elements that are unknown, missing or null are no error.
func decode(payload []byte, params map[string]string) (event, *input, error) {
	e, err := parse(payload)
	if err != nil {
		return nil, nil, err
	}
	if e["request"] == nil {
		return nil, nil, errors.New("the event has no request: is this function the pool's pre token generation trigger?")
	}
	var r reader
	caller, request := r.object(e, "callerContext"), r.object(e, "request")
	in := &input{signIn: program.SignIn{
		TriggerSource:  r.text(e, "triggerSource"),
		PoolRegion:     r.text(e, "region"),
		PoolID:         r.text(e, "userPoolId"),
		UserName:       r.text(e, "userName"),
		ClientID:       r.text(caller, "clientId"),
		Attributes:     r.texts(request, "userAttributes"),
		ClientMetadata: r.texts(request, "clientMetadata"),
		Scopes:         r.list(request, "scopes"),
		Params:         params,
	}}
	in.signIn.Machine = isMachine(&in.signIn)
	if groups := r.object(request, "groupConfiguration"); groups != nil {
		in.groups = &groupConfiguration{groups: r.list(groups, "groupsToOverride"), roles: r.list(groups, "iamRolesToOverride")}
		// AWS's sample events show a list of one.
		if roles, isList := groups["preferredRole"].([]any); !isList {
			in.groups.preferredRole = r.text(groups, "preferredRole")
		} else if len(roles) > 0 {
			in.groups.preferredRole = r.scalar("preferredRole", roles[0])
		}
		in.signIn.Groups = in.groups.groups // the user's groups, despite the name
	}
	return e, in, r.err
}

// parse reads strictly, which is fast, and else as leniently as it gets: something odd that a client chose, such as half a
// character in its metadata, is no reason to keep it out.
func parse(payload []byte) (e event, err error) {
	if e, err = strictjson.Object(bytes.Clone(payload)); err == nil { // a copy: Lambda's runtime uses its memory again
		return e, nil
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if !json.Valid(payload) || d.Decode(&e) != nil {
		return nil, fmt.Errorf("the event %w", err)
	}
	return e, nil
}

// isMachine tells whether the tokens are for a client itself. Every user has a sub; for machines Cognito sends no
// attributes and the literal user name, and AWS documents the trigger's source for one of the two ways to get such
// tokens (https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html).
func isMachine(s *program.SignIn) bool {
	return s.Attributes["sub"] == "" && (s.TriggerSource == "TokenGeneration_ClientCredentials" || s.UserName == "ClientCredentials")
}

// reader reads elements of objects, and keeps the first error. Its texts hold no value, since those are personal.
type reader struct{ err error }

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("the event is no pre token generation event: %s is no %s", name, want)
	}
}

func (r *reader) object(parent map[string]any, name string) map[string]any {
	object, ok := parent[name].(map[string]any)
	if !ok && parent[name] != nil {
		r.fail(name, "object")
	}
	return object
}

func (r *reader) text(parent map[string]any, name string) string { return r.scalar(name, parent[name]) }

// scalar is a text that may be null. Attributes are documented as strings; another scalar is read as its JSON text.
func (r *reader) scalar(name string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	default:
		r.fail(name, "text")
		return ""
	}
}

func (r *reader) texts(parent map[string]any, name string) map[string]string {
	object := r.object(parent, name)
	texts := make(map[string]string, len(object))
	for key, v := range object {
		texts[key] = r.scalar(name, v)
	}
	return texts
}

func (r *reader) list(parent map[string]any, name string) []string {
	list, ok := parent[name].([]any)
	if !ok && parent[name] != nil {
		r.fail(name, "list")
	}
	var texts []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok && v != nil {
			r.fail(name, "list of texts")
		}
		texts = append(texts, text)
	}
	return texts
}

// answer is the event with the response to it, in the form of a trigger version. What the policy does not ask for is left
// out, above all groupOverrideDetails: empty or null it would take the user's groups away.
func (e event) answer(in *input, m program.Minted, version string) ([]byte, error) {
	details := map[string]any{}
	// A machine has no groups, so there are none to replace. Roles would be lost if they were left out.
	if m.ReplaceGroups && in.groups != nil {
		groups := map[string]any{"groupsToOverride": m.Groups}
		set(groups, "iamRolesToOverride", in.groups.roles)
		set(groups, "preferredRole", in.groups.preferredRole)
		details["groupOverrideDetails"] = groups
	}
	if version == V1 { // it shapes ID tokens alone, but its groups are those of both tokens
		claims, err := asTexts(m.ID)
		if err != nil {
			return nil, err
		}
		set(details, "claimsToAddOrOverride", claims)
		set(details, "claimsToSuppress", m.SuppressInID)
		e["response"] = map[string]any{"claimsOverrideDetails": details}
	} else {
		id, access := map[string]any{}, map[string]any{}
		set(id, "claimsToAddOrOverride", m.ID)
		set(id, "claimsToSuppress", m.SuppressInID)
		set(access, "claimsToAddOrOverride", m.Access)
		set(access, "claimsToSuppress", m.SuppressInAccess)
		set(access, "scopesToAdd", m.ScopesToAdd)
		set(access, "scopesToSuppress", m.ScopesToSuppress)
		set(details, "idTokenGeneration", id)
		set(details, "accessTokenGeneration", access)
		e["response"] = map[string]any{"claimsAndScopeOverrideDetails": details}
	}
	return strictjson.Append(make([]byte, 0, 4096), map[string]any(e))
}

// set sets a member unless it would be empty.
func set[T ~string | ~[]string | ~map[string]any](object map[string]any, name string, value T) {
	if len(value) > 0 {
		object[name] = value
	}
}

// asTexts makes the JSON of every claim that is no text one.
func asTexts(claims map[string]any) (map[string]any, error) {
	texts := make(map[string]any, len(claims))
	for name, value := range claims {
		if _, isText := value.(string); !isText {
			encoded, err := strictjson.Append(nil, value)
			if err != nil {
				return nil, err
			}
			value = string(encoded)
		}
		texts[name] = value
	}
	return texts, nil
}
