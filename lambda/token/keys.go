package token

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // case-sensitive, refuses duplicate keys
)

const (
	// refreshAge is when keys are fetched anew although they still serve, so that a key that was withdrawn is not
	// accepted for much longer. If that fails they go on serving.
	refreshAge = time.Hour

	// maxKeyAge is when keys cease to serve, whatever the reason that they could not be fetched anew: how long an outage
	// of the endpoint may last, and how long somebody who can keep us from the endpoint can keep a withdrawn key alive.
	maxKeyAge = 24 * time.Hour

	// penalty is how long nothing is fetched after a fetch that disappointed: it failed, or it did not bring a key id that
	// a token named. Strangers can name any id; this is what bounds the fetches that they can cause.
	penalty = 10 * time.Second

	fetchTries  = 2
	tryTimeout  = 1500 * time.Millisecond
	maxSetBytes = 150_000 // API Gateway's own limit for a key set

	minKeyBits = 2048
)

// remoteKeys are the keys that the pools publish: the KeySet of a [Verifier] that is given none.
//
// Each issuer has its own set, at its own address, since Cognito does not serve the updated form of a pool that was not
// switched to it, and a stranger who names that form must not stand in the way of the other.
type remoteKeys struct {
	pools   map[string]*Pool      // by issuer
	sets    map[string]*remoteSet // by issuer; with an endpoint override both forms of a pool share a set
	onFetch func(err error)
}

func newRemoteKeys(pools map[string]*Pool, endpoint string, now func() time.Time, onFetch func(error)) (*remoteKeys, error) {
	if onFetch == nil {
		onFetch = func(error) {}
	}
	if endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("expected a plain URL such as \"http://127.0.0.1:4566\", see Config.Endpoint")
		}
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		// A connection kept open is two goroutines and a socket that do not outlive a Lambda freeze in good order; keys
		// are fetched so seldom that a new connection costs nothing. HTTP/1 for the same reason.
		DisableKeepAlives:      true,
		Protocols:              new(http.Protocols),
		DisableCompression:     true, // what is limited is what is read
		MaxResponseHeaderBytes: 64 << 10,
	}
	transport.Protocols.SetHTTP1(true)

	r := &remoteKeys{pools: pools, sets: make(map[string]*remoteSet, len(pools)), onFetch: onFetch}
	byURL := make(map[string]*remoteSet, len(pools))
	for issuer, pool := range pools {
		address := issuer
		if endpoint != "" {
			address = strings.TrimRight(endpoint, "/") + "/" + pool.ID
		}
		address += "/.well-known/jwks.json"
		if byURL[address] == nil {
			byURL[address] = &remoteSet{url: address, now: now, transport: transport, onFetch: onFetch}
		}
		r.sets[issuer] = byURL[address]
	}
	return r, nil
}

func (r *remoteKeys) Key(ctx context.Context, issuer, kid string) (*rsa.PublicKey, error) {
	return r.sets[issuer].key(ctx, kid)
}

