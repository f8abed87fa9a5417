// Package snapshot holds the CloudFormation templates of CDK stacks still: a test fails when a change of code, or of a
// dependency, changes what would be deployed, and says where.
//
//	func TestMain(m *testing.M) { snapshot.Main(m) }
//
//	func TestStack(t *testing.T) {
//		app := snapshot.NewApp(t, "../cdk.json", nil)
//		snapshot.Match(t, NewDocumentsStack(app, "Documents"), "testdata/documents.template.json")
//	}
//
// The first run, and every one after a change that is meant, is go test -update; read what it changes before committing
// it. Templates are compared by their values, so line endings and the order of keys do not matter.
//
// A snapshot says that nothing has changed, not that it is right. Assert what must hold, such as that no route is open,
// on its own, with CDK's package assertions.
//
// # What is left out
//
// Whatever differs from run to run although the infrastructure is the same: the hashes of assets, in their keys and paths,
// and the hashes in the logical ids of Lambda versions, which are made of them. They are replaced by ASSET and HASH.
//
// CDK runs in one process of JavaScript, and is not safe for concurrent use: tests that use it must not be parallel.
package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// updateFlag is the flag's name. It is looked up rather than kept, so that it may be another package's, and is
// registered by Main alone: a flag that is registered on import would collide with a test's own of that name.
const updateFlag = "update"

// Main is what TestMain calls. It runs the tests with the flag -update, ends the JavaScript process in which CDK runs,
// and exits. A flag -update that the tests have registered themselves is used as it is.
func Main(m *testing.M) {
	if flag.Lookup(updateFlag) == nil {
		flag.Bool(updateFlag, false, "rewrite the snapshots of CDK stacks")
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// NewApp is a CDK app for tests. It has the context of that cdk.json, which holds the feature flags that the CDK CLI would
// pass and without which templates differ; an empty path means none. The further context wins over the file's.
//
// Functions are not built (the context key aws:cdk:bundling-stacks is empty), which no template depends on; templates
// lack the rule with which CloudFormation checks the version of the bootstrap stack; and the cloud assembly is written
// to a temporary folder.
func NewApp(t testing.TB, cdkJSON string, context map[string]any) awscdk.App {
	t.Helper()
	var config struct{ Context map[string]any }
	if cdkJSON != "" {
		data, err := os.ReadFile(cdkJSON)
		if err == nil {
			err = json.Unmarshal(data, &config)
		}
		if err != nil {
			t.Fatalf("snapshot: reading the context of the CDK CLI: %v", err)
		}
	}
	merged := map[string]any{"aws:cdk:bundling-stacks": []string{}}
	maps.Copy(merged, config.Context)
	maps.Copy(merged, context)
	return awscdk.NewApp(&awscdk.AppProps{
		Context: &merged,
		Outdir:  jsii.String(t.TempDir()),
		DefaultStackSynthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{
			GenerateBootstrapVersionRule: jsii.Bool(false),
		}),
	})
}

// Match compares the stack's template with the one in the file and fails the test with what differs. It fails it as well
// when the app does not synthesize. With the flag -update it writes the file.
func Match(t testing.TB, stack awscdk.Stack, file string) {
	t.Helper()
	got, err := render(stack)
	if err != nil {
		t.Fatalf("snapshot: %s: synth failed: %v", file, err)
		return
	}
	compare(t, got, file, updating())
}

func updating() bool {
	f := flag.Lookup(updateFlag)
	return f != nil && f.Value.String() == "true"
}

func compare(t testing.TB, got []byte, file string, update bool) {
	t.Helper()
	if update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, got, 0o644)); err != nil {
			t.Fatalf("snapshot: %v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("snapshot: there is no %s yet: write it with go test -update (TestMain must call snapshot.Main)", file)
		return
	}
	if err != nil {
		t.Fatalf("snapshot: %v", err)
		return
	}
	difference, err := diff(want, got)
	if err != nil {
		t.Fatalf("snapshot: %s: %v", file, err)
		return
	}
	if difference != "" {
		t.Errorf("the template differs from %s (-file +stack); if that is right, run go test -update:\n%s", file, difference)
	}
}

// render is the stack's template as it is written to a file.
func render(stack awscdk.Stack) (_ []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // CDK panics with an error or with a string
			err = errors.New(strings.TrimSpace(fmt.Sprint(r)))
		}
	}()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(assertions.Template_FromStack(stack, nil).ToJSON()); err != nil {
		return nil, err
	}
	return normalise(b.Bytes()), nil
}

var (
	assetHash = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	// CDK appends a hash of the function to the logical id of its version.
	versionHash = regexp.MustCompile(`(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}\b`)
)

func normalise(template []byte) []byte {
	template = assetHash.ReplaceAll(template, []byte("ASSET"))
	return versionHash.ReplaceAll(template, []byte("${1}HASH"))
}
