package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/claimsmith/claimsmith/lambda/internal/contract"
)

// schemaFile is the JSON Schema of the policy document, for editors. It is made from the Go types and their doc comments:
// go test ./lambda/policy -run Schema -update
const schemaFile = "policy.schema.json"

// schemaID names the schema. It is the file's address, so that an editor can be given the one or the other.
const schemaID = "https://raw.githubusercontent.com/claimsmith/claimsmith/main/lambda/policy/" + schemaFile

var update = flag.Bool("update", false, "rewrite "+schemaFile)

// It is not parallel, so that the tests below see what it writes.
func TestSchemaIsCurrent(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(newSchema(t).policy()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the types say; run go test ./lambda/policy -run Schema -update", schemaFile)
	}
}

// The docs tell editors an address, which must be the schema's.
func TestDocsNameTheSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil || !strings.Contains(string(text), "# yaml-language-server: $schema="+schemaID+"\n") {
		t.Errorf("docs/policy.md does not name %s (%v)", schemaID, err)
	}
}

// member and object are a JSON object that keeps its order, which is the one in which editors offer the keys.
type (
	member struct {
		key   string
		value any
	}
	object []member
)

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(m.key) + ":")
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// set replaces the value of a member.
func (o object) set(key string, value any) {
	i := slices.IndexFunc(o, func(m member) bool { return m.key == key })
	o[i].value = value
}

type list = []any

func definition(name string) object { return object{{"$ref", "#/$defs/" + name}} }

// schema makes the schema. What a type alone does not say is in the methods below, next to the rule of the compiler that
// it mirrors; what depends on other parts of the document, and the expressions, are left to the compiler.
type schema struct {
	docs      map[string]string   // doc comments: of a type by its name, of a field by Type.Field, of a constant by Type.value
	constants map[string]string   // their values, by Go name
	enums     map[string][]string // the values of a type's constants
}

func newSchema(t *testing.T) schema {
	t.Helper()
	s := schema{docs: map[string]string{}, constants: map[string]string{}, enums: map[string][]string{}}
	s.constants["DefaultTokenBudget"] = strconv.Itoa(DefaultTokenBudget)
	file, err := parser.ParseFile(token.NewFileSet(), "document.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		decl, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.docs[spec.Name.Name] = decl.Doc.Text()
				if st, ok := spec.Type.(*ast.StructType); ok {
					for _, f := range st.Fields.List {
						s.docs[spec.Name.Name+"."+f.Names[0].Name] = f.Doc.Text()
					}
				}
			case *ast.ValueSpec:
				ident, ok := spec.Type.(*ast.Ident)
				if !ok {
					continue // not one of an enumeration
				}
				typ := ident.Name
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				s.enums[typ] = append(s.enums[typ], value)
				s.constants[spec.Names[0].Name] = strconv.Quote(value)
				s.docs[typ+"."+value] = spec.Comment.Text()
			}
		}
	}
	return s
}

func (s schema) policy() object {
	t := reflect.TypeFor[Policy]()
	purpose, _, _ := strings.Cut(s.text(t, s.docs["Policy"]), ". ") // the rest is about Go
	out := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", schemaID},
		{"title", "Claimsmith policy"},
		{"description", purpose + "."},
	}
	out = append(out, s.structure(t)[1:]...)
	return append(out, member{"$defs", object{
		{"Claim", s.claim(false)},
		{"NestedClaim", s.claim(true)},
		{"Lookup", s.lookup()},
		{"Fallback", s.fallback()},
		{"Type", s.declaredType()},
		{"Suppression", s.structure(reflect.TypeFor[Suppression]())},
		{"Scope", s.scope()},
		{"Authorizer", s.structure(reflect.TypeFor[Authorizer]())},
		{"Rule", s.structure(reflect.TypeFor[Rule]())},
		{"Literal", object{
			{"description", s.text(reflect.TypeFor[Claim](), s.docs["Claim.Value"])},
			{"anyOf", list{definition("Scalar"), object{{"type", "array"}, {"items", definition("Scalar")}}, object{{"type", "object"}, {"additionalProperties", definition("Literal")}}}},
		}},
		{"Scalar", object{{"type", list{"string", "number", "boolean"}}}},
	}})
}

