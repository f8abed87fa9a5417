package construct

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/claimsmith/claimsmith/internal/gobuild"
	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// PolicySource is where a [TokenClaims] has its policy from: [PolicyFile] or [PolicyValue].
type PolicySource interface {
	// read returns the policy and the name to call it by in messages.
	read() (p *policy.Policy, name string, err error)
}

// PolicyFile is the policy in a YAML file. The path is relative to the working directory of synth, which is the folder
// of cdk.json under the CDK CLI and the package's folder under go test. The file is read when the construct is created;
// a file that cannot be read or parsed fails synth as any other problem of the policy does.
func PolicyFile(path string) PolicySource { return policyFile(path) }

// PolicyValue is a policy written in Go. It must not be changed afterwards.
func PolicyValue(p policy.Policy) PolicySource { return policyValue{&p} }

type policyFile string

func (f policyFile) read() (*policy.Policy, string, error) {
	path := string(f)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, path, unreadable(path, err)
	}
	p, err := policy.Parse(path, data)
	return p, path, err
}

// unreadable tells where the file was looked for, since a relative path means different files in different folders.
func unreadable(path string, err error) error {
	absolute, absErr := filepath.Abs(path)
	if path == "" || absErr != nil {
		return fmt.Errorf(`policy file %q: not a path; name the file, as in construct.PolicyFile("claims.yaml")`, path)
	}
	if reason := (*fs.PathError)(nil); errors.As(err, &reason) {
		err = reason.Err
	}
	working, _ := os.Getwd()
	return fmt.Errorf("policy file %q: tried %s: %w (working directory %s); the path is relative to the folder in which synth runs",
		path, absolute, err, working)
}

type policyValue struct{ policy *policy.Policy }

func (v policyValue) read() (*policy.Policy, string, error) { return v.policy, "the policy", nil }

// loadedPolicy is a policy that was read and compiled, or what is wrong with it. Its methods work in either case, so
// that the construct can be completed and everything be reported at once.
type loadedPolicy struct {
	name     string
	program  *policy.Compiled // nil when there are problems
	problems []string
}

func load(source PolicySource) loadedPolicy {
	document, name, err := source.read()
	l := loadedPolicy{name: name}
	if err == nil {
		l.program, err = policy.Compile(document)
	}
	if err != nil {
		l.program = nil
		l.problems = messages(err)
	}
	return l
}

// messages is one text per problem in err.
func messages(err error) []string {
	var problems policy.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return []string{err.Error()}
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	return texts
}

func (l loadedPolicy) warnings() []policy.Problem {
	if l.program == nil {
		return nil
	}
	return l.program.Warnings()
}

// files are what is shipped beside the functions' binaries. A policy with problems is shipped nowhere.
func (l loadedPolicy) files() []gobuild.File {
	if l.program == nil {
		return []gobuild.File{gobuild.NewFile(program.File, []byte("{}"), 0o644)}
	}
	contents, err := l.program.Files()
	if err != nil {
		panic(fmt.Errorf("construct: internal error: cannot encode the compiled policy: %w", err))
	}
	var files []gobuild.File
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		files = append(files, gobuild.NewFile(name, contents[name], 0o644))
	}
	return files
}

// attributes are the user attributes that the policy reads.
func (l loadedPolicy) attributes() []string {
	if l.program == nil {
		return nil
	}
	return l.program.Attributes()
}
