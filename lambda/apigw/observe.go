package apigw

import (
	"errors"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/metrics"
	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
)

// Observation is what there is to count about a decision: nothing of the request, the token or the policy.
type Observation struct {
	// Outcome is "allow", "deny", "invalid token" or "fault".
	Outcome string

	// Reason is why the outcome is not allow, in one of a few words. Deny: "rule", "no rule" (covers the route), "hook",
	// "path" (which a policy cannot name). Invalid token: "credential" (none, several, or no Bearer), or the check that the
	// token failed, see [token.RejectedError.Check]. Fault: "keys" (out of reach), "unknown key", "not yet valid",
	// "event", "hook", "answer", "panic", "other". Empty when the outcome is allow.
	Reason string

	// Duration is how long it took to decide.
	Duration time.Duration

	// Omitted is how many claims the backend did not get, since the answer would have been too large.
	Omitted int

	// IDToken tells that the request had a valid ID token, where the policy still accepts one.
	IDToken bool
}

// denied says why a valid token is refused.
func denied(reasons []program.Reason) string {
	switch path := reasons[0].Path; {
	case path == unnamed.Path:
		return "path"
	case strings.HasPrefix(path, "hooks["):
		return "hook"
	case strings.HasSuffix(path, ".routes"):
		return "no rule"
	default:
		return "rule"
	}
}

// undecided says why a verifier could not decide.
func undecided(err error) string {
	switch {
	case errors.Is(err, token.ErrKeysOutOfReach):
		return "keys"
	case errors.Is(err, token.ErrUnknownKey):
		return "unknown key"
	case errors.Is(err, token.ErrNotYetValid):
		return "not yet valid"
	default:
		return "other"
	}
}

// measure writes the observation as metrics.
func (o Observation) measure(m *metrics.Emitter) {
	values := append(make([]metrics.Value, 0, 5),
		metrics.CountOf(metrics.Decisions, o.Outcome), metrics.Took(metrics.DecisionDuration, o.Duration))
	if o.Reason != "" {
		values = append(values, metrics.CountOf(metrics.Refusals, o.Reason))
	}
	if o.Omitted > 0 {
		values = append(values, metrics.Count(metrics.OmittedClaims, o.Omitted))
	}
	if o.IDToken {
		values = append(values, metrics.Count(metrics.IDTokenUses, 1))
	}
	m.Emit(values...)
}

// measureFetch writes a fetch of keys as metrics.
func measureFetch(m *metrics.Emitter, err error) {
	if err != nil {
		m.Emit(metrics.Count(metrics.KeyFetches, 1), metrics.Count(metrics.KeyFetchFailures, 1))
	} else {
		m.Emit(metrics.Count(metrics.KeyFetches, 1))
	}
}
