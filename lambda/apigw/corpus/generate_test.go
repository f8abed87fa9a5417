package corpus_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"time"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

// epoch is when the corpus takes place.
var epoch = time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)

// The configurations under which tokens are verified.
const (
	plain     = "plain"     // one pool with two clients
	resources = "resources" // the same, for tokens bound to a resource
	several   = "several"   // pools of all partitions
)

const resource = "https://api.example.com"

// forge makes the corpus: it signs as the pool does, and as somebody who has other keys.
type forge struct {
	*tokentest.Pool
	attacker *tokentest.Pool // signs with a key that the pool does not publish
	corpus   corpus
}

// generate makes the corpus anew. Equal code makes equal bytes.
func generate() corpus {

	f := &forge{Pool: tokentest.NewPool(), attacker: tokentest.NewPool()}
	f.Now = func() time.Time { return epoch }
	f.attacker.Now = f.Now
	f.Rotate() // the pool publishes two keys, the attacker has the third
	f.attacker.Rotate()
	f.attacker.Rotate()

	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest("GET", "/"+f.ID+"/.well-known/jwks.json", nil))
	own := token.Pool{ID: f.ID, ClientIDs: []string{f.ClientID, "1second2345678901"}}
	bound := own
	bound.Audiences = []string{resource}
	f.corpus = corpus{
		Now:  epoch,
		JWKS: bytes.TrimSpace(w.Body.Bytes()),
		Configs: map[string][]token.Pool{
			plain:     {own},
			resources: {bound},
			several: {
				{ID: "us-east-1_Commercial", ClientIDs: []string{"commercial"}},
				{ID: "us-gov-west-1_Gov", ClientIDs: []string{"gov"}},
				{ID: "eusc-de-east-1_Sovereign", ClientIDs: []string{"sovereign"}},
			},
		},
	}
	f.forms()
	f.encodings()
	f.headers()
	f.signatures()
	f.claims()
	f.identities()
	f.times()
	f.events()
	return f.corpus
}

func (f *forge) token(name, raw, verdict, reason string) { f.under(plain, name, raw, verdict, reason) }

