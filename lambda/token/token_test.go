package token_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// epoch is when the tests take place.
var epoch = time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)

func newPool() *tokentest.Pool {
	pool := tokentest.NewPool()
	pool.Now = func() time.Time { return epoch }
	return pool
}

// planted are claims that no error may repeat. A test's own planted values begin with the same word.
var planted = map[string]any{
	"sub": "planted-sub", "username": "planted-username", "jti": "planted-jti", "company_id": "planted-company",
	"cognito:groups": []string{"planted-group"}, "scope": "planted/scope",
}

func accessToken(pool *tokentest.Pool, changes map[string]any) string {
	all := map[string]any{}
	for _, m := range []map[string]any{planted, changes} {
		for name, value := range m {
			all[name] = value
		}
	}
	return pool.AccessToken(all)
}

// verifyCase is a token and the verdict on it: accepted when want is empty.
type verifyCase struct {
	name   string
	raw    func(*tokentest.Pool) string
	claims map[string]any // instead of raw: an access token with these changes
	config func(*token.Config)
	want   string // the error's whole text
	fault  bool   // the error is a fault
}

func (c verifyCase) run(t *testing.T) {
	t.Parallel()
	pool := newPool()
	config := pool.Config()
	if c.config != nil {
		c.config(&config)
	}
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	if c.raw == nil {
		c.raw = func(p *tokentest.Pool) string { return accessToken(p, c.claims) }
	}
	got, err := verifier.Verify(t.Context(), c.raw(pool))
	if c.want == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if got.UserPoolID != pool.ID || got.KeyID != pool.KeyID() || !got.Expiry.After(epoch) || got.Claims["token_use"] != "access" {
			t.Fatalf("got %+v", got)
		}
		return
	}
	if got != nil {
		t.Errorf("got a token beside the error: %+v", got)
	}
	if err == nil {
		t.Fatal("accepted")
	}
	want := c.want
	if !c.fault {
		want = "token: rejected: " + want
	}
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if _, rejected := errors.AsType[*token.RejectedError](err); rejected == c.fault {
		t.Errorf("rejected for good: got %t, want %t", rejected, !c.fault)
	}
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("the error repeats a claim: %s", err)
	}
}

func raw(s string) func(*tokentest.Pool) string {
	return func(*tokentest.Pool) string { return s }
}

// parts returns a valid token with its three parts changed.
func parts(change func(header, payload, signature string) string) func(*tokentest.Pool) string {
	return func(p *tokentest.Pool) string {
		s := strings.Split(accessToken(p, nil), ".")
		return change(s[0], s[1], s[2])
	}
}

// signed returns a genuinely signed token with this payload.
func signed(payload string) func(*tokentest.Pool) string {
	return func(p *tokentest.Pool) string { return p.Sign(`{"kid":"`+p.KeyID()+`","alg":"RS256"}`, payload) }
}

// header returns a genuinely signed token with this header, in which KID stands for the key's id.
func header(h string) func(*tokentest.Pool) string {
	return func(p *tokentest.Pool) string {
		payload, err := json.Marshal(p.Claims(planted))
		if err != nil {
			panic(err)
		}
		return p.Sign(strings.ReplaceAll(h, "KID", p.KeyID()), string(payload))
	}
}

// resigned returns a valid token with another header and the signature that sign makes.
func resigned(h string, sign func(p *tokentest.Pool, signed string) []byte) func(*tokentest.Pool) string {
	return func(p *tokentest.Pool) string {
		s := header(h)(p)
		s = s[:strings.LastIndexByte(s, '.')]
		return s + "." + base64.RawURLEncoding.EncodeToString(sign(p, s))
	}
}

