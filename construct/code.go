package construct

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// GoCode is the code of a Lambda function written in Go: pkg is its main package, built with the go command for runtime
// provided.al2023, handler bootstrap, and put into an asset whose bytes are the same on every checkout. No Docker is
// needed. scope is any construct of the stack that the function is in.
//
// pkg is an import path, or a path such as "./backend" relative to the working directory of synth, and is built in the
// module or workspace found there; GOFLAGS, GOPRIVATE and the like apply as usual, but tags come from GoCode (which sets
// lambda.norpc). arch is the function's Architecture, ARM_64 when it is nil.
//
//	awslambda.NewFunction(stack, jsii.String("Backend"), &awslambda.FunctionProps{
//		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
//		Handler:      jsii.String("bootstrap"),
//		Architecture: awslambda.Architecture_ARM_64(),
//		Code:         construct.GoCode(stack, "./backend", awslambda.Architecture_ARM_64()),
//	})
//
// Nothing is built when CDK says that the stack needs no bundling, as for cdk list or for a stack that is not deployed.
// GoCode panics when the package does not build; the error has the compiler's output and the command to repeat it.
func GoCode(scope constructs.Construct, pkg string, arch awslambda.Architecture) awslambda.Code {
	if arch == nil {
		arch = awslambda.Architecture_ARM_64()
	}
	if pkg == "" {
		panic(errors.New(`construct: GoCode: pkg is empty: name a main package, as in "./backend"`))
	}
	if !*awscdk.Stack_Of(scope).BundlingRequired() {
		// CDK wants an asset in any case, and refuses an empty one.
		return codeFromFiles(scope, "not-built", []assetFile{{name: "not-built", content: []byte(pkg + "\n"), mode: 0o644}})
	}
	binary := must(buildOnce(userMain(pkg, goarch(arch))))
	return codeFromFiles(scope, path.Base(filepath.ToSlash(pkg)), []assetFile{{name: "bootstrap", content: binary, mode: 0o755}})
}

// codeFromFiles hands the files to CDK by way of a folder in the cloud assembly, which is where build output belongs
// and which every app ignores in version control.
func codeFromFiles(scope constructs.Construct, label string, files []assetFile) awslambda.Code {
	root := must(filepath.Abs(filepath.Join(*awscdk.Stage_Of(scope).AssetOutdir(), "claimsmith")))
	return awslambda.Code_FromAsset(jsii.String(must(writeFiles(root, label, files))), nil)
}

// must is value, or a panic with err: what CDK does when bundling fails.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// goarch is what the go command calls the architecture.
func goarch(arch awslambda.Architecture) string {
	switch name := *arch.Name(); name {
	case "arm64":
		return "arm64"
	case "x86_64":
		return "amd64"
	default:
		panic(fmt.Errorf("construct: architecture %q: functions are built for arm64 or x86_64", name))
	}
}
