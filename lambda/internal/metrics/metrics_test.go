package metrics

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 13, 0, 0, 123_456_789, time.FixedZone("CET", 3600))

func clock() time.Time { return noon }

// document is a line in the embedded metric format. The names of its members are case-sensitive, but encoding/json does
// not mind; so the tests compare lines too.
type document struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// read holds a line to the specification, and returns its metrics: for each name, namespace, unit, dimensions and value.
func read(t *testing.T, line string) map[string][]any {
	t.Helper()
	var doc document
	var root map[string]any
	for _, into := range []any{&doc, &root} {
		if err := json.Unmarshal([]byte(line), into); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
	}
	if strings.IndexByte(line, '\n') != len(line)-1 {
		t.Errorf("not one line: %q", line)
	}
	found := map[string][]any{}
	for _, directive := range doc.AWS.CloudWatchMetrics {
		if len(directive.Dimensions) != 1 || len(directive.Metrics) != 1 {
			t.Fatalf("several sets or metrics in %s", line)
		}
		dimensions := map[string]string{}
		for _, name := range directive.Dimensions[0] {
			value, ok := root[name].(string)
			if !ok || value == "" || len(value) > 1024 {
				t.Errorf("the dimension %s is %v", name, root[name])
			}
			dimensions[name] = value
		}
		metric := directive.Metrics[0]
		value, ok := root[metric.Name].(float64)
		if !ok {
			t.Errorf("the metric %s is %v", metric.Name, root[metric.Name])
		}
		found[metric.Name] = []any{directive.Namespace, metric.Unit, dimensions, value}
	}
	if got, want := doc.AWS.Timestamp, noon.UnixMilli(); got != want {
		t.Errorf("timestamp %d, want %d", got, want)
	}
	return found
}

func TestEmit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	New(&out, clock, "Claimsmith", `doc"s`, "").Emit(
		CountOf(Decisions, "deny"), CountOf(Refusals, "rule"), Took(DecisionDuration, 1234567*time.Nanosecond), Count(OmittedClaims, 3))
	want := map[string][]any{
		"Decisions":        {"Claimsmith", "Count", map[string]string{"FunctionName": `doc"s`, "Outcome": "deny"}, 1.0},
		"Refusals":         {"Claimsmith", "Count", map[string]string{"FunctionName": `doc"s`, "Reason": "rule"}, 1.0},
		"DecisionDuration": {"Claimsmith", "Milliseconds", map[string]string{"FunctionName": `doc"s`}, 1.234},
		"OmittedClaims":    {"Claimsmith", "Count", map[string]string{"FunctionName": `doc"s`}, 3.0},
	}
	if got := read(t, out.String()); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	out.Reset()
	New(&out, clock, "N", "f", "").Emit(CountOf(Mints, "issued"))
	const line = `{"timestamp":"2026-11-25T12:00:00.123Z","level":"INFO","_aws":{"Timestamp":1795608000123,"CloudWatchMetrics":[` +
		`{"Namespace":"N","Dimensions":[["FunctionName","Outcome"]],"Metrics":[{"Name":"Mints","Unit":"Count"}]}]},` +
		`"FunctionName":"f","Outcome":"issued","Mints":1}` + "\n"
	if out.String() != line {
		t.Errorf("got  %swant %s", out.String(), line)
	}
}

func TestEveryMetricCanBeEmitted(t *testing.T) {
	t.Parallel()
	for _, m := range All {
		var out bytes.Buffer
		New(&out, clock, "N", "f", "").Emit(Value{m, "x", 2})
		if got := read(t, out.String()); len(got) != 1 || got[m.Name][1] != m.Unit {
			t.Errorf("got %v", got)
		}
	}
}

// Lambda passes on what has at least the level that the function is set to.
func TestLinesPassWhateverTheLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"": "INFO", "WARN": "WARN", "FATAL": "FATAL"} {
		var out bytes.Buffer
		New(&out, clock, "N", "f", level).Emit(Count(KeyFetches, 1))
		if !strings.Contains(out.String(), `"level":"`+want+`"`) {
			t.Errorf("at level %q: %s", level, out.String())
		}
	}
}

func TestWithoutNamespaceThereAreNoMetrics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := New(&out, clock, "", "f", "")
	e.Emit(Count(KeyFetches, 1))
	New(&out, clock, "N", "f", "").Emit()
	if e != nil || out.Len() > 0 {
		t.Errorf("got %v, which wrote %s", e, out.String())
	}
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer // which the emitter's own lock guards
	e := New(&out, clock, "N", "f", "")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				e.Emit(CountOf(Decisions, "allow"), Took(DecisionDuration, time.Millisecond))
			}
		})
	}
	group.Wait()
	n := 0
	for line := range strings.Lines(out.String()) {
		read(t, line)
		n++
	}
	if n != 400 {
		t.Errorf("%d lines, want 400", n)
	}
}

// docs/operations.md has a row for each metric, and none for others: name, unit, dimensions.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (Count|Milliseconds) \\| (`FunctionName`(?:, `\\w+`)?) \\|").FindAllStringSubmatch(string(text), -1) {
		got = append(got, strings.Join(row[1:], " "))
	}
	for _, m := range All {
		dimensions := "`FunctionName`"
		if m.By != "" {
			dimensions += ", `" + m.By + "`"
		}
		want = append(want, m.Name+" "+m.Unit+" "+dimensions)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("docs/operations.md has\n%q\nwant\n%q", got, want)
	}
}

func BenchmarkEmit(b *testing.B) {
	e := New(io.Discard, time.Now, "Claimsmith", "Documents-AuthDocumentsAuthorizer1234ABCD-abcdefghijkl", "")
	b.ReportAllocs()
	for b.Loop() {
		e.Emit(CountOf(Decisions, "allow"), Took(DecisionDuration, 1234*time.Microsecond))
	}
}
