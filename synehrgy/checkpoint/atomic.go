package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file writes files and folders so that a reader sees the old state or the new one: everything goes to a sibling whose
// name begins with a dot, is flushed to the disk, and takes its name by rename(2); then the folder that holds the name is
// flushed, so that the name survives a power cut too. Files are 0600 and folders 0700, because they hold patients.

// Draft is a file that does not have its name yet. Write to it, then Commit; Discard drops it. It is not safe for concurrent
// use.
type Draft struct {
	file *os.File // nil once committed or discarded
	path string
	need int64 // bytes the whole file will have, 0 when that is not known beforehand
	done int64 // bytes written
}

// NewDraft begins a file that will be called path. The folder of path must exist. The caller ends with Commit or Discard;
// calling Discard after Commit does nothing, so that it can be deferred.
func NewDraft(path string) (*Draft, error) {
	dir, base := filepath.Split(path)
	if base == "" {
		return nil, fault.Usagef("%q is the name of a folder, expected the name of a file", path)
	}
	file, err := os.CreateTemp(orHere(dir), "."+base+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, reason(err))
	}
	return &Draft{file: file, path: path}, nil
}

// Write appends p.
func (d *Draft) Write(p []byte) (int, error) {
	if d.file == nil {
		return 0, fmt.Errorf("%s: written to after the end: %w", d.path, os.ErrClosed)
	}
	n, err := d.file.Write(p)
	d.done += int64(n)
	return n, d.explain(err, int64(len(p)-n))
}

// Commit flushes the content to the disk and gives it its name, replacing a file that had it. When Commit fails the draft is
// gone and the file that had the name before is untouched.
func (d *Draft) Commit() error {
	if d.file == nil {
		return fmt.Errorf("%s: ended twice: %w", d.path, os.ErrClosed)
	}
	defer d.Discard()
	if err := d.file.Sync(); err != nil {
		return d.explain(err, 0)
	}
	if err := os.Rename(d.file.Name(), d.path); err != nil {
		return fmt.Errorf("%s cannot be written: %w", d.path, reason(err))
	}
	err := d.file.Close()
	d.file = nil // the temporary name is gone: nothing is left to discard
	if err != nil {
		return d.explain(err, 0)
	}
	return syncDir(orHere(filepath.Dir(d.path)))
}

// Discard removes the draft. It does nothing after Commit or a first Discard.
func (d *Draft) Discard() {
	if d.file == nil {
		return
	}
	d.file.Close()
	os.Remove(d.file.Name())
	d.file = nil
}

// explain makes a sentence of a failed write after which at least rest bytes were still to come.
func (d *Draft) explain(err error, rest int64) error {
	if err == nil {
		return nil
	}
	if !isFull(err) {
		return fmt.Errorf("%s cannot be written: %w", d.path, reason(err))
	}
	return fmt.Errorf("%s cannot be written: it needs %d bytes and there is no room for them: %w", d.path, max(d.need, d.done+rest), reason(err))
}

// WriteFile writes data under path, whole or not at all. Its errors are sentences that name path.
func WriteFile(path string, data []byte) error {
	return WriteStream(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteStream gives path the content that fill writes, whole or not at all: when fill fails, path stays as it was and the
// error of fill is returned as it is.
func WriteStream(path string, fill func(w io.Writer) error) error {
	d, err := NewDraft(path)
	if err != nil {
		return err
	}
	defer d.Discard()
	if err := fill(d); err != nil {
		return err
	}
	return d.Commit()
}

// WriteDir gives target the files that fill writes into the folder tmp, whole or not at all. The folder above target must
// exist; target itself must not, or must be an empty folder (*fault.Usage otherwise, before fill is called). Files become
// 0600 and folders 0700 whatever fill made them. When fill fails or panics nothing is left behind and its error is returned
// as it is.
func WriteDir(target string, fill func(tmp string) error) (err error) {
	target = filepath.Clean(target)
	if resolved, err := filepath.EvalSymlinks(target); err == nil {
		target = resolved // rename would replace the link, not the folder it leads to
	}
	if err := checkVacant(target); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(target), "."+filepath.Base(target)+".tmp-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", target, reason(err))
	}
	defer os.RemoveAll(tmp) // after the rename there is nothing of that name
	if err := fill(tmp); err != nil {
		return err
	}
	if err := settle(tmp); err != nil {
		return fmt.Errorf("%s cannot be written: %w", target, reason(err))
	}
	// Not os.Rename, which refuses an existing folder even when it is empty; rename(2) takes its place in one step and itself
	// refuses one that somebody filled meanwhile.
	if err := syscall.Rename(tmp, target); err != nil {
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
			return fault.Usagef("%s cannot be replaced as a whole because it is a mount point or in use; name a new folder inside it", target)
		}
		return fmt.Errorf("%s cannot be written: %w", target, err)
	}
	return syncDir(filepath.Dir(target))
}

// checkVacant says whether target can become a folder of ours without anything of somebody else being lost.
func checkVacant(target string) error {
	info, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", target, reason(err))
	}
	if !info.IsDir() {
		return fault.Usagef("%s is a file, expected a new or empty folder", target)
	}
	dir, err := os.Open(target)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", target, reason(err))
	}
	defer dir.Close()
	switch _, err := dir.Readdirnames(1); {
	case err == nil:
		return fault.Usagef("%s is not empty, expected a new or empty folder", target)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%s cannot be read: %w", target, reason(err))
	}
	return nil
}

// settle closes the rights of everything below root and flushes it to the disk, folders included.
func settle(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if err := os.Chmod(path, 0o700); err != nil {
				return err
			}
			return syncDir(path)
		case entry.Type().IsRegular():
			return settleFile(path)
		}
		return fmt.Errorf("%s is neither a file nor a folder", filepath.Base(path))
	})
}

func settleFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	return file.Sync()
}

// syncDir flushes the names of a folder. File systems that cannot do that say so and are believed.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", path, reason(err))
	}
	defer dir.Close()
	err = dir.Sync()
	if err == nil || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return fmt.Errorf("%s cannot be flushed to the disk: %w", path, reason(err))
}

// isFull tells that a write failed for want of room: the disk, the quota, or the largest size a file may have.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// reason strips the operation and the temporary name, which mean nothing to a reader, from an error of package os.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	}
	return err
}

func orHere(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}
