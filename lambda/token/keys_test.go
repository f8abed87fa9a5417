package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// network is an in-memory network: what answers is served by answer, after a delay in the time of the synctest bubble.
type network struct {
	mu     sync.Mutex
	answer func(*http.Request) (*http.Response, error)
	delay  time.Duration
	asked  []string // URLs
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	answer, delay := n.answer, n.delay
	n.asked = append(n.asked, r.URL.String())
	n.mu.Unlock()
	select {
	case <-time.After(delay):
		return answer(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (n *network) set(delay time.Duration, answer func(*http.Request) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer, n.delay = answer, delay
}

// asks returns how many requests there were since the last call.
func (n *network) asks() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.asked = nil }()
	return len(n.asked)
}

func status(code int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func serve(h http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// world is a pool, a verifier that fetches its keys, and the network between them. Its time is that of the bubble.
type world struct {
	*testing.T
	*tokentest.Pool
	*token.Verifier
	*network
}

// inWorld runs a test whose clock only moves while everybody waits.
func inWorld(t *testing.T, test func(world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pool := tokentest.NewPool()
		w := world{T: t, Pool: pool, network: &network{}}
		w.set(0, serve(pool))
		var err error
		if w.Verifier, err = token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: "http://cognito.local/"}); err != nil {
			t.Fatal(err)
		}
		w.SetTransport(w.network)
		test(w)
	})
}

// token returns a token that lasts as long as any test.
func (w world) token() string {
	return w.AccessToken(map[string]any{"exp": time.Now().Add(1000 * time.Hour).Unix()})
}

// madeUp returns a token that is in order but for the id of its key.
func (w world) madeUp(kid string) string {
	payload := fmt.Sprintf(`{"iss":%q,"token_use":"access","client_id":%q,"exp":%d}`, w.Issuer(), w.ClientID, time.Now().Add(1000*time.Hour).Unix())
	return w.Sign(fmt.Sprintf(`{"alg":"RS256","kid":%q}`, kid), payload)
}

type verdict int

const (
	accepted verdict = iota
	rejected
	fault
)

func (v verdict) String() string { return [...]string{"accepted", "rejected", "fault"}[v] }

func verdictOf(err error) verdict {
	if _, ok := errors.AsType[*token.RejectedError](err); ok {
		return rejected
	}
	if err != nil {
		return fault
	}
	return accepted
}

// expect checks the verdict on a token and how many requests it took.
func (w world) expect(raw string, want verdict, asks int) {
	w.Helper()
	_, err := w.Verify(w.Context(), raw)
	if got := verdictOf(err); got != want {
		w.Errorf("%s, want %s: %v", got, want, err)
	}
	if got := w.asks(); got != asks {
		w.Errorf("asked for keys %d times, want %d", got, asks)
	}
}

func TestKeysAreFetchedOnceAndKept(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.expect(w.token(), accepted, 1)
		w.expect(w.token(), accepted, 0)
		// With an endpoint override both issuers have the same keys.
		w.expect(w.AccessToken(map[string]any{"iss": w.UpdatedIssuer()}), accepted, 0)
	})
}

func TestKeysComeFromTheIssuerOfTheToken(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{}
	n.set(0, status(http.StatusForbidden, ""))
	verifier.SetTransport(n)
	for _, issuer := range []string{pool.Issuer(), pool.UpdatedIssuer()} {
		_, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{"iss": issuer}))
		want := "token: keys out of reach: fetching " + issuer + "/.well-known/jwks.json: expected status 200, got 403"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if len(n.asked) != 1 || n.asked[0] != issuer+"/.well-known/jwks.json" {
			t.Errorf("asked for %q", n.asked)
		}
		n.asks()
	}
}

// Public case 27.
func TestRotation(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		old := w.token()
		w.expect(old, accepted, 1)
		w.Rotate()
		w.expect(w.token(), accepted, 1)
		w.expect(old, accepted, 0)

		w.Rotate() // at once again, which the fetch that brought a key must not hinder
		w.expect(w.token(), accepted, 1)
	})
}

