// Package publish makes a checkout a published module, for tests of what a user gets who did not clone it.
package publish

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const modulePath = "github.com/claimsmith/claimsmith"

// Version is the version under which Module publishes.
const Version = "v0.0.1"

// Module writes a module proxy of files to the folder proxy. It serves what is in the checkout, files that are not
// committed yet included, as a release of the module.
func Module(checkout, proxy string) error {
	goMod, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		return err
	}
	archive, err := pack(checkout)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	dir := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	errs := []error{os.MkdirAll(dir, 0o755)}
	for name, content := range map[string][]byte{
		"list":            []byte(Version + "\n"),
		Version + ".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, Version),
		Version + ".mod":  goMod,
		Version + ".zip":  archive,
	} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	return errors.Join(errs...)
}

// Files are the names of the checkout's files, as git would commit them now, slash-separated.
func Files(checkout string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = checkout
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files in %s: %w", checkout, err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { // deleted, and not committed yet
		_, err := os.Stat(filepath.Join(checkout, name))
		return errors.Is(err, fs.ErrNotExist)
	}), nil
}

// Copy copies the checkout's files to a folder.
func Copy(checkout, to string) error {
	names, err := Files(checkout)
	for _, name := range names {
		target := filepath.Join(to, name)
		content, readErr := os.ReadFile(filepath.Join(checkout, name))
		err = errors.Join(err, readErr, os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, content, 0o644))
	}
	return err
}

// pack is the checkout as a module zip: https://go.dev/ref/mod#zip-files
func pack(checkout string) ([]byte, error) {
	names, err := Files(checkout)
	if err != nil {
		return nil, err
	}
	var nested []string // folders that are modules of their own
	for _, name := range names {
		if dir, file := path.Split(name); file == "go.mod" && dir != "" {
			nested = append(nested, dir)
		}
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if slices.ContainsFunc(nested, func(dir string) bool { return strings.HasPrefix(name, dir) }) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(checkout, name))
		if err != nil {
			return nil, err
		}
		entry, err := w.Create(modulePath + "@" + Version + "/" + name)
		if err == nil {
			_, err = entry.Write(content)
		}
		if err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

// Environment is that of a machine whose go command has an empty module cache, the folder modules, and knows the proxy
// beside what this machine has downloaded: nothing else can be reached.
func Environment(proxy, modules string) (map[string]string, error) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("publish: go env: %w", err)
	}
	downloaded := filepath.Join(strings.TrimSpace(string(out)), "cache", "download")
	return map[string]string{
		"GOMODCACHE":  modules,
		"GOPROXY":     fileURL(proxy) + "," + fileURL(downloaded),
		"GOSUMDB":     "off", // it does not know the version, and what was downloaded has been verified
		"GOTOOLCHAIN": "local",
		"GOWORK":      "",
	}, nil
}

func fileURL(path string) string {
	// A comma separates proxies.
	return "file://" + strings.NewReplacer(" ", "%20", ",", "%2C").Replace(filepath.ToSlash(path))
}
