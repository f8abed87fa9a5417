// Package token verifies Amazon Cognito access tokens: a [Verifier] decides whether a compact JWS was issued by one of
// the configured user pools, to one of the configured app clients, as an access token, and is valid now.
//
//	verifier, err := token.NewVerifier(token.Config{Pools: []token.Pool{{
//		ID:        "eu-west-1_Abc123XYZ",
//		ClientIDs: []string{"1example23456789"},
//	}}})
//	…
//	verifier.Prefetch(ctx) // in the init phase of a Lambda function: the first token then waits for no network
//	…
//	t, err := verifier.Verify(ctx, raw)
//
// An ID token is refused in words of its own ([ErrIDToken]). [Verifier.VerifyIDToken] is for a time in which clients change
// over to access tokens.
//
// # Three outcomes
//
// A token, a denial or a fault. A [*RejectedError] is a denial: the token is bad for good, so the answer may be cached.
// Any other error is a fault: the question could not be decided, or the next moment may decide it differently (keys out of
// reach, an unknown key id while no keys may be fetched, a token that is not valid yet). Treat a fault as "no", and never
// cache it.
//
// # What is accepted
//
// RS256 and nothing else, with a key that the pool publishes. There are no switches that weaken a check. What the token
// says about its own verification (jku, jwk, x5u, x5c) is never used; crit and b64 are refused. A header type (typ) may be
// absent, as in Cognito's own tokens, or JWT. Encoding is taken literally: base64url without padding, white space or stray
// bits; JSON without duplicate keys, trailing data, invalid Unicode, numbers beyond float64 or more than 32 levels; names
// are case-sensitive. Claims that others rely on have the types that Cognito gives them: sub, username and scope are texts,
// cognito:groups is a list of texts, where they are present.
//
// Not checked, because a token cannot tell: whether it was revoked before it expired. Only Cognito's own API knows.
//
// # Privacy
//
// Errors say which check failed and what was expected. Of the token they repeat at most its kid, alg, typ and iss, quoted
// and cut to a bounded length, and never another claim.
//
// # Compatibility
//
// Exported names follow semantic versioning. Error texts, and the order of checks that all deny, may change.
package token

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/claimsmith/claimsmith/lambda/internal/strictjson"
)

// DefaultLeeway is how far ahead of ours Cognito's clock may be unless [Config.Leeway] says otherwise.
const DefaultLeeway = 30 * time.Second

// maxTokenBytes is more than any token can have that arrives through API Gateway, where all headers together are limited
// to 10,240 bytes. It bounds the work that a stranger can cause.
const maxTokenBytes = 16 << 10

// Pool is a user pool whose tokens are accepted.
type Pool struct {
	// ID is the user pool's id, such as "eu-west-1_Abc123XYZ". The Region in it is that of the issuer.
	ID string `json:"userPoolId"`

	// ClientIDs are the app clients whose tokens are accepted. There is no way to accept every client.
	ClientIDs []string `json:"clientIds"`

	// Audiences are resource identifiers accepted in aud, such as "https://api.example.com", for tokens bound to a
	// resource. A token without aud is always accepted, as is one whose aud is its own client id. Default: none.
	Audiences []string `json:"audiences,omitempty"`
}

// Config is what a [Verifier] is made of. Only Pools is required.
type Config struct {
	// Pools are the user pools whose tokens are accepted: at least one.
	Pools []Pool

	// Leeway is how far in the future nbf and iat may be, to allow for clocks that differ. It does not prolong a token:
	// exp is exact. Default: [DefaultLeeway].
	Leeway time.Duration

	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	// Keys finds the pools' public keys. Default: the key sets that the pools publish, fetched over HTTPS on demand and
	// cached. See [KeySet].
	Keys KeySet

	// Endpoint is where Cognito is reached, such as "http://127.0.0.1:4566" for a local AWS. The keys of a pool are then
	// at <Endpoint>/<pool id>/.well-known/jwks.json, while the issuer in tokens stays that of AWS. Default: the
	// environment variable AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER, then AWS_ENDPOINT_URL, as in the AWS SDKs, read
	// once by [NewVerifier]; then AWS itself. Not used when Keys is set.
	Endpoint string

	// OnFetch is told of each time that the keys of a pool were fetched, with the error if they were not to be had. It
	// must be safe for concurrent use, and quick: a token waits for it. Not used when Keys is set. Default: nobody is told.
	OnFetch func(err error)
}

