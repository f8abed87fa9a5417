package policy

import (
	"maps"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// Rules tell machines from users by what users' tokens alone have, not by the sub, which a machine's may have too.
func TestRulesTellMachinesFromUsers(t *testing.T) {
	t.Parallel()
	checker, _ := mustCompile(t, `{authorizers: {A: {default: [{rule: claims.is_machine}]}}}`).Checker("A")
	for token, machine := range map[string]bool{
		`{"sub": "m2m", "client_id": "m2m", "token_use": "access", "scope": "documents/read"}`: true,
		`{"client_id": "m2m", "token_use": "access"}`:                                          true,
		`{"client_id": "m2m", "is_machine": false}`:                                            true,
		`{"sub": "u", "client_id": "web", "username": "owner", "cognito:groups": ["owners"]}`:  false,
		`{"sub": "u", "client_id": "web", "username": "owner"}`:                                false,
		`{"sub": "u", "client_id": "web", "username": "ClientCredentials"}`:                    false,
		`{"client_id": "web", "username": null}`:                                               false,
		`{"token_use": "id", "aud": "web", "cognito:username": "owner"}`:                       false,
		`{"client_id": "web", "username": "owner", "is_machine": true}`:                        false,
	} {
		if got := checker.Check(payload(t, token), program.Request{}).Allowed; got != machine {
			t.Errorf("%s: is_machine %v", token, got)
		}
	}
}

func TestTheBackendMayBeToldWhoIsAMachine(t *testing.T) {
	t.Parallel()
	checker, _ := mustCompile(t, `{authorizers: {A: {default: [{rule: "true"}], context: [is_machine]}}}`).Checker("A")
	equal(t, "context", maps.Collect(checker.Context(payload(t, `{"client_id": "m2m"}`)))["is_machine"], any(true))
}

func TestMintingTellsMachinesFromUsers(t *testing.T) {
	t.Parallel()
	prog := mustCompile(t, `claims: {kind: {expr: "client.is_machine ? 'machine' : 'user'"}, importer: {value: true, when: "client.is_machine && client.metadata[?'job'].orValue('') == 'import'"}}`)
	equal(t, "machine", prog.Mint(program.SignIn{Machine: true, ClientMetadata: map[string]string{"job": "import"}}).Access, map[string]any{"kind": "machine", "importer": true})
	equal(t, "user", prog.Mint(program.SignIn{ClientMetadata: map[string]string{"job": "import"}}).Access, map[string]any{"kind": "user"})
}

func TestResourceServers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	for _, c := range []problemCase{
		{"mistakes", `resourceServers: {"a b": {read: Read}, none: {}, api: {"a/b": x, "": x, long: ` + long + `, short: ""}}` + "\nclaims: {is_machine: {value: true}}", `
p.yaml:1:19: resourceServers["a b"]: resource server "a b": an identifier is 1 to 256 visible ASCII characters, but neither " nor \
p.yaml:1:40: resourceServers.none: has 0 scopes; allowed are 1 to 100
p.yaml:1:63: resourceServers.api["a/b"]: scope "a/b": a name is 1 to 256 visible ASCII characters, but none of ", \ and /; it is asked for as api/<name>
p.yaml:1:70: resourceServers.api[""]: scope "": a name is 1 to 256 visible ASCII characters, but none of ", \ and /; it is asked for as api/<name>
p.yaml:1:79: resourceServers.api.long: the description has 257 characters; allowed are 1 to 256
p.yaml:1:345: resourceServers.api.short: is empty; give a value or leave the key out
p.yaml:2:10: claims.is_machine: claim "is_machine" would hide whether the token is a machine's, which rules read as claims.is_machine; choose another name`},
	} {
		t.Run(c.name, c.run)
	}
	prog := mustCompile(t, `resourceServers: {"https://api.example.com": {read: Read, write: Write}, documents: {import: Import}}`)
	want := map[string]map[string]string{"https://api.example.com": {"read": "Read", "write": "Write"}, "documents": {"import": "Import"}}
	equal(t, "servers", prog.ResourceServers(), want)
	shipped, err := prog.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "shipped", mustCompile(t, string(shipped)).ResourceServers(), want)
}
