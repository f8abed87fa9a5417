package lookup

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// maxCached bounds the rows of how many requests are kept.
const maxCached = 1000

// cache keeps the rows of requests whose lookup allows it, and that there were none.
type cache struct {
	now     func() time.Time
	mutex   sync.Mutex
	entries map[string]entry
}

type entry struct {
	rows    []map[string]any // never written to
	expires time.Time
}

// cacheKey tells requests apart. Maps encode in the order of their keys.
func cacheKey(r program.LookupRequest) string {
	if r.Cache == 0 {
		return ""
	}
	key, err := json.Marshal([]any{r.Name, r.Key})
	if err != nil {
		panic("internal error: a key does not encode: " + err.Error())
	}
	return string(key)
}

func (c *cache) get(key string, ttl time.Duration) ([]map[string]any, bool) {
	if ttl == 0 {
		return nil, false
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	e, ok := c.entries[key]
	return e.rows, ok && c.now().Before(e.expires)
}

func (c *cache) put(key string, ttl time.Duration, rows []map[string]any) {
	if ttl == 0 {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.entries == nil || len(c.entries) >= maxCached {
		c.entries = map[string]entry{} // simpler than the least recently used, and as good for a few hot rows
	}
	c.entries[key] = entry{rows, c.now().Add(ttl)}
}
