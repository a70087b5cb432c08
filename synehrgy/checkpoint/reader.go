package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// File is an open safetensors file, mapped into memory: opening reads the header alone, data are paged in as they are asked
// for. Its methods may be called from several goroutines, Close included.
type File struct {
	path    string
	header  *header
	index   map[string]int // into header.entries
	mu      sync.RWMutex   // held for reading while the mapping is read
	mapping []byte
	closed  bool
}

// Open reads and checks the header of a safetensors file. A file that is not one, whose tensors overlap, leave a hole, do
// not match their shapes or do not cover the file to its end, is a *fault.Input. The caller closes the file.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &fault.Input{File: path, Found: reason(err).Error(), Expected: "a safetensors file", Err: err}
	}
	defer file.Close() // a mapping outlives the descriptor
	mapping, err := mapFile(file)
	if err != nil {
		return nil, &fault.Input{File: path, Found: reason(err).Error(), Expected: "a safetensors file", Err: err}
	}
	f := &File{path: path, mapping: mapping, index: map[string]int{}}
	if err := f.guard(func() (err error) {
		f.header, err = parseHeader(mapping)
		return err
	}); err != nil {
		f.Close()
		return nil, err
	}
	for i, e := range f.header.entries {
		f.index[e.Name] = i
	}
	return f, nil
}

func mapFile(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("something that is not a regular file")
	}
	if info.Size() == 0 {
		return nil, nil // mmap refuses a length of 0; parseHeader says what is wrong
	}
	if int64(int(info.Size())) != info.Size() {
		return nil, fmt.Errorf("a file of %d bytes, more than this machine can address", info.Size())
	}
	return syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
}

// Close unmaps the file; what was read before stays valid. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	mapping := f.mapping
	f.mapping = nil
	if mapping == nil {
		return nil
	}
	if err := syscall.Munmap(mapping); err != nil {
		return fmt.Errorf("%s cannot be closed: %w", f.path, err)
	}
	return nil
}

// Tensors lists the tensors in the order of their data.
func (f *File) Tensors() []TensorInfo {
	out := make([]TensorInfo, len(f.header.entries))
	for i, e := range f.header.entries {
		out[i] = e.TensorInfo
		out[i].Shape = slices.Clone(e.Shape)
	}
	return out
}

// Tensor describes the tensor of that name; ok is false when there is none.
func (f *File) Tensor(name string) (info TensorInfo, ok bool) {
	i, ok := f.index[name]
	if !ok {
		return TensorInfo{}, false
	}
	info = f.header.entries[i].TensorInfo
	info.Shape = slices.Clone(info.Shape)
	return info, true
}

// Metadata returns a copy of the text-to-text metadata of the file, nil when it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.header.metadata) }

// Bytes returns a copy of the raw little-endian data of a tensor.
func (f *File) Bytes(name string) ([]byte, error) {
	var out []byte
	err := f.view(name, func(_ TensorInfo, data []byte) error {
		out = slices.Clone(data)
		return nil
	})
	return out, err
}

// F32 returns the elements of a floating-point tensor as float32: exact for F32, F16 and BF16, rounded to nearest for F64.
// A tensor of whole numbers is a *fault.Input.
func (f *File) F32(name string) ([]float32, error) {
	var out []float32
	err := f.view(name, func(t TensorInfo, data []byte) (err error) {
		out, err = floats[float32](t, data)
		return err
	})
	return out, err
}

// F64 returns the elements of a floating-point tensor as float64, exactly. A tensor of whole numbers is a *fault.Input.
func (f *File) F64(name string) ([]float64, error) {
	var out []float64
	err := f.view(name, func(t TensorInfo, data []byte) (err error) {
		out, err = floats[float64](t, data)
		return err
	})
	return out, err
}

// I32 returns the elements of a tensor of whole numbers or of booleans (0, 1) as int32. A floating-point tensor, and one with
// a number that does not fit, is a *fault.Input.
func (f *File) I32(name string) ([]int32, error) {
	var out []int32
	err := f.view(name, func(t TensorInfo, data []byte) (err error) {
		out, err = integers32(t, data)
		return err
	})
	return out, err
}

// view lets read look at a tensor of the mapping.
func (f *File) view(name string, read func(t TensorInfo, data []byte) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return fmt.Errorf("%s: %w", f.path, os.ErrClosed)
	}
	i, ok := f.index[name]
	if !ok {
		return &fault.Input{File: f.path, Found: "no tensor " + quote(name), Expected: "one"}
	}
	e := f.header.entries[i]
	return f.guard(func() error {
		return read(e.TensorInfo, f.mapping[f.header.data+e.begin:f.header.data+e.end])
	})
}

// guard runs what reads the mapping. A file that another process cuts short under us makes the kernel raise SIGBUS at the
// missing page; here that ends in a sentence like every other fault of the file.
func (f *File) guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, missingPage := r.(interface{ Addr() uintptr }); !missingPage {
			panic(r)
		}
		err = &fault.Input{File: f.path, Found: "a file that was cut short while it was read", Expected: "one that stays as it is"}
	}()
	if err = read(); err == nil {
		return nil
	}
	var c *complaint
	if errors.As(err, &c) {
		return &fault.Input{File: f.path, Found: c.found, Expected: c.expected}
	}
	return err
}
