package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close() // or its node process stays behind
	os.Exit(code)
}

// synth is the app's template as `cdk synth` makes it in the root of the checkout, without building the functions.
func synth(t *testing.T, more map[string]any) assertions.Template {
	t.Helper()
	if _, err := os.Stat("cdk.json"); err != nil { // it may be the second synth of a test
		t.Chdir("..")
	}
	text, err := os.ReadFile("cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var settings struct{ Context map[string]any }
	if err := json.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	settings.Context["aws:cdk:bundling-stacks"] = []string{}
	maps.Copy(settings.Context, more)
	app := awscdk.NewApp(&awscdk.AppProps{Context: &settings.Context, Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(newDocumentsStack(app, "Documents"), nil)
}

// resources are the template's resources of that type.
func resources(template assertions.Template, kind string) []map[string]any {
	var all []map[string]any
	for _, resource := range *template.FindResources(jsii.String(kind), nil) {
		all = append(all, *resource)
	}
	return all
}

func properties(resource map[string]any) map[string]any {
	return resource["Properties"].(map[string]any)
}

func TestEveryRouteButHealthIsProtected(t *testing.T) {
	template := synth(t, nil)
	var open, protected []string
	sort := func(key, authorization any) {
		if authorization == "CUSTOM" {
			protected = append(protected, key.(string))
		} else {
			open = append(open, key.(string))
		}
	}
	for _, route := range resources(template, "AWS::ApiGatewayV2::Route") {
		sort(properties(route)["RouteKey"], properties(route)["AuthorizationType"])
	}
	for _, method := range resources(template, "AWS::ApiGateway::Method") {
		sort("REST "+properties(method)["HttpMethod"].(string), properties(method)["AuthorizationType"])
	}
	slices.Sort(open)
	slices.Sort(protected)
	if want := []string{"GET /health", "REST GET"}; !slices.Equal(open, want) {
		t.Errorf("open routes are %q, want %q", open, want)
	}
	if want := []string{"$connect", "GET /companies/{companyId}/audit", "GET /documents", "GET /reports", "POST /imports",
		"PUT /documents/{id}", "REST GET", "REST GET", "REST GET", "REST POST", "REST PUT"}; !slices.Equal(protected, want) {
		t.Errorf("protected routes are %q, want %q", protected, want)
	}
}

func TestCachingIsDerivedUnlessItIsOff(t *testing.T) {
	for _, c := range []struct {
		context  map[string]any
		ttl      float64
		rest     string
		httpKeys int
	}{
		{nil, 60, "method.request.header.Authorization,context.httpMethod,context.path,context.domainName", 4},
		{map[string]any{"authorizerCache": "off"}, 0, "method.request.header.Authorization", 1},
	} {
		template := synth(t, c.context)
		rest := properties(resources(template, "AWS::ApiGateway::Authorizer")[0])
		if rest["AuthorizerResultTtlInSeconds"] != c.ttl || rest["IdentitySource"] != c.rest {
			t.Errorf("%v: REST authorizer is %v", c.context, rest)
		}
		for _, resource := range resources(template, "AWS::ApiGatewayV2::Authorizer") {
			http := properties(resource)
			if http["AuthorizerPayloadFormatVersion"] != "2.0" {
				continue // the WebSocket API's, which is never cached
			}
			if http["AuthorizerResultTtlInSeconds"] != c.ttl || len(http["IdentitySource"].([]any)) != c.httpKeys {
				t.Errorf("%v: HTTP authorizer is %v", c.context, http)
			}
		}
	}
}

func TestContext(t *testing.T) {
	for _, c := range []struct {
		name         string
		context      map[string]any
		architecture string
		data         string // the deletion policy of users and subscriptions
	}{
		{"by default functions are arm64 and users outlive the stack", nil, "arm64", "Retain"},
		{"architecture is that of every function", map[string]any{"architecture": "x86_64"}, "x86_64", "Retain"},
		{"removalPolicy destroy removes users and subscriptions", map[string]any{"removalPolicy": "destroy"}, "arm64", "Delete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := synth(t, c.context)
			functions := resources(template, "AWS::Lambda::Function")
			if len(functions) != 4 {
				t.Errorf("%d functions, want 4: claims, two authorizers and backend", len(functions))
			}
			for _, function := range functions {
				if got := properties(function)["Architectures"].([]any)[0]; got != c.architecture {
					t.Errorf("a function is built for %v, want %s", got, c.architecture)
				}
			}
			for _, kind := range []string{"AWS::Cognito::UserPool", "AWS::DynamoDB::GlobalTable"} {
				if got := resources(template, kind)[0]["DeletionPolicy"]; got != c.data {
					t.Errorf("%s: the deletion policy is %v, want %s", kind, got, c.data)
				}
			}
		})
	}
}

func TestPolicyIsTheFileThatTheContextNames(t *testing.T) {
	text, err := os.ReadFile("claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("Import documents"), []byte("Another text")), 0o600); err != nil {
		t.Fatal(err)
	}
	server := properties(resources(synth(t, map[string]any{"policy": file}), "AWS::Cognito::UserPoolResourceServer")[0])
	if got := server["Scopes"].([]any)[0].(map[string]any)["ScopeDescription"]; got != "Another text" {
		t.Errorf("the scope is described as %q, so the policy is not the one that was named", got)
	}
}

func TestMachineHasASecretAndADomainThatNobodyElseHas(t *testing.T) {
	template := synth(t, nil)
	pool := properties(resources(template, "AWS::Cognito::UserPool")[0])
	if got := pool["LambdaConfig"].(map[string]any)["PreTokenGenerationConfig"].(map[string]any)["LambdaVersion"]; got != "V3_0" {
		t.Errorf("the trigger is of version %v, want V3_0, which mints machines' claims", got)
	}
	template.HasResourceProperties(jsii.String("AWS::Cognito::UserPoolClient"), map[string]any{
		"AllowedOAuthFlows": []string{"client_credentials"}, "GenerateSecret": true,
	})
	domain := compactJSON(t, properties(resources(template, "AWS::Cognito::UserPoolDomain")[0])["Domain"])
	if want := `{"Fn::Join":["",["documents-",{"Fn::Select":[2,{"Fn::Split":["/",{"Ref":"AWS::StackId"}]}]}]]}`; domain != want {
		t.Errorf("got the domain %s, want %s", domain, want)
	}
}

func compactJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestUnknownContextValueIsRefused(t *testing.T) {
	defer func() {
		want := `context architecture is "riscv": want one of [arm64 x86_64]`
		if got := fmt.Sprint(recover()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}()
	synth(t, map[string]any{"architecture": "riscv"})
}
