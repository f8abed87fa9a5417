package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/policy/policytest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// The documentation of the language is its tests: every fenced block in these files of docs is run. The words
// behind the fence say how:
//
//	yaml           a policy. It compiles without a warning, unless one of the next two follows it.
//	text problems  exactly what is said about the policy above, whose file is called claims.yaml
//	text warnings  likewise
//	yaml test      a case file of policytest for the policy above
//	json context A what the backend behind authorizer A gets, see context
//	cel            rules, one a line, that compile beside the policy above
//	cel mint       expressions of claims, likewise
//	go, sh         is not run here
//
// A policy that is a part of a document has a comment above it that says where it stands: <!-- in: authorizers.Api -->.
func TestDocs(t *testing.T) {
	t.Parallel()
	for file, atLeast := range map[string]int{"policy.md": 20, "cookbook.md": 10, "security.md": 1, "lookups.md": 1, "migrating.md": 4} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("../../docs", file))
			if err != nil {
				t.Fatal(err)
			}
			d := page{name: "docs/" + file, blocks: fencedBlocks(string(text))}
			if d.run(t); d.policies < atLeast {
				t.Errorf("found only %d policies", d.policies)
			}
		})
	}
}

// Each key of the document has a row in the reference.
func TestDocsNameEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[policy.Policy](), reflect.TypeFor[policy.Lookup](), reflect.TypeFor[policy.Claim](), reflect.TypeFor[policy.Suppression](), reflect.TypeFor[policy.Groups](),
		reflect.TypeFor[policy.Scopes](), reflect.TypeFor[policy.Scope](), reflect.TypeFor[policy.Authorizer](), reflect.TypeFor[policy.Rule](),
		reflect.TypeFor[policy.IDTokens](),
	} {
		for f := range typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && !strings.Contains(string(text), "\n| `"+key+"` |") {
				t.Errorf("docs/policy.md has no row for %s.%s", typ.Name(), key)
			}
		}
	}
}

const contextOf = "json context "

// block is a fenced block of a Markdown file.
type block struct {
	line       int // of the first line inside
	info, text string
	in         string // where a part of a policy stands
}

func fencedBlocks(markdown string) []block {
	var out []block
	var in string
	open := false
	for i, line := range strings.Split(markdown, "\n") {
		switch info, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case fence && open:
			open = false
		case fence:
			out = append(out, block{line: i + 2, info: info, in: in})
			open, in = true, ""
		case open:
			out[len(out)-1].text += line + "\n"
		case strings.HasPrefix(line, "<!-- in: "):
			in = strings.TrimSuffix(strings.TrimPrefix(line, "<!-- in: "), " -->")
		}
	}
	return out
}

// page runs the blocks of one file.
type page struct {
	name     string
	blocks   []block
	policies int
	text     string           // the latest policy
	compiled *policy.Compiled // likewise; nil when it does not compile
}

func (d *page) run(t *testing.T) {
	for i, b := range d.blocks {
		t.Run(fmt.Sprintf("%s:%d", d.name, b.line), func(t *testing.T) {
			switch b.info {
			case "yaml":
				d.policies++
				next := ""
				if i+1 < len(d.blocks) {
					next = d.blocks[i+1].info
				}
				d.policy(t, b, next)
			case "text problems", "text warnings": // compared with the policy that they follow
				if i == 0 || d.blocks[i-1].info != "yaml" {
					t.Error("follows no policy")
				}
			case "yaml test":
				d.test(t, b)
			case "cel", "cel mint":
				d.expressions(t, b)
			case "go", "sh":
			default:
				if !strings.HasPrefix(b.info, contextOf) {
					t.Fatalf("a block cannot be %q", b.info)
				}
				d.context(t, b)
			}
		})
	}
}

func (d *page) policy(t *testing.T, b block, next string) {
	d.compiled, d.text = nil, b.text
	if b.in != "" {
		indent := ""
		d.text = ""
		for key := range strings.SplitSeq(b.in, ".") {
			d.text += indent + key + ":\n"
			indent += "  "
		}
		for line := range strings.Lines(b.text) {
			d.text += indent + line
		}
	}
	p, err := policy.Parse("claims.yaml", []byte(d.text))
	if err == nil {
		d.compiled, err = policy.Compile(p)
	}
	problems, warnings := "", ""
	if err != nil {
		problems = err.Error() + "\n"
	} else if w := policy.Problems(d.compiled.Warnings()); len(w) > 0 {
		warnings = w.Error() + "\n"
	}
	for kind, got := range map[string]string{"text problems": problems, "text warnings": warnings} {
		want := ""
		if next == kind {
			i := slices.IndexFunc(d.blocks, func(x block) bool { return x.line == b.line })
			want = d.blocks[i+1].text
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", kind, got, want)
		}
	}
}

func (d *page) expressions(t *testing.T, b block) {
	for line := range strings.Lines(b.text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		p, err := policy.Parse("claims.yaml", []byte(d.text))
		if err != nil {
			t.Fatal(err)
		}
		if b.info == "cel" {
			p.Authorizers = map[string]policy.Authorizer{"Example": {Default: []policy.Rule{{Rule: strings.TrimSpace(line)}}}}
		} else {
			p.Authorizers, p.Claims = nil, map[string]policy.Claim{"example": {Expr: strings.TrimSpace(line)}}
		}
		if _, err := policy.Compile(p); err != nil {
			t.Errorf("%s%v", line, err)
		}
	}
}

// test runs cases of policytest on the policy.
func (d *page) test(t *testing.T, b block) {
	if d.compiled == nil {
		t.Fatal("follows no policy that compiles")
	}
	// The line breaks in front make the lines in messages those of the page.
	cases, err := policytest.Load(d.compiled, d.name, []byte(strings.Repeat("\n", b.line-1)+b.text))
	if err != nil {
		t.Fatalf("\n%v", err)
	}
	for _, c := range cases {
		if failures := c.Failures(); len(failures) > 0 {
			t.Errorf("\n%s", c.Report(failures))
		}
	}
}

// context compares what an authorizer tells the backend about a user with what the page says.
func (d *page) context(t *testing.T, b block) {
	checker, ok := d.compiled.Checker(strings.TrimPrefix(b.info, contextOf))
	if !ok {
		t.Fatalf("the policy has no authorizer for %q", b.info)
	}
	payload := map[string]any{"sub": "3f1c7a52", "client_id": "web", "scope": "openid", "cognito:groups": []string{"owners"}, "exp": 1}
	maps.Copy(payload, d.compiled.Mint(program.SignIn{}).Access)
	got, err := json.Marshal(maps.Collect(checker.Context(decode(t, payload).(map[string]any))))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decode(t, json.RawMessage(got)), decode(t, json.RawMessage(b.text))) {
		t.Errorf("got %s", got)
	}
}

// decode is what becomes of a value on its way through a token.
func decode(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}