// structure is the schema of a struct: its keys, and nothing else.
func (s schema) structure(t reflect.Type) object {
	properties, required := object{}, list{}
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		properties = append(properties, member{key(f), s.property(t, f)})
		if !strings.Contains(f.Tag.Get("json"), ",") {
			required = append(required, key(f))
		}
	}
	out := object{
		{"description", s.text(t, s.docs[t.Name()])},
		{"type", "object"},
		{"additionalProperties", false},
		{"properties", properties},
	}
	if len(required) > 0 {
		out = append(out, member{"required", required})
	}
	switch t {
	case reflect.TypeFor[Groups]():
		out = append(out, member{"dependentRequired", object{{"when", list{"expr"}}}})
	case reflect.TypeFor[Authorizer]():
		// One without any rule would refuse every request.
		out = append(out, member{"anyOf", list{
			object{{"required", list{"default"}}, {"properties", object{{"default", object{{"minItems", 1}}}}}},
			object{{"required", list{"routes"}}, {"properties", object{{"routes", object{{"minProperties", 1}}}}}},
		}})
	}
	return out
}

// key is a field's key in the document.
func key(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// property is the schema of one field.
func (s schema) property(t reflect.Type, f reflect.StructField) object {
	description := s.text(t, s.docs[t.Name()+"."+f.Name])
	for _, value := range s.enums[f.Type.Name()] {
		if meaning := s.docs[f.Type.Name()+"."+value]; meaning != "" {
			description += "\n" + value + ": " + strings.TrimSpace(meaning)
		}
	}
	out := object{{"description", description}}
	where := t.Name() + "." + key(f)
	if where == "Claim.claims" {
		return append(out, s.claims(true)...)
	}
	out = append(out, s.value(f.Type)...)
	switch where {
	case "Policy.params":
		out = append(out, member{"uniqueItems", true})
		out.set("items", object{{"type", "string"}, {"pattern", paramName.String()}})
	case "Policy.lookups":
		out = append(out, member{"propertyNames", object{{"pattern", paramName.String()}}})
	case "Lookup.table":
		out = append(out, member{"pattern", paramName.String()})
	case "Lookup.key":
		out = append(out, member{"propertyNames", object{{"minLength", 1}}}, member{"minProperties", 1}, member{"maxProperties", 2})
	case "Lookup.index":
		out = append(out, member{"pattern", indexName.String()})
	case "Lookup.limit":
		out = append(out, member{"minimum", 1}, member{"maximum", maxRows})
	case "Lookup.cacheSeconds":
		out = append(out, member{"minimum", 1}, member{"maximum", maxCacheSeconds})
	case "Lookup.type":
		out = append(out, member{"type", "object"}, member{"minProperties", 1})
	case "Fallback.default":
		row := object{{"type", "object"}, {"additionalProperties", definition("Literal")}}
		out = append(out[:1], member{"anyOf", list{row, object{{"type", "array"}, {"items", row}}}})
	case "Policy.resourceServers":
		out = append(out, member{"propertyNames", object{{"pattern", serverIdentifier.String()}}})
		out.set("additionalProperties", object{{"type", "object"}, {"minProperties", 1}, {"maxProperties", maxServerScopes},
			{"propertyNames", object{{"pattern", serverScope.String()}}},
			{"additionalProperties", append(s.value(f.Type.Elem().Elem()), member{"maxLength", maxDescription})}})
	case "Policy.claims":
		out = append(out[:1], s.claims(false)...)
	case "Policy.tokenBudget":
		out = append(out, member{"minimum", contract.TokenSize(contract.CognitoPayload)})
	case "Policy.authorizers":
		out = append(out, member{"propertyNames", object{{"pattern", authorizerName.String()}}})
	case "Authorizer.routes":
		out = append(out, member{"propertyNames", object{{"pattern", routeKey.String()}}})
		out.set("additionalProperties", append(s.value(f.Type.Elem()), member{"minItems", 1}))
	case "Claim.code":
		out = append(out, member{"const", true})
	case "Suppression.claim":
		out = append(out, refusedNames(func(name string, token Token) string { return contract.RefuseSuppression(name, contract.Token(token)) })...)
	case "Scope.scope":
		out = append(out, member{"pattern", `^\S+$`})
	}
	return out
}

// value is the schema of a type, as far as the type says it.
func (s schema) value(t reflect.Type) object {
	if enum := s.enums[t.Name()]; enum != nil {
		return object{{"enum", enum}}
	}
	switch t {
	case reflect.TypeFor[Claim](), reflect.TypeFor[Lookup](), reflect.TypeFor[Fallback](), reflect.TypeFor[Type](), reflect.TypeFor[Suppression](), reflect.TypeFor[Scope](), reflect.TypeFor[Authorizer](), reflect.TypeFor[Rule]():
		return definition(t.Name())
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.structure(t)[1:] // the field's own description says more
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", s.value(t.Elem())}}
	case reflect.Slice:
		out := object{{"type", "array"}, {"items", s.value(t.Elem())}}
		if t.Elem() == reflect.TypeFor[Token]() {
			out = append(out, member{"minItems", 1})
		}
		return out
	case reflect.String:
		return object{{"type", "string"}, {"minLength", 1}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int:
		return object{{"type", "integer"}}
	case reflect.Interface:
		return definition("Literal")
	default:
		panic("policy documents have no " + t.Kind().String())
	}
}

// claims is the schema of a mapping of claims. A name that neither token can have is refused.
func (s schema) claims(nested bool) object {
	if nested {
		return object{{"type", "object"}, {"minProperties", 1}, {"propertyNames", object{{"minLength", 1}}}, {"additionalProperties", definition("NestedClaim")}}
	}
	names := refusedNames(func(name string, token Token) string { return refuseClaim(name, Claim{Expr: "client.id"}, token) })
	return object{{"type", "object"}, {"propertyNames", names}, {"additionalProperties", definition("Claim")}}
}

// refusedNames matches the names that are refused in both tokens.
func refusedNames(refuse func(name string, token Token) string) object {
	names := slices.Concat(contract.Protected[contract.AccessToken], contract.Protected[contract.IDToken], []string{"scope", "cognito:roles", "cognito:preferred_role"})
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return refuse(name, AccessToken) == "" || refuse(name, IDToken) == ""
	})
	not := list{object{{"enum", names}}}
	for _, prefix := range []string{"cognito:", "dev:"} {
		if refuse(prefix+"x", AccessToken) != "" && refuse(prefix+"x", IDToken) != "" {
			not = append(not, object{{"pattern", "^" + prefix}})
		}
	}
	refused := object{{"anyOf", not}}
	if refuse("cognito:groups", IDToken) == "" {
		refused = append(refused, member{"not", object{{"const", "cognito:groups"}}})
	}
	return object{{"minLength", 1}, {"not", refused}}
}

