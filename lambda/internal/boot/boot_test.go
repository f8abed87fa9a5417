package boot

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/claimsmith/claimsmith/lambda/internal/programtest"
	"github.com/claimsmith/claimsmith/lambda/program"
)

func TestTheProgramLiesBesideTheExecutable(t *testing.T) {
	folder := programtest.Executable(t)
	if _, err := Program(); err == nil || !strings.Contains(err.Error(), program.File) {
		t.Errorf("without a program: got %v", err)
	}
	file := programtest.Write(t, folder, `{"params": ["stage"]}`)
	if p, err := Program(); err != nil || !slices.Equal(p.Params(), []string{"stage"}) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Program(); err == nil || !strings.HasPrefix(err.Error(), program.File) {
		t.Errorf("with a broken program: got %v", err)
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