func TestVerifyForm(t *testing.T) {
	t.Parallel()
	for _, c := range []verifyCase{
		{name: "accepts a token as Cognito makes it", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s })},
		{name: "refuses nothing", raw: raw(""), want: "form: expected 3 parts separated by dots, got 1"},
		{name: "refuses two parts", raw: parts(func(h, p, s string) string { return h + "." + p }), want: "form: expected 3 parts separated by dots, got 2"},
		{name: "refuses four parts", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s + "." }), want: "form: expected 3 parts separated by dots, got 4"},
		{name: "refuses the five parts of an encrypted token", raw: raw("a.b.c.d.e"), want: "form: expected 3 parts separated by dots, got 5"},
		{name: "refuses JSON serialization", raw: raw(`{"payload":"","signatures":[]}`), want: "form: expected 3 parts separated by dots, got 1"},
		{name: "refuses a scheme before the token", raw: parts(func(h, p, s string) string { return "Bearer " + h + "." + p + "." + s }), want: "header: expected base64url without padding"},
		{name: "refuses white space at the end", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s + " " }), want: "signature: expected base64url without padding"},
		{name: "refuses a line break inside", raw: parts(func(h, p, s string) string { return h + "." + p[:4] + "\r\n" + p[4:] + "." + s }), want: "payload: expected base64url without padding"},
		{name: "refuses a line break at the end", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s + "\n" }), want: "signature: expected base64url without padding"},
		{name: "refuses padding", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s + "==" }), want: "signature: expected base64url without padding"},
		{name: "refuses the other base64 alphabet", raw: parts(func(h, p, s string) string { return h + "." + p + ".+/" + s[2:] }), want: "signature: expected base64url without padding"},
		{name: "refuses stray bits after the last byte", raw: parts(func(h, _, s string) string { return h + ".e31." + s }), want: "payload: expected base64url without padding"},
		{name: "refuses an empty header", raw: parts(func(h, p, s string) string { return "." + p + "." + s }), want: "header: is empty"},
		{name: "refuses an empty payload", raw: parts(func(h, p, s string) string { return h + ".." + s }), want: "payload: is empty"},
		{name: "refuses an empty signature", raw: parts(func(h, p, s string) string { return h + "." + p + "." }), want: "signature: is empty"},
		{name: "refuses a header that is not JSON", raw: header(`{"kid":"KID","alg":"RS256"}x`), want: "header: is not JSON"},
		{name: "refuses a header with a key twice", raw: header(`{"kid":"KID","alg":"none","alg":"RS256"}`), want: "header: has the same key twice, at byte 34"},
		{name: "refuses a payload with a key twice", raw: signed(`{"sub":"planted","sub":"planted"}`), want: "payload: has the same key twice, at byte 17"},
		{name: "refuses a payload that is not an object", raw: signed(`["planted"]`), want: "payload: is not a JSON object"},
		{name: "refuses a payload that is not UTF-8", raw: signed("{\"planted\":\"\xff\"}"), want: "payload: is not UTF-8"},
		{name: "refuses a huge number", raw: signed(`{"planted":1e9999}`), want: "payload: has a number too large or too long, at byte 11"},
		{name: "refuses deep nesting", raw: signed(`{"planted":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`), want: "payload: is nested deeper than 32 levels"},
		{name: "accepts white space in the payload", raw: func(p *tokentest.Pool) string {
			payload, err := json.MarshalIndent(p.Claims(nil), "", "\t")
			if err != nil {
				panic(err)
			}
			return signed(string(payload) + "\n")(p)
		}},
		{name: "accepts a long token", claims: map[string]any{"roles": strings.Repeat("x", 10_000)}},
		{name: "refuses a token beyond the limit before looking at it", raw: raw(strings.Repeat(".", 16<<10+1)), want: "size: the token has 16385 bytes, allowed are 16384"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestVerifyHeader(t *testing.T) {
	t.Parallel()
	attacker, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(_ *tokentest.Pool, signed string) []byte {
		digest := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPKCS1v15(nil, attacker, crypto.SHA256, digest[:])
		if err != nil {
			panic(err)
		}
		return signature
	}
	jwk, err := jose.JSONWebKey{Key: &attacker.PublicKey, KeyID: "attacker"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []verifyCase{
		{name: "accepts typ JWT", raw: header(`{"kid":"KID","alg":"RS256","typ":"JWT"}`)},
		{name: "accepts typ in any case", raw: header(`{"kid":"KID","alg":"RS256","typ":"jwt"}`)},
		{name: "refuses another typ", raw: header(`{"kid":"KID","alg":"RS256","typ":"secevent+jwt"}`), want: `typ: expected "JWT" or none, got "secevent+jwt"`},
		{name: "refuses a typ that is not a string", raw: header(`{"kid":"KID","alg":"RS256","typ":null}`), want: `typ: expected "JWT" or none, got ""`},
		{name: "accepts header parameters it does not know", raw: header(`{"kid":"KID","alg":"RS256","cty":"x","zzz":1}`)},

		{name: "refuses alg none", raw: resigned(`{"kid":"KID","alg":"none"}`, func(*tokentest.Pool, string) []byte { return []byte{0} }), want: `alg: expected "RS256", got "none"`},
		{name: "refuses alg none in any case", raw: header(`{"kid":"KID","alg":"nOnE"}`), want: `alg: expected "RS256", got "nOnE"`},
		{name: "refuses RS256 in another case", raw: header(`{"kid":"KID","alg":"rs256"}`), want: `alg: expected "RS256", got "rs256"`},
		{name: "refuses the name alg in another case", raw: header(`{"kid":"KID","ALG":"RS256"}`), want: `alg: expected "RS256", got ""`},
		{name: "refuses no alg", raw: header(`{"kid":"KID"}`), want: `alg: expected "RS256", got ""`},
		{name: "refuses a list of algs", raw: header(`{"kid":"KID","alg":["RS256"]}`), want: `alg: expected "RS256", got ""`},
		{name: "refuses HS256 with the public key as the secret", raw: resigned(`{"kid":"KID","alg":"HS256"}`, func(p *tokentest.Pool, signed string) []byte {
			der, err := x509.MarshalPKIXPublicKey(&p.PrivateKey().PublicKey)
			if err != nil {
				panic(err)
			}
			mac := hmac.New(sha256.New, der)
			mac.Write([]byte(signed))
			return mac.Sum(nil)
		}), want: `alg: expected "RS256", got "HS256"`},
		{name: "refuses PS256", raw: resigned(`{"kid":"KID","alg":"PS256"}`, pss), want: `alg: expected "RS256", got "PS256"`},
		{name: "refuses a PS256 signature under RS256", raw: resigned(`{"kid":"KID","alg":"RS256"}`, pss), want: "signature: does not match the key named by kid"},
		{name: "refuses RS512", raw: resigned(`{"kid":"KID","alg":"RS512"}`, rs512), want: `alg: expected "RS256", got "RS512"`},
		{name: "refuses an RS512 signature under RS256", raw: resigned(`{"kid":"KID","alg":"RS256"}`, rs512), want: "signature: does not match the key named by kid"},

		{name: "refuses no kid", raw: header(`{"alg":"RS256"}`), want: "kid: expected the id of a key, found none"},
		{name: "refuses an empty kid", raw: header(`{"kid":"","alg":"RS256"}`), want: "kid: expected the id of a key, found none"},
		{name: "refuses a kid that is not a string", raw: header(`{"kid":1,"alg":"RS256"}`), want: "kid: expected the id of a key, found none"},
		{name: "refuses a kid that is a path", raw: header(`{"kid":"../../dev/null","alg":"RS256"}`),
			want: `kid: "../../dev/null" is not among the keys of https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith`},
		{name: "refuses crit", raw: header(`{"kid":"KID","alg":"RS256","crit":["exp"],"exp":1}`), want: "crit: extensions of the signature scheme are not supported"},
		{name: "refuses an empty crit", raw: header(`{"kid":"KID","alg":"RS256","crit":[]}`), want: "crit: extensions of the signature scheme are not supported"},
		{name: "refuses b64, even true", raw: header(`{"kid":"KID","alg":"RS256","b64":true}`), want: "b64: extensions of the signature scheme are not supported"},
		{name: "quotes and cuts what it repeats", raw: header(`{"kid":"KID","alg":"\n` + strings.Repeat("x", 5000) + `"}`),
			want: `alg: expected "RS256", got "\n` + strings.Repeat("x", 99) + `"…`},

		{name: "does not use an embedded key", raw: resigned(`{"kid":"KID","alg":"RS256","jwk":`+string(jwk)+`}`, foreign), want: "signature: does not match the key named by kid"},
		{name: "does not use an embedded key under its own id", raw: resigned(`{"kid":"attacker","alg":"RS256","jwk":`+string(jwk)+`}`, foreign),
			want: `kid: "attacker" is not among the keys of https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith`},
		{name: "does not use jku, x5u and x5c", raw: resigned(`{"kid":"KID","alg":"RS256","jku":"https://evil.example","x5u":"https://evil.example","x5c":["AA=="]}`, foreign),
			want: "signature: does not match the key named by kid"},
		{name: "ignores jku in a genuine token", raw: header(`{"kid":"KID","alg":"RS256","jku":"https://evil.example"}`)},

		{name: "refuses a changed payload", raw: func(p *tokentest.Pool) string {
			genuine, changed := strings.Split(accessToken(p, nil), "."), strings.Split(accessToken(p, map[string]any{"username": "planted-2"}), ".")
			return genuine[0] + "." + changed[1] + "." + genuine[2]
		}, want: "signature: does not match the key named by kid"},
		{name: "refuses a short signature", raw: parts(func(h, p, s string) string { return h + "." + p + "." + s[:100] }), want: "signature: does not match the key named by kid"},
		{name: "refuses a long signature", raw: parts(func(h, p, s string) string { return h + "." + p + ".AAAA" + s }), want: "signature: does not match the key named by kid"},
	} {
		t.Run(c.name, c.run)
	}
}

func pss(p *tokentest.Pool, signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPSS(rand.Reader, p.PrivateKey(), crypto.SHA256, digest[:], nil)
	if err != nil {
		panic(err)
	}
	return signature
}

func rs512(p *tokentest.Pool, signed string) []byte {
	digest := sha512.Sum512([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, p.PrivateKey(), crypto.SHA512, digest[:])
	if err != nil {
		panic(err)
	}
	return signature
}

func TestVerifyClaims(t *testing.T) {
	t.Parallel()
	const (
		base     = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith"
		updated  = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Claimsmith"
		issuers  = `iss: expected one of ["` + base + `" "` + updated + `"], got `
		client   = `client_id: expected one of ["1example23456789"], the clients allowed for user pool eu-west-1_Claimsmith`
		audience = `aud: expected none, the token's client id, or one of the audiences [] of user pool eu-west-1_Claimsmith`
		resource = "https://api.example.com"
	)
	resources := func(c *token.Config) { c.Pools[0].Audiences = []string{resource} }
	for _, c := range []verifyCase{
		{name: "accepts the original issuer", claims: map[string]any{"iss": base}},
		{name: "accepts the updated issuer", claims: map[string]any{"iss": updated}},
		{name: "refuses no issuer", claims: map[string]any{"iss": tokentest.Absent}, want: issuers + `""`},
		{name: "refuses an issuer that is a list", claims: map[string]any{"iss": []string{base}}, want: issuers + `""`},
		{name: "refuses another pool", claims: map[string]any{"iss": base + "2"}, want: issuers + `"` + base + `2"`},
		{name: "refuses a trailing slash", claims: map[string]any{"iss": base + "/"}, want: issuers + `"` + base + `/"`},
		{name: "refuses another Region", claims: map[string]any{"iss": strings.Replace(base, "eu-west-1.", "us-east-1.", 1)},
			want: issuers + `"https://cognito-idp.us-east-1.amazonaws.com/eu-west-1_Claimsmith"`},
		{name: "refuses http", claims: map[string]any{"iss": "http" + base[5:]}, want: issuers + `"http` + base[5:] + `"`},
		{name: "refuses a pool in another case", claims: map[string]any{"iss": strings.ToLower(base)}, want: issuers + `"` + strings.ToLower(base) + `"`},

		{name: "refuses an ID token in words of its own", claims: map[string]any{"token_use": "id", "client_id": tokentest.Absent, "aud": "1example23456789"},
			want: "token_use: this is an ID token, which proves who signed in and grants nothing; send the access token"},
		{name: "refuses no token_use", claims: map[string]any{"token_use": tokentest.Absent}, want: `token_use: expected "access"`},
		{name: "refuses another token_use", claims: map[string]any{"token_use": "planted"}, want: `token_use: expected "access"`},
		{name: "refuses token_use in another case", claims: map[string]any{"token_use": "Access"}, want: `token_use: expected "access"`},
		{name: "refuses a token_use that is a list", claims: map[string]any{"token_use": []string{"access"}}, want: `token_use: expected "access"`},

		{name: "accepts any client of the list", claims: map[string]any{"client_id": "second"}, config: func(c *token.Config) { c.Pools[0].ClientIDs = []string{"first", "second"} }},
		{name: "refuses a foreign client", claims: map[string]any{"client_id": "planted-client"}, want: client},
		{name: "refuses no client", claims: map[string]any{"client_id": tokentest.Absent}, want: client},
		{name: "refuses a client that is a list", claims: map[string]any{"client_id": []string{"1example23456789"}}, want: client},
		{name: "refuses a client of another pool", config: func(c *token.Config) {
			c.Pools = append(c.Pools, token.Pool{ID: "eu-west-1_Other", ClientIDs: c.Pools[0].ClientIDs})
			c.Pools[0].ClientIDs = []string{"second"}
		}, want: `client_id: expected one of ["second"], the clients allowed for user pool eu-west-1_Claimsmith`},

		{name: "accepts the client id as audience", claims: map[string]any{"aud": "1example23456789"}},
		{name: "accepts a list of audiences with the client id", claims: map[string]any{"aud": []string{"planted", "1example23456789"}}},
		{name: "accepts a configured audience", claims: map[string]any{"aud": resource}, config: resources},
		{name: "accepts no audience when some are configured", config: resources},
		{name: "refuses an audience when none is configured", claims: map[string]any{"aud": "https://planted.example"}, want: audience},
		{name: "refuses an audience that is not configured", claims: map[string]any{"aud": resource + "/planted"}, config: resources,
			want: strings.Replace(audience, "[]", `["https://api.example.com"]`, 1)},
		{name: "refuses an empty audience", claims: map[string]any{"aud": ""}, want: audience},
		{name: "refuses an empty list of audiences", claims: map[string]any{"aud": []string{}}, want: audience},
		{name: "refuses a null audience", claims: map[string]any{"aud": nil}, want: audience},
		{name: "refuses an audience that is a number", claims: map[string]any{"aud": []any{1}}, want: audience},

		{name: "accepts a machine's token", claims: map[string]any{
			"username": tokentest.Absent, "sub": tokentest.Absent, "cognito:groups": tokentest.Absent,
			"event_id": tokentest.Absent, "origin_jti": tokentest.Absent,
		}},
		{name: "accepts a token without scope", claims: map[string]any{"scope": tokentest.Absent}},
		{name: "accepts claims it does not know", claims: map[string]any{"acr": "urn:cognito:loa:4", "amr": []string{"pwd"}, "roles": map[string]any{"owner": true}}},
	} {
		t.Run(c.name, c.run)
	}
}

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	const (
		expired = "exp: the token has expired"
		early   = "token: not valid yet: nbf or iat is more than the leeway of 30s in the future"
		year    = ": expected seconds since 1970 as a number, up to the year 9999"
	)
	now := epoch.Unix()
	for _, c := range []verifyCase{
		{name: "accepts a token that expires in a second", claims: map[string]any{"exp": now + 1}},
		{name: "accepts a fraction of a second", claims: map[string]any{"exp": float64(now) + 0.25}},
		{name: "refuses a token that expires now", claims: map[string]any{"exp": now}, want: expired},
		{name: "refuses a token that has expired, without leeway", claims: map[string]any{"exp": now - 1}, want: expired},
		{name: "refuses a token of 1970", claims: map[string]any{"exp": 0}, want: expired},
		{name: "refuses no exp", claims: map[string]any{"exp": tokentest.Absent}, want: "exp: expected a time, found none"},
		{name: "refuses a null exp", claims: map[string]any{"exp": nil}, want: "exp" + year},
		{name: "refuses an exp that is a string", claims: map[string]any{"exp": fmt.Sprint(now + 60)}, want: "exp" + year},
		{name: "refuses an exp before 1970", claims: map[string]any{"exp": -1}, want: "exp" + year},
		{name: "refuses an exp in milliseconds", claims: map[string]any{"exp": 1000 * now}, want: "exp" + year},
		{name: "refuses an exp beyond all time", claims: map[string]any{"exp": 1e300}, want: "exp" + year},
		{name: "accepts the last second of 9999", claims: map[string]any{"exp": 253402300799}},

		{name: "accepts no iat", claims: map[string]any{"iat": tokentest.Absent}},
		{name: "accepts an iat within the leeway", claims: map[string]any{"iat": now + 30}},
		{name: "calls an iat beyond the leeway a fault", claims: map[string]any{"iat": now + 31}, want: early, fault: true},
		{name: "accepts an nbf within the leeway", claims: map[string]any{"nbf": now + 30}},
		{name: "calls an nbf beyond the leeway a fault", claims: map[string]any{"nbf": now + 31}, want: early, fault: true},
		{name: "refuses an nbf that is a string", claims: map[string]any{"nbf": "planted"}, want: "nbf" + year},
		{name: "refuses an iat that is true", claims: map[string]any{"iat": true}, want: "iat" + year},
		{name: "has a configurable leeway", claims: map[string]any{"iat": now + 31}, config: func(c *token.Config) { c.Leeway = time.Minute }},

		{name: "calls a token bad for good although it is early", claims: map[string]any{"iat": now + 31, "token_use": "x"}, want: `token_use: expected "access"`},
		{name: "calls a forged token bad for good although it is early", raw: func(p *tokentest.Pool) string {
			raw := accessToken(p, map[string]any{"iat": now + 31})
			return raw[:len(raw)-8] + "AAAAAAAA"
		}, want: "signature: does not match the key named by kid"},
	} {
		t.Run(c.name, c.run)
	}
}

// Whatever is wrong with a token that can be seen without a key is seen before one is fetched.
func TestVerifyAsksForNoKeyInVain(t *testing.T) {
	t.Parallel()
	pool := newPool()
	config := pool.Config()
	keys := keySetFunc(func(context.Context, string, string) (*rsa.PublicKey, error) {
		t.Error("the key set was asked")
		return nil, errors.New("no key")
	})
	config.Keys = keys
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, claims := range []map[string]any{
		{"iss": "https://evil.example"}, {"token_use": "id"}, {"client_id": "x"}, {"aud": "x"}, {"exp": 1}, {"nbf": "x"},
	} {
		if _, err := verifier.Verify(t.Context(), accessToken(pool, claims)); err == nil {
			t.Errorf("accepted %v", claims)
		}
	}
	if err := verifier.Prefetch(t.Context()); err != nil {
		t.Errorf("prefetch of a key set that has none: %v", err)
	}
}

type keySetFunc func(ctx context.Context, issuer, kid string) (*rsa.PublicKey, error)

func (f keySetFunc) Key(ctx context.Context, issuer, kid string) (*rsa.PublicKey, error) {
	return f(ctx, issuer, kid)
}

func TestVerifyPassesFaultsOfTheKeySetOn(t *testing.T) {
	t.Parallel()
	pool := newPool()
	config := pool.Config()
	down := errors.New("down")
	for name, c := range map[string]struct {
		key  *rsa.PublicKey
		err  error
		want string
	}{
		"no key":          {err: down, want: "down"},
		"an unusable key": {key: &rsa.PublicKey{N: pool.PrivateKey().N, E: 2}, want: "token: verifying the signature: "},
	} {
		config.Keys = keySetFunc(func(context.Context, string, string) (*rsa.PublicKey, error) { return c.key, c.err })
		verifier, err := token.NewVerifier(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.Verify(t.Context(), pool.AccessToken(nil))
		if _, rejected := errors.AsType[*token.RejectedError](err); err == nil || rejected || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a fault", name, err)
		}
	}
}

func TestVerifySeveralPools(t *testing.T) {
	t.Parallel()
	config := newPool().Config()
	config.Pools, config.Keys = nil, nil
	pools := map[string]*tokentest.Pool{}
	for _, id := range []string{"us-east-1_Commercial", "us-gov-west-1_Gov", "eusc-de-east-1_Sovereign"} {
		pool := newPool()
		pool.ID, pool.ClientID = id, "client of "+id
		pools[pool.Issuer()], pools[pool.UpdatedIssuer()] = pool, pool
		config.Pools = append(config.Pools, pool.Config().Pools[0])
	}
	config.Keys = keySetFunc(func(ctx context.Context, issuer, kid string) (*rsa.PublicKey, error) {
		return pools[issuer].Key(ctx, issuer, kid)
	})
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	for issuer, pool := range pools {
		got, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{"iss": issuer}))
		if err != nil || got.UserPoolID != pool.ID {
			t.Errorf("%s: got %v, %v", issuer, got, err)
		}
	}
	for _, issuer := range []string{
		"https://issuer-cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Gov",
		"https://cognito-idp.eusc-de-east-1.amazonaws.com/eusc-de-east-1_Sovereign",
	} {
		if pools[issuer] == nil {
			t.Errorf("the issuers accepted, %v, lack %s", slices.Collect(maps.Keys(pools)), issuer)
		}
	}
	stranger := pools["https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Commercial"]
	if _, err := verifier.Verify(t.Context(), stranger.AccessToken(map[string]any{"client_id": "client of us-gov-west-1_Gov"})); err == nil {
		t.Error("a client of one pool is accepted in another")
	}
}

