package pretoken

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// event is a pre token generation event. The whole event goes back to Cognito, so that what is not understood here is
// kept as it came: AWS announces that events may gain elements
// (https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html).
//
// The types of aws-lambda-go are not used: they lose unknown elements and the digits of large integers, refuse AWS's own
// sample events, and answer with empty group overrides, which take the user's groups away.
type event map[string]json.RawMessage

// input is what of an event matters here.
type input struct {
	TriggerSource text
	Region        text
	UserPoolID    text `json:"userPoolId"`
	UserName      text
	CallerContext struct {
		ClientID text `json:"clientId"`
	}
	Request struct {
		UserAttributes     map[string]text
		GroupConfiguration struct {
			GroupsToOverride []string // the user's groups, despite the name
		}
		ClientMetadata map[string]text
		Scopes         []string
	}
}

// text is a string that may be null. Attributes are documented as strings; another scalar is read as its JSON text.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, (*string)(t))
	case '{', '[':
		return errors.New("a string was expected")
	case 'n':
		return nil
	default:
		*t = text(data)
		return nil
	}
}

// decode reads an event leniently: elements that are unknown, missing or null are no error.
func decode(payload []byte) (event, policy.SignIn, error) {
	var e event
	var in input
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, policy.SignIn{}, fmt.Errorf("the event is no JSON object: %w", shapeOnly(err))
	}
	if e == nil || e["request"] == nil {
		return nil, policy.SignIn{}, errors.New("the event has no request: is this function the pool's pre token generation trigger?")
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, policy.SignIn{}, fmt.Errorf("the event is no pre token generation event: %w", shapeOnly(err))
	}
	return e, policy.SignIn{
		UserName:       string(in.UserName),
		Attributes:     texts(in.Request.UserAttributes),
		Groups:         in.Request.GroupConfiguration.GroupsToOverride,
		ClientID:       string(in.CallerContext.ClientID),
		ClientMetadata: texts(in.Request.ClientMetadata),
		Scopes:         in.Request.Scopes,
		TriggerSource:  string(in.TriggerSource),
		PoolID:         string(in.UserPoolID),
		PoolRegion:     string(in.Region),
	}, nil
}

// shapeOnly keeps of a JSON error what says nothing about values, since those are personal.
func shapeOnly(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is no %s", e.Field, e.Type)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("malformed at byte %d", e.Offset)
	}
	return errors.New("an element has another type than documented")
}

func texts(in map[string]text) map[string]string {
	out := make(map[string]string, len(in))
	for name, value := range in {
		out[name] = string(value)
	}
	return out
}

// response is the answer of trigger versions V2_0 and V3_0. What the policy does not ask for is left out, above all
// groupOverrideDetails: empty or null it would take the user's groups away.
type response struct {
	Details struct {
		AccessToken tokenGeneration `json:"accessTokenGeneration,omitzero"`
	} `json:"claimsAndScopeOverrideDetails"`
}

type tokenGeneration struct {
	ClaimsToAddOrOverride map[string]any `json:"claimsToAddOrOverride,omitempty"`
	ScopesToAdd           []string       `json:"scopesToAdd,omitempty"`
	ScopesToSuppress      []string       `json:"scopesToSuppress,omitempty"`
}

// IsZero makes omitzero leave the element out when the policy asks for nothing.
func (g tokenGeneration) IsZero() bool {
	return len(g.ClaimsToAddOrOverride) == 0 && len(g.ScopesToAdd) == 0 && len(g.ScopesToSuppress) == 0
}

// answer is the event with the response to it.
func (e event) answer(m policy.Minted) ([]byte, error) {
	var r response
	r.Details.AccessToken.ClaimsToAddOrOverride = m.Access
	r.Details.AccessToken.ScopesToAdd = m.ScopesToAdd
	r.Details.AccessToken.ScopesToSuppress = m.ScopesToSuppress
	encoded, err := encode(r)
	if err != nil {
		return nil, err
	}
	e["response"] = encoded
	return encode(e)
}

// encode is json.Marshal that leaves <, > and & in strings as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