func (f *forge) under(config, name, raw, verdict, reason string) {
	f.corpus.Tokens = append(f.corpus.Tokens, tokenCase{Name: name, Config: config, Token: raw, Verdict: verdict, Reason: reason})
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// with returns a genuine token with claims changed.
func (f *forge) with(changes map[string]any) string { return f.AccessToken(changes) }

// header returns a genuinely signed token with this header, in which KID stands for the key's id.
func (f *forge) header(h string) string {
	return f.Sign(strings.ReplaceAll(h, "KID", f.KeyID()), f.payload())
}

func (f *forge) payload() string {
	data, err := json.Marshal(f.Claims(nil))
	if err != nil {
		panic(err)
	}
	return string(data)
}

// signedBy returns a token with this header and a signature of one's own.
func (f *forge) signedBy(h string, sign func(signed string) []byte) string {
	signed := b64(strings.ReplaceAll(h, "KID", f.KeyID())) + "." + b64(f.payload())
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

// genuine returns a genuinely signed token with this payload.
func (f *forge) genuine(payload string) string {
	return f.Sign(`{"kid":"`+f.KeyID()+`","alg":"RS256"}`, payload)
}

// member returns the payload of a good token with a member, as text, in front.
func (f *forge) member(text string) string { return "{" + text + "," + f.payload()[1:] }

func (f *forge) forms() {
	good := f.with(nil)
	p := strings.Split(good, ".")
	f.token("a token as Cognito makes it", good, accept, "")
	for name, raw := range sorted(map[string]string{
		"nothing": "", "one part": p[0], "two parts": p[0] + "." + p[1], "two dots alone": "..", "four parts": good + ".", "four parts, first empty": "." + good,
		"five parts, as of an encrypted token": p[0] + "." + p[1] + "." + p[2] + "." + p[1] + "." + p[2],
		"JSON serialization":                   `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"a number":                             "12345", "a UUID, as an opaque token": "6b1f0c8e-7a52-4c1d-9b0e-2f3a4b5c6d7e", "text": "not a token", "many dots": strings.Repeat(".", 200),
	}) {
		reason := "form"
		if raw == ".." {
			reason = "header: is empty"
		}
		f.token("form: "+name, raw, reject, reason)
	}
	f.token("form: a scheme before the token", "Bearer "+good, reject, "header: expected base64url")
	f.token("size: beyond the limit", f.with(map[string]any{"x": strings.Repeat("x", 13_000)}), reject, "size")
	f.token("size: a long token", f.with(map[string]any{"x": strings.Repeat("x", 9_000)}), accept, "")
	f.token("size: nothing but dots", strings.Repeat(".", 16<<10+1), reject, "size")
}

// encodings are all the ways to write a part of a token wrongly, in each part.
func (f *forge) encodings() {
	p := strings.Split(f.with(nil), ".")
	join := func(i int, part string) string {
		q := slices.Clone(p)
		q[i] = part
		return strings.Join(q, ".")
	}
	for i, name := range []string{"header", "payload", "signature"} {
		f.token(name+": empty", join(i, ""), reject, name+": is empty")
		for how, part := range sorted(map[string]string{
			"padded (public case 31)": p[i] + "==", "padded once": p[i] + "=", "a blank at the end": p[i] + " ", "a blank at the beginning": " " + p[i], "a line break inside": p[i][:8] + "\n" + p[i][8:],
			"CRLF inside": p[i][:8] + "\r\n" + p[i][8:], "a tab": p[i][:8] + "\t" + p[i][8:], "the other alphabet": p[i][:8] + "+/" + p[i][10:], "a character of no alphabet": p[i][:8] + "*" + p[i][9:],
			"percent-encoding": p[i][:8] + "%3D" + p[i][8:], "a letter beyond ASCII": p[i][:8] + "é" + p[i][9:], "NUL": p[i][:8] + "\x00" + p[i][9:], "one character": "e", "a comma": p[i][:8] + "," + p[i][9:],
		}) {
			f.token(name+": "+how, join(i, part), reject, name+": expected base64url")
		}
	}
	// The last character of a part has bits to spare; set, they make another text of the same bytes.
	f.token("header: stray bits", "eyJhbGciOiJSUzI1NiJ9"[:18]+"R."+p[1]+"."+p[2], reject, "header: expected base64url")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, p[2][len(p[2])-1])
	f.token("signature: stray bits", join(2, p[2][:len(p[2])-1]+alphabet[last+1:last+2]), reject, "signature: expected base64url")

	for name, text := range sorted(map[string]string{
		"text": "x", "a list": "[]", "a string": `"{}"`, "a number": "1", "null": "null", "true": "true", "cut off": `{"a":1`, "trailing data": "{} {}", "a trailing comma": `{"a":1,}`,
		"a comment": "{}//", "single quotes": `{'a':1}`, "a name without quotes": `{a:1}`, "NaN": `{"a":NaN}`, "a leading zero": `{"a":01}`, "hexadecimal": `{"a":0x1}`,
	}) {
		reason := "is not JSON"
		if slices.Contains([]string{"a list", "a string", "a number", "null", "true"}, name) {
			reason = "is not a JSON object"
		}
		f.token("header is "+name, f.header(text), reject, "header: "+reason)
		f.token("payload is "+name, f.genuine(text), reject, "payload: "+reason)
	}
	kid := `{"kid":"KID",`
	f.token("header: alg twice, good one last", f.header(kid+`"alg":"none","alg":"RS256"}`), reject, "header: has the same key twice")
	f.token("header: alg twice, good one first", f.header(kid+`"alg":"RS256","alg":"none"}`), reject, "header: has the same key twice")
	f.token("header: alg twice, one escaped", f.header(kid+`"alg":"RS256","\u0061lg":"RS256"}`), reject, "header: has the same key twice")
	f.token("header: kid twice", f.header(kid+`"kid":"KID","alg":"RS256"}`), reject, "header: has the same key twice")
	f.token("header: a byte order mark", f.header("\ufeff"+kid+`"alg":"RS256"}`), reject, "header: is not JSON")
	f.token("header: not UTF-8", f.header(kid+"\"x\":\"\xff\",\"alg\":\"RS256\"}"), reject, "header: is not UTF-8")
	for name, c := range sorted(map[string][2]string{
		"exp twice": {`"exp":1`, "has the same key twice"}, "exp twice, equal": {fmt.Sprintf(`"exp":%d`, epoch.Unix()+3600), "has the same key twice"},
		"client_id twice": {`"client_id":"x"`, "has the same key twice"}, "iss twice, one escaped": {`"\u0069ss":"x"`, "has the same key twice"},
		"a nested key twice": {`"x":{"a":1,"a":1}`, "has the same key twice"}, "__proto__ twice": {`"__proto__":1,"__proto__":2`, "has the same key twice"},
		"a number beyond float64": {`"x":1e999`, "has a number too large"}, "a number of many digits": {`"x":` + strings.Repeat("1", 50), "has a number too large or too long"},
		"nested too deep": {`"x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60), "is nested deeper"}, "half a character": {`"x":"\ud83d"`, "has half a character"},
		"half a character in a name": {`"\ude00":1`, "has half a character"}, "a control character": {"\"x\":\"\x01\"", "is not JSON"}, "a line break in a string": {"\"x\":\"\n\"", "is not JSON"},
		"an unknown escape": {`"x":"\q"`, "is not JSON"}, "not UTF-8": {"\"x\":\"\xff\"", "is not UTF-8"}, "a surrogate in UTF-8": {"\"x\":\"\xed\xa0\x80\"", "is not UTF-8"},
		"an overlong NUL in UTF-8": {"\"x\":\"\xc0\x80\"", "is not UTF-8"},
	}) {
		f.token("payload: "+name, f.genuine(f.member(c[0])), reject, "payload: "+c[1])
	}
	for name, text := range sorted(map[string]string{
		"characters of all planes": `"x":"é中😀\u2028\ufffd"`, "escapes": `"x":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`, "NUL, escaped": `"x":"\u0000"`, "an empty name": `"":1`,
		"names in another case": `"EXP":1,"Iss":"x","CLIENT_ID":"x"`, "__proto__": `"__proto__":{"client_id":"x"}`, "constructor": `"constructor":1,"toString":null`,
		"integers beyond 2^53": `"x":9007199254740993`, "a float": `"x":1.7976931348623157e308`, "null": `"x":null`, "lists of lists": `"x":[[1],[{"a":[]}]]`, "white space": " \t\r\n\"x\" : 1 ",
		"a name with dots (public case 34)": `"https://hasura.io/jwt/claims":{"a.b":1}`,
	}) {
		f.token("payload with "+name, f.genuine(f.member(text)), accept, "")
	}
}

