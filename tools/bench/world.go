package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

//go:embed policy.yaml
var policyText []byte

// world is what the measurements share: a user pool with its keys, a policy, and tokens as the policy makes them.
type world struct {
	pool     *tokentest.Pool
	keys     *httptest.Server
	compiled *policy.Compiled
	tokens   []string // more than a Verifier remembers
	signIn   []byte   // an event of the trigger
	node     node
	rounds   int
}

func newWorld(rounds int) (*world, error) {
	w := &world{pool: tokentest.NewPool(), rounds: rounds}
	var err error
	if w.compiled, err = compile(policyText); err != nil {
		return nil, err
	}
	w.signIn = signInEvent(map[string]string{"custom:company_id": "acme", "custom:partner_id": "globex", "custom:seats": "25", "custom:departments": "legal,sales"})
	claims, err := w.minted()
	if err != nil {
		return nil, err
	}
	w.tokens = w.signed(600, claims)
	w.keys = httptest.NewServer(w.pool)
	w.node = installNode()
	return w, nil
}

func compile(text []byte) (*policy.Compiled, error) {
	p, err := policy.Parse("policy.yaml", text)
	if err != nil {
		return nil, err
	}
	return policy.Compile(p)
}

func (w *world) close() { w.keys.Close() }

func (w *world) keysURL() string { return w.keys.URL + "/" + w.pool.ID + "/.well-known/jwks.json" }

// signed are n tokens that differ in nothing but their id.
func (w *world) signed(n int, claims map[string]any) []string {
	tokens := make([]string, n)
	for i := range tokens {
		claims["jti"] = fmt.Sprintf("c4b3a291-8070-4f6e-9d5c-4b3a2918%04d", i)
		tokens[i] = w.pool.AccessToken(claims)
	}
	return tokens
}

// minted are the claims that the policy puts into a token.
func (w *world) minted() (map[string]any, error) {
	answer, err := mint(w.compiled)(w.signIn)
	if err != nil {
		return nil, err
	}
	var event struct {
		Response struct {
			ClaimsAndScopeOverrideDetails struct {
				AccessTokenGeneration struct{ ClaimsToAddOrOverride map[string]any }
			}
		}
	}
	err = json.Unmarshal(answer, &event)
	return event.Response.ClaimsAndScopeOverrideDetails.AccessTokenGeneration.ClaimsToAddOrOverride, err
}

func (w *world) verifier() (*token.Verifier, error) {
	return token.NewVerifier(token.Config{Pools: w.pool.Config().Pools, Endpoint: w.keys.URL})
}

// decider is an authorizer from the bytes of an event to those of an answer, the log line included.
func (w *world) decider(compiled *policy.Compiled, authorizer string) (*apigw.Handler, error) {
	verifier, err := w.verifier()
	if err != nil {
		return nil, err
	}
	checker, ok := compiled.Checker(authorizer)
	if !ok {
		return nil, fmt.Errorf("the policy has no authorizer %s", authorizer)
	}
	return &apigw.Handler{Verifier: verifier, Checker: checker, Logger: silent()}, nil
}

func silent() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }

// call is a request as a client makes it with a token.
func call(api apigwtest.API, raw string) []byte {
	return apigwtest.Request{
		Method: "GET", Resource: "/companies/{id}", Path: "/companies/acme", PathParameters: map[string]string{"id": "acme"},
		Header: http.Header{
			"Authorization": {"Bearer " + raw}, "Accept": {"*/*"}, "Host": {"abcdef123.execute-api.us-east-1.amazonaws.com"},
			"User-Agent": {"curl/8.5.0"}, "X-Amzn-Trace-Id": {"Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"}, "X-Forwarded-For": {"192.0.2.1"},
			"X-Forwarded-Port": {"443"}, "X-Forwarded-Proto": {"https"},
		},
	}.Event(api)
}

// calls is one call with each of the tokens.
func calls(api apigwtest.API, tokens []string) [][]byte {
	events := make([][]byte, len(tokens))
	for i, raw := range tokens {
		events[i] = call(api, raw)
	}
	return events
}

// allowed fails unless an answer of an authorizer lets the request pass.
func allowed(api apigwtest.API, answer []byte, err error) error {
	request := apigwtest.Request{Method: "GET", Path: "/companies/acme"}
	if outcome := request.Outcome(api, answer, err); outcome.Status != http.StatusOK {
		return fmt.Errorf("status %d: %s, %v", outcome.Status, answer, err)
	}
	return nil
}

// signInEvent is what Cognito sends when a user signs in who has these attributes beside the usual ones.
func signInEvent(attributes map[string]string) []byte {
	all := map[string]string{
		"sub": "9d3f5a1e-0c2b-4f6d-8e7a-1b2c3d4e5f60", "cognito:user_status": "CONFIRMED", "email_verified": "true", "email": "owner@example.com",
	}
	for name, value := range attributes {
		all[name] = value
	}
	event, err := json.Marshal(map[string]any{
		"version": "2", "triggerSource": "TokenGeneration_Authentication", "region": "eu-west-1", "userPoolId": "eu-west-1_Claimsmith",
		"userName": "owner", "callerContext": map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
		"request": map[string]any{
			"userAttributes": all, "scopes": []string{"aws.cognito.signin.user.admin"},
			"groupConfiguration": map[string]any{
				"groupsToOverride": []string{"owners", "auditors", "staff-uk"}, "iamRolesToOverride": []string{}, "preferredRole": nil,
			},
		},
		"response": map[string]any{"claimsAndScopeOverrideDetails": nil},
	})
	if err != nil {
		panic(err)
	}
	return event
}
