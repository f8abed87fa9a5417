package gobuild

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"debug/elf"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is one file of a function's asset, already compressed: a program goes into the asset of every function that runs
// it, each time beside another policy.
type File struct {
	Name     string
	Mode     fs.FileMode
	Size     uint64
	CRC32    uint32
	Deflated []byte
}

// NewFile compresses a file.
func NewFile(name string, content []byte, mode fs.FileMode) File {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(content)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		panic(fmt.Errorf("gobuild: internal error: %w", err)) // a buffer takes everything
	}
	return File{name, mode, uint64(len(content)), crc32.ChecksumIEEE(content), b.Bytes()}
}

// WriteZip writes a zip file with these files below root and returns its path. It is what Lambda gets, as it is:
// the modes are those of the files also when the host knows none, and no time is noted. It is named after what it holds,
// so that writing again changes nothing and different contents never meet.
func WriteZip(root, label string, files []File) (string, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		header := &zip.FileHeader{
			Name: f.Name, Method: zip.Deflate,
			CRC32: f.CRC32, UncompressedSize64: f.Size, CompressedSize64: uint64(len(f.Deflated)),
		}
		//lint:ignore SA1019 CreateRaw writes this one, and not Modified
		header.ModifiedDate = 1<<5 | 1 // 1 January 1980, the earliest there is
		header.SetMode(f.Mode)
		entry, err := w.CreateRaw(header)
		if err == nil {
			_, err = entry.Write(f.Deflated)
		}
		if err != nil {
			return "", fmt.Errorf("writing the asset of %s: %w", label, err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("writing the asset of %s: %w", label, err)
	}
	path := filepath.Join(root, label+"-"+sum(b.Bytes())[:16]+".zip")
	if err := errors.Join(os.MkdirAll(root, 0o755), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		return "", fmt.Errorf("writing the asset of %s: %w", label, err)
	}
	return path, nil
}

// Unpack puts the files into a folder, as Lambda does with the zip file.
func Unpack(dir string, files ...File) error {
	for _, f := range files {
		content, err := io.ReadAll(flate.NewReader(bytes.NewReader(f.Deflated)))
		if err := errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, f.Name), content, f.Mode)); err != nil {
			return fmt.Errorf("unpacking %s: %w", f.Name, err)
		}
	}
	return nil
}

const elfMagic = "\x7fELF"

// Prebuilt is the program in a file, as a file called bootstrap. It fails when Lambda could not run it on that GOARCH.
func Prebuilt(path, arch string) (File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	binary, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return File{}, fmt.Errorf("%s is not a program for Linux: build it with GOOS=linux GOARCH=%s", path, arch)
	}
	machines := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}
	if binary.Machine != machines[arch] {
		return File{}, fmt.Errorf("%s is built for %v, but the function runs on %v: build it with GOOS=linux GOARCH=%s",
			path, binary.Machine, machines[arch], arch)
	}
	return NewFile(Bootstrap, content, 0o755), nil
}
