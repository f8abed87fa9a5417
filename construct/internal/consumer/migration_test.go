package consumer

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The way out of ID tokens of docs/migrating.md, deployed step by step to one pool with one user. The demo has the same from
// step 2 on, with the day that comes.
func TestTheWayOutOfIDTokens(t *testing.T) {
	localAWS(t)
	a := newApp(t, "migration")
	a.copy("migration/main.go", "main.go")
	for _, step := range []string{"1", "2", "3", "6"} {
		a.copy("migration/step"+step+".yaml", "step"+step+".yaml")
	}
	a.edit("step3.yaml", "UNTIL", time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly))
	a.get()
	a.run("go", "build", "-o", "app", ".")
	a.write("cdk.json", `{"app": "./app"}`)

	var user migrant
	for _, c := range []struct {
		step          string
		id, access    any // company_id in the tokens
		forID, forAPI int // the status of GET /documents with the ID and the access token; 0 where there is no API yet
	}{
		{"1", nil, nil, 0, 0}, // see answersV1
		{"2", "acme", "acme", 0, 0},
		{"3", "acme", "acme", 200, 200},
		{"6", nil, "acme", 403, 200},
	} {
		a.run("cdk", "synth", "--quiet", "--no-notices", "--no-color", "--context", "step="+c.step)
		a.cdk("deploy", "--require-approval", "never", "--outputs-file", "outputs.json")
		stack := a.outputs("Migration")
		if user.name == "" {
			user = migrant{a, "ann", "Demo-1-password", stack["PoolId"], stack["ClientId"]}
			user.signUp()
		} else if stack["PoolId"] != user.pool {
			t.Fatalf("step %s: the pool is another one", c.step)
		}
		if c.step == "1" {
			a.answersV1()
		}
		id, access := user.signIn()
		if got := claims(t, id)["company_id"]; got != c.id {
			t.Errorf("step %s: the ID token has company_id %v, want %v", c.step, got, c.id)
		}
		if got := claims(t, access)["company_id"]; got != c.access {
			t.Errorf("step %s: the access token has company_id %v, want %v", c.step, got, c.access)
		}
		if c.forAPI == 0 {
			continue
		}
		for what, call := range map[string]struct {
			token string
			want  int
		}{"ID": {id, c.forID}, "access": {access, c.forAPI}} {
			if got := get(t, stack["ApiId"], call.token); got != call.want {
				t.Errorf("step %s: with the %s token the API answers %d, want %d", c.step, what, got, call.want)
			}
		}
	}
	a.cdk("destroy", "--force")
}

// answersV1 calls the claim function as Cognito does for version V1_0. MiniStack does not understand its answer: it expects
// that of V2_0 from whatever PreTokenGenerationConfig names.
func (a app) answersV1() {
	a.t.Helper()
	a.write("event.json", `{"version": "1", "triggerSource": "TokenGeneration_Authentication", "userName": "ann", "request": {"userAttributes":
		{"sub": "1", "custom:company_id": "acme"}, "groupConfiguration": {"groupsToOverride": []}}, "response": {"claimsOverrideDetails": null}}`)
	for name := range a.functions() {
		a.call("lambda", "invoke", "--function-name", name, "--payload", "file://event.json", "answer.json")
	}
	var answer, want struct{ Response any }
	a.readJSON("answer.json", &answer)
	want.Response = map[string]any{"claimsOverrideDetails": map[string]any{"claimsToAddOrOverride": map[string]any{"company_id": "acme"}}}
	if !reflect.DeepEqual(answer, want) {
		a.t.Errorf("the claim function answers %v, want %v", answer, want)
	}
}

// migrant is a user who stays the same while the app changes.
type migrant struct {
	app
	name, password, pool, client string
}

func (m migrant) signUp() {
	m.t.Helper()
	m.call("cognito-idp", "admin-create-user", "--user-pool-id", m.pool, "--username", m.name, "--message-action", "SUPPRESS",
		"--user-attributes", "Name=custom:company_id,Value=acme")
	m.call("cognito-idp", "admin-set-user-password", "--user-pool-id", m.pool, "--username", m.name, "--password", m.password, "--permanent")
}

func (m migrant) signIn() (id, access string) {
	m.t.Helper()
	var answer struct {
		AuthenticationResult struct{ IDToken, AccessToken string }
	}
	m.aws(&answer, "cognito-idp", "initiate-auth", "--client-id", m.client, "--auth-flow", "USER_PASSWORD_AUTH",
		"--auth-parameters", "USERNAME="+m.name+",PASSWORD="+m.password)
	return answer.AuthenticationResult.IDToken, answer.AuthenticationResult.AccessToken
}

// outputs are those of a stack that was deployed last.
func (a app) outputs(stack string) map[string]string {
	a.t.Helper()
	var stacks map[string]map[string]string
	a.readJSON("outputs.json", &stacks)
	return stacks[stack]
}

func (a app) readJSON(name string, into any) {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join(a.dir, name))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// claims are a token's, not verified.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	var found map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// get is the status of GET /documents on an HTTP API, where MiniStack serves it.
func get(t *testing.T, api, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("AWS_ENDPOINT_URL")+"/_aws/execute-api/"+api+"/$default/documents", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
