package snapshot_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct/snapshot"
)

// A test of a stack: go test -update writes the file, go test compares with it.
func ExampleMatch() {
	_ = func(t *testing.T) {
		app := snapshot.NewApp(t, "../cdk.json", nil)
		stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
		snapshot.Match(t, stack, "testdata/documents.template.json")
	}
	// Output:
}
