// Package gobuild builds Go programs for Lambda and packs them into zip files whose bytes depend on nothing but what is
// in them: not on the folder, the commit, the user or the operating system. It knows nothing of CDK.
//
// Programs are built before CDK sees the asset, instead of in a bundling callback: an error of the compiler stays a Go
// error, no Docker image has to be named, and CDK's cache of bundled assets, which is keyed by source folder, cannot
// hand one policy's files to another.
package gobuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bootstrap is the name that Lambda's provided runtimes expect of a program.
const Bootstrap = "bootstrap"

// Programs are main packages that are built for Lambda by one go command, which costs hardly more than building one of
// them when nothing has changed.
type Programs struct {
	Dir  string   // where the go command runs: its module's go.mod and go.sum apply. Empty: the working directory
	Pkgs []string // import paths, or paths within Dir. Their labels differ
	Arch string   // GOARCH
	Env  []string // beyond the process's own environment
	Args []string // further arguments of go build
}

// Own are main packages in the lambda folder of the module in dir. They are built in that module, with the go.sum that
// lists what they need: the app's go.sum lacks that, since nothing the app imports needs it.
func Own(dir, arch string, folders ...string) Programs {
	p := Programs{
		Dir:  dir,
		Arch: arch,
		Env: []string{
			// The app's workspace, and what GOFLAGS says of modules, tags and compilers, are made for the app.
			"GOWORK=off", "GOFLAGS=" + ownFlags(os.Getenv("GOFLAGS")),
			// The least that Lambda's processors have, so that the bytes are the same for everybody.
			"GOARM64=v8.0", "GOAMD64=v1",
		},
		Args: []string{"-mod=readonly"},
	}
	for _, f := range folders {
		p.Pkgs = append(p.Pkgs, "./lambda/"+f)
	}
	return p
}

// ownFlags is what remains of the user's GOFLAGS: whether downloaded modules can be deleted. It is never empty, which
// to the go command would mean the value saved by go env -w.
func ownFlags(flags string) string {
	const keep, neutral = "-modcacherw", "-trimpath"
	if slices.Contains(strings.Fields(flags), keep) {
		return keep
	}
	return neutral
}

// User is a main package of the app, built in the app's module or workspace with all of the app's settings.
func User(pkg, arch string) Programs { return Programs{Pkgs: []string{pkg}, Arch: arch} }

// ModuleDir is the folder with the source of a module that is required by the one which dir is in: a checkout, a
// replacement, or the read-only module cache. An empty dir is the working directory. Unlike the position of a source
// file in the binary's debug information it is right under -trimpath and vendoring.
func ModuleDir(dir, path string) (string, error) {
	cmd := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = dir
	out, err := run(cmd)
	if err != nil {
		return "", fmt.Errorf("cannot find the source of %s, which holds the Lambda functions: %w\n"+
			"synth must run in the folder of a Go module that requires it, with its source downloaded (a vendor folder does not hold "+
			"the functions): go mod download %s", path, err, path)
	}
	found := strings.TrimSpace(string(out))
	if found == "" {
		return "", fmt.Errorf("the source of %s, which holds the Lambda functions, is not in the module cache (a vendor folder does "+
			"not hold them): run go mod download %s", path, path)
	}
	return found, nil
}

// inProcess holds what this process has built, so that several functions, and several apps in one test binary, share one
// build. The key is the folder that the command runs in, and the command.
var inProcess sync.Map // string → func() (map[string]File, error)

// Build returns the programs by their labels, each as a file called bootstrap, ready to be zipped. Progress is told on
// standard error. It may be called concurrently.
//
// cache is a folder that outlives the process: what was built there before is reused when the go command finds that
// nothing it was made of has changed.
func (p Programs) Build(cache string) (map[string]File, error) {
	dir := p.Dir
	if dir == "" {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return nil, fmt.Errorf("building %s: %w", p, err)
		}
	}
	once, _ := inProcess.LoadOrStore(dir+"\n"+p.rerun(),
		sync.OnceValues(func() (map[string]File, error) { return p.build(cache, os.Stderr) }))
	return once.(func() (map[string]File, error))()
}

func (p Programs) build(cache string, progress io.Writer) (_ map[string]File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("building %s for linux/%s: %w\nto see it again: %s", p, p.Arch, err, p.rerun())
		}
	}()
	dir := filepath.Join(cache, p.key())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}

	// The go command links again only when the id in the binary differs from that of a new build, and would take one that
	// an interrupted build left half written. So the records are moved away first, and a binary without one is not trusted.
	before := map[string]record{}
	for _, label := range p.labels() {
		path := filepath.Join(dir, label)
		if r, ok := readRecord(path + recorded); ok && os.Rename(path+recorded, path+pending) == nil {
			before[label] = r
		} else {
			os.Remove(path + recorded)
			os.Remove(path)
		}
	}
	if err := p.compile(dir, progress); err != nil {
		return nil, err
	}
	built := map[string]File{}
	for _, label := range p.labels() {
		if built[label], err = collect(filepath.Join(dir, label), before[label]); err != nil {
			return nil, err
		}
	}
	return built, nil
}

