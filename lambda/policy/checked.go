package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
)

// The names of [Program.Files].
const documentFile, checkedFile = "policy.json", "policy.checked"

// checkedPolicy is the second of the files: expressions as CEL's own message for checked ones.
type checkedPolicy struct {
	Document    []byte            `json:"document"` // SHA-256 of the document that they are of
	Expressions map[string][]byte `json:"expressions"`
}

// Files are what a function needs beside its executable for [Load], by name: policy.json, which is [Program.MarshalJSON],
// and policy.checked, the expressions as they are after parsing and type-checking. Equal policies give equal bytes.
func (p *Program) Files() (map[string][]byte, error) {
	document, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	out := checkedPolicy{Document: digest(document), Expressions: map[string][]byte{}}
	for key, checked := range p.checked {
		message, err := ast.ToProto(checked)
		if err != nil {
			return nil, fmt.Errorf("an expression cannot be encoded: %s: %w", key, err)
		}
		message.SourceInfo = nil // only problems are told by it
		if out.Expressions[key], err = (proto.MarshalOptions{Deterministic: true}).Marshal(message); err != nil {
			return nil, fmt.Errorf("an expression cannot be encoded: %s: %w", key, err)
		}
	}
	checked, err := json.Marshal(out)
	return map[string][]byte{documentFile: document, checkedFile: checked}, err
}

// Load is [Parse] and [Compile] for a function that starts: dir has the [Program.Files]. Their expressions are not parsed,
// checked and estimated a second time, which is most of what compiling takes. When policy.checked is missing, is of another
// document or cannot be read, the result is the same and takes longer.
func Load(dir fs.FS) (*Program, error) {
	document, err := fs.ReadFile(dir, documentFile)
	if err != nil {
		return nil, err
	}
	p, err := Parse(documentFile, document)
	if err != nil {
		return nil, err
	}
	var shipped checkedPolicy
	data, err := fs.ReadFile(dir, checkedFile)
	if err != nil || json.Unmarshal(data, &shipped) != nil || !bytes.Equal(shipped.Document, digest(document)) {
		shipped = checkedPolicy{}
	}
	return compile(p, shipped.Expressions)
}

func digest(document []byte) []byte {
	sum := sha256.Sum256(document)
	return sum[:]
}

// key tells an expression from those of the same text in another language. Languages differ in their variables.
func (l *language) key(text string) string {
	return strings.Join(sortedKeys(l.vars), " ") + ": " + text
}

// restore makes an expression of what was shipped, or nil if that is not possible.
func (l *language) restore(text string, shipped []byte) *expression {
	var message exprpb.CheckedExpr
	if shipped == nil || proto.Unmarshal(shipped, &message) != nil {
		return nil
	}
	checked, err := ast.ToAST(&message)
	if err != nil {
		return nil
	}
	e, err := l.plan(text, checked)
	if err != nil {
		return nil
	}
	return e
}

// plan makes a checked expression executable.
func (l *language) plan(text string, checked *ast.AST) (*expression, error) {
	program, err := l.env.PlanProgram(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &expression{text: text, program: program, ast: checked, result: checked.GetType(checked.Expr().ID()), reads: l.reads(checked)}, nil
}
