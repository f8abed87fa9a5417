// Package programtest compiles policies, and puts them where functions find them, for tests.
package programtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/program"
)

// Compile compiles a policy, as synth does.
func Compile(t testing.TB, text string) *policy.Compiled {
	t.Helper()
	p, err := policy.Parse("claims.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// File is the program of a policy as it is shipped.
func File(t testing.TB, text string) []byte {
	t.Helper()
	files, err := Compile(t, text).Files()
	if err != nil {
		t.Fatal(err)
	}
	return files[program.File]
}

// Write writes the program of a policy into a folder, as it lies beside a function's executable, and returns the file's
// name. The test removes it.
func Write(t testing.TB, folder, text string) string {
	t.Helper()
	file := filepath.Join(folder, program.File)
	if err := os.WriteFile(file, File(t, text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
	return file
}

// Executable is the folder of the test's own executable.
func Executable(t testing.TB) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(executable)
}
