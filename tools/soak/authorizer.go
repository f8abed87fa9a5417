package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// The verdicts of an authorizer.
const (
	allow   = "allow"
	deny    = "deny"          // a rule is not met
	invalid = "invalid token" // bad for good
	fault   = "fault"         // cannot be decided now
)

// thaw is longer than the authorizer fetches nothing after a fetch that disappointed: frozen for so long, it fetches again.
const thaw = 10*time.Second + 200*time.Millisecond

// strangersID is the id of the key that a stranger signs with.
const strangersID = "stranger"

// madeUp is the kind of a token whose key does not exist.
const madeUp = "with a key id that nobody has"

// phase is a part of the soak. Before each, the authorizer is frozen.
type phase struct {
	mode     string // of the key endpoint
	rotates  bool   // the pool begins to sign with its next key
	withdrew bool   // and publishes no other
	short    bool   // is part of the short soak
}

// phases begin with keys that cannot be fetched at the start. Where tokens of a new key are the first that come, the keys
// are fetched, and else a made-up key id asks for that.
var phases = []phase{
	{mode: "works", short: true},
	{mode: "answers 500"},
	{mode: "hangs"},
	{mode: "works", rotates: true},
	{mode: "answers HTML"},
	{mode: "drops connections"},
	{mode: "is slow"},
	{mode: "breaks off"},
	{mode: "redirects to a stranger", short: true},
	{mode: "flaps", rotates: true, withdrew: true, short: true},
	{mode: "answers without a key"},
	{mode: "answers 1 MB"},
	{mode: "answers with keys twice"},
	{mode: "answers 404"},
}

// user is who a token is of. The routes that are open to them are the policy's, written down by hand.
type user struct {
	name, company string
	claims        map[string]any
}

const readScope, writeScope = "documents/read", "documents/read documents/write"

var users = []user{
	{"owner", planted + "-acme", map[string]any{"scope": writeScope, "compliance_level": "high", "country_id": planted,
		"roles": map[string]any{"owner": map[string]any{"document_permission": "full_control"}}}},
	{"editor", planted + "-acme", map[string]any{"scope": readScope, "compliance_level": "standard",
		"roles": map[string]any{"contributor": map[string]any{"document_permission": "edit"}}}},
	{"outsider", planted + "-globex", map[string]any{"scope": readScope, "compliance_level": "high"}},
	{"visitor", planted + "-acme", map[string]any{"scope": "openid", "compliance_level": "high",
		"roles": map[string]any{"owner": map[string]any{"document_permission": "full_control"}}}},
}

var routes = []struct {
	request apigwtest.Request
	open    []string // the users who may
}{
	{apigwtest.Request{Method: "GET", Resource: "/documents", Path: "/documents"}, []string{"owner", "editor", "outsider"}},
	{apigwtest.Request{Method: "PUT", Resource: "/documents/{id}", Path: "/documents/7", PathParameters: map[string]string{"id": "7"}}, []string{"owner"}},
	{apigwtest.Request{Method: "GET", Resource: "/companies/{companyId}/audit", Path: "/companies/" + planted + "-acme/audit",
		PathParameters: map[string]string{"companyId": planted + "-acme"}}, []string{"owner"}},
	{apigwtest.Request{Method: "GET", Resource: "/companies/{companyId}/audit", Path: "/companies/" + planted + "-globex/audit",
		PathParameters: map[string]string{"companyId": planted + "-globex"}}, []string{"outsider"}},
}

// ticket is a token and what is known about it.
type ticket struct {
	raw  string
	kid  string // the key that it takes to decide; empty if none does
	sub  string
	user *user
	want string    // the verdict if the key is at hand; empty if the rules decide
	exp  time.Time // when it expires, if it may during the soak
}

// call is one event.
type call struct {
	kind, want string
	ticket     *ticket
	api        apigwtest.API
	request    apigwtest.Request
	event      []byte
}

