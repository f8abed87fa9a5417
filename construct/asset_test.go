package construct_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/claimsmith/claimsmith/construct"
	"github.com/claimsmith/claimsmith/lambda/policy"
)

// assets synthesizes two instances with different policies and returns the asset folders of their functions.
func assets(t *testing.T) []string {
	t.Helper()
	f := newFixtureWith(t, nil)
	auth := f.claims(nil)
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	construct.NewTokenClaims(f.stack, "Other", &construct.TokenClaimsProps{
		Policy: construct.PolicyValue(policy.Policy{Claims: map[string]policy.Claim{"tier": {Value: "gold"}}}),
	})
	if text := panicText(func() { f.app.Synth(nil) }); text != "" {
		t.Fatal(text)
	}
	folders, err := filepath.Glob(filepath.Join(*f.app.Outdir(), "asset.*"))
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func TestAssetsAreExecutableOnLambdaAndStable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both functions")
	}
	folders := assets(t)
	if len(folders) != 3 { // two claim functions and one authorizer
		t.Fatalf("got assets %q, want 3", folders)
	}
	for _, folder := range folders {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 2 || files[0].Name() != "bootstrap" || files[1].Name() != "policy.json" {
			t.Errorf("%s: got %v, want bootstrap and policy.json", folder, files)
			continue
		}
		for i, want := range []os.FileMode{0o755, 0o644} {
			if info, err := files[i].Info(); err != nil || info.Mode() != want {
				t.Errorf("%s: mode of %s is %v (%v), want %v", folder, files[i].Name(), info.Mode(), err, want)
			}
		}
		binary, err := elf.Open(filepath.Join(folder, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if binary.Machine != elf.EM_AARCH64 {
			t.Errorf("%s: built for %v, want arm64, the default", folder, binary.Machine)
		}
		if err := binary.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(folder, "policy.json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Parse("policy.json", data); err != nil {
			t.Errorf("%s: policy.json does not parse: %v", folder, err)
		}
	}

	// The folders are named after CDK's hash of what is in them.
	if again := assets(t); !slices.Equal(baseNames(folders), baseNames(again)) {
		t.Errorf("the second synth, into another folder, has assets %q, the first %q", again, folders)
	}
}

func baseNames(paths []string) []string {
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

func TestBackendsInGoAreBundledToo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package")
	}
	f := newFixtureWith(t, nil)
	text := panicText(func() { construct.GoCode(f.stack, "./testdata/backend", nil) })
	if text != "" {
		t.Fatal(text)
	}
	found, err := filepath.Glob(filepath.Join(*f.app.AssetOutdir(), "claimsmith", "backend-*", "bootstrap"))
	if err != nil || len(found) != 1 {
		t.Errorf("got %q (%v), want one bootstrap", found, err)
	}
	text = panicText(func() { construct.GoCode(f.stack, "./testdata/nowhere", nil) })
	if text == "" {
		t.Error("a package that does not exist was bundled")
	}
}