func TestWithdrawnKeyIsRefusedAfterAnHour(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		old := w.token()
		w.expect(old, accepted, 1)
		w.Rotate()
		w.Withdraw()
		time.Sleep(time.Hour - time.Second)
		w.expect(old, accepted, 0)
		time.Sleep(time.Second)
		w.expect(old, rejected, 1)
		w.expect(w.token(), accepted, 0)
	})
}

// Public case 28.
func TestUnknownKeyIDIsRejectedOnlyOnFreshKeys(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.expect(w.madeUp("x"), rejected, 1)
		w.expect(w.madeUp("x"), fault, 0)
		w.expect(w.madeUp("y"), fault, 0)
		w.Rotate()
		w.expect(w.token(), fault, 0) // unfortunate, and a fault rather than a denial for this very reason
		time.Sleep(10*time.Second - time.Nanosecond)
		w.expect(w.madeUp("x"), fault, 0)
		time.Sleep(time.Nanosecond)
		w.expect(w.token(), accepted, 1)
		w.expect(w.madeUp("x"), rejected, 1)
	})
}

// Public case 29.
func TestFlood(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]bool{"endpoint up": false, "endpoint down": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.expect(w.token(), accepted, 1)
				requests := 1
				if w.set(100*time.Millisecond, serve(w.Pool)); outage {
					w.set(100*time.Millisecond, down)
					requests = 2 // one fetch is two tries
				}
				tokens := make([]string, 1000)
				for i := range tokens {
					tokens[i] = w.madeUp(fmt.Sprint("made-up-", i))
				}
				flood := func() {
					var group sync.WaitGroup
					var verdicts [3]atomic.Int32
					for _, raw := range tokens {
						group.Go(func() {
							_, err := w.Verify(w.Context(), raw)
							verdicts[verdictOf(err)].Add(1)
						})
					}
					synctest.Wait() // all wait for the fetch, or have their answer
					started := time.Now()
					if _, err := w.Verify(w.Context(), w.token()); err != nil || time.Since(started) != 0 {
						w.Errorf("a known key during the flood: %v after %s", err, time.Since(started))
					}
					group.Wait()
					if verdicts[accepted].Load() != 0 || verdicts[rejected].Load() > 1 {
						w.Errorf("%d accepted, %d rejected, %d faults", verdicts[0].Load(), verdicts[1].Load(), verdicts[2].Load())
					}
				}
				flood()
				if n := w.asks(); n != requests {
					w.Errorf("the flood cost %d requests, want %d", n, requests)
				}
				flood()
				time.Sleep(9 * time.Second)
				flood()
				if n := w.asks(); n != 0 {
					w.Errorf("the flood cost %d requests within ten seconds, want 0", n)
				}
				time.Sleep(time.Second)
				flood()
				if n := w.asks(); n != requests {
					w.Errorf("the flood cost %d requests after ten seconds, want %d", n, requests)
				}
			})
		})
	}
}

// A token that came while keys were being fetched may be signed with a key that the endpoint got just afterwards.
func TestUnknownKeyIDIsNoDenialForWhoJoinedAFetch(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(time.Second, serve(w.Pool))
		var verdicts [2]verdict
		var group sync.WaitGroup
		for i := range verdicts {
			group.Go(func() {
				_, err := w.Verify(w.Context(), w.madeUp("x"))
				verdicts[i] = verdictOf(err)
			})
			synctest.Wait()
		}
		group.Wait()
		if verdicts != [2]verdict{rejected, fault} {
			w.Errorf("got %v, want the first rejected and a fault for the second", verdicts)
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		known := w.token()
		w.expect(known, accepted, 1)
		w.set(0, down)
		w.Rotate()
		w.expect(w.token(), fault, 2)
		w.expect(known, accepted, 0)

		time.Sleep(time.Hour)
		w.expect(known, accepted, 2) // the refresh fails, and the keys go on serving
		w.expect(known, accepted, 0)
		time.Sleep(10 * time.Second)
		w.expect(known, accepted, 2)

		time.Sleep(23*time.Hour - 10*time.Second - time.Nanosecond)
		w.expect(known, accepted, 2)
		time.Sleep(time.Nanosecond)
		w.expect(known, fault, 0) // too old
		time.Sleep(10 * time.Second)
		w.expect(known, fault, 2)

		w.set(0, serve(w.Pool))
		time.Sleep(10 * time.Second)
		w.expect(known, accepted, 1)
		w.expect(w.token(), accepted, 0)
	})
}

