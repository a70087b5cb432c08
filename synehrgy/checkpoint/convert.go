package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// This file turns the raw little-endian data of tensors into numbers and back. Data need not be aligned.

// floats converts a floating-point tensor to T.
func floats[T float32 | float64](t TensorInfo, data []byte) ([]T, error) {
	out := make([]T, t.Elements())
	switch t.Dtype {
	case F64:
		for i := range out {
			out[i] = T(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
	case F32:
		for i := range out {
			out[i] = T(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
		}
	case F16:
		for i := range out {
			out[i] = T(half(binary.LittleEndian.Uint16(data[2*i:])))
		}
	case BF16: // the upper half of a float32
		for i := range out {
			out[i] = T(math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16))
		}
	default:
		return nil, &complaint{fmt.Sprintf("tensor %s of type %s", quote(t.Name), t.Dtype), "floating-point numbers"}
	}
	return out, nil
}

// integers32 converts a tensor of whole numbers.
func integers32(t TensorInfo, data []byte) ([]int32, error) {
	out := make([]int32, t.Elements())
	switch t.Dtype {
	case I64:
		for i := range out {
			x := int64(binary.LittleEndian.Uint64(data[8*i:]))
			if int64(int32(x)) != x {
				return nil, &complaint{fmt.Sprintf("tensor %s with a number of more than 32 bits at element %d", quote(t.Name), i), "numbers of 32 bits"}
			}
			out[i] = int32(x)
		}
	case I32:
		for i := range out {
			out[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case I16:
		for i := range out {
			out[i] = int32(int16(binary.LittleEndian.Uint16(data[2*i:])))
		}
	case I8:
		for i := range out {
			out[i] = int32(int8(data[i]))
		}
	case U8, Bool:
		for i := range out {
			out[i] = int32(data[i])
		}
	default:
		return nil, &complaint{fmt.Sprintf("tensor %s of type %s", quote(t.Name), t.Dtype), "whole numbers"}
	}
	return out, nil
}

// half is the IEEE 754 binary16 number of those bits: 1 sign, 5 exponent (bias 15), 10 fraction.
func half(b uint16) float32 {
	sign := uint32(b>>15) << 31
	exponent, fraction := uint32(b>>10)&0x1f, uint32(b)&0x3ff
	switch exponent {
	case 0: // zero and subnormal: fraction * 2^-24, which float32 holds exactly
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
