package policytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// SignIn is one request for tokens, of a user or of a machine. Its fields are the keys of a user in a case file.
type SignIn struct {
	// Machine tells that an app client asks for itself (client credentials). It has no attributes, groups and ID token.
	// Cognito calls the trigger for machines only when it is of version V3_0.
	Machine bool

	// UserName is the user's name. Default: "user"; in a case file, the key of the user.
	UserName string

	// Attributes are the user's attributes. Default: sub and cognito:user_status, which every user has.
	Attributes map[string]string

	// Groups are the user's groups, Roles the IAM roles of these and PreferredRole the one with precedence.
	Groups, Roles []string
	PreferredRole string

	// ClientID is the app client. Default: "client".
	ClientID string

	// ClientMetadata is what the caller passes on to the trigger.
	ClientMetadata map[string]string

	// Scopes are the scopes that are requested and that the client may have. Default: those of a sign-in with the user
	// pools API, aws.cognito.signin.user.admin; none for a machine.
	Scopes []string

	// TriggerSource is what Cognito calls the occasion. Default: TokenGeneration_Authentication, or
	// TokenGeneration_ClientCredentials for a machine.
	TriggerSource string

	// PoolID is the user pool. Default: "us-east-1_pool". Region is where the trigger runs. Default: the pool's.
	PoolID, Region string
}

// Event is the event with which Cognito calls the pre token generation trigger: of version V2_0, or V3_0 for a machine.
func (s SignIn) Event() []byte {
	or := func(v *string, fallback string) {
		if *v == "" {
			*v = fallback
		}
	}
	version := "2"
	attributes := map[string]string{}
	var groups any
	if s.Machine {
		version, s.UserName = "3", "ClientCredentials" // literally
		or(&s.TriggerSource, "TokenGeneration_ClientCredentials")
	} else {
		or(&s.UserName, "user")
		or(&s.TriggerSource, "TokenGeneration_Authentication")
		attributes["sub"], attributes["cognito:user_status"] = "sub-of-"+s.UserName, "CONFIRMED"
		maps.Copy(attributes, s.Attributes)
		if s.Scopes == nil {
			s.Scopes = []string{"aws.cognito.signin.user.admin"}
		}
		groups = map[string]any{
			"groupsToOverride":   append([]string{}, s.Groups...),
			"iamRolesToOverride": append([]string{}, s.Roles...),
			"preferredRole":      s.PreferredRole,
		}
	}
	or(&s.ClientID, "client")
	or(&s.PoolID, "us-east-1_pool")
	or(&s.Region, regionOf(s.PoolID))
	event, err := json.Marshal(map[string]any{
		"version":       version,
		"triggerSource": s.TriggerSource,
		"region":        s.Region,
		"userPoolId":    s.PoolID,
		"userName":      s.UserName,
		"callerContext": map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": s.ClientID},
		"request": map[string]any{
			"userAttributes":     attributes,
			"groupConfiguration": groups,
			"scopes":             append([]string{}, s.Scopes...),
			"clientMetadata":     s.ClientMetadata,
		},
		"response": map[string]any{"claimsAndScopeOverrideDetails": nil},
	})
	if err != nil {
		panic("internal error: an event does not encode: " + err.Error())
	}
	return event
}

func regionOf(poolID string) string {
	region, _, _ := strings.Cut(poolID, "_")
	return region
}

// Tokens are what Cognito issues for one request, or why it issues nothing.
type Tokens struct {
	// Access and ID are the payloads of the tokens, numbers as [json.Number]. ID is nil for a machine, and both are nil
	// when no tokens are issued. What no policy can change has made-up values: times, and ids of tokens and events.
	Access, ID map[string]any

	// Refusals say why no tokens are issued. They are what the trigger logs; the client gets a neutral text.
	Refusals []program.Reason

	// Omitted says which claims the policy left out because of an error, see [policy.Claim.OnError].
	Omitted []program.Reason

	// Ignored says which parts of the trigger's answer Cognito does not follow, by their place in the answer. A policy
	// that compiles asks for nothing of the kind.
	Ignored []program.Reason
}

