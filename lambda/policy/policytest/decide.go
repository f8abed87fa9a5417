package policytest

import (
	"errors"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
	"github.com/claimsmith/claimsmith/lambda/token"
)

// Decide is the authorizer's answer to a request on a day, with a token that is valid but for one question: whether an ID
// token, which says so in its payload's token_use, is accepted there and then ([program.Checker.AcceptsIDToken]). If it is
// not, invalid is true, no rule is asked, and the only reason is the one that the authorizer logs. The zero time is before
// any day, so an ID token is then accepted wherever it ever is.
func Decide(checker *program.Checker, payload map[string]any, request program.Request, at time.Time) (d program.Decision, invalid bool) {
	if payload["token_use"] == "id" && !checker.AcceptsIDToken(request.RouteKey, at) {
		rejected, _ := errors.AsType[*token.RejectedError](token.ErrIDToken)
		return program.Decision{Reasons: []program.Reason{{Path: "token", Message: rejected.Reason}}}, true
	}
	return checker.Check(payload, request), false
}
