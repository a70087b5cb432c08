package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Manifest says what a run was made of and what it made, so that anybody can make it again and check that it is the same.
type Manifest struct {
	Format  int               `json:"format"` // 1
	Version string            `json:"version"`
	Library string            `json:"library"` // SHA-256 of libsynehrgy.so
	Source  string            `json:"source"`  // the format that was read
	Input   string            `json:"input"`   // where it was read from, as the user gave it
	Inputs  map[string]string `json:"inputs"`  // SHA-256 of each file of the input
	Config  Config            `json:"config"`
	Device  Device            `json:"device"`
	Stages  []Stage           `json:"stages"`
}

// Device is what the run computed on.
type Device struct {
	Backend string `json:"backend"`
	CPU     string `json:"cpu"`
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	GPU     string `json:"gpu,omitempty"` // of a GPU backend, in the words of the core
}

// String is the device in a line, for a person.
func (d Device) String() string {
	if d.GPU != "" {
		return fmt.Sprintf("%s: %s; %s, %d threads", d.Backend, d.GPU, d.CPU, d.Threads)
	}
	if d.Backend == string(engine.Ref) {
		return fmt.Sprintf("%s, reference backend, %d threads", d.CPU, d.Threads)
	}
	return fmt.Sprintf("%s, %s kernels, %d threads", d.CPU, d.ISA, d.Threads)
}

// Stage is one finished stage.
type Stage struct {
	Name    string            `json:"name"`
	Seconds float64           `json:"seconds"`
	Outputs map[string]string `json:"outputs"` // SHA-256 of each file it made
	Facts   map[string]any    `json:"facts,omitempty"`
}

// Stage returns the record of a finished stage, or nil.
func (m *Manifest) Stage(name string) *Stage {
	for i := range m.Stages {
		if m.Stages[i].Name == name {
			return &m.Stages[i]
		}
	}
	return nil
}

// Write replaces the manifest of a run directory.
func (m *Manifest) Write(path string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return checkpoint.WriteFile(path, append(text, '\n'))
}

// ReadManifest reads the manifest of a run directory; fs.ErrNotExist when there is none.
func ReadManifest(path string) (*Manifest, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m Manifest
	m.Config.Train.Precision, m.Config.Train.Optimizer = engine.FP32, engine.AdamW // where the file says nothing
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, &fault.Input{File: path, Found: "text that is not a manifest", Expected: "the JSON that a run writes", Err: err}
	}
	if m.Format != 1 {
		return nil, &fault.Input{File: path, Found: "another format of manifest", Expected: "format 1"}
	}
	return &m, nil
}

// hashTree returns the SHA-256 of every file under a folder (or of the one file), by relative path.
func hashTree(root string) (map[string]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() {
			names = append(names, path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &fault.Input{File: root, Found: "nothing", Expected: "a file or a folder", Err: err}
	}
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	out := make(map[string]string, len(names))
	for _, name := range names {
		sum, _, err := checkpoint.HashFile(name)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		out[filepath.ToSlash(relative)] = sum
	}
	return out, nil
}

// unchanged tells whether the files of a finished stage are still what it made.
func (s *Stage) unchanged(root string) (bool, error) {
	for name, sum := range s.Outputs {
		got, _, err := checkpoint.HashFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if got != sum {
			return false, nil
		}
	}
	return true, nil
}
