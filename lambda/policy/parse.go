package policy

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// Limits on a policy file. They are far above what a policy needs and keep a hostile file from exhausting the reader.
const (
	maxDocumentSize = 1 << 20 // bytes
	maxNodes        = 100_000 // after aliases are followed
)

// Parse reads a policy from YAML, of which JSON is a part. The file name is used in problems only. Unknown keys, duplicate
// keys, values of the wrong kind and merge keys are mistakes; aliases are followed.
//
// The error is [Problems]. It then holds everything that is wrong with the document, as far as it could be read: what
// [Compile] would have found included.
func Parse(file string, data []byte) (*Policy, error) {
	d := decoder{source: &source{file: file, nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}}
	var p Policy
	if root := d.load(data); root != nil {
		d.value(root, "", reflect.ValueOf(&p).Elem(), 0)
	}
	if len(d.problems) == 0 {
		p.source = d.source
		return &p, nil
	}
	if d.source.lines != nil {
		c := newCompiler(d.source)
		c.unreadable = d.unreadable
		c.policy(&p)
		d.problems = append(d.problems, c.problems...)
	}
	d.problems.sort()
	return nil, d.problems
}

// source is the file that a policy was read from. A nil source is that of a policy made of Go values.
type source struct {
	file  string
	lines []string
	nodes map[string]*yaml.Node // values by path
	keys  map[string]*yaml.Node // their keys, where they have one
}

// problem makes a problem at the value with that path, or at the closest enclosing one.
func (s *source) problem(path, message string) Problem {
	p := Problem{Path: path, Message: message}
	if s == nil {
		return p
	}
	p.File, p.Line, p.Column = s.file, 1, 1
	for ; path != ""; path = path[:max(0, strings.LastIndexAny(path, ".["))] {
		if n := s.nodes[path]; n != nil {
			// A mapping or list begins below its key, which is where one looks for it.
			if key := s.keys[path]; key != nil && n.Kind != yaml.ScalarNode {
				n = key
			}
			p.Line, p.Column = n.Line, n.Column
			break
		}
	}
	return p
}

// problemIn makes a problem inside the expression with that path. line and column are those in the expression, from 1.
func (s *source) problemIn(path, expr string, line, column int, message string) Problem {
	p := s.problem(path, message)
	lines := strings.Split(expr, "\n")
	if line < 1 || line > len(lines) {
		return p
	}
	text := lines[line-1]
	column = min(column, utf8.RuneCountInString(text)+1)
	p.Excerpt = strings.ReplaceAll(text, "\t", " ") + "\n" + strings.Repeat(" ", max(0, column-1)) + "^"
	if s == nil || s.nodes[path] == nil {
		return p
	}
	// The expression stands in the file as it is when it is plain, quoted without escapes, or a literal block. Whether it
	// does is seen by looking; where it does not, the problem stays at the start of the value.
	n := s.nodes[path]
	at := n.Line - 1 + line - 1
	if n.Style&yaml.LiteralStyle != 0 {
		at++
	}
	if at >= len(s.lines) {
		return p
	}
	from := 0
	if line == 1 && n.Style&yaml.LiteralStyle == 0 {
		from = len(string([]rune(s.lines[at])[:min(n.Column-1, utf8.RuneCountInString(s.lines[at]))]))
	}
	if i := strings.Index(s.lines[at][from:], text); i >= 0 && strings.TrimSpace(text) != "" {
		p.Line = at + 1
		p.Column = utf8.RuneCountInString(s.lines[at][:from+i]) + column
	}
	return p
}

// decoder fills a Policy from YAML nodes and collects what does not fit.
type decoder struct {
	source     *source
	problems   Problems
	unreadable map[string]bool // paths of values that could not be read, so that nobody complains of their absence
	nodes      int
}

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.source.file, Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...)})
	if d.unreadable == nil {
		d.unreadable = map[string]bool{}
	}
	d.unreadable[path] = true
}

