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
)

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
