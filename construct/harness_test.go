package construct_test

import (
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
	"github.com/claimsmith/claimsmith/construct/snapshot"
)

// Tests that touch CDK share one JavaScript process and must not run in parallel.
func TestMain(m *testing.M) { snapshot.Main(m) }

// fixture is an app with one stack, with the feature flags of the repository's cdk.json.
type fixture struct {
	t     *testing.T
	app   awscdk.App
	stack awscdk.Stack
}

// newFixture is an app in which nothing is built, which saves the compilation.
func newFixture(t *testing.T) *fixture { return newFixtureWith(t, nil) }

// newFixtureWithCode is an app in which the functions are built.
func newFixtureWithCode(t *testing.T) *fixture {
	return newFixtureWith(t, map[string]any{"aws:cdk:bundling-stacks": []string{"**"}})
}

func newFixtureWith(t *testing.T, context map[string]any) *fixture {
	t.Helper()
	app := snapshot.NewApp(t, "../cdk.json", context)
	return &fixture{t, app, awscdk.NewStack(app, jsii.String("Stack"), nil)}
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