func TestClaimsAreExact(t *testing.T) {
	t.Parallel()
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{
		"exp": epoch.Unix() + 60, "big": json.Number("9007199254740993"), "roles": map[string]any{"owner": map[string]any{"permission": "full"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Claims["big"] != json.Number("9007199254740993") {
		t.Errorf("big is %v", got.Claims["big"])
	}
	if want := map[string]any{"owner": map[string]any{"permission": "full"}}; !reflect.DeepEqual(got.Claims["roles"], want) {
		t.Errorf("roles is %v", got.Claims["roles"])
	}
	if want := epoch.Add(time.Minute); !got.Expiry.Equal(want) {
		t.Errorf("expiry is %v, want %v", got.Expiry, want)
	}
}

func TestNewVerifierReportsEveryProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config token.Config
		want   string
	}{
		{name: "no pool", want: "token: pools: none configured, at least one is needed"},
		{name: "everything", config: token.Config{
			Pools: []token.Pool{
				{ID: "eu-west-1_A", ClientIDs: []string{"a"}},
				{ID: "eu-west-1_A", ClientIDs: []string{"b", ""}, Audiences: []string{""}},
				{ID: "${Token[TOKEN.42]}"},
				{ID: "cn-north-1_A", ClientIDs: []string{"a"}},
			},
			Leeway:   -time.Second,
			Endpoint: "ftp://127.0.0.1",
		}, want: `token: pools[1].userPoolId: "eu-west-1_A" is configured twice, list its clients together
token: pools[1].clientIds: contains an empty client id
token: pools[1].audiences: contains an empty audience
token: pools[2].userPoolId: "${Token[TOKEN.42]}" is not a user pool id, expected one like "eu-west-1_Abc123XYZ"
token: pools[2].clientIds: none configured, list every app client whose tokens are accepted
token: pools[3].userPoolId: "cn-north-1_A" is a pool of the China partition, whose issuer AWS does not document; it is not supported
token: leeway: -1s is negative
token: endpoint: expected a plain URL such as "http://127.0.0.1:4566", see Config.Endpoint`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			verifier, err := token.NewVerifier(c.config)
			if verifier != nil || err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
		})
	}
}