// claim is the schema of a claim: in full, or as the shorthand for nested claims, told apart as isGroup does.
func (s schema) claim(nested bool) object {
	full := s.structure(reflect.TypeFor[Claim]())
	for i := range full {
		if full[i].key == "properties" && nested {
			full[i].value = slices.DeleteFunc(full[i].value.(object), func(m member) bool { return m.key == "tokens" || m.key == "code" })
		}
	}
	var sources list
	for _, source := range claimSources {
		if source != "code" || !nested {
			sources = append(sources, object{{"required", list{source}}})
		}
	}
	constant := func(key string, value any) object {
		return object{{"required", list{key}}, {"properties", object{{key, object{{"const", value}}}}}}
	}
	full = append(full,
		member{"oneOf", sources},
		member{"dependentRequired", object{{"as", list{"attribute"}}, {"code", list{"type"}}}},
		member{"dependentSchemas", object{{"type", object{{"anyOf", list{object{{"required", list{"expr"}}}, constant("as", AsJSON), constant("code", true)}}}}}},
		member{"not", object{{"anyOf", list{
			object{{"allOf", list{constant("required", true), constant("onError", Omit)}}},
			object{{"required", list{"code", "when"}}},
			object{{"required", list{"code", "onError"}}},
		}}}},
	)
	return object{
		full[0],
		{"if", object{
			{"type", "object"},
			{"minProperties", 1},
			{"propertyNames", object{{"not", object{{"enum", claimSources}}}}},
			{"additionalProperties", object{{"type", "object"}}},
		}},
		{"then", s.claims(true)},
		{"else", full[1:]},
	}
}

