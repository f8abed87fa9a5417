package construct_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's example is a whole program: it is built as it stands there and run on the policy that stands there.
func TestREADMEExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		m := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)\n```\n").FindSubmatch(readme)
		if m == nil {
			t.Fatalf("the README has no %s block", language)
		}
		return string(m[1]) + "\n"
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "documents")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if out, err := exec.Command("go", "build", "-o", program, write("main.go", block("go"))).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	synth := func(policy string) (string, error) {
		write("claims.yaml", policy)
		cmd := exec.Command(program)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CDK_OUTDIR="+filepath.Join(dir, "cdk.out"), `CDK_CONTEXT_JSON={"aws:cdk:bundling-stacks":[]}`)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	policy := block("yaml")
	if out, err := synth(policy); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	template, err := os.ReadFile(filepath.Join(dir, "cdk.out", "Documents.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"UserPoolTier": "PLUS"`, `"LambdaVersion": "V2_0"`, `"AuthorizerResultTtlInSeconds": 60`} {
		if !strings.Contains(string(template), want) {
			t.Errorf("the template lacks %s", want)
		}
	}

	// The error that the README shows is the one that is given.
	out, err := synth(strings.Replace(policy, "claims.company_id", "claims.compnay_id", 1))
	if err == nil {
		t.Error("a misspelt claim synthesizes")
	}
	for line := range strings.Lines(block("text")) {
		if !strings.Contains(out, strings.TrimSpace(line)) {
			t.Errorf("the output lacks %q:\n%s", line, out)
		}
	}
}