func TestOutageFromTheStart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(0, down)
		w.expect(w.token(), fault, 2)
		w.expect(w.token(), fault, 0)
		w.set(0, serve(w.Pool))
		time.Sleep(10 * time.Second)
		w.expect(w.token(), accepted, 1)
	})
}

func TestFetchIsTriedTwice(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		var once sync.Once
		w.set(0, func(r *http.Request) (response *http.Response, err error) {
			response, err = serve(w.Pool)(r)
			once.Do(func() { response, err = down(r) })
			return response, err
		})
		w.expect(w.token(), accepted, 2)
	})
}

func TestSlowEndpointCostsThreeSeconds(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(time.Hour, serve(w.Pool))
		started := time.Now()
		w.expect(w.token(), fault, 2)
		if took := time.Since(started); took != 3*time.Second {
			w.Errorf("took %s, want 3s", took)
		}
	})
}

// trickle sends a byte now and then, for ever.
type trickle struct{ ctx context.Context }

func (b trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func TestUselessAnswers(t *testing.T) {
	t.Parallel()
	const url = "token: keys out of reach: fetching http://cognito.local/eu-west-1_Claimsmith/.well-known/jwks.json: "
	for _, c := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		asks   int
		want   string
	}{
		{name: "connection refused", answer: down, asks: 2, want: "connection refused"},
		{name: "403, as for the form of issuer that a pool has not", answer: status(403, ""), asks: 1, want: "expected status 200, got 403"},
		{name: "503", answer: status(503, ""), asks: 2, want: "expected status 200, got 503"},
		{name: "204", answer: status(204, ""), asks: 2, want: "expected status 200, got 204"},
		{name: "nothing", answer: status(200, ""), asks: 2, want: "the answer is not a JSON Web Key Set"},
		{name: "HTML", answer: status(200, "<html>"), asks: 2, want: "the answer is not a JSON Web Key Set"},
		{name: "a list", answer: status(200, "[]"), asks: 2, want: "the answer is not a JSON Web Key Set"},
		{name: "keys twice", answer: status(200, `{"keys":[],"keys":[]}`), asks: 2, want: "the answer is not a JSON Web Key Set"},
		{name: "no keys", answer: status(200, `{"KEYS":[{}]}`), asks: 2, want: "none of the 0 keys in the set is an RSA key for RS256 of at least 2048 bits"},
		{name: "keys of other kinds", answer: status(200, `{"keys":[null,1,{},{"kty":"oct","kid":"a","k":"AA"}]}`), asks: 2,
			want: "none of the 4 keys in the set is an RSA key for RS256 of at least 2048 bits"},
		{name: "a huge set", answer: status(200, strings.Repeat(" ", 150_001)), asks: 2, want: "the key set is larger than 150000 bytes"},
		{name: "an endless set", answer: func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(trickle{r.Context()})}, nil
		}, asks: 2, want: "context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.set(0, c.answer)
				_, err := w.Verify(w.Context(), w.token())
				if err == nil || err.Error() != url+c.want {
					t.Errorf("got  %v\nwant %s", err, url+c.want)
				}
				if n := w.asks(); n != c.asks {
					t.Errorf("asked %d times, want %d", n, c.asks)
				}
				// And within the penalty, from memory.
				_, err = w.Verify(w.Context(), w.token())
				want := strings.Replace(url, "reach:", "reach, next try within 10s:", 1) + c.want
				if err == nil || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}

				// Nor does it displace good keys.
				w.set(0, serve(w.Pool))
				time.Sleep(10 * time.Second)
				known := w.token()
				w.asks()
				w.expect(known, accepted, 1)
				w.set(0, c.answer)
				w.expect(w.madeUp("x"), fault, c.asks)
				w.expect(known, accepted, 0)
			})
		})
	}
}

