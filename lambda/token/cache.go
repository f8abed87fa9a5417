package token

import (
	"hash/maphash"
	"strings"
	"sync"
)

// maxSeenBytes bounds the tokens in each of a cache's two generations: some two hundred of the usual size. Taken apart, a
// token needs about three times its size beside its text.
const maxSeenBytes = 192 << 10

// cache remembers tokens whose signature was verified, so nobody without a genuine token can fill it or push others out.
// It knows neither time nor keys: whoever uses what it remembers has to check both.
//
// Tokens are found by a hash with a secret seed, and then compared as a whole. Only who has a token knows a text with its
// hash, so nothing about a token can be learnt from how long that takes. Old ones go a generation at a time; one that is still
// in use moves to the young generation.
type cache struct {
	seed maphash.Seed

	mu         sync.Mutex
	young, old map[uint64]entry
	bytes      int // of the tokens in young
}

type entry struct {
	*candidate
	raw string // the token as it arrived
}

// get returns the token that raw is, or nil, and by what it is found.
func (c *cache) get(raw string) (token *candidate, hash uint64) {
	hash = maphash.String(c.seed, raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, young := c.young[hash]
	if !young {
		e = c.old[hash]
	}
	if e.raw != raw {
		return nil, hash
	}
	if !young && e.candidate != nil {
		c.put(hash, e)
	}
	return e.candidate, hash
}

// add remembers a token. Its text is copied, since what arrived with it should not stay.
func (c *cache) add(hash uint64, token *candidate, raw string) {
	e := entry{token, strings.Clone(raw)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(hash, e)
}

func (c *cache) put(hash uint64, e entry) {
	if c.young == nil || c.bytes+len(e.raw) > maxSeenBytes {
		c.young, c.old, c.bytes = make(map[uint64]entry, len(c.young)), c.young, 0
	}
	c.bytes += len(e.raw) // twice when two calls add a token at once, which only makes room earlier
	c.young[hash] = e
}
