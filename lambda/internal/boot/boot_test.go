package boot

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

func TestPolicyLiesBesideTheExecutable(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(executable), "policy.json")
	t.Cleanup(func() { os.Remove(file) })

	if _, err := Policy(); err == nil || !strings.Contains(err.Error(), "policy.json") {
		t.Errorf("without a policy: got %v", err)
	}
	for text, want := range map[string]string{
		"{":                                    "policy.json:2:1: not valid YAML",
		`{"claims": {"sub": {"value": "x"}}}`:  "policy.json:1:13: claims.sub",
		`{"claims": {"tier": {"value": 3.0}}}`: "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Policy()
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", text, got, want)
			}
		} else if want != "" {
			t.Errorf("%s: no error, want %q", text, want)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	environ := []string{"PATH=/bin", "CLAIMSMITH_PARAM_stage=prod", "CLAIMSMITH_PARAM_note=a=b", "CLAIMSMITH_PARAM_empty="}
	got, err := Params(environ, []string{"stage", "note", "empty"})
	if want := map[string]string{"stage": "prod", "note": "a=b", "empty": ""}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	_, err = Params(environ, []string{"office"})
	if want := `the policy's param "office" has no value: set the environment variable CLAIMSMITH_PARAM_office`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	for level, want := range map[string][]slog.Level{
		"":      {slog.LevelInfo, slog.LevelWarn, slog.LevelError},
		"TRACE": {slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError},
		"DEBUG": {slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError},
		"INFO":  {slog.LevelInfo, slog.LevelWarn, slog.LevelError},
		"WARN":  {slog.LevelWarn, slog.LevelError},
		"ERROR": {slog.LevelError},
		"FATAL": {slog.LevelError},
	} {
		var out bytes.Buffer
		logger := Logger(&out, level)
		for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			logger.With("a", 1).Log(ctx, l, "text")
		}
		var got []slog.Level
		for line := range strings.Lines(out.String()) {
			var record struct {
				Timestamp, Message, RequestID string
				Level                         slog.Level
			}
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatal(err)
			}
			if record.Timestamp == "" || record.Message != "text" || record.RequestID != "request-1" {
				t.Errorf("level %q: line %s", level, line)
			}
			got = append(got, record.Level)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("level %q: got %v, want %v", level, got, want)
		}
	}
}

func TestOnlyTheFirstCollectionIsLate(t *testing.T) {
	percent := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	collectLater()   // if no other test did
	for range 1000 { // the cleanup runs some time after the collection
		runtime.GC()
		if percent() == 100 {
			return
		}
	}
	t.Errorf("after collections the heap may grow by %d %%, want 100", percent())
}