// KeySet finds public keys. Its one job is the key: it sees nothing of the token but the two values it gets, both not
// yet verified. issuer is always one of the configured pools' issuers; kid is any text.
//
// A KeySet returns a [*RejectedError] when it knows, from a source no older than the call, that the issuer has no such
// key, and any other error when it cannot say. It must be safe for concurrent use. It may also have a method
// Prefetch(context.Context) error, which [Verifier.Prefetch] calls.
type KeySet interface {
	Key(ctx context.Context, issuer, kid string) (*rsa.PublicKey, error)
}

// Token is a verified token. It is to be read, not changed: calls of Verify with the same text share one.
type Token struct {
	// Claims is the whole payload. Numbers are [json.Number], so integers of any size are exact.
	Claims map[string]any

	// KeyID is the id of the key that verified the signature.
	KeyID string

	// UserPoolID is the id of the pool that issued the token.
	UserPoolID string

	// Expiry is when the token ceases to be valid.
	Expiry time.Time
}

// RejectedError is the error of [Verifier.Verify] for a token that is bad for good: no later moment will make it
// valid. It does not imply that the token's content is genuine: checks that need no key come before the signature.
type RejectedError struct {
	// Reason says which check failed and what it expected.
	Reason string
}

func (e *RejectedError) Error() string { return "token: rejected: " + e.Reason }

// checks are the words with which this package's reasons begin.
var checks = []string{
	"alg", "aud", "b64", "client_id", "cognito:groups", "crit", "exp", "form", "header", "iat", "iss", "kid", "nbf", "payload",
	"scope", "signature", "size", "sub", "token_use", "typ", "username",
}

// Check is which check failed, in one of two dozen words, so that it can be counted by: the word with which Reason begins,
// or "other" when that is not one of this package's.
func (e *RejectedError) Check() string {
	for _, check := range checks {
		if strings.HasPrefix(e.Reason, check+":") {
			return check
		}
	}
	return "other"
}

// What a fault may be, beside what a [KeySet] of one's own returns.
var (
	// ErrKeysOutOfReach means that the pool's keys could not be fetched.
	ErrKeysOutOfReach = errors.New("keys out of reach")

	// ErrUnknownKey means that the token names none of the pool's keys, which were fetched so lately that they are not
	// fetched again yet. Anybody can make up such a token; a pool that has just changed its keys issues them too.
	ErrUnknownKey = errors.New("unknown key")

	// ErrNotYetValid means that the token is of the future.
	ErrNotYetValid = errors.New("not valid yet")
)

// ErrIDToken is the [*RejectedError] of [Verifier.Verify] for what says that it is an ID token.
var ErrIDToken error = &RejectedError{Reason: "token_use: this is an ID token, which proves who signed in and grants nothing; send the access token"}

func reject(format string, args ...any) error {
	return &RejectedError{Reason: fmt.Sprintf(format, args...)}
}

// Verifier verifies access tokens. It is safe for concurrent use. Make it with [NewVerifier].
//
// It remembers the tokens that it verified lately, in a few megabytes of memory at most, so that one that comes again costs no
// arithmetic. It does ask for the key and look at the clock again.
type Verifier struct {
	pools   map[string]*Pool // by issuer: both forms of each pool
	issuers []string         // the keys of pools, for messages
	leeway  time.Duration
	now     func() time.Time
	keys    KeySet
	seen    cache
	header  atomic.Pointer[header] // of the last token that was verified
}

// poolID is the form of a user pool id; the submatch is its Region.
var poolID = regexp.MustCompile(`^((?:eusc-[a-z]{2}|[a-z]{2})-(?:gov-)?[a-z]+-[0-9])_[a-zA-Z0-9]+$`)

