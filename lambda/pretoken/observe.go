package pretoken

import (
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/metrics"
)

// Observation is what there is to count about an answer: nothing of the user, the claims or the policy.
type Observation struct {
	// Outcome is "issued", "refused" or "fault".
	Outcome string

	// Duration is how long it took to answer.
	Duration time.Duration

	// Lookup is how long the lookups took, all together, and LookupFailures is how many of them failed. A row that is
	// missing is no failure.
	Lookup         time.Duration
	LookupFailures int

	// Omitted is how many claims and rows were left out, or replaced by a default, because of an error.
	Omitted int
}

// measure writes the observation as metrics.
func (o Observation) measure(m *metrics.Emitter) {
	values := append(make([]metrics.Value, 0, 5), metrics.CountOf(metrics.Mints, o.Outcome), metrics.Took(metrics.MintDuration, o.Duration))
	if o.Lookup > 0 {
		values = append(values, metrics.Took(metrics.LookupDuration, o.Lookup))
	}
	if o.LookupFailures > 0 {
		values = append(values, metrics.Count(metrics.LookupFailures, o.LookupFailures))
	}
	if o.Omitted > 0 {
		values = append(values, metrics.Count(metrics.OmittedClaims, o.Omitted))
	}
	m.Emit(values...)
}
