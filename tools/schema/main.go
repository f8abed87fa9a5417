// Command schema holds JSON documents against a JSON Schema (draft 2020-12). It reads documents from standard input and
// writes one line of JSON for each: "" when the document is valid, otherwise what is wrong with it. It fails when the
// schema itself is not valid. The tests of lambda/policy run it; it is here so that a validator is no requirement of
// the library.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("give the file of a JSON Schema; the documents are read from standard input")
	}
	schema, err := jsonschema.NewCompiler().Compile(args[0])
	if err != nil {
		return err
	}
	documents, verdicts := json.NewDecoder(in), json.NewEncoder(out)
	documents.UseNumber()
	for {
		var document any
		switch err := documents.Decode(&document); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		verdict := ""
		if err := schema.Validate(document); err != nil {
			verdict = err.Error()
		}
		if err := verdicts.Encode(verdict); err != nil {
			return err
		}
	}
}
