package policy

import (
	"maps"
	"regexp"
	"sync"
)

// Cognito's rules for resource servers. A scope is asked for as identifier/name, so that a name has no slash.
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ResourceServerType.html
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
var (
	serverIdentifier = pattern(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
	serverScope      = pattern(`^[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}$`)
)

// pattern is a regular expression that is compiled when it is asked for: a long repetition takes longer than the rest of a
// function's start, in which most policies do not need it.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

const (
	maxServerScopes = 100
	maxDescription  = 256
)

// ResourceServers are the resource servers that the policy declares: for each identifier, the descriptions of its scopes
// by name.
func (p *Program) ResourceServers() map[string]map[string]string {
	out := make(map[string]map[string]string, len(p.servers))
	for identifier, scopes := range p.servers {
		out[identifier] = maps.Clone(scopes)
	}
	return out
}

func (c *compiler) resourceServers(servers map[string]map[string]string) {
	for _, identifier := range sortedKeys(servers) {
		path, scopes := child("resourceServers", identifier), servers[identifier]
		if !serverIdentifier().MatchString(identifier) {
			c.fail(path, "resource server %q: an identifier is 1 to 256 visible ASCII characters, but neither \" nor \\", identifier)
		}
		if n := len(scopes); (n == 0 || n > maxServerScopes) && !c.troubled(path) {
			c.fail(path, "has %d scopes; allowed are 1 to %d", n, maxServerScopes)
		}
		for _, name := range sortedKeys(scopes) {
			if !serverScope().MatchString(name) {
				c.fail(child(path, name), "scope %q: a name is 1 to 256 visible ASCII characters, but none of \", \\ and /; it is asked for as %s/<name>", name, identifier)
			}
			if n := len(scopes[name]); (n == 0 || n > maxDescription) && !c.troubled(child(path, name)) {
				c.fail(child(path, name), "the description has %d characters; allowed are 1 to %d", n, maxDescription)
			}
		}
	}
}
