package token

import (
	"hash/maphash"
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
	young, old generation
}

// generation is tokens by their hashes. Their texts are copied, since what arrived with them should not stay, into memory that
// the generation after the next uses again.
type generation struct {
	tokens map[uint64]entry
	texts  []byte
}

type entry struct {
	*candidate
	from, to int // where its text is
}

func (g *generation) find(hash uint64, raw string) *candidate {
	if e, ok := g.tokens[hash]; ok && string(g.texts[e.from:e.to]) == raw {
		return e.candidate
	}
	return nil
}

// get returns the token that raw is, or nil, and by what it is found.
func (c *cache) get(raw string) (token *candidate, hash uint64) {
	hash = maphash.String(c.seed, raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	if token = c.young.find(hash, raw); token != nil {
		return token, hash
	}
	if token = c.old.find(hash, raw); token != nil {
		c.put(hash, token, raw)
	}
	return token, hash
}

// add remembers a token.
func (c *cache) add(hash uint64, token *candidate, raw string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(hash, token, raw)
}

func (c *cache) put(hash uint64, token *candidate, raw string) {
	if len(c.young.texts)+len(raw) > maxSeenBytes {
		c.young, c.old = c.old, c.young
		clear(c.young.tokens)
		c.young.texts = c.young.texts[:0]
	}
	c.young.add(hash, token, raw)
}

// add adds a token, or its text a second time when two calls add it at once, which only makes room earlier.
func (g *generation) add(hash uint64, token *candidate, raw string) {
	if g.tokens == nil {
		g.tokens = map[uint64]entry{}
	}
	from := len(g.texts)
	g.texts = append(g.texts, raw...)
	g.tokens[hash] = entry{token, from, len(g.texts)}
}
