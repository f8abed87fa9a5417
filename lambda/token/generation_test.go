package token

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
)

// Two texts may have one hash. Then it is the text that tells.
func TestTokensAreFoundByTheirWholeText(t *testing.T) {
	t.Parallel()
	c := cache{seed: maphash.MakeSeed()}
	token := &candidate{issuer: "first"}
	c.add(1, token, "first")
	if c.young.find(1, "first") != token || c.young.find(1, "other") != nil || c.young.find(1, "firs") != nil || c.young.find(2, "first") != nil {
		t.Error("a token is not found by its text and hash alone")
	}
}

// What is remembered is bounded, and the youngest are remembered whatever came before them.
func TestOldTokensAreForgotten(t *testing.T) {
	t.Parallel()
	c := cache{seed: maphash.MakeSeed()}
	const size = 1 << 10
	text := func(i int) string { return fmt.Sprintf("%0*d", size, i) }
	for i := range 2000 {
		_, hash := c.get(text(i))
		c.add(hash, &candidate{issuer: text(i)}, text(i))
		for _, recent := range []int{i, max(0, i-maxSeenBytes/size/2)} {
			if found, _ := c.get(text(recent)); found == nil || found.issuer != text(recent) {
				t.Fatalf("after %d tokens number %d is forgotten or another", i+1, recent)
			}
		}
	}
	if n := len(c.young.tokens) + len(c.old.tokens); n > 2*maxSeenBytes/size || n < maxSeenBytes/size {
		t.Errorf("%d tokens are remembered", n)
	}
	if found, _ := c.get(text(3)); found != nil {
		t.Errorf("the fourth of 2,000 is remembered as %s", strings.TrimLeft(found.issuer, "0"))
	}
}
