package construct

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// restAuthorizer protects methods of REST APIs. CDK asks it for an authorizer's id without saying which API the method is
// of. It gives a placeholder, for which [restAttacher] later puts the id of the authorizer in the method's API.
type restAuthorizer struct{ of *authorizer }

func (r *restAuthorizer) AuthorizationType() awsapigateway.AuthorizationType {
	return awsapigateway.AuthorizationType_CUSTOM
}

func (r *restAuthorizer) AuthorizerId() *string { return jsii.String(r.of.placeholder()) }

// placeholder is the same in every synth, since it goes into the logical id of the API's deployment.
func (a *authorizer) placeholder() string {
	return "claimsmith:" + *a.owner.Node().Addr() + ":" + a.name
}

// restAttacher is a CDK aspect. CDK shows it every construct once the app is complete.
type restAttacher struct{ owner *tokenClaims }

// Visit gives the methods that our authorizers protect the ids of those authorizers.
func (v *restAttacher) Visit(node constructs.IConstruct) {
	method, ok := node.(awsapigateway.Method)
	if !ok {
		return
	}
	resource := method.Node().DefaultChild().(awsapigateway.CfnMethod)
	id := resource.AuthorizerId()
	if id == nil {
		return
	}
	for _, a := range v.owner.authorizers {
		if *id == a.placeholder() {
			resource.SetAuthorizerId(a.forREST(method.Api()).Ref())
			a.methods = append(a.methods, method)
		}
	}
}

// forREST is the API Gateway authorizer in that API. It is created within the API, so that an API may be in another stack.
func (a *authorizer) forREST(api awsapigateway.IRestApi) awsapigateway.CfnAuthorizer {
	if inAPI, ok := a.inREST[*api.RestApiId()]; ok {
		return inAPI
	}
	key := a.cacheKey(restKind)
	target := a.owner.target(a.function)
	props := &awsapigateway.CfnAuthorizerProps{
		Name:      jsii.String(a.id()),
		RestApiId: api.RestApiId(),
		Type:      jsii.String("REQUEST"),
		AuthorizerUri: awscdk.Stack_Of(a.function).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("apigateway"), Account: jsii.String("lambda"),
			Resource: jsii.String("path/2015-03-31/functions/" + *target.FunctionArn() + "/invocations"),
		}),
		AuthorizerResultTtlInSeconds: jsii.Number(key.ttl.Seconds()),
	}
	if len(key.sources) > 0 {
		props.IdentitySource = jsii.String(strings.Join(key.sources, ","))
	}
	scope := api.(constructs.Construct)
	inAPI := awsapigateway.NewCfnAuthorizer(scope, jsii.String(a.id()), props)
	target.AddPermission(jsii.String(a.id()+"Permission"), &awslambda.Permission{
		Scope:     scope,
		Principal: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		SourceArn: awscdk.Stack_Of(api).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: api.RestApiId(),
			ResourceName: jsii.String("authorizers/" + *inAPI.Ref()),
		}),
	})
	// What is deployed is a snapshot of the API, authorizers included. If one changed and the deployment did not, decisions
	// would be repeated by what the rules read before. CDK's own authorizers do this behind a feature flag.
	if deployment := api.LatestDeployment(); deployment != nil {
		deployment.Node().AddDependency(inAPI)
		deployment.AddToLogicalId(map[string]any{"sources": key.sources, "ttl": key.ttl.Seconds(), "uri": props.AuthorizerUri})
	}
	a.inREST[*api.RestApiId()] = inAPI
	return inAPI
}
