package main

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// keySet are public keys by their ids.
type keySet map[string]*rsa.PublicKey

func (s keySet) String() string {
	encode := base64.RawURLEncoding.EncodeToString
	var keys []string
	for id, key := range s {
		keys = append(keys, fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":%q}`,
			id, encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())))
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

// keyServer is the key endpoint of the user pool, in some mode of working or failing.
type keyServer struct {
	*httptest.Server
	stranger keySet // keys that the pool does not publish, though whoever meddles with its endpoint might

	mu      sync.Mutex
	mode    string
	set     keySet
	fetches []keySet // the answers since take was called: the keys that were sent, or nil if it was not in order
	total   int
}

// request is one request for the keys.
type request struct {
	http.ResponseWriter
	from          *http.Request
	number        int
	set, stranger keySet
}

func (r request) publish() keySet { fmt.Fprint(r, r.set); return r.set }
func (r request) status(code int) keySet {
	r.WriteHeader(code)
	return nil
}
func (r request) text(format string, args ...any) keySet { fmt.Fprintf(r, format, args...); return nil }

// modes are how the endpoint may behave. Each returns the keys that it sent if its answer was in order.
var modes = map[string]func(request) keySet{
	"works":                 request.publish,
	"is slow":               func(r request) keySet { time.Sleep(300 * time.Millisecond); return r.publish() },
	"hangs":                 func(r request) keySet { <-r.from.Context().Done(); return nil },
	"drops connections":     func(request) keySet { panic(http.ErrAbortHandler) },
	"answers 404":           func(r request) keySet { return r.status(http.StatusNotFound) },
	"answers 500":           func(r request) keySet { return r.status(http.StatusInternalServerError) },
	"answers HTML":          func(r request) keySet { return r.text("<html><body>out of order</body></html>") },
	"answers without a key": func(r request) keySet { return r.text(`{"keys":[]}`) },
	"answers 1 MB": func(r request) keySet {
		return r.text(`{"x":%q,%s`, strings.Repeat("x", 1<<20), r.stranger.String()[1:])
	},
	"answers with keys twice": func(r request) keySet {
		return r.text(`%s,%s`, strings.TrimSuffix(r.set.String(), "}"), r.stranger.String()[1:])
	},
	"redirects to a stranger": func(r request) keySet {
		r.Header().Set("Location", "/stranger")
		return r.status(http.StatusFound)
	},
	"breaks off": func(r request) keySet {
		body := r.set.String()
		r.Header().Set("Content-Length", fmt.Sprint(len(body)))
		return r.text("%s", body[:len(body)/2])
	},
	"flaps": func(r request) keySet { // every second answer is in order, and a fetch is tried twice
		if r.number%2 == 1 {
			return r.status(http.StatusServiceUnavailable)
		}
		return r.publish()
	},
}

func newKeyServer(stranger keySet, mode string) *keyServer {
	s := &keyServer{stranger: stranger, mode: mode}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/stranger" { // an authorizer that comes here accepts the stranger's tokens, which will tell
		fmt.Fprint(w, s.stranger)
		return
	}
	s.mu.Lock()
	s.total++
	number := len(s.fetches)
	s.fetches = append(s.fetches, nil)
	mode := modes[s.mode]
	req := request{w, r, s.total, s.set, s.stranger}
	s.mu.Unlock()
	keys := mode(req) // which is not sent in full before this function returns
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < len(s.fetches) { // else whoever asked has given up long ago
		s.fetches[number] = keys
	}
}

// behave changes the mode and the keys that are published.
func (s *keyServer) behave(mode string, set keySet) {
	if modes[mode] == nil {
		panic("no mode " + mode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.set = mode, maps.Clone(set)
}

// take returns the answers since it was last called.
func (s *keyServer) take() []keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.Clone(s.fetches)
	s.fetches = nil
	return taken
}

// asked is how often the keys were asked for.
func (s *keyServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}