func (f *forge) headers() {
	der, err := x509.MarshalPKIXPublicKey(&f.PrivateKey().PublicKey)
	if err != nil {
		panic(err)
	}
	hs := func(secret []byte) func(string) []byte {
		return func(signed string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(signed))
			return mac.Sum(nil)
		}
	}
	own := func(signed string) []byte { return f.Signature(signed) }
	attacker := func(signed string) []byte { return f.attacker.Signature(signed) }
	pss := func(signed string) []byte {
		digest := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPSS(rand.NewChaCha8([32]byte{}), f.PrivateKey(), crypto.SHA256, digest[:], nil)
		if err != nil {
			panic(err)
		}
		return signature
	}
	rs512 := func(signed string) []byte {
		digest := sha512.Sum512([]byte(signed))
		signature, err := rsa.SignPKCS1v15(nil, f.PrivateKey(), crypto.SHA512, digest[:])
		if err != nil {
			panic(err)
		}
		return signature
	}
	alg := func(alg string) string { return `{"kid":"KID","alg":` + alg + `}` }

	// Public case 33.
	for _, name := range []string{
		"none", "None", "NONE", "nOnE", "", "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "HS384", "HS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
		"RSA1_5", "RSA-OAEP", "dir", "A128KW", "rs256", "Rs256", " RS256", "RS256 ", "RS256\x00", "RS2５6", "SHA256withRSA",
	} {
		text, err := json.Marshal(name)
		if err != nil {
			panic(err)
		}
		f.token(fmt.Sprintf("alg %q, genuinely signed with RS256", name), f.signedBy(alg(string(text)), own), reject, "alg")
	}
	for _, value := range []string{"null", "true", "256", `["RS256"]`, `{"name":"RS256"}`} {
		f.token("alg "+value, f.header(alg(value)), reject, "alg")
	}
	f.token("alg absent", f.header(`{"kid":"KID"}`), reject, "alg")
	f.token("alg in another case", f.header(`{"kid":"KID","ALG":"RS256"}`), reject, "alg")
	f.token("alg none without a signature", b64(strings.ReplaceAll(alg(`"none"`), "KID", f.KeyID()))+"."+b64(f.payload())+".", reject, "alg")
	f.token("alg none, two parts", b64(strings.ReplaceAll(alg(`"none"`), "KID", f.KeyID()))+"."+b64(f.payload()), reject, "form")
	f.token("HS256 with the public key as DER", f.signedBy(alg(`"HS256"`), hs(der)), reject, "alg")
	f.token("HS256 with the public key as PEM", f.signedBy(alg(`"HS256"`), hs(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))), reject, "alg")
	f.token("HS256 with the modulus", f.signedBy(alg(`"HS256"`), hs(f.PrivateKey().N.Bytes())), reject, "alg")
	f.token("HS256 with an empty secret", f.signedBy(alg(`"HS256"`), hs(nil)), reject, "alg")
	f.token("HS256 with the key set", f.signedBy(alg(`"HS256"`), hs(f.corpus.JWKS)), reject, "alg")
	f.token("HS256's digest under RS256", f.signedBy(alg(`"RS256"`), hs(der)), reject, "signature: does not match")
	f.token("PS256", f.signedBy(alg(`"PS256"`), pss), reject, "alg")
	f.token("PS256's signature under RS256", f.signedBy(alg(`"RS256"`), pss), reject, "signature: does not match")
	f.token("RS512", f.signedBy(alg(`"RS512"`), rs512), reject, "alg")
	f.token("RS512's signature under RS256", f.signedBy(alg(`"RS256"`), rs512), reject, "signature: does not match")

	kid := func(kid string) string { return `{"alg":"RS256","kid":` + kid + `}` }
	f.token("kid absent (public case 32)", f.header(`{"alg":"RS256"}`), reject, "kid: expected the id")
	f.token("kid absent, named in another case", f.header(`{"alg":"RS256","KID":"x"}`), reject, "kid: expected the id")
	for _, value := range []string{`""`, "null", "1", "true", `["tokentest-2"]`, `{}`} {
		f.token("kid "+value, f.header(kid(value)), reject, "kid: expected the id")
	}
	for name, value := range sorted(map[string]string{
		"unknown (public case 28)": "unknown", "a path": "../../dev/null", "SQL": "' UNION SELECT 'secret", "a URL": "https://evil.example/jwks.json", "in another case": "TOKENTEST-2", "with NUL": `KID\u0000`,
		"with a blank": "KID ", "__proto__": "__proto__", "constructor": "constructor", "toString": "toString", "of the attacker": f.attacker.KeyID(), "0": "0", "long": strings.Repeat("k", 5000), "beyond ASCII": "ключ",
	}) {
		f.token("kid "+name, f.header(kid(`"`+value+`"`)), reject, "kid: ")
	}
	f.token("kid of the other key of the pool", f.Sign(`{"alg":"RS256","kid":"tokentest-1"}`, f.payload()), reject, "signature: does not match")
	f.token("kid unknown, signed by the attacker", f.signedBy(kid(`"`+f.attacker.KeyID()+`"`), attacker), reject, "kid: ")

	w := httptest.NewRecorder()
	f.attacker.ServeHTTP(w, httptest.NewRequest("GET", "/"+f.ID+"/.well-known/jwks.json", nil))
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		panic(err)
	}
	jwk := string(set.Keys[len(set.Keys)-1])
	for name, member := range sorted(map[string]string{
		"jwk": `"jwk":` + jwk, "jku": `"jku":"https://evil.example/jwks.json"`, "x5u": `"x5u":"https://evil.example/cert.pem"`, "x5c": `"x5c":["AA=="]`, "x5t": `"x5t":"AAAA"`,
	}) {
		f.token(name+" of the attacker, who signed", f.signedBy(`{"kid":"KID","alg":"RS256",`+member+`}`, attacker), reject, "signature: does not match")
		f.token(name+" in a genuine token", f.header(`{"kid":"KID","alg":"RS256",`+member+`}`), accept, "")
	}
	f.token("jwk of the attacker under its own id", f.signedBy(kid(`"`+f.attacker.KeyID()+`","jwk":`+jwk), attacker), reject, "kid: ")
	for _, member := range []string{`"crit":["exp"],"exp":1`, `"crit":[]`, `"crit":null`, `"crit":["b64"],"b64":false`, `"b64":true`, `"b64":false`} {
		f.token("header with "+member, f.header(`{"kid":"KID","alg":"RS256",`+member+`}`), reject, strings.Trim(member[:strings.IndexByte(member, ':')], `"`))
	}
	for value, verdict := range sorted(map[string]string{
		`"JWT"`: accept, `"jwt"`: accept, `"at+jwt"`: reject, `"JWE"`: reject, `"secevent+jwt"`: reject, `""`: reject, "null": reject, "1": reject, `["JWT"]`: reject,
	}) {
		reason := "typ"
		if verdict == accept {
			reason = ""
		}
		f.token("typ "+value, f.header(`{"kid":"KID","alg":"RS256","typ":`+value+`}`), verdict, reason)
	}
	f.token("header parameters of no meaning", f.header(`{"kid":"KID","alg":"RS256","cty":"x","zzz":{"a":[1]}}`), accept, "")
}

