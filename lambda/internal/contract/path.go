package contract

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Child is the path of a key below a path: a.b, or a["b c"] when b is no identifier.
func Child(path, key string) string {
	if !IsIdentifier(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// ClaimFields are the keys of a claim in a policy document, sorted.
var ClaimFields = []string{"as", "attribute", "claims", "code", "expr", "onError", "required", "tokens", "type", "value", "when"}

// Nested is the path of a claim inside a claim. It is also the claim's place in the token. A name that a field of a claim
// has too is quoted, so that the two cannot be confused.
func Nested(path, claim string) string {
	if slices.Contains(ClaimFields, claim) {
		return path + "[" + strconv.Quote(claim) + "]"
	}
	return Child(path, claim)
}

// Item is the path of an item of a list.
func Item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// IsIdentifier tells whether a key can be written without quotes.
func IsIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && (r > unicode.MaxASCII || !unicode.IsLetter(r)) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// SortedKeys are the keys of a map, sorted.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// HasBlank tells whether a scope's name has what would make it two.
func HasBlank(s string) bool { return strings.ContainsAny(s, " \t\n\f\r") }
