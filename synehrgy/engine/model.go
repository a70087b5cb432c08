package engine

import (
	"math"
	"runtime"
	"sync"

	"github.com/synehrgy/synehrgy-go/bindings"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

// Fresh is how a model begins before weights are written into it.
type Fresh struct {
	Seed    uint64
	Std     float64 // standard deviation of fresh weights; 0: that of the published system
	Dropout float64 // while training, on embeddings, attention weights and residual branches
}

// Tensor describes one tensor of a model: its Hugging Face name and shape, whether weight decay applies to it, and whether
// it is one of those that Muon steps.
type Tensor = bindings.Tensor

// Model is the weights of a transformer on a device.
type Model struct {
	handle[bindings.Model]
	weights sync.RWMutex // held for writing while weights change, for reading while they are used
	device  *Device
	config  checkpoint.Config
	tensors []Tensor
}

// NewModel makes a model of that shape with fresh weights. The dropout of the configuration is a note of how it was trained;
// fresh.Dropout is what counts.
func NewModel(d *Device, config checkpoint.Config, fresh Fresh) (*Model, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	dev, err := d.lock("device")
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(d)
	defer d.mu.Unlock()
	raw, err := bindings.ModelCreate(dev, coreConfig(&config, fresh), fresh.Seed)
	if err != nil {
		return nil, err
	}
	m := &Model{device: d, config: config}
	own(m, &m.handle, raw, bindings.ModelDestroy)
	defer runtime.KeepAlive(m)
	for i := range bindings.ModelTensors(raw) {
		t, err := bindings.ModelTensor(raw, i)
		if err != nil {
			m.Close()
			return nil, err
		}
		m.tensors = append(m.tensors, t)
	}
	return m, nil
}

// coreConfig is a shape in the words of the core. Sizes are within its integers because Validate bounds them.
func coreConfig(c *checkpoint.Config, fresh Fresh) bindings.ModelConfig {
	out := bindings.ModelConfigInit()
	out.Family = bindings.GPT2
	if c.Family == checkpoint.Llama {
		out.Family = bindings.Llama
		out.RopeTheta = float32(c.RopeTheta)
	}
	out.Vocab, out.Width, out.Layers = int32(c.Vocab), int32(c.Width), int32(c.Layers)
	out.Heads, out.KVHeads, out.HeadDim = int32(c.Heads), int32(c.KVHeads), int32(c.HeadDim)
	out.FFN, out.Context, out.Window, out.Tied = int32(c.FFN), int32(c.Context), int32(c.Window), 0
	if c.Tied {
		out.Tied = 1
	}
	out.NormEps, out.Dropout = float32(c.NormEps), float32(fresh.Dropout)
	if fresh.Std > 0 {
		out.InitStd = float32(fresh.Std)
	}
	return out
}

// Config is the shape of the model.
func (m *Model) Config() checkpoint.Config { return m.config }

// Device is where the model is.
func (m *Model) Device() *Device { return m.device }

// Tensors lists the tensors in the order in which transformers saves them. The caller does not change it.
func (m *Model) Tensors() []Tensor { return m.tensors }

// Parameters is the number of weights.
func (m *Model) Parameters() int64 {
	var n int64
	for i := range m.tensors {
		n += m.tensors[i].Count
	}
	return n
}

// ReadF32 copies tensor index into to, which has its Count elements.
func (m *Model) ReadF32(index int, to []float32) error { return readTensor(m, index, to) }

// ReadF64 is ReadF32 in double precision, which is exact for every backend.
func (m *Model) ReadF64(index int, to []float64) error { return readTensor(m, index, to) }

// WriteF32 sets tensor index. Generators of the model draw from the new weights at their next Run.
func (m *Model) WriteF32(index int, from []float32) error { return writeTensor(m, index, from) }

// WriteF64 is WriteF32 in double precision.
func (m *Model) WriteF64(index int, from []float64) error { return writeTensor(m, index, from) }

func readTensor[F bindings.Float](m *Model, index int, to []F) error {
	raw, err := m.lock("model")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(m)
	defer m.mu.Unlock()
	m.weights.RLock()
	defer m.weights.RUnlock()
	return bindings.ModelRead(raw, index, to)
}

func writeTensor[F bindings.Float](m *Model, index int, from []F) error {
	raw, err := m.lock("model")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(m)
	defer m.mu.Unlock()
	m.weights.Lock()
	defer m.weights.Unlock()
	return bindings.ModelWrite(raw, index, from)
}

// clamp32 brings a count into the integers of the core, which then names its own limits.
func clamp32(n int) int32 { return int32(max(math.MinInt32, min(n, math.MaxInt32))) }