func (f *forge) signatures() {
	good := f.with(nil)
	p := strings.Split(good, ".")
	signature, _ := base64.RawURLEncoding.DecodeString(p[2])
	sign := func(change func([]byte) []byte) string {
		return p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(change(slices.Clone(signature)))
	}
	flip := func(i int) string {
		return sign(func(s []byte) []byte { s[(i+len(s))%len(s)] ^= 1; return s })
	}
	const mismatch = "signature: does not match"
	other := strings.Split(f.with(map[string]any{"username": "admin"}), ".")
	for name, raw := range sorted(map[string]string{
		"first bit changed": flip(0), "last bit changed": flip(-1), "middle changed": flip(128),
		"short":                      sign(func(s []byte) []byte { return s[:255] }),
		"long":                       sign(func(s []byte) []byte { return append(s, 0) }),
		"with a zero in front":       sign(func(s []byte) []byte { return append([]byte{0}, s...) }),
		"one byte":                   sign(func(s []byte) []byte { return s[:1] }),
		"zeros":                      sign(func(s []byte) []byte { return make([]byte, len(s)) }),
		"one":                        sign(func(s []byte) []byte { return append(make([]byte, len(s)-1), 1) }),
		"larger than the modulus":    sign(func(s []byte) []byte { return bytes.Repeat([]byte{0xff}, len(s)) }),
		"the modulus":                sign(func([]byte) []byte { return f.PrivateKey().N.Bytes() }),
		"the digest":                 sign(func([]byte) []byte { d := sha256.Sum256([]byte(p[0] + "." + p[1])); return d[:] }),
		"of another token":           p[0] + "." + p[1] + "." + other[2],
		"of a token before a change": p[0] + "." + other[1] + "." + p[2],
		"of the attacker":            f.signedBy(`{"kid":"KID","alg":"RS256"}`, func(s string) []byte { return f.attacker.Signature(s) }),
		"over the payload alone":     p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(f.Signature(p[1])),
		"over the decoded parts":     p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(f.Signature(f.payload())),
		"of a longer header":         b64(`{"kid":"`+f.KeyID()+`","alg":"RS256","a":1}`) + "." + p[1] + "." + p[2],
	}) {
		f.token("signature "+name, raw, reject, mismatch)
	}
	old := tokentest.NewPool() // the key before
	old.Now = f.Now
	f.token("signed with the older of the pool's keys", old.AccessToken(nil), accept, "")
}

