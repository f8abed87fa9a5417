package lambda_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The AWS SDK makes a function larger and its start slower, so that only the one that looks rows up links it, and of the
// SDK only what it needs: no profiles, no SSO, no other service.
func TestWhoLinksTheSDK(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg  string
		want bool
	}{{"lambda/claims", false}, {"lambda/authorizer", false}, {"lambda/pretoken", false}, {"example-app/backend", false}, {"lambda/claimslookup", true}} {
		out, err := exec.Command("go", "list", "-deps", module+c.pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out), "github.com/aws/aws-sdk-go-v2/service/dynamodb\n"); got != c.want {
			t.Errorf("%s links the SDK: %v, want %v", c.pkg, got, c.want)
		}
		for path := range strings.Lines(string(out)) {
			for _, forbidden := range []string{"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/credentials", "github.com/aws/aws-sdk-go-v2/service/s"} {
				if strings.HasPrefix(path, forbidden) || !c.want && strings.HasPrefix(path, "github.com/aws/aws-sdk-go") {
					t.Errorf("%s links %s", c.pkg, strings.TrimSpace(path))
				}
			}
		}
	}
}
