package construct_test

import (
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

const codePolicy = `
claims: {entitlements: {code: true, type: list(string)}}
authorizers: {Documents: {default: [{rule: "'export' in claims.?entitlements.orValue([])"}]}}
`

func TestClaimsThatNothingSetsFailSynth(t *testing.T) {
	f := newFixture(t)
	f.claimsOf(codePolicy)
	f.wantSynthError(`claims.yaml:2:10: claims.entitlements: is set by code, but the claims function is Claimsmith's own, which has none: ` +
		"set props.ClaimsProgram to a program that calls pretoken.Start with a hook")

	f = newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyFile(policyFile(t, codePolicy))
		p.ClaimsProgram = construct.GoMain("./testdata/ownclaims")
	})
	f.template()
}

// Whatever a hook goes by, a decision must not be repeated for a request that it would have refused.
func TestDecisionsOfOnesOwnProgramAreCachedOnlyIfAskedFor(t *testing.T) {
	minute, off := time.Minute, time.Duration(0)
	for _, c := range []struct {
		ttl     *time.Duration
		seconds float64
		note    bool
	}{{nil, 0, true}, {&minute, 60, false}, {&off, 0, false}} {
		f := newFixture(t)
		auth := f.claims(func(p *construct.TokenClaimsProps) {
			p.AuthorizerProgram = construct.GoMain("./testdata/ownauthorizer")
			p.ResultsCacheTtl = c.ttl
		})
		auth.AddClient("Web", nil)
		f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
		f.template().has("AWS::ApiGatewayV2::Authorizer", map[string]any{"AuthorizerResultTtlInSeconds": c.seconds})
		if c.note {
			f.wantInfo("/Stack/Auth/DocumentsAuthorizer", "decisions of authorizer Documents are not cached for HTTP APIs, because API Gateway "+
				"cannot tell apart the requests for which they may differ: props.AuthorizerProgram may decide by anything: set ResultsCacheTtl if it "+
				"goes by nothing of a request but what the policy's rules read")
		} else {
			f.wantNoAnnotations()
		}
	}
}

// Code may do everything, beside a policy that says nothing.
func TestOwnCodeNeedsNoPolicy(t *testing.T) {
	f := newFixture(t)
	f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy = construct.PolicyValue(policy.Policy{})
		p.ClaimsProgram = construct.GoMain("./testdata/ownclaims")
	})
	f.template().count("AWS::Lambda::Function", 1)
	f.wantNoAnnotations()
}
