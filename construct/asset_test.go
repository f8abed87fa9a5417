package construct_test

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/internal/publish"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

// asset is a function's zip as it would be uploaded.
type asset struct {
	name  string // has CDK's hash of the content
	files map[string][]byte
	modes map[string]fs.FileMode
}

// assets synthesizes the app and returns the zips in its cloud assembly.
func (f *fixture) assets() []asset {
	f.t.Helper()
	if text := panicText(func() { f.app.Synth(nil) }); text != "" {
		f.t.Fatal(text)
	}
	paths, err := filepath.Glob(filepath.Join(*f.app.Outdir(), "asset.*.zip"))
	if err != nil {
		f.t.Fatal(err)
	}
	var all []asset
	for _, path := range paths {
		all = append(all, openAsset(f.t, path))
	}
	return all
}

func openAsset(t *testing.T, path string) asset {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := asset{filepath.Base(path), map[string][]byte{}, map[string]fs.FileMode{}}
	for _, f := range r.File {
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if a.files[f.Name], err = io.ReadAll(opened); err != nil {
			t.Fatal(err)
		}
		a.modes[f.Name] = f.Mode()
	}
	return a
}

func (a asset) machine(t *testing.T) elf.Machine {
	t.Helper()
	binary, err := elf.NewFile(bytes.NewReader(a.files["bootstrap"]))
	if err != nil {
		t.Fatal(err)
	}
	return binary.Machine
}

func TestAssetsAreExecutableOnLambda(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both functions")
	}
	f := newFixtureWithCode(t)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	construct.NewTokenClaims(f.stack, "Other", &construct.TokenClaimsProps{
		Policy: construct.PolicyValue(policy.Policy{Claims: map[string]policy.Claim{"tier": {Value: "gold"}}}),
	})
	assets := f.assets()
	if len(assets) != 3 { // two claim functions with different policies, and one authorizer
		t.Fatalf("got %d assets, want 3", len(assets))
	}
	for _, a := range assets {
		if want := map[string]fs.FileMode{"bootstrap": 0o755, "policy.json": 0o644, "program.json": 0o644}; !maps.Equal(a.modes, want) {
			t.Errorf("%s: got %v, want %v", a.name, a.modes, want)
			continue
		}
		if got := a.machine(t); got != elf.EM_AARCH64 {
			t.Errorf("%s: built for %v, want arm64, the default", a.name, got)
		}
		if _, err := policy.Parse("policy.json", a.files["policy.json"]); err != nil {
			t.Errorf("%s: policy.json does not parse: %v", a.name, err)
		}
	}
}