// issuersOf returns the two values that iss has in a pool's tokens: the original form and the one that AWS calls updated.
//
// The host ends in amazonaws.com in the commercial and GovCloud partitions. For the European sovereign partition AWS has
// published no statement; its own aws-jwt-verify expects amazonaws.com there too. If that were wrong, tokens would be
// refused and none accepted that should not be, since an issuer is compared as a whole and its keys come from that host.
func issuersOf(id string) ([]string, error) {
	match := poolID.FindStringSubmatch(id)
	if match == nil {
		return nil, fmt.Errorf("%s is not a user pool id, expected one like \"eu-west-1_Abc123XYZ\"", quote(id))
	}
	if strings.HasPrefix(id, "cn-") {
		return nil, fmt.Errorf("%q is a pool of the China partition, whose issuer AWS does not document; it is not supported", id)
	}
	return []string{
		"https://cognito-idp." + match[1] + ".amazonaws.com/" + id,
		"https://issuer-cognito-idp." + match[1] + ".amazonaws.com/" + id,
	}, nil
}

// NewVerifier returns a verifier for the pools of config, or every problem of config.
func NewVerifier(config Config) (*Verifier, error) {
	v := &Verifier{
		pools:  make(map[string]*Pool, 2*len(config.Pools)),
		leeway: config.Leeway,
		now:    config.Now,
		keys:   config.Keys,
		seen:   cache{seed: maphash.MakeSeed()},
	}
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("token: "+format, args...))
	}

	if len(config.Pools) == 0 {
		problem("pools: none configured, at least one is needed")
	}
	for i, pool := range config.Pools {
		issuers, err := issuersOf(pool.ID)
		switch {
		case err != nil:
			problem("pools[%d].userPoolId: %w", i, err)
		case v.pools[issuers[0]] != nil:
			problem("pools[%d].userPoolId: %q is configured twice, list its clients together", i, pool.ID)
		}
		if len(pool.ClientIDs) == 0 {
			problem("pools[%d].clientIds: none configured, list every app client whose tokens are accepted", i)
		}
		if slices.Contains(pool.ClientIDs, "") {
			problem("pools[%d].clientIds: contains an empty client id", i)
		}
		if slices.Contains(pool.Audiences, "") {
			problem("pools[%d].audiences: contains an empty audience", i)
		}
		own := &Pool{ID: pool.ID, ClientIDs: slices.Clone(pool.ClientIDs), Audiences: slices.Clone(pool.Audiences)}
		for _, issuer := range issuers {
			v.pools[issuer] = own
			v.issuers = append(v.issuers, issuer)
		}
	}

	if v.leeway < 0 {
		problem("leeway: %s is negative", v.leeway)
	}
	if v.leeway == 0 {
		v.leeway = DefaultLeeway
	}
	if v.now == nil {
		v.now = time.Now
	}
	if v.keys == nil {
		endpoint := config.Endpoint
		for _, name := range []string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_ENDPOINT_URL"} {
			if endpoint == "" {
				endpoint = os.Getenv(name)
			}
		}
		keys, err := newRemoteKeys(v.pools, endpoint, v.now, config.OnFetch)
		if err != nil {
			problem("endpoint: %w", err)
		}
		v.keys = keys
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return v, nil
}

// Prefetch fetches the keys of every pool, so that the first token need not wait for them. Call it during a Lambda
// function's init phase, and carry on if it fails: the error says which pools' keys are not at hand, and Verify tries again.
// It takes as long as a fetch may (three seconds) unless ctx ends it. With a [KeySet] that has nothing to prefetch it does
// nothing.
func (v *Verifier) Prefetch(ctx context.Context) error {
	if p, ok := v.keys.(interface{ Prefetch(context.Context) error }); ok {
		return p.Prefetch(ctx)
	}
	return nil
}

// Verify returns the token that raw is, if it is a valid access token, and else an error: a [*RejectedError] if raw is
// bad for good, a fault otherwise. raw is the token alone, without "Bearer".
//
// Neither a user (sub, username) nor groups nor scopes are required: a machine's token has no user.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
	return v.verify(ctx, raw, "access")
}

// VerifyIDToken is Verify for an ID token: its aud must be one of the app clients. Such a token is no permission by itself,
// and shows attributes as users wrote them. It is for a time in which clients change over to access tokens.
func (v *Verifier) VerifyIDToken(ctx context.Context, raw string) (*Token, error) {
	return v.verify(ctx, raw, "id")
}

