package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/aws/aws-lambda-go/events"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

// peer is a way to verify tokens, and an authorizer made of it.
type peer struct {
	name string
	does string // for the reader

	api    apigwtest.API
	verify func(raw string) error             // or nil
	decide func(event []byte) ([]byte, error) // or nil

	// sample measures one of the two with the first n of the world's tokens, which take turns.
	sample func(what string, n int) (sample, error)
}

// What can be measured of a peer.
const (
	verifying = "verify"
	deciding  = "decide"
)

// The names that targets and ratios refer to.
const (
	bareRSA      = "rsa.VerifyPKCS1v15 alone"
	claimsmith   = "Claimsmith"
	awsJWTVerify = "aws-jwt-verify"
)

// inGo completes a peer that runs in this process.
func (w *world) inGo(p peer) peer {
	events := calls(p.api, w.tokens)
	p.sample = func(what string, n int) (sample, error) {
		if what == verifying {
			return operation(func(i int) error { return p.verify(w.tokens[i%n]) })
		}
		return operation(func(i int) error { _, err := p.decide(events[i%n]); return err })
	}
	return p
}

// bare is the part of the work that is the same for everybody: the digest and the signature.
func (w *world) bare() peer {
	return peer{
		name: bareRSA, does: "the floor; looks at nothing that the token says",
		verify: func(raw string) error { return rsaAlone(w, []string{raw})(0) },
		sample: func(_ string, n int) (sample, error) { return operation(rsaAlone(w, w.tokens[:n])) },
	}
}

// rsaAlone verifies signatures that are decoded already.
func rsaAlone(w *world, tokens []string) func(i int) error {
	key := &w.pool.PrivateKey().PublicKey
	texts, signatures := make([]string, len(tokens)), make([][]byte, len(tokens))
	for i, raw := range tokens {
		dot := strings.LastIndexByte(raw, '.')
		texts[i] = raw[:dot]
		signatures[i], _ = base64.RawURLEncoding.DecodeString(raw[dot+1:])
	}
	return func(i int) error {
		digest := sha256.Sum256([]byte(texts[i%len(texts)]))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signatures[i%len(texts)])
	}
}

// own are Claimsmith's authorizers, for every kind of API.
func (w *world) own(ctx context.Context) ([]peer, error) {
	verifier, err := w.verifier()
	if err != nil {
		return nil, err
	}
	var peers []peer
	for _, api := range apigwtest.APIs {
		p := peer{name: claimsmith + ", " + string(api), api: api, does: "by policy"}
		authorizer := "Documents"
		switch api {
		case apigwtest.HTTP2: // the kind that the others are measured with
			p.name, p.does = claimsmith, "strict JSON, remembers genuine tokens; rules by policy"
			p.verify = func(raw string) error { _, err := verifier.Verify(ctx, raw); return err }
		case apigwtest.RESTToken:
			authorizer = "Plain"
		}
		handler, err := w.decider(w.compiled, authorizer)
		if err != nil {
			return nil, err
		}
		p.decide = func(event []byte) ([]byte, error) { return handler.Invoke(ctx, event) }
		peers = append(peers, w.inGo(p))
	}
	return peers, nil
}

