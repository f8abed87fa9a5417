package consumer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/claimsmith/claimsmith/internal/publish"
)

const checkout = "../../.."

// scratch is removed when all tests have ended.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "claimsmith consumer-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	// A module cache is read-only.
	_ = filepath.WalkDir(scratch, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	os.RemoveAll(scratch)
	os.Exit(code)
}

// An app is a module somewhere outside the checkout.
type app struct {
	t   *testing.T
	dir string
	env map[string]string
}

// installed is the module cache and the environment of a machine that has got Claimsmith from a proxy. Extracting the CDK
// bindings takes seconds, so all apps here are on one machine.
var installed = sync.OnceValues(func() (map[string]string, error) {
	proxy := filepath.Join(scratch, "proxy")
	if err := publish.Module(checkout, proxy); err != nil {
		return nil, err
	}
	env, err := publish.Environment(proxy, filepath.Join(scratch, "module cache"))
	if err != nil {
		return nil, err
	}
	// With -trimpath the build cache does not mind where the modules are, and the CDK bindings need no second compilation
	// of a minute or more when the first one, of make test, had it too.
	env["GOFLAGS"] = "-trimpath"
	return env, nil
})

// newApp is what the README makes one write and type.
func newApp(t *testing.T, name string) app {
	t.Helper()
	if testing.Short() {
		t.Skip("installs Claimsmith from a proxy, and links an app")
	}
	env, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	a := app{t, filepath.Join(scratch, name), maps.Clone(env)}
	a.write("go.mod", "module example.org/documents\n\ngo 1.26.0\n")
	a.write("main.go", readme(t, "go"))
	a.write("claims.yaml", readme(t, "yaml"))
	a.write("cdk.json", `{"app": "go run ."}`)
	return a
}

// get is the README's go get.
func (a app) get() {
	a.t.Helper()
	a.run("go", "get", "github.com/claimsmith/claimsmith@"+publish.Version)
	a.run("go", "mod", "tidy")
}

// readme is the README's block in that language.
func readme(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)\n```" + language + "\n(.*?\n)```\n").FindSubmatch(text)
	if m == nil {
		t.Fatalf("the README has no %s block", language)
	}
	return string(m[1])
}

func (a app) write(name, content string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		a.t.Fatal(err)
	}
}

// copy writes a file of this package's testdata.
func (a app) copy(from, to string) {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", from))
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(to, string(content))
}

// edit replaces a text that is in the file once.
func (a app) edit(name, old, new string) {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.t.Fatal(err)
	}
	if n := strings.Count(string(content), old); n != 1 {
		a.t.Fatalf("%s has %q %d times", name, old, n)
	}
	a.write(name, strings.Replace(string(content), old, new, 1))
}

func (a app) run(name string, args ...string) string {
	a.t.Helper()
	out, err := a.try(name, args...)
	if err != nil {
		a.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (a app) try(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = a.dir
	cmd.Env = os.Environ()
	for name, value := range a.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAppThatGotClaimsmithSynthesizes(t *testing.T) {
	a := newApp(t, "synth app")
	a.get()
	a.env["CDK_OUTDIR"] = filepath.Join(a.dir, "cdk.out") // as the CDK CLI says it
	a.run("go", "run", ".")
	zips, err := filepath.Glob(filepath.Join(a.dir, "cdk.out", "asset.*.zip"))
	if err != nil || len(zips) != 2 {
		t.Errorf("got assets %q (%v), want two", zips, err)
	}
}

func TestAppThatGotClaimsmithHasSnapshots(t *testing.T) {
	a := newApp(t, "snapshot app")
	a.copy("stack_test.go", "stack_test.go")
	a.get()
	a.run("go", "test", "-c", "-o", "stack.test", ".")
	test := func(args ...string) (string, error) { return a.try("./stack.test", args...) }

	if out, err := test(); err == nil || !strings.Contains(out, "write it with go test -update") {
		t.Errorf("without a snapshot: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"-test.run=Stack", "-update"}, nil} {
		if out, err := test(args...); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	a.edit("testdata/documents.template.json", `"LambdaVersion": "V2_0"`, `"LambdaVersion": "V1_0"`)
	if out, err := test(); err == nil || !strings.Contains(out, "LambdaVersion\n            - \"V1_0\"\n            + \"V2_0\"\n") {
		t.Errorf("with another snapshot: %v\n%s", err, out)
	}
}