func TestOnlyKeysForRS256AreTaken(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		n, e := jwkOf(w.Pool)
		key := func(members string) string { return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":%q,%s}`, n, e, members) }
		set := `{"keys":[` + strings.Join([]string{
			`{"kty":"EC","kid":"ec","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			`{"kty":"future","kid":"future"}`,
			`{"kty":"RSA","kid":"short","n":"` + strings.Repeat("x", 100) + `","e":"AQAB"}`,
			`{"kty":"RSA","kid":"broken","n":"` + n + `"}`,
			key(`"kid":"encryption","use":"enc"`), key(`"kid":"RS512","alg":"RS512"`), key(`"use":"sig"`), key(`"kid":""`),
			key(`"kid":"good"`), `{"kty":"RSA","kid":"good","n":"` + strings.Repeat("x", 342) + `","e":"AQAB"}`,
			key(`"kid":"better","use":"sig","alg":"RS256","new":{}`),
		}, ",") + `],"new":1}`
		w.set(0, status(200, set))
		w.expect(w.madeUp("good"), accepted, 1) // the first of its name
		w.expect(w.madeUp("better"), accepted, 0)
		for _, kid := range []string{"ec", "future", "short", "broken", "encryption", "RS512"} {
			w.expect(w.madeUp(kid), rejected, 1)
			time.Sleep(10 * time.Second)
		}
	})
}

func jwkOf(pool *tokentest.Pool) (n, e string) {
	w := httptest.NewRecorder()
	pool.ServeHTTP(w, httptest.NewRequest("GET", "/"+pool.ID+"/.well-known/jwks.json", nil))
	_, n, _ = strings.Cut(w.Body.String(), `"n":"`)
	n, _, _ = strings.Cut(n, `"`)
	return n, "AQAB"
}

func TestCancelledCallLeavesOthersWaiting(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(time.Second, serve(w.Pool))
		ctx, cancel := context.WithCancel(w.Context())
		var group sync.WaitGroup
		var errs [3]error
		for i, ctx := range []context.Context{ctx, w.Context(), ctx} {
			group.Go(func() { _, errs[i] = w.Verify(ctx, w.token()) })
			synctest.Wait()
		}
		started := time.Now()
		cancel() // of the call that caused the fetch, too
		synctest.Wait()
		for _, i := range []int{0, 2} {
			if !errors.Is(errs[i], context.Canceled) || verdictOf(errs[i]) != fault {
				t.Errorf("call %d: got %v, want its cancellation", i, errs[i])
			}
		}
		if time.Since(started) != 0 {
			t.Error("cancelled calls do not return at once")
		}
		group.Wait()
		if errs[1] != nil {
			t.Errorf("the call that was not cancelled: %v", errs[1])
		}
		if n := w.asks(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
	})
}

func TestDesertedFetchIsNoPenalty(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(time.Second, serve(w.Pool))
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := w.Verify(ctx, w.token()); !errors.Is(err, context.DeadlineExceeded) || verdictOf(err) != fault {
			t.Errorf("got %v, want the deadline", err)
		}
		w.asks()
		w.expect(w.token(), accepted, 1)
	})
}

func TestDesertedFetchIsNotJoined(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(0, func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // a transport that takes its time to see that it was cancelled
			return down(r)
		})
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() { w.Verify(ctx, w.token()) })
		time.Sleep(500 * time.Millisecond)
		w.asks()
		w.set(0, serve(w.Pool))
		w.expect(w.token(), accepted, 1)
		group.Wait()
		w.expect(w.token(), accepted, 0)
	})
}

