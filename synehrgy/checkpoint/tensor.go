package checkpoint

import (
	"fmt"
	"math"
	"math/bits"
)

// Dtype is the element type of a tensor, by its name in the safetensors format. Elements are little-endian.
type Dtype string

// The element types.
const (
	F64  Dtype = "F64"
	F32  Dtype = "F32"
	F16  Dtype = "F16"
	BF16 Dtype = "BF16"
	I64  Dtype = "I64"
	I32  Dtype = "I32"
	I16  Dtype = "I16"
	I8   Dtype = "I8"
	U8   Dtype = "U8"
	Bool Dtype = "BOOL" // one byte an element, 0 or 1
)

// Size is the number of bytes of one element, 0 for a type that is not one of the above.
func (d Dtype) Size() int64 {
	switch d {
	case F64, I64:
		return 8
	case F32, I32:
		return 4
	case F16, BF16, I16:
		return 2
	case I8, U8, Bool:
		return 1
	}
	return 0
}

// TensorInfo says what a tensor is. Data are in row-major order; the shape of a scalar is empty.
type TensorInfo struct {
	Name  string
	Dtype Dtype
	Shape []int64
}

// Elements is the product of the shape: 1 for a scalar, 0 when a dimension is 0. It is meaningful for the tensors of a File
// and for those a Writer accepted, whose sizes are known to fit.
func (t TensorInfo) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes is the size of the data of the tensor.
func (t TensorInfo) Bytes() int64 { return t.Elements() * t.Dtype.Size() }

// checkedBytes is Bytes for a shape that nobody has checked: the error says what is wrong with it. Zeros are multiplied last,
// so that a shape such as [2^40, 2^40, 0] is refused too.
func (t TensorInfo) checkedBytes() (int64, error) {
	if t.Dtype.Size() == 0 {
		return 0, fmt.Errorf("unknown element type %s", quote(string(t.Dtype)))
	}
	n, empty := uint64(t.Dtype.Size()), false
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d", d)
		}
		if d == 0 {
			empty = true
			continue
		}
		high, low := bits.Mul64(n, uint64(d))
		if high != 0 || low > math.MaxInt64 {
			return 0, fmt.Errorf("a shape of more bytes than can be counted")
		}
		n = low
	}
	if empty {
		return 0, nil
	}
	return int64(n), nil
}

// quote cites a name from a file that may be hostile: escaped, and short enough for one line.
func quote(name string) string {
	const most = 80
	if len(name) > most {
		return fmt.Sprintf("%q…", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
