// Command synth is make bench-synth: what it costs to synthesize the example app, against the same resources made with CDK
// alone, when the functions have not changed since the last synth. Both run in turn, so that what else the machine does
// falls on both.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const target = 1.3

func main() {
	pairs := flag.Int("n", 7, "how often each app is synthesized")
	flag.Parse()
	if err := run(*pairs); err != nil {
		fmt.Fprintln(os.Stderr, "bench-synth:", err)
		os.Exit(1)
	}
}

// An app is one that has been built, and the folder that its cloud assembly goes to each time.
type app struct {
	program, out string
	env          []string
}

// run expects the working directory to be tools/bench.
func run(pairs int) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-synth-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	context, err := cdkContext(filepath.Join(root, "cdk.json"))
	if err != nil {
		return err
	}
	example, err := build(root, "./example-app", dir, "example", context)
	if err != nil {
		return err
	}
	bare, err := build(".", "./synth/bare", dir, "bare", context)
	if err != nil {
		return err
	}

	// The first synth has work that the next one is spared.
	first, err := example.synth(root)
	if err != nil {
		return err
	}
	code, err := example.code()
	if err != nil {
		return err
	}
	bare.env = append(bare.env, "CODE="+code)
	if _, err := bare.synth(root); err != nil {
		return err
	}
	if err := sameResources(example, bare); err != nil {
		return err
	}

	var with, without, ratios []float64
	for range pairs {
		a, err := example.synth(root)
		if err != nil {
			return err
		}
		b, err := bare.synth(root)
		if err != nil {
			return err
		}
		with, without, ratios = append(with, a.Seconds()), append(without, b.Seconds()), append(ratios, a.Seconds()/b.Seconds())
	}
	fmt.Printf("first synth of the example            %6.2f s\n", first.Seconds())
	fmt.Printf("example, functions unchanged          %s\n", spread(with, " s"))
	fmt.Printf("the same resources with CDK alone     %s\n", spread(without, " s"))
	fmt.Printf("ratio of a pair                       %s\n", spread(ratios, ""))
	if ratio := median(ratios); ratio > target {
		return fmt.Errorf("synthesizing the example takes %.2f times as long as CDK alone; the target is %.1f", ratio, target)
	}
	return nil
}

func spread(values []float64, unit string) string {
	return fmt.Sprintf("%6.2f%s (%.2f to %.2f, %d runs)", median(values), unit, slices.Min(values), slices.Max(values), len(values))
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

func cdkContext(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var config struct{ Context json.RawMessage }
	err = json.Unmarshal(data, &config)
	return string(config.Context), err
}

func build(in, pkg, dir, name, context string) (app, error) {
	a := app{program: filepath.Join(dir, name), out: filepath.Join(dir, name+".out")}
	a.env = append(os.Environ(), "CDK_OUTDIR="+a.out, "CDK_CONTEXT_JSON="+context)
	cmd := exec.Command("go", "build", "-o", a.program, pkg)
	cmd.Dir = in
	if out, err := cmd.CombinedOutput(); err != nil {
		return a, fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return a, nil
}

// synth runs the app in the folder that its files are in and returns how long it took.
func (a app) synth(dir string) (time.Duration, error) {
	cmd := exec.Command(a.program)
	cmd.Dir, cmd.Env = dir, a.env
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", filepath.Base(a.program), err, out)
	}
	return time.Since(start), nil
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