func (v *Verifier) verify(ctx context.Context, raw, use string) (*Token, error) {
	if len(raw) > maxTokenBytes {
		return nil, reject("size: the token has %d bytes, allowed are %d", len(raw), maxTokenBytes)
	}
	var room [512]byte // for the signature by a key of up to 4096 bits
	signature := room[:0]
	c, found := v.seen.get(raw)
	known := c != nil
	if !known {
		// First everything that needs neither a key nor a clock. Whatever fails here is final, whoever wrote the token, and
		// costs neither arithmetic nor a fetch; nothing of it is trusted until the signature holds.
		var err error
		if c, signature, err = v.read(raw, use, signature); err != nil {
			return nil, err
		}
	} else if err := checkUse(c.Claims, use); err != nil {
		return nil, err
	}
	now := v.now()
	if !now.Before(c.Expiry) {
		return nil, reject("exp: the token has expired")
	}

	key, err := v.keys.Key(ctx, c.issuer, c.KeyID)
	if err != nil {
		return nil, err
	}
	if !known || key != c.key && !key.Equal(c.key) {
		if known { // with another key, and found by its text alone
			signature, _ = decodeBase64(signature, "signature", raw[c.signed+len("."):])
		}
		if err := c.verify(key, raw, signature); err != nil {
			return nil, err
		}
	}

	// Last what the next moment may change, so that only a genuine token of ours can cause this fault.
	if horizon := now.Add(v.leeway); c.notBefore.After(horizon) {
		return nil, fmt.Errorf("token: %w: nbf or iat is more than the leeway of %s in the future", ErrNotYetValid, v.leeway)
	}
	if !known {
		c.key = key
		v.header.Store(c.header)
		v.seen.add(found, c, raw)
	}
	return &c.Token, nil
}

// candidate is a token that was read, and found to be in order but for its signature and the time.
type candidate struct {
	Token
	issuer    string
	header    *header
	notBefore time.Time      // the later one of nbf and iat
	signed    int            // how many bytes of the token are signed: the first two parts, as they arrived
	key       *rsa.PublicKey // the key that verified the signature, once it was
}

// header is a token's first part, which was found to be in order, and its kid. All tokens by the same key have the same.
type header struct{ text, kid string }

// read takes a token apart and checks whatever the token alone tells. It appends the signature to dst.
func (v *Verifier) read(raw, use string, dst []byte) (c *candidate, signature []byte, err error) {
	first, rest, _ := strings.Cut(raw, ".")
	second, third, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(third, ".") {
		return nil, nil, reject("form: expected 3 parts separated by dots, got %d", strings.Count(raw, ".")+1)
	}
	header := v.header.Load()
	if header == nil || header.text != first {
		if header, err = readHeader(first); err != nil {
			return nil, nil, err
		}
	}
	payload, err := decodePart("payload", second)
	if err != nil {
		return nil, nil, err
	}
	if signature, err = decodeBase64(dst, "signature", third); err != nil {
		return nil, nil, err
	}

	iss, _ := payload["iss"].(string)
	pool := v.pools[iss]
	if pool == nil {
		return nil, nil, reject("iss: expected one of %q, got %s", v.issuers, quote(iss))
	}
	if err := checkUse(payload, use); err != nil {
		return nil, nil, err
	}
	if err := pool.check(payload, use); err != nil {
		return nil, nil, err
	}
	expiry, notBefore, err := readTimes(payload)
	if err != nil {
		return nil, nil, err
	}
	return &candidate{
		Token:     Token{Claims: payload, KeyID: header.kid, UserPoolID: pool.ID, Expiry: expiry},
		issuer:    iss,
		header:    header,
		notBefore: notBefore,
		signed:    len(raw) - len(third) - len("."),
	}, signature, nil
}

func decodePart(name, part string) (map[string]any, error) {
	data, err := decodeBase64(make([]byte, 0, base64URL.DecodedLen(len(part))), name, part)
	if err != nil {
		return nil, err
	}
	object, err := strictjson.Object(data)
	if err != nil {
		return nil, reject("%s: %v", name, err)
	}
	return object, nil
}

// base64URL is base64url without padding, and without stray bits at its end.
var base64URL = base64.RawURLEncoding.Strict()

// decodeBase64 appends what a part of a token encodes to dst.
func decodeBase64(dst []byte, name, part string) ([]byte, error) {
	if part == "" {
		return nil, reject("%s: is empty", name)
	}
	data, err := base64URL.AppendDecode(dst, []byte(part))
	if err != nil || strings.IndexByte(part, '\r') >= 0 || strings.IndexByte(part, '\n') >= 0 { // which package base64 skips
		return nil, reject("%s: expected base64url without padding", name)
	}
	return data, nil
}

