package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// CognitoPayload is about what Cognito's own claims take in an access token's payload, beside scopes and groups.
	CognitoPayload = 700

	// MaxClaims is Cognito's quota of existing and added claims and scopes in both tokens together. It can be raised, but
	// no token within API Gateway's limit comes near it. CognitoClaimCount is about what is there already.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
	MaxClaims         = 5000
	CognitoClaimCount = 50
)

// TokenSize is about the size of a token with that payload: header, payload and an RS256 signature in base64url.
func TokenSize(payload int) int { return (100+payload)*4/3 + 2 + 342 }

// jsonSize is the size of a value in compact JSON.
func jsonSize(v any) int {
	switch v := v.(type) {
	case string:
		return quotedSize(v)
	case bool:
		return len(strconv.FormatBool(v))
	case int64:
		return len(strconv.AppendInt(make([]byte, 0, 20), v, 10))
	case float64:
		return len(strconv.AppendFloat(make([]byte, 0, 32), v, 'g', -1, 64))
	case []any:
		size := 2 + max(0, len(v)-1)
		for _, e := range v {
			size += jsonSize(e)
		}
		return size
	case map[string]any:
		size := 2 + max(0, len(v)-1)
		for key, e := range v {
			size += quotedSize(key) + 1 + jsonSize(e)
		}
		return size
	default:
		return 0
	}
}

func quotedSize(s string) int {
	size := 2 + len(s)
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			size++
		case r < ' ' || r == utf8.RuneError:
			size += 5
		}
	}
	return size
}

// Part is a part of a token's payload and its size.
type Part struct {
	name  string
	claim bool // the name is a claim's
	size  int
}

// ClaimPart is a claim as a part of a payload.
func ClaimPart(name string, v any) Part { return Part{name, true, quotedSize(name) + 2 + jsonSize(v)} }

// ListPart is a list of words as a part of a payload, about.
func ListPart(name string, lists ...[]string) Part {
	p := Part{name: name}
	for _, words := range lists {
		for _, word := range words {
			p.size += len(word) + 3
		}
	}
	return p
}

func (p Part) path() string {
	if p.claim {
		return Child("claims", p.name)
	}
	return p.name
}

// OverBudget says that a payload is too large for the budget, and what takes the most. It is empty when it is not.
func OverBudget(budget int, parts []Part) string {
	payload := CognitoPayload
	for _, p := range parts {
		payload += p.size
	}
	size := TokenSize(payload)
	if size <= budget {
		return ""
	}
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name)) })
	var biggest []string
	for _, p := range parts[:min(3, len(parts))] {
		if p.size == 0 {
			break
		}
		biggest = append(biggest, fmt.Sprintf("%s (%d bytes)", p.path(), p.size))
	}
	return fmt.Sprintf("the access token would have about %d bytes, at most %d are allowed; the biggest parts are %s",
		size, budget, strings.Join(biggest, ", "))
}
