package main

import "strings"

// This file is the demo's expectation as data: who exists, which claims their tokens must carry, and who gets what.
// It restates in examples what example-app/claims.yaml says in rules.

// tiers are the rows of the table of subscriptions before anybody signs in. A company without one has tier free.
var tiers = map[string]string{"acme": "silver"}

// A user is somebody, or some program, who tries to get a token.
type user struct {
	name    string
	machine bool   // a program, with the stack's machine client; it has none of the next three
	company string // custom:company_id; empty: none
	partner string // custom:partner_id; empty: none
	groups  []string

	// claims are the custom claims, groups and scopes that the access token must carry, no more and no less.
	claims map[string]any

	// refusal is what the user must be told instead of getting a token. Empty: the user gets one.
	refusal string
}

var users = []user{
	{
		name: "owner", company: "acme", groups: []string{"owners", "auditors"},
		claims: map[string]any{
			"company_id":       "acme",
			"tier":             "silver",
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
			"tier":                "silver",
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
			"tier":             "free",
			"country_id":       "uk",
			"compliance_level": "standard",
			"scope":            "documents/read",
		},
	},
	{
		name: "importer", machine: true,
		claims: map[string]any{
			"country_id":       "uk",
			"compliance_level": "standard",
			"scope":            "documents/import documents/read",
		},
	},
	{name: "unassigned", refusal: "sign-in is not permitted for this account"}, // no company, and company_id is required
}

// idTokenClaims are the policy's claims in the owner's ID token.
var idTokenClaims = map[string]any{"company_id": "acme", "tier": "silver"}

// Callers that are not users.
const (
	nobody   = "nobody"   // sends no token
	tampered = "tampered" // sends the editor's token, made to say that it is an owner's; its signature no longer fits
	idToken  = "id-token" // sends the owner's ID token, which one route still accepts
	upgraded = "upgraded" // sends the token that the owner got by signing in again, when the company had paid for more
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

// What the authorizer says.
const (
	badSignature   = "invalid token: signature"
	anIDToken      = "invalid token: token_use: this is an ID token"
	withAWarning   = "allow, with a warning: idTokensUntil 20"
	anothers       = "deny: token belongs to another company"
	ownersOnly     = "deny: owners only"
	needsHigh      = "deny: needs compliance level high"
	needsGold      = "deny: needs tier gold"
	importersOnly  = "deny: importers only"
	anothersAndLow = anothers + "; needs compliance level high"
)

const (
	health    = "GET /health"
	documents = "GET /documents"
	document  = "PUT /documents/{id}"
	audit     = "GET /companies/{companyId}/audit"
	reports   = "GET /reports"
	imports   = "POST /imports"
	connect   = "$connect"
)

// calls are the calls of the HTTP API and the REST API, two days before ID tokens end.
var calls = []call{
	{"owner", health, "/health", 200, public},
	{"owner", documents, "/documents", 200, "allow"},
	{"owner", document, "/documents/7", 200, "allow"},
	{"owner", audit, "/companies/acme/audit", 200, "allow"},
	{"owner", audit, "/companies/globex/audit", 403, anothers},
	{"owner", reports, "/reports", 403, needsGold},
	{"owner", imports, "/imports", 403, importersOnly},

	{"editor", health, "/health", 200, public},
	{"editor", documents, "/documents", 200, "allow"},
	{"editor", document, "/documents/7", 403, ownersOnly},
	{"editor", audit, "/companies/acme/audit", 403, needsHigh},
	{"editor", reports, "/reports", 403, needsGold},
	{"editor", imports, "/imports", 403, importersOnly},

	{"outsider", health, "/health", 200, public},
	{"outsider", documents, "/documents", 200, "allow"},
	{"outsider", document, "/documents/7", 403, ownersOnly},
	{"outsider", audit, "/companies/acme/audit", 403, anothersAndLow},
	{"outsider", reports, "/reports", 403, needsGold},
	{"outsider", imports, "/imports", 403, importersOnly},

	{"importer", health, "/health", 200, public},
	{"importer", documents, "/documents", 200, "allow"},
	{"importer", document, "/documents/7", 403, ownersOnly},
	{"importer", audit, "/companies/acme/audit", 403, anothersAndLow},
	{"importer", reports, "/reports", 403, needsGold},
	{"importer", imports, "/imports", 200, "allow"},

	{nobody, health, "/health", 200, public},
	{nobody, documents, "/documents", 401, noToken},
	{nobody, document, "/documents/7", 401, noToken},
	{nobody, audit, "/companies/acme/audit", 401, noToken},
	{nobody, reports, "/reports", 401, noToken},
	{nobody, imports, "/imports", 401, noToken},

	{tampered, health, "/health", 200, public},
	{tampered, documents, "/documents", 403, badSignature},
	{tampered, document, "/documents/7", 403, badSignature},
	{tampered, audit, "/companies/acme/audit", 403, badSignature},
	{tampered, reports, "/reports", 403, badSignature},
	{tampered, imports, "/imports", 403, badSignature},

	{idToken, health, "/health", 200, public},
	{idToken, documents, "/documents", 200, withAWarning},
	{idToken, document, "/documents/7", 403, anIDToken},
	{idToken, audit, "/companies/acme/audit", 403, anIDToken},
	{idToken, reports, "/reports", 403, anIDToken},
	{idToken, imports, "/imports", 403, anIDToken},
}

// onREST is what a call of the HTTP API must get from the REST API: the same, but an invalid token is 401 there, and a
// missing one is too, though it is the authorizer that says so, since API Gateway looks for it only when it caches decisions.
func (c call) onREST() call {
	switch {
	case c.because == noToken:
		c.because = "invalid token: no token"
	case strings.HasPrefix(c.because, "invalid token: "):
		c.want = 401
	}
	return c
}

// connections are the attempts to open a WebSocket. For an invalid token AWS documents 401.
var connections = []call{
	{"owner", connect, "", 101, "allow"},
	{"editor", connect, "", 403, needsHigh},
	{"outsider", connect, "", 403, needsHigh},
	{"importer", connect, "", 403, needsHigh},
	{nobody, connect, "", 401, noToken},
	{tampered, connect, "", invalidWebSocketToken, badSignature},
	{idToken, connect, "", invalidWebSocketToken, anIDToken},
}

// invalidWebSocketToken is what MiniStack makes of an authorizer that fails with the text Unauthorized, on $connect.
const invalidWebSocketToken = 500

// The first change: the owner's company pays for more. A token says what was so when it was issued; the next one has the
// new tier.
var (
	upgradedTiers  = map[string]string{"acme": "gold"}
	upgradedClaims = map[string]any{"tier": "gold"} // which the next token says differently, and no others
	upgradedCalls  = []call{
		{"owner", reports, "/reports", 403, needsGold},
		{upgraded, reports, "/reports", 200, "allow"},
	}
)

// The second change: the day comes on which ID tokens end. What access tokens open stays open.
var sunsetCalls = []call{
	{idToken, documents, "/documents", 403, anIDToken},
	{"owner", documents, "/documents", 200, "allow"},
}

// differences is where the answers are not those of AWS, or come from another place.
const differences = `MiniStack answers 500 to a WebSocket with an invalid token. AWS answers 401.
MiniStack has the machine's token under its own address. On AWS it comes from the domain in the output TokenUrl.`
