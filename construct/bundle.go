package construct

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// This file builds Go programs for Lambda and knows nothing of CDK. They are built before CDK sees the asset, instead of
// in a bundling callback: an error of the compiler stays a Go error, no Docker image has to be named, and CDK's cache of
// bundled assets, which is keyed by source folder, cannot hand one policy's files to another.

// modulePath is this module, found in whatever module the app is built in.
const modulePath = "github.com/claimsmith/claimsmith"

// program is a main package to be built for Lambda.
type program struct {
	name string   // for messages
	dir  string   // where the go command runs: its module's go.mod and go.sum apply. Empty: the working directory
	pkg  string   // import path or ./path within dir
	arch string   // GOARCH
	env  []string // beyond the process's own environment
	args []string // further arguments of go build
}

// ownMain is one of the main packages in this module's lambda folder. It is built in its own module, with the go.sum
// that lists what it needs: the app's go.sum lacks that, since nothing the app imports needs it.
func ownMain(dir, folder, arch string) program {
	return program{
		name: "lambda/" + folder,
		dir:  dir,
		pkg:  "./lambda/" + folder,
		arch: arch,
		// The app's workspace, and a -mod in its GOFLAGS, are made for other modules.
		env:  []string{"GOWORK=off"},
		args: []string{"-mod=readonly"},
	}
}

// userMain is a main package of the app, built in the app's module or workspace.
func userMain(pkg, arch string) program { return program{name: pkg, pkg: pkg, arch: arch} }

// moduleDir is the folder with this module's source: a checkout, a replacement, or the read-only module cache.
// Unlike the position of this file in the binary's debug information it is right under -trimpath and vendoring.
var moduleDir = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", modulePath)
	out, err := run(cmd)
	if err != nil {
		return "", fmt.Errorf("construct: cannot find the source of %s, which holds the Lambda functions: %w\n"+
			"synth must run in the folder of a Go module that requires it", modulePath, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("construct: the source of %s is not in the module cache: run go mod download %s", modulePath, modulePath)
	}
	return dir, nil
})

// built holds the binaries built by this process, so that several functions, and several apps in one test binary, share
// one build. The key is the working directory and the command.
var built sync.Map // string → func() ([]byte, error)

// buildOnce returns the program's binary, built now or earlier.
func buildOnce(p program) ([]byte, error) {
	working, err := os.Getwd() // p.pkg may be relative to it
	if err != nil {
		return nil, fmt.Errorf("construct: building %s: %w", p.name, err)
	}
	once, _ := built.LoadOrStore(working+"\n"+p.rerun(), sync.OnceValues(func() ([]byte, error) { return p.build(os.Stderr) }))
	return once.(func() ([]byte, error))()
}

// build compiles and links. The flags make the bytes the same in every folder, commit and module cache: no paths, no
// version-control stamp, no build id. lambda.norpc leaves out the entry point of the retired go1.x runtime.
func (p program) build(progress io.Writer) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "claimsmith-build-")
	if err != nil {
		return nil, fmt.Errorf("construct: building %s: %w", p.name, err)
	}
	defer os.RemoveAll(scratch)
	output := filepath.Join(scratch, "bootstrap")

	fmt.Fprintf(progress, "claimsmith: building %s (linux/%s)…", p.name, p.arch)
	start := time.Now()
	cmd := exec.Command("go", p.arguments(output)...)
	cmd.Env = append(os.Environ(), p.environment()...)
	if _, err := run(cmd); err != nil {
		fmt.Fprintln(progress, " failed")
		return nil, fmt.Errorf("construct: building %s for linux/%s: %w\nto see it again: %s", p.name, p.arch, err, p.rerun())
	}
	fmt.Fprintf(progress, " %.1fs\n", time.Since(start).Seconds())

	binary, err := os.ReadFile(output)
	if err != nil {
		return nil, fmt.Errorf("construct: building %s: %w", p.name, err)
	}
	// go build writes an archive when the package is not called main.
	if !bytes.HasPrefix(binary, []byte("\x7fELF")) {
		return nil, fmt.Errorf("construct: building %s: %s is not a main package: name the one with func main", p.name, p.pkg)
	}
	return binary, nil
}

func (p program) arguments(output string) []string {
	args := []string{"build"}
	if p.dir != "" {
		args = append(args, "-C", p.dir)
	}
	args = append(args, "-o", output, "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-tags=lambda.norpc")
	return append(append(args, p.args...), p.pkg)
}

func (p program) environment() []string {
	return append([]string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + p.arch}, p.env...)
}

// rerun is the command as one would type it in a POSIX shell.
func (p program) rerun() string {
	words := append(p.environment(), "go")
	for _, a := range p.arguments(os.DevNull) {
		if strings.ContainsAny(a, " '\"$\\") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
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

// assetFile is one file of a function's asset.
type assetFile struct {
	name    string
	content []byte
	mode    os.FileMode
}

// writeFiles writes the files into a folder below root and returns it. The folder is named after what it holds, so that
// writing again changes nothing and different contents never meet.
func writeFiles(root, label string, files []assetFile) (string, error) {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%s %o %d\n", f.name, f.mode, len(f.content))
		sum.Write(f.content)
	}
	dir := filepath.Join(root, label+"-"+hex.EncodeToString(sum.Sum(nil))[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("construct: writing the asset of %s: %w", label, err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, f.content, f.mode); err != nil {
			return "", fmt.Errorf("construct: writing the asset of %s: %w", label, err)
		}
		// The mode ends up in the zip, so the umask must not decide it.
		if err := os.Chmod(path, f.mode); err != nil {
			return "", fmt.Errorf("construct: writing the asset of %s: %w", label, err)
		}
	}
	return dir, nil
}
