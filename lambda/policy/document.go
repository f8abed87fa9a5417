package policy

import "encoding/json"

// Policy is the claim policy: the custom claims a Cognito token carries and what each API route demands of them. The
// zero value mints nothing and protects nothing. Write it as Go values or as YAML (see [Parse]); both are the same
// document. A Policy does nothing until it is compiled with [Compile].
type Policy struct {
	// Params are the names of deploy-time values that expressions read as params.<name>. All are strings; the values
	// are given to the construct. A name is a letter followed by letters, digits and underscores.
	Params []string `json:"params,omitempty"`

	// Lookups are rows of DynamoDB tables that expressions read as lookup.<name>.
	Lookups map[string]Lookup `json:"lookups,omitempty"`

	// Claims are the claims to mint, by claim name. Names may contain any character, such as
	// "https://example.com/roles"; a dot is part of the name and never means nesting.
	Claims map[string]Claim `json:"claims,omitempty"`

	// Suppress are claims to take out of tokens that Cognito puts there of itself.
	Suppress []Suppression `json:"suppress,omitempty"`

	// Scopes are OAuth scopes to add to, or suppress from, the access token.
	Scopes Scopes `json:"scopes,omitzero"`

	// ResourceServers are the APIs whose scopes a client may ask for: by identifier, a description for each scope's name. The
	// scope documents/read is the scope read of the resource server documents. Machine clients need them: a client
	// credentials token has no other scopes.
	ResourceServers map[string]map[string]string `json:"resourceServers,omitempty"`

	// Groups replaces the user's groups in both tokens. Default: they are left as they are.
	Groups Groups `json:"groups,omitzero"`

	// TokenBudget is the size in bytes that an access token may have, as it is sent. A larger one is not issued.
	// API Gateway allows 10,240 bytes of headers in all. Default: [DefaultTokenBudget].
	TokenBudget int `json:"tokenBudget,omitempty"`

	// Authorizers are the sets of rules that APIs enforce, by a name of the team's choice: a letter followed by letters
	// and digits. The name becomes part of construct ids and so of logical ids: changing it replaces resources.
	Authorizers map[string]Authorizer `json:"authorizers,omitempty"`

	source *source // where the document was read from; nil for Go values
}

// DefaultTokenBudget is the size in bytes that an access token may have by default. API Gateway allows 10,240 bytes of
// headers in all, so that 3 KiB are left for the others, cookies included.
const DefaultTokenBudget = 7 << 10

// Lookup says which row of a DynamoDB table, or which rows, expressions of claims, scopes and groups read as
// lookup.<name>. Names are a letter followed by letters, digits and underscores.
//
// Nothing here reads a table: [program.Program.Lookups] says what is to be fetched for a sign-in, and [program.SignIn.Found] takes what
// was found.
type Lookup struct {
	// Table is the table, by a name of the policy's choice. The construct is told which table that is. Several lookups may
	// name the same. Same form as the names of lookups.
	Table string `json:"table"`

	// Key is what the row's key attributes must equal: by attribute, a CEL expression over the mint environment (without
	// lookup) that yields a string or a number. For one row it is the table's whole primary key, for a query the
	// partition key of the table or index, with or without the sort key. An expression that yields optional.none() or an
	// empty string, which no key can be, means that there is no such row.
	Key map[string]string `json:"key"`

	// Index is the index to query. It must project the fields of Type. Default: the table itself.
	Index string `json:"index,omitempty"`

	// Limit makes the lookup a query: lookup.<name> is the list of at most so many rows, in the order of the sort key, and
	// further ones are not read. At most 100. A token carries no list of objects, but an expression can make a list of
	// strings of it: lookup.seats.map(s, has(s.product), s.product). Default: one row, by its primary key.
	Limit int `json:"limit,omitempty"`

	// Consistent reads what was last written, at twice the price. Not from an index, since global secondary ones cannot.
	// Default: false, which may miss what was written within the last second or so.
	Consistent bool `json:"consistent,omitempty"`

	// Type declares the attributes of a row: a mapping of fields to types. Only these are fetched. One that a row lacks,
	// or where it has NULL, is absent; one of another type is an error (see OnError).
	//
	// A number is an int when it is declared so, and then exact or an error; declared a double it is the nearest one, and
	// for any an int when it is whole and of 64 bits. A set is a list, sorted; binary is a string in base64.
	Type Type `json:"type"`

	// When is a CEL expression of type bool over the mint environment (without lookup): nothing is looked up, and
	// lookup.<name> is absent, unless it is true. Default: always.
	When string `json:"when,omitempty"`

	// OnMissing is what happens when there is no row. Default: [Deny].
	OnMissing Fallback `json:"onMissing,omitzero"`

	// OnError is what happens when the row cannot be had: the table does not answer in time, refuses, or holds a value of
	// another type; or an expression fails. [Deny] is then a fault, not a refusal: the user is told to try again.
	// Default: [Deny].
	OnError Fallback `json:"onError,omitzero"`

	// CacheSeconds is how long the function may take a row, or its absence, from its memory instead of the table: a
	// changed row reaches tokens that much later. At most 900. Default: 0, it always asks the table.
	CacheSeconds int `json:"cacheSeconds,omitempty"`
}

