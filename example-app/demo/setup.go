package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A workspace is where a run reads and writes.
type workspace struct {
	root   string // the checkout
	venv   string // the Python environment, kept from run to run
	report string // what issue reports and scripts read: the answers as JSON
	dir    string // this run's own files; gone after a run in which all was well
	logs   string // below dir
	tmp    string // below dir: the temporary files of all it starts
}

// newWorkspace makes the folders of a run in the checkout that is the working directory.
func newWorkspace() (*workspace, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "cdk.json")); err != nil {
		return nil, fmt.Errorf("run it in the root of the checkout (there is no cdk.json in %s)", root)
	}
	build := filepath.Join(root, "build")
	if err := os.MkdirAll(build, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(build, "demo-")
	if err != nil {
		return nil, err
	}
	w := &workspace{
		root: root, dir: dir,
		venv:   filepath.Join(build, "venv"),
		report: filepath.Join(build, "demo.json"),
		logs:   filepath.Join(dir, "logs"),
		tmp:    filepath.Join(dir, "tmp"),
	}
	return w, errors.Join(os.Mkdir(w.logs, 0o755), os.Mkdir(w.tmp, 0o755))
}

// clean removes the run's own files.
func (w *workspace) clean() { os.RemoveAll(w.dir) }

func (w *workspace) log(name string) string { return filepath.Join(w.logs, name+".log") }
func (w *workspace) python() string         { return filepath.Join(w.venv, "bin", "python") }
func (w *workspace) cdk() string            { return filepath.Join(w.root, "node_modules", ".bin", "cdk") }

// env is the environment of the programs that a run starts: the caller's without its AWS credentials, profiles and
// endpoints, so that nothing here can reach a real account, and with temporary files inside the checkout.
func (w *workspace) env(more map[string]string) []string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); !strings.HasPrefix(name, "AWS_") {
			env[name] = value
		}
	}
	maps.Copy(env, map[string]string{
		"AWS_CONFIG_FILE":                               filepath.Join(w.dir, "no-aws-config"),
		"AWS_SHARED_CREDENTIALS_FILE":                   filepath.Join(w.dir, "no-aws-credentials"),
		"AWS_EC2_METADATA_DISABLED":                     "true",
		"CDK_DISABLE_CLI_TELEMETRY":                     "true",
		"CDK_HOME":                                      filepath.Join(w.dir, "cdk-home"), // it remembers there which account a key is of
		"JSII_RUNTIME_PACKAGE_CACHE_ROOT":               filepath.Join(w.root, "build", "jsii-cache"),
		"PIP_DISABLE_PIP_VERSION_CHECK":                 "1",
		"TMPDIR":                                        w.tmp,
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", // a banner; the CLI works there
	})
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		env[name] = strings.TrimPrefix(env[name]+",127.0.0.1,localhost", ",")
	}
	maps.Copy(env, more)
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// A tool is a program that must be on the machine already.
type tool struct {
	name    string
	args    []string
	version string // the lowest that will do
	get     string // how to get it
}

var tools = []tool{
	{"go", []string{"env", "GOVERSION"}, "1.26", "see https://go.dev/dl"},
	{"node", []string{"--version"}, "20", "install Node.js 22 or 24, see https://nodejs.org"},
	{"npm", []string{"--version"}, "7", "it comes with Node.js, see https://nodejs.org"},
	{"python3", []string{"-c", "import ensurepip, sys, venv; print(sys.version)"}, "3.10",
		"it needs its modules venv and ensurepip (Debian and Ubuntu: apt-get install python3-venv), see https://www.python.org"},
}

