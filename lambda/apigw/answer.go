package apigw

import (
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
func (h *Handler) permission(e *event, payload map[string]any) (answer []byte, omitted []string, err error) {
	claims := make([]member, 0, 16)
	text := make([]byte, 0, 1024)
	for name, value := range h.Checker.Context(payload) {
		start := len(text)
		text = append(strictjson.AppendText(text, name), ':')
		if text, err = strictjson.Append(text, value); err != nil {
			return nil, nil, err
		}
		claims = append(claims, member{name, text[start:]})
	}
	answer = make([]byte, 0, 512+len(text)*5/4) // a quote is two characters in a scalar
	for {
		answer = append(h.verdict(answer[:0], e, principalOf(payload), true), `,"context":{"`+claimsKey+`":`...)
		start := len(answer)
		answer = h.asScalar(e, appendObject(answer, claims), start)
		if len(omitted) > 0 {
			answer = append(answer, `,"`+omittedKey+`":`...)
			start := len(answer)
			if answer, err = strictjson.Append(answer, omitted); err != nil {
				return nil, nil, err
			}
			answer = h.asScalar(e, answer, start)
		}
		if answer = append(answer, '}', '}'); len(answer) <= maxAnswer {
			return answer, omitted, nil
		}
		if len(claims) == 0 {
			return nil, nil, errors.New("the answer is too large even without claims")
		}
		i := largest(claims)
		omitted = append(omitted, claims[i].name)
		claims = slices.Delete(claims, i, i+1)
	}
}

// asScalar makes JSON, which is what the answer has from start, a JSON string if the answer has a policy: then only scalars
// are documented to reach the backend.
func (h *Handler) asScalar(e *event, answer []byte, start int) []byte {
	if !h.usesPolicy(e) {
		return answer
	}
	return strictjson.AppendText(answer[:start], string(answer[start:]))
}

// member is a member of a JSON object, its name in the text too.
type member struct {
	name string
	text []byte
}

func appendObject(dst []byte, members []member) []byte {
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.text...)
	}
	return append(dst, '}')
}

// largest returns the place of the member that takes most room.
func largest(members []member) (place int) {
	for i, m := range members {
		if len(m.text) > len(members[place].text) {
			place = i
		}
	}
	return place
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