// scope is the schema of a scope: a mapping, or the name alone.
func (s schema) scope() object {
	full := s.structure(reflect.TypeFor[Scope]())
	f, _ := reflect.TypeFor[Scope]().FieldByName("Scope")
	return object{full[0], {"anyOf", list{s.property(reflect.TypeFor[Scope](), f)[1:], full[1:]}}}
}

// lookup is the schema of a lookup.
func (s schema) lookup() object {
	return append(s.structure(reflect.TypeFor[Lookup]()),
		member{"dependentRequired", object{{"index", list{"limit"}}}},
		member{"not", object{{"required", list{"index", "consistent"}}, {"properties", object{{"consistent", object{{"const", true}}}}}}},
	)
}

// fallback is the schema of a fallback: a mapping, or the action alone.
func (s schema) fallback() object {
	full := append(s.structure(reflect.TypeFor[Fallback]()), member{"maxProperties", 1})
	return object{full[0], {"anyOf", list{s.value(reflect.TypeFor[OnError]()), full[1:]}}}
}

// declaredType is the schema of a declared type. No pattern can count parentheses, so that map(map(… is not bounded.
func (s schema) declaredType() object {
	names := strings.NewReplacer("Name is", "A name is", "a Name", "a name", "Fields are", "A mapping gives")
	scalars := []string{"string", "bool", "int", "double", "any"}
	one := "(" + strings.Join(scalars, "|") + ")"
	return object{
		{"description", s.text(reflect.TypeFor[Type](), names.Replace(s.docs["Type.Name"]+s.docs["Type.Fields"]))},
		{"anyOf", list{
			object{{"enum", scalars}},
			object{{"type", "string"}, {"pattern", `^(map\()*(list\(` + one + `\)|` + one + `)\)*$`}},
			object{{"type", "object"}, {"additionalProperties", definition("Type")}},
		}},
	}
}

var docLink = regexp.MustCompile(`\[([A-Z][A-Za-z.]*|program\.[A-Za-z.]+)\]`)

// text is the doc comment of a type, or of a field of it, for those who write the document: its keys instead of Go's
// names, values instead of links to constants, and each paragraph on one line.
func (s schema) text(t reflect.Type, doc string) string {
	doc = strings.NewReplacer("Default: ", "If left out: ", "map[string]any", "mapping").Replace(doc)
	doc = docLink.ReplaceAllStringFunc(doc, func(link string) string {
		name := strings.Trim(link, "[]")
		field, isField := strings.CutPrefix(name, "Claim.")
		switch {
		case isField:
			f, _ := reflect.TypeFor[Claim]().FieldByName(field)
			return "`" + key(f) + "`"
		case s.constants[name] != "":
			return s.constants[name]
		default:
			return "docs/policy.md"
		}
	})
	for f := range t.Fields() {
		if key := key(f); key != "" {
			doc = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(doc, "`"+key+"`")
		}
	}
	paragraphs := strings.Split(strings.TrimSpace(doc), "\n\n")
	for i := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(paragraphs[i]), " ")
	}
	return strings.Join(paragraphs, "\n")
}

// verdicts holds documents against the schema with a validator from the module of tools, and says what is wrong with
// each. A schema that is itself not valid fails the test.
func verdicts(t *testing.T, documents []string) []string {
	t.Helper()
	validator := filepath.Join(t.TempDir(), "schema")
	if out, err := exec.Command("go", "-C", "../../tools", "build", "-o", validator, "./schema").CombinedOutput(); err != nil {
		t.Fatalf("building the validator: %v\n%s", err, out)
	}
	var in bytes.Buffer
	for _, text := range documents {
		var document any
		if err := yaml.Load([]byte(text), &document); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if err := json.NewEncoder(&in).Encode(document); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	run := exec.Command(validator, schemaFile)
	var stderr bytes.Buffer
	run.Stdin, run.Stderr = &in, &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		var verdict string
		if err := json.Unmarshal([]byte(line), &verdict); err != nil {
			t.Fatal(err)
		}
		got = append(got, verdict)
	}
	if len(got) != len(documents) {
		t.Fatalf("%d verdicts on %d documents", len(got), len(documents))
	}
	return got
}

