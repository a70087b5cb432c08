// Package run strings the stages together: it owns the run directory, its lock, its manifest and its logs, and calls
// source, token, corpus, train, generate, evaluate and report in order.
package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// What a run directory holds.
const (
	CohortDir     = "cohort"
	CorpusDir     = "corpus"
	ModelDir      = "model"
	SyntheticDir  = "synthetic"
	EvaluationDir = "evaluation"
	ReportFile    = "report.html"
	PictureFile   = "patients.svg" // a synthetic patient, beside a simulated one where the cohort is simulated
	ManifestFile  = "manifest.json"
	MetricsFile   = "metrics.jsonl"
	LogFile       = "log.jsonl"
	lockFile      = ".lock"
)

// DemoPatients is the size of the simulated cohort of demo: with it the default model is done in a few minutes on two cores.
const DemoPatients = 2000

// Directory is a run directory that this process alone may change.
type Directory struct {
	path string
	lock *flock.Flock
	log  *os.File
}

// OpenDirectory makes or reopens the directory and takes its lock. A directory that already holds a run is refused unless
// resume is set; so is one that another process works in.
func OpenDirectory(path string, resume bool) (*Directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the run directory cannot be made: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(path, ManifestFile))
	started := err == nil
	switch {
	case started && !resume:
		return nil, fault.Usagef("%s already holds a run; --resume continues it", path)
	case !started && !onlyLeftovers(entries):
		return nil, fault.Usagef("%s is not empty and holds no run of ours; give a new directory", path)
	}
	lock := flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("the lock of %s cannot be taken: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("another run works in %s; wait for it or give a new directory", path)
	}
	log, err := os.OpenFile(filepath.Join(path, LogFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	d := &Directory{path: path, lock: lock, log: log}
	for _, e := range entries { // what a killed process had not given its name yet
		if isDraft(e.Name()) {
			if err := os.RemoveAll(d.Path(e.Name())); err != nil {
				return nil, errors.Join(err, d.Close())
			}
		}
	}
	return d, nil
}

func isDraft(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, ".tmp-")
}

// onlyLeftovers: a run that was cut off before its manifest leaves at most its lock and its logs.
func onlyLeftovers(entries []fs.DirEntry) bool {
	for _, e := range entries {
		switch e.Name() {
		case lockFile, LogFile, MetricsFile:
		default:
			if !isDraft(e.Name()) {
				return false
			}
		}
	}
	return true
}

// Close releases the lock.
func (d *Directory) Close() error { return errors.Join(d.log.Close(), d.lock.Unlock()) }

// Path joins a name to the directory.
func (d *Directory) Path(elements ...string) string {
	return filepath.Join(append([]string{d.path}, elements...)...)
}

// Log is the log of the run, one JSON object a line.
func (d *Directory) Log() io.Writer { return d.log }

// newOutput refuses to write over anything: the directory of one stage must be absent or empty.
func newOutput(path string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("the folder of %s cannot be made: %w", path, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("the output cannot be looked at: %w", err)
	case len(entries) > 0:
		return fault.Usagef("%s is not empty; give a new directory", path)
	}
	return nil
}
