package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// finding is what a checker has to say against a template.
type finding struct {
	file string // its base name
	rule string
	text string // for people
}

// A checker is a program that looks at templates.
type checker struct {
	name string
	path string // where make validate puts it
	// check returns every finding in the files.
	check func(path string, files []string) ([]finding, error)
}

const installed = "../../build/validate"

var checkers = []checker{
	{"cfn-lint", filepath.Join(installed, "venv", "bin", "cfn-lint"), cfnLint},
	{"cfn-guard", guardPath(), cfnGuard},
	{"checkov", filepath.Join(installed, "venv", "bin", "checkov"), checkov},
}

// guardPath is one of the binaries that the npm package ships.
func guardPath() string {
	system := map[string]string{"linux": "ubuntu", "darwin": "macos"}[runtime.GOOS]
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return filepath.Join(installed, "node_modules", "@cdklabs", "cdk-validator-cfnguard", "bin", system, machine, "cfn-guard")
}

// need skips the test on a machine that has no such checker, but never in CI.
func (c checker) need(t *testing.T) {
	t.Helper()
	if exists(c.path) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: run make validate", c.name)
	}
	t.Skipf("NOT CHECKED: %s is not installed; make validate installs it", c.name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// output is what the program prints. The checkers exit with another code when they find something.
func output(name string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	// Checkov's script names its Python in the first line, which is no use in a folder with a blank in its name.
	if python := filepath.Join(filepath.Dir(name), "python"); exists(python) {
		cmd = exec.Command(python, append([]string{name}, args...)...)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "LOG_LEVEL=ERROR") // Checkov's, which otherwise warns that it is offline
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || stdout.Len() == 0 {
		return nil, fmt.Errorf("%s: %v: %s", filepath.Base(name), err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

func decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w in %.500s", err, data)
	}
	return nil
}

func cfnLint(path string, files []string) ([]finding, error) {
	var answer []struct {
		Filename, Message string
		Rule              struct{ ID string }
		Location          struct{ Path []any }
	}
	out, err := output(path, append([]string{"--format", "json", "--"}, files...)...)
	if err == nil {
		err = decode(out, &answer)
	}
	var found []finding
	for _, a := range answer {
		found = append(found, finding{filepath.Base(a.Filename), a.Rule.ID, fmt.Sprint(a.Location.Path, " ", a.Message)})
	}
	return found, err
}

func cfnGuard(path string, files []string) ([]finding, error) {
	args := []string{"validate", "--rules", "rules.guard", "--structured", "--output-format", "json", "--show-summary", "none"}
	for _, f := range files {
		args = append(args, "--data", f)
	}
	var answer []struct {
		Name         string
		NotCompliant []struct {
			Rule struct {
				Name   string
				Checks json.RawMessage
			}
		} `json:"not_compliant"`
		Compliant []string
	}
	out, err := output(path, args...)
	if err == nil {
		err = decode(out, &answer)
	}
	var found []finding
	for _, a := range answer {
		for _, broken := range a.NotCompliant {
			found = append(found, finding{filepath.Base(a.Name), broken.Rule.Name, string(broken.Rule.Checks)})
		}
	}
	if err == nil && len(answer) != len(files) {
		err = fmt.Errorf("cfn-guard looked at %d of %d files", len(answer), len(files))
	}
	return found, err
}

func checkov(path string, files []string) ([]finding, error) {
	args := []string{"--framework", "cloudformation", "--output", "json", "--compact", "--quiet", "--skip-download"}
	for _, f := range files {
		args = append(args, "--file", f)
	}
	var answer struct {
		Summary struct{ Passed int }
		Results struct {
			FailedChecks []struct {
				CheckID   string `json:"check_id"`
				CheckName string `json:"check_name"`
				Resource  string
				FilePath  string `json:"file_path"`
			} `json:"failed_checks"`
		}
	}
	out, err := output(path, args...)
	if err == nil {
		err = decode(out, &answer)
	}
	var found []finding
	for _, f := range answer.Results.FailedChecks {
		found = append(found, finding{filepath.Base(f.FilePath), f.CheckID, f.Resource + ": " + f.CheckName})
	}
	if err == nil && answer.Summary.Passed == 0 {
		err = errors.New("checkov checked nothing")
	}
	return found, err
}

// An exception is a rule that our templates break on purpose.
type exception struct {
	checker, rule string
	file, text    string // where: the file, and the beginning of the text. Empty: anywhere
	why           string
}

const users = "of the API, which is the user's"

var accepted = []exception{
	{checker: "cfn-lint", rule: "W3005", why: "CDK adds DependsOn where a reference would do; it does no harm"},
	{checker: "cfn-guard", rule: "no_implicit_grant", file: "existingPool.Documents.template.json",
		why: "the client is the app's own, with the defaults of CDK"},
	{checker: "checkov", rule: "CKV_AWS_115",
		why: "a limit of the functions' concurrency would refuse sign-ins and requests: it is the user's to set"},
	{checker: "checkov", rule: "CKV_AWS_116",
		why: "Cognito and API Gateway call synchronously, so nothing would ever get to a dead letter queue"},
	{checker: "checkov", rule: "CKV_AWS_117",
		why: "the functions talk to Cognito's public endpoint alone; a VPC, which is the user's choice, adds a NAT gateway to the bill"},
	{checker: "checkov", rule: "CKV_AWS_158",
		why: "CloudWatch encrypts log groups by itself; a key of one's own is the user's choice, and so are its price and its policy"},
	{checker: "checkov", rule: "CKV_AWS_173",
		why: "no secrets are in the environment, and Lambda encrypts it by itself; a key of one's own is the user's choice"},
	{checker: "checkov", rule: "CKV_AWS_111", file: "everything.template.json",
		why: "a function in a VPC manages network interfaces that the service makes, so that no resource can be named"},
	{checker: "checkov", rule: "CKV_AWS_59", file: "Documents.template.json", text: "AWS::ApiGateway::Method.RestApihealthGET",
		why: "the example's GET /health is open to everybody"},
	{checker: "checkov", rule: "CKV_AWS_95", why: users},
	{checker: "checkov", rule: "CKV_AWS_76", why: users},
	{checker: "checkov", rule: "CKV_AWS_120", why: users},
	{checker: "checkov", rule: "CKV_AWS_73", why: users},
}

// covers tells whether the checker's finding is the one that is accepted.
func (e exception) covers(checker string, f finding) bool {
	return e.checker == checker && e.rule == f.rule && (e.file == "" || e.file == f.file) && strings.HasPrefix(f.text, e.text)
}

// isAccepted tells whether the finding is meant; used gets the exceptions that are needed for that.
func isAccepted(checker string, f finding, used map[exception]bool) bool {
	any := false
	for _, e := range accepted {
		if e.covers(checker, f) {
			used[e], any = true, true
		}
	}
	return any
}

// synthExample writes the example app's template, as cdk synth makes it, without building its functions.
func synthExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	config.Context["aws:cdk:bundling-stacks"] = []string{}
	context, err := json.Marshal(config.Context)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./example-app")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+dir, "CDK_CONTEXT_JSON="+string(context))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "Documents.template.json")
}

// Nothing is to be said against any template, but for what is accepted; and what is accepted must still occur.
func TestTemplatesPass(t *testing.T) {
	var golden []string
	for _, pattern := range []string{"*.template.json", "composition/*.template.json"} {
		found, err := filepath.Glob("../../construct/testdata/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("there are no golden templates %s (%v)", pattern, err)
		}
		golden = append(golden, found...)
	}
	files := append(golden, synthExample(t))
	for _, c := range checkers {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			found, err := c.check(c.path, files)
			if err != nil {
				t.Fatal(err)
			}
			used := map[exception]bool{}
			for _, f := range found {
				if !isAccepted(c.name, f, used) {
					t.Errorf("%s: %s: %s", f.file, f.rule, f.text)
				}
			}
			for _, e := range accepted {
				if e.checker == c.name && !used[e] {
					t.Errorf("%s is accepted, but nothing breaks it any more: take it out", e.rule)
				}
			}
		})
	}
}