// load parses the YAML and returns the root value, or nil after a problem.
func (d *decoder) load(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxDocumentSize {
		d.fail(start, "", "the document has %d bytes; at most %d are allowed", len(data), maxDocumentSize)
		return nil
	}
	if !utf8.Valid(data) {
		d.fail(start, "", "the document is not UTF-8 text")
		return nil
	}
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		if e, ok := errors.AsType[*yaml.LoadError](err); ok {
			d.fail(&yaml.Node{Line: max(1, e.Mark.Line), Column: max(1, e.Mark.Column)}, "", "not valid YAML: %s", e.Message)
		} else {
			d.fail(start, "", "not valid YAML: %v", err)
		}
		return nil
	}
	d.source.lines = strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	switch {
	case len(docs) == 0:
		d.fail(start, "", "the document is empty; a policy is a mapping with keys such as claims and authorizers")
		return nil
	case len(docs) > 1:
		d.fail(&docs[1], "", "a second document begins; a policy is one document")
		return nil
	}
	root := &docs[0]
	if root.Kind == yaml.DocumentNode {
		root = root.Content[0]
	}
	return root
}

var (
	claimType = reflect.TypeFor[Claim]()
	scopeType = reflect.TypeFor[Scope]()
	typeType  = reflect.TypeFor[Type]()
	backType  = reflect.TypeFor[Fallback]()

	// claimSources are the fields of a claim that say where its value comes from.
	claimSources = []string{"value", "attribute", "expr", "code", "claims"}
)

// fieldNames are the keys of a struct's fields in the document.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if f.IsExported() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// value decodes one node into v.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value, depth int) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.source.nodes[path] = n
	if d.nodes++; d.nodes == maxNodes {
		d.fail(n, path, "the document has more than %d values, aliases followed", maxNodes)
	}
	if depth > contract.MaxDepth {
		d.fail(n, path, "nested more than %d deep", contract.MaxDepth)
	}
	if d.nodes >= maxNodes || depth > contract.MaxDepth {
		return
	}
	if n.ShortTag() == "!!null" && n.Kind == yaml.ScalarNode {
		d.fail(n, path, "is null; give a value or leave the key out")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == scopeType && n.Kind == yaml.ScalarNode {
			d.value(n, path, v.FieldByName("Scope"), depth)
			return
		}
		if v.Type() == backType && n.Kind == yaml.ScalarNode {
			d.value(n, path, v.FieldByName("Action"), depth)
			return
		}
		if v.Type() == typeType && n.Kind == yaml.ScalarNode {
			d.value(n, path, v.FieldByName("Name"), depth)
			return
		}
		if v.Type() == typeType {
			d.mapping(n, path, v.FieldByName("Fields"), contract.Child, depth)
			return
		}
		if v.Type() == claimType && isGroup(n) {
			d.mapping(n, path, v.FieldByName("Claims"), contract.Nested, depth)
			return
		}
		d.structure(n, path, v, depth)
	case reflect.Map:
		d.mapping(n, path, v, contract.Child, depth)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(n, path, "must be a list, found %s", describe(n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			d.value(c, contract.Item(path, i), v.Index(i), depth+1)
		}
	case reflect.String:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp" {
			d.fail(n, path, "must be a string, found %s", describe(n))
			return
		}
		if n.Value == "" {
			d.fail(n, path, "is empty; give a value or leave the key out")
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			d.fail(n, path, "must be true or false, found %s", describe(n))
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || i <= 0 {
			d.fail(n, path, "must be a positive whole number, found %s", describe(n))
			return
		}
		v.SetInt(int64(i))
	case reflect.Interface:
		if literal := d.literal(n, path, depth); literal != nil {
			v.Set(reflect.ValueOf(literal))
		}
	default:
		panic("internal error: policy documents have no " + v.Kind().String())
	}
}

// isGroup tells a claim's shorthand for nested claims from its fields. See [Claim].
func isGroup(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		value := n.Content[i+1]
		for value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if slices.Contains(claimSources, n.Content[i].Value) || value.Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}

