package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

// This file replaces a whole checkpoint folder so that at every moment, a power cut included, one complete folder is there:
//
//	write X.next   X -> X.previous   X.next -> X   remove X.previous
//
// Each arrow is one rename. recoverFolder finishes what a crash left between two of them.

const (
	nextSuffix     = ".next"
	previousSuffix = ".previous"
)

// replaceFolder gives target the files that fill writes into the folder it is given.
func replaceFolder(target string, fill func(tmp string) error) error {
	next, previous := target+nextSuffix, target+previousSuffix
	for _, old := range []string{next, previous} {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("%s cannot be written: %w", target, err)
		}
	}
	err := checkpoint.WriteDir(next, func(tmp string) error {
		if err := fill(tmp); err != nil {
			return err
		}
		return checkpoint.WriteSums(tmp)
	})
	if err != nil {
		return err
	}
	if err := os.Rename(target, previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be replaced: %w", target, err)
	}
	if err := os.Rename(next, target); err != nil {
		return fmt.Errorf("%s cannot be written: %w", target, err)
	}
	if err := flushNames(filepath.Dir(target)); err != nil {
		return err
	}
	if err := os.RemoveAll(previous); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", previous, err)
	}
	return nil
}

// recoverFolder makes target the newest complete folder there is and removes what a crash left of others. Where there is none
// it does nothing.
func recoverFolder(target string) error {
	next, previous := target+nextSuffix, target+previousSuffix
	for _, candidate := range []string{next, previous} { // a folder under either name is complete
		if exists(target) || !exists(candidate) {
			continue
		}
		if err := os.Rename(candidate, target); err != nil {
			return fmt.Errorf("%s cannot be recovered: %w", target, err)
		}
	}
	abandoned, err := filepath.Glob(filepath.Join(filepath.Dir(target), "."+filepath.Base(next)+".tmp-*"))
	if err != nil {
		return fmt.Errorf("%s cannot be searched: %w", filepath.Dir(target), err)
	}
	for _, path := range append(abandoned, next, previous) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("%s cannot be removed: %w", path, err)
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// flushNames makes the renames in a folder survive a power cut, where the file system can.
func flushNames(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", folder, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", folder, err)
	}
	return nil
}
