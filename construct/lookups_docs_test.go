package construct_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// block is the only block of that language in docs/lookups.md that contains the text.
func block(t *testing.T, language, containing string) string {
	t.Helper()
	found := slices.DeleteFunc(blocks(document(t, "lookups.md"), language), func(b string) bool { return !strings.Contains(b, containing) })
	if len(found) != 1 {
		t.Fatalf("docs/lookups.md has %d %s blocks with %q, want 1", len(found), language, containing)
	}
	return found[0] + "\n"
}

// The document's policy and stack belong together and synthesize without a warning.
func TestDocumentedLookups(t *testing.T) {
	source, err := os.ReadFile("lookups_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if example := block(t, "go", "NewTokenClaims"); !strings.Contains(string(source), strings.TrimSuffix(indent(example), "\n")) {
		t.Errorf("docs/lookups.md does not have the example as it is in lookups_example_test.go:\n%s", example)
	}
	policy := block(t, "yaml", "lookups:")
	f := newFixture(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("claims.yaml", []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	auth := documentedLookups(f.stack)
	f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents", "POST /import")
	grants := strings.Join(f.template().grants(), "\n")
	if !strings.Contains(grants, "dynamodb:GetItem ") || !strings.Contains(grants, "/index/by-tenant") || strings.Count(grants, "\n") != 1 {
		t.Errorf("grants\n%s", grants)
	}
	f.wantNoAnnotations()
}

// The document's mains build.
func TestDocumentedPrograms(t *testing.T) {
	for _, containing := range []string{"pretoken.Start", "apigw.Start"} {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(block(t, "go", containing)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", containing, err, out)
		}
	}
}

// indent indents what a function's body is in the document as it is in the function.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("\t")
		}
		b.WriteString(line)
	}
	return b.String()
}
