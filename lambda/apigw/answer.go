package apigw

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
	"github.com/claimsmith/claimsmith/lambda/policy"
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

// encode makes the answer. The policy of an allowed request names that one method and nothing wider.
func (h *Handler) encode(e *event, principal string, allowed bool, context map[string]any) (answer []byte, err error) {
	answer = make([]byte, 0, 1024)
	if h.usesPolicy(e) {
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
		answer = append(answer, `}]}`...)
	} else {
		answer = append(answer, `{"isAuthorized":`...)
		answer = strconv.AppendBool(answer, allowed)
	}
	if context != nil {
		answer = append(answer, `,"context":`...)
		if answer, err = strictjson.Append(answer, context); err != nil {
			return nil, err
		}
	}
	return append(answer, '}'), nil
}

// nameable tells that an ARN, as a policy's resource, means itself alone. A client chooses the path in it, and may choose
// one with the wildcards and variables of IAM.
func nameable(arn string) bool {
	return len(arn) <= maxResource && !strings.ContainsAny(arn, "*?") && !strings.Contains(arn, "${")
}

// refusal is the answer to a request that is refused. Its context, if it is wanted, has what a gateway response can put
// into the header WWW-Authenticate (RFC 6750, section 3).
func (h *Handler) refusal(e *event, principal, challenge string) ([]byte, error) {
	var context map[string]any
	if h.WWWAuthenticate {
		context = map[string]any{challengeKey: challenge}
	}
	return h.encode(e, principal, false, context)
}

// permission is the answer to a request that is allowed, with the claims for the backend. If it would be larger than API
// Gateway takes, claims are left out, the largest first, and the answer says which.
func (h *Handler) permission(e *event, payload map[string]any) (answer []byte, omitted []string, err error) {
	claims := h.Checker.Context(payload)
	for {
		context := map[string]any{claimsKey: claims}
		if len(omitted) > 0 {
			context[omittedKey] = omitted
		}
		if h.usesPolicy(e) { // then only scalars are documented to reach the backend
			for key, value := range context {
				text, err := strictjson.Append(make([]byte, 0, 512), value)
				if err != nil {
					return nil, nil, err
				}
				context[key] = string(text)
			}
		}
		answer, err := h.encode(e, principalOf(payload), true, context)
		if err != nil || len(answer) <= maxAnswer {
			return answer, omitted, err
		}
		if len(claims) == 0 {
			return nil, nil, errors.New("the answer is too large even without claims")
		}
		name := largest(claims)
		delete(claims, name)
		omitted = append(omitted, name)
	}
}

// largest returns the name of the claim that takes most room.
func largest(claims map[string]any) (name string) {
	most := -1
	for candidate, value := range claims {
		text, _ := strictjson.Append(nil, value) // which was encoded before
		if c := cmp.Or(cmp.Compare(len(text), most), cmp.Compare(candidate, name)); c > 0 {
			name, most = candidate, len(text)
		}
	}
	return name
}

// principalOf is the user or, since a machine's token has none, the app client.
func principalOf(payload map[string]any) string {
	sub, _ := payload["sub"].(string)
	client, _ := payload["client_id"].(string)
	return cmp.Or(sub, client)
}

// unnamed is why a request is refused although every rule is met.
var unnamed = policy.Reason{
	Path:    "request",
	Message: "a policy cannot name the method exactly: its ARN is longer than 512 bytes or has *, ? or ${",
}
