package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// machine describes what measured, and what was measured.
func machine(n node) [][]string {
	rows := [][]string{
		{"processors", fmt.Sprintf("%d × %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"))},
		{"memory", gigabytes(field("/proc/meminfo", "MemTotal"))},
		{"system", strings.TrimSpace(read("/proc/sys/kernel/ostype") + " " + read("/proc/sys/kernel/osrelease") + " " + runtime.GOARCH)},
		{"Go", runtime.Version()},
		{"Node, with aws-jwt-verify", n.version + ", " + n.peer},
		{"commit", output("git", "describe", "--always", "--dirty") + ", measured " + time.Now().UTC().Format(time.DateOnly)},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			for _, peer := range []string{"golang-jwt", "keyfunc", "lestrrat-go/jwx", "go-oidc"} {
				if strings.Contains(module.Path, peer) {
					rows = append(rows, []string{module.Path, module.Version})
				}
			}
		}
	}
	return rows
}

// field is the first value of that name in a file of the kernel's.
func field(file, name string) string {
	for line := range strings.Lines(read(file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// gigabytes reads what the kernel gives in kilobytes.
func gigabytes(text string) string {
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%.0f GB", kilobytes*1024/1e9)
}

func read(file string) string {
	data, _ := os.ReadFile(file)
	return strings.TrimSpace(string(data))
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
