package evaluate

// results.json: written whole or not at all, readable by its owner alone.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// WriteJSON writes the results to path: to a temporary name beside it first, then renamed. The folder must exist.
func (r *Results) WriteJSON(path string) (err error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("evaluate: encode results: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".results-*") // created with mode 0600
	if err != nil {
		return fmt.Errorf("evaluate: write results: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("evaluate: write results: %w", err), os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(append(data, '\n')); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ReadResults reads what WriteJSON wrote. A file that holds something else is a fault.Input.
func ReadResults(path string) (*Results, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("evaluate: read results: %w", err)
	}
	r := &Results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, &fault.Input{File: path, Found: "text that is no JSON of an evaluation", Expected: "results.json as evaluate writes it", Err: err}
	}
	if r.Format != 1 {
		return nil, &fault.Input{File: path, Found: fmt.Sprintf("results of format %d", r.Format), Expected: "format 1"}
	}
	return r, nil
}
