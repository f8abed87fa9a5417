package lambda_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/claimsmith/claimsmith/"

// What each package may depend on beside the standard library: our own packages by path, modules by prefix. A package
// that is added to the module must be added here.
var allowed = map[string][]string{
	"lambda":                     {},
	"lambda/policy":              {"cel.dev/", "go.yaml.in/yaml/"},
	"lambda/pretoken":            {"lambda/policy", "lambda/internal/boot", "github.com/aws/aws-lambda-go/"},
	"lambda/lookup":              {"lambda/policy", "lambda/pretoken", "github.com/aws/aws-sdk-go-v2/", "github.com/aws/smithy-go"},
	"lambda/token":               {"github.com/go-jose/go-jose/v4"},
	"lambda/token/tokentest":     {"lambda/token", "github.com/go-jose/go-jose/v4"},
	"lambda/apigw":               {"lambda/policy", "lambda/token", "lambda/internal/boot", "github.com/aws/aws-lambda-go/"},
	"lambda/apigw/backend":       {},
	"lambda/internal/strictjson": {},
	"lambda/internal/boot":       {"lambda/policy", "github.com/aws/aws-lambda-go/"},
	"lambda/claims":              {"lambda/pretoken"},
	"lambda/claimslookup":        {"lambda/pretoken", "lambda/lookup"},
	"lambda/authorizer":          {"lambda/apigw"},
	"construct":                  {"lambda/policy", "github.com/aws/"},
	"example-app":                {"construct", "github.com/aws/"},
	"example-app/backend":        {"lambda/apigw/backend", "github.com/aws/aws-lambda-go/"},
	"example-app/demo":           {},
}

// The table of DESIGN's "Where things live": whatever thinks about claims is free of AWS, and only construct knows the CDK.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(words[0], module)
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is not in the table of allowed imports", pkg)
		}
		for _, path := range words[1:] {
			if own, ok := strings.CutPrefix(path, module); ok {
				if !slices.Contains(may, own) {
					t.Errorf("%s imports %s", pkg, own)
				}
			} else if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") &&
				!slices.ContainsFunc(may, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

// Nothing that is deployed, nor anything that it is made of, may link jsii or the CDK.
func TestFunctionsAreFreeOfTheCDK(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", module+"lambda/...", module+"example-app/backend").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), module+"lambda/policy") {
		t.Fatal("go list found nothing")
	}
	for path := range strings.Lines(string(out)) {
		for _, forbidden := range []string{"github.com/aws/jsii-runtime-go", "github.com/aws/aws-cdk-go", "github.com/aws/constructs-go"} {
			if strings.HasPrefix(path, forbidden) {
				t.Errorf("a function depends on %s", strings.TrimSpace(path))
			}
		}
	}
}
