// Command bench is make bench: it measures, in one run, what Claimsmith costs beside the floor that nobody gets below and
// beside others who do the same, and writes docs/performance.md. It has a module of its own, so that the others are no
// requirements of Claimsmith:
//
//	go -C tools/bench run . [-only part] [-rounds n] [-write=false]
//
// Everything that is compared takes turns for several rounds (measure.go), and nobody is measured who does not refuse a bad
// token (peers.go). A target that is missed is told and is no failure.
//
// A measurement is a function in a file of its own that returns a section of the report; adding one is adding it to parts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The working directory is tools/bench.
var (
	root        = must(filepath.Abs("../.."))
	document    = filepath.Join(root, "docs", "performance.md")
	buildFolder = filepath.Join(root, "build", "bench")
)

// benchtime is how long an operation is measured in a round.
const benchtime = 100 * time.Millisecond

var parts = []struct {
	name    string
	measure func(context.Context, *world) (section, error)
}{
	{"decide", decide},
	{"mint", minting},
	{"start", starts},
	{"load", load},
	{"growth", growth},
	{"size", tokenSize},
	{"synth", synth},
}

func main() {
	testing.Init()
	only := flag.String("only", "", "the parts to measure, separated by commas")
	rounds := flag.Int("rounds", 9, "how often everything is measured")
	write := flag.Bool("write", true, "write docs/performance.md; never done with -only")
	flag.Parse()
	if runtime.GOOS != "linux" {
		fmt.Println("bench: skipped, since it reads /proc and so runs on Linux only")
		return
	}
	if err := run(*only, *rounds, *write && *only == ""); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(only string, rounds int, write bool) error {
	if err := flag.Set("test.benchtime", benchtime.String()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := newWorld(rounds)
	if err != nil {
		return err
	}
	defer w.close()
	start := time.Now()
	r := &report{rounds: rounds, machine: machine(w.node)}
	for _, part := range parts {
		if only != "" && !strings.Contains(","+only+",", ","+part.name+",") {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", part.name)
		s, err := part.measure(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		r.sections = append(r.sections, s)
	}
	if len(r.sections) == 0 {
		return errors.New("no part has that name")
	}
	r.print(os.Stdout, "")
	if write {
		if err := r.write(document); err != nil {
			return err
		}
		fmt.Printf("\nwrote %s\n", document)
	}
	fmt.Printf("\nbench: %.0f s\n", time.Since(start).Seconds())
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