// Fallback is what stands in for a row that is missing or cannot be had. In YAML a plain string is its Action.
type Fallback struct {
	// Action is [Deny], which issues no tokens, or [Omit]: lookup.<name> is absent and must be read with has() or .?.
	// Default: [Deny].
	Action OnError `json:"action,omitempty"`

	// Default takes the row's place: an object of the declared type, or for a query a list of those. Not together with
	// Action.
	Default any `json:"default,omitempty"`
}

// IsZero tells whether nothing is said.
func (f Fallback) IsZero() bool { return f.Action == "" && f.Default == nil }

// Claim says where one claim's value comes from and when it is minted. Exactly one of Value, Attribute, Expr, Code and
// Claims is set.
//
// In YAML a mapping that has none of these five keys, and only mappings as values, is short for Claims:
// {owner: {value: x}, editor: {value: y}} is {claims: {owner: {value: x}, editor: {value: y}}}. Spell it out when the outer
// claim has fields of its own, or a nested claim is called value, attribute, expr, code or claims.
type Claim struct {
	// Value is a literal: a string, bool, integer, float, list of those, or a (nested) map[string]any of those. Null and
	// lists of lists or objects are refused, since Cognito documents no way to carry them.
	Value any `json:"value,omitempty"`

	// Attribute is the name of a user attribute, such as "email" or "custom:company_id". The claim is left out when the
	// user has no such attribute or it is empty.
	Attribute string `json:"attribute,omitempty"`

	// As is how the attribute's text is read. Default: [AsString].
	As As `json:"as,omitempty"`

	// Expr is a CEL expression over the mint environment (see [program.SignIn]). A claim whose expression yields
	// optional.none() is left out.
	Expr string `json:"expr,omitempty"`

	// Code tells that the function's own code sets the claim, see [program.Program.Accept]. Type says what it sets, so that rules
	// can read the claim. Whether it is minted is the code's choice, unless it is Required.
	Code bool `json:"code,omitempty"`

	// Claims are nested claims: this claim is an object of those that are minted, and is left out when none is.
	Claims map[string]Claim `json:"claims,omitempty"`

	// When is a CEL expression of type bool over the mint environment: the claim is minted only when it is true.
	// Default: always.
	When string `json:"when,omitempty"`

	// Required refuses to issue tokens when the claim has no value. With When, only while that is true.
	// Default: the claim is left out.
	Required bool `json:"required,omitempty"`

	// OnError is what happens when the claim cannot be computed: Expr or When cannot be evaluated, or yields what Cognito
	// cannot carry, or the attribute's text is not what As or Type says. [Deny] refuses to issue tokens, [Omit] leaves
	// the claim out. Default: [Deny].
	OnError OnError `json:"onError,omitempty"`

	// Type declares the claim's type where it cannot be seen from the policy: that of an expression which yields any
	// type, that of JSON in an attribute, and that of a claim that code sets. A value of another type is an error (see
	// OnError); what an object has beyond the declared fields is left out of the token. Default: any type, of which
	// rules know nothing.
	Type Type `json:"type,omitzero"`

	// Tokens are the tokens that get the claim. Claims inside others are where those are. Default: [AccessToken].
	Tokens []Token `json:"tokens,omitempty"`
}