// template is a golden that tests break.
type template map[string]any

// only is the single resource of that type, or the one of several whose logical id begins so.
func (tpl template) only(t *testing.T, kind, prefix string) (id string, resource map[string]any) {
	t.Helper()
	for name, r := range tpl["Resources"].(map[string]any) {
		if r := r.(map[string]any); r["Type"] == kind && strings.HasPrefix(name, prefix) {
			if resource != nil {
				t.Fatalf("several resources are %s %s…", kind, prefix)
			}
			id, resource = name, r
		}
	}
	if resource == nil {
		t.Fatalf("no resource is %s %s…", kind, prefix)
	}
	return id, resource
}

func (tpl template) properties(t *testing.T, kind, prefix string) map[string]any {
	t.Helper()
	_, resource := tpl.only(t, kind, prefix)
	return resource["Properties"].(map[string]any)
}

const (
	userPool     = "AWS::Cognito::UserPool"
	function     = "AWS::Lambda::Function"
	permission   = "AWS::Lambda::Permission"
	iamPolicy    = "AWS::IAM::Policy"
	v2Authorizer = "AWS::ApiGatewayV2::Authorizer"
)

func trigger(t *testing.T, tpl template) map[string]any {
	t.Helper()
	return tpl.properties(t, userPool, "")["LambdaConfig"].(map[string]any)["PreTokenGenerationConfig"].(map[string]any)
}

