package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file carries weights between a model and safetensors files.

// The files of a checkpoint folder that hold the model, by their names in transformers.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
)

// LoadModel makes a model of a checkpoint folder, ours or one that transformers saved: the shape of its config.json, the
// weights of its model.safetensors. fresh.Seed does not matter, as every weight is read.
func LoadModel(d *Device, folder string, fresh Fresh) (*Model, error) {
	if err := checkpoint.CheckSums(folder); err != nil {
		return nil, err
	}
	config, err := checkpoint.ReadConfig(filepath.Join(folder, ConfigFile))
	if err != nil {
		return nil, err
	}
	m, err := NewModel(d, *config, fresh)
	if err != nil {
		return nil, err
	}
	if err := m.ReadWeights(filepath.Join(folder, WeightsFile)); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// ReadWeights sets every tensor of the model from a safetensors file. A tensor that is missing or has another shape is a
// *fault.Input. Tensors the model does not have are left alone: older transformers wrote attention masks among the weights
// and the output matrix of tied models.
func (m *Model) ReadWeights(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for i, t := range m.tensors {
		name, err := storedName(f, path, &t)
		if err != nil {
			return err
		}
		values, err := f.F64(name)
		if err != nil {
			return err
		}
		if err := m.WriteF64(i, values); err != nil {
			return err
		}
	}
	return nil
}

// storedName finds a tensor in a file: transformers also writes the inner model alone, without the prefix of the outer one.
func storedName(f *checkpoint.File, path string, t *Tensor) (string, error) {
	for _, prefix := range []string{"", "transformer.", "model."} {
		name, cut := strings.CutPrefix(t.Name, prefix)
		info, ok := f.Tensor(name)
		if !cut || !ok {
			continue
		}
		if !slices.Equal(info.Shape, t.Shape) {
			return "", &fault.Input{File: path, Found: fmt.Sprintf("tensor %q of shape %v", name, info.Shape), Expected: fmt.Sprintf("shape %v", t.Shape)}
		}
		return name, nil
	}
	return "", &fault.Input{File: path, Found: fmt.Sprintf("no tensor %q", t.Name), Expected: "every weight of the model that config.json describes"}
}

// WriteWeights writes the weights as fp32 under the names and in the layout of transformers, whole or not at all.
func (m *Model) WriteWeights(path string, metadata map[string]string) error {
	infos := make([]checkpoint.TensorInfo, len(m.tensors))
	var largest int64
	for i, t := range m.tensors {
		infos[i] = checkpoint.TensorInfo{Name: t.Name, Dtype: checkpoint.F32, Shape: t.Shape}
		largest = max(largest, t.Count)
	}
	w, err := checkpoint.Create(path, infos, metadata)
	if err != nil {
		return err
	}
	defer w.Discard()
	buffer := make([]float32, largest)
	for i, t := range m.tensors {
		if err := m.ReadF32(i, buffer[:t.Count]); err != nil {
			return err
		}
		if err := w.F32(t.Name, buffer[:t.Count]); err != nil {
			return err
		}
	}
	return w.Close()
}
