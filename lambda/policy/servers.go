package policy

import (
	"maps"
	"regexp"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Cognito's rules for resource servers. A scope is asked for as identifier/name, so that a name has no slash.
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ResourceServerType.html
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
var (
	serverIdentifier = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
	serverScope      = regexp.MustCompile(`^[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}$`)
)

const (
	maxServerScopes = 100
	maxDescription  = 256
)

// ResourceServers are the resource servers that the policy declares: for each identifier, the descriptions of its scopes
// by name.
func (p *Compiled) ResourceServers() map[string]map[string]string {
	out := make(map[string]map[string]string, len(p.servers))
	for identifier, scopes := range p.servers {
		out[identifier] = maps.Clone(scopes)
	}
	return out
}

func (c *compiler) resourceServers(servers map[string]map[string]string) {
	for _, identifier := range contract.SortedKeys(servers) {
		path, scopes := contract.Child("resourceServers", identifier), servers[identifier]
		if !serverIdentifier.MatchString(identifier) {
			c.fail(path, "resource server %q: an identifier is 1 to 256 visible ASCII characters, but neither \" nor \\", identifier)
		}
		if n := len(scopes); (n == 0 || n > maxServerScopes) && !c.troubled(path) {
			c.fail(path, "has %d scopes; allowed are 1 to %d", n, maxServerScopes)
		}
		for _, name := range contract.SortedKeys(scopes) {
			if !serverScope.MatchString(name) {
				c.fail(contract.Child(path, name), "scope %q: a name is 1 to 256 visible ASCII characters, but none of \", \\ and /; it is asked for as %s/<name>", name, identifier)
			}
			if n := len(scopes[name]); (n == 0 || n > maxDescription) && !c.troubled(contract.Child(path, name)) {
				c.fail(contract.Child(path, name), "the description has %d characters; allowed are 1 to %d", n, maxDescription)
			}
		}
	}
}