// Issue is what Cognito issues for an event when its trigger is the policy's function: [pretoken.Handler] answers the
// event, with rows of the tables, and [Apply] makes the tokens. An error means that the function fails, as it does with an
// event that is none. A claim that code sets is not set.
func Issue(p *policy.Compiled, params map[string]string, tables Tables, event []byte) (Tokens, error) {
	return issue(p, params, tables.find, nil, event)
}

// issue does so with rows from anywhere, and with claims for the code's hook to set.
func issue(p *policy.Compiled, params map[string]string, rows pretoken.LookupFunc, code map[string]any, event []byte) (Tokens, error) {
	handler := pretoken.Handler{Program: &p.Program, Params: params, Lookup: rows}
	if names := p.CodeClaims(); len(names) > 0 {
		handler.Hooks = []pretoken.Hook{func(_ context.Context, _ program.SignIn, out *program.Minted) error {
			setCode(p, code, out)
			return nil
		}}
	}
	var log lastLine
	handler.Logger = slog.New(&log)
	answer, err := handler.Invoke(context.Background(), event)
	switch {
	case err == nil:
		tokens, err := Apply(event, answer)
		tokens.Omitted = log.omitted
		return tokens, err
	case len(log.reasons) > 0:
		return Tokens{Refusals: log.reasons}, nil
	default:
		return Tokens{}, errors.New(log.fault)
	}
}

// setCode sets claims in the tokens that the policy declares them for.
func setCode(p *policy.Compiled, code map[string]any, out *program.Minted) {
	for _, c := range p.Explain().Claims {
		v, given := code[c.Key]
		if !given {
			continue
		}
		for _, token := range c.Tokens {
			map[policy.Token]map[string]any{policy.AccessToken: out.Access, policy.IDToken: out.ID}[token][c.Key] = v
		}
	}
}

// lastLine keeps what the handler logs, since only the log has the reasons.
type lastLine struct {
	reasons, omitted []program.Reason
	fault            string
}

func (*lastLine) Enabled(context.Context, slog.Level) bool { return true }

func (l *lastLine) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "reasons":
			l.reasons, _ = a.Value.Any().([]program.Reason)
		case "omitted":
			l.omitted, _ = a.Value.Any().([]program.Reason)
		case "error":
			l.fault = a.Value.String()
		}
		return true
	})
	return nil
}

func (l *lastLine) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *lastLine) WithGroup(string) slog.Handler      { return l }

// When made-up tokens are issued and expire.
const (
	issuedAt  = json.Number("1767225600") // 2026-01-01T00:00:00Z
	expiresAt = json.Number("1767229200") // an hour later
)

// untouched are the tokens that Cognito issues when the trigger changes nothing.
func untouched(event map[string]any) Tokens {
	request := object(event["request"])
	client, pool := text(object(event["callerContext"])["clientId"]), text(event["userPoolId"])
	issued := func(use string) map[string]any {
		return map[string]any{
			"iss":       "https://cognito-idp." + regionOf(pool) + ".amazonaws.com/" + pool,
			"token_use": use,
			"auth_time": issuedAt,
			"iat":       issuedAt,
			"exp":       expiresAt,
			"jti":       "jti-of-" + use + "-token",
		}
	}
	t := Tokens{Access: issued("access")}
	t.Access["client_id"], t.Access["version"] = client, json.Number("2")
	t.setScopes(list(request["scopes"]))
	if !isUser(event) {
		return t
	}
	t.ID = issued("id")
	t.ID["aud"] = client
	for name, value := range object(request["userAttributes"]) {
		switch {
		case strings.HasPrefix(name, "cognito:"):
		case name == "email_verified" || name == "phone_number_verified":
			t.ID[name] = text(value) == "true"
		case name == "identities":
			if parsed, err := decode([]byte(text(value))); err == nil {
				t.ID[name] = parsed // the attribute is a list in JSON
			}
		default:
			t.ID[name] = text(value)
		}
	}
	user := text(event["userName"])
	t.Access["username"], t.ID["cognito:username"] = user, user
	for _, token := range []map[string]any{t.Access, t.ID} {
		token["sub"] = text(object(request["userAttributes"])["sub"])
		token["origin_jti"], token["event_id"] = "jti-of-sign-in", "id-of-event"
	}
	groups := object(request["groupConfiguration"])
	t.setGroups(list(groups["groupsToOverride"]), list(groups["iamRolesToOverride"]), text(groups["preferredRole"]))
	return t
}

