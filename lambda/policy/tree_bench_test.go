package policy

import (
	"encoding/json"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/internal/expr"
)

// benchmarked are rules as policies have them.
var benchmarked = []struct{ name, text string }{
	{"equal", "claims.company_id == request.pathParameters.id"},
	{"in", "'documents/read' in claims.scopes"},
	{"optional", "claims.?roles.?owner.?permission.orValue('none') == 'all'"},
	{"loop", "user.groups.exists(g, g.startsWith('admin-'))"},
	{"and", "claims.tier >= 3 && request.method in ['GET', 'HEAD'] && request.path.startsWith('/companies/')"},
	{"map", "user.groups.filter(g, g.startsWith('staff-')).map(g, g.substring(6))"},
}

func BenchmarkExpr(b *testing.B) {
	o := newOracle(b)
	for _, c := range benchmarked {
		checked, err := o.check(c.text)
		if err != nil {
			b.Fatal(err)
		}
		e, err := shipped(checked)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/expr", func(b *testing.B) {
			b.ReportAllocs()
			vars := expr.Map(o.vars)
			for b.Loop() {
				if _, err := e.Eval(vars); err != nil {
					b.Fatal(err)
				}
			}
		})
		planned, err := o.plan(checked)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/cel-go", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := planned.Eval(o.vars); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExprStart is what a function does with each expression when it starts.
func BenchmarkExprStart(b *testing.B) {
	o := newOracle(b)
	for _, c := range benchmarked {
		checked, err := o.check(c.text)
		if err != nil {
			b.Fatal(err)
		}
		n, err := tree(checked)
		if err != nil {
			b.Fatal(err)
		}
		data, err := n.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var n expr.Node
				if err := json.Unmarshal(data, &n); err != nil {
					b.Fatal(err)
				}
				if _, err := expr.New(&n); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data)), "bytes")
		})
	}
}
