package policy

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/program"
)

// BenchmarkMint mints ten claims; BenchmarkJSON beside it encodes and decodes what is minted.
func BenchmarkMint(b *testing.B) {
	prog, signIn := tenClaims(b)
	b.ReportAllocs()
	for b.Loop() {
		if !prog.Mint(signIn).Issue {
			b.Fatal("not issued")
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	prog, signIn := tenClaims(b)
	event := map[string]any{"request": signIn, "response": prog.Mint(signIn).Access}
	b.ReportAllocs()
	for b.Loop() {
		data, err := json.Marshal(event)
		if err != nil {
			b.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(data, &back); err != nil {
			b.Fatal(err)
		}
	}
}

func tenClaims(b *testing.B) (*Compiled, program.SignIn) {
	claims := map[string]Claim{}
	for i := range 4 {
		claims[fmt.Sprintf("attribute_%d", i)] = Claim{Attribute: "custom:company_id"}
		claims[fmt.Sprintf("expr_%d", i)] = Claim{Expr: "'auditors' in user.groups ? 'high' : 'standard'"}
	}
	claims["literal"] = Claim{Value: "uk"}
	claims["roles"] = Claim{Claims: map[string]Claim{"owner": {When: "'owners' in user.groups", Value: map[string]any{"permission": "all"}}}}
	prog, err := Compile(&Policy{Claims: claims})
	if err != nil {
		b.Fatal(err)
	}
	return prog, program.SignIn{Attributes: map[string]string{"custom:company_id": "acme"}, Groups: []string{"owners", "auditors"}}
}

// BenchmarkCheck decides about five rules.
func BenchmarkCheck(b *testing.B) {
	checker, _ := mustCompile(b, `
claims:
  company_id: {attribute: x, required: true}
  tier: {value: 3}
authorizers:
  A:
    default:
      - {rule: "'documents/read' in claims.scopes"}
      - {rule: "claims.tier >= 3"}
      - {rule: "'editors' in claims.groups"}
    routes:
      "GET /companies/{id}":
        - {rule: "claims.company_id == request.pathParameters.id"}
        - {rule: "request.method == 'GET'"}
`).Checker("A")
	token := payload(b, `{"company_id": "acme", "tier": 3, "scope": "documents/read documents/write", "cognito:groups": ["owners", "editors"]}`)
	request := program.Request{RouteKey: "GET /companies/{id}", Method: "GET", PathParameters: map[string]string{"id": "acme"}}
	b.ReportAllocs()
	for b.Loop() {
		if d := checker.Check(token, request); !d.Allowed {
			b.Fatal(d.Reasons)
		}
	}
}

// BenchmarkCompile is what a function does once, when it starts.
func BenchmarkCompile(b *testing.B) {
	shipped, err := json.Marshal(documents(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse("policy.json", shipped)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Compile(p); err != nil {
			b.Fatal(err)
		}
	}
}