// entries calls f for each key of a mapping, after refusing duplicates and keys that are no strings.
func (d *decoder) entries(n *yaml.Node, path string, f func(key string, k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping, found %s", describe(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		switch line, dup := seen[k.Value]; {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			d.fail(k, path, "merge keys (<<) are not supported; write the keys out, or use an alias for the whole value")
			continue
		case k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str":
			d.fail(k, path, "a key must be a string, found %s; quote it", describe(k))
			continue
		case dup:
			d.fail(k, path, "key %q is given twice, first in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		f(k.Value, k, n.Content[i+1])
	}
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value, depth int) {
	names := fieldNames(v.Type())
	d.entries(n, path, func(key string, k, value *yaml.Node) {
		for i, name := range names {
			if name != key {
				continue
			}
			d.source.keys[contract.Child(path, key)] = k
			if v.Type() == claimType && name == "claims" {
				d.mapping(value, path, v.Field(i), contract.Nested, depth+1)
				return
			}
			at := contract.Child(path, key)
			d.value(value, at, v.Field(i), depth+1)
			if v.Type() == claimType && name == "code" && !v.Field(i).Bool() && !d.unreadable[at] {
				d.fail(value, at, "is not true; say where the value comes from instead")
			}
			return
		}
		if v.Type() == claimType && value.Kind == yaml.MappingNode {
			d.fail(k, path, "unknown key %q%s; nested claims beside fields of the outer claim go under \"claims\"", key, DidYouMean(key, names))
			return
		}
		d.fail(k, path, "unknown key %q%s; allowed are %s", key, DidYouMean(key, names), quoteList(names))
	})
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value, join func(path, key string) string, depth int) {
	m := reflect.MakeMap(v.Type())
	d.entries(n, path, func(key string, k, value *yaml.Node) {
		d.source.keys[join(path, key)] = k
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(value, join(path, key), e, depth+1)
		m.SetMapIndex(reflect.ValueOf(key), e)
	})
	v.Set(m)
}

// wholeNumber is an integer's text; one too large for 64 bits counts as a float in YAML, which would lose digits.
var wholeNumber = regexp.MustCompile(`^[-+]?[0-9]+$`)

const beyond64 = "%s is beyond a 64-bit integer; quote it to mint a string"

// literal decodes a literal claim value: string, bool, int64, float64, []any or map[string]any. nil means that a problem
// was reported.
func (d *decoder) literal(n *yaml.Node, path string, depth int) any {
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for i, c := range n.Content {
			var e any
			d.value(c, contract.Item(path, i), reflect.ValueOf(&e).Elem(), depth+1)
			list = append(list, e)
		}
		return list
	case yaml.MappingNode:
		object := map[string]any{}
		d.entries(n, path, func(key string, _, value *yaml.Node) {
			var e any
			d.value(value, contract.Child(path, key), reflect.ValueOf(&e).Elem(), depth+1)
			object[key] = e
		})
		return object
	}
	var scalar any
	if err := n.Load(&scalar); err != nil {
		d.fail(n, path, "cannot be read as a value: %v", err)
		return nil
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp": // an unquoted date is the text that it looks like
		return n.Value
	case "!!bool":
		return scalar
	case "!!int":
		switch i := scalar.(type) {
		case int:
			return int64(i)
		case int64:
			return i
		}
		d.fail(n, path, beyond64, n.Value)
	case "!!float":
		if wholeNumber.MatchString(n.Value) {
			d.fail(n, path, beyond64, n.Value)
			return nil
		}
		if f, ok := scalar.(float64); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		d.fail(n, path, "%s is no number that JSON can carry", n.Value)
	default:
		d.fail(n, path, "YAML tag %s cannot be carried in a token; allowed are strings, numbers, booleans, lists and mappings", n.ShortTag())
	}
	return nil
}

// describe names what a node is, without its content when that is long.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	kind := map[string]string{"!!str": "the string", "!!int": "the number", "!!float": "the number", "!!bool": "the boolean"}[n.ShortTag()]
	if kind == "" || len(n.Value) > 40 {
		return strings.TrimPrefix(n.ShortTag(), "!!")
	}
	if kind == "the string" {
		return fmt.Sprintf("the string %q", n.Value)
	}
	return kind + " " + n.Value
}
