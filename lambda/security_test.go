package lambda_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named is a test as docs/security.md names it: the folder of its package and its function.
var named = regexp.MustCompile("`([a-z-]+(?:/[a-z]+)*)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")

// Each threat in docs/security.md names tests that show what stands against it, and each of these exists.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, threats, _ := strings.Cut(string(text), "\n## Threats\n")
	threats, _, found := strings.Cut(threats, "\n## ")
	if !found {
		t.Fatal("docs/security.md has no section of threats")
	}
	rows := 0
	for line := range strings.Lines(threats) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat ") || strings.HasPrefix(line, "| --- ") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, test := range tests {
			if !exists(t, test[1], test[2]) {
				t.Errorf("%s has no test %s", test[1], test[2])
			}
		}
	}
	if rows < 30 {
		t.Errorf("found only %d threats", rows)
	}
}

func exists(t *testing.T, folder, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
