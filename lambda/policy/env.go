package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"
)

// SignIn is what minting knows about one token request. Expressions see it under the names given here.
type SignIn struct {
	// UserName is user.name.
	UserName string

	// Attributes are user.attributes: all text, as Cognito hands them over. Empty for machines.
	Attributes map[string]string

	// Groups are user.groups. Empty for machines.
	Groups []string

	// ClientID is client.id, the app client.
	ClientID string

	// Machine is client.is_machine: the token is for the client itself (client credentials), not for a user.
	Machine bool

	// ClientMetadata is client.metadata. The caller chooses it freely and Cognito does not check it: it is no ground to
	// grant anything on.
	ClientMetadata map[string]string

	// Scopes are scopes: those that the user requested and the client may have.
	Scopes []string

	// TriggerSource is trigger.source. AWS's own pages disagree on which value means what, so it does not tell refresh
	// from sign-in nor federated from local users.
	TriggerSource string

	// PoolID and PoolRegion are pool.id and pool.region.
	PoolID, PoolRegion string

	// Params are params: the deploy-time values of [Policy.Params].
	Params map[string]string

	// Found is what [Program.Lookups] came to, by the lookup's name. Expressions see the rows as lookup.<name>.
	Found map[string]Found
}

// Request is the request that a rule decides about. Expressions see it as request.
type Request struct {
	// Method is request.method, such as "GET".
	Method string

	// Path is request.path: the path as the client sent it, with the stage where the API has one in its URL.
	Path string

	// RouteKey is request.routeKey: the route that API Gateway chose, such as "GET /documents/{id}".
	RouteKey string

	// PathParameters are request.pathParameters, by the names in the route key.
	PathParameters map[string]string

	// QueryParameters are request.queryParameters. Several values of one name are joined with commas, as HTTP APIs do.
	QueryParameters map[string]string

	// Headers are request.headers, by lower-case name.
	Headers map[string]string

	// SourceIP is request.sourceIp: the address of the immediate client.
	SourceIP string

	// Params are params: the deploy-time values of [Policy.Params].
	Params map[string]string
}

// Objects of the environments. Their names appear in problems.
var (
	stringMap = &shape{kind: mapKind, elem: stringShape}

	userShape = objectOf("user", map[string]*field{
		"name":       {shape: stringShape},
		"attributes": {shape: stringMap},
		"groups":     {shape: stringsShape},
	})
	clientShape  = objectOf("client", map[string]*field{"id": {shape: stringShape}, "is_machine": {shape: boolShape}, "metadata": {shape: stringMap}})
	triggerShape = objectOf("trigger", map[string]*field{"source": {shape: stringShape}})
	poolShape    = objectOf("pool", map[string]*field{"id": {shape: stringShape}, "region": {shape: stringShape}})

	requestShape = objectOf("request", map[string]*field{
		"method":          {shape: stringShape},
		"path":            {shape: stringShape},
		"routeKey":        {shape: stringShape},
		"pathParameters":  {shape: stringMap},
		"queryParameters": {shape: stringMap},
		"headers":         {shape: stringMap},
		"sourceIp":        {shape: stringShape},
	})
)

// cognitoClaims are the claims that Cognito itself puts into an access token, as rules see them. Only those that every
// access token has are not optional; groups and scopes are always there, empty when the token has none, and so is
// is_machine, which is made of what a token has (see claimOf).
func cognitoClaims() map[string]*field {
	return map[string]*field{
		"sub":        {shape: stringShape}, // AWS's pages disagree on whether machine tokens have it; a rule that needs it denies without
		"iss":        {shape: stringShape},
		"client_id":  {shape: stringShape},
		"token_use":  {shape: stringShape},
		"jti":        {shape: stringShape},
		"scope":      {shape: stringShape},
		"exp":        {shape: intShape},
		"iat":        {shape: intShape},
		"auth_time":  {shape: intShape},
		"version":    {shape: intShape},
		"groups":     {shape: stringsShape}, // cognito:groups
		"scopes":     {shape: stringsShape}, // scope, split
		"is_machine": {shape: boolShape},
		"username":   {shape: stringShape, optional: true},
		"origin_jti": {shape: stringShape, optional: true},
		"event_id":   {shape: stringShape, optional: true},
		"device_key": {shape: stringShape, optional: true},
		"aud":        {shape: dynShape, optional: true},
		"acr":        {shape: stringShape, optional: true},
		"amr":        {shape: stringsShape, optional: true},
	}
}

