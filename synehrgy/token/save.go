package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file writes a vocabulary as JSON and reads it back. Only what was fitted is written; the tokens follow from it. The
// bytes depend on the vocabulary alone.

// FileName is what a vocabulary is called in the folders of this project.
const FileName = "vocabulary.json"

// fileFormat is raised when a change makes old files mean something else.
const fileFormat = 1

type vocabularyFile struct {
	Format      int        `json:"format"`
	Fingerprint string     `json:"fingerprint"` // SHA-256 of the file with this field empty
	Schema      ehr.Schema `json:"schema"`
	Config      Config     `json:"config"`
	Covariates  []Bins     `json:"covariates"` // a category has no bins, and so has a number that training never saw
	Variables   []Bins     `json:"variables"`
	Times       []Bins     `json:"times"` // gap, offset, since, rest, stay; minutes
	Codes       [][]string `json:"codes"` // by system
}

func (v *Vocabulary) file() *vocabularyFile {
	bins := func(fields []field) []Bins {
		out := make([]Bins, len(fields))
		for i := range fields {
			out[i] = fields[i].Bins
		}
		return out
	}
	return &vocabularyFile{
		Format: fileFormat, Fingerprint: v.print, Schema: v.schema, Config: v.config,
		Covariates: bins(v.covariates), Variables: bins(v.variables), Times: bins(v.times[:]), Codes: v.codes,
	}
}

func (f *vocabularyFile) marshal() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return nil, fmt.Errorf("the vocabulary cannot be written: %w", err)
	}
	return b.Bytes(), nil
}

// fingerprint is the SHA-256 of the file without its fingerprint.
func (f vocabularyFile) fingerprint() (string, error) {
	f.Fingerprint = ""
	text, err := f.marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (v *Vocabulary) seal() (err error) {
	v.print = ""
	v.print, err = v.file().fingerprint()
	return err
}

// Save writes the vocabulary to a file, whole or not at all.
func (v *Vocabulary) Save(path string) error {
	text, err := v.file().marshal()
	if err != nil {
		return err
	}
	return checkpoint.WriteFile(path, text)
}

// Load reads a vocabulary and checks everything in it. What is wrong is a *fault.Input.
func Load(path string) (*Vocabulary, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault.Input{File: path, Found: "no file that can be read", Expected: "a vocabulary", Err: err}
	}
	wrong := func(found, expected string, err error) error {
		return &fault.Input{File: path, Found: found, Expected: expected, Err: err}
	}
	var f vocabularyFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, wrong("text that is no vocabulary ("+err.Error()+")", "the JSON that tokenize writes", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, wrong("something after the end of the vocabulary", "the end of the file", nil)
	}
	if f.Format != fileFormat {
		return nil, wrong(fmt.Sprintf("format %d", f.Format), fmt.Sprintf("format %d", fileFormat), nil)
	}
	print, err := f.fingerprint()
	if err != nil {
		return nil, wrong("a vocabulary without a fingerprint", "one", err)
	}
	if print != f.Fingerprint {
		return nil, wrong("content that does not match its fingerprint", "a vocabulary that nobody has changed since it was fitted", nil)
	}
	v, err := f.vocabulary()
	if err != nil {
		return nil, wrong("a vocabulary that cannot be ("+err.Error()+")", "one that was fitted", err)
	}
	return v, nil
}

// vocabulary rebuilds what was written.
func (f *vocabularyFile) vocabulary() (*Vocabulary, error) {
	if err := f.Config.Validate(); err != nil {
		return nil, err
	}
	if err := checkSystems(&f.Schema); err != nil {
		return nil, err
	}
	v := &Vocabulary{schema: f.Schema, config: f.Config}
	if err := v.readSchema(); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		fields []field
		bins   []Bins
	}{{v.covariates, f.Covariates}, {v.variables, f.Variables}, {v.times[:], f.Times}} {
		if len(part.fields) != len(part.bins) {
			return nil, fmt.Errorf("bins of %d fields where the schema has %d", len(part.bins), len(part.fields))
		}
		for i := range part.fields {
			if err := part.fields[i].take(part.bins[i]); err != nil {
				return nil, err
			}
		}
	}
	if len(f.Codes) != len(f.Schema.Systems) {
		return nil, fmt.Errorf("codes of %d systems where the schema has %d", len(f.Codes), len(f.Schema.Systems))
	}
	for i, codes := range f.Codes {
		if sorted := slices.Sorted(slices.Values(codes)); len(slices.Compact(sorted)) != len(codes) {
			return nil, fmt.Errorf("a code of %q twice", f.Schema.Systems[i].Name)
		}
	}
	v.codes = f.Codes
	return v, v.finish()
}

// take gives a field bins that came from a file.
func (f *field) take(b Bins) error {
	if f.categories > 0 && len(b.Upper) > 0 {
		return fmt.Errorf("%q is a category and has bins", f.name)
	}
	if err := b.check(f.low, f.high); err != nil {
		return fmt.Errorf("%q: %w", f.name, err)
	}
	f.Bins = b
	return nil
}
