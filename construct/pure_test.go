package construct

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

func TestIdentitySourcesFollowWhatRulesRead(t *testing.T) {
	t.Parallel()
	everything := policy.Reads{
		Route: true, Method: true, Path: true, SourceIP: true,
		Headers: []string{"authorization", "x-tenant"}, Query: []string{"tenant"},
	}
	for _, c := range []struct {
		name  string
		reads policy.Reads
		ttl   time.Duration
		want  []string
	}{
		{"nothing but the token", policy.Reads{}, time.Minute, []string{"$request.header.Authorization"}},
		{"everything", everything, time.Minute, []string{"$request.header.Authorization", "$context.routeKey", "$context.httpMethod", "$context.path",
			"$context.identity.sourceIp", "$request.header.x-tenant", "$request.querystring.tenant"}},
		{"everything, without a cache", everything, 0, []string{"$request.header.Authorization"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := identitySources(c.reads, c.ttl); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableFileKeepsItsCause(t *testing.T) {
	t.Parallel()
	if _, _, err := PolicyFile("no/such.yaml").read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that is fs.ErrNotExist", err)
	}
	_, _, err := PolicyFile("").read()
	if want := `policy file "": not a path; name the file, as in construct.PolicyFile("claims.yaml")`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