// variables are the names that an expression may use, with their shapes.
type variables map[string]*shape

// mintVariables are the names that minting knows. lookup is nil for the expressions that say what to look up.
func mintVariables(params []string, lookup *shape) variables {
	vars := variables{
		"user":    userShape,
		"client":  clientShape,
		"scopes":  stringsShape,
		"trigger": triggerShape,
		"pool":    poolShape,
		"params":  paramsShape(params),
	}
	if lookup != nil {
		vars["lookup"] = lookup
	}
	return vars
}

// mintEnvironment are the values of those names, but for lookup.
func mintEnvironment(in SignIn) map[string]any {
	return map[string]any{
		"user":    map[string]any{"name": in.UserName, "attributes": orEmpty(in.Attributes), "groups": in.Groups},
		"client":  map[string]any{"id": in.ClientID, "is_machine": in.Machine, "metadata": orEmpty(in.ClientMetadata)},
		"scopes":  in.Scopes,
		"trigger": map[string]any{"source": in.TriggerSource},
		"pool":    map[string]any{"id": in.PoolID, "region": in.PoolRegion},
		"params":  orEmpty(in.Params),
	}
}

func checkVariables(params []string, claims map[string]*field) variables {
	return variables{
		"claims":  objectOf("claims", claims),
		"request": requestShape,
		"params":  paramsShape(params),
	}
}

func paramsShape(params []string) *shape {
	fields := map[string]*field{}
	for _, name := range params {
		fields[name] = &field{shape: stringShape}
	}
	return objectOf("params", fields)
}

// Limits on expressions. A CEL cost unit is roughly a step of some nanoseconds. Kubernetes has the same limit; it leaves room
// for loops inside loops over a user's groups and keeps the worst evaluation to about a tenth of a second.
const (
	maxExpressionSize = 8 << 10 // characters
	maxExpressionCost = 10_000_000
)

// has is CEL's own macro, which also takes has(claims["a/b"]): names that are no identifiers have no other form.
var has = cel.GlobalMacro(operators.Has, 1, func(factory cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if arg := args[0]; arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == operators.Index {
		if name, ok := stringLiteral(arg.AsCall().Args()[1]); ok {
			return factory.NewPresenceTest(arg.AsCall().Args()[0], name), nil
		}
	}
	return parser.MakeHas(factory, target, args)
})

// libraries is the CEL environment without variables. It is made once: most of its cost is that of the libraries.
var libraries = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.OptionalTypes(),
		cel.Macros(has),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.CostModelVersion(1), // the first to know optional values
		cel.ParserExpressionSizeLimit(maxExpressionSize),
		cel.ParserRecursionLimit(64),
		ext.Strings(),
		ext.Lists(),
		ext.Sets(),
		ext.Math(),
	)
})

// environment is the CEL environment in which those variables are known.
func (vars variables) environment() (*cel.Env, error) {
	base, err := libraries()
	if err != nil {
		return nil, err
	}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	p := &provider{Registry: registry, objects: map[string]*shape{}}
	options := []cel.EnvOption{cel.CustomTypeProvider(p), cel.CustomTypeAdapter(registry)}
	for name, s := range vars {
		p.add(s)
		options = append(options, cel.Variable(name, s.celType()))
	}
	return base.Extend(options...)
}
