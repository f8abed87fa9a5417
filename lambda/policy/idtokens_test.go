package policy

import (
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

func TestIDTokensAreAcceptedUntilADay(t *testing.T) {
	t.Parallel()
	const routes = `default: [{rule: "claims.tier == 'gold'"}], routes: {"GET /a": [{rule: "true"}], "GET /b": [{rule: "true"}]}`
	prog := mustCompile(t, `
claims: {tier: {value: gold, tokens: [access, id]}}
authorizers:
  Never: {`+routes+`}
  Some: {`+routes+`, idTokens: {until: 2027-04-01, routes: ["GET /a"]}}
  All: {`+routes+`, idTokens: {until: "2027-04-01"}}
`)
	before := time.Date(2027, 3, 31, 23, 59, 59, 999999999, time.UTC)
	for _, c := range []struct {
		authorizer, route string
		now               time.Time
		want              bool
	}{
		{"Never", "GET /a", before, false},
		{"Never", "GET /a", time.Time{}, false},
		{"Some", "GET /a", before, true},
		{"Some", "GET /a", before.In(time.FixedZone("", 14*3600)), true},
		{"Some", "GET /a", before.Add(1), false},
		{"Some", "GET /b", before, false},
		{"Some", "", before, false},
		{"All", "GET /b", before, true},
		{"All", "", before, true},
		{"All", "GET /b", before.Add(1), false},
	} {
		checker, _ := prog.Checker(c.authorizer)
		if got := checker.AcceptsIDToken(c.route, c.now); got != c.want {
			t.Errorf("%s, %q at %s: %v", c.authorizer, c.route, c.now, got)
		}
	}
	if (&program.Checker{}).AcceptsIDToken("GET /a", time.Time{}) {
		t.Error("the zero value accepts ID tokens")
	}

	// The program that travels to the function says the same.
	data, err := prog.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	travelled := mustCompile(t, string(data))
	if checker, _ := travelled.Checker("Some"); !checker.AcceptsIDToken("GET /a", before) || checker.AcceptsIDToken("GET /b", before) {
		t.Errorf("%s", data)
	}
	equal(t, "explained", travelled.Explain().Authorizers[2].IDTokens, IDTokens{Until: "2027-04-01", Routes: []string{"GET /a"}})
}

// What access tokens prove, ID tokens may not: they have no scopes, and show attributes that users write themselves.
func TestIDTokensOpenNothingElse(t *testing.T) {
	t.Parallel()
	const claims = `
claims:
  tier: {value: gold, tokens: [access, id]}
  level: {value: 1}
  profile: {value: admin, tokens: [access, id]}
  custom:role: {value: admin, tokens: [access, id]}
authorizers:
  A:
`
	for _, c := range []problemCase{
		{"fine", claims + `
    default: [{rule: "claims.tier == 'gold' && claims.sub != '' && !claims.is_machine"}]
    routes:
      GET /a: [{rule: "claims.token_use == 'id' || 'documents/read' in claims.scopes && claims.level == 1"}]
      GET /b: [{rule: "claims.level == 1 && claims.username != ''"}]
    context: [tier]
    idTokens: {until: 2027-04-01, routes: [GET /a]}
`, ``},
		{"mistakes", claims + `
    default: [{rule: "'documents/read' in claims.scopes"}]
    routes:
      GET /a: [{rule: "claims.level == 1 || claims.username == 'x'"}, {rule: "claims.profile == 'admin' && claims.token_use == 'id'"}]
      GET /b: [{rule: "claims['custom:role'] == 'admin'"}]
    context: [profile, "custom:role"]
    idTokens: {until: April}
`, `
p.yaml:10:22: authorizers.A.default[0].rule: reads claims.scopes, which ID tokens do not have, but idTokens accepts them here; let the rule tell the two by claims.token_use, or take the route out of idTokens.routes
p.yaml:12:23: authorizers.A.routes["GET /a"][0].rule: reads claims.level, which ID tokens do not have, but idTokens accepts them here; mint it into both (tokens: [access, id]), let the rule tell the two by claims.token_use, or take the route out of idTokens.routes
p.yaml:12:23: authorizers.A.routes["GET /a"][0].rule: reads claims.username, which ID tokens do not have, but idTokens accepts them here; let the rule tell the two by claims.token_use, or take the route out of idTokens.routes
p.yaml:12:78: authorizers.A.routes["GET /a"][1].rule: reads claims.profile, but idTokens accepts ID tokens here, which show the user's attribute of that name, maybe as the user wrote it; mint the claim under another name
p.yaml:13:23: authorizers.A.routes["GET /b"][0].rule: reads claims["custom:role"], but idTokens accepts ID tokens here, which show the user's attribute of that name, maybe as the user wrote it; mint the claim under another name
p.yaml:15:5: authorizers.A.idTokens: the backend would get claim "profile" from ID tokens too, which show the user's attribute of that name, maybe as the user wrote it; leave it out of context, or mint the claim under another name
p.yaml:15:5: authorizers.A.idTokens: the backend would get claim "custom:role" from ID tokens too, which show the user's attribute of that name, maybe as the user wrote it; leave it out of context, or mint the claim under another name
p.yaml:15:23: authorizers.A.idTokens.until: April is no day; write the first one, in UTC, on which ID tokens are refused, such as "2027-04-01"`},
		{"routes", claims + `
    routes: {GET /a: [{rule: "true"}]}
    context: []
    idTokens: {routes: [GET /a, GET /b, GET /a]}
`, `
p.yaml:12:5: authorizers.A.idTokens.until: nothing is no day; write the first one, in UTC, on which ID tokens are refused, such as "2027-04-01"
p.yaml:12:33: authorizers.A.idTokens.routes[1]: route "GET /b" has no rules of its own (did you mean "GET /a"?); give it some under routes, {rule: "true"} if the default rules say it all
p.yaml:12:41: authorizers.A.idTokens.routes[2]: route "GET /a" is listed twice`},
		{"no routes", claims + `
    routes: {GET /a: [{rule: "true"}]}
    context: []
    idTokens: {until: 2027-04-01, routes: []}
`, `
p.yaml:12:35: authorizers.A.idTokens.routes: is empty; name the routes that accept ID tokens, or leave it out if all do`},
		{"unknown key", claims + `
    routes: {GET /a: [{rule: "true"}]}
    context: []
    idTokens: {til: 2027-04-01}
`, `
p.yaml:12:16: authorizers.A.idTokens: unknown key "til"; allowed are "until" or "routes"`},
	} {
		t.Run(c.name, c.run)
	}
}
