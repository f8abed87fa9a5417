package policytest

import (
	"context"
	"slices"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// Tables are the rows of the tables that a policy looks up, by what the policy calls the tables. Values are as in JSON,
// numbers [json.Number]. A table that is not there has no rows.
//
// A query, of the table or of an index, finds rows in the order in which they are here.
type Tables map[string][]map[string]any

// find answers as DynamoDB does: rows whose attributes equal the key's, and of these the attributes asked for.
func (t Tables) find(_ context.Context, requests []program.LookupRequest) map[string]program.Found {
	found := map[string]program.Found{}
	for _, r := range requests {
		var rows []map[string]any
		for _, row := range t[r.Table] {
			if len(rows) < max(r.Limit, 1) && hasKey(row, r.Key) {
				rows = append(rows, only(row, r.Attributes))
			}
		}
		found[r.Name] = program.Found{Rows: rows}
	}
	return found
}

func hasKey(row, key map[string]any) bool {
	for attribute, v := range key {
		if !scalarsEqual(row[attribute], v) {
			return false
		}
	}
	return true
}

func only(row map[string]any, attributes []string) map[string]any {
	out := map[string]any{}
	for attribute, v := range row {
		if slices.Contains(attributes, attribute) {
			out[attribute] = v
		}
	}
	return out
}
