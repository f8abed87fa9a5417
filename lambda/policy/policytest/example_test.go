package policytest_test

import (
	"fmt"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/policy/policytest"
)

const document = `
claims:
  company: {attribute: "custom:company", required: true}
authorizers:
  Documents:
    default: [{rule: "claims.company == 'acme'", message: members of acme only}]
`

func program() *policy.Compiled {
	p, err := policy.Parse("claims.yaml", []byte(document))
	if err != nil {
		panic(err)
	}
	program, err := policy.Compile(p)
	if err != nil {
		panic(err)
	}
	return program
}

// Load and Failures are what Run is made of, for tools that are no Go test.
func ExampleLoad() {
	cases, err := policytest.Load(program(), "claims_test.yaml", []byte(`
users:
  ann: {attributes: {"custom:company": acme}, want: {access: {company: globex}}}
authorizers:
  Documents:
    "GET /documents": [{as: ann, allow: true}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range cases {
		if failures := c.Failures(); len(failures) > 0 {
			fmt.Println(c.Report(failures))
		}
	}
	// Output:
	// claims_test.yaml:3:3: users/ann
	//     access.company: got "acme", want "globex"
}

// Issue makes the tokens that a user gets.
func ExampleIssue() {
	event := policytest.SignIn{UserName: "ann", Attributes: map[string]string{"custom:company": "acme"}}.Event()
	tokens, err := policytest.Issue(program(), nil, nil, event)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokens.Access["username"], tokens.Access["company"], tokens.Access["scope"])
	// Output: ann acme aws.cognito.signin.user.admin
}
