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
	"lambda":                       {},
	"lambda/policy":                {"lambda/internal/contract", "lambda/internal/expr", "lambda/program", "cel.dev/", "go.yaml.in/yaml/"},
	"lambda/policy/policytest":     {"lambda/policy", "lambda/pretoken", "lambda/program", "lambda/token", "go.yaml.in/yaml/"},
	"lambda/policy/cmd/claimsmith": {"lambda/policy", "lambda/policy/policytest", "lambda/program"},
	"lambda/program":               {"lambda/internal/contract", "lambda/internal/expr"},
	"lambda/internal/contract":     {"lambda/internal/expr"},
	"lambda/internal/expr":         {},
	"lambda/internal/programtest":  {"lambda/policy", "lambda/program"},
	"lambda/pretoken":              {"lambda/internal/strictjson", "lambda/program", "lambda/internal/boot", "lambda/internal/metrics", "lambda/internal/owncode", "github.com/aws/aws-lambda-go/"},
	"lambda/lookup":                {"lambda/program", "lambda/pretoken", "github.com/aws/aws-sdk-go-v2/", "github.com/aws/smithy-go"},
	"lambda/token":                 {"lambda/internal/strictjson", "github.com/go-jose/go-jose/v4"},
	"lambda/token/tokentest":       {"lambda/token", "github.com/go-jose/go-jose/v4"},
	"lambda/apigw":                 {"lambda/internal/boot", "lambda/internal/metrics", "lambda/internal/owncode", "lambda/internal/strictjson", "lambda/program", "lambda/token", "github.com/aws/aws-lambda-go/"},
	"lambda/apigw/corpus":          {},
	"lambda/apigw/apigwtest":       {},
	"lambda/apigw/backend":         {},
	"lambda/internal/strictjson":   {},
	"lambda/internal/owncode":      {},
	"lambda/internal/metrics":      {"lambda/internal/strictjson"},
	"lambda/internal/boot":         {"lambda/internal/metrics", "lambda/program", "github.com/aws/aws-lambda-go/"},
	"lambda/claims":                {"lambda/pretoken"},
	"lambda/claimslookup":          {"lambda/lookup", "lambda/pretoken"},
	"lambda/authorizer":            {"lambda/apigw"},
	"construct":                    {"lambda/policy", "lambda/program", "internal/gobuild", "github.com/aws/"},
	"construct/snapshot":           {"github.com/aws/"},
	// These are free of CDK, so that they build and test in seconds, for other systems too.
	"internal/gobuild":            {},
	"internal/publish":            {},
	"internal/runtimeapi":         {},
	"construct/internal/consumer": {},
	"example-app":                 {"construct", "github.com/aws/"},
	"example-app/backend":         {"lambda/apigw/backend", "github.com/aws/aws-lambda-go/"},
	"example-app/demo":            {},

	// The AWS SDK's signer, and no service of it: see the package comment of pooltrigger.
	"lambda/internal/pooltrigger": {"github.com/aws/aws-lambda-go/", "github.com/aws/aws-sdk-go-v2/aws"},
	"lambda/attach":               {"lambda/internal/pooltrigger", "github.com/aws/aws-lambda-go/", "github.com/aws/aws-sdk-go-v2/aws"},
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

// Nothing that is deployed, nor anything that it is made of, may link jsii or the CDK; and what runs when somebody signs
// in or calls an API has no part of an AWS SDK.
func TestFunctionsLinkNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		packages  []string
		forbidden []string
	}{
		{[]string{"lambda/...", "example-app/backend"},
			[]string{"github.com/aws/jsii-runtime-go", "github.com/aws/aws-cdk-go", "github.com/aws/constructs-go"}},
		// What a policy is written with stays at synth.
		{[]string{"lambda/claims", "lambda/claimslookup", "lambda/authorizer", "example-app/backend"}, []string{
			module + "lambda/policy", "cel.dev/", "google.golang.org/protobuf", "go.yaml.in/yaml"}},
		{[]string{"lambda/claims", "lambda/authorizer", "example-app/backend"}, []string{"github.com/aws/aws-sdk-go", "github.com/aws/smithy-go"}},
		// No profiles, no sign-on, no other service.
		{[]string{"lambda/claimslookup"}, []string{"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/credentials",
			"github.com/aws/aws-sdk-go-v2/service/s"}},
		{[]string{"lambda/attach"}, []string{"github.com/aws/aws-sdk-go-v2/service/", "github.com/aws/aws-sdk-go-v2/config", "cel.dev/"}},
	} {
		args := []string{"list", "-deps"}
		for _, pkg := range c.packages {
			args = append(args, module+pkg)
		}
		out, err := exec.Command("go", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), module) {
			t.Fatal("go list found nothing")
		}
		for path := range strings.Lines(string(out)) {
			for _, forbidden := range c.forbidden {
				if strings.HasPrefix(path, forbidden) {
					t.Errorf("%v depends on %s", c.packages, strings.TrimSpace(path))
				}
			}
		}
	}
}
