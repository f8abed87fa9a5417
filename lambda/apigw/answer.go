package apigw

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// maxAnswer is how large an answer may be: 8 KB, by the smaller of its meanings.
const maxAnswer = 8000

// maxResource is how long an ARN in a policy may be.
const maxResource = 512

// The keys of the context. Package backend knows the first two.
const (
	claimsKey    = "claims"
	omittedKey   = "omittedClaims"
	challengeKey = "wwwAuthenticate"
)

// usesPolicy tells that the event wants an IAM policy.
func (h *Handler) usesPolicy(e *event) bool { return e.kind != http2 || h.Response == IAMPolicy }

// verdict appends the beginning of the answer. The policy of an allowed request names that one method and nothing wider.
func (h *Handler) verdict(answer []byte, e *event, principal string, allowed bool) []byte {
	if !h.usesPolicy(e) {
		return strconv.AppendBool(append(answer, `{"isAuthorized":`...), allowed)
	}
	effect, resource := "Deny", e.arn
	if allowed {
		effect = "Allow"
	} else if !nameable(e.arn) {
		resource = "*" // no policy without an Allow permits anything, whatever it denies
	}
	answer = append(answer, `{"principalId":`...)
	answer = strictjson.AppendText(answer, principal)
	answer = append(answer, `,"policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"`...)
	answer = append(answer, effect...)
	answer = append(answer, `","Resource":`...)
	answer = strictjson.AppendText(answer, resource)
	return append(answer, `}]}`...)
}

// nameable tells that an ARN, as a policy's resource, means itself alone. A client chooses the path in it, and may choose
// one with the wildcards and variables of IAM.
func nameable(arn string) bool {
	return len(arn) <= maxResource && !strings.ContainsAny(arn, "*?") && !strings.Contains(arn, "${")
}

// refusal is the answer to a request that is refused. Its context, if it is wanted, has what a gateway response can put
// into the header WWW-Authenticate (RFC 6750, section 3).
func (h *Handler) refusal(e *event, principal, challenge string) []byte {
	answer := h.verdict(make([]byte, 0, 512), e, principal, false)
	if h.WWWAuthenticate {
		answer = append(answer, `,"context":{"`+challengeKey+`":`...)
		answer = append(strictjson.AppendText(answer, challenge), '}')
	}
	return append(answer, '}')
}

// permission is the answer to a request that is allowed, with the claims for the backend. If it would be larger than API
// Gateway takes, claims are left out, the largest first, and the answer says which.
func (h *Handler) permission(e *event, payload map[string]any) (_ []byte, omitted []string, err error) {
	var room [2048]byte // enough for most, so that what is returned is no larger than it must be
	begin, end, quoted := `,"context":{"`+claimsKey+`":{`, `}`, h.usesPolicy(e)
	if quoted { // only scalars are documented to reach the backend then
		begin, end = `,"context":{"`+claimsKey+`":"{`, `}"`
	}
	for {
		answer := append(h.verdict(room[:0], e, principalOf(payload), true), begin...)
		start := len(answer)
		for name, value := range h.Checker.Context(payload) {
			if slices.Contains(omitted, name) {
				continue
			}
			if len(answer) > start {
				answer = append(answer, ',')
			}
			if answer, err = appendMember(answer, name, value, quoted); err != nil {
				return nil, nil, err
			}
		}
		answer = append(answer, end...)
		if len(omitted) > 0 {
			answer = appendOmitted(answer, omitted, quoted)
		}
		if answer = append(answer, '}', '}'); len(answer) <= maxAnswer {
			return bytes.Clone(answer), omitted, nil
		}
		largest, ok := h.largest(payload, omitted)
		if !ok {
			return nil, nil, errors.New("the answer is too large even without claims")
		}
		omitted = append(omitted, largest)
	}
}

// appendMember appends a member of a JSON object, which is in a JSON string if quoted.
func appendMember(dst []byte, name string, value any, quoted bool) ([]byte, error) {
	if quoted {
		return strictjson.AppendQuoted(append(strictjson.AppendQuotedText(dst, name), ':'), value)
	}
	return strictjson.Append(append(strictjson.AppendText(dst, name), ':'), value)
}

func appendOmitted(answer []byte, names []string, quoted bool) []byte {
	answer = append(answer, `,"`+omittedKey+`":`...)
	list, _ := strictjson.Append(nil, names) // which texts cannot fail
	if quoted {
		return strictjson.AppendText(answer, string(list))
	}
	return append(answer, list...)
}

// largest is the name of the claim that takes most room in the context, of those that are not left out yet.
func (h *Handler) largest(payload map[string]any, omitted []string) (largest string, ok bool) {
	most := 0
	for name, value := range h.Checker.Context(payload) {
		text, err := appendMember(nil, name, value, false)
		if err == nil && len(text) > most && !slices.Contains(omitted, name) {
			largest, most, ok = name, len(text), true
		}
	}
	return largest, ok
}

// principalOf is the user or, since a machine's token has none, the app client.
func principalOf(payload map[string]any) string {
	sub, _ := payload["sub"].(string)
	client, _ := payload["client_id"].(string)
	return cmp.Or(sub, client)
}

// unnamed is why a request is refused although every rule is met.
var unnamed = program.Reason{
	Path:    "request",
	Message: "a policy cannot name the method exactly: its ARN is longer than 512 bytes or has *, ? or ${",
}