func compiles(text string) error {
	p, err := Parse("p.yaml", []byte(text))
	if err == nil {
		_, err = Compile(p)
	}
	return err
}

// Whatever compiles is valid to an editor: every policy in the tests of this package, in its test data, in the
// docs and in the example app.
func TestSchemaAcceptsWhatCompiles(t *testing.T) {
	t.Parallel()
	documents := []string{"claims: {aud: {expr: client.id}}", "claims: {username: {value: x, tokens: [id]}}", "suppress: [{claim: 'cognito:groups'}]"}
	for _, pattern := range []string{"testdata/*.yaml", "../../example-app/*.yaml", "../../construct/testdata/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if compiles(string(text)) == nil {
				documents = append(documents, string(text))
			}
		}
	}
	for _, page := range []string{"policy.md", "cookbook.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			if compiles(m[1]) == nil {
				documents = append(documents, m[1])
			}
		}
	}
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					// Some tests give a part of a policy.
					for _, key := range []string{"", "claims: ", "groups: ", "authorizers: {A: {default: [{rule: 'true'}]}}\nclaims: "} {
						if compiles(key+text) == nil {
							documents = append(documents, key+text)
						}
					}
				}
			}
			return true
		})
	}
	if len(documents) < 150 {
		t.Fatalf("found only %d policies", len(documents))
	}
	for i, verdict := range verdicts(t, documents) {
		if verdict != "" {
			t.Errorf("%s\n%s", verdict, documents[i])
		}
	}
}

