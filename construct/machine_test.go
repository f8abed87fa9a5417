package construct_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

const machinePolicy = `
resourceServers:
  documents: {read: Read documents, import: Import documents}
  "https://audit.example.com": {read: Read audits}
authorizers:
  Documents: {default: [{rule: "claims.is_machine && 'documents/import' in claims.scopes"}]}
`

func (f *fixture) withVersion(yaml string, version awscognito.LambdaVersion) construct.TokenClaims {
	return f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(f.t, yaml))
		p.LambdaVersion = version
	})
}

func TestMachineClients(t *testing.T) {
	f := newFixture(t)
	auth := f.withVersion(machinePolicy, awscognito.LambdaVersion_V3_0)
	auth.AddMachineClient("Importer", []string{"documents/import", "documents/read"}, nil)
	auth.AddMachineClient("Auditor", []string{"documents/read", "https://audit.example.com/read"}, &awscognito.UserPoolClientOptions{
		UserPoolClientName: jsii.String("auditor"),
	})
	f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents")
	tpl := f.template()

	tpl.has("AWS::Cognito::UserPool", map[string]any{"LambdaConfig": map[string]any{"PreTokenGenerationConfig": map[string]any{"LambdaVersion": "V3_0"}}})
	tpl.has("AWS::Lambda::Function", map[string]any{"Environment": map[string]any{"Variables": map[string]any{"CLAIMSMITH_TRIGGER_VERSION": "V3_0"}}})
	servers := tpl.resources("AWS::Cognito::UserPoolResourceServer")
	if len(servers) != 2 {
		t.Errorf("%d resource servers", len(servers))
	}
	tpl.has("AWS::Cognito::UserPoolResourceServer", map[string]any{"Identifier": "documents", "Scopes": []any{
		map[string]any{"ScopeName": "import", "ScopeDescription": "Import documents"},
		map[string]any{"ScopeName": "read", "ScopeDescription": "Read documents"},
	}})
	tpl.has("AWS::Cognito::UserPoolResourceServer", map[string]any{"Identifier": "https://audit.example.com", "Name": "https-audit.example.com"})
	clients := tpl.resources("AWS::Cognito::UserPoolClient")
	if len(clients) != 2 {
		t.Errorf("%d clients", len(clients))
	}
	for id, client := range clients {
		properties := client["Properties"].(map[string]any)
		for name, want := range map[string]any{
			"AllowedOAuthFlows": []any{"client_credentials"}, "AllowedOAuthFlowsUserPoolClient": true, "GenerateSecret": true,
			"CallbackURLs": nil, "ExplicitAuthFlows": []any{"ALLOW_REFRESH_TOKEN_AUTH"}, "EnableTokenRevocation": true,
		} {
			if !reflect.DeepEqual(properties[name], want) {
				t.Errorf("%s: %s is %v, want %v", id, name, properties[name], want)
			}
		}
		if scopes, _ := json.Marshal(properties["AllowedOAuthScopes"]); strings.Count(string(scopes), `{"Ref":`) != 2 {
			t.Errorf("%s: scopes %s", id, scopes)
		}
	}

	// The authorizer accepts their tokens.
	for id, function := range tpl.resources("AWS::Lambda::Function") {
		variables := function["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)
		if pools, ok := variables["CLAIMSMITH_USER_POOLS"]; ok {
			text, _ := json.Marshal(pools)
			for client := range clients {
				if !strings.Contains(string(text), client) {
					t.Errorf("%s does not accept %s: %s", id, client, text)
				}
			}
		}
	}
	f.wantNoAnnotations()
}

func TestMachinesWithoutV3AreAWarning(t *testing.T) {
	f := newFixture(t)
	auth := f.withVersion(machinePolicy, "")
	auth.AddMachineClient("Importer", []string{"documents/import"}, nil)
	f.wantWarning("/Stack/Auth/UserPool/Importer", "tokens of machines carry no claim of the policy")
}

// Whether the trigger elsewhere is of version V3_0 is not known here.
func TestMachinesOfAPoolThatIsMintedForElsewhere(t *testing.T) {
	f := newFixture(t)
	withPool := func(pool awscognito.IUserPool) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) {
			p.Policy = construct.PolicyFile(policyFile(t, machinePolicy))
			p.UserPool, p.UserPoolProps, p.MintedElsewhere = pool, nil, true
		}
	}
	auth := f.claims(withPool(f.importedPool("Pool", "us-east-1_Pool")))
	auth.AddMachineClient("Importer", []string{"documents/import"}, nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents")
	f.template().count("AWS::Cognito::UserPoolResourceServer", 1)
	f.wantNoAnnotations()

	poolless := newFixture(t).claims(withPool(nil))
	want := `construct: AddMachineClient("M"): there is no pool to add it to: set props.UserPool, or add the client where the pool is and accept it here with AcceptPool`
	if got := panicText(func() { poolless.AddMachineClient("M", []string{"documents/import"}, nil) }); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScopesThatThePolicyDoesNotDeclareFailSynth(t *testing.T) {
	f := newFixture(t)
	auth := f.withVersion(machinePolicy, awscognito.LambdaVersion_V3_0)
	auth.AddMachineClient("Importer", []string{"documents/imprt", "nothing"}, nil)
	f.wantSynthError(
		`AddMachineClient("Importer") asks for scope "documents/imprt", which `,
		`does not declare under resourceServers (did you mean "documents/import"?): it declares "documents/import", "documents/read", "https://audit.example.com/read"`,
		`AddMachineClient("Importer") asks for scope "nothing"`,
	)
}

func TestContradictoryMachineClientsAreRefused(t *testing.T) {
	f := newFixture(t)
	auth := f.withVersion(machinePolicy, awscognito.LambdaVersion_V3_0)
	for _, c := range []struct {
		scopes  []string
		options *awscognito.UserPoolClientOptions
		want    string
	}{
		{nil, nil, `construct: AddMachineClient("M"): 0 scopes: allowed are 1 to 50, such as "documents/read"`},
		{[]string{"documents/read"}, &awscognito.UserPoolClientOptions{OAuth: &awscognito.OAuthSettings{}},
			`construct: AddMachineClient("M"): options.OAuth is what this call sets up: leave it out, or use AddClient`},
		{[]string{"documents/read"}, &awscognito.UserPoolClientOptions{GenerateSecret: jsii.Bool(false)},
			`construct: AddMachineClient("M"): options.GenerateSecret is false, but a machine proves itself with a secret: leave it out`},
	} {
		if got := panicText(func() { auth.AddMachineClient("M", c.scopes, c.options) }); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
