// Command ownclaims is a user's own claim function: code of theirs around the policy.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

func main() {
	program, err := load()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ownclaims:", err)
		os.Exit(1)
	}
	lambda.Start(&pretoken.Handler{Program: program, Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))})
}

// load compiles the policy that the construct puts beside the program.
func load() (*policy.Program, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(executable), "policy.json"))
	if err != nil {
		return nil, err
	}
	document, err := policy.Parse("policy.json", data)
	if err != nil {
		return nil, err
	}
	return policy.Compile(document)
}
