package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"time"
)

var untilPattern = regexp.MustCompile(`(idTokens: *\{until: *)\d{4}-\d{2}-\d{2}`)

// withIDTokensUntil is a policy's text with another day on which ID tokens end.
func withIDTokensUntil(policy string, day time.Time) (string, error) {
	if n := len(untilPattern.FindAllString(policy, -1)); n != 1 {
		return "", fmt.Errorf("example-app/claims.yaml has %d lines like \"idTokens: {until: 2027-04-01\", want 1", n)
	}
	return untilPattern.ReplaceAllString(policy, "${1}"+day.Format(time.DateOnly)), nil
}

// writePolicy writes a copy of the example's policy with another day on which ID tokens end.
func (w *workspace) writePolicy(day time.Time) (file string, err error) {
	text, err := os.ReadFile(filepath.Join(w.root, "example-app", "claims.yaml"))
	if err != nil {
		return "", err
	}
	changed, err := withIDTokensUntil(string(text), day)
	if err != nil {
		return "", err
	}
	file = filepath.Join(w.dir, "claims-"+day.Format(time.DateOnly)+".yaml")
	return file, os.WriteFile(file, []byte(changed), 0o644)
}

// A template is as much of a CloudFormation template as says what a deployment does.
type template struct {
	Resources map[string]resource
	Outputs   any
}

type resource struct {
	Type       string
	Properties map[string]any
}

// newCode tells which functions get new code when one template takes the place of another. That anything else
// changes is an error, and so is that nothing does.
func newCode(before, after template) (functions []string, err error) {
	var errs []error
	if !reflect.DeepEqual(before.Outputs, after.Outputs) {
		errs = append(errs, errors.New("the redeployment changes outputs"))
	}
	for _, id := range slices.Sorted(maps.Keys(joined(before.Resources, after.Resources))) {
		was, is := before.Resources[id], after.Resources[id]
		if was.Type != is.Type {
			errs = append(errs, fmt.Errorf("the redeployment replaces %s", id))
			continue
		}
		for _, property := range slices.Sorted(maps.Keys(joined(was.Properties, is.Properties))) {
			switch {
			case reflect.DeepEqual(was.Properties[property], is.Properties[property]):
			case is.Type == "AWS::Lambda::Function" && property == "Code":
				functions = append(functions, id)
			default:
				errs = append(errs, fmt.Errorf("the redeployment changes %s of %s", property, id))
			}
		}
	}
	if len(functions) == 0 {
		errs = append(errs, errors.New("the redeployment changes no function's code"))
	}
	return functions, errors.Join(errs...)
}

// joined has the keys of both.
func joined[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// newCode tells which functions get new code when the app with the one day is deployed in place of that with the other.
func (w *workspace) newCode(before, after time.Time) ([]string, error) {
	var was, is template
	err := errors.Join(readJSON(w.template(before), &was), readJSON(w.template(after), &is))
	if err != nil {
		return nil, err
	}
	return newCode(was, is)
}

func (w *workspace) template(day time.Time) string {
	return filepath.Join(w.assembly(day), stackID+".template.json")
}
