// Package boot is what both functions do when they start: load the program, read the deploy-time values, set up the log
// and the metrics.
package boot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/claimsmith/claimsmith/lambda/internal/metrics"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// paramPrefix begins the names of the environment variables that hold the policy's deploy-time values.
const paramPrefix = "CLAIMSMITH_PARAM_"

// Program loads the program that lies beside the executable, as the construct bundles them. It is the first thing that a
// function does, but for what goes on meanwhile.
func Program() (*program.Program, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return program.Load(os.DirFS(filepath.Dir(executable)))
}

// Params are the values of the policy's params in an environment, as [os.Environ] lists it.
func Params(environ []string, names []string) (map[string]string, error) {
	params := make(map[string]string, len(names))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, paramPrefix) {
			params[strings.TrimPrefix(name, paramPrefix)] = value
		}
	}
	for _, name := range names {
		if _, ok := params[name]; !ok {
			return nil, fmt.Errorf("the policy's param %q has no value: set the environment variable %s%s", name, paramPrefix, name)
		}
	}
	return params, nil
}

// Metrics writes metrics, or is nil when there are to be none.
func Metrics(w io.Writer) *metrics.Emitter {
	return metrics.New(w, time.Now, os.Getenv("CLAIMSMITH_METRICS_NAMESPACE"), os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), os.Getenv("AWS_LAMBDA_LOG_LEVEL"))
}

// Logger writes JSON lines in the form of Lambda's own, from the given level of Lambda's advanced logging controls on
// ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"). Default: INFO. Every line of an invocation has its request id.
func Logger(w io.Writer, level string) *slog.Logger {
	levels := map[string]slog.Level{
		"TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError,
	}
	return slog.New(requestID{slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level:       levels[level],
		ReplaceAttr: lambdacontext.ReplaceAttr,
	})})
}

// requestID adds the invocation's request id to each line.
type requestID struct{ slog.Handler }

func (h requestID) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestID{h.Handler.WithAttrs(attrs)}
}

func (h requestID) WithGroup(name string) slog.Handler { return requestID{h.Handler.WithGroup(name)} }