func TestNewVerifierKeepsToItsOwnCopy(t *testing.T) {
	t.Parallel()
	pool := newPool()
	config := pool.Config()
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Pools[0].ClientIDs[0] = "changed"
	if _, err := verifier.Verify(t.Context(), pool.AccessToken(map[string]any{"client_id": "changed"})); err == nil {
		t.Error("the caller's slice decides")
	}
}

func TestPoolIsReadFromJSON(t *testing.T) {
	t.Parallel()
	var pools []token.Pool
	if err := json.Unmarshal([]byte(`[{"userPoolId":"eu-west-1_A","clientIds":["a","b"]}]`), &pools); err != nil {
		t.Fatal(err)
	}
	if want := []token.Pool{{ID: "eu-west-1_A", ClientIDs: []string{"a", "b"}}}; !reflect.DeepEqual(pools, want) {
		t.Errorf("got %+v, want %+v", pools, want)
	}
}

// FuzzVerify looks for a panic, and for a token that is accepted although go-jose, which shares no code with Verify but
// crypto/rsa, finds another payload in it or none.
func FuzzVerify(f *testing.F) {
	pool := newPool()
	verifier, err := token.NewVerifier(pool.Config())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		pool.AccessToken(nil),
		pool.AccessToken(map[string]any{"exp": 1}),
		pool.AccessToken(map[string]any{"token_use": "id"}),
		pool.AccessToken(map[string]any{"text": "\u2028 \"\\ 😀", "nested": map[string]any{"a": []any{1, nil, true}}}),
		header(`{"kid":"KID","alg":"RS256","crit":["b64"],"b64":false}`)(pool),
		header(`{"alg":"none"}`)(pool),
		signed(`{"iss":"\ud800","exp":1e400}`)(pool),
		"", "..", "a.b.c.d", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "Bearer x.y.z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := verifier.Verify(t.Context(), raw)
		if err != nil {
			if _, rejected := errors.AsType[*token.RejectedError](err); !rejected {
				t.Fatalf("no key was out of reach, and yet a fault: %v", err)
			}
			return
		}
		jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatalf("go-jose refuses what Verify accepts: %v", err)
		}
		payload, err := jws.Verify(&pool.PrivateKey().PublicKey)
		if err != nil {
			t.Fatalf("go-jose refuses what Verify accepts: %v", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(payload))
		decoder.UseNumber()
		var want map[string]any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Claims, want) {
			t.Fatalf("got %v, want %v", got.Claims, want)
		}
	})
}

