package token

import "sync"

// maxSeenBytes bounds the tokens in each of a cache's two generations: some two hundred of the usual size. Taken apart, a
// token needs about three times its size.
const maxSeenBytes = 192 << 10

// cache remembers tokens whose signature was verified, so nobody without a genuine token can fill it or push others out.
// It knows neither time nor keys: whoever uses what it remembers has to check both.
//
// Tokens are found by their digest: nothing about a token that was not seen can be learnt from how long that takes. Old
// ones go a generation at a time; one that is still in use moves to the young generation.
type cache struct {
	mu         sync.Mutex
	young, old map[[32]byte]entry
	bytes      int // of the tokens in young
}

type entry struct {
	*candidate
	size int
}

// get returns the token with this digest, or nil.
func (c *cache) get(id [32]byte) *candidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.young[id]; ok {
		return e.candidate
	}
	e, ok := c.old[id]
	if !ok {
		return nil
	}
	c.put(id, e)
	return e.candidate
}

// add remembers a token of the given size.
func (c *cache) add(id [32]byte, token *candidate, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(id, entry{token, size})
}

func (c *cache) put(id [32]byte, e entry) {
	if c.young == nil || c.bytes+e.size > maxSeenBytes {
		c.young, c.old, c.bytes = map[[32]byte]entry{}, c.young, 0
	}
	c.bytes += e.size // twice when two calls add a token at once, which only makes room earlier
	c.young[id] = e
}
