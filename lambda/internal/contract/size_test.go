package contract

import (
	"encoding/json"
	"testing"
)

// The size that is held against the budget is that of the JSON that is sent.
func TestJSONSize(t *testing.T) {
	t.Parallel()
	for _, v := range []any{"", "a\"b\\c", "日本\u0001", true, false, int64(0), int64(-9007199254740993), 1.5, []any{}, []any{"a", int64(1), true}, map[string]any{}, map[string]any{"a": map[string]any{"b\"": []any{1.25}}}} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonSize(v); got != len(want) {
			t.Errorf("%s: got %d, want %d", want, got, len(want))
		}
	}
}