// wrong are values of types that a text must not have.
var wrong = []any{nil, true, 1, 1.5, []any{}, map[string]any{}, ""}

func (f *forge) claims() {
	for _, claim := range []string{"iss", "token_use", "client_id"} {
		f.token(claim+" absent", f.with(map[string]any{claim: tokentest.Absent}), reject, claim)
		for _, value := range wrong {
			f.token(fmt.Sprintf("%s is %s", claim, text(value)), f.with(map[string]any{claim: value}), reject, claim)
		}
		good := f.Claims(nil)[claim]
		f.token(claim+" in a list", f.with(map[string]any{claim: []any{good}}), reject, claim)
		f.token(claim+" in upper case", f.with(map[string]any{claim: strings.ToUpper(good.(string))}), reject, claim)
		f.token(claim+" with a blank", f.with(map[string]any{claim: good.(string) + " "}), reject, claim)
		f.token(claim+" with NUL", f.with(map[string]any{claim: good.(string) + "\x00"}), reject, claim)
	}
	for _, claim := range []string{"exp", "nbf", "iat"} {
		for _, value := range []any{nil, true, "", "4102444800", []any{}, []any{epoch.Unix() + 60}, map[string]any{}, -1, 1e15, 1e300, 1000 * epoch.Unix()} {
			f.token(fmt.Sprintf("%s is %s", claim, text(value)), f.with(map[string]any{claim: value}), reject, claim)
		}
	}
	f.token("exp absent (public case 32)", f.with(map[string]any{"exp": tokentest.Absent}), reject, "exp: expected a time, found none")
	for _, claim := range []string{"nbf", "iat", "sub", "username", "scope", "cognito:groups", "jti", "origin_jti", "event_id", "auth_time", "version"} {
		f.token(claim+" absent", f.with(map[string]any{claim: tokentest.Absent}), accept, "")
	}
	for _, claim := range []string{"sub", "username", "scope"} {
		for _, value := range wrong[:len(wrong)-1] { // an empty text is a text
			f.token(fmt.Sprintf("%s is %s", claim, text(value)), f.with(map[string]any{claim: value}), reject, claim)
		}
	}
	for _, value := range []any{nil, "owners", 1, map[string]any{}, []any{1}, []any{"owners", nil}, []any{[]any{"owners"}}} {
		f.token(fmt.Sprintf("cognito:groups is %s", text(value)), f.with(map[string]any{"cognito:groups": value}), reject, "cognito:groups")
	}
	f.token("no groups", f.with(map[string]any{"cognito:groups": []any{}}), accept, "")
	f.token("auth_time of another type, which nobody reads", f.with(map[string]any{"auth_time": "x"}), accept, "")
}

