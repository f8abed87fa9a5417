package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Objects of the environments. Their names appear in problems.
var (
	stringMap = &contract.Shape{Kind: contract.Map, Elem: stringShape}

	userShape = objectOf("user", map[string]*contract.Field{
		"name":       {Shape: stringShape},
		"attributes": {Shape: stringMap},
		"groups":     {Shape: stringsShape},
	})
	clientShape  = objectOf("client", map[string]*contract.Field{"id": {Shape: stringShape}, "is_machine": {Shape: boolShape}, "metadata": {Shape: stringMap}})
	triggerShape = objectOf("trigger", map[string]*contract.Field{"source": {Shape: stringShape}})
	poolShape    = objectOf("pool", map[string]*contract.Field{"id": {Shape: stringShape}, "region": {Shape: stringShape}})

	requestShape = objectOf("request", map[string]*contract.Field{
		"method":          {Shape: stringShape},
		"path":            {Shape: stringShape},
		"routeKey":        {Shape: stringShape},
		"pathParameters":  {Shape: stringMap},
		"queryParameters": {Shape: stringMap},
		"headers":         {Shape: stringMap},
		"sourceIp":        {Shape: stringShape},
	})
)

// cognitoClaims are the claims that Cognito itself puts into an access token, as rules see them. Only those that every
// access token has are not optional; groups and scopes are always there, empty when the token has none, and so is
// is_machine, which is made of what a token has (see claimOf).
func cognitoClaims() map[string]*contract.Field {
	return map[string]*contract.Field{
		"sub":        {Shape: stringShape}, // AWS's pages disagree on whether machine tokens have it; a rule that needs it denies without
		"iss":        {Shape: stringShape},
		"client_id":  {Shape: stringShape},
		"token_use":  {Shape: stringShape},
		"jti":        {Shape: stringShape},
		"scope":      {Shape: stringShape},
		"exp":        {Shape: intShape},
		"iat":        {Shape: intShape},
		"auth_time":  {Shape: intShape},
		"version":    {Shape: intShape},
		"groups":     {Shape: stringsShape}, // cognito:groups
		"scopes":     {Shape: stringsShape}, // scope, split
		"is_machine": {Shape: boolShape},
		"username":   {Shape: stringShape, Optional: true},
		"origin_jti": {Shape: stringShape, Optional: true},
		"event_id":   {Shape: stringShape, Optional: true},
		"device_key": {Shape: stringShape, Optional: true},
		"aud":        {Shape: dynShape, Optional: true},
		"acr":        {Shape: stringShape, Optional: true},
		"amr":        {Shape: stringsShape, Optional: true},
	}
}

// variables are the names that an expression may use, with their shapes.
type variables map[string]*contract.Shape

// mintVariables are the names that minting knows. lookup is nil for the expressions that say what to look up.
func mintVariables(params []string, lookup *contract.Shape) variables {
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

func checkVariables(params []string, claims map[string]*contract.Field) variables {
	return variables{
		"claims":  objectOf("claims", claims),
		"request": requestShape,
		"params":  paramsShape(params),
	}
}

func paramsShape(params []string) *contract.Shape {
	fields := map[string]*contract.Field{}
	for _, name := range params {
		fields[name] = &contract.Field{Shape: stringShape}
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
	p := &provider{Registry: registry, objects: map[string]*contract.Shape{}}
	options := []cel.EnvOption{cel.CustomTypeProvider(p), cel.CustomTypeAdapter(registry)}
	for name, s := range vars {
		p.add(s)
		options = append(options, cel.Variable(name, celType(s)))
	}
	return base.Extend(options...)
}
