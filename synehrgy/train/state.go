package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file holds what a run needs to go on where it stopped, beside the weights: counters, cursor and configuration in
// state.json, the moments of AdamW in state.safetensors. On the double-precision backend the latter also holds the weights,
// which model.safetensors rounds.

const (
	stateFile   = "state.json"
	tensorsFile = "state.safetensors"
	stateFormat = 1
)

// state is where a run stands. Randomness has no other state: order and dropout are functions of the seed and these counters.
type state struct {
	Format     int           `json:"format"`
	Step       int64         `json:"step"`    // updates tried
	Updates    int64         `json:"updates"` // updates done, which bias correction counts
	Cursor     corpus.Cursor `json:"cursor"`  // in the training split
	Targets    int64         `json:"targets"` // trained on
	Skips      int           `json:"skips"`   // updates skipped in a row
	Best       Validation    `json:"best"`
	Last       Validation    `json:"last_validation"`
	Stale      int           `json:"stale"`   // validations since the best
	Stopped    bool          `json:"stopped"` // early
	Pending    bool          `json:"pending"` // the validation after the last step was interrupted
	Backend    string        `json:"backend"`
	Vocabulary string        `json:"vocabulary"` // fingerprint
	Config     Config        `json:"config"`

	saved int64 // step that the folder last holds, -1: none
}

// state tensors are named by what they are of which weight.
var stateNames = []struct {
	prefix string
	state  engine.State
}{{"moment1.", engine.Moment1}, {"moment2.", engine.Moment2}}

// keeps says whether the trainer has that state of a tensor: Muon has no second moment of what it steps.
func (r *run) keeps(s engine.State, t *engine.Tensor) bool {
	return s != engine.Moment2 || !t.Hidden || r.o.Config.Optimizer != engine.Muon
}

// writeModel writes what the folders best and last share.
func (r *run) writeModel(folder string) error {
	metadata := map[string]string{"format": "pt", "vocabulary": r.o.Corpus.Vocabulary.Fingerprint()}
	if err := r.model.WriteWeights(filepath.Join(folder, engine.WeightsFile), metadata); err != nil {
		return err
	}
	config := r.model.Config()
	if err := checkpoint.WriteConfig(filepath.Join(folder, engine.ConfigFile), &config); err != nil {
		return err
	}
	return r.o.Corpus.Vocabulary.Save(filepath.Join(folder, token.FileName))
}

// save makes the folder last hold this moment; nothing is written when it does already.
func (r *run) save() error {
	if r.state.saved == r.state.Step {
		return nil
	}
	r.state.Updates, r.state.Cursor = r.trainer.Step(), r.data.Cursor()
	err := replaceFolder(filepath.Join(r.o.Folder, LastFolder), func(tmp string) error {
		if err := r.writeModel(tmp); err != nil {
			return err
		}
		if err := r.writeTensors(filepath.Join(tmp, tensorsFile)); err != nil {
			return err
		}
		text, err := json.MarshalIndent(&r.state, "", " ")
		if err != nil {
			return fmt.Errorf("the state of the run cannot be written: %w", err)
		}
		return checkpoint.WriteFile(filepath.Join(tmp, stateFile), append(text, '\n'))
	})
	if err != nil {
		return err
	}
	r.state.saved = r.state.Step
	r.o.Log.Debug("checkpoint written", "step", r.state.Step)
	if r.tuning.data == nil { // nothing tells a best one
		return replaceFolder(filepath.Join(r.o.Folder, BestFolder), r.writeModel)
	}
	return nil
}

// writeTensors writes the moments, and on the double-precision backend the weights, in the precision they have.
func (r *run) writeTensors(path string) error {
	wide := r.o.Device.Backend() == engine.Ref
	dtype := checkpoint.F32
	if wide {
		dtype = checkpoint.F64
	}
	var infos []checkpoint.TensorInfo
	for _, s := range stateNames {
		for _, t := range r.model.Tensors() {
			if r.keeps(s.state, &t) {
				infos = append(infos, checkpoint.TensorInfo{Name: s.prefix + t.Name, Dtype: dtype, Shape: t.Shape})
			}
		}
	}
	if wide {
		for _, t := range r.model.Tensors() {
			infos = append(infos, checkpoint.TensorInfo{Name: "weight." + t.Name, Dtype: dtype, Shape: t.Shape})
		}
	}
	w, err := checkpoint.Create(path, infos, map[string]string{"vocabulary": r.o.Corpus.Vocabulary.Fingerprint()})
	if err != nil {
		return err
	}
	defer w.Discard()
	for _, s := range stateNames {
		for i, t := range r.model.Tensors() {
			if !r.keeps(s.state, &t) {
				continue
			}
			if wide {
				err = writeWide(w, s.prefix+t.Name, t.Count, func(to []float64) error { return r.trainer.ReadF64(s.state, i, to) })
			} else {
				err = writeNarrow(w, s.prefix+t.Name, t.Count, func(to []float32) error { return r.trainer.ReadF32(s.state, i, to) })
			}
			if err != nil {
				return err
			}
		}
	}
	for i, t := range r.model.Tensors() {
		if !wide {
			break
		}
		if err := writeWide(w, "weight."+t.Name, t.Count, func(to []float64) error { return r.model.ReadF64(i, to) }); err != nil {
			return err
		}
	}
	return w.Close()
}