func (f *forge) identities() {
	for _, use := range []string{"refresh", "ID", "Access", "access ", "id_token"} {
		f.token(fmt.Sprintf("token_use %q", use), f.with(map[string]any{"token_use": use}), reject, `token_use: expected "access"`)
	}
	f.token("an ID token (public cases 14, 15)", f.with(map[string]any{"token_use": "id", "aud": f.ClientID, "client_id": tokentest.Absent, "cognito:username": "owner"}), reject, "token_use: this is an ID token")
	f.token("an ID token that has client_id too", f.with(map[string]any{"token_use": "id", "aud": f.ClientID}), reject, "token_use: this is an ID token")

	f.token("the updated issuer (public case 12)", f.with(map[string]any{"iss": f.UpdatedIssuer()}), accept, "")
	iss := f.Issuer()
	for name, value := range sorted(map[string]string{
		"of another pool": iss + "2", "of a pool whose id begins alike": iss[:len(iss)-1], "with a slash": iss + "/", "with a port": strings.Replace(iss, ".com/", ".com:443/", 1), "with a query": iss + "?x", "with a fragment": iss + "#x",
		"of another Region": strings.Replace(iss, "eu-west-1.", "us-east-1.", 1), "with http": strings.Replace(iss, "https", "http", 1), "without a scheme": strings.TrimPrefix(iss, "https://"),
		"of another domain": strings.Replace(iss, "amazonaws.com", "amazonaws.com.evil.example", 1), "with a user": strings.Replace(iss, "https://", "https://evil.example@", 1), "of the China partition": strings.Replace(iss, ".com", ".com.cn", 1),
		"that is the pool's id": f.ID, "that is the key set": iss + "/.well-known/jwks.json", "of FIPS": strings.Replace(iss, "cognito-idp", "cognito-idp-fips", 1), "with letters that look alike": strings.Replace(iss, "a", "а", 1),
		"of a path above": strings.Replace(iss, "/eu-", "/x/../eu-", 1), "encoded": strings.Replace(iss, "_", "%5F", 1),
	}) {
		f.token("issuer "+name, f.with(map[string]any{"iss": value}), reject, "iss")
	}
	f.token("the second client", f.with(map[string]any{"client_id": "1second2345678901"}), accept, "")
	for _, client := range []string{"another", f.ClientID + "0", f.ClientID[:10], f.ClientID + ",1second2345678901", "*"} {
		f.token(fmt.Sprintf("client %q (public case 26)", client), f.with(map[string]any{"client_id": client}), reject, "client_id")
	}
	f.token("a client in aud alone (public case 25)", f.with(map[string]any{"client_id": "another", "aud": f.ClientID}), reject, "client_id")

	f.token("aud of the client", f.with(map[string]any{"aud": f.ClientID}), accept, "")
	f.token("aud with the client", f.with(map[string]any{"aud": []any{"x", f.ClientID}}), accept, "")
	for _, aud := range []any{"x", resource, "1second2345678901", nil, "", []any{}, []any{"x"}, []any{1}, 1, map[string]any{}} {
		f.token(fmt.Sprintf("aud %s", text(aud)), f.with(map[string]any{"aud": aud}), reject, "aud")
	}
	f.under(resources, "aud of a resource, which is configured", f.with(map[string]any{"aud": resource}), accept, "")
	f.under(resources, "no aud where resources are configured", f.with(nil), accept, "")
	f.under(resources, "aud of another resource", f.with(map[string]any{"aud": resource + "/x"}), reject, "aud")

	f.token("a machine's token (public case 35)", f.with(map[string]any{
		"sub": f.ClientID, "username": tokentest.Absent, "cognito:groups": tokentest.Absent, "event_id": tokentest.Absent, "origin_jti": tokentest.Absent, "scope": "documents/read",
	}), accept, "")
	f.token("a machine's token without sub", f.with(map[string]any{"sub": tokentest.Absent, "username": tokentest.Absent, "cognito:groups": tokentest.Absent}), accept, "")
	f.token("nested claims of a trigger", f.with(map[string]any{"roles": map[string]any{"owner": map[string]any{"document_permission": "full_control"}}}), accept, "")

	for _, pool := range f.corpus.Configs[several] {
		p := tokentest.NewPool()
		p.ID, p.ClientID, p.Now = pool.ID, pool.ClientIDs[0], f.Now
		for _, iss := range []string{p.Issuer(), p.UpdatedIssuer()} {
			f.under(several, "issuer "+iss, p.AccessToken(map[string]any{"iss": iss}), accept, "")
		}
		f.under(several, "a client of another pool than "+pool.ID, p.AccessToken(map[string]any{"client_id": "1example23456789"}), reject, "client_id")
	}
	f.under(several, "a pool that is not configured", f.with(nil), reject, "iss")
}

