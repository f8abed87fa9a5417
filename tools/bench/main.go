// Command bench measures, in one run, what it costs to verify an access token and to decide about a request, beside the
// bare signature check that nobody can do without and beside golang-jwt with keyfunc. It has a module of its own, so that
// the other libraries are no requirements of Claimsmith:
//
//	go -C tools/bench run .
//
// Every line is the fastest of several rounds, which take turns: what is measured is the code, not its neighbours.
package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/claimsmith/claimsmith/lambda/apigw"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/token"
	"github.com/claimsmith/claimsmith/lambda/token/tokentest"
)

const rounds = 7

// rules are an ordinary policy: a rule for all routes, and one for the route that is asked for.
const rules = `
claims:
  company_id: {attribute: "custom:company_id", required: true}
  compliance_level: {value: high}
  roles: {owner: {document_permission: {value: full_control}}}
authorizers:
  Documents:
    default: [{rule: "'documents/read' in claims.scopes"}]
    routes: {"GET /companies/{id}": [{rule: "claims.company_id == request.pathParameters.id"}], "$connect": [{rule: "true"}]}
  Plain:
    default: [{rule: "'documents/read' in claims.scopes"}, {rule: "claims.compliance_level == 'high'"}]
`

// operation is something to measure, with the most that it may cost, if there is such a limit.
type operation struct {
	name    string
	run     func(i int) error
	ratio   float64 // to the bare signature check
	nanosec int64
}

func main() {
	testing.Init()
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(stdout io.Writer) error {
	if err := flag.Set("test.benchtime", "150ms"); err != nil {
		return err
	}
	ctx := context.Background()
	pool := tokentest.NewPool()
	server := httptest.NewServer(pool)
	defer server.Close()
	verifier, err := token.NewVerifier(token.Config{Pools: pool.Config().Pools, Endpoint: server.URL})
	if err != nil {
		return err
	}
	tokens := make([]string, 600) // more than a Verifier remembers
	for i := range tokens {
		tokens[i] = pool.AccessToken(map[string]any{
			"jti": fmt.Sprintf("c4b3a291-8070-4f6e-9d5c-4b3a2918%04d", i), "company_id": "acme", "compliance_level": "high",
			"roles": map[string]any{"owner": map[string]any{"document_permission": "full_control"}},
		})
	}
	peer, err := keyfunc.NewDefaultCtx(ctx, []string{server.URL + "/" + pool.ID + "/.well-known/jwks.json"})
	if err != nil {
		return err
	}

	operations := []operation{
		{name: "rsa.VerifyPKCS1v15 alone", run: bare(pool, tokens)},
		{name: "golang-jwt + keyfunc: verify", run: func(i int) error {
			_, err := jwt.Parse(tokens[i%len(tokens)], peer.Keyfunc, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(pool.Issuer()),
				jwt.WithExpirationRequired())
			return err
		}},
		{name: "token.Verify: first seen", ratio: 1.6, run: func(i int) error {
			_, err := verifier.Verify(ctx, tokens[i%len(tokens)])
			return err
		}},
		{name: "token.Verify: again", nanosec: 10_000, run: func(int) error {
			_, err := verifier.Verify(ctx, tokens[0])
			return err
		}},
	}
	for _, api := range apigwtest.APIs {
		invoke, err := decisions(ctx, verifier, api, tokens)
		if err != nil {
			return err
		}
		operations = append(operations,
			operation{name: "decision, " + string(api) + ": first seen", ratio: 1.6, run: invoke},
			operation{name: "decision, " + string(api) + ": again", run: func(int) error { return invoke(0) }})
	}
	return measure(stdout, operations)
}

// bare is the part of the work that is the same for everybody: the digest and the signature.
func bare(pool *tokentest.Pool, tokens []string) func(int) error {
	signatures := make([][]byte, len(tokens))
	for i, raw := range tokens {
		signatures[i], _ = base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:])
	}
	key := &pool.PrivateKey().PublicKey
	return func(i int) error {
		raw := tokens[i%len(tokens)]
		digest := sha256.Sum256([]byte(raw[:strings.LastIndexByte(raw, '.')]))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signatures[i%len(tokens)])
	}
}

// decisions are whole decisions, from the bytes of an event to the bytes of an answer, the log line included.
func decisions(ctx context.Context, verifier *token.Verifier, api apigwtest.API, tokens []string) (func(int) error, error) {
	p, err := policy.Parse("claims.yaml", []byte(rules))
	if err != nil {
		return nil, err
	}
	program, err := policy.Compile(p)
	if err != nil {
		return nil, err
	}
	name := "Documents"
	if api == apigwtest.RESTToken {
		name = "Plain"
	}
	checker, _ := program.Checker(name)
	handler := &apigw.Handler{Verifier: verifier, Checker: checker, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	events := make([][]byte, len(tokens))
	for i, raw := range tokens {
		events[i] = apigwtest.Request{
			Method: "GET", Resource: "/companies/{id}", Path: "/companies/acme", PathParameters: map[string]string{"id": "acme"},
			Header: http.Header{
				"Authorization": {"Bearer " + raw}, "Accept": {"*/*"}, "Host": {"abcdef123.execute-api.us-east-1.amazonaws.com"},
				"User-Agent": {"curl/8.5.0"}, "X-Amzn-Trace-Id": {"Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"}, "X-Forwarded-For": {"192.0.2.1"},
				"X-Forwarded-Port": {"443"}, "X-Forwarded-Proto": {"https"},
			},
		}.Event(api)
	}
	return func(i int) error {
		response, err := handler.Invoke(ctx, events[i%len(events)])
		if err == nil && !strings.Contains(string(response), "claims") {
			return fmt.Errorf("refused: %s", response)
		}
		return err
	}, nil
}

func measure(stdout io.Writer, operations []operation) error {
	best := make([]testing.BenchmarkResult, len(operations))
	for range rounds {
		for o, operation := range operations {
			var failed error
			result := testing.Benchmark(func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if failed = operation.run(i); failed != nil {
						b.FailNow()
					}
				}
			})
			if failed != nil {
				return fmt.Errorf("%s: %w", operation.name, failed)
			}
			if best[o].N == 0 || result.NsPerOp() < best[o].NsPerOp() {
				best[o] = result
			}
		}
	}
	fmt.Fprintf(stdout, "%-44s %9s %8s %9s %7s  %s\n", "", "ns", "x bare", "bytes", "allocs", "limit")
	for o, operation := range operations {
		ratio := float64(best[o].NsPerOp()) / float64(best[0].NsPerOp())
		limit := ""
		switch {
		case operation.ratio > 0:
			limit = fmt.Sprintf("%.1f x bare: %s", operation.ratio, verdict(ratio <= operation.ratio))
		case operation.nanosec > 0:
			limit = fmt.Sprintf("%d ns: %s", operation.nanosec, verdict(best[o].NsPerOp() <= operation.nanosec))
		}
		fmt.Fprintf(stdout, "%-44s %9d %8.2f %9d %7d  %s\n", operation.name, best[o].NsPerOp(), ratio, best[o].AllocedBytesPerOp(), best[o].AllocsPerOp(), limit)
	}
	return nil
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