// record is what a finished build leaves beside the binary.
type record struct {
	Binary string // SHA-256
	File   File
}

const recorded, pending = ".gob", ".building.gob"

// collect is the binary that the go command has put there, taken from the record when that is of the same one.
func collect(path string, before record) (File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	// go build writes an archive when the package is not called main.
	if !bytes.HasPrefix(content, []byte(elfMagic)) {
		return File{}, errors.New("it is not a main package: name the one with func main")
	}
	hash := sum(content)
	if before.Binary == hash {
		return before.File, os.Rename(path+pending, path+recorded)
	}
	after := record{hash, NewFile(Bootstrap, content, 0o755)}
	return after.File, after.write(path + recorded)
}

func readRecord(path string) (r record, ok bool) {
	data, err := os.ReadFile(path)
	return r, err == nil && gob.NewDecoder(bytes.NewReader(data)).Decode(&r) == nil
}

func (r record) write(path string) error {
	var b bytes.Buffer
	return errors.Join(gob.NewEncoder(&b).Encode(r), os.WriteFile(path, b.Bytes(), 0o644))
}

// flags are those of go build. They make the bytes the same in every folder, commit and module cache: no paths and no
// version-control stamp. The build id stays, since by it the go command knows what is up to date; it is made of what
// goes into the binary. lambda.norpc leaves out the entry point of the retired go1.x runtime.
var flags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=lambda.norpc"}

func (p Programs) compile(dir string, progress io.Writer) error {
	cmd := exec.Command("go", p.arguments(p.output(dir))...)
	cmd.Env = append(os.Environ(), p.environment()...)

	told := announce(progress, fmt.Sprintf("claimsmith: building %s (linux/%s)…", p, p.Arch))
	_, err := run(cmd)
	told(err)
	return err
}

// output is where go build puts the programs, each under its label.
func (p Programs) output(dir string) string {
	if labels := p.labels(); len(labels) == 1 {
		return filepath.Join(dir, labels[0])
	}
	return dir + string(filepath.Separator) // a folder: go build names them after their own
}

// announce prints what is going on as soon as it takes long enough for a person to wonder. The function that it returns
// ends the line.
func announce(progress io.Writer, doing string) (done func(error)) {
	const patience = 300 * time.Millisecond
	start := time.Now()
	var printing sync.Mutex
	printed := false
	timer := time.AfterFunc(patience, func() {
		printing.Lock()
		defer printing.Unlock()
		fmt.Fprint(progress, doing)
		printed = true
	})
	return func(err error) {
		stopped := timer.Stop()
		printing.Lock()
		defer printing.Unlock()
		switch {
		case stopped || !printed:
		case err != nil:
			fmt.Fprintln(progress, " failed")
		default:
			fmt.Fprintf(progress, " %.1fs\n", time.Since(start).Seconds())
		}
	}
}

func (p Programs) arguments(output string) []string {
	args := []string{"build"}
	if p.Dir != "" {
		args = append(args, "-C", p.Dir)
	}
	args = append(args, "-o", output)
	return slices.Concat(args, flags, p.Args, p.Pkgs)
}

func (p Programs) environment() []string {
	return append([]string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + p.Arch}, p.Env...)
}

func (p Programs) labels() []string {
	var labels []string
	for _, pkg := range p.Pkgs {
		labels = append(labels, Label(pkg))
	}
	return labels
}

// String names the programs in messages.
func (p Programs) String() string { return strings.Join(p.Pkgs, " and ") }

// key names the programs' folder in the cache. Programs of the same key would only rebuild each other's binary.
func (p Programs) key() string {
	return strings.Join(p.labels(), "-") + "-" + p.Arch + "-" + sum(fmt.Appendf(nil, "%q %q %q", p.Pkgs, p.environment(), p.Args))[:16]
}

// rerun is the command as one would type it in a POSIX shell.
func (p Programs) rerun() string {
	words := append(p.environment(), "go")
	for _, a := range p.arguments(os.DevNull) {
		if strings.ContainsAny(a, " '\"$\\") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// Label is a file name for a package: the last element of its path, on any operating system.
func Label(pkg string) string {
	elements := strings.FieldsFunc(pkg, func(r rune) bool { return r == '/' || r == '\\' })
	if len(elements) == 0 || strings.Trim(elements[len(elements)-1], ".") == "" {
		return "main" // "." and the like
	}
	return elements[len(elements)-1]
}

// run returns the standard output; its error has everything that the command wrote to standard error.
func run(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New(`the go command is not on PATH: install Go from https://go.dev/dl and run synth again`)
	case err != nil:
		return nil, fmt.Errorf("%w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
