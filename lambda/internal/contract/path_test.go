package contract

import "testing"

func TestHasBlank(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": false, "documents/read": false, "a b": true, "a\tb": true, "a\n": true, "\ra": true, "a\fb": true} {
		if got := HasBlank(text); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}