// Prefetch fetches all sets at once. A pool has but one form of issuer at a time, so one set of the two is enough.
func (r *remoteKeys) Prefetch(ctx context.Context) error {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		errs  = make(map[*Pool]error) // nil when one of the pool's sets is at hand
	)
	for issuer, pool := range r.pools {
		group.Go(func() {
			err := r.sets[issuer].prefetch(ctx)
			mu.Lock()
			defer mu.Unlock()
			if previous, ok := errs[pool]; ok && previous == nil {
				err = nil
			}
			errs[pool] = err
		})
	}
	group.Wait()

	var problems []error
	for _, err := range errs {
		r.onFetch(err)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// remoteSet is one key set, fetched on demand: by the first call that needs it, for all calls that wait meanwhile.
type remoteSet struct {
	url       string
	now       func() time.Time
	transport http.RoundTripper
	onFetch   func(err error)

	mu         sync.Mutex
	keys       map[string]*rsa.PublicKey // by key id; the last good set
	fetched    time.Time                 // when keys were fetched
	penalized  time.Time                 // when a fetch last disappointed
	lastFailed error                     // why the last fetch failed; nil if it did not
	flight     *flight                   // the fetch in progress, if any
}

// flight is one fetch and those who wait for it. All fields but err and done are guarded by the set's mutex; err may be
// read when done is closed.
type flight struct {
	cancel  context.CancelFunc
	waiters int
	wanted  []string // the key ids that waiters want
	done    chan struct{}
	err     error
}

func (s *remoteSet) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	s.mu.Lock()
	now := s.now()
	key := s.lookup(kid, now)
	shut := within(now, s.penalized, penalty)
	if key != nil && (shut || s.flight != nil || within(now, s.fetched, refreshAge)) {
		s.mu.Unlock()
		return key, nil
	}
	if shut {
		defer s.mu.Unlock()
		if s.lastFailed != nil {
			return nil, fmt.Errorf("token: %w, next try within %s: %w", ErrKeysOutOfReach, penalty, s.lastFailed)
		}
		return nil, fmt.Errorf("token: %w: kid: %s is not among the keys of %s, which were fetched less than %s ago",
			ErrUnknownKey, quote(kid), s.url, penalty)
	}
	joins := s.flight != nil
	f := s.board(ctx, kid)
	s.mu.Unlock()

	err := s.wait(ctx, f)
	if !joins {
		s.tell(err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.lookup(kid, s.now()); key != nil { // even if a refresh failed
		return key, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token: %w: %w", ErrKeysOutOfReach, err)
	}
	if joins { // the set may have been sent before the token's key was added to it
		return nil, fmt.Errorf("token: %w: kid: %s is not among the keys of %s as of a moment ago", ErrUnknownKey, quote(kid), s.url)
	}
	return nil, reject("kid: %s is not among the keys of %s", quote(kid), s.url)
}

// tell tells of a fetch that a token made necessary. Strangers can make us ask for the form of issuer that a pool does not
// have, which Cognito refuses; that must not look like an outage.
func (s *remoteSet) tell(err error) {
	s.mu.Lock()
	never := s.keys == nil
	s.mu.Unlock()
	if _, refused := errors.AsType[refusal](err); refused && never {
		err = nil
	}
	s.onFetch(err)
}

// prefetch fetches the set. A failure is not held against the first token: that may try again at once.
func (s *remoteSet) prefetch(ctx context.Context) error {
	s.mu.Lock()
	f := s.board(ctx)
	s.mu.Unlock()
	return s.wait(ctx, f)
}

// lookup returns the key named kid, or nil if it is unknown or too old.
func (s *remoteSet) lookup(kid string, now time.Time) *rsa.PublicKey {
	if !within(now, s.fetched, maxKeyAge) {
		return nil
	}
	return s.keys[kid]
}

// within reports whether now is less than d after since. It compares wall clocks, since the monotonic one may stand still
// while Lambda freezes us. Wall clocks get set: one that went back further than a correction makes any age unknown.
func within(now, since time.Time, d time.Duration) bool {
	age := now.Round(0).Sub(since.Round(0))
	return -time.Minute < age && age < d
}

// board adds a waiter to the fetch in progress, or to a new one. The fetch is nobody's own: it takes its values from the
// context of the call that caused it, but ends neither with that call nor with any other while somebody waits.
func (s *remoteSet) board(ctx context.Context, kids ...string) *flight {
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		s.flight = f
		go s.fly(ctx, f)
	}
	f.waiters++
	f.wanted = append(f.wanted, kids...)
	return f
}

// wait waits for the fetch, and returns its error or that of ctx. The last waiter to give up ends the fetch and sees to it
// that it has ended, so that no goroutine is left behind.
func (s *remoteSet) wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	f.waiters--
	deserted := f.waiters == 0
	if deserted && s.flight == f {
		s.flight = nil // nobody may board any more
	}
	s.mu.Unlock()
	if deserted {
		f.cancel()
		<-f.done
	}
	return context.Cause(ctx)
}

// fly fetches the set and records what came of it.
func (s *remoteSet) fly(ctx context.Context, f *flight) {
	defer close(f.done)
	defer f.cancel()
	keys, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	f.err = err
	if s.flight == f {
		s.flight = nil
	}
	now := s.now()
	disappoints := false
	if err == nil {
		s.keys, s.fetched = keys, now
	} else if ctx.Err() != nil && !within(now, s.fetched, maxKeyAge) {
		// Deserted, which says nothing about the endpoint; and without any key the next token has to try.
		return
	}
	for _, kid := range f.wanted {
		disappoints = disappoints || err != nil || keys[kid] == nil
	}
	if disappoints {
		s.penalized = now
	}
	s.lastFailed = err
}

func (s *remoteSet) fetch(ctx context.Context) (keys map[string]*rsa.PublicKey, err error) {
	for range fetchTries {
		keys, err = s.try(ctx)
		if _, refused := errors.AsType[refusal](err); err == nil || refused || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", s.url, err)
	}
	return keys, nil
}

// try fetches the set once. It speaks to the transport itself, which follows no redirect.
func (s *remoteSet) try(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status >= 400 && status < 500:
		return nil, refusal(status)
	case status != http.StatusOK:
		return nil, fmt.Errorf("expected status 200, got %d", status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSetBytes {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxSetBytes)
	}
	return parseKeys(body)
}

// refusal is a status that asking again would not change. Cognito answers 403 for the form of issuer that a pool does not
// have, and Prefetch should not wait for that twice.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("expected status 200, got %d", int(r)) }

// parseKeys returns the keys of a JSON Web Key Set that can verify RS256. It passes over all others, which a set may hold
// for other uses or other readers (RFC 7517, section 5), but not over a set that holds none.
func parseKeys(data []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("the answer is not a JSON Web Key Set")
	}
	keys := make(map[string]*rsa.PublicKey, len(set.Keys))
	for _, raw := range set.Keys {
		var jwk jose.JSONWebKey
		if jwk.UnmarshalJSON(raw) != nil {
			continue
		}
		key, ok := jwk.Key.(*rsa.PublicKey)
		if !ok || key.N.BitLen() < minKeyBits ||
			jwk.KeyID == "" || keys[jwk.KeyID] != nil ||
			jwk.Use != "" && jwk.Use != "sig" ||
			jwk.Algorithm != "" && jwk.Algorithm != "RS256" {
			continue
		}
		keys[jwk.KeyID] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of the %d keys in the set is an RSA key for RS256 of at least %d bits", len(set.Keys), minKeyBits)
	}
	return keys, nil
}