func readHeader(text string) (*header, error) {
	fields, err := decodePart("header", text)
	if err != nil {
		return nil, err
	}
	if alg, _ := fields["alg"].(string); alg != "RS256" {
		return nil, reject("alg: expected \"RS256\", got %s", quote(alg))
	}
	for _, name := range []string{"crit", "b64"} {
		if _, ok := fields[name]; ok {
			return nil, reject("%s: extensions of the signature scheme are not supported", name)
		}
	}
	if typ, ok := fields["typ"]; ok {
		if s, _ := typ.(string); !strings.EqualFold(s, "JWT") { // a media type, so in any case
			return nil, reject("typ: expected \"JWT\" or none, got %s", quote(s))
		}
	}
	kid, _ := fields["kid"].(string)
	if kid == "" {
		return nil, reject("kid: expected the id of a key, found none")
	}
	return &header{strings.Clone(text), kid}, nil
}

func checkUse(claims map[string]any, want string) error {
	switch use, _ := claims["token_use"].(string); use {
	case want:
		return nil
	case "id":
		return ErrIDToken
	default:
		return reject("token_use: expected %q", want)
	}
}

// check checks the claims that say whom the token is for.
func (p *Pool) check(claims map[string]any, use string) error {
	issuedTo := "client_id"
	if use == "id" {
		issuedTo = "aud"
		for _, name := range []string{"client_id", "scope"} { // which others would take for an access token's
			if _, ok := claims[name]; ok {
				return reject("%s: expected none in an ID token", name)
			}
		}
	}
	client, _ := claims[issuedTo].(string)
	if !slices.Contains(p.ClientIDs, client) {
		return reject("%s: expected one of %q, the clients allowed for user pool %s", issuedTo, p.ClientIDs, p.ID)
	}
	// Who relies on these must not have to ask what they are.
	for _, name := range []string{"sub", "username", "scope"} {
		if claim, ok := claims[name]; ok && !isText(claim) {
			return reject("%s: expected a text", name)
		}
	}
	if groups, ok := claims["cognito:groups"]; ok {
		if list, isList := groups.([]any); !isList || slices.ContainsFunc(list, func(v any) bool { return !isText(v) }) {
			return reject("cognito:groups: expected a list of texts")
		}
	}
	// Cognito leaves aud out unless the token is bound to a resource or a trigger added the client id.
	if aud, ok := claims["aud"]; ok && !slices.ContainsFunc(list(aud), func(v any) bool {
		s, _ := v.(string)
		return s == client || slices.Contains(p.Audiences, s) // neither of which is empty
	}) {
		return reject("aud: expected none, the token's client id, or one of the audiences %q of user pool %s", p.Audiences, p.ID)
	}
	return nil
}

func isText(claim any) bool {
	_, ok := claim.(string)
	return ok
}

// list returns the elements of a claim that is either one value or a list of values.
func list(claim any) []any {
	if l, ok := claim.([]any); ok {
		return l
	}
	return []any{claim}
}

// readTimes reads the claims that are times: exp, which must not be absent, and the later one of nbf and iat.
func readTimes(claims map[string]any) (expiry, notBefore time.Time, err error) {
	if _, ok := claims["exp"]; !ok {
		return expiry, notBefore, reject("exp: expected a time, found none")
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		claim, ok := claims[name]
		if !ok {
			continue
		}
		t, ok := numericDate(claim)
		switch {
		case !ok:
			return expiry, notBefore, reject("%s: expected seconds since 1970 as a number, up to the year 9999", name)
		case name == "exp":
			expiry = t
		case t.After(notBefore):
			notBefore = t
		}
	}
	return expiry, notBefore, nil
}

func numericDate(claim any) (time.Time, bool) {
	const year10000 = 253402300800
	n, _ := claim.(json.Number)
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds >= year10000 {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

func (c *candidate) verify(key *rsa.PublicKey, raw string, signature []byte) error {
	digest := sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), c.signed)) // without a copy
	err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
	if errors.Is(err, rsa.ErrVerification) {
		return reject("signature: does not match the key named by kid")
	}
	if err != nil { // the key is unusable, which is not the token's fault
		return fmt.Errorf("token: verifying the signature: %w", err)
	}
	return nil
}

// quote quotes a text of unknown origin for an error message, in a bounded length.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
