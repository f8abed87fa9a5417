package gobuild

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/gob"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/internal/publish"
)

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

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

func appIn(dir, arch string) Programs { return Programs{Dir: dir, Pkgs: []string{"."}, Arch: arch} }

// build builds one program in silence.
func build(p Programs, cache string) (File, error) {
	built, err := p.build(cache, io.Discard)
	return built[p.labels()[0]], err
}

// unpack returns what Lambda finds in a zip file, as one would list it, and the content of the first file.
func unpack(t *testing.T, path string) (listing []string, first []byte) {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, f := range r.File {
		listing = append(listing, f.Mode().String()+" "+f.Name)
		if i > 0 {
			continue
		}
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if first, err = io.ReadAll(opened); err != nil { // verifies the checksum
			t.Fatal(err)
		}
	}
	return listing, first
}

func content(t *testing.T, f File) []byte {
	t.Helper()
	path, err := WriteZip(t.TempDir(), "test", []File{f})
	if err != nil {
		t.Fatal(err)
	}
	_, content := unpack(t, path)
	return content
}

func elfMachine(t *testing.T, f File) elf.Machine {
	t.Helper()
	binary, err := elf.NewFile(bytes.NewReader(content(t, f)))
	if err != nil {
		t.Fatal(err)
	}
	return binary.Machine
}

func TestBuildFollowsTheArchitectureAndNotTheFolder(t *testing.T) {
	t.Parallel()
	for arch, want := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			first, err := build(appIn(writeModule(t, hello), arch), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if got := elfMachine(t, first); got != want {
				t.Errorf("built for %v, want %v", got, want)
			}
			second, err := build(appIn(writeModule(t, hello), arch), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.Deflated, second.Deflated) {
				t.Error("the same source in another folder gave another binary")
			}
		})
	}
}