// As is how an attribute's text is read.
type As string

// The values of [As]; empty means [AsString].
const (
	AsString As = "string" // the text itself
	AsList   As = "list"   // strings separated by commas, without blanks around them; empty ones are dropped
	AsInt    As = "int"    // a whole number of 64 bits
	AsDouble As = "double" // a number
	AsBool   As = "bool"   // true or false
	AsJSON   As = "json"   // any JSON that Cognito can carry
)

// Type is a declared type: Name or Fields. In YAML a string is a Name and a mapping Fields.
type Type struct {
	// Name is string, bool, int, double, any, list(T) or map(T), where T is again a Name.
	Name string

	// Fields are the fields of an object, each of which may be absent.
	Fields map[string]Type
}

// MarshalJSON writes a Name as a string and Fields as an object.
func (t Type) MarshalJSON() ([]byte, error) {
	if t.Fields != nil {
		return json.Marshal(t.Fields)
	}
	return json.Marshal(t.Name)
}

// IsZero tells whether nothing is declared.
func (t Type) IsZero() bool { return t.Name == "" && t.Fields == nil }

// Token is a kind of token.
type Token string

// The tokens that a policy may shape.
const (
	AccessToken Token = "access"
	IDToken     Token = "id"
)

// Suppression takes a claim out of tokens when When holds. Protected claims cannot be suppressed. Suppressing
// cognito:groups takes cognito:roles and cognito:preferred_role with it.
type Suppression struct {
	// Claim is the name of the claim, such as "email".
	Claim string `json:"claim"`

	// Tokens are the tokens that lose the claim. Default: [AccessToken].
	Tokens []Token `json:"tokens,omitempty"`

	// When is a CEL expression of type bool over the mint environment. Default: always.
	When string `json:"when,omitempty"`
}

// Groups replaces the user's groups. The user's IAM roles and preferred role stay.
type Groups struct {
	// Expr is a CEL expression over the mint environment that yields a list of strings. An empty list takes all groups
	// away.
	Expr string `json:"expr,omitempty"`

	// When is a CEL expression of type bool over the mint environment: the groups are replaced only when it is true.
	// Default: always.
	When string `json:"when,omitempty"`
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

	// Context are the claims that the backend gets beside sub, client_id and scopes, by the names that rules have for
	// them. Default: groups and all claims of the policy.
	Context []string `json:"context,omitzero"` // [] is not the default

	// IDTokens accepts ID tokens beside access tokens for a while, for clients that still send them. Default: never.
	IDTokens IDTokens `json:"idTokens,omitzero"`
}

// IDTokens is how long an authorizer accepts ID tokens too. They must meet the same rules, so the claims that these
// read have to be in both tokens. Each use is logged and counted.
type IDTokens struct {
	// Until is the first day, in UTC, on which ID tokens are refused, such as "2027-04-01". A cached decision may outlive
	// midnight by as long as API Gateway caches it.
	Until string `json:"until"`

	// Routes are those of the authorizer's Routes that accept ID tokens. Default: all requests.
	Routes []string `json:"routes,omitempty"`
}

// IsZero tells whether nothing is accepted.
func (t IDTokens) IsZero() bool { return t.Until == "" && t.Routes == nil }

// Rule is one demand.
type Rule struct {
	// Rule is a CEL expression of type bool over the check environment: claims (the verified token), request (see
	// [program.Request]) and params. A rule that cannot be evaluated is not met.
	Rule string `json:"rule"`

	// Message says why the request is refused when the rule is not met. It is logged, never sent to the client.
	// Default: the rule's text.
	Message string `json:"message,omitempty"`
}