// others are what one would use instead. All make the same check (RS256, signature, issuer, expiry, client, kind of token),
// with keys that they fetched before.
func (w *world) others(ctx context.Context) ([]peer, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{w.keysURL()})
	if err != nil {
		return nil, err
	}
	jwtClaims := func(raw string) (map[string]any, error) {
		parsed, err := jwt.Parse(raw, keys.Keyfunc, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(w.pool.Issuer()), jwt.WithExpirationRequired())
		if err != nil {
			return nil, err
		}
		claims := parsed.Claims.(jwt.MapClaims)
		return claims, w.ours(claims)
	}

	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	if err := cache.Register(ctx, w.keysURL()); err != nil {
		return nil, err
	}
	set, err := cache.CachedSet(w.keysURL())
	if err != nil {
		return nil, err
	}
	jwx := func(raw string) (jwxjwt.Token, error) {
		return jwxjwt.ParseString(raw, jwxjwt.WithKeySet(set), jwxjwt.WithIssuer(w.pool.Issuer()), jwxjwt.WithRequiredClaim("exp"),
			jwxjwt.WithClaimValue("client_id", w.pool.ClientID), jwxjwt.WithClaimValue("token_use", "access"))
	}
	jwxClaims := func(raw string) (map[string]any, error) {
		parsed, err := jwx(raw)
		if err != nil {
			return nil, err
		}
		claims := map[string]any{}
		for _, name := range parsed.Keys() {
			var value any
			if err := parsed.Get(name, &value); err != nil {
				return nil, err
			}
			claims[name] = value
		}
		return claims, nil
	}

	// An access token of Cognito has no aud, which is what this library calls the client.
	idToken := oidc.NewVerifier(w.pool.Issuer(), oidc.NewRemoteKeySet(ctx, w.keysURL()), &oidc.Config{SkipClientIDCheck: true})
	oidcClaims := func(raw string) (map[string]any, error) {
		parsed, err := idToken.Verify(ctx, raw)
		if err != nil {
			return nil, err
		}
		claims := map[string]any{}
		if err := parsed.Claims(&claims); err != nil {
			return nil, err
		}
		return claims, w.ours(claims)
	}

	onlyVerify := func(claims func(string) (map[string]any, error)) func(string) error {
		return func(raw string) error { _, err := claims(raw); return err }
	}
	peers := []peer{
		{name: "golang-jwt + keyfunc", does: "client and kind by hand", verify: onlyVerify(jwtClaims), decide: authorizerByHand(jwtClaims)},
		{name: "lestrrat-go/jwx", does: "client and kind by its claim checks",
			verify: func(raw string) error { _, err := jwx(raw); return err }, decide: authorizerByHand(jwxClaims)},
		{name: "coreos/go-oidc", does: "made for ID tokens; client and kind by hand", verify: onlyVerify(oidcClaims), decide: authorizerByHand(oidcClaims)},
	}
	for i := range peers {
		peers[i].api = apigwtest.HTTP2
		peers[i] = w.inGo(peers[i])
	}
	if w.node.missing == "" {
		aws, err := w.node.verifier(ctx, w)
		if err != nil {
			return nil, err
		}
		peers = append(peers, aws)
	}
	return peers, nil
}

// ours compares what the general libraries know nothing of.
func (w *world) ours(claims map[string]any) error {
	if claims["client_id"] != w.pool.ClientID || claims["token_use"] != "access" {
		return errors.New("not an access token of the client")
	}
	return nil
}

// authorizerByHand is what one writes without Claimsmith: AWS's types for the event and the answer, and the policy's rules in Go.
func authorizerByHand(verified func(raw string) (map[string]any, error)) func(event []byte) ([]byte, error) {
	logger := silent()
	return func(event []byte) ([]byte, error) {
		var e events.APIGatewayV2CustomAuthorizerV2Request
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, err
		}
		claims, err := verified(strings.TrimPrefix(e.Headers["authorization"], "Bearer "))
		answer := events.APIGatewayV2CustomAuthorizerSimpleResponse{}
		if err == nil {
			scope, _ := claims["scope"].(string)
			answer.IsAuthorized = slices.Contains(strings.Fields(scope), "documents/read") &&
				claims["company_id"] == e.PathParameters["id"] && claims["compliance_level"] == "high"
			answer.Context = map[string]any{"claims": claims}
		}
		logger.Info("decision", "routeKey", e.RouteKey, "allowed", answer.IsAuthorized)
		return json.Marshal(answer)
	}
}

// fair fails unless a peer accepts good tokens and refuses what it must refuse, so that nobody is fast by not looking.
func (w *world) fair(p peer) error {
	accepts := map[string]func(raw string) error{verifying: p.verify, deciding: func(raw string) error {
		answer, err := p.decide(call(p.api, raw))
		return allowed(p.api, answer, err)
	}}
	if p.verify == nil {
		delete(accepts, verifying)
	}
	if p.decide == nil {
		delete(accepts, deciding)
	}
	claims, err := w.minted()
	if err != nil {
		return err
	}
	with := func(name string, value any) string {
		changed := maps.Clone(claims)
		changed[name] = value
		return w.pool.AccessToken(changed)
	}
	good := w.tokens[0]
	bad := map[string]string{
		// The signature is that of another token.
		"with a changed claim": strings.Join(append(strings.Split(with("scope", "documents/read everything"), ".")[:2], strings.Split(good, ".")[2]), "."),
	}
	if p.name != bareRSA {
		bad["that has expired"] = with("exp", w.pool.Now().Unix()-60)
		bad["of another issuer"] = with("iss", w.pool.Issuer()+"x")
		bad["of another client"] = with("client_id", "another")
		bad["that is an ID token"] = with("token_use", "id")
	}
	for what, accepts := range accepts {
		if err := accepts(good); err != nil {
			return fmt.Errorf("%s, %s: refuses a good token: %w", p.name, what, err)
		}
		for kind, raw := range bad {
			if accepts(raw) == nil {
				return fmt.Errorf("%s, %s: accepts a token %s", p.name, what, kind)
			}
		}
	}
	if p.decide != nil && accepts[deciding](with("compliance_level", "standard")) == nil {
		return fmt.Errorf("%s, %s: allows what a rule forbids", p.name, deciding)
	}
	return nil
}