// checkTools says which tools there are, or every tool that is missing or too old and how to get it.
func checkTools(ctx context.Context) (found string, err error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("the demo runs on Linux only, since it runs the Lambdas as Linux processes, and this is %s: use a "+
			"Linux machine, container or virtual machine", runtime.GOOS)
	}
	var all []string
	var missing []string
	for _, t := range tools {
		printed, err := exec.CommandContext(ctx, t.name, t.args...).Output()
		version := firstVersion(string(printed))
		switch {
		case err != nil:
			missing = append(missing, fmt.Sprintf("%s %s or newer (%v): %s", t.name, t.version, err, t.get))
		case compareVersions(version, t.version) < 0:
			missing = append(missing, fmt.Sprintf("%s %s or newer (there is %s): %s", t.name, t.version, version, t.get))
		default:
			all = append(all, t.name+" "+version)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("this machine lacks\n  %s", strings.Join(missing, "\n  "))
	}
	return strings.Join(all, ", "), nil
}

var versionPattern = regexp.MustCompile(`\d+(\.\d+)*`)

func firstVersion(text string) string { return versionPattern.FindString(text) }

// compareVersions compares dotted numbers; a missing part counts as zero.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := cmp.Compare(versionPart(as, i), versionPart(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func versionPart(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, _ := strconv.Atoi(parts[i]) // "" counts as zero too
	return n
}

// installPython makes the private Python environment, unless it is there already from the same requirements.
func (w *workspace) installPython(ctx context.Context) (string, error) {
	requirements := filepath.Join(w.root, "example-app", "demo", "requirements.txt")
	want, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	installed := filepath.Join(w.venv, "installed-requirements.txt") // written last, so it is there only when all is
	if have, err := os.ReadFile(installed); err == nil && bytes.Equal(have, want) {
		return "there already", nil
	}
	if err := os.RemoveAll(w.venv); err != nil {
		return "", err
	}
	venv := command{name: "python3", args: []string{"-m", "venv", w.venv}, env: w.env(nil), log: w.log("python")}
	if _, err := venv.output(ctx); err != nil {
		return "", err
	}
	pip := command{name: w.python(), env: w.env(nil), log: w.log("python"),
		args: []string{"-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements}}
	if _, err := pip.output(ctx); err != nil {
		return "", err
	}
	return "installed", os.WriteFile(installed, want, 0o644)
}

// installCDK installs the pinned CDK CLI, unless that very version is there already.
func (w *workspace) installCDK(ctx context.Context) (string, error) {
	var pinned struct{ DevDependencies map[string]string }
	if err := readJSON(filepath.Join(w.root, "package.json"), &pinned); err != nil {
		return "", err
	}
	want := pinned.DevDependencies["aws-cdk"]
	var installed struct{ Version string }
	if err := readJSON(filepath.Join(w.root, "node_modules", "aws-cdk", "package.json"), &installed); err == nil &&
		installed.Version == want {
		return "aws-cdk " + want + ", there already", nil
	}
	npm := command{name: "npm", args: []string{"ci", "--no-audit", "--no-fund"}, env: w.env(nil), log: w.log("npm")}
	_, err := npm.output(ctx)
	return "aws-cdk " + want, err
}

// synth turns the app into a cloud assembly for this machine, with a policy in which ID tokens end on that day: MiniStack runs
// the Lambdas on the host, so they must be built for its architecture; and it does not know what REST decisions are keyed on,
// so they must not be cached. Everything else in the templates is what a deployment to AWS gets.
func (w *workspace) synth(ctx context.Context, day time.Time) (string, error) {
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if architecture == "" {
		return "", fmt.Errorf("lambda has no architecture %s; it has amd64 and arm64", runtime.GOARCH)
	}
	policy, err := w.writePolicy(day)
	if err != nil {
		return "", err
	}
	cdk := command{name: w.cdk(), env: w.env(nil), log: w.log("synth"),
		args: []string{"synth", "--quiet", "--no-notices", "--output", w.assembly(day), "--context", "policy=" + policy,
			"--context", "architecture=" + architecture, "--context", "authorizerCache=off"}}
	_, err = cdk.output(ctx)
	return "for " + architecture, err
}

// assembly is where synth puts the app with the policy in which ID tokens end on that day.
func (w *workspace) assembly(day time.Time) string {
	return filepath.Join(w.dir, "cdk.out-"+day.Format(time.DateOnly))
}

func readJSON(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
