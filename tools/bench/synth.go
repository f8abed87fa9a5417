package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const seconds = "s"

// An app is one that has been built, and the folder that its cloud assembly goes to each time.
type app struct {
	program, out string
	env          []string
}

// synth measures what it costs to synthesize the example app, against the same resources made with CDK alone, when the
// functions have not changed since the last synth.
func synth(_ context.Context, w *world) (section, error) {
	dir, err := os.MkdirTemp("", "bench-synth-")
	if err != nil {
		return section{}, err
	}
	defer os.RemoveAll(dir)
	example, err := build(".", "./example-app", filepath.Join(dir, "example"))
	if err != nil {
		return section{}, err
	}
	bare, err := build("tools/bench", "./synth/bare", filepath.Join(dir, "bare"))
	if err != nil {
		return section{}, err
	}

	// The first synth has work that the next one is spared.
	first, err := example.synth()
	if err != nil {
		return section{}, err
	}
	code, err := example.code()
	if err != nil {
		return section{}, err
	}
	bare.env = append(bare.env, "CODE="+code)
	if _, err := bare.synth(); err != nil {
		return section{}, err
	}
	if err := sameResources(example, bare); err != nil {
		return section{}, err
	}

	const with, without = "the example, functions unchanged", "the same resources with CDK alone"
	r, err := compete(min(w.rounds, 5), contestant{with, example.synth}, contestant{without, bare.synth})
	if err != nil {
		return section{}, err
	}
	s := section{
		title:   "Synthesizing",
		short:   fmt.Sprintf("Synthesizing the example takes %.2f s; the same resources with CDK alone, %.2f s.", r.median(with, seconds), r.median(without, seconds)),
		text:    "What `cdk synth` runs, without the CDK CLI and without compiling the app: two authorizers, a claim function, a table, a backend, three APIs.",
		header:  []string{"", "median", "slowest", "× CDK alone"},
		rows:    [][]string{{"the first synth of the example", fmt.Sprintf("%.2f s", first[seconds])}},
		targets: []target{atMost("synthesizing the example, functions unchanged", r.ratio(with, without, seconds), 1.3, "%.2f × CDK alone")},
	}
	for _, name := range []string{with, without} {
		s.rows = append(s.rows, []string{name, fmt.Sprintf("%.2f s", r.median(name, seconds)), fmt.Sprintf("%.2f s", r.highest(name, seconds)),
			fmt.Sprintf("%.2f", r.ratio(name, without, seconds))})
	}
	return s, nil
}

// build builds an app in the folder, below the checkout, of its module.
func build(module, pkg, program string) (app, error) {
	cmd := exec.Command("go", "build", "-o", program, pkg)
	cmd.Dir = filepath.Join(root, module)
	if out, err := cmd.CombinedOutput(); err != nil {
		return app{}, fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	data, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return app{}, err
	}
	var config struct{ Context json.RawMessage }
	err = json.Unmarshal(data, &config)
	a := app{program: program, out: program + ".out"}
	a.env = append(os.Environ(), "CDK_OUTDIR="+a.out, "CDK_CONTEXT_JSON="+string(config.Context))
	return a, err
}

// synth runs the app in the folder that its files are in.
func (a app) synth() (sample, error) {
	cmd := exec.Command(a.program)
	cmd.Dir, cmd.Env = root, a.env
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(a.program), err, out)
	}
	return sample{seconds: time.Since(start).Seconds()}, nil
}

// code is the list of the claim function's zip, the authorizer's and the backend's.
func (a app) code() (string, error) {
	var list []string
	var errs []error
	for _, label := range []string{"claimslookup", "authorizer", "backend"} {
		found, err := filepath.Glob(filepath.Join(a.out, "claimsmith", label+"-*.zip"))
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("found %q for %s, want one zip", found, label)
		}
		list, errs = append(list, found...), append(errs, err)
	}
	return strings.Join(list, string(os.PathListSeparator)), errors.Join(errs...)
}

// sameResources fails when the comparison would be between different things.
func sameResources(a, b app) error {
	counts := func(a app) (map[string]int, error) {
		data, err := os.ReadFile(filepath.Join(a.out, "Documents.template.json"))
		if err != nil {
			return nil, err
		}
		var template struct {
			Resources map[string]struct{ Type string }
		}
		count := map[string]int{}
		err = json.Unmarshal(data, &template)
		for _, r := range template.Resources {
			count[r.Type]++
		}
		return count, err
	}
	in, err := counts(a)
	if err != nil {
		return err
	}
	of, err := counts(b)
	if err == nil && !maps.Equal(in, of) {
		err = fmt.Errorf("the example has the resources\n\t%v\nand the bare app\n\t%v\nmake them the same in tools/bench/synth/bare", in, of)
	}
	return err
}
