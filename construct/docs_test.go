package construct_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/claimsmith/claimsmith/construct"
)

// Documents and code are held together here: what a document shows compiles, synthesizes and is all there is.

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func blocks(text, language string) []string {
	var found []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		found = append(found, block[1])
	}
	return found
}

type examples struct {
	document, source string
	functions        map[string]func(awscdk.App)
}

func (e examples) run(t *testing.T) {
	source, err := os.ReadFile(e.source)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	inSource := map[string]string{}
	for _, declaration := range file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok {
			inSource[f.Name.Name] = string(source[f.Pos()-1 : f.End()-1])
		}
	}
	inDocument := map[string]string{}
	for _, block := range blocks(document(t, e.document), "go") {
		name, _, _ := strings.Cut(strings.TrimPrefix(block, "func "), "(")
		inDocument[name] = block
	}
	if len(inSource) != len(e.functions) || len(inDocument) != len(e.functions) {
		t.Errorf("%d examples in the source, %d in the document, %d here", len(inSource), len(inDocument), len(e.functions))
	}
	for name, example := range e.functions {
		t.Run(name, func(t *testing.T) {
			if inDocument[name] != inSource[name] || inSource[name] == "" {
				t.Errorf("docs/%s does not have the example as it is in %s:\n%s", e.document, e.source, inSource[name])
			}
			f := newFixture(t)
			f.app.Node().TryRemoveChild(f.stack.Node().Id())
			t.Chdir("testdata/composition")
			example(f.app)
			templates(t, f.app)
		})
	}
}

func TestExamplesOfTheDocuments(t *testing.T) {
	for _, e := range []examples{
		{"composition.md", "composition_example_test.go", map[string]func(awscdk.App){
			"twoInOneStack": twoInOneStack, "apisInOtherStacks": apisInOtherStacks, "poolInAnotherStack": poolInAnotherStack,
			"nestedStacks": nestedStacks, "stages": stages, "mintedElsewhere": mintedElsewhere, "existingPool": existingPool,
			"importedPool": importedPool, "severalPools": severalPools, "network": network, "governance": governance, "operations": operations,
		}},
		{"operations.md", "operations_example_test.go", map[string]func(awscdk.App){"monitored": monitored}},
		{"migrating.md", "migrating_example_test.go", map[string]func(awscdk.App){
			"idTokensAlone": idTokensAlone, "bothTokens": bothTokens, "ownAuthorizer": ownAuthorizer,
		}},
	} {
		t.Run(e.document, e.run)
	}
}

func TestEveryPropAndMethodIsDocumented(t *testing.T) {
	text := document(t, "construct.md")
	var names []string
	props := reflect.TypeFor[construct.TokenClaimsProps]()
	for field := range props.Fields() {
		if row := regexp.MustCompile("(?m)^\\| `" + field.Name + "` \\| `([^`]+)` \\|").FindStringSubmatch(text); row == nil {
			t.Errorf("docs/construct.md has no row for the prop %s", field.Name)
		} else if got := strings.ReplaceAll(field.Type.String(), "construct.", ""); row[1] != got {
			t.Errorf("docs/construct.md says that the prop %s is %s, it is %s", field.Name, row[1], got)
		}
	}
	for method := range reflect.TypeFor[construct.TokenClaims]().Methods() {
		names = append(names, method.Name)
	}
	for _, name := range names {
		if name != "Node" && name != "ToString" && name != "With" && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/construct.md does not name the method %s", name)
		}
	}
}
