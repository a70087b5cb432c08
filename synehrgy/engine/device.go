package engine

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Backend is where the numbers are worked out.
type Backend string

// The backends.
const (
	CPU     Backend = "cpu"     // fp32, vectorised
	Ref     Backend = "ref"     // double precision, slow and plain: the oracle of the others
	CUDA    Backend = "cuda"    // one NVIDIA GPU, through a plugin of the core; bf16
	HostGPU Backend = "hostgpu" // the kernels of CUDA in an emulation on the processor, for tests; bf16
)

// GPU tells whether the backend runs the kernels of a GPU, if only in an emulation.
func (b Backend) GPU() bool { return b == CUDA || b == HostGPU }

// ParseBackend turns the word of a user into a backend; anything else is a *fault.Usage.
func ParseBackend(word string) (Backend, error) {
	switch b := Backend(word); b {
	case CPU, Ref, CUDA, HostGPU:
		return b, nil
	}
	return "", fault.Usagef("device %q, expected cpu, cuda, ref or hostgpu", word)
}

// Device is a backend with its threads. It may serve any number of models and calls.
type Device struct {
	handle[bindings.Device]
	backend Backend
}

// OpenDevice opens a backend; threads 0 lets the core choose from what the process may use. It is an ErrNoDevice when the
// backend has no device here, never a silent substitute.
func OpenDevice(backend Backend, threads int) (*Device, error) {
	params := bindings.DeviceParams{Threads: int32(min(max(threads, -1), 1<<20))} // the core names its own limits
	switch backend {
	case CPU:
		params.Backend = bindings.BackendCPU
	case Ref:
		params.Backend = bindings.BackendRef
	case CUDA:
		params.Backend = bindings.BackendCUDA
	case HostGPU:
		params.Backend = bindings.BackendHostGPU
	default:
		_, err := ParseBackend(string(backend))
		return nil, err
	}
	raw, err := bindings.DeviceCreate(params)
	if err != nil {
		return nil, err
	}
	d := &Device{backend: backend}
	own(d, &d.handle, raw, bindings.DeviceDestroy)
	return d, nil
}

// Backend is what the device was opened as.
func (d *Device) Backend() Backend { return d.backend }

// Threads is the number of threads the device works with, 0 after Close.
func (d *Device) Threads() int {
	raw, err := d.lock("device")
	if err != nil {
		return 0
	}
	defer runtime.KeepAlive(d)
	defer d.mu.Unlock()
	return bindings.DeviceThreads(raw)
}

// Description is what the library is and runs on.
type Description struct {
	Version  string   `json:"version"`
	Backends []string `json:"backends"`
	CPU      struct {
		Name     string `json:"name"`
		Features string `json:"features"`
		ISA      string `json:"isa"` // the kernels in use
	} `json:"cpu"`
	GEMM    string `json:"gemm"`
	Threads int    `json:"threads"`
	Boost   string `json:"boost"` // version of XGBoost, or why there is none
	CUDA    string `json:"cuda"`  // the device, or why there is none
	HostGPU string `json:"hostgpu"`

	// Stamp is the SHA-256 of the library this program was compiled against, empty when it was not built from this tree.
	Stamp string `json:"-"`
}

// GPU is the device of a GPU backend in words; empty for another backend.
func (d *Description) GPU(b Backend) string {
	switch b {
	case CUDA:
		return d.CUDA
	case HostGPU:
		return d.HostGPU
	}
	return ""
}

// Describe asks the library what it is.
func Describe() (Description, error) {
	if err := bindings.Compatible(); err != nil {
		return Description{}, err
	}
	text, err := bindings.Describe()
	if err != nil {
		return Description{}, err
	}
	d := Description{Stamp: bindings.LibraryStamp}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return Description{}, fmt.Errorf("the description of libsynehrgy cannot be read: %w", err)
	}
	return d, nil
}

// Memory is what an object will take, in bytes by region, known before anything is allocated.
type Memory = bindings.Memory