func (f *forge) times() {
	now := epoch.Unix()
	for name, c := range sorted(map[string]struct {
		claims          map[string]any
		verdict, reason string
	}{
		"exp in a second":                        {map[string]any{"exp": now + 1}, accept, ""},
		"exp in half a second":                   {map[string]any{"exp": float64(now) + 0.5}, accept, ""},
		"exp now":                                {map[string]any{"exp": now}, reject, "exp: the token has expired"},
		"exp a second ago":                       {map[string]any{"exp": now - 1}, reject, "exp: the token has expired"},
		"exp half a second ago":                  {map[string]any{"exp": float64(now) - 0.5}, reject, "exp: the token has expired"},
		"exp in 1970":                            {map[string]any{"exp": 0}, reject, "exp: the token has expired"},
		"exp at the end of 9999":                 {map[string]any{"exp": 253402300799}, accept, ""},
		"exp in the year 10000":                  {map[string]any{"exp": 253402300800}, reject, "exp: expected seconds"},
		"exp with an exponent":                   {map[string]any{"exp": json.Number("4.1024448e9")}, accept, ""},
		"exp expired before it was issued":       {map[string]any{"exp": now - 1, "iat": now + 10}, reject, "exp: the token has expired"},
		"nbf now":                                {map[string]any{"nbf": now}, accept, ""},
		"nbf at the edge of the leeway":          {map[string]any{"nbf": now + 30}, accept, ""},
		"nbf beyond the leeway":                  {map[string]any{"nbf": now + 31}, fault, "not valid yet"},
		"nbf in a year":                          {map[string]any{"nbf": now + 31_536_000}, fault, "not valid yet"},
		"iat 3 s in the future (public case 32)": {map[string]any{"iat": now + 3}, accept, ""},
		"iat at the edge of the leeway":          {map[string]any{"iat": now + 30}, accept, ""},
		"iat beyond the leeway":                  {map[string]any{"iat": now + 31}, fault, "not valid yet"},
		"iat in 1970":                            {map[string]any{"iat": 0}, accept, ""},
		"auth_time in the future":                {map[string]any{"auth_time": now + 3600}, accept, ""},
		"not yet valid, and of a foreign client": {map[string]any{"nbf": now + 31, "client_id": "x"}, reject, "client_id"},
	}) {
		f.token("time: "+name, f.with(c.claims), c.verdict, c.reason)
	}
}

func (f *forge) event(name string, api apigwtest.API, sources string, event []byte, verdict, reason string) {
	f.corpus.Events = append(f.corpus.Events, eventCase{Name: string(api) + ": " + name, Sources: sources, Event: event, Verdict: verdict, Reason: reason})
}