// isUser tells a user's event from a machine's.
func isUser(event map[string]any) bool {
	return text(event["triggerSource"]) != "TokenGeneration_ClientCredentials"
}

func (t *Tokens) setGroups(groups, roles []string, preferredRole string) {
	set := func(token map[string]any, name string, v any, present bool) {
		if present {
			token[name] = v
		} else {
			delete(token, name)
		}
	}
	set(t.Access, "cognito:groups", anyOf(groups), len(groups) > 0)
	set(t.ID, "cognito:groups", anyOf(groups), len(groups) > 0)
	set(t.ID, "cognito:roles", anyOf(roles), len(roles) > 0)
	set(t.ID, "cognito:preferred_role", preferredRole, preferredRole != "")
}

func (t *Tokens) setScopes(scopes []string) {
	delete(t.Access, "scope")
	if len(scopes) > 0 {
		t.Access["scope"] = strings.Join(scopes, " ")
	}
}

// Apply makes the tokens of an event and of what the trigger answered to it, by the rules that AWS documents
// (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html):
//
//   - a claim that is both added and suppressed is suppressed, and so is a scope;
//   - protected claims stay as they are, whatever the answer says; aud may be added to an access token as the app client's
//     id only;
//   - groupOverrideDetails replaces the groups of both tokens, and the roles and the preferred role of the ID token; empty or
//     null it takes them away; left out, they stay;
//   - suppressing cognito:groups takes cognito:roles and cognito:preferred_role with it;
//   - a scope with a blank in it is none.
//
// Where AWS says nothing, Apply assumes: what cannot be done is ignored; the ID token of a user has all attributes; a
// machine's token has no sub (AWS's pages disagree); a token without scopes has no scope claim. The error says that Cognito
// could not read the answer, and would fail the sign-in.
func Apply(event, answer []byte) (Tokens, error) {
	e, err := decode(event)
	if err != nil {
		return Tokens{}, fmt.Errorf("the event is no JSON: %w", err)
	}
	a, err := decode(answer)
	if err != nil {
		return Tokens{}, fmt.Errorf("the answer is no JSON: %w", err)
	}
	if object(a)["response"] == nil {
		return Tokens{}, errors.New("the answer has no response")
	}
	details := object(object(object(a)["response"])["claimsAndScopeOverrideDetails"])
	t := untouched(object(e))
	client := text(object(object(e)["callerContext"])["clientId"])

	if override, given := details["groupOverrideDetails"]; given && t.ID != nil {
		o, isObject := override.(map[string]any)
		if !isObject && override != nil {
			return Tokens{}, errors.New("the answer's groupOverrideDetails is no object")
		}
		for _, name := range []string{"groupsToOverride", "iamRolesToOverride"} {
			if _, isList := o[name].([]any); !isList && o[name] != nil {
				return Tokens{}, fmt.Errorf("the answer's groupOverrideDetails.%s is no list", name)
			}
		}
		t.setGroups(list(o["groupsToOverride"]), list(o["iamRolesToOverride"]), text(o["preferredRole"]))
	}

	access := object(details["accessTokenGeneration"])
	t.change("accessTokenGeneration", access, t.Access, policy.AccessToken, client)
	scopes := list(object(object(e)["request"])["scopes"])
	for _, scope := range list(access["scopesToAdd"]) {
		if strings.ContainsAny(scope, " \t\r\n") {
			t.ignore("accessTokenGeneration.scopesToAdd", fmt.Sprintf("scope %q contains a blank", scope))
		} else if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	suppressed := list(access["scopesToSuppress"])
	t.setScopes(slices.DeleteFunc(scopes, func(s string) bool { return slices.Contains(suppressed, s) }))
	if t.ID != nil {
		t.change("idTokenGeneration", object(details["idTokenGeneration"]), t.ID, policy.IDToken, client)
	}
	return t, nil
}

func (t *Tokens) ignore(path, message string) {
	t.Ignored = append(t.Ignored, program.Reason{Path: path, Message: message})
}

// change adds and suppresses claims of one token.
func (t *Tokens) change(path string, generation, claims map[string]any, token policy.Token, client string) {
	add := object(generation["claimsToAddOrOverride"])
	for _, name := range slices.Sorted(maps.Keys(add)) {
		at := child(path+".claimsToAddOrOverride", name)
		switch v := add[name]; {
		case token == policy.AccessToken && name == "aud" && text(v) == client:
			claims[name] = v
		case isProtected(token, name) || name == "scope":
			t.ignore(at, "Cognito protects this claim")
		case strings.HasPrefix(name, "dev:"):
			t.ignore(at, "a developer-only attribute can only be suppressed")
		case !isCarried(v):
			t.ignore(at, "Cognito documents no way to carry null, nor lists or objects inside a list")
		case token == policy.IDToken && slices.Contains(flat, name) && !isScalar(v):
			t.ignore(at, "this claim of an ID token cannot hold an object or a list")
		default:
			claims[name] = v
		}
	}
	for _, name := range list(generation["claimsToSuppress"]) {
		switch {
		case name == "cognito:groups":
			for _, gone := range []string{name, "cognito:roles", "cognito:preferred_role"} {
				delete(claims, gone)
			}
		case isProtected(token, name) || name == "scope":
			t.ignore(path+".claimsToSuppress", fmt.Sprintf("Cognito protects claim %q", name))
		default:
			delete(claims, name)
		}
	}
}

// AWS's table, "Claims and scopes reference". It is written down a second time here, apart from the policy compiler's, so
// that a mistake in either one shows.
var (
	inBoth = []string{"sub", "acr", "amr", "auth_time", "azp", "exp", "iat", "iss", "jti", "nbf", "nonce", "origin_jti", "token_use"}
	inOne  = map[policy.Token][]string{
		policy.AccessToken: {"username", "client_id", "event_id", "device_key", "version", "aud"},
		policy.IDToken:     {"identities", "aud", "at_hash"},
	}
	flat = []string{"phone_number_verified", "email_verified", "updated_at", "address"}
)

func isProtected(token policy.Token, name string) bool {
	return strings.HasPrefix(name, "cognito:") || slices.Contains(inBoth, name) || slices.Contains(inOne[token], name)
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}

// isCarried tells whether AWS documents that a claim can have that value.
func isCarried(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !isScalar(e) })
	case map[string]any:
		for _, e := range v {
			if !isCarried(e) {
				return false
			}
		}
	}
	return true
}

// The rest reads JSON leniently, as AWS's own sample events demand: what is missing, null or of another type is empty.

func decode(data []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func list(v any) []string {
	elements, _ := v.([]any)
	var out []string
	for _, e := range elements {
		out = append(out, text(e))
	}
	return out
}

// text is a string, the JSON text of another scalar, or the only element of a list.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number, bool:
		return fmt.Sprint(v)
	case []any:
		if len(v) > 0 {
			return text(v[0])
		}
	}
	return ""
}

func anyOf(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}
