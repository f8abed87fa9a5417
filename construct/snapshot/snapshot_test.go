package snapshot_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/construct/snapshot"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestMain(m *testing.M) { snapshot.Main(m) }

func newStack(app awscdk.App, country string, plan awscognito.FeaturePlan) awscdk.Stack {
	stack := awscdk.NewStack(app, jsii.String("Users"), nil)
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy:      construct.PolicyValue(policy.Policy{Claims: map[string]policy.Claim{"country_id": {Value: country}}}),
		FeaturePlan: plan,
	})
	awscdk.Annotations_Of(auth).AcknowledgeWarning(jsii.String("@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias"),
		jsii.String("nobody calls the alias"))
	awslambda.NewAlias(stack, jsii.String("Live"), &awslambda.AliasProps{ // of a version, whose id has a hash in it
		AliasName: jsii.String("live"), Version: auth.ClaimsFunction().CurrentVersion(),
	})
	return stack
}

// recorder is a test that may fail without failing the one that runs it.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func match(t *testing.T, stack awscdk.Stack, file string) string {
	r := &recorder{TB: t}
	snapshot.Match(r, stack, file)
	return r.text
}

// With -update this rewrites the file, like any user's test.
func TestMatchIsSilentAboutWhatIsNotInfrastructure(t *testing.T) {
	const file = "testdata/users.template.json"
	snapshot.Match(t, newStack(snapshot.NewApp(t, "../../cdk.json", nil), "uk", ""), file)
	// Another policy, and so other assets and another version of the function.
	snapshot.Match(t, newStack(snapshot.NewApp(t, "../../cdk.json", nil), "fr", ""), file)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"ASSET.zip"`, `CurrentVersion`, `HASH"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the snapshot lacks %s", want)
		}
	}
	if strings.Contains(string(text), "BootstrapVersion") {
		t.Error("the snapshot has the rule about the bootstrap stack")
	}
	// As a checkout on Windows has it.
	windows := filepath.Join(t.TempDir(), "users.template.json")
	if err := os.WriteFile(windows, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot.Match(t, newStack(snapshot.NewApp(t, "../../cdk.json", nil), "uk", ""), windows)
}

func TestMatchTellsWhatDiffersAndWhatToDo(t *testing.T) {
	if flag.Lookup("update").Value.String() == "true" {
		t.Skip("nothing differs from what is just written")
	}
	got := match(t, newStack(snapshot.NewApp(t, "../../cdk.json", nil), "uk", awscognito.FeaturePlan_ESSENTIALS), "testdata/users.template.json")
	want := `the template differs from testdata/users.template.json (-file +stack); if that is right, run go test -update:
  Resources.AuthUserPool8115E87F.Properties.UserPoolAddOns
    - {
    -   "AdvancedSecurityMode": "ENFORCED"
    - }
  Resources.AuthUserPool8115E87F.Properties.UserPoolTier
    - "PLUS"
    + "ESSENTIALS"
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = match(t, newStack(snapshot.NewApp(t, "", nil), "uk", ""), filepath.Join(t.TempDir(), "none.json"))
	if !strings.Contains(got, "none.json yet: write it with go test -update (TestMain must call snapshot.Main)") {
		t.Errorf("got %q", got)
	}
}

func TestMatchReportsWhatSynthRefuses(t *testing.T) {
	app := snapshot.NewApp(t, "../../cdk.json", nil)
	stack := awscdk.NewStack(app, jsii.String("Users"), nil)
	construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{Policy: construct.PolicyFile("no/such.yaml")})
	if got := match(t, stack, "testdata/users.template.json"); !strings.Contains(got, "synth failed") || !strings.Contains(got, `"no/such.yaml"`) {
		t.Errorf("got %q", got)
	}
}

func TestNewAppTakesTheContextOfTheCLIAndTheTests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cdk.json")
	if err := os.WriteFile(file, []byte(`{"context": {"a": "file", "b": "file"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	app := snapshot.NewApp(t, file, map[string]any{"b": "test"})
	for key, want := range map[string]string{"a": "file", "b": "test"} {
		if got := app.Node().TryGetContext(jsii.String(key)); got != want {
			t.Errorf("context %s is %v, want %s", key, got, want)
		}
	}
	if stack := awscdk.NewStack(app, jsii.String("S"), nil); *stack.BundlingRequired() {
		t.Error("functions would be built")
	}
	r := &recorder{TB: t}
	func() {
		defer func() { _ = recover() }() // the recorder does not end the function as a test would
		snapshot.NewApp(r, filepath.Join(t.TempDir(), "none.json"), nil)
	}()
	if !strings.Contains(r.text, "reading the context of the CDK CLI") {
		t.Errorf("got %q", r.text)
	}
}