// The whole cloud assembly, templates and assets, is the same for everybody: in whatever folder, of whatever commit or
// of none, and whoever runs it.
func TestCloudAssemblyIsTheSameInEveryClone(t *testing.T) {
	if testing.Short() {
		t.Skip("links the example app and its functions twice")
	}
	synth := func(clone string, environment ...string) string {
		t.Helper()
		if err := publish.Copy("..", clone); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(clone, "cdk.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config struct{ Context json.RawMessage }
		if err := json.Unmarshal(data, &config); err != nil {
			t.Fatal(err)
		}
		if len(environment) > 0 {
			run(t, clone, nil, "git", "init", "-q")
			run(t, clone, nil, "git", "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "--allow-empty", "-m", "other")
		}
		out := filepath.Join(clone, "cdk.out")
		run(t, clone, append(environment, "CDK_OUTDIR="+out, "CDK_CONTEXT_JSON="+string(config.Context)), "go", "run", "./example-app")
		return out
	}
	root := t.TempDir()
	one := contents(t, synth(filepath.Join(root, "one")))
	two := contents(t, synth(filepath.Join(root, "another user", "some where", "else"), "USER=other", "LOGNAME=other", "TZ=Asia/Tokyo", "LANG=de_DE"))
	if _, ok := one["Documents.template.json"]; !ok || len(one) < 5 {
		t.Fatalf("the cloud assembly has only %q", slices.Sorted(maps.Keys(one)))
	}
	if got, want := slices.Sorted(maps.Keys(two)), slices.Sorted(maps.Keys(one)); !slices.Equal(got, want) {
		t.Errorf("one clone has the files\n\t%q\nthe other\n\t%q", want, got)
	}
	for name, content := range one {
		if !bytes.Equal(content, two[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// contents are the files of a cloud assembly that say or are what is deployed.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"*.template.json", "*.assets.json", "manifest.json", "asset.*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if found[filepath.Base(path)], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// run runs a command in a folder.
func run(t *testing.T, dir string, environment []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestBackendsInGoAreBundledToo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package")
	}
	f := newFixtureWithCode(t)
	awslambda.NewFunction(f.stack, jsii.String("Backend"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Handler: jsii.String("bootstrap"),
		Code: construct.GoCode(f.stack, "./testdata/backend", nil),
	})
	if assets := f.assets(); len(assets) != 1 || !maps.Equal(assets[0].modes, map[string]fs.FileMode{"bootstrap": 0o755}) {
		t.Errorf("got %v, want one executable bootstrap", assets)
	}
	if text := panicText(func() { construct.GoCode(f.stack, "./testdata/nowhere", nil) }); !strings.Contains(text, "building ./testdata/nowhere for linux/arm64") {
		t.Errorf("a package that does not exist: got %q", text)
	}
}

// A user's own programs get the policy beside them, as Claimsmith's own do.
func TestProgramsOfTheUserReplaceClaimsmiths(t *testing.T) {
	if testing.Short() {
		t.Skip("builds functions")
	}
	prebuilt := filepath.Join(t.TempDir(), "authorizer")
	run(t, ".", []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}, "go", "build", "-o", prebuilt, "./testdata/backend")
	f := newFixtureWithCode(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Architecture = awslambda.Architecture_X86_64()
		p.ClaimsProgram = construct.GoMain("./testdata/ownclaims")
		p.AuthorizerProgram = construct.Binary(prebuilt)
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	assets := f.assets()
	if len(assets) != 2 {
		t.Fatalf("got %d assets, want 2", len(assets))
	}
	want, err := os.ReadFile(prebuilt)
	if err != nil {
		t.Fatal(err)
	}
	var own, binary int
	for _, a := range assets {
		if !maps.Equal(a.modes, map[string]fs.FileMode{"bootstrap": 0o755, "policy.json": 0o644, "program.json": 0o644}) {
			t.Errorf("%s: got %v", a.name, a.modes)
		}
		if got := a.machine(t); got != elf.EM_X86_64 {
			t.Errorf("%s: built for %v", a.name, got)
		}
		switch program := a.files["bootstrap"]; {
		case bytes.Equal(program, want):
			binary++
		case bytes.Contains(program, []byte("construct/testdata/ownclaims")):
			own++
		}
	}
	if own != 1 || binary != 1 {
		t.Errorf("%d assets have the main package and %d the binary, want one each", own, binary)
	}
}

func TestProgramsThatCannotRunAreRefused(t *testing.T) {
	for _, c := range []struct {
		program construct.Program
		want    string
	}{
		{construct.GoMain(""), `construct: GoMain: pkg is empty: name a main package, as in "./cmd/claims"`},
		{construct.Binary("testdata/claims.yaml"), `construct: Binary("testdata/claims.yaml"): testdata/claims.yaml is not a program for Linux: ` +
			"build it with GOOS=linux GOARCH=arm64"},
		{construct.Binary("no/such"), `construct: Binary("no/such"): open no/such: no such file or directory`},
	} {
		f := newFixtureWithCode(t)
		text := panicText(func() { f.claims(func(p *construct.TokenClaimsProps) { p.ClaimsProgram = c.program }) })
		if text != c.want {
			t.Errorf("got\n\t%s\nwant\n\t%s", text, c.want)
		}
	}
}

// Nothing of it is looked at for a stack that is not bundled.
func TestProgramsAreNotBuiltWithoutBundling(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.ClaimsProgram, p.AuthorizerProgram = construct.GoMain("./no/such"), construct.Binary("no/such")
	})
	f.template().count("AWS::Lambda::Function", 1)
}
