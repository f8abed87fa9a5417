package policytest

import (
	"os"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// Whatever a case file holds, it loads and runs, or says what is wrong with it.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{"../../../example-app/claims_test.yaml", "../cmd/claimsmith/testdata/failing.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("users: &u {a: &a {want: {access: &b {a: [*b, 1.5, .inf, 1e300, null]}}}, b: *a}"))
	f.Add([]byte("users: {a: {}}\nauthorizers: {Docs: {GET /big: [{as: a, token: id, at: 2027-04-01, invalid: true}, {claims: {token_use: id}, deny: [a]}]}}"))
	f.Add([]byte(`authorizers: {Docs: {"ANY /{a}/{b+}": [{claims: {scope: 1}, path: "/x/y?%", deny: [a]}]}}`))
	p, err := policy.Parse("claims.yaml", []byte(shop))
	if err != nil {
		f.Fatal(err)
	}
	p.Params = nil // so that a case file needs none
	delete(p.Claims, "stage")
	docs := p.Authorizers["Docs"]
	delete(docs.Routes, "GET /stage")
	program, err := policy.Compile(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cases, err := Load(program, "cases.yaml", text)
		if (err == nil) == (len(cases) == 0) {
			t.Fatalf("%d cases and the error %v", len(cases), err)
		}
		for _, c := range cases {
			c.Failures()
		}
	})
}
