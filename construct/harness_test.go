package construct_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

var update = flag.Bool("update", false, "rewrite the golden templates in testdata")

// Tests that touch CDK share one JavaScript process and must not run in parallel.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// fixture is an app with one stack, with the feature flags of the repository's cdk.json.
type fixture struct {
	t     *testing.T
	app   awscdk.App
	stack awscdk.Stack
}

// newFixture is an app in which CDK asks for no bundling, which saves the compilation.
func newFixture(t *testing.T) *fixture {
	return newFixtureWith(t, map[string]any{"aws:cdk:bundling-stacks": []string{}})
}

func newFixtureWith(t *testing.T, extra map[string]any) *fixture {
	t.Helper()
	data, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range extra {
		config.Context[k] = v
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &config.Context, Outdir: jsii.String(t.TempDir())})
	stack := awscdk.NewStack(app, jsii.String("Stack"), &awscdk.StackProps{
		Synthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{
			GenerateBootstrapVersionRule: jsii.Bool(false),
		}),
	})
	return &fixture{t, app, stack}
}

// claims is the construct with the design's policy and the attributes that it reads, changed by edit.
func (f *fixture) claims(edit func(*construct.TokenClaimsProps)) construct.TokenClaims {
	props := &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("testdata/claims.yaml"),
		UserPoolProps: &awscognito.UserPoolProps{CustomAttributes: &map[string]awscognito.ICustomAttribute{
			"company_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
			"partner_id": awscognito.NewStringAttribute(&awscognito.StringAttributeProps{Mutable: jsii.Bool(true)}),
		}},
	}
	if edit != nil {
		edit(props)
	}
	auth := construct.NewTokenClaims(f.stack, "Auth", props)
	awscdk.Annotations_Of(auth).AcknowledgeWarning(jsii.String("claimsmith:policy:adminScopeSuppressed"), jsii.String("meant"))
	return auth
}

// claimsOf is the construct with the YAML policy given.
func (f *fixture) claimsOf(yaml string) construct.TokenClaims {
	f.t.Helper()
	return f.claims(func(p *construct.TokenClaimsProps) { p.Policy = construct.PolicyFile(policyFile(f.t, yaml)) })
}

func policyFile(t *testing.T, yaml string) string {
	t.Helper()
	path := t.TempDir() + "/claims.yaml"
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var documentRoutes = []string{"GET /documents", "PUT /documents/{id}", "GET /companies/{companyId}/audit"}

// api is an HTTP API with these routes, all protected by the authorizer.
func (f *fixture) api(id string, authorizer awsapigatewayv2.IHttpRouteAuthorizer, routes ...string) awsapigatewayv2.HttpApi {
	api := awsapigatewayv2.NewHttpApi(f.stack, jsii.String(id), &awsapigatewayv2.HttpApiProps{DefaultAuthorizer: authorizer})
	addRoutes(api, nil, routes...)
	return api
}

func addRoutes(api awsapigatewayv2.HttpApi, authorizer awsapigatewayv2.IHttpRouteAuthorizer, routes ...string) {
	backend := awsapigatewayv2integrations.NewHttpUrlIntegration(jsii.String("Backend"), jsii.String("https://example.com"), nil)
	for _, key := range routes {
		method, path, _ := strings.Cut(key, " ")
		api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: jsii.String(path), Methods: &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod(method)},
			Integration: backend, Authorizer: authorizer,
		})
	}
}

func (f *fixture) template() template {
	f.t.Helper()
	var tpl assertions.Template
	if text := panicText(func() { tpl = assertions.Template_FromStack(f.stack, nil) }); text != "" {
		f.t.Fatalf("synth failed: %s", text)
	}
	return template{f.t, tpl}
}

// synthError is the text with which synth fails.
func (f *fixture) synthError() string {
	f.t.Helper()
	text := panicText(func() { f.app.Synth(nil) })
	if text == "" {
		f.t.Fatal("synth succeeded, want an error")
	}
	return text
}

func (f *fixture) wantSynthError(wants ...string) {
	f.t.Helper()
	text := f.synthError()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			f.t.Errorf("synth error lacks\n\t%s\nin\n%s", want, text)
		}
	}
}