type authorizerSoak struct {
	*process
	*report
	random  *mathrand.Rand
	pool    *tokentest.Pool
	keys    *keyServer
	genuine [][]*ticket         // by the key that signed them
	bad     map[string][]ticket // by what is wrong with them, one for each key
	kinds   []string            // the usual ones of bad
	signers []*rsa.PrivateKey
	current int    // the key that the pool signs with
	held    keySet // the keys that the authorizer has
}

func soakAuthorizer(ctx context.Context, bootstrap string, r *report, random *mathrand.Rand, events int, short bool) error {
	s := &authorizerSoak{report: r, random: random, pool: tokentest.NewPool()}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	published := s.sign(stranger)
	s.keys = newKeyServer(keySet{strangersID: &stranger.PublicKey}, "works")
	s.keys.behave("works", published[0])
	defer s.keys.Close()

	launch := func() (*process, error) {
		pools := encode([]map[string]any{{"userPoolId": s.pool.ID, "clientIds": []string{s.pool.ClientID}}})
		return start(ctx, bootstrap, "decision", "AWS_ENDPOINT_URL="+s.keys.URL, "CLAIMSMITH_AUTHORIZER=Documents",
			"CLAIMSMITH_USER_POOLS="+string(pools), "CLAIMSMITH_WWW_AUTHENTICATE=true")
	}
	first, err := launch()
	if err != nil {
		return err
	}
	fresh, err := freshGoroutines(first, s.call("a genuine token", s.genuine[0][0], 0, apigwtest.HTTP2).event)
	if err != nil {
		return err
	}

	s.keys.behave("hangs", nil)
	if s.process, err = launch(); err != nil {
		return err
	}
	defer s.kill()
	if err := s.ready(); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(phases), func(p phase) bool { return short && !p.short })
	r.faults = append(r.faults, "at the start the key endpoint hangs")
	began, done := time.Now(), 0
	for i, p := range chosen {
		if err := s.begin(p, i > 0, published); err != nil {
			return fmt.Errorf("phase %q: %w", p.mode, err)
		}
		for ; done < events*(i+1)/len(chosen); done++ {
			if err := s.do(s.next()); err != nil {
				return fmt.Errorf("phase %q, event %d: %w", p.mode, done, err)
			}
			if done%max(1, events/200) == 0 {
				if err := s.sample(); err != nil {
					return err
				}
			}
		}
	}
	// A fetch is two tries, and strangers cause no more than one in ten seconds beside those that a rotation needs.
	most := 2 * (int(time.Since(began)/(10*time.Second)) + 2*len(chosen))
	r.notes = append(r.notes, fmt.Sprintf("keys: asked for %d times; at most %d are in order", s.keys.asked(), most))
	if s.keys.asked() > most {
		return errors.New("the keys were asked for too often")
	}
	return s.finish(r, fresh)
}

// begin freezes the authorizer, changes what its key endpoint does, thaws it, and makes it fetch.
func (s *authorizerSoak) begin(p phase, freeze bool, published []keySet) error {
	// One that is in the authorizer's memory and expires in the freeze.
	dying := s.dying(thaw / 2)
	const mortal = "a token that expires in a freeze"
	if freeze {
		if err := s.do(s.call(mortal, dying, 0, apigwtest.HTTP2)); err != nil {
			return err
		}
	}
	name := "the key endpoint " + p.mode
	set := published[s.current]
	if p.rotates {
		s.current++
		name += " and has a new key"
		set = published[s.current]
		if !p.withdrew {
			set = keySet{}
			for _, some := range published[s.current-1 : s.current+1] {
				for id, key := range some {
					set[id] = key
				}
			}
		} else {
			name += " and none of the old ones"
		}
	}
	if freeze {
		name = fmt.Sprintf("frozen for %s, then %s", thaw, name)
		if err := s.freeze(thaw); err != nil {
			return err
		}
	}
	s.faults = append(s.faults, name)
	s.keys.take()
	s.keys.behave(p.mode, set)
	if freeze {
		if err := s.do(s.call(mortal, dying, 0, apigwtest.HTTP2)); err != nil {
			return err
		}
	}
	wake := s.call(madeUp, &s.bad[madeUp][0], 0, apigwtest.REST)
	if p.rotates || s.held == nil {
		wake = s.call("a genuine token of a new key", s.genuine[s.current][0], 0, apigwtest.HTTP2)
	}
	before := s.keys.asked()
	if err := s.do(wake); err != nil {
		return err
	}
	if s.keys.asked() == before {
		return errors.New("the keys were not fetched anew")
	}
	if (p.rotates || !freeze) && s.held[s.genuine[s.current][0].kid] == nil {
		return errors.New("the new key was not taken")
	}
	return nil
}