func TestKnownKeyDoesNotWaitForARefreshThatAnotherCallBegan(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.expect(w.token(), accepted, 1)
		w.set(time.Second, serve(w.Pool))
		time.Sleep(time.Hour)
		raw := w.token()
		var group sync.WaitGroup
		group.Go(func() { w.expect(raw, accepted, 1) })
		synctest.Wait()
		started := time.Now()
		if _, err := w.Verify(w.Context(), raw); err != nil || time.Since(started) != 0 {
			w.Errorf("got %v after %s", err, time.Since(started))
		}
		group.Wait()
	})
}

// With keys at hand a deserted fetch counts, or whoever hangs up quickly could cause any number of fetches.
func TestDesertedFetchIsPenalizedWhileKeysServe(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.expect(w.token(), accepted, 1)
		w.set(time.Second, serve(w.Pool))
		for range 5 {
			ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
			if _, err := w.Verify(ctx, w.madeUp("x")); verdictOf(err) != fault {
				t.Errorf("got %v, want a fault", err)
			}
			cancel()
		}
		if n := w.asks(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
		w.expect(w.token(), accepted, 0)
	})
}

func TestClockThatIsSet(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)
	now := epoch
	pool.Now = func() time.Time { return now }
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Now: pool.Now, Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name    string
		by      time.Duration
		fetches int
	}{
		{name: "start", fetches: 1},
		{name: "a correction", by: -time.Second, fetches: 1},
		{name: "a step back leaves the age of keys unknown", by: -time.Hour, fetches: 2},
		{name: "a step ahead", by: 1000 * time.Hour, fetches: 3},
	} {
		now = now.Add(step.by)
		if _, err := verifier.Verify(t.Context(), pool.AccessToken(nil)); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if got := pool.Fetches(); got != step.fetches {
			t.Errorf("%s: %d fetches, want %d", step.name, got, step.fetches)
		}
	}
}

func TestPrefetch(t *testing.T) {
	t.Parallel()
	only := func(pool *tokentest.Pool, host string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != host {
				return status(403, "")(r)
			}
			return serve(pool)(r)
		}
	}
	for _, c := range []struct {
		name   string
		answer func(*tokentest.Pool) func(*http.Request) (*http.Response, error)
		issuer func(*tokentest.Pool) string
		want   string
	}{
		{name: "is content with the original form", issuer: (*tokentest.Pool).Issuer,
			answer: func(p *tokentest.Pool) func(*http.Request) (*http.Response, error) {
				return only(p, "cognito-idp.eu-west-1.amazonaws.com")
			}},
		{name: "is content with the updated form", issuer: (*tokentest.Pool).UpdatedIssuer,
			answer: func(p *tokentest.Pool) func(*http.Request) (*http.Response, error) {
				return only(p, "issuer-cognito-idp.eu-west-1.amazonaws.com")
			}},
		{name: "says when no form has keys", want: "connection refused",
			answer: func(*tokentest.Pool) func(*http.Request) (*http.Response, error) { return down }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool := newPool()
			served := func(r *http.Request) (*http.Response, error) {
				r.URL.Path = "/" + pool.ID + "/.well-known/jwks.json"
				return c.answer(pool)(r)
			}
			n := &network{}
			n.set(0, served)
			verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Now: pool.Now})
			if err != nil {
				t.Fatal(err)
			}
			verifier.SetTransport(n)
			err = verifier.Prefetch(t.Context())
			if c.want != "" {
				if err == nil || !strings.HasSuffix(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				// Which the first token does not suffer for.
				n.set(0, serve(pool))
				n.asks()
				if _, err := verifier.Verify(t.Context(), pool.AccessToken(nil)); err != nil || n.asks() != 1 {
					t.Errorf("after a prefetch that failed: %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			n.asks()
			if _, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{"iss": c.issuer(pool)})); err != nil || n.asks() != 0 {
				t.Errorf("after a prefetch: %v, %d fetches", err, n.asks())
			}
		})
	}
}

func TestPrefetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		w.set(time.Second, serve(w.Pool))
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Millisecond)
		defer cancel()
		if err := w.Prefetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	})
}