func writeNarrow(w *checkpoint.Writer, name string, count int64, read func([]float32) error) error {
	values := make([]float32, count)
	if err := read(values); err != nil {
		return err
	}
	return w.F32(name, values)
}

func writeWide(w *checkpoint.Writer, name string, count int64, read func([]float64) error) error {
	values := make([]float64, count)
	if err := read(values); err != nil {
		return err
	}
	raw := make([]byte, 0, 8*count)
	for _, x := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return w.Bytes(name, raw)
}

// readState reads the counters of a folder; found is false when there is no such folder.
func readState(folder string) (s state, found bool, err error) {
	path := filepath.Join(folder, stateFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !exists(folder) {
		return state{}, false, nil
	}
	if err != nil {
		return state{}, false, &fault.Input{File: path, Found: "no file that can be read", Expected: "the state of a run", Err: err}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	s.Config.Precision, s.Config.Optimizer = engine.FP32, engine.AdamW // where the file says nothing
	if err := d.Decode(&s); err != nil {
		return state{}, false, &fault.Input{File: path, Found: "text that is no state of a run (" + err.Error() + ")", Expected: "the JSON that train writes", Err: err}
	}
	if s.Format != stateFormat || s.Step < 0 || s.Updates < 0 || s.Updates > s.Step {
		return state{}, false, &fault.Input{File: path, Found: "counters that cannot be", Expected: fmt.Sprintf("format %d and counts of 0 or more", stateFormat)}
	}
	return s, true, nil
}

// changeable are the settings that a run may go on with although they were others before: how long, how often to look, and
// what changes no bit.
var changeable = map[string]bool{"epochs": true, "steps": true, "eval_every": true, "patience": true, "save_every": true, "recompute": true}

// compatible says what keeps a run from going on from a state, as a *fault.Usage.
func (s *state) compatible(o *Options) error {
	was, is := reflect.ValueOf(s.Config), reflect.ValueOf(o.Config)
	for i := range was.NumField() {
		name := was.Type().Field(i).Tag.Get("yaml")
		if !changeable[name] && !was.Field(i).Equal(is.Field(i)) {
			return fault.Usagef("train.%s is %v, but the run to be resumed began with %v", name, is.Field(i), was.Field(i))
		}
	}
	if s.Vocabulary != o.Corpus.Vocabulary.Fingerprint() {
		return fault.Usagef("the corpus has another vocabulary than the run to be resumed")
	}
	if s.Backend != string(o.Device.Backend()) {
		return fault.Usagef("the device is %s, but the run to be resumed began on %s", o.Device.Backend(), s.Backend)
	}
	return nil
}

// restore puts the weights, the moments and the count of updates of a folder into the trainer, and the data to their place.
func (r *run) restore(folder string) error {
	if err := checkpoint.CheckSums(folder); err != nil {
		return err
	}
	if err := r.model.ReadWeights(filepath.Join(folder, engine.WeightsFile)); err != nil {
		return err
	}
	path := filepath.Join(folder, tensorsFile)
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	read := func(name string, t *engine.Tensor, put func([]float64) error) error {
		values, err := f.F64(name)
		if err != nil {
			return err
		}
		if int64(len(values)) != t.Count {
			return &fault.Input{File: path, Found: fmt.Sprintf("%d numbers of %q", len(values), name), Expected: fmt.Sprintf("%d", t.Count)}
		}
		return put(values)
	}
	for i, t := range r.model.Tensors() {
		for _, s := range stateNames {
			if !r.keeps(s.state, &t) {
				continue
			}
			if err := read(s.prefix+t.Name, &t, func(x []float64) error { return r.trainer.WriteF64(s.state, i, x) }); err != nil {
				return err
			}
		}
		if r.o.Device.Backend() != engine.Ref {
			continue
		}
		if err := read("weight."+t.Name, &t, func(x []float64) error { return r.model.WriteF64(i, x) }); err != nil {
			return err
		}
	}
	if err := r.trainer.SetStep(r.state.Updates); err != nil {
		return err
	}
	return r.data.Seek(r.state.Cursor)
}