// What the cache may never do is hand out a binary of other source, or a half written one.
func TestCacheIsUsedOnlyWhenNothingHasChanged(t *testing.T) {
	t.Parallel()
	const helper = "package helper\n\nfunc Text() string { return \"one\" }\n"
	dir, cache := writeModule(t, "package main\n\nimport \"example.org/app/helper\"\n\nfunc main() { println(helper.Text()) }\n"), t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	rebuild := func() File {
		t.Helper()
		f, err := build(appIn(dir, "arm64"), cache)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	write("helper/helper.go", helper)
	first := rebuild()
	binary := filepath.Join(cache, appIn(dir, "arm64").key(), "main")

	// Whether the record is used shows in what comes back when it is another's.
	forge := func(f File) {
		t.Helper()
		var b bytes.Buffer
		r := record{Binary: sum(content(t, first)), File: f}
		if err := errors.Join(gob.NewEncoder(&b).Encode(r), os.WriteFile(binary+recorded, b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	marked := first
	marked.Name = "from the record"
	forge(marked)
	if got := rebuild(); got.Name != marked.Name {
		t.Error("nothing has changed, and yet it was built again")
	}

	forge(marked)
	write("helper/helper.go", strings.Replace(helper, "one", "two", 1))
	second := rebuild()
	if second.Name != Bootstrap || !bytes.Contains(content(t, second), []byte("two")) {
		t.Error("a package that the program imports has changed, and yet the old binary was used")
	}

	write("helper/helper.go", helper)
	if got := rebuild(); got.CRC32 != first.CRC32 {
		t.Error("the first source again gave another binary than at first")
	}

	// An interrupted build leaves no record. The go command would take this binary, since the id in it is right.
	if err := errors.Join(os.Remove(binary+recorded), os.Truncate(binary, 100<<10)); err != nil {
		t.Fatal(err)
	}
	if got := rebuild(); got.CRC32 != first.CRC32 {
		t.Error("a half written binary was used")
	}
	// A record that is cut off counts as none.
	if err := errors.Join(os.Truncate(binary+recorded, 10), os.Truncate(binary, 100<<10)); err != nil {
		t.Fatal(err)
	}
	if got := rebuild(); got.CRC32 != first.CRC32 {
		t.Error("a half written binary with a damaged record was used")
	}
}

func TestBuildErrorsTellWhatTheCompilerSaidAndHowToSeeItAgain(t *testing.T) {
	t.Parallel()
	dir := writeModule(t, "package main\n\nfunc main() { undefined() }\n")
	p := Own(dir, "arm64")
	p.Pkgs = []string{"."}
	_, err := build(p, t.TempDir())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"building . for linux/arm64: exit status 1\n",
		"main.go:3:15: undefined: undefined\n",
		"\nto see it again: CGO_ENABLED=0 GOOS=linux GOARCH=arm64 GOWORK=off GOFLAGS=" + ownFlags(os.Getenv("GOFLAGS")) + " GOARM64=v8.0 GOAMD64=v1 go build " +
			"-C '" + dir + "' -o " + os.DevNull + " -trimpath -buildvcs=false '-ldflags=-s -w' -tags=lambda.norpc -mod=readonly .",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks\n\t%s\nin\n%v", want, err)
		}
	}
}

func TestProgressIsToldWhenSomebodyMightWonder(t *testing.T) {
	t.Parallel()
	var quick bytes.Buffer
	announce(&quick, "building")(nil)
	if quick.Len() > 0 {
		t.Errorf("a build that takes no time was announced: %q", &quick)
	}
	for _, c := range []struct {
		err  error
		want string
	}{{nil, "s\n"}, {errors.New("x"), " failed\n"}} {
		out := make(chan string, 2)
		done := announce(writerFunc(func(p []byte) { out <- string(p) }), "building…")
		if got := <-out; got != "building…" {
			t.Errorf("got %q", got)
		}
		done(c.err)
		if got := <-out; !strings.HasSuffix(got, c.want) {
			t.Errorf("got %q, want it to end with %q", got, c.want)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestPackageWithoutMainIsRefused(t *testing.T) {
	t.Parallel()
	_, err := build(appIn(writeModule(t, "package app\n"), "arm64"), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "building . for linux/arm64: it is not a main package: name the one with func main") {
		t.Errorf("got %v", err)
	}
}

func TestMissingGoCommandIsExplained(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := build(appIn(t.TempDir(), "arm64"), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "the go command is not on PATH: install Go from https://go.dev/dl") {
		t.Errorf("got %v", err)
	}
}

func TestProgramIsBuiltOncePerProcess(t *testing.T) {
	dir := writeModule(t, hello)
	first, err := appIn(dir, "arm64").Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	second, err := appIn(dir, "arm64").Build(t.TempDir())
	if err != nil || &first["main"].Deflated[0] != &second["main"].Deflated[0] {
		t.Errorf("the second build did not share the first one's binary (%v)", err)
	}
}

func TestZipHoldsExactlyTheFilesWithTheirModesAndNoTimes(t *testing.T) {
	t.Parallel()
	files := []File{NewFile(Bootstrap, []byte("x"), 0o755), NewFile("policy.json", []byte("{}"), 0o644)}
	path, err := WriteZip(t.TempDir(), "claims", files)
	if err != nil {
		t.Fatal(err)
	}
	listing, first := unpack(t, path)
	if want := []string{"-rwxr-xr-x bootstrap", "-rw-r--r-- policy.json"}; !slices.Equal(listing, want) || string(first) != "x" {
		t.Errorf("got %q with %q, want %q", listing, first, want)
	}
	folder := t.TempDir()
	if err := Unpack(folder, files...); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(folder, Bootstrap)); err != nil || string(content) != "x" {
		t.Errorf("unpacked %q, %v", content, err)
	}
	if info, err := os.Stat(filepath.Join(folder, Bootstrap)); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("Lambda could not run the unpacked file: %v, %v", info, err)
	}
	again, err := WriteZip(t.TempDir(), "claims", files)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) || filepath.Base(path) != filepath.Base(again) {
		t.Error("the same files gave different zips")
	}
	files[1] = NewFile("policy.json", []byte("{ }"), 0o644)
	if other, err := WriteZip(filepath.Dir(path), "claims", files); err != nil || other == path {
		t.Errorf("different files share %s (%v)", other, err)
	}
}

// The functions that users deploy: right architecture, small, and the same bytes from a clone in another folder.
func TestOwnFunctionsAreSmallAndReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both functions twice")
	}
	t.Parallel()
	clone := filepath.Join(t.TempDir(), "a clone")
	if err := publish.Copy(checkout(t), clone); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"claims", "claimslookup", "authorizer"} {
		here, err := build(Own(checkout(t), "arm64", name), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if got := elfMachine(t, here); got != elf.EM_AARCH64 {
			t.Errorf("%s: built for %v, want arm64", name, got)
		}
		const limit = 6_000_000
		if size := len(here.Deflated); size > limit {
			t.Errorf("%s: the zip has %d bytes, want at most %d", name, size, limit)
		}
		there, err := build(Own(clone, "arm64", name), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(here.Deflated, there.Deflated) {
			t.Errorf("%s: a clone in another folder gave another binary", name)
		}
	}
}

func TestModuleIsFoundFromModulesThatRequireItAlone(t *testing.T) {
	t.Parallel()
	dir, err := ModuleDir("", ownModule)
	if err != nil || dir != checkout(t) {
		t.Errorf("got %s (%v), want this checkout", dir, err)
	}
	_, err = ModuleDir(writeModule(t, hello), ownModule)
	if err == nil || !strings.Contains(err.Error(), ownModule) || !strings.Contains(err.Error(), "synth must run in the folder of a Go module that requires it") {
		t.Errorf("from a module that does not require it: got %v", err)
	}
}

func TestPrebuiltProgramsAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	built, err := build(appIn(writeModule(t, hello), "arm64"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, text := filepath.Join(dir, "claims"), filepath.Join(dir, "claims.txt")
	if err := errors.Join(os.WriteFile(program, content(t, built), 0o600), os.WriteFile(text, []byte("MZ"), 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := Prebuilt(program, "arm64")
	if err != nil || got.CRC32 != built.CRC32 || got.Name != Bootstrap || got.Mode != 0o755 {
		t.Errorf("got %s with mode %v (%v), want the program as bootstrap with mode 0755", got.Name, got.Mode, err)
	}
	for _, c := range []struct{ path, arch, want string }{
		{program, "amd64", program + " is built for EM_AARCH64, but the function runs on EM_X86_64: build it with GOOS=linux GOARCH=amd64"},
		{text, "arm64", text + " is not a program for Linux: build it with GOOS=linux GOARCH=arm64"},
	} {
		if _, err := Prebuilt(c.path, c.arch); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if _, err := Prebuilt(filepath.Join(dir, "none"), "arm64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that is fs.ErrNotExist", err)
	}
}

// Labels are file names on the host, which may be any, of packages that are named as on Windows or elsewhere.
func TestLabels(t *testing.T) {
	t.Parallel()
	for pkg, want := range map[string]string{
		"./backend": "backend", `.\cmd\backend`: "backend", `C:\My App\backend`: "backend", "example.org/app/backend/": "backend",
		".": "main", "..": "main", "./...": "main", `..\`: "main", "": "main",
	} {
		if got := Label(pkg); got != want {
			t.Errorf("%q: got %q, want %q", pkg, got, want)
		}
	}
}

func TestItCompilesOnOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library for other systems")
	}
	t.Parallel()
	for _, system := range []string{"windows/amd64", "darwin/arm64", "linux/arm64"} {
		if system == runtime.GOOS+"/"+runtime.GOARCH {
			continue
		}
		goos, goarch, _ := strings.Cut(system, "/")
		cmd := exec.Command("go", "vet", ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", system, err, out)
		}
	}
}

// BenchmarkUnchanged is what a synth spends on bundling both functions when nothing has changed since the last one. Of
// what a process does once, only finding the module is included.
func BenchmarkUnchanged(b *testing.B) {
	cache := b.TempDir()
	synth := func() {
		dir, err := ModuleDir("", ownModule)
		if err != nil {
			b.Fatal(err)
		}
		programs, err := Own(dir, "arm64", "claims", "authorizer").build(cache, io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		for name, program := range programs {
			if _, err := WriteZip(cache, name, []File{program, NewFile("policy.json", []byte("{}"), 0o644)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	synth() // the first, with all the work
	for b.Loop() {
		synth()
	}
}

// make sbom says what deployed binaries are made of, so it has to build the same.
func TestMakefileBuildsTheSame(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(makefile), "\nsbom:")
	recipe, _, _ = strings.Cut(recipe, "\n.PHONY")
	for _, flag := range append([]string{"CGO_ENABLED=0 GOOS=linux"}, flags...) {
		if !strings.Contains(strings.ReplaceAll(recipe, "'", ""), flag) {
			t.Errorf("make sbom builds without %s", flag)
		}
	}
}
