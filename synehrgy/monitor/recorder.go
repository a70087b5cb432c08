package monitor

import (
	"encoding/json"
	"errors"
	"os"
	"sync"
)

// Sink takes a line of metrics, which encodes to JSON. Calls may come from any goroutine.
type Sink interface{ Line(v any) error }

// Recorder writes metrics.jsonl: one JSON object a line, appended, in a file of mode 0600 that the first line makes. A line is
// written whole or not at all. It may be used from several goroutines.
type Recorder struct {
	path string
	mu   sync.Mutex
	file *os.File
	size int64 // of whole lines
}

// NewRecorder returns the recorder of a file, which need not be there.
func NewRecorder(path string) *Recorder { return &Recorder{path: path} }

// Line appends v.
func (r *Recorder) Line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	n, err := r.file.Write(append(text, '\n'))
	if err != nil {
		if n > 0 {
			err = errors.Join(err, r.file.Truncate(r.size)) // a full disk takes the beginning of a line
		}
		return err
	}
	r.size += int64(n)
	return nil
}

// open goes to the end of the file, on a new line where a killed process left half of one.
func (r *Recorder) open() (err error) {
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			if _, err := file.Write([]byte{'\n'}); err != nil {
				return err
			}
			size++
		}
	}
	r.file, r.size = file, size
	return nil
}

// Close closes the file; the next line would open it again.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}