func ExampleVerifier() {
	pool := tokentest.NewPool() // stands for a user pool of yours
	config := pool.Config()     // and for the keys that it publishes

	verifier, err := token.NewVerifier(config)
	if err != nil {
		panic(err)
	}
	for _, raw := range []string{
		pool.AccessToken(map[string]any{"company_id": "acme"}),
		pool.AccessToken(map[string]any{"exp": pool.Now().Unix()}),
	} {
		t, err := verifier.Verify(context.Background(), raw)
		if rejected, ok := errors.AsType[*token.RejectedError](err); ok {
			fmt.Println("denied for good:", rejected.Reason)
		} else if err != nil {
			fmt.Println("cannot be decided now:", err)
		} else {
			fmt.Println("company:", t.Claims["company_id"])
		}
	}
	// Output:
	// company: acme
	// denied for good: exp: the token has expired
}

// The same work bare is BenchmarkBareRSA; all three, and other libraries, in one run are in tools/bench.
func BenchmarkVerify(b *testing.B) {
	pool := newPool()
	server := httptest.NewServer(pool)
	defer server.Close()
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Now: pool.Now, Endpoint: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	tokens := make([]string, 600) // more than are remembered
	for i := range tokens {
		tokens[i] = benchmarkToken(pool, i)
	}
	for name, tokens := range map[string][]string{"first seen": tokens, "again": tokens[:1]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := verifier.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBareRSA(b *testing.B) {
	pool := newPool()
	raw := benchmarkToken(pool, 0)
	end := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
	if err != nil {
		b.Fatal(err)
	}
	key := &pool.PrivateKey().PublicKey
	b.ReportAllocs()
	for b.Loop() {
		digest := sha256.Sum256([]byte(raw[:end]))
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkToken(pool *tokentest.Pool, n int) string {
	return pool.AccessToken(map[string]any{
		"jti":        fmt.Sprintf("c4b3a291-8070-4f6e-9d5c-4b3a2918%04d", n),
		"company_id": "acme", "country_id": "uk", "compliance_level": "high",
		"roles": map[string]any{"owner": map[string]any{"document_permission": "full_control"}},
	})
}
