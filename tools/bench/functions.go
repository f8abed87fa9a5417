package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/claimsmith/claimsmith/internal/gobuild"
	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

// The functions that are started as Lambda would start them.
const (
	authorizer     = "authorizer"
	claimsFunction = "claims"
	claimsLookup   = "claimslookup"
	bareGo         = "bare Go function"
	bareNode       = "bare Node function"
	nodeAuthorizer = "Node, aws-jwt-verify"
)

// deployed are the programs that Claimsmith deploys, folders below lambda. The last is that of policies with lookups, here run
// without one: what it has more is the AWS SDK.
var deployed = []string{authorizer, claimsFunction, claimsLookup}

// function is a program that Lambda would run.
type function struct {
	name    string
	command []string
	env     []string
	event   func(i int) []byte // the same event, each time with the next token
	check   func(answer []byte) error
}

// programs are Claimsmith's functions and the bare one by name, built as they are deployed.
func programs(arch string) (map[string]gobuild.File, error) {
	cache := filepath.Join(buildFolder, "functions")
	built, err := gobuild.Own(root, arch, deployed...).Build(cache)
	if err != nil {
		return nil, err
	}
	bare := gobuild.Own(".", arch)
	bare.Pkgs = []string{"./bare"}
	other, err := bare.Build(cache)
	if err != nil {
		return nil, err
	}
	built[bareGo] = other["bare"]
	return built, nil
}

// policyFiles are what lies beside a program.
func (w *world) policyFiles() (files []gobuild.File, err error) {
	contents, err := w.compiled.Files()
	for name, content := range contents {
		files = append(files, gobuild.NewFile(name, content, 0o644))
	}
	return files, err
}

// functions are all that can be run here, for this machine's architecture.
func (w *world) functions() ([]function, error) {
	built, err := programs(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	policy, err := w.policyFiles()
	if err != nil {
		return nil, err
	}
	pools, err := json.Marshal([]map[string]any{{"userPoolId": w.pool.ID, "clientIds": []string{w.pool.ClientID}}})
	if err != nil {
		return nil, err
	}
	env := []string{"AWS_ENDPOINT_URL=" + w.keys.URL, "CLAIMSMITH_AUTHORIZER=Documents", "CLAIMSMITH_USER_POOLS=" + string(pools), "CLAIMSMITH_TRIGGER_VERSION=V2_0",
		"CLAIMSMITH_LOOKUP_TABLES={}"}

	events := calls(apigwtest.HTTP2, w.tokens)
	nextCall := func(i int) []byte { return events[i%len(events)] }
	passes := func(answer []byte) error { return allowed(apigwtest.HTTP2, answer, nil) }
	signIn := func(int) []byte { return w.signIn }
	issues := func(answer []byte) error {
		if !strings.Contains(string(answer), `"compliance_level":"high"`) {
			return fmt.Errorf("no claims: %s", answer)
		}
		return nil
	}

	var list []function
	for _, name := range slices.Concat(deployed, []string{bareGo}) {
		folder := filepath.Join(buildFolder, "run", strings.ReplaceAll(name, " ", "-"))
		os.RemoveAll(folder)
		if err := gobuild.Unpack(folder, append(policy, built[name])...); err != nil {
			return nil, err
		}
		f := function{name: name, command: []string{filepath.Join(folder, gobuild.Bootstrap)}, env: env, event: nextCall, check: passes}
		if name != authorizer && name != bareGo {
			f.event, f.check = signIn, issues
		}
		list = append(list, f)
	}
	if w.node.missing == "" {
		script := func(name string) []string { return []string{w.node.program, filepath.Join(w.node.folder, name)} }
		list = append(list, function{bareNode, script("bare.mjs"), env, nextCall, passes}, function{nodeAuthorizer, script("authorizer.mjs"), env, nextCall, passes})
	}
	return list, nil
}

// sizes are those of the zip files that Lambda gets.
func (w *world) sizes(arch string) (map[string]int, error) {
	built, err := programs(arch)
	if err != nil {
		return nil, err
	}
	policy, err := w.policyFiles()
	if err != nil {
		return nil, err
	}
	sizes := map[string]int{}
	for name, program := range built {
		file, err := gobuild.WriteZip(filepath.Join(buildFolder, "zip"), strings.ReplaceAll(name, " ", "-"),
			append(policy, program))
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, errors.Join(err, os.Remove(file))
		}
		sizes[name] = int(info.Size())
	}
	return sizes, nil
}
