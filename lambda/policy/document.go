package policy

// Policy is the claim policy: the custom claims a Cognito token carries and what each API route demands of them. The
// zero value mints nothing and protects nothing. Write it as Go values or as YAML (see [Parse]); both are the same
// document. A Policy does nothing until it is compiled with [Compile].
type Policy struct {
	// Params are the names of deploy-time values that expressions read as params.<name>. All are strings; the values
	// are given to the construct. A name is a letter followed by letters, digits and underscores.
	Params []string `json:"params,omitempty"`

	// Claims are the claims to mint, by claim name. Names may contain any character, such as
	// "https://example.com/roles"; a dot is part of the name and never means nesting.
	Claims map[string]Claim `json:"claims,omitempty"`

	// Scopes are OAuth scopes to add to, or suppress from, the access token.
	Scopes Scopes `json:"scopes,omitzero"`

	// Authorizers are the sets of rules that APIs enforce, by a name of the team's choice: a letter followed by letters
	// and digits. The name becomes part of construct ids and so of logical ids: changing it replaces resources.
	Authorizers map[string]Authorizer `json:"authorizers,omitempty"`

	source *source // where the document was read from; nil for Go values
}

// Claim says where one claim's value comes from and when it is minted. Exactly one of Value, Attribute, Expr and Claims
// is set.
//
// In YAML a mapping with none of these fields' names among its keys is short for Claims: {owner: {value: x}} is the same
// as {claims: {owner: {value: x}}}. Spell it out when a nested claim has the name of a field, such as "value".
type Claim struct {
	// Value is a literal: a string, bool, integer, float, list of those, or a (nested) map[string]any of those. Null and
	// lists of lists or objects are refused, since Cognito documents no way to carry them.
	Value any `json:"value,omitempty"`

	// Attribute is the name of a user attribute, such as "email" or "custom:company_id". The claim is a string, and is
	// left out when the user has no such attribute or it is empty.
	Attribute string `json:"attribute,omitempty"`

	// Expr is a CEL expression over the mint environment (see [SignIn]). A claim whose expression yields
	// optional.none() is left out.
	Expr string `json:"expr,omitempty"`

	// Claims are nested claims: this claim is an object of those that are minted, and is left out when none is.
	Claims map[string]Claim `json:"claims,omitempty"`

	// When is a CEL expression of type bool over the mint environment: the claim is minted only when it is true.
	// Default: always.
	When string `json:"when,omitempty"`

	// Required refuses to issue tokens when the claim has no value. With When, only while that is true.
	// Default: the claim is left out.
	Required bool `json:"required,omitempty"`

	// OnError is what happens when Expr or When cannot be evaluated, or yields what Cognito cannot carry: [Deny] refuses
	// to issue tokens, [Omit] leaves the claim out. Default: [Deny].
	OnError OnError `json:"onError,omitempty"`
}

// OnError is what minting does about a claim that cannot be evaluated.
type OnError string

// The values of [OnError]; empty means [Deny].
const (
	Deny OnError = "deny"
	Omit OnError = "omit"
)

// Scopes are conditional changes to the access token's scopes.
type Scopes struct {
	// Add are the scopes to add. They need not belong to a resource server.
	Add []Scope `json:"add,omitempty"`

	// Suppress are the scopes to take away.
	Suppress []Scope `json:"suppress,omitempty"`
}

// Scope is one OAuth scope, added or suppressed when When holds. In YAML a plain string is a Scope without When.
type Scope struct {
	// Scope is the scope's name, such as "documents/read". It contains no blank.
	Scope string `json:"scope"`

	// When is a CEL expression of type bool over the mint environment. Default: always.
	When string `json:"when,omitempty"`
}

// Authorizer is what an API demands of a verified access token.
type Authorizer struct {
	// Default are rules that every route must meet, those in Routes included. A route that is not in Routes is
	// protected by these alone; without them it is refused.
	Default []Rule `json:"default,omitempty"`

	// Routes are the further rules of single routes, by API Gateway route key: "GET /documents/{id}", "ANY /{proxy+}",
	// "$default" or "$connect".
	Routes map[string][]Rule `json:"routes,omitempty"`
}

// Rule is one demand.
type Rule struct {
	// Rule is a CEL expression of type bool over the check environment: claims (the verified token), request (see
	// [Request]) and params. A rule that cannot be evaluated is not met.
	Rule string `json:"rule"`

	// Message says why the request is refused when the rule is not met. It is logged, never sent to the client.
	// Default: the rule's text.
	Message string `json:"message,omitempty"`
}
