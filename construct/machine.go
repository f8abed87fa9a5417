package construct

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// maxClientScopes is Cognito's quota of scopes per app client.
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
const maxClientScopes = 50

// notInName is what an identifier may have and a resource server's name, which people see in the console, may not.
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateResourceServer.html
var notInName = regexp.MustCompile(`[^\w\s+=,.@-]+`)

func (t *tokenClaims) AddMachineClient(id string, scopes []string, options *awscognito.UserPoolClientOptions) awscognito.UserPoolClient {
	var r awscognito.UserPoolClientOptions
	if options != nil {
		r = *options
	}
	switch {
	case len(scopes) == 0 || len(scopes) > maxClientScopes:
		panic(fmt.Errorf("construct: AddMachineClient(%q): %d scopes: allowed are 1 to %d, such as \"documents/read\"", id, len(scopes), maxClientScopes))
	case r.OAuth != nil:
		panic(fmt.Errorf("construct: AddMachineClient(%q): options.OAuth is what this call sets up: leave it out, or use AddClient", id))
	case r.GenerateSecret != nil && !*r.GenerateSecret:
		panic(fmt.Errorf("construct: AddMachineClient(%q): options.GenerateSecret is false, but a machine proves itself with a secret: leave it out", id))
	}
	t.needPool("AddMachineClient", id)
	var allowed []awscognito.OAuthScope
	for _, scope := range scopes {
		if s := t.resourceServerScope(id, scope); s != nil {
			allowed = append(allowed, s)
		}
	}
	r.OAuth = &awscognito.OAuthSettings{
		Flows:  &awscognito.OAuthFlows{ClientCredentials: jsii.Bool(true)},
		Scopes: &allowed,
	}
	r.GenerateSecret = jsii.Bool(true)
	if r.AuthFlows == nil {
		r.AuthFlows = &awscognito.AuthFlow{UserSrp: jsii.Bool(false)} // no flow for users
	}
	client := t.AddClient(id, &r)
	if !t.props.MintedElsewhere && t.props.LambdaVersion != awscognito.LambdaVersion_V3_0 {
		awscdk.Annotations_Of(client).AddWarningV2(jsii.String("claimsmith:machineWithoutClaims"), jsii.String(
			"tokens of machines carry no claim of the policy, since Cognito asks the trigger about them only in version V3_0: "+
				"set LambdaVersion to V3_0, or acknowledge this warning if scopes are all that rules about machines read"))
	}
	return client
}

// resourceServerScope is the scope of one of the policy's resource servers, which is created when it is first needed. It is
// nil after a finding.
func (t *tokenClaims) resourceServerScope(client, scope string) awscognito.OAuthScope {
	if t.policy.program == nil {
		return nil // the policy's own problems come first
	}
	declared := t.policy.program.ResourceServers()
	var known []string
	for identifier, scopes := range declared {
		for name := range scopes {
			known = append(known, identifier+"/"+name)
		}
	}
	slices.Sort(known)
	i := strings.LastIndex(scope, "/")
	if !slices.Contains(known, scope) || i < 0 {
		message := "it declares none"
		if len(known) > 0 {
			message = "it declares " + quoted(known)
		}
		t.clientFindings = append(t.clientFindings, fmt.Sprintf("AddMachineClient(%q) asks for scope %q, which %s does not declare under resourceServers%s: %s",
			client, scope, t.policy.name, policy.DidYouMean(scope, known), message))
		return nil
	}
	identifier, name := scope[:i], scope[i+1:]
	server := t.resourceServers[identifier]
	if server == nil {
		var scopes []awscognito.ResourceServerScope
		for _, name := range slices.Sorted(maps.Keys(declared[identifier])) {
			scopes = append(scopes, awscognito.NewResourceServerScope(&awscognito.ResourceServerScopeProps{
				ScopeName: jsii.String(name), ScopeDescription: jsii.String(declared[identifier][name]),
			}))
		}
		server = t.userPool.AddResourceServer(jsii.String("ResourceServer "+strings.ReplaceAll(identifier, "/", " ")), &awscognito.UserPoolResourceServerOptions{
			Identifier:                 jsii.String(identifier),
			UserPoolResourceServerName: jsii.String(notInName.ReplaceAllString(identifier, "-")),
			Scopes:                     &scopes,
		})
		t.resourceServers[identifier] = server
	}
	return awscognito.OAuthScope_ResourceServer(server, awscognito.NewResourceServerScope(&awscognito.ResourceServerScopeProps{
		ScopeName: jsii.String(name), ScopeDescription: jsii.String(declared[identifier][name]),
	}))
}