// wantWarning and wantInfo look for an annotation that contains the text on the construct.
func (f *fixture) wantWarning(path, text string) {
	f.t.Helper()
	f.annotation(assertions.Annotations.HasWarning, path, text)
}

func (f *fixture) wantInfo(path, text string) {
	f.t.Helper()
	f.annotation(assertions.Annotations.HasInfo, path, text)
}

func (f *fixture) wantNoAnnotations() {
	f.t.Helper()
	const anything = ".*"
	f.annotation(assertions.Annotations.HasNoWarning, "*", anything)
	f.annotation(assertions.Annotations.HasNoInfo, "*", anything)
}

func (f *fixture) annotation(check func(a assertions.Annotations, path *string, message any), path, text string) {
	f.t.Helper()
	if text != ".*" {
		text = regexp.QuoteMeta(text)
	}
	failure := panicText(func() {
		check(assertions.Annotations_FromStack(f.stack), jsii.String(path), assertions.Match_StringLikeRegexp(jsii.String(text)))
	})
	if failure != "" {
		f.t.Error(failure)
	}
}

// template turns failed assertions, which panic, into failed tests.
type template struct {
	t *testing.T
	assertions.Template
}

func (tpl template) has(resourceType string, properties map[string]any) {
	tpl.t.Helper()
	if text := panicText(func() { tpl.HasResourceProperties(jsii.String(resourceType), properties) }); text != "" {
		tpl.t.Error(text)
	}
}

func (tpl template) count(resourceType string, want int) {
	tpl.t.Helper()
	if text := panicText(func() { tpl.ResourceCountIs(jsii.String(resourceType), jsii.Number(want)) }); text != "" {
		tpl.t.Error(text)
	}
}

// resources are the resources of one type by logical id.
func (tpl template) resources(resourceType string) map[string]map[string]any {
	found := map[string]map[string]any{}
	resources, _ := (*tpl.ToJSON())["Resources"].(map[string]any)
	for id, r := range resources {
		if r := r.(map[string]any); r["Type"] == resourceType {
			found[id] = r
		}
	}
	return found
}

// only is the single resource of its type.
func (tpl template) only(resourceType string) (properties map[string]any, resource map[string]any) {
	tpl.t.Helper()
	found := tpl.resources(resourceType)
	if len(found) != 1 {
		tpl.t.Fatalf("%d resources of type %s, want 1", len(found), resourceType)
	}
	for _, r := range found {
		resource = r
	}
	properties, _ = resource["Properties"].(map[string]any)
	return properties, resource
}

// panicText is what f panics with, or empty. A JavaScript error panics with an error, a missing required prop with a
// string.
func panicText(f func()) (text string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			text = p.Error()
		case string:
			text = p
		default:
			panic(p)
		}
	}()
	f()
	return ""
}

// compareGolden compares the template with testdata/<name>.template.json.
func compareGolden(t *testing.T, name string, tpl template) {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(tpl.ToJSON()); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`[0-9a-f]{64}\.zip`).ReplaceAllString(b.String(), "ASSET.zip")

	path := "testdata/" + name + ".template.json"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the template differs from %s (-golden +got); run go test ./construct -update if that is right:\n%s",
			path, lineDiff(string(want), got))
	}
}

// lineDiff lists the lines that differ, by a longest common subsequence, each with the line before it.
func lineDiff(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	common := make([][]int, len(x)+1)
	for i := range common {
		common[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	same := false
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			same = true
			i, j = i+1, j+1
			continue
		case same || out.Len() == 0:
			fmt.Fprintf(&out, "@@ line %d\n", i+1)
			if i > 0 {
				fmt.Fprintf(&out, " %s\n", x[i-1])
			}
			same = false
		}
		if j == len(y) || i < len(x) && common[i+1][j] >= common[i][j+1] {
			fmt.Fprintf(&out, "-%s\n", x[i])
			i++
		} else {
			fmt.Fprintf(&out, "+%s\n", y[j])
			j++
		}
	}
	return out.String()
}
