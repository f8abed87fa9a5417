package gobuild

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/internal/publish"
)

const ownModule = "github.com/claimsmith/claimsmith"

// machine is one on which nobody has Claimsmith: its module cache is empty. All its folders have blanks in their names.
type machine struct {
	t       *testing.T
	dir     string
	modules string // its module cache
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("downloads modules from a proxy of files, and links")
	}
	root := t.TempDir()
	m := &machine{t, filepath.Join(root, "my home"), filepath.Join(root, "module cache")}
	proxy := filepath.Join(root, "the proxy")
	if err := publish.Module(checkout(t), proxy); err != nil {
		t.Fatal(err)
	}
	env, err := publish.Environment(proxy, m.modules)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	t.Setenv("GOFLAGS", "")
	t.Cleanup(func() { makeWritable(m.modules) }) // or the temporary folder cannot be removed
	return m
}

func makeWritable(dir string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	})
}

func checkout(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// in makes a folder of the machine the working directory.
func (m *machine) in(folder string) { m.t.Helper(); m.t.Chdir(filepath.Join(m.dir, folder)) }

func (m *machine) goCommand(args ...string) {
	m.t.Helper()
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		m.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// app is what a user has: a module that imports what Claimsmith exports, and a main package for Lambda.
func (m *machine) app() {
	m.write("app/go.mod", "module example.org/app\n\ngo 1.26.0\n")
	m.write("app/main.go", "package main\n\nimport _ \""+ownModule+"/lambda/policy\"\n\nfunc main() {}\n")
	m.write("app/cmd/backend/main.go", "package main\n\nimport _ \""+ownModule+"/lambda/apigw/backend\"\n\nfunc main() {}\n")
	m.in("app")
}

func (m *machine) get() {
	m.t.Helper()
	m.goCommand("get", ownModule+"@"+publish.Version, ".", "./cmd/backend")
}

// fork is a copy of the checkout.
func (m *machine) fork() {
	m.t.Helper()
	if err := publish.Copy(checkout(m.t), filepath.Join(m.dir, "the fork")); err != nil {
		m.t.Fatal(err)
	}
}

// Wherever the app has Claimsmith from, and whatever the user has told the go command, both a program of Claimsmith and
// one of the app build, and Claimsmith's is the same to the byte.
func TestProgramsBuildWhereverClaimsmithComesFrom(t *testing.T) {
	if testing.Short() {
		t.Skip("links a function many times")
	}
	want, err := build(Own(checkout(t), "arm64", "claims"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		prepare func(m *machine)
		from    string // a part of the folder that the source is found in
	}{
		{"the module cache, which is read-only", func(m *machine) { m.app(); m.get() }, "module cache"},
		{"a replacement", func(m *machine) {
			m.fork()
			m.app()
			m.goCommand("mod", "edit", "-require="+ownModule+"@v0.0.0", "-replace="+ownModule+"=../the fork")
			m.goCommand("get", ".", "./cmd/backend")
		}, "the fork"},
		{"a workspace", func(m *machine) {
			m.fork()
			m.app()
			m.in(".")
			m.write("go.work", "go 1.26.0\n\nuse (\n\t./app\n\t\"./the fork\"\n)\n")
			m.in("app")
		}, "the fork"},
		{"the root of a workspace, which is no module", func(m *machine) {
			m.fork()
			m.app()
			m.in(".")
			m.write("go.work", "go 1.26.0\n\nuse (\n\t./app\n\t\"./the fork\"\n)\n")
		}, "the fork"},
		{"the module cache, in a workspace of other modules", func(m *machine) {
			m.app()
			m.get()
			m.write("go.work", "go 1.26.0\n\nuse ./app\n")
			m.t.Setenv("GOWORK", filepath.Join(m.dir, "go.work"))
		}, "module cache"},
		{"a vendor folder", func(m *machine) {
			m.app()
			m.get()
			m.goCommand("mod", "vendor")
			m.t.Setenv("GOFLAGS", "-mod=vendor")
		}, "module cache"},
		{"a subfolder of the app", func(m *machine) {
			m.app()
			m.get()
			m.write("app/infra/deep/cdk.json", "{}")
			m.in("app/infra/deep")
		}, "module cache"},
		{"GOFLAGS=-mod=mod without network", func(m *machine) {
			m.app()
			m.get()
			dir, err := ModuleDir("", ownModule)
			if err != nil {
				m.t.Fatal(err)
			}
			if _, err := build(Own(dir, "arm64", "claims"), m.t.TempDir()); err != nil { // as on the first synth
				m.t.Fatal(err)
			}
			m.t.Setenv("GOFLAGS", "-mod=mod")
			m.t.Setenv("GOPROXY", "off")
		}, "module cache"},
		{"settings that are meant for the app", func(m *machine) {
			m.app()
			m.get()
			m.t.Setenv("GOFLAGS", "-tags=integration -gcflags=all=-N")
			m.t.Setenv("GOARM64", "v8.2")
			m.t.Setenv("GOOS", "windows")
			m.t.Setenv("GOARCH", "386")
		}, "module cache"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.prepare(m)
			dir, err := ModuleDir("", ownModule)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(dir, c.from) {
				t.Errorf("the source was found in %s, want it from %s", dir, c.from)
			}
			if info, err := os.Stat(dir); c.from == "module cache" && (err != nil || info.Mode().Perm()&0o222 != 0) {
				t.Errorf("%s has mode %v (%v), want a read-only folder", dir, info.Mode(), err)
			}
			got, err := build(Own(dir, "arm64", "claims"), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if got.CRC32 != want.CRC32 || got.Size != want.Size {
				t.Error("the binary differs from the one built in this checkout")
			}
			if _, err := build(User("example.org/app/cmd/backend", "arm64"), t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVendoredAppWithoutModulesIsToldWhatIsMissing(t *testing.T) {
	m := newMachine(t)
	m.app()
	m.get()
	m.goCommand("mod", "vendor")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOPROXY", "off")
	dir, err := ModuleDir("", ownModule)
	if err == nil || !strings.Contains(err.Error(), "go mod download "+ownModule) {
		t.Errorf("got %q, %v; want an error that says how to get the source", dir, err)
	}
}

// What a user with private modules sets must reach the go command.
func TestEnvironmentPassesThrough(t *testing.T) {
	bin, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
	script := "#!/bin/sh\nenv > '" + seen + "'\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	settings := []string{"GOPRIVATE", "GOPROXY", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOAUTH", "GOINSECURE", "GOVCS", "GOTOOLCHAIN",
		"GOFIPS140", "GOMODCACHE", "GOCACHE", "NETRC", "SSH_AUTH_SOCK", "HTTPS_PROXY", "NO_PROXY"}
	for _, name := range settings {
		t.Setenv(name, "the user's "+name)
	}
	for _, p := range []Programs{Own(t.TempDir(), "arm64", "claims"), User("./backend", "arm64")} {
		if _, err := build(p, t.TempDir()); err == nil {
			t.Fatal("the go command was not the one on PATH")
		}
		environment, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range settings {
			if !strings.Contains("\n"+string(environment), "\n"+name+"=the user's "+name+"\n") {
				t.Errorf("%s: %s does not reach the go command", p, name)
			}
		}
	}
}