// What an editor complains of does not compile either, and it complains of everything that has to do with keys, types and
// fixed values.
func TestSchemaRefusesBrokenDocuments(t *testing.T) {
	t.Parallel()
	documents := []string{
		"[]",
		"claims: []",
		"clams: {}",
		"$schema: x",
		"params: stage",
		"params: [1x]",
		"params: [a, a]",
		"params: [1]",
		"tokenBudget: 8k",
		"tokenBudget: 2000.5",
		"tokenBudget: 100",
		"claims: {a: 3}",
		"claims: {a: {}}",
		"claims: {a: {required: true}}",
		"claims: {a: {value: 1, expr: '2'}}",
		"claims: {a: {value: 1, attribute: x}}",
		"claims: {a: {atribute: x}}",
		"claims: {a: {value: null}}",
		"claims: {a: {value: [[1]]}}",
		"claims: {a: {value: [{b: 1}]}}",
		"claims: {a: {value: {b: [null]}}}",
		"claims: {a: {attribute: 1}}",
		"claims: {a: {attribute: x, as: split}}",
		"claims: {a: {value: 1, as: int}}",
		"claims: {a: {expr: [x]}}",
		"claims: {a: {expr: ''}}",
		"claims: {a: {value: 1, when: true}}",
		"claims: {a: {value: 1, required: 'yes'}}",
		"claims: {a: {value: 1, onError: ommit}}",
		"claims: {a: {value: 1, onError: omit, required: true}}",
		"claims: {a: {value: 1, tokens: access}}",
		"claims: {a: {value: 1, tokens: []}}",
		"claims: {a: {value: 1, tokens: [refresh]}}",
		"claims: {a: {expr: x, type: sting}}",
		"claims: {a: {expr: x, type: 'list(list(int))'}}",
		"claims: {a: {expr: x, type: {b: 3}}}",
		"claims: {a: {value: 1, type: int}}",
		"claims: {a: {attribute: x, type: int}}",
		"claims: {a: {attribute: x, as: int, type: int}}",
		"claims: {a: {claims: {}}}",
		"claims: {a: {claims: {b: 1}}}",
		"claims: {a: {claims: {b: {value: 1, tokens: [id]}}}}",
		"claims: {a: {b: {value: 1, tokens: [id]}}}",
		"claims: {a: {b: {c: {vlue: 1}}}}",
		"claims: {a: {when: 'true', b: {value: 1}}}",
		"claims: {'': {value: 1}}",
		"claims: {a: {'': {value: 1}}}",
		"claims: {sub: {value: 1}}",
		"claims: {exp: {value: 1, tokens: [id]}}",
		"claims: {'cognito:groups': {value: 1}}",
		"claims: {'cognito:x': {value: 1}}",
		"claims: {'dev:x': {value: 1}}",
		"claims: {scope: {value: 1}}",
		"suppress: [email]",
		"suppress: [{tokens: [id]}]",
		"suppress: [{claim: sub, tokens: [id]}]",
		"suppress: [{claim: scope}]",
		"suppress: [{claim: 'cognito:roles', tokens: [id]}]",
		"suppress: [{claim: 'cognito:x', tokens: [id]}]",
		"suppress: [{claim: email, tokens: []}]",
		"scopes: [a]",
		"scopes: {ad: [a]}",
		"scopes: {add: a}",
		"scopes: {add: [1]}",
		"scopes: {add: ['a b']}",
		"scopes: {add: ['']}",
		"scopes: {add: [{scope: 'a b'}]}",
		"scopes: {add: [{when: 'true'}]}",
		"scopes: {suppress: [{scope: a, wen: 'true'}]}",
		"lookups: [a]",
		"lookups: {a: {}}",
		"lookups: {'a-b': {table: t, key: {k: user.name}, type: {x: int}}}",
		"lookups: {a: {table: 't-1', key: {k: user.name}, type: {x: int}}}",
		"lookups: {a: {table: t, key: {}, type: {x: int}}}",
		"lookups: {a: {table: t, key: {'': user.name}, type: {x: int}}}",
		"lookups: {a: {table: t, key: {k: 1}, type: {x: int}}}",
		"lookups: {a: {table: t, key: {k: user.name, l: user.name, m: user.name}, type: {x: int}}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: int}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {}}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, limit: 0}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, limit: 101}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, index: by-x}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, index: 'by x', limit: 1}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, index: by-x, limit: 1, consistent: true}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, onMissing: omitted}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, onError: {action: omit, default: {x: 1}}}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, onError: {default: 1}}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, onError: {defualt: {x: 1}}}}",
		"lookups: {a: {table: t, key: {k: user.name}, type: {x: int}, cacheSeconds: 901}}",
		"claims: {a: {code: true}}",
		"claims: {a: {code: true, value: 1, type: int}}",
		"claims: {a: {code: true, type: int, when: 'true'}}",
		"claims: {a: {code: true, type: int, onError: omit}}",
		"claims: {a: {b: {code: true, type: int}}}",
		"resourceServers: {'a b': {read: Read}}",
		"resourceServers: {a: {}}",
		"resourceServers: {a: {'b/c': Read}}",
		"resourceServers: {a: {b: ''}}",
		"resourceServers: {a: [b]}",
		"groups: [a]",
		"groups: {when: 'true'}",
		"authorizers: {'my api': {default: [{rule: 'true'}]}}",
		"authorizers: {A: {}}",
		"authorizers: {A: {default: []}}",
		"authorizers: {A: {context: [sub]}}",
		"authorizers: {A: {default: {rule: 'true'}}}",
		"authorizers: {A: {default: ['true']}}",
		"authorizers: {A: {default: [{message: x}]}}",
		"authorizers: {A: {default: [{rule: true}]}}",
		"authorizers: {A: {default: [{rule: ''}]}}",
		"authorizers: {A: {default: [{rule: 'true', mesage: x}]}}",
		"authorizers: {A: {routes: {}}}",
		"authorizers: {A: {routes: {'GET /x': []}}}",
		"authorizers: {A: {routes: {'get /x': [{rule: 'true'}]}}}",
		"authorizers: {A: {routes: {'/x': [{rule: 'true'}]}}}",
		"authorizers: {A: {routes: {'GET x': [{rule: 'true'}]}}}",
		"authorizers: {A: {default: [{rule: 'true'}], context: sub}}",
	}
	for i, verdict := range verdicts(t, documents) {
		if verdict == "" {
			t.Errorf("the schema accepts %s", documents[i])
		}
		if compiles(documents[i]) == nil {
			t.Errorf("what the schema refuses compiles: %s", documents[i])
		}
	}
}
