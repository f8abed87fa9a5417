package policy

import (
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// Problems that people reported in public about the same job, with what is right. A report owner/repo#n is at
// github.com/owner/repo/issues/n.
func TestPublicReports(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for _, c := range []struct {
		name, policy string
		signIn       program.SignIn
		access, id   object
		scopes       []string
		token, want  string // a token's payload and what rule A says of it; none: no decision
	}{
		{
			name: "any JSON value, not text alone: aws/aws-lambda-go#584, #585, #589, awslabs/aws-lambda-rust-runtime#1099, aws/aws-lambda-dotnet#1798",
			policy: `
claims:
  number: {value: 9223372036854775807}
  double: {value: 1.7976931348623157E308}
  flag: {value: true}
  list: {value: [a, 1, false]}
  object: {value: {a: {b: [c]}}}
`,
			access: object{"number": int64(9223372036854775807), "double": 1.7976931348623157e308, "flag": true, "list": []any{"a", int64(1), false}, "object": object{"a": object{"b": []any{"c"}}}},
		},
		{
			name: "a claim is in the declared tokens alone: jagregory/cognito-local#402, localstack/localstack#2896",
			policy: `
claims:
  a: {value: 1}
  b: {value: 2, tokens: [id]}
  c: {value: 3, tokens: [access, id]}
`,
			access: object{"a": int64(1), "c": int64(3)}, id: object{"b": int64(2), "c": int64(3)},
		},
		{
			name:   "custom scopes for sign-ins through the API, by group or attribute: boto/boto3#1734, aws/aws-sdk#178, aws-amplify/amplify-js#3732, #5147, localstack/localstack#10248",
			policy: `scopes: {add: [documents/read, {scope: documents/write, when: "'owners' in user.groups"}, {scope: reports/read, when: "user.attributes[?'custom:plan'].orValue('') == 'pro'"}]}`,
			signIn: program.SignIn{Groups: []string{"owners"}, Attributes: map[string]string{"custom:plan": "pro"}, Scopes: []string{"aws.cognito.signin.user.admin"}},
			access: object{}, scopes: []string{"documents/read", "documents/write", "reports/read"},
		},
		{
			name:   "an attribute into the access token is one line: aws/aws-cdk#27717",
			policy: `claims: {plan: {attribute: "custom:plan"}}`,
			signIn: program.SignIn{Attributes: map[string]string{"custom:plan": "pro"}},
			access: object{"plan": "pro"},
		},
		{
			name: "the tenant is in the access token, so that no ID token is needed for it: aws-samples/aws-serverless-saas-workshop#68, awslabs/fhir-works-on-aws-deployment#348, #399",
			policy: `
claims: {tenant: {attribute: "custom:tenant", required: true}}
authorizers: {A: {routes: {"GET /tenants/{tenant}": [{rule: "claims.tenant == request.pathParameters.tenant", message: foreign tenant}]}}}
`,
			signIn: program.SignIn{Attributes: map[string]string{"custom:tenant": "acme"}},
			access: object{"tenant": "acme"}, token: `{"tenant": "globex"}`, want: "foreign tenant",
		},
		{
			name: "nested claims under names with dots and slashes: hasura/graphql-engine#1176, keycloak/keycloak#19767, keycloak/keycloak-community#48, dexidp/dex#2143, keycloak/keycloak#38039",
			policy: `
claims:
  "https://hasura.io/jwt/claims":
    x-hasura-allowed-roles: {expr: user.groups}
    x-hasura-user-id: {expr: user.name}
  a.b: {value: dotted}
  a: {b: {value: nested}}
authorizers:
  A:
    routes:
      "GET /tenants/{tenant}":
        - rule: "'editor' in claims['https://hasura.io/jwt/claims']['x-hasura-allowed-roles'] && claims['a.b'] == 'dotted' && claims.a.b == 'nested'"
          message: editors only
`,
			signIn: program.SignIn{UserName: "u", Groups: []string{"editor"}},
			access: object{"https://hasura.io/jwt/claims": object{"x-hasura-allowed-roles": []any{"editor"}, "x-hasura-user-id": "u"}, "a.b": "dotted", "a": object{"b": "nested"}},
			token:  `{"https://hasura.io/jwt/claims": {"x-hasura-allowed-roles": ["editor"]}, "a.b": "dotted", "a": {"b": "nested"}}`,
		},
		{
			name: "a machine's token has no user: markomirosavljev/fastapi-cognito#30",
			policy: `
claims: {kind: {expr: "trigger.source == 'TokenGeneration_ClientCredentials' ? 'machine' : 'user'"}}
authorizers: {A: {routes: {"GET /tenants/{tenant}": [{rule: "claims.kind == 'machine' && claims.groups.size() == 0 && !has(claims.username)"}]}}}
`,
			signIn: program.SignIn{UserName: "ClientCredentials", TriggerSource: "TokenGeneration_ClientCredentials"},
			access: object{"kind": "machine"}, token: `{"client_id": "m2m", "kind": "machine"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			prog := mustCompile(t, c.policy)
			got := prog.Mint(c.signIn)
			equal(t, "issue", got.Issue, true)
			equal(t, "access claims", got.Access, c.access)
			if c.id == nil {
				c.id = object{}
			}
			equal(t, "ID claims", got.ID, c.id)
			equal(t, "scopes", got.ScopesToAdd, c.scopes)
			if c.token == "" {
				return
			}
			checker, _ := prog.Checker("A")
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			request := program.Request{RouteKey: "GET /tenants/{tenant}", PathParameters: map[string]string{"tenant": "acme"}}
			checkCase{token: c.token, request: request, want: want}.run(t, checker)
		})
	}
}
