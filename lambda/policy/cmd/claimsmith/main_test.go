package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// runCase is one call of the command. What it writes is in testdata/<name>.golden, as a terminal would show it.
type runCase struct {
	name  string
	args  string // fields; "…" holds blanks together
	stdin string // a file
	exit  int
}

func (c runCase) run(t *testing.T) {
	var stdin []byte
	if c.stdin != "" {
		var err error
		if stdin, err = os.ReadFile(c.stdin); err != nil {
			t.Fatal(err)
		}
	}
	var args []string
	for i, part := range strings.Split(c.args, `"`) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	var stdout, stderr bytes.Buffer
	exit := run(args, bytes.NewReader(stdin), &stdout, &stderr)
	if exit != c.exit {
		t.Errorf("exit code %d, want %d", exit, c.exit)
	}
	if stdout.Len() > 0 && stderr.Len() > 0 {
		t.Errorf("something on both outputs; on stderr: %s", stderr.String())
	}
	got := fmt.Sprintf("$ claimsmith %s\n%s%s[exit %d]\n", c.args, stdout.String(), stderr.String(), exit)
	golden := filepath.Join("testdata", strings.ReplaceAll(c.name, " ", "-")+".golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("output differs from %s; run the test with -update and read the diff\n got: %s\nwant: %s", golden, got, want)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	const put = `--route "PUT /docs/{id}" --path /docs/7 --param stage=prod`
	used := map[string]bool{}
	for _, c := range []runCase{
		{"no command", "", "", 2},
		{"help", "--help", "", 0},
		{"unknown command", "chekc testdata/claims.yaml", "", 2},

		{"check help", "check --help", "", 0},
		{"check", "check testdata/claims.yaml", "", 0},
		{"check strict", "check testdata/claims.yaml --strict", "", 1},
		{"check strict without warnings", "check --strict testdata/clean.yaml", "", 0},
		{"check broken", "check testdata/broken.yaml", "", 1},
		{"check json", "check testdata/broken.yaml --json", "", 1},
		{"check json warnings", "check testdata/claims.yaml --json", "", 0},
		{"check standard input", "check -", "testdata/broken.yaml", 1},
		{"check missing file", "check testdata/none.yaml", "", 2},
		{"check no file", "check", "", 2},
		{"check two files", "check a b", "", 2},
		{"check unknown flag", "check --srict testdata/claims.yaml", "", 2},

		{"mint help", "mint --help", "", 0},
		{"mint", "mint testdata/claims.yaml --event testdata/event.json --param stage=prod", "", 0},
		{"mint json", "mint testdata/claims.yaml --event testdata/event.json --param stage=prod --json", "", 0},
		{"mint access", "mint testdata/claims.yaml --event - --param stage=dev --token access", "testdata/event.json", 0},
		{"mint id", "mint testdata/claims.yaml --event testdata/event.json --param stage=dev --token id", "", 0},
		{"mint machine", "mint testdata/clean.yaml --event testdata/machine.json", "", 0},
		{"mint id of machine", "mint testdata/clean.yaml --event testdata/machine.json --token id", "", 2},
		{"mint refused", "mint testdata/claims.yaml --event testdata/machine.json --param stage=dev", "", 1},
		{"mint refused json", "mint testdata/claims.yaml --event testdata/machine.json --param stage=dev --json", "", 1},
		{"mint refused access", "mint testdata/claims.yaml --event testdata/machine.json --param stage=dev --token access", "", 1},
		{"mint tables", "mint testdata/lookups.yaml --event testdata/event.json --tables testdata/tables.json --token access", "", 0},
		{"mint no rows", "mint testdata/lookups.yaml --event testdata/event.json --token access", "", 0},
		{"mint unknown table", "mint testdata/lookups.yaml --event testdata/event.json --tables testdata/no-tables.json", "", 2},
		{"mint damaged tables", "mint testdata/lookups.yaml --event testdata/event.json --tables testdata/damaged.json", "", 2},
		{"mint missing tables", "mint testdata/lookups.yaml --event testdata/event.json --tables testdata/none.json", "", 2},
		{"mint no event", "mint testdata/claims.yaml", "", 2},
		{"mint odd token", "mint testdata/claims.yaml --event testdata/event.json --token refresh", "", 2},
		{"mint missing param", "mint testdata/claims.yaml --event testdata/event.json", "", 2},
		{"mint unknown param", "mint testdata/claims.yaml --event testdata/event.json --param stage=a --param stge=b", "", 2},
		{"mint malformed param", "mint testdata/claims.yaml --event testdata/event.json --param stage", "", 2},
		{"mint broken policy", "mint testdata/broken.yaml --event testdata/event.json", "", 2},
		{"mint missing event", "mint testdata/clean.yaml --event testdata/none.json", "", 2},
		{"mint no event at all", "mint testdata/clean.yaml --event testdata/token.json", "", 2},

		{"decide help", "decide --help", "", 0},
		{"decide allow", "decide testdata/claims.yaml --authorizer Docs --token testdata/token.json " + strings.ReplaceAll(put, "PUT", "GET"), "", 0},
		{"decide deny", "decide testdata/claims.yaml --authorizer Docs --token testdata/token.json " + put, "", 1},
		{"decide json", "decide testdata/claims.yaml --authorizer Docs --token - --json " + put, "testdata/token.json", 1},
		{"decide json allow", `decide testdata/claims.yaml --authorizer Docs --token - --json --route "GET /x" --param stage=x`, "testdata/token.json", 0},
		{"decide everything", `decide testdata/claims.yaml --authorizer Team --token testdata/token.json --route "GET /companies/{company}" --path-param company=globex --method GET --source-ip 10.0.0.1 --query q=1 --header X-A=b --param stage=prod`, "", 1},
		{"decide query", `decide testdata/claims.yaml --authorizer Docs --token testdata/token.json --route "GET /search" --query q=1 --param stage=prod`, "", 0},
		{"decide ID token", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs"`, "", 0},
		{"decide ID token in time", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs" --at 2027-03-31`, "", 0},
		{"decide ID token json", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs" --json`, "", 0},
		{"decide ID token too late", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs" --at 2027-04-01`, "", 1},
		{"decide ID token too late json", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs" --at 2027-04-01 --json`, "", 1},
		{"decide ID token elsewhere", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "PUT /docs"`, "", 1},
		{"decide ID token denied", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /reports"`, "", 1},
		{"decide odd day", `decide testdata/idtokens.yaml --token testdata/id-token.json --route "GET /docs" --at tomorrow`, "", 2},
		{"decide the only authorizer", `decide testdata/clean.yaml --token testdata/token.json --route "GET /"`, "", 1},
		{"decide no token", `decide testdata/clean.yaml --route "GET /"`, "", 2},
		{"decide no such path", `decide testdata/clean.yaml --token testdata/token.json --route "GET /" --path /x`, "", 2},
		{"decide which authorizer", "decide testdata/claims.yaml --token testdata/token.json " + put, "", 2},
		{"decide unknown authorizer", "decide testdata/claims.yaml --authorizer Doc --token testdata/token.json " + put, "", 2},
		{"decide no authorizers", `decide testdata/empty.yaml --token testdata/token.json --route "GET /"`, "", 2},
		{"decide broken policy", `decide testdata/broken.yaml --token testdata/token.json --route "GET /"`, "", 2},
		{"decide missing param", `decide testdata/claims.yaml --token testdata/token.json --route "GET /"`, "", 2},
		{"decide missing token", `decide testdata/clean.yaml --token testdata/none.json --route "GET /"`, "", 2},
		{"decide damaged token", `decide testdata/clean.yaml --token testdata/damaged.json --route "GET /"`, "", 2},
		{"decide two tokens", `decide testdata/clean.yaml --token testdata/two.json --route "GET /"`, "", 2},

		{"test help", "test --help", "", 0},
		{"test", "test testdata/claims.yaml testdata/cases.yaml", "", 0},
		{"test failing", "test testdata/claims.yaml testdata/failing.yaml", "", 1},
		{"test json", "test testdata/claims.yaml - --json", "testdata/failing.yaml", 1},
		{"test wrong cases", "test testdata/claims.yaml testdata/clean.yaml", "", 2},
		{"test broken policy", "test testdata/broken.yaml testdata/cases.yaml", "", 2},
		{"test missing cases", "test testdata/claims.yaml testdata/none.yaml", "", 2},

		{"explain help", "explain --help", "", 0},
		{"explain", "explain testdata/claims.yaml", "", 0},
		{"explain markdown", "explain testdata/claims.yaml --format markdown", "", 0},
		{"explain html", "explain testdata/claims.yaml --format html", "", 0},
		{"explain json", "explain testdata/claims.yaml --json", "", 0},
		{"explain lookups", "explain testdata/lookups.yaml", "", 0},
		{"explain nothing", "explain - --format text", "testdata/empty.yaml", 0},
		{"explain odd format", "explain testdata/claims.yaml --format htm", "", 2},
		{"explain broken policy", "explain testdata/broken.yaml", "", 2},
	} {
		used[filepath.Join("testdata", strings.ReplaceAll(c.name, " ", "-")+".golden")] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !used[file] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// What mint writes is what decide reads.
func TestMintAndDecideInAPipe(t *testing.T) {
	t.Parallel()
	var token, stderr, verdict bytes.Buffer
	run([]string{"mint", "testdata/claims.yaml", "--event", "testdata/event.json", "--param", "stage=prod", "--token", "access"}, nil, &token, &stderr)
	exit := run([]string{"decide", "testdata/claims.yaml", "--token", "-", "--authorizer", "Docs", "--route", "PUT /docs/{id}", "--path", "/docs/7", "--param", "stage=prod"}, &token, &verdict, &stderr)
	if exit != 0 || verdict.String() != "allow\n" || stderr.Len() > 0 {
		t.Errorf("exit %d, %q, %q", exit, verdict.String(), stderr.String())
	}
}

// The process has the exit code.
func TestMainExits(t *testing.T) {
	if os.Getenv("CLAIMSMITH_TEST_MAIN") != "" {
		os.Args = []string{"claimsmith", "check", "testdata/broken.yaml"}
		main()
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMainExits$")
	cmd.Env = append(os.Environ(), "CLAIMSMITH_TEST_MAIN=1")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != no || !strings.Contains(string(out), "3 problems") {
		t.Errorf("exit code %d, output %s", code, out)
	}
}
