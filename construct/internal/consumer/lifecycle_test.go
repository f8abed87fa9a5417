package consumer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// localAWS skips the test when no local AWS is up, but never in CI. make lifecycle starts one; these tests never talk to a real account.
func localAWS(t *testing.T) {
	t.Helper()
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); strings.HasPrefix(endpoint, "http://127.0.0.1:") {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no local AWS: run make lifecycle")
	}
	t.Skip("NOT TESTED: deploying. make lifecycle starts a local AWS for it")
}

// cdk runs the CDK CLI on the cloud assembly of the last synth.
func (a app) cdk(subcommand string, args ...string) string {
	a.t.Helper()
	return a.run("cdk", slices.Concat([]string{subcommand, "--no-notices", "--no-color", "--app", "cdk.out"}, args)...)
}

func (a app) synth() {
	a.t.Helper()
	a.run("cdk", "synth", "--quiet", "--no-notices", "--no-color")
}

func (a app) deploy() {
	a.t.Helper()
	a.cdk("deploy", "--all", "--require-approval", "never")
}

// diff is what cdk diff finds, resource by resource: the lines below each that tell what changes.
func (a app) diff() map[string][]string {
	a.t.Helper()
	resource := regexp.MustCompile(`^\[[-+~]\] (AWS::\S+ \S+)`)
	property := regexp.MustCompile(`^ [├└]─ \[[-+~]\] (\S+)`)
	found, current := map[string][]string{}, ""
	for line := range strings.Lines(a.cdk("diff")) {
		if m := resource.FindStringSubmatch(line); m != nil {
			current = m[1]
			found[current] = nil
		} else if m := property.FindStringSubmatch(line); m != nil {
			found[current] = append(found[current], m[1])
		} else if strings.HasPrefix(line, "[") {
			a.t.Errorf("cdk diff lists what is no resource: %s", line)
		}
	}
	return found
}

// call calls an operation of AWS. The CLI is run as a module: its script does not work in a folder with a blank in its name.
func (a app) call(args ...string) string {
	a.t.Helper()
	return a.run("python", slices.Concat([]string{"-m", "awscli"}, args, []string{"--output", "json"})...)
}

// aws is the answer of an operation of AWS.
func (a app) aws(into any, args ...string) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.call(args...)), into); err != nil {
		a.t.Fatal(err)
	}
}

// functions are the deployed functions, by name, and the hash that AWS has of the code of each.
func (a app) functions() map[string]string {
	a.t.Helper()
	var answer struct {
		Functions []struct{ FunctionName, CodeSha256 string }
	}
	a.aws(&answer, "lambda", "list-functions")
	found := map[string]string{}
	for _, f := range answer.Functions {
		found[f.FunctionName] = f.CodeSha256
	}
	return found
}

// bundled are the hashes of the code in the cloud assembly.
func (a app) bundled() []string {
	a.t.Helper()
	paths, err := filepath.Glob(filepath.Join(a.dir, "cdk.out", "asset.*.zip"))
	if err != nil {
		a.t.Fatal(err)
	}
	var hashes []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			a.t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		hashes = append(hashes, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return hashes
}

func (a app) pools() []string {
	a.t.Helper()
	var answer struct{ UserPools []struct{ ID string } }
	a.aws(&answer, "cognito-idp", "list-user-pools", "--max-results", "10")
	var ids []string
	for _, p := range answer.UserPools {
		ids = append(ids, p.ID)
	}
	return ids
}

// An app is deployed, its policy changed, deployed again, and destroyed. A change of the policy changes nothing but the
// functions' code: no pool is replaced, no API redeployed.
func TestLifeOfAnApp(t *testing.T) {
	localAWS(t)
	for _, c := range []struct {
		name    string
		prepare func(app)
		kept    int // user pools that outlive the app
	}{
		{"the README's app", func(app) {}, 1},
		{"users and API in two stacks", func(a app) { a.copy("crossstack/main.go", "main.go") }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t, c.name)
			c.prepare(a)
			a.get()
			before := len(a.pools())
			a.synth()
			a.deploy()
			first := a.functions()
			if len(first) != 2 {
				t.Fatalf("%d functions are deployed, want the claim function and the authorizer", len(first))
			}
			bundled := a.bundled()
			for name, hash := range first {
				if !slices.Contains(bundled, hash) {
					t.Errorf("the code of %s is not that of the cloud assembly", name)
				}
			}
			if changes := a.diff(); len(changes) > 0 {
				t.Errorf("cdk diff after cdk deploy: %q", changes)
			}
			pools := a.pools()

			a.edit("claims.yaml", "document_permission: full_control", "document_permission: complete")
			a.edit("claims.yaml", "== 'full_control'", "== 'complete'")
			a.synth()
			changes := a.diff()
			if len(changes) != 2 {
				t.Errorf("a change of the policy changes %q, want the two functions", changes)
			}
			for resource, properties := range changes {
				if !strings.HasPrefix(resource, "AWS::Lambda::Function ") || slices.ContainsFunc(properties, func(p string) bool { return p != "Code" && p != "Metadata" }) {
					t.Errorf("a change of the policy changes %q of %s, want the code of functions alone", properties, resource)
				}
			}
			a.deploy()
			second := a.functions()
			for name, hash := range first {
				if got, ok := second[name]; !ok || got == hash {
					t.Errorf("%s was not updated", name)
				}
			}
			if changes := a.diff(); len(changes) > 0 {
				t.Errorf("cdk diff after the second cdk deploy: %q", changes)
			}
			if got := a.pools(); !slices.Equal(got, pools) {
				t.Errorf("the user pools are %q, were %q", got, pools)
			}

			a.cdk("destroy", "--all", "--force")
			if left := a.functions(); len(left) > 0 {
				t.Errorf("cdk destroy left functions behind: %v", left)
			}
			if got := len(a.pools()) - before; got != c.kept {
				t.Errorf("cdk destroy left %d user pools behind, want %d", got, c.kept)
			}
		})
	}
}
