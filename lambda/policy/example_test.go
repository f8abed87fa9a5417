package policy_test

import (
	"fmt"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

const document = `
claims:
  company_id: {attribute: "custom:company_id", required: true}
  roles:
    owner: {when: "'owners' in user.groups", value: {document_permission: full_control}}
authorizers:
  Documents:
    routes:
      "PUT /documents/{id}":
        - {rule: "claims.?roles.owner.document_permission.orValue('') == 'full_control'", message: owners only}
`

func Example() {
	p, err := policy.Parse("claims.yaml", []byte(document))
	if err != nil {
		fmt.Println(err)
		return
	}
	compiled, err := policy.Compile(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	minted := compiled.Mint(program.SignIn{
		Attributes: map[string]string{"custom:company_id": "acme"},
		Groups:     []string{"editors"},
	})
	fmt.Println(minted.Issue, minted.Access)

	checker, _ := compiled.Checker("Documents")
	decision := checker.Check(minted.Access, program.Request{RouteKey: "PUT /documents/{id}"})
	fmt.Println(decision.Allowed, decision.Reasons[0].Message)
	// Output:
	// true map[company_id:acme]
	// false owners only
}

// A policy that does not compile says everything that is wrong with it.
func ExampleCompile() {
	p, err := policy.Parse("claims.yaml", []byte(`
claims:
  tier: {value: 3}
authorizers:
  Documents:
    default: [{rule: "claims.teir == 3"}, {rule: "claims.tier == '3'"}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = policy.Compile(p)
	fmt.Println(err)
	// Output:
	// claims.yaml:6:29: authorizers.Documents.default[0].rule: no claim "teir" is minted, nor does Cognito put it into an access token (did you mean "tier"?); minted are tier
	//     claims.teir == 3
	//           ^
	// claims.yaml:6:63: authorizers.Documents.default[1].rule: types do not fit: int == string
	//     claims.tier == '3'
	//                 ^
}