// sign makes all tokens, and returns what each of the pool's keys is published as.
func (s *authorizerSoak) sign(stranger *rsa.PrivateKey) (published []keySet) {
	const keys, perUser = 3, 120
	s.bad = map[string][]ticket{}
	far := s.pool.Now().Add(time.Hour).Unix()
	for k := range keys {
		if k > 0 {
			s.pool.Rotate()
		}
		kid := s.pool.KeyID()
		s.signers = append(s.signers, s.pool.PrivateKey())
		published = append(published, keySet{kid: &s.pool.PrivateKey().PublicKey})
		var tickets []*ticket
		for i := range perUser * len(users) {
			t := &ticket{kid: kid, user: &users[i%len(users)], sub: fmt.Sprintf(planted+"-%d-%d", k, i)}
			t.raw = s.pool.AccessToken(t.changes(map[string]any{"exp": far, "email": planted + "@example.com", "username": planted}))
			tickets = append(tickets, t)
		}
		s.genuine = append(s.genuine, tickets)

		// Every one is of the owner, so that but for the one fault it would be accepted.
		owner := &ticket{user: &users[0], sub: planted}
		claims := func(changes map[string]any) string { return string(encode(s.pool.Claims(owner.changes(changes)))) }
		header := fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, kid)
		good := s.pool.Sign(header, claims(nil))
		head, rest, _ := strings.Cut(good, ".")
		body, signature, _ := strings.Cut(rest, ".")
		b64 := base64.RawURLEncoding.EncodeToString
		now := s.pool.Now().Unix()
		for kind, raw := range map[string]string{
			"expired":                  s.pool.Sign(header, claims(map[string]any{"exp": now - 1})),
			"without an expiry":        s.pool.Sign(header, claims(map[string]any{"exp": tokentest.Absent})),
			"of another client":        s.pool.Sign(header, claims(map[string]any{"client_id": "another"})),
			"of another pool":          s.pool.Sign(header, claims(map[string]any{"iss": s.pool.Issuer() + "2"})),
			"an ID token":              s.pool.Sign(header, claims(map[string]any{"token_use": "id"})),
			"for another audience":     s.pool.Sign(header, claims(map[string]any{"aud": "another"})),
			"unsigned (none)":          b64([]byte(`{"alg":"none"}`)) + "." + body + ".",
			"unsigned":                 head + "." + body + ".",
			"with another algorithm":   s.pool.Sign(fmt.Sprintf(`{"kid":%q,"alg":"HS256"}`, kid), claims(nil)),
			"without a key id":         s.pool.Sign(`{"alg":"RS256"}`, claims(nil)),
			"with an extension (crit)": s.pool.Sign(fmt.Sprintf(`{"kid":%q,"alg":"RS256","crit":["exp"]}`, kid), claims(nil)),
			"with a claim twice":       s.pool.Sign(header, `{"client_id":"another",`+claims(nil)[1:]),
			"with trailing data":       s.pool.Sign(header, claims(nil)+"{}"),
			"with 2,000 levels":        s.pool.Sign(header, strings.Replace(claims(nil), `{`, `{"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+`,`, 1)),
			"of 20 KB":                 s.pool.Sign(header, claims(map[string]any{"x": strings.Repeat("x", 15_000)})),
			"of 256 KB":                head + "." + strings.Repeat("A", 256<<10) + "." + signature,
			"of 256 KB of dots":        strings.Repeat(".", 256<<10),
			"of one letter":            "x",
			"padded":                   good + "==",
			"with a line break":        head + "." + body[:8] + "\n" + body[8:] + "." + signature,
		} {
			s.bad[kind] = append(s.bad[kind], ticket{raw: raw, want: invalid})
		}
		// These take the key that they name.
		other := s.pool.Sign(header, claims(map[string]any{"scope": "documents/delete"}))
		for kind, t := range map[string]ticket{
			"with the signature of another token": {raw: head + "." + body + other[strings.LastIndexByte(other, '.'):], kid: kid, want: invalid},
			"with one claim changed":              {raw: head + "." + b64([]byte(claims(map[string]any{"scope": "x"}))) + "." + signature, kid: kid, want: invalid},
			"signed by a stranger":                {raw: signWith(stranger, header, claims(nil)), kid: kid, want: invalid},
			"signed by a stranger, under its id":  {raw: signWith(stranger, fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, strangersID), claims(nil)), kid: strangersID, want: invalid},
			"that brings its own key":             {raw: signWith(stranger, fmt.Sprintf(`{"kid":%q,"alg":"RS256","jku":"http://127.0.0.1:1/"}`, kid), claims(nil)), kid: kid, want: invalid},
			madeUp:                                {raw: s.pool.Sign(fmt.Sprintf(`{"kid":"made-up-%d","alg":"RS256"}`, k), claims(nil)), kid: "made-up", want: invalid},
			"not valid yet":                       {raw: s.pool.Sign(header, claims(map[string]any{"nbf": now + 3000})), kid: kid, want: fault},
		} {
			s.bad[kind] = append(s.bad[kind], t)
		}
	}
	s.kinds = slices.DeleteFunc(slices.Sorted(maps.Keys(s.bad)), func(kind string) bool {
		return kind == madeUp || strings.HasPrefix(kind, "of 256 KB")
	})
	return published
}

// signWith signs as [tokentest.Pool.Sign] does, with any key.
func signWith(key *rsa.PrivateKey, header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// changes are what makes the claims of a test pool those of the ticket.
func (t *ticket) changes(more map[string]any) map[string]any {
	changes := map[string]any{"sub": t.sub, "company_id": t.user.company}
	maps.Copy(changes, t.user.claims)
	maps.Copy(changes, more)
	return changes
}

// dying is a token, signed with the current key, that expires after d.
func (s *authorizerSoak) dying(d time.Duration) *ticket {
	t := &ticket{kid: s.genuine[s.current][0].kid, user: &users[0], sub: planted + "-dying"}
	t.exp = time.Unix(time.Now().Add(d).Unix(), 0)
	t.raw = signWith(s.signers[s.current], fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, t.kid),
		string(encode(s.pool.Claims(t.changes(map[string]any{"exp": t.exp.Unix()})))))
	return t
}

// next chooses an event.
func (s *authorizerSoak) next() call {
	apis := []apigwtest.API{apigwtest.HTTP2, apigwtest.HTTP1, apigwtest.REST, apigwtest.WebSocket}
	api, route := apis[s.random.IntN(len(apis))], s.random.IntN(len(routes))
	genuine := func(key int) *ticket { return s.genuine[key][s.random.IntN(len(s.genuine[key]))] }
	bad := func(kind string) call {
		return s.call("a token "+kind, &s.bad[kind][s.random.IntN(s.current+1)], route, api)
	}
	switch n := s.random.IntN(100); {
	case n < 55:
		return s.call("a genuine token", genuine(s.current), route, api)
	case n < 65:
		return s.call("a genuine token of any key so far", genuine(s.random.IntN(s.current+1)), route, api)
	case n < 90:
		return bad(s.kinds[s.random.IntN(len(s.kinds))])
	case n < 92:
		return s.call(madeUp, &s.bad[madeUp][0], route, api)
	case n == 92:
		return bad("of 256 KB")
	case n == 93:
		return s.call("no token", &ticket{want: invalid}, route, api)
	case n == 94:
		return s.call("two tokens", &ticket{raw: genuine(s.current).raw + ", " + genuine(s.current).raw, want: invalid}, route, api)
	case n == 95:
		// The policy has rules for routes, of which this event tells nothing.
		return s.call("a TOKEN event", &ticket{raw: genuine(s.current).raw, want: fault}, route, apigwtest.RESTToken)
	default:
		c := s.call("a malformed event", &ticket{raw: genuine(s.current).raw, want: fault}, route, api)
		c.event = malformed(s.random, c.event)
		return c
	}
}

func (s *authorizerSoak) call(kind string, t *ticket, route int, api apigwtest.API) call {
	c := call{kind: kind, want: t.want, ticket: t, api: api, request: routes[route].request}
	if c.want == "" {
		c.want = deny
		mayRead := strings.Contains(t.user.claims["scope"].(string), "documents/read")
		if slices.Contains(routes[route].open, t.user.name) || api == apigwtest.WebSocket && mayRead {
			c.want = allow
		}
	}
	c.request.Header = http.Header{"Accept": {"*/*"}, "X-Forwarded-For": {"192.0.2.1"}, "Cookie": {"session=" + planted}}
	if t.raw != "" {
		c.request.Header.Set("Authorization", "Bearer "+t.raw)
	}
	c.event = c.request.Event(api)
	return c
}

// do has the authorizer answer an event and holds the answer against the verdicts that it may have.
func (s *authorizerSoak) do(c call) error {
	before := time.Now()
	a, took, err := s.invoke(c.event)
	if err != nil {
		return fmt.Errorf("%s: %w", c.kind, err)
	}
	fetched := s.keys.take()
	got, err := c.verdict(a)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.kind, c.api, err)
	}
	if may := s.expect(c, before, time.Now(), fetched); !slices.Contains(may, got) {
		return fmt.Errorf("%s, %s %s: the verdict is %q, expected %q; %d fetches, keys held: %d", c.kind, c.api, c.request.RouteKey(), got, may, len(fetched), len(s.held))
	}
	if len(fetched) > 0 {
		got += ", after fetching keys"
	}
	s.add(c.kind, got, took)
	return nil
}

// expect is what the verdict may be. There is one, but for a token that expires while it is being looked at: what the
// authorizer knows and when it asks for keys is seen at the key endpoint.
func (s *authorizerSoak) expect(c call, before, after time.Time, fetched []keySet) []string {
	var last keySet
	for _, last = range fetched {
		if last != nil {
			s.held = last
		}
	}
	t := c.ticket
	var may []string
	if !t.exp.IsZero() && !after.Before(t.exp) {
		may = append(may, invalid)
		if !before.Before(t.exp) {
			return may
		}
	}
	switch {
	case t.kid == "" || s.held[t.kid] != nil:
		return append(may, c.want)
	case last != nil: // fetched, and the key is not there
		return append(may, invalid)
	default:
		return append(may, fault)
	}
}

// verdict reads an answer as API Gateway does.
func (c call) verdict(a answer) (string, error) {
	if a.err != nil {
		switch text := a.err.Error(); {
		case text == "the authorizer cannot decide now":
			return fault, nil
		case text == "Unauthorized" && (c.api == apigwtest.REST || c.api == apigwtest.WebSocket):
			return invalid, nil
		default:
			return "", fmt.Errorf("the error is %q", text)
		}
	}
	o := c.request.Outcome(c.api, a.body, nil)
	switch challenge, _ := o.Context["wwwAuthenticate"].(string); {
	case o.Status == http.StatusOK:
		// The claims must be those of this very token.
		if claims := fmt.Sprint(o.Context["claims"]); !strings.Contains(claims, c.ticket.sub) || c.ticket.sub == "" {
			return "", errors.New("the claims are those of another token")
		}
		return allow, nil
	case o.Status == http.StatusForbidden && challenge == `Bearer error="insufficient_scope"`:
		return deny, nil
	case o.Status == http.StatusForbidden && (challenge == `Bearer error="invalid_token"` || challenge == "Bearer"):
		return invalid, nil
	default:
		return "", fmt.Errorf("API Gateway would make status %d of the answer", o.Status)
	}
}