// Each of these is a mistake that CDK synthesizes without a word. The checker named must find it, by that rule.
func TestBrokenTemplatesAreFound(t *testing.T) {
	broken := []struct {
		name          string // of the file too
		checker, rule string
		do            func(t *testing.T, tpl template)
	}{
		{"unknown property", "cfn-lint", "E3002", func(t *testing.T, tpl template) { tpl.properties(t, userPool, "")["FeaturePlan"] = "PLUS" }},
		{"bad tier", "cfn-lint", "E3030", func(t *testing.T, tpl template) { tpl.properties(t, userPool, "")["UserPoolTier"] = "PREMIUM" }},
		{"retired runtime", "cfn-lint", "E2531", func(t *testing.T, tpl template) { tpl.properties(t, function, "AuthClaims")["Runtime"] = "go1.x" }},
		{"bad architecture", "cfn-lint", "E3030", func(t *testing.T, tpl template) {
			tpl.properties(t, function, "AuthClaims")["Architectures"] = []any{"aarch64"}
		}},
		{"dangling reference", "cfn-lint", "E1010", func(t *testing.T, tpl template) {
			trigger(t, tpl)["LambdaArn"] = map[string]any{"Fn::GetAtt": []any{"Nothing", "Arn"}}
		}},
		{"wrong trigger version", "cfn-guard", "trigger_version", func(t *testing.T, tpl template) { trigger(t, tpl)["LambdaVersion"] = "V1_0" }},
		{"no trigger function", "cfn-guard", "trigger_function", func(t *testing.T, tpl template) { delete(trigger(t, tpl), "LambdaArn") }},
		{"two triggers", "cfn-guard", "trigger_function", func(t *testing.T, tpl template) {
			tpl.properties(t, userPool, "")["LambdaConfig"].(map[string]any)["PreTokenGeneration"] = "arn:aws:lambda:eu-west-1:123456789012:function:other"
		}},
		{"plan LITE", "cfn-guard", "trigger_plan", func(t *testing.T, tpl template) { tpl.properties(t, userPool, "")["UserPoolTier"] = "LITE" }},
		{"threat protection without PLUS", "cfn-guard", "threat_protection_plan", func(t *testing.T, tpl template) {
			tpl.properties(t, userPool, "")["UserPoolTier"] = "ESSENTIALS"
		}},
		{"no permission for Cognito", "cfn-guard", "trigger_permission", func(t *testing.T, tpl template) {
			id, _ := tpl.only(t, permission, "AuthUserPool")
			delete(tpl["Resources"].(map[string]any), id)
		}},
		{"permission for everybody's pools", "cfn-guard", "permissions_name_their_caller", func(t *testing.T, tpl template) {
			delete(tpl.properties(t, permission, "AuthUserPool"), "SourceArn")
		}},
		{"bad payload version", "cfn-guard", "authorizer_payload", func(t *testing.T, tpl template) {
			tpl.properties(t, v2Authorizer, "")["AuthorizerPayloadFormatVersion"] = "1.0"
		}},
		{"authorizer cache too long", "cfn-guard", "authorizer_ttl", func(t *testing.T, tpl template) {
			tpl.properties(t, v2Authorizer, "")["AuthorizerResultTtlInSeconds"] = 3601
		}},
		{"bad authorizer type", "cfn-guard", "authorizer_type", func(t *testing.T, tpl template) {
			tpl.properties(t, v2Authorizer, "")["AuthorizerType"] = "TOKEN"
		}},
		{"implicit grant", "cfn-guard", "no_implicit_grant", func(t *testing.T, tpl template) {
			tpl.properties(t, "AWS::Cognito::UserPoolClient", "")["AllowedOAuthFlows"] = []any{"code", "implicit"}
		}},
		{"older runtime", "cfn-guard", "functions_run_on_the_current_runtime", func(t *testing.T, tpl template) {
			tpl.properties(t, function, "AuthClaims")["Runtime"] = "provided.al2"
		}},
		{"secret in the environment", "checkov", "CKV_AWS_45", func(t *testing.T, tpl template) {
			tpl.properties(t, function, "AuthClaims")["Environment"].(map[string]any)["Variables"].(map[string]any)["AWS_ACCESS_KEY_ID"] = "AKIAIOSFODNN7EXAMPLE"
		}},
		{"role that may do anything", "checkov", "CKV_AWS_111", func(t *testing.T, tpl template) {
			document := tpl.properties(t, iamPolicy, "AuthClaims")["PolicyDocument"].(map[string]any)
			document["Statement"] = append(document["Statement"].([]any), map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"})
		}},
		{"open REST method", "checkov", "CKV_AWS_59", func(t *testing.T, tpl template) {
			tpl["Resources"].(map[string]any)["Open"] = map[string]any{"Type": "AWS::ApiGateway::Method", "Properties": map[string]any{
				"HttpMethod": "GET", "AuthorizationType": "NONE", "ResourceId": "x", "RestApiId": "y",
			}}
		}},
		{"logs kept for ever", "checkov", "CKV_AWS_66", func(t *testing.T, tpl template) {
			delete(tpl.properties(t, "AWS::Logs::LogGroup", "AuthClaims"), "RetentionInDays")
		}},
	}
	data, err := os.ReadFile("../../construct/testdata/default.template.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string][]string{}
	for _, b := range broken {
		var tpl template
		if err := json.Unmarshal(data, &tpl); err != nil {
			t.Fatal(err)
		}
		b.do(t, tpl)
		text, err := json.Marshal(tpl)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(b.name, " ", "-")+".json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		files[b.checker] = append(files[b.checker], path)
	}
	for _, c := range checkers {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			found, err := c.check(c.path, files[c.name])
			if err != nil {
				t.Fatal(err)
			}
			rules := map[string][]string{}
			for _, f := range found {
				if !isAccepted(c.name, f, map[exception]bool{}) {
					rules[f.file] = append(rules[f.file], f.rule)
				}
			}
			for _, b := range broken {
				if got := fmt.Sprint(rules[strings.ReplaceAll(b.name, " ", "-")+".json"]); b.checker == c.name && !strings.Contains(got, b.rule) {
					t.Errorf("%s: found %s, want %s", b.name, got, b.rule)
				}
			}
		})
	}
}
