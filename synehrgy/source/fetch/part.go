package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"syscall"
)

// part is a file on its way, NAME.part, and the running checksum of what it holds. One process at a time may hold it.
type part struct {
	file *os.File
	path string
	size int64
	hash hash.Hash
}

func openPart(path string) (*part, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, reason(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is being written by another program: %w", path, err)
		}
		return nil, fmt.Errorf("%s cannot be locked: %w", path, err)
	}
	return &part{file: file, path: path, hash: sha256.New()}, nil
}

// load takes in what an earlier run left.
func (p *part) load(ctx context.Context) error {
	n, err := hashAll(ctx, p.hash, p.file)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", p.path, reason(err))
	}
	p.size = n
	return nil
}

func (p *part) append(data []byte) error {
	n, err := p.file.Write(data)
	p.hash.Write(data[:n])
	p.size += int64(n)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", p.path, reason(err))
	}
	return nil
}

// reset forgets everything.
func (p *part) reset() error {
	if p.size == 0 {
		return nil
	}
	err := p.file.Truncate(0)
	if err == nil {
		_, err = p.file.Seek(0, 0)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", p.path, reason(err))
	}
	p.size = 0
	p.hash.Reset()
	return nil
}

func (p *part) sum() [32]byte { return [32]byte(p.hash.Sum(nil)) }

// finish flushes the part and gives it its name.
func (p *part) finish(path string) error {
	err := p.file.Sync()
	if err == nil {
		err = os.Rename(p.path, path)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, reason(err))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", path, reason(err))
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", path, reason(err))
	}
	return nil
}

func (p *part) remove() error { return os.Remove(p.path) }

// Close ends the hold on the part; an empty one is removed.
func (p *part) Close() {
	if p.size == 0 {
		os.Remove(p.path)
	}
	p.file.Close()
}
