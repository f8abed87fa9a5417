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
		GroupConfiguration *struct {
			GroupsToOverride   []string // the user's groups, despite the name
			IAMRolesToOverride []string
			PreferredRole      oneText
		} // null for machines
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

// oneText is a string that AWS's sample events show as a list of one.
type oneText string

func (t *oneText) UnmarshalJSON(data []byte) error {
	var list []text
	if data[0] != '[' {
		return (*text)(t).UnmarshalJSON(data)
	}
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		return err
	}
	*t = oneText(list[0])
	return nil
}

// decode reads an event leniently: elements that are unknown, missing or null are no error.
func decode(payload []byte) (event, *input, error) {
	var e event
	var in input
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, nil, fmt.Errorf("the event is no JSON object: %w", shapeOnly(err))
	}
	if e == nil || e["request"] == nil {
		return nil, nil, errors.New("the event has no request: is this function the pool's pre token generation trigger?")
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, nil, fmt.Errorf("the event is no pre token generation event: %w", shapeOnly(err))
	}
	return e, &in, nil
}

func (in *input) signIn(params map[string]string) policy.SignIn {
	s := policy.SignIn{
		UserName:       string(in.UserName),
		Attributes:     texts(in.Request.UserAttributes),
		ClientID:       string(in.CallerContext.ClientID),
		Machine:        in.isMachine(),
		ClientMetadata: texts(in.Request.ClientMetadata),
		Scopes:         in.Request.Scopes,
		TriggerSource:  string(in.TriggerSource),
		PoolID:         string(in.UserPoolID),
		PoolRegion:     string(in.Region),
		Params:         params,
	}
	if groups := in.Request.GroupConfiguration; groups != nil {
		s.Groups = groups.GroupsToOverride
	}
	return s
}

// isMachine tells whether the tokens are for a client itself. Every user has a sub; for machines Cognito sends no
// attributes and the literal user name, and AWS documents the trigger's source for one of the two ways to get such
// tokens (https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html).
func (in *input) isMachine() bool {
	return in.Request.UserAttributes["sub"] == "" &&
		(in.TriggerSource == "TokenGeneration_ClientCredentials" || in.UserName == "ClientCredentials")
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
		IDToken     tokenGeneration `json:"idTokenGeneration,omitzero"`
		AccessToken tokenGeneration `json:"accessTokenGeneration,omitzero"`
		Groups      *groupOverride  `json:"groupOverrideDetails,omitempty"`
	} `json:"claimsAndScopeOverrideDetails"`
}

// responseV1 is the answer of trigger version V1_0, which shapes ID tokens alone, with texts for values. Its groups are
// those of the access token too.
type responseV1 struct {
	Details struct {
		ClaimsToAddOrOverride map[string]string `json:"claimsToAddOrOverride,omitempty"`
		ClaimsToSuppress      []string          `json:"claimsToSuppress,omitempty"`
		Groups                *groupOverride    `json:"groupOverrideDetails,omitempty"`
	} `json:"claimsOverrideDetails"`
}

type tokenGeneration struct {
	ClaimsToAddOrOverride map[string]any `json:"claimsToAddOrOverride,omitempty"`
	ClaimsToSuppress      []string       `json:"claimsToSuppress,omitempty"`
	ScopesToAdd           []string       `json:"scopesToAdd,omitempty"`
	ScopesToSuppress      []string       `json:"scopesToSuppress,omitempty"`
}

// IsZero makes omitzero leave the element out when the policy asks for nothing.
func (g tokenGeneration) IsZero() bool {
	return len(g.ClaimsToAddOrOverride) == 0 && len(g.ClaimsToSuppress) == 0 && len(g.ScopesToAdd) == 0 && len(g.ScopesToSuppress) == 0
}

// groupOverride replaces the user's groups and keeps the roles, which would be lost if they were left out.
type groupOverride struct {
	GroupsToOverride   []string `json:"groupsToOverride"`
	IAMRolesToOverride []string `json:"iamRolesToOverride,omitempty"`
	PreferredRole      string   `json:"preferredRole,omitempty"`
}

// answer is the event with the response to it, in the form of a trigger version.
func (e event) answer(in *input, m policy.Minted, version string) ([]byte, error) {
	// A machine has no groups, so there are none to replace.
	var groups *groupOverride
	if had := in.Request.GroupConfiguration; m.ReplaceGroups && had != nil {
		groups = &groupOverride{GroupsToOverride: m.Groups, IAMRolesToOverride: had.IAMRolesToOverride, PreferredRole: string(had.PreferredRole)}
	}
	var answer any
	if version == V1 {
		var r responseV1
		r.Details.ClaimsToSuppress, r.Details.Groups = m.SuppressInID, groups
		r.Details.ClaimsToAddOrOverride = make(map[string]string, len(m.ID))
		for name, value := range m.ID {
			text, isText := value.(string)
			if !isText {
				encoded, err := encode(value)
				if err != nil {
					return nil, err
				}
				text = string(encoded)
			}
			r.Details.ClaimsToAddOrOverride[name] = text
		}
		answer = r
	} else {
		var r response
		r.Details.IDToken = tokenGeneration{ClaimsToAddOrOverride: m.ID, ClaimsToSuppress: m.SuppressInID}
		r.Details.AccessToken = tokenGeneration{
			ClaimsToAddOrOverride: m.Access,
			ClaimsToSuppress:      m.SuppressInAccess,
			ScopesToAdd:           m.ScopesToAdd,
			ScopesToSuppress:      m.ScopesToSuppress,
		}
		r.Details.Groups = groups
		answer = r
	}
	encoded, err := encode(answer)
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
