package lookup

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// plain is a value of DynamoDB as JSON would hold it. Numbers keep every digit. Binary is base64. Sets are lists,
// sorted, since a set has no order and equal rows should make equal tokens.
func plain(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return json.Number(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberSS:
		return list(slices.Sorted(slices.Values(v.Value)), func(s string) any { return s })
	case *types.AttributeValueMemberNS:
		return list(slices.SortedFunc(slices.Values(v.Value), compareNumbers), func(n string) any { return json.Number(n) })
	case *types.AttributeValueMemberBS:
		encoded := list(v.Value, func(b []byte) string { return base64.StdEncoding.EncodeToString(b) })
		slices.Sort(encoded)
		return list(encoded, func(s string) any { return s })
	case *types.AttributeValueMemberL:
		return list(v.Value, plain)
	case *types.AttributeValueMemberM:
		return plainMap(v.Value)
	default: // NULL, and kinds that DynamoDB may yet learn
		return nil
	}
}

func plainMap(m map[string]types.AttributeValue) map[string]any {
	out := make(map[string]any, len(m))
	for name, v := range m {
		out[name] = plain(v)
	}
	return out
}

func list[S, T any](in []S, f func(S) T) []T {
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func compareNumbers(a, b string) int {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return cmp.Compare(a, b)
	}
	return x.Cmp(y)
}
