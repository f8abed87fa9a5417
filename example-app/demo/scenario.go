package main

// This file is the demo's expectation as data: who exists, which claims their tokens must carry, and who gets what.
// It restates in examples what example-app/claims.yaml says in rules.

// A user is somebody who tries to sign in.
type user struct {
	name    string
	company string // custom:company_id; empty: none
	partner string // custom:partner_id; empty: none
	groups  []string

	// claims are the custom claims, groups and scopes that the user's access token must carry, no more and no less.
	claims map[string]any

	// refusal is what the user must be told instead of getting a token. Empty: the user gets one.
	refusal string
}

var users = []user{
	{
		name: "owner", company: "acme", groups: []string{"owners", "auditors"},
		claims: map[string]any{
			"company_id":       "acme",
			"country_id":       "uk",
			"compliance_level": "high",
			"roles":            map[string]any{"owner": map[string]any{"document_permission": "full_control"}},
			"cognito:groups":   []any{"auditors", "owners"},
			"scope":            "documents/read documents/write",
		},
	},
	{
		name: "editor", company: "acme", partner: "initech", groups: []string{"editors"},
		claims: map[string]any{
			"company_id":          "acme",
			"country_id":          "uk",
			"compliance_level":    "standard",
			"external_partner_id": "initech",
			"roles":               map[string]any{"contributor": map[string]any{"document_permission": "edit"}},
			"cognito:groups":      []any{"editors"},
			"scope":               "documents/read",
		},
	},
	{
		name: "outsider", company: "globex",
		claims: map[string]any{
			"company_id":       "globex",
			"country_id":       "uk",
			"compliance_level": "standard",
			"scope":            "documents/read",
		},
	},
	{name: "unassigned", refusal: "sign-in is not permitted for this account"}, // no company, and company_id is required
}

// Callers that are not users.
const (
	nobody   = "nobody"   // sends no token
	tampered = "tampered" // sends the editor's token, made to say that it is an owner's; its signature no longer fits
	idToken  = "id-token" // sends the owner's ID token, which says who somebody is and grants nothing
)

// An api is one of the stack's APIs.
type api string

const (
	httpAPI      api = "HTTP"
	restAPI      api = "REST"
	webSocketAPI api = "WebSocket"
)

// A call is one request and the answer it must get.
type call struct {
	as, route, path string
	want            int

	// because must be part of the reason: what the authorizer logged, or one of the two below where it is not asked.
	because string
}

const (
	public  = "public route"
	noToken = "no token: refused by the gateway itself"
)

const (
	health    = "GET /health"
	documents = "GET /documents"
	document  = "PUT /documents/{id}"
	audit     = "GET /companies/{companyId}/audit"
	connect   = "$connect"
)

// calls are the calls of the HTTP API and the REST API.
var calls = []call{
	{"owner", health, "/health", 200, public},
	{"owner", documents, "/documents", 200, "allow"},
	{"owner", document, "/documents/7", 200, "allow"},
	{"owner", audit, "/companies/acme/audit", 200, "allow"},
	{"owner", audit, "/companies/globex/audit", 403, "deny: token belongs to another company"},

	{"editor", health, "/health", 200, public},
	{"editor", documents, "/documents", 200, "allow"},
	{"editor", document, "/documents/7", 403, "deny: owners only"},
	{"editor", audit, "/companies/acme/audit", 403, "deny: needs compliance level high"},

	{"outsider", health, "/health", 200, public},
	{"outsider", documents, "/documents", 200, "allow"},
	{"outsider", document, "/documents/7", 403, "deny: owners only"},
	{"outsider", audit, "/companies/acme/audit", 403, "deny: token belongs to another company"},

	{nobody, health, "/health", 200, public},
	{nobody, documents, "/documents", 401, noToken},
	{nobody, document, "/documents/7", 401, noToken},
	{nobody, audit, "/companies/acme/audit", 401, noToken},

	{tampered, health, "/health", 200, public},
	{tampered, documents, "/documents", 403, "invalid token: signature"},
	{tampered, document, "/documents/7", 403, "invalid token: signature"},
	{tampered, audit, "/companies/acme/audit", 403, "invalid token: signature"},

	{idToken, health, "/health", 200, public},
	{idToken, documents, "/documents", 403, "invalid token: token_use: this is an ID token"},
	{idToken, document, "/documents/7", 403, "invalid token: token_use: this is an ID token"},
	{idToken, audit, "/companies/acme/audit", 403, "invalid token: token_use: this is an ID token"},
}

// onREST is what a call of the HTTP API must get from the REST API: the same, but an invalid token is 401 there, and a
// missing one is too, though it is the authorizer that says so, since API Gateway looks for it only when it caches decisions.
func (c call) onREST() call {
	switch {
	case c.route == health:
	case c.as == nobody:
		c.because = "invalid token: no token"
	case c.as == tampered || c.as == idToken:
		c.want = 401
	}
	return c
}

// connections are the attempts to open a WebSocket. For an invalid token AWS documents 401.
var connections = []call{
	{"owner", connect, "", 101, "allow"},
	{"editor", connect, "", 403, "deny: needs compliance level high"},
	{"outsider", connect, "", 403, "deny: needs compliance level high"},
	{nobody, connect, "", 401, noToken},
	{tampered, connect, "", invalidWebSocketToken, "invalid token: signature"},
	{idToken, connect, "", invalidWebSocketToken, "invalid token: token_use: this is an ID token"},
}

// invalidWebSocketToken is what MiniStack makes of an authorizer that fails with the text Unauthorized, on $connect.
const invalidWebSocketToken = 500

// differences is where the answers are not those of AWS.
const differences = "MiniStack answers 500 to a WebSocket with an invalid token. AWS answers 401."
