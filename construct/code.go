package construct

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/internal/gobuild"
)

// modulePath is this module, found in whatever module the app is built in.
const modulePath = "github.com/claimsmith/claimsmith"

// GoCode is the code of a Lambda function written in Go: pkg is its main package, built with the go command for runtime
// provided.al2023, handler bootstrap, and put into an asset whose bytes are the same on every checkout and operating
// system. No Docker is needed. scope is any construct of the stack that the function is in.
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
// What was built is kept in the folder of the cloud assembly (cdk.out), and used again as long as the go command finds
// that nothing it was made of has changed. Nothing is built when CDK says that the stack needs no bundling, as for
// cdk list or for a stack that is not deployed. GoCode panics when the package does not build; the error has the
// compiler's output and the command to repeat it.
func GoCode(scope constructs.Construct, pkg string, arch awslambda.Architecture) awslambda.Code {
	if arch == nil {
		arch = awslambda.Architecture_ARM_64()
	}
	if pkg == "" {
		panic(errors.New(`construct: GoCode: pkg is empty: name a main package, as in "./backend"`))
	}
	label := gobuild.Label(pkg)
	if !*awscdk.Stack_Of(scope).BundlingRequired() {
		// CDK wants an asset in any case, and refuses an empty one.
		return codeFromFiles(scope, label, gobuild.NewFile("not-built", []byte(pkg+"\n"), 0o644))
	}
	built, err := gobuild.User(pkg, goarch(arch)).Build(buildCache(scope))
	if err != nil {
		panic(fmt.Errorf("construct: %w", err))
	}
	return codeFromFiles(scope, label, built[label])
}

// Program is what one of the construct's functions runs: [GoMain] or [Binary]. The compiled policy is put beside it as
// program.json, and the policy as policy.json for those who want to read it. Its environment is that of Claimsmith's own
// programs: its main calls pretoken.Start or apigw.Start, which need it and program.json, with hooks of its own.
type Program interface {
	// bootstrap is the program for that GOARCH. cache is a folder for what was built.
	bootstrap(cache, arch string) (gobuild.File, error)
}

// GoMain is a main package of the app, for a function with code of its own around the policy. It is built as [GoCode]
// does: pkg is an import path, or a path such as "./cmd/claims" relative to the working directory of synth.
func GoMain(pkg string) Program { return goMain(pkg) }

// Binary is a program that was built before, for a machine that builds the app but no Lambdas: one without network and
// without the modules that the Lambdas need. The path is relative to the working directory of synth. The program must
// be built for Linux and the functions' Architecture; Claimsmith's own are built so:
//
//	dir=$(go list -mod=readonly -m -f '{{.Dir}}' github.com/claimsmith/claimsmith)
//	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 GOWORK=off go build -C "$dir" -o "$PWD/dist/" -trimpath -tags lambda.norpc \
//		./lambda/claims ./lambda/claimslookup ./lambda/authorizer
//
// They must be those of the Claimsmith version that the app requires; one that does not know the form of program.json does
// not start. A policy with lookups needs claimslookup.
func Binary(path string) Program { return binary(path) }

type goMain string

func (m goMain) bootstrap(cache, arch string) (gobuild.File, error) {
	if m == "" {
		return gobuild.File{}, errors.New(`GoMain: pkg is empty: name a main package, as in "./cmd/claims"`)
	}
	built, err := gobuild.User(string(m), arch).Build(cache)
	return built[gobuild.Label(string(m))], err
}

type binary string

func (b binary) bootstrap(_, arch string) (gobuild.File, error) {
	file, err := gobuild.Prebuilt(string(b), arch)
	if err != nil {
		return file, fmt.Errorf("Binary(%q): %w", string(b), err)
	}
	return file, nil
}

// ownMain is a main package in this module's lambda folder.
type ownMain struct {
	folder   string
	together []string // folders that are built along, since the app needs them as well
}

func (m ownMain) bootstrap(cache, arch string) (gobuild.File, error) {
	dir, err := moduleDir()
	if err != nil {
		return gobuild.File{}, err
	}
	built, err := gobuild.Own(dir, arch, m.together...).Build(cache)
	if err != nil {
		return gobuild.File{}, fmt.Errorf("%w\nwhere they cannot be built, for want of a network perhaps, build them elsewhere: see construct.Binary", err)
	}
	return built[m.folder], nil
}

var moduleDir = sync.OnceValues(func() (string, error) { return gobuild.ModuleDir("", modulePath) })

// startBuilding builds the program in that folder in the background: it takes longer than all else that a construct does,
// and needs no CDK. What comes of it is told by functionCode.
func (t *tokenClaims) startBuilding(folder string) {
	if t.builds() {
		program, cache, arch := t.program(folder), buildCache(t), goarch(t.props.Architecture)
		go func() { _, _ = program.bootstrap(cache, arch) }()
	}
}

// functionCode is a program with the compiled policy beside it.
func (t *tokenClaims) functionCode(folder string) awslambda.Code {
	files := t.policy.files()
	if t.builds() {
		file, err := t.program(folder).bootstrap(buildCache(t), goarch(t.props.Architecture))
		if err != nil {
			panic(fmt.Errorf("construct: %w", err))
		}
		files = append([]gobuild.File{file}, files...)
	}
	return codeFromFiles(t, folder, files...)
}

// builds tells whether functions are built at all. A policy with problems fails synth anyway.
func (t *tokenClaims) builds() bool {
	return t.policy.program != nil && *awscdk.Stack_Of(t).BundlingRequired()
}

// program is the user's, or else the one in that folder under lambda.
func (t *tokenClaims) program(folder string) Program {
	claims := t.policy.claimsMain()
	if p := map[string]Program{claims: t.props.ClaimsProgram, "authorizer": t.props.AuthorizerProgram}[folder]; p != nil {
		return p
	}
	return ownMain{folder, []string{claims, "authorizer"}}
}

// codeFromFiles hands the files to CDK as a zip file, which it uploads as it is.
func codeFromFiles(scope constructs.Construct, label string, files ...gobuild.File) awslambda.Code {
	path, err := gobuild.WriteZip(outputDir(scope), label, files)
	if err != nil {
		panic(fmt.Errorf("construct: %w", err))
	}
	return awslambda.Code_FromAsset(jsii.String(path), nil)
}

// outputDir is a folder in the cloud assembly, which is where build output belongs, which every app ignores in version
// control, and which stays from one synth to the next.
func outputDir(scope constructs.Construct) string {
	dir, err := filepath.Abs(filepath.Join(*awscdk.Stage_Of(scope).AssetOutdir(), "claimsmith"))
	if err != nil {
		panic(fmt.Errorf("construct: %w", err))
	}
	return dir
}

func buildCache(scope constructs.Construct) string { return filepath.Join(outputDir(scope), "build") }

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
