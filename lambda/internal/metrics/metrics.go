// Package metrics gives CloudWatch the functions' metrics, as lines on standard output in its embedded metric format:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
//
// CloudWatch bills a metric by the month, and each set of dimensions is a metric of its own. So there are few dimensions,
// and their values are from small fixed sets: nothing that a client chose, and nothing of a policy, is ever one.
package metrics

import (
	"cmp"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
)

// Metric is one of the metrics. Each has the dimension FunctionName, as Lambda's own have.
type Metric struct {
	Name, Unit string

	// By is a further dimension, or empty.
	By string
}

const (
	count        = "Count"
	milliseconds = "Milliseconds"
)

// The metrics. docs/operations.md says what each is about.
var (
	Mints          = Metric{"Mints", count, "Outcome"}
	MintDuration   = Metric{"MintDuration", milliseconds, ""}
	LookupDuration = Metric{"LookupDuration", milliseconds, ""}
	LookupFailures = Metric{"LookupFailures", count, ""}

	Decisions        = Metric{"Decisions", count, "Outcome"}
	Refusals         = Metric{"Refusals", count, "Reason"}
	DecisionDuration = Metric{"DecisionDuration", milliseconds, ""}
	IDTokenUses      = Metric{"IDTokenUses", count, ""}
	KeyFetches       = Metric{"KeyFetches", count, ""}
	KeyFetchFailures = Metric{"KeyFetchFailures", count, ""}

	OmittedClaims = Metric{"OmittedClaims", count, ""}
)

// All are all of them.
var All = []Metric{
	Mints, MintDuration, LookupDuration, LookupFailures,
	Decisions, Refusals, DecisionDuration, IDTokenUses, KeyFetches, KeyFetchFailures,
	OmittedClaims,
}

// Value is one measurement.
type Value struct {
	Metric Metric
	Of     string // the value of the dimension By
	Number float64
}

// Count is n of what the metric counts.
func Count(m Metric, n int) Value { return Value{Metric: m, Number: float64(n)} }

// CountOf is one of what the metric counts, and of which sort.
func CountOf(m Metric, of string) Value { return Value{Metric: m, Of: of, Number: 1} }

// Took is a time that something took.
func Took(m Metric, d time.Duration) Value {
	return Value{Metric: m, Number: float64(d.Microseconds()) / 1000}
}

// Emitter writes metrics. It is safe for concurrent use. A nil one does nothing.
type Emitter struct {
	w                          io.Writer
	now                        func() time.Time
	level, namespace, function []byte // as JSON

	mu   sync.Mutex
	line []byte
}

// New returns an emitter, or nil if there is no namespace. level is from which level on Lambda passes lines on.
func New(w io.Writer, now func() time.Time, namespace, function, level string) *Emitter {
	if namespace == "" {
		return nil
	}
	return &Emitter{
		w: w, now: now, level: strictjson.AppendText(nil, cmp.Or(level, "INFO")),
		namespace: strictjson.AppendText(nil, namespace), function: strictjson.AppendText(nil, function),
	}
}

// Emit writes what was measured at one time, as one line. No two values may be of the same metric, or have different
// values for the same dimension.
//
// Lambda drops lines below the level that the function is set to, and takes one that names no level and time for one of
// level INFO (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html). A metric is of no
// level, so each line has whichever one passes.
func (e *Emitter) Emit(values ...Value) {
	if e == nil || len(values) == 0 {
		return
	}
	now := e.now().UTC()
	e.mu.Lock()
	defer e.mu.Unlock()
	b := append(e.line[:0], `{"timestamp":"`...)
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(append(append(b, `","level":`...), e.level...), `,"_aws":{"Timestamp":`...)
	b = append(strconv.AppendInt(b, now.UnixMilli(), 10), `,"CloudWatchMetrics":[`...)
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"Namespace":`...), e.namespace...), `,"Dimensions":[["FunctionName"`...)
		if v.Metric.By != "" {
			b = append(append(append(b, `,"`...), v.Metric.By...), '"')
		}
		b = append(append(append(b, `]],"Metrics":[{"Name":"`...), v.Metric.Name...), `","Unit":"`...)
		b = append(append(b, v.Metric.Unit...), `"}]}`...)
	}
	b = append(append(b, `]},"FunctionName":`...), e.function...)
	for _, v := range values {
		if v.Metric.By != "" {
			b = append(append(append(b, `,"`...), v.Metric.By...), `":`...)
			b = strictjson.AppendText(b, v.Of)
		}
		b = append(append(append(b, `,"`...), v.Metric.Name...), `":`...)
		b = strconv.AppendFloat(b, v.Number, 'f', -1, 64)
	}
	e.line = append(b, "}\n"...)
	// A metric that cannot be written is lost; nobody could be told of it but by the same way.
	_, _ = e.w.Write(e.line)
}
