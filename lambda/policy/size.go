package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultTokenBudget is the size in bytes that an access token may have by default. API Gateway allows 10,240 bytes of
// headers in all, so that 3 KiB are left for the others, cookies included.
const DefaultTokenBudget = 7 << 10

const (
	// cognitoPayload is about what Cognito's own claims take in an access token's payload, beside scopes and groups.
	cognitoPayload = 700

	// maxClaims is Cognito's quota of existing and added claims and scopes in both tokens together. It can be raised, but
	// no token within API Gateway's limit comes near it. cognitoClaimCount is about what is there already.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
	maxClaims         = 5000
	cognitoClaimCount = 50
)

// tokenSize is about the size of a token with that payload: header, payload and an RS256 signature in base64url.
func tokenSize(payload int) int { return (100+payload)*4/3 + 2 + 342 }

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

// part is a part of a token's payload and its size.
type part struct {
	name string
	size int
}

// overBudget says that a payload is too large for the budget, and what takes the most. It is empty when it is not.
func overBudget(budget int, parts []part) string {
	payload := cognitoPayload
	for _, p := range parts {
		payload += p.size
	}
	size := tokenSize(payload)
	if size <= budget {
		return ""
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.size, a.size) })
	var biggest []string
	for _, p := range parts[:min(3, len(parts))] {
		if p.size == 0 {
			break
		}
		biggest = append(biggest, fmt.Sprintf("%s (%d bytes)", p.name, p.size))
	}
	return fmt.Sprintf("the access token would have about %d bytes, at most %d are allowed; the biggest parts are %s",
		size, budget, strings.Join(biggest, ", "))
}

func listSize(words []string) int {
	size := 0
	for _, w := range words {
		size += len(w) + 3
	}
	return size
}
