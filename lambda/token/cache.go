package token

import (
	"crypto/subtle"
	"strings"
	"sync"
)

// maxSeenBytes bounds the tokens in each of a cache's two generations: some two hundred of the usual size. Taken apart, a
// token needs about three times its size.
const maxSeenBytes = 192 << 10

// cache remembers tokens whose signature was verified, so nobody without a genuine token can fill it or push others out.
// It knows neither time nor keys: whoever uses what it remembers has to check both.
//
// Tokens are found by the digest of what they sign, and their signature is compared in constant time: nothing about a token
// that was not seen can be learnt from how long that takes. Old ones go a generation at a time; one that is still in use
// moves to the young generation.
type cache struct {
	mu         sync.Mutex
	young, old map[[32]byte]entry
	bytes      int // of the tokens in young
}

type entry struct {
	*candidate
	signature string // the last part of the token, as it arrived
	size      int
}

// get returns the token with this digest and signature, or nil.
func (c *cache) get(digest [32]byte, signature string) *candidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, young := c.young[digest]
	if !young {
		e = c.old[digest]
	}
	if e.candidate == nil || subtle.ConstantTimeCompare([]byte(e.signature), []byte(signature)) != 1 {
		return nil
	}
	if !young {
		c.put(digest, e)
	}
	return e.candidate
}

// add remembers a token of the given size. Its signature is copied, since it is a small part of what arrived with it.
func (c *cache) add(digest [32]byte, token *candidate, signature string, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(digest, entry{token, strings.Clone(signature), size})
}

func (c *cache) put(digest [32]byte, e entry) {
	if c.young == nil || c.bytes+e.size > maxSeenBytes {
		c.young, c.old, c.bytes = map[[32]byte]entry{}, c.young, 0
	}
	c.bytes += e.size // twice when two calls add a token at once, which only makes room earlier
	c.young[digest] = e
}
