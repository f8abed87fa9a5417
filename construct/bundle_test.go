package construct

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// writeModule creates a Go module with one main package in the folder "my app".
func writeModule(t *testing.T, source string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my app")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module example.org/app\n\ngo 1.26.0\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func machine(t *testing.T, binary []byte) elf.Machine {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Machine
}

func TestBuildFollowsTheArchitectureAndNotTheFolder(t *testing.T) {
	t.Parallel()
	const source = "package main\n\nfunc main() { println(\"hello\") }\n"
	for arch, want := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			var progress bytes.Buffer
			first, err := program{name: "app", dir: writeModule(t, source), pkg: ".", arch: arch}.build(&progress)
			if err != nil {
				t.Fatal(err)
			}
			if got := machine(t, first); got != want {
				t.Errorf("built for %v, want %v", got, want)
			}
			if got := progress.String(); !strings.HasPrefix(got, "claimsmith: building app (linux/"+arch+")… ") || !strings.HasSuffix(got, "s\n") {
				t.Errorf("progress: %q", got)
			}
			second, err := program{name: "app", dir: writeModule(t, source), pkg: ".", arch: arch}.build(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Error("the same source in another folder gave another binary")
			}
		})
	}
}

func TestBuildErrorsTellWhatTheCompilerSaidAndHowToSeeItAgain(t *testing.T) {
	t.Parallel()
	dir := writeModule(t, "package main\n\nfunc main() { undefined() }\n")
	p := ownMain(dir, ".", "arm64")
	p.pkg = "."
	_, err := p.build(io.Discard)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"construct: building lambda/. for linux/arm64: exit status 1\n",
		"main.go:3:15: undefined: undefined\n",
		"\nto see it again: CGO_ENABLED=0 GOOS=linux GOARCH=arm64 GOWORK=off go build -C '" + dir + "' -o /dev/null -trimpath " +
			"-buildvcs=false '-ldflags=-s -w -buildid=' -tags=lambda.norpc -mod=readonly .",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks\n\t%s\nin\n%v", want, err)
		}
	}
}

func TestPackageWithoutMainIsRefused(t *testing.T) {
	t.Parallel()
	_, err := program{name: "app", dir: writeModule(t, "package app\n"), pkg: ".", arch: "arm64"}.build(io.Discard)
	want := "construct: building app: . is not a main package: name the one with func main"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMissingGoCommandIsExplained(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := program{name: "app", dir: t.TempDir(), pkg: ".", arch: "arm64"}.build(io.Discard)
	if err == nil || !strings.Contains(err.Error(), "the go command is not on PATH: install Go from https://go.dev/dl") {
		t.Errorf("got %v", err)
	}
}

func TestProgramIsBuiltOncePerProcess(t *testing.T) {
	dir := writeModule(t, "package main\n\nfunc main() {}\n")
	p := program{name: "app", dir: dir, pkg: ".", arch: "arm64"}
	first, err := buildOnce(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	second, err := buildOnce(p)
	if err != nil || &first[0] != &second[0] {
		t.Errorf("the second build did not share the first one's binary (%v)", err)
	}
}

func TestAssetFoldersHoldExactlyTheFilesWithTheirModes(t *testing.T) {
	root := t.TempDir()
	files := []assetFile{{"bootstrap", []byte("x"), 0o755}, {"policy.json", []byte("{}"), 0o644}}
	dir, err := writeFiles(root, "claims", files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(dir, f.name))
		if err != nil || info.Mode() != f.mode {
			t.Errorf("%s: mode %v (%v), want %v", f.name, info.Mode(), err, f.mode)
		}
	}
	again, err := writeFiles(root, "claims", files)
	if err != nil || again != dir {
		t.Errorf("the same files went to %s, then to %s (%v)", dir, again, err)
	}
	files[1].content = []byte("{ }")
	other, err := writeFiles(root, "claims", files)
	if err != nil || other == dir {
		t.Errorf("different files share the folder %s (%v)", other, err)
	}
}

// The functions that users deploy: right architecture, small, and the same bytes from a clone in another folder.
func TestOwnFunctionsAreSmallAndReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both functions twice")
	}
	here, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "a clone")
	copySource(t, here, clone)

	for _, name := range []string{"claims", "claimslookup", "authorizer"} {
		binary, err := ownMain(here, name, "arm64").build(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := machine(t, binary); got != elf.EM_AARCH64 {
			t.Errorf("%s: built for %v, want arm64", name, got)
		}
		const limit = 7 << 20
		if size := zipSize(t, binary); size > limit {
			t.Errorf("%s: the zip has %d bytes, want at most %d", name, size, limit)
		}
		fromClone, err := ownMain(clone, name, "arm64").build(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(binary, fromClone) {
			t.Errorf("%s: a clone in another folder gave another binary", name)
		}
	}
}

// copySource copies what the functions are built from.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(to, "lambda"), os.DirFS(filepath.Join(from, "lambda"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// zipSize is the size of what Lambda stores, at the compression level of CDK's asset publisher.
func zipSize(t *testing.T, binary []byte) int {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(binary)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// An app that got Claimsmith with go get has it in the module cache, which is read-only; one with a vendor folder has
// our packages there, but not the Lambdas.
func TestModuleIsFoundFromTheAppsFolder(t *testing.T) {
	t.Parallel()
	dir, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(data), "module "+modulePath+"\n") {
		t.Errorf("%s is not this module (%v)", dir, err)
	}
	cmd := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", modulePath)
	cmd.Dir = writeModule(t, "package main\n\nfunc main() {}\n")
	if _, err := run(cmd); err == nil || !strings.Contains(err.Error(), modulePath) {
		t.Errorf("from a module that does not require it: got %v, want an error that names it", err)
	}
}

func TestIdentitySourcesFollowWhatRulesRead(t *testing.T) {
	t.Parallel()
	everything := policy.Reads{
		Route: true, Method: true, Path: true, SourceIP: true,
		Headers: []string{"authorization", "x-tenant"}, Query: []string{"tenant"},
	}
	for _, c := range []struct {
		name  string
		reads policy.Reads
		ttl   time.Duration
		want  []string
	}{
		{"nothing but the token", policy.Reads{}, time.Minute, []string{"$request.header.Authorization"}},
		{"everything", everything, time.Minute, []string{"$request.header.Authorization", "$context.routeKey", "$context.httpMethod", "$context.path",
			"$context.identity.sourceIp", "$request.header.x-tenant", "$request.querystring.tenant"}},
		{"everything, without a cache", everything, 0, []string{"$request.header.Authorization"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := identitySources(c.reads, c.ttl); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableFileKeepsItsCause(t *testing.T) {
	t.Parallel()
	if _, _, err := PolicyFile("no/such.yaml").read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that is fs.ErrNotExist", err)
	}
	_, _, err := PolicyFile("").read()
	if want := `policy file "": not a path; name the file, as in construct.PolicyFile("claims.yaml")`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
