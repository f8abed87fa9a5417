package policytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

// Limits on a case file, aliases followed, so that reading it always ends.
const (
	maxValues = 100_000
	maxDepth  = 32
)

// decoder reads a case file strictly and collects what is wrong with it, each problem with its place.
type decoder struct {
	file     string
	values   int
	problems policy.Problems
}

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, policy.Problem{
		File: d.file, Line: n.Line, Column: n.Column, Path: strings.TrimPrefix(path, "."), Message: fmt.Sprintf(format, args...),
	})
}

// root is the value of the only document, or nil after a problem.
func (d *decoder) root(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		if e, ok := errors.AsType[*yaml.LoadError](err); ok {
			d.fail(&yaml.Node{Line: max(1, e.Mark.Line), Column: max(1, e.Mark.Column)}, "", "not valid YAML: %s", e.Message)
		} else {
			d.fail(start, "", "not valid YAML: %v", err)
		}
		return nil
	}
	switch {
	case len(docs) == 0:
		d.fail(start, "", "the file is empty; it needs users or authorizers")
		return nil
	case len(docs) > 1:
		d.fail(&docs[1], "", "a second document begins; a case file is one document")
		return nil
	}
	root := &docs[0]
	if root.Kind == yaml.DocumentNode {
		root = root.Content[0]
	}
	return root
}

func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entries calls visit for each key of a mapping, in the file's order. allowed are the keys that there are; nil allows any.
func (d *decoder) entries(n *yaml.Node, path string, allowed []string, visit func(key string, k, v *yaml.Node)) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping, found %s", describe(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k, v := n.Content[i], follow(n.Content[i+1])
		switch line, twice := seen[k.Value]; {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			d.fail(k, path, "merge keys (<<) are not supported; write the keys out, or use an alias for the whole value")
		case k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str":
			d.fail(k, path, "a key must be a string, found %s; quote it", describe(k))
		case twice:
			d.fail(k, path, "key %q is given twice, first in line %d", k.Value, line)
		case allowed != nil && !slices.Contains(allowed, k.Value):
			d.fail(k, path, "unknown key %q%s; allowed are %s", k.Value, policy.DidYouMean(k.Value, allowed), quoted(allowed))
		default:
			seen[k.Value] = k.Line
			visit(k.Value, k, v)
		}
	}
}

func (d *decoder) text(n *yaml.Node, path string) string {
	if n = follow(n); n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		d.fail(n, path, "must be a string, found %s", describe(n))
	}
	return n.Value
}

func (d *decoder) flag(n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		d.fail(n, path, "must be true or false, found %s", describe(n))
	}
	return strings.EqualFold(n.Value, "true")
}

// day is the first moment of a day in UTC. It needs no quotes.
func (d *decoder) day(n *yaml.Node, path string) time.Time {
	day, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		d.fail(n, path, "must be a day in UTC, such as 2027-04-01, found %s", describe(n))
	}
	return day
}

func (d *decoder) items(n *yaml.Node, path string, visit func(path string, n *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "must be a list, found %s", describe(n))
		return
	}
	for i, item := range n.Content {
		visit(path+"["+strconv.Itoa(i)+"]", follow(item))
	}
}

// texts is a list of strings; empty, not nil, when there are none.
func (d *decoder) texts(n *yaml.Node, path string) []string {
	out := []string{}
	d.items(n, path, func(path string, n *yaml.Node) { out = append(out, d.text(n, path)) })
	return out
}

func (d *decoder) textMap(n *yaml.Node, path string) map[string]string {
	out := map[string]string{}
	d.entries(n, path, nil, func(key string, _, v *yaml.Node) { out[key] = d.text(v, child(path, key)) })
	return out
}

// object is a JSON object. Null is allowed below it, since a case may say that a claim is absent.
func (d *decoder) object(n *yaml.Node, path string) map[string]any {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping, found %s", describe(n))
		return nil
	}
	o, _ := d.json(n, path, 0).(map[string]any)
	return o
}

// json is the JSON value that a node stands for, numbers as json.Number.
func (d *decoder) json(n *yaml.Node, path string, depth int) any {
	n = follow(n)
	if d.values++; d.values == maxValues {
		d.fail(n, path, "the file has more than %d values, aliases followed", maxValues)
	}
	if depth == maxDepth {
		d.fail(n, path, "nested more than %d deep", maxDepth)
	}
	if d.values >= maxValues || depth >= maxDepth {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		d.entries(n, path, nil, func(key string, _, v *yaml.Node) { object[key] = d.json(v, child(path, key), depth+1) })
		return object
	case yaml.SequenceNode:
		list := []any{}
		d.items(n, path, func(path string, n *yaml.Node) { list = append(list, d.json(n, path, depth+1)) })
		return list
	}
	var v any
	if err := n.Load(&v); err != nil {
		d.fail(n, path, "cannot be read as a value: %v", err)
		return nil
	}
	switch v := v.(type) {
	case nil, bool:
		return v
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v))
	case float64:
		// YAML reads an integer of more than 64 bits as a float, which would lose digits.
		if whole := strings.Trim(n.Value, "+-0123456789") == ""; whole || math.IsInf(v, 0) || math.IsNaN(v) {
			d.fail(n, path, "%s is no number that a token carries", n.Value)
			return nil
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	default:
		return n.Value // strings, and dates without quotes
	}
}

// describe names what a node is.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!str":
		return "the string " + strconv.Quote(n.Value)
	default:
		return n.Value
	}
}