// events are ways to send a good token, and events that are broken.
func (f *forge) events() {
	raw := f.with(nil)
	const all = "header:Authorization,query:token,cookie:session,subprotocol"
	header := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	for _, api := range apigwtest.APIs {
		invalid := reject
		for name, c := range sorted(map[string]struct {
			header          http.Header
			verdict, reason string
		}{
			"Bearer": {header("Bearer " + raw), accept, ""}, "bearer": {header("bearer " + raw), accept, ""}, "a bare token": {header(raw), accept, ""}, "blanks": {header("  Bearer   " + raw + " "), accept, ""},
			"Bearer alone": {header("Bearer "), invalid, "no token"}, "an empty header": {header(""), invalid, "is empty"}, "Basic": {header("Basic dTpw"), invalid, "another scheme"},
			"two tokens": {header("Bearer " + raw + " " + raw), invalid, "several tokens"}, "a list": {header("Bearer " + raw + ", Bearer " + raw), invalid, "several values"}, "two schemes": {header("Bearer Bearer " + raw), invalid, "several tokens"},
			"quotes": {header(`Bearer "` + raw + `"`), invalid, "header: expected base64url"}, "a parameter": {header("Bearer token=" + raw), invalid, "header: expected base64url"}, "a semicolon": {header("Bearer " + raw + ";"), invalid, "signature: expected base64url"},
		}) {
			f.event(name, api, "", apigwtest.Request{Method: "GET", Resource: "/d", Path: "/d", Header: c.header}.Event(api), c.verdict, c.reason)
		}
		if api == apigwtest.RESTToken {
			continue
		}
		for name, c := range sorted(map[string]struct {
			request         apigwtest.Request
			verdict, reason string
		}{
			"no token":                     {apigwtest.Request{}, invalid, "no token"},
			"two headers":                  {apigwtest.Request{Header: header("Bearer "+raw, "Bearer "+raw)}, invalid, "several values"},
			"a header in two spellings":    {apigwtest.Request{Header: http.Header{"Authorization": {raw}, "authorization": {raw}}}, invalid, "several values"},
			"a header in lower case":       {apigwtest.Request{Header: http.Header{"authorization": {raw}}}, accept, ""},
			"a query parameter":            {apigwtest.Request{Query: url.Values{"token": {raw}}}, accept, ""},
			"two query parameters":         {apigwtest.Request{Query: url.Values{"token": {raw, raw}}}, invalid, "several values"},
			"a cookie":                     {apigwtest.Request{Header: http.Header{"Cookie": {"a=b; session=" + raw}}}, accept, ""},
			"two cookies":                  {apigwtest.Request{Header: http.Header{"Cookie": {"session=" + raw + "; session=" + raw}}}, invalid, "several values"},
			"a sub-protocol":               {apigwtest.Request{Header: http.Header{"Sec-Websocket-Protocol": {"v1, bearer." + raw}}}, accept, ""},
			"two sub-protocols":            {apigwtest.Request{Header: http.Header{"Sec-Websocket-Protocol": {"bearer." + raw + ",bearer." + raw}}}, invalid, "several values"},
			"a header and a query":         {apigwtest.Request{Header: header(raw), Query: url.Values{"token": {raw}}}, invalid, "more than one"},
			"an empty header and a cookie": {apigwtest.Request{Header: http.Header{"Authorization": {""}, "Cookie": {"session=" + raw}}}, invalid, "more than one"},
		}) {
			c.request.Method, c.request.Resource, c.request.Path = "GET", "/d", "/d"
			f.event(name, api, all, c.request.Event(api), c.verdict, c.reason)
			if c.verdict == accept && name != "a header in lower case" {
				f.event(name+" that nobody asked for", api, "", c.request.Event(api), invalid, "no token")
			}
		}
	}
	good := apigwtest.Request{Method: "GET", Resource: "/d", Path: "/d", Header: header(raw)}
	for _, api := range apigwtest.APIs {
		for name, change := range sorted(map[string]func(map[string]any){
			"an unknown version":         func(e map[string]any) { e["version"] = "9.0" },
			"a version that is a number": func(e map[string]any) { e["version"] = 2 },
			"an unknown type":            func(e map[string]any) { e["type"] = "RESPONSE" },
			"no type":                    func(e map[string]any) { delete(e, "type") },
			"no ARN":                     func(e map[string]any) { delete(e, "methodArn"); delete(e, "routeArn") },
			"an ARN that is a wildcard":  func(e map[string]any) { e["methodArn"], e["routeArn"] = "*", "*" },
		}) {
			var e map[string]any
			if err := json.Unmarshal(good.Event(api), &e); err != nil {
				panic(err)
			}
			change(e)
			data, err := json.Marshal(e)
			if err != nil {
				panic(err)
			}
			f.event(name, api, "", data, fault, "the event")
		}
	}
	for name, path := range sorted(map[string]string{"any text": "/d/*", "any character": "/d/?", "a variable": "/d/${x}", "too long": "/" + strings.Repeat("d", 600)}) {
		for _, api := range []apigwtest.API{apigwtest.HTTP1, apigwtest.REST, apigwtest.RESTToken} {
			r := good
			r.Path = path
			f.event("a path that a policy cannot name: "+name, api, "", r.Event(api), deny, "a policy cannot name the method exactly")
		}
	}
}

// text is how a value is written in a name.
func text(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// sorted yields a map in order.
func sorted[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