func TestEndpointFromTheEnvironment(t *testing.T) {
	serving := httptest.NewServer(tokentest.NewPool())
	defer serving.Close()
	dead := "http://127.0.0.1:1"
	for _, c := range []struct {
		name, specific, general, config string
	}{
		{name: "the general variable", general: serving.URL},
		{name: "the specific variable before it", specific: serving.URL, general: dead},
		{name: "the configuration before both", config: serving.URL + "/", specific: dead, general: dead},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", c.specific)
			t.Setenv("AWS_ENDPOINT_URL", c.general)
			pool := tokentest.NewPool()
			verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: c.config})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(t.Context(), pool.AccessToken(nil)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("which must be a URL", func(t *testing.T) {
		for _, endpoint := range []string{"127.0.0.1:4566", "localhost", "/path", "https://", "http://user:secret@h", "http://h?q", "http://h#f"} {
			t.Setenv("AWS_ENDPOINT_URL", endpoint)
			_, err := token.NewVerifier(token.Config{Pools: tokentest.NewPool().Config().Pools})
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: got %v", endpoint, err)
			}
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	evil := httptest.NewServer(pool)
	t.Cleanup(evil.Close)
	redirecting := httptest.NewServer(http.RedirectHandler(evil.URL+"/"+pool.ID+"/.well-known/jwks.json", http.StatusFound))
	t.Cleanup(redirecting.Close)
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: redirecting.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier.Verify(t.Context(), pool.AccessToken(nil))
	if err == nil || !strings.HasSuffix(err.Error(), "expected status 200, got 302") {
		t.Errorf("got %v", err)
	}
	if pool.Fetches() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	previous := pool.AccessToken(nil)
	for key := range 3 {
		if key > 0 {
			pool.Rotate()
		}
		current := pool.AccessToken(nil)
		var group sync.WaitGroup
		for range 32 {
			for _, raw := range []string{previous, current} {
				group.Go(func() {
					for range 5 {
						if _, err := verifier.Verify(t.Context(), raw); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		group.Wait()
		previous = current
	}
	if got := pool.Fetches(); got != 3 {
		t.Errorf("%d fetches, want one per key", got)
	}
}

// Public case 30. Lambda freezes a function when its call returns: nothing may be left running, or connected, by then. The test looks for
// goroutines of this package and of HTTP clients, with real connections, after each way in which a fetch can end.
func TestNothingIsLeftBehind(t *testing.T) {
	if left := clientGoroutines(); left != "" {
		t.Fatalf("left behind by another test:\n%s", left)
	}
	pool := tokentest.NewPool()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode := r.URL.Path; {
		case strings.HasPrefix(mode, "/hang/"):
			<-hang
		case strings.HasPrefix(mode, "/partial/"):
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			<-hang
		case strings.HasPrefix(mode, "/huge/"):
			fmt.Fprint(w, strings.Repeat(" ", 1<<20))
		default:
			pool.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	defer close(hang)

	for _, c := range []struct {
		name, path string
		want       verdict
	}{
		{name: "keys", want: accepted},
		{name: "not found", path: "/missing", want: fault},
		{name: "too large", path: "/huge", want: fault},
		{name: "deserted before the answer", path: "/hang", want: fault},
		{name: "deserted amid the answer", path: "/partial", want: fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: server.URL + c.path})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if strings.HasPrefix(c.name, "deserted") {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			if _, err := verifier.Verify(ctx, pool.AccessToken(nil)); verdictOf(err) != c.want {
				t.Errorf("%s, want %s: %v", verdictOf(err), c.want, err)
			}
			if left := clientGoroutines(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// clientGoroutines returns the stacks of goroutines that a fetch starts. A connection that is closing ends a moment after
// the call, so it looks again for up to a second.
func clientGoroutines() string {
	var left []string
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		var all strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&all, 2); err != nil {
			panic(err)
		}
		left = slices.DeleteFunc(strings.Split(all.String(), "\n\n"), func(stack string) bool {
			return !strings.Contains(stack, "net/http.(*persistConn)") &&
				!strings.Contains(stack, "net/http.(*Transport)") &&
				!strings.Contains(stack, "token.(*remoteSet)")
		})
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
