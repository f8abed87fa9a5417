// Command soak runs the two functions, built as they are deployed but for this machine's architecture, as Lambda runs them,
// and holds every answer against what it should be while things go wrong around them. It has a module of its own, since
// nothing of it is Claimsmith's:
//
//	go -C tools/soak run . [-short] [-events n] [-seed n]
//
// It speaks the Lambda runtime API to the processes (process.go), serves their key endpoint, which it breaks in every way
// that it knows (keys.go), and freezes and thaws them as Lambda does. What it expects of each answer is written down here a
// second time, by hand: nothing of the policy's code says what is right (authorizer.go, claims.go). It fails on an answer
// that is wrong, on a process that ends, on memory, goroutines, threads or files that grow, and on a log that
// lacks a line for an event or holds anything of a token or a user.
//
// Verdicts never depend on how fast the machine is, and times are recorded, not judged.
//
// The clock is the machine's: a static binary cannot be given another one from outside. What happens to keys when the clock
// is set or an hour passes is for the tests of package token, which inject it; here time passes by freezing longer than the
// penalty after a fetch, and tokens expire while the process is frozen.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/claimsmith/claimsmith/internal/gobuild"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

const root = "../.."

func main() {
	short := flag.Bool("short", false, "10,000 events instead of 100,000, and a few of the faults")
	events := flag.Int("events", 0, "events for each function, instead of the usual number")
	seed := flag.Uint64("seed", 1, "what the random choices are made from")
	flag.Parse()
	if *events == 0 {
		*events = 100_000
		if *short {
			*events = 10_000
		}
	}
	if runtime.GOOS != "linux" {
		fmt.Println("soak: skipped, since it reads /proc and so runs on Linux only")
		return
	}
	// Interrupted, it must not leave a process behind, least of all a frozen one.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Stdout, *short, *events, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, short bool, events int, seed uint64) error {
	start := time.Now()
	folder, err := os.MkdirTemp("", "claimsmith-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	files, err := readPolicy()
	if err != nil {
		return err
	}
	functions := []string{"authorizer", "claims"}
	programs, err := gobuild.Own(root, runtime.GOARCH, functions...).Build(filepath.Join(folder, "cache"))
	if err != nil {
		return err
	}
	for _, name := range functions {
		err := gobuild.Unpack(filepath.Join(folder, name), append(files, programs[name])...)
		if err != nil {
			return err
		}
	}

	// Both at once: the one works while the other is frozen.
	reports := map[string]*report{"authorizer": {}, "claims": {}}
	errs := map[string]error{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for name, soak := range map[string]func(context.Context, string, *report, *rand.Rand, int) error{
		"authorizer": func(ctx context.Context, bootstrap string, r *report, random *rand.Rand, events int) error {
			return soakAuthorizer(ctx, bootstrap, r, random, events, short)
		},
		"claims": soakClaims,
	} {
		group.Go(func() {
			err := soak(ctx, filepath.Join(folder, name, "bootstrap"), reports[name], rand.New(rand.NewPCG(seed, 0)), events)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	group.Wait()
	for _, name := range []string{"authorizer", "claims"} {
		reports[name].print(out, name)
	}
	for name, err := range errs {
		if err != nil {
			errs[name] = fmt.Errorf("%s, seed %d: %w", name, seed, err)
		}
	}
	if err := errors.Join(errs["authorizer"], errs["claims"]); err != nil {
		return err
	}
	fmt.Fprintf(out, "soak: no wrong verdict, no crash, no leak, no secret in a log; %.0f s\n", time.Since(start).Seconds())
	return nil
}

// readPolicy is the policy as the construct ships it.
func readPolicy() (files []gobuild.File, err error) {
	const file = "claims.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(file, data)
	if err != nil {
		return nil, err
	}
	program, err := policy.Compile(p)
	if err != nil {
		return nil, err
	}
	contents, err := program.Files()
	for name, content := range contents {
		files = append(files, gobuild.NewFile(name, content, 0o644))
	}
	return files, err
}

// report is what a soak did.
type report struct {
	kinds     map[string]int             // events by what they are
	latencies map[string][]time.Duration // from handing an event out to having the answer, by verdict
	faults    []string                   // what was done to the function
	notes     []string                   // what was seen of the process
}

func (r *report) add(kind, verdict string, took time.Duration) {
	if r.kinds == nil {
		r.kinds, r.latencies = map[string]int{}, map[string][]time.Duration{}
	}
	r.kinds[kind]++
	r.latencies[verdict] = append(r.latencies[verdict], took)
}

func (r *report) print(out io.Writer, name string) {
	total := 0
	for _, n := range r.kinds {
		total += n
	}
	fmt.Fprintf(out, "%s: %d events\n", name, total)
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		fmt.Fprintf(out, "  %7d  %s\n", r.kinds[kind], kind)
	}
	fmt.Fprintf(out, "  %-28s %8s %9s %9s %9s %9s\n", "answered, in ms", "events", "p50", "p90", "p99", "max")
	for _, verdict := range slices.Sorted(maps.Keys(r.latencies)) {
		took := r.latencies[verdict]
		slices.Sort(took)
		fmt.Fprintf(out, "  %-28s %8d", verdict, len(took))
		for _, part := range []float64{0.5, 0.9, 0.99, 1} {
			fmt.Fprintf(out, " %9.3f", took[min(int(part*float64(len(took))), len(took)-1)].Seconds()*1000)
		}
		fmt.Fprintln(out)
	}
	if len(r.faults) > 0 {
		fmt.Fprintf(out, "  faults: %s\n", strings.Join(r.faults, "; "))
	}
	for _, note := range r.notes {
		fmt.Fprintf(out, "  %s\n", note)
	}
}

// malformed are payloads that are no event of any kind. A fault is the only answer to them.
func malformed(random *rand.Rand, event []byte) []byte {
	deep := strings.Repeat(`{"a":`, 20_000)
	return [][]byte{
		nil,
		[]byte("null"), []byte("[]"), []byte(`"text"`), []byte("7"), []byte("{}"), []byte("\xff\xfe\x00"),
		[]byte(`{"version":"2.0","type":"REQUEST","headers":["` + planted + `"]}`),
		[]byte(`{"request":{"userAttributes":["` + planted + `"]}}`),
		[]byte(`{"request":"` + planted + `","headers":7}`),
		[]byte(deep + "1" + strings.Repeat("}", 20_000)),
		[]byte(deep),
		event[:random.IntN(len(event))], // cut off
		append(slices.Clone(event), event...),
		slices.Repeat([]byte{'['}, 100_000),
	}[random.IntN(15)]
}

// planted is part of every value that must not appear in a log.
const planted = "planted"

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
