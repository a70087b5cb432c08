package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file keeps the checksums of a folder of ours beside its files, so that a flipped bit in millions of weights is found
// when they are read and not in what they generate.

// SumsFile holds a line a file, as sha256sum writes and checks it.
const SumsFile = "SHA256SUMS"

// WriteSums writes the checksums of the files in folder, in the order of their names.
func WriteSums(folder string) error {
	entries, err := os.ReadDir(folder) // sorted
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", folder, reason(err))
	}
	var text strings.Builder
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == SumsFile || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		sum, _, err := HashFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, e.Name())
	}
	return WriteFile(filepath.Join(folder, SumsFile), []byte(text.String()))
}

// CheckSums compares the files of a folder with the checksums in it; the first file that differs or is missing is a
// *fault.Input. A folder without checksums is somebody else's and is believed.
func CheckSums(folder string) error {
	path := filepath.Join(folder, SumsFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, reason(err))
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for row := int64(1); lines.Scan(); row++ {
		want, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || len(want) != 64 || name == "" || name != filepath.Base(name) {
			return &fault.Input{File: path, Row: row, Found: "something else", Expected: "a SHA-256, two blanks and the name of a file"}
		}
		got, _, err := HashFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			return &fault.Input{File: filepath.Join(folder, name), Found: "no file", Expected: "the one that " + SumsFile + " names", Err: err}
		}
		if err != nil {
			return err
		}
		if got != want {
			return &fault.Input{File: filepath.Join(folder, name), Found: "another checksum than " + SumsFile + " has", Expected: "the file as it was written; it is damaged"}
		}
	}
	return lines.Err()
}
