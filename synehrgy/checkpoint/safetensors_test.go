package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// assemble is a file of that header and that many bytes of data.
func assemble(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func requireInput(t *testing.T, err error, path, words string) {
	t.Helper()
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.Equal(t, path, input.File)
	require.Contains(t, err.Error(), words)
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 600)
}

func TestHostileFilesAreSentences(t *testing.T) {
	const one = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	length := func(n uint64) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), one...) }
	tensor := func(dtype, shape, offsets string) []byte {
		return assemble(fmt.Sprintf(`{"a":{"dtype":%s,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets), 8)
	}
	for name, c := range map[string]struct {
		content []byte
		words   string
	}{
		"empty":                   {nil, "found 0 bytes"},
		"seven bytes":             {make([]byte, 7), "found 7 bytes"},
		"header beyond the file":  {length(uint64(len(one)) + 1), "header length"},
		"header of 2^64-1":        {length(math.MaxUint64), "header length"},
		"header over the cap":     {length(100<<20 + 1), "at most 104857600 bytes"},
		"no header":               {length(0), "not JSON text"},
		"header not UTF-8":        {assemble("{\"\xff\":{}}", 0), "not JSON text"},
		"header cut":              {assemble(one[:len(one)-2], 8), "not the JSON"},
		"an array":                {assemble(`[]`, 0), "not JSON text"},
		"second object":           {assemble(one+"{}", 8), "after the JSON object"},
		"data cut":                {assemble(one, 7), "7 bytes of data where tensor \"a\" ends at byte 8"},
		"data too long":           {assemble(one, 9), "1 bytes after the last tensor"},
		"no data":                 {assemble(one, 0), "was not cut short"},
		"unknown dtype":           {tensor(`"F8"`, `[8]`, `[0,8]`), "unknown element type \"F8\""},
		"dtype a number":          {tensor(`1`, `[8]`, `[0,8]`), "not text"},
		"dtype null":              {tensor(`null`, `[8]`, `[0,8]`), "not text"},
		"negative dimension":      {tensor(`"F32"`, `[-2]`, `[0,8]`), "shape of tensor \"a\""},
		"fractional dimension":    {tensor(`"F32"`, `[2.0]`, `[0,8]`), "shape of tensor \"a\""},
		"text dimension":          {tensor(`"F32"`, `["2"]`, `[0,8]`), "shape of tensor \"a\""},
		"nested dimension":        {tensor(`"F32"`, `[[2]]`, `[0,8]`), "shape of tensor \"a\""},
		"shape overflows to 8":    {tensor(`"F32"`, `[4611686018427387905,2]`, `[0,8]`), "more bytes than can be counted"},
		"overflow behind a zero":  {tensor(`"F32"`, `[4294967296,4294967296,0]`, `[0,0]`), "more bytes than can be counted"},
		"dimension of 2^64":       {tensor(`"F32"`, `[18446744073709551616]`, `[0,8]`), "shape of tensor \"a\""},
		"too small a shape":       {tensor(`"F32"`, `[1]`, `[0,8]`), "expected 4 bytes"},
		"too large a shape":       {tensor(`"F32"`, `[3]`, `[0,8]`), "expected 12 bytes"},
		"offsets reversed":        {tensor(`"F32"`, `[2]`, `[8,0]`), "beginning at byte 8"},
		"offsets past 2^63":       {tensor(`"F32"`, `[2]`, `[0,9223372036854775808]`), "data_offsets"},
		"three offsets":           {tensor(`"F32"`, `[2]`, `[0,4,8]`), "two data_offsets"},
		"hole at the beginning":   {tensor(`"F32"`, `[1]`, `[4,8]`), "beginning at byte 4"},
		"missing dtype":           {assemble(`{"a":{"shape":[2],"data_offsets":[0,8]}}`, 8), "without its dtype"},
		"unknown key":             {assemble(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}}`, 8), "\"strides\""},
		"key twice":               {assemble(`{"a":{"dtype":"F64","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "\"dtype\" twice"},
		"tensor twice":            {assemble(one[:len(one)-1]+","+one[1:], 8), "\"a\" twice"},
		"metadata twice":          {assemble(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		"metadata key twice":      {assemble(`{"__metadata__":{"k":"1","k":"2"}}`, 0), "metadata \"k\" twice"},
		"metadata a number":       {assemble(`{"__metadata__":{"k":1}}`, 0), "not text"},
		"metadata nested":         {assemble(`{"__metadata__":{"k":{}}}`, 0), "not text"},
		"tensor a number":         {assemble(`{"a":1}`, 0), "not the JSON"},
		"overlap":                 {assemble(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), "beginning at byte 4"},
		"same bytes twice":        {assemble(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, 8), "beginning at byte 0"},
		"hole in the middle":      {assemble(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), "beginning at byte 4"},
		"a name of a million":     {assemble(`{"`+strings.Repeat("n", 1<<20)+`":{"dtype":"F8","shape":[],"data_offsets":[0,0]}}`, 0), "nnn\"…"},
		"a name with a line feed": {assemble(`{"a\nb":{"dtype":"F8","shape":[],"data_offsets":[0,0]}}`, 0), `a\nb`},
		"deep nesting":            {assemble(`{"a":`+strings.Repeat("[", 1<<16), 0), "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.content)
			f, err := checkpoint.Open(path)
			require.Nil(t, f)
			requireInput(t, err, path, c.words)
		})
	}
}

func TestPlacesThatAreNoFileAreSentences(t *testing.T) {
	dir := t.TempDir()
	for path, words := range map[string]string{
		filepath.Join(dir, "absent"): "no such file",
		dir:                          "not a regular file",
	} {
		_, err := checkpoint.Open(path)
		requireInput(t, err, path, words)
	}
}

func TestTensorsOutOfOrderInTheHeaderAreFound(t *testing.T) {
	b := assemble(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}, "e":{"dtype":"I64","shape":[0,9],"data_offsets":[2,2]},
		"__metadata__":{"k":"v"}, "a":{"data_offsets":[0,2],"shape":[1,2],"dtype":"I8"}}   `, 0)
	f, err := checkpoint.Open(write(t, append(b, 0xff, 2, 3)))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []checkpoint.TensorInfo{{"a", "I8", []int64{1, 2}}, {"e", "I64", []int64{0, 9}}, {"b", "U8", []int64{1}}}, f.Tensors())
	require.Equal(t, map[string]string{"k": "v"}, f.Metadata())
	for name, want := range map[string][]int32{"a": {-1, 2}, "e": {}, "b": {3}} {
		got, err := f.I32(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestNumbersOfEveryTypeAreConverted(t *testing.T) {
	le := binary.LittleEndian
	halves := []uint16{0x3c00, 0xc000, 0x7bff, 0x0001, 0x8400, 0x7c00, 0xfc00, 0x8000}
	asFloats := []float64{1, -2, 65504, math.Ldexp(1, -24), -math.Ldexp(1, -14), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}
	var f16, bf16, f32, f64 []byte
	for i, x := range asFloats {
		f16 = le.AppendUint16(f16, halves[i])
		bf16 = le.AppendUint16(bf16, uint16(math.Float32bits(float32(x))>>16))
		f32 = le.AppendUint32(f32, math.Float32bits(float32(x)))
		f64 = le.AppendUint64(f64, math.Float64bits(x))
	}
	asBF16 := append([]float64{}, asFloats...)
	asBF16[2] = 65280 // the seven bits of fraction that remain of 65504
	for dtype, c := range map[checkpoint.Dtype]struct {
		raw  []byte
		want []float64
	}{checkpoint.F16: {f16, asFloats}, checkpoint.BF16: {bf16, asBF16}, checkpoint.F32: {f32, asFloats}, checkpoint.F64: {f64, asFloats}} {
		t.Run(string(dtype), func(t *testing.T) {
			f := reopen(t, checkpoint.TensorInfo{Name: "x", Dtype: dtype, Shape: []int64{8}}, c.raw)
			wide, err := f.F64("x")
			require.NoError(t, err)
			narrow, err := f.F32("x")
			require.NoError(t, err)
			for i, x := range c.want {
				require.Equal(t, math.Float64bits(x), math.Float64bits(wide[i]), "element %d", i)
				require.Equal(t, math.Float32bits(float32(x)), math.Float32bits(narrow[i]), "element %d", i)
			}
			_, err = f.I32("x")
			require.ErrorContains(t, err, "expected whole numbers")
		})
	}
	for dtype, c := range map[checkpoint.Dtype]struct {
		raw  []byte
		want []int32
	}{
		checkpoint.I64:  {le.AppendUint64(le.AppendUint64(nil, math.MaxUint64), math.MaxInt32), []int32{-1, math.MaxInt32}},
		checkpoint.I32:  {le.AppendUint32(le.AppendUint32(nil, math.MaxUint32), 7), []int32{-1, 7}},
		checkpoint.I16:  {le.AppendUint16(le.AppendUint16(nil, 0x8000), 7), []int32{math.MinInt16, 7}},
		checkpoint.I8:   {[]byte{0x80, 7}, []int32{-128, 7}},
		checkpoint.U8:   {[]byte{0x80, 7}, []int32{128, 7}},
		checkpoint.Bool: {[]byte{0, 1}, []int32{0, 1}},
	} {
		t.Run(string(dtype), func(t *testing.T) {
			f := reopen(t, checkpoint.TensorInfo{Name: "x", Dtype: dtype, Shape: []int64{2}}, c.raw)
			got, err := f.I32("x")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			_, err = f.F32("x")
			require.ErrorContains(t, err, "expected floating-point numbers")
			_, err = f.F64("x")
			require.ErrorContains(t, err, "expected floating-point numbers")
		})
	}
	f := reopen(t, checkpoint.TensorInfo{Name: "x", Dtype: checkpoint.I64, Shape: []int64{}}, le.AppendUint64(nil, 1<<31))
	_, err := f.I32("x")
	require.ErrorContains(t, err, "more than 32 bits at element 0")
}

// reopen writes one tensor and opens the file again.
func reopen(t *testing.T, info checkpoint.TensorInfo, raw []byte) *checkpoint.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	w, err := checkpoint.Create(path, []checkpoint.TensorInfo{info}, nil)
	require.NoError(t, err)
	require.NoError(t, w.Bytes(info.Name, raw))
	require.NoError(t, w.Close())
	f, err := checkpoint.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func TestAClosedFileAndAnAbsentTensorAreErrors(t *testing.T) {
	f := reopen(t, checkpoint.TensorInfo{Name: "x", Dtype: checkpoint.U8, Shape: []int64{1}}, []byte{5})
	_, err := f.F32("y")
	require.ErrorContains(t, err, `no tensor "y"`)
	_, ok := f.Tensor("y")
	require.False(t, ok)
	info, ok := f.Tensor("x")
	require.True(t, ok)
	info.Shape[0] = 99
	again, _ := f.Tensor("x")
	require.Equal(t, []int64{1}, again.Shape, "a caller cannot change the file")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, err = f.I32("x")
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestAFileCutShortWhileOpenIsASentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	const n = 1 << 20
	w, err := checkpoint.Create(path, []checkpoint.TensorInfo{{Name: "x", Dtype: checkpoint.F32, Shape: []int64{n}}}, nil)
	require.NoError(t, err)
	require.NoError(t, w.F32("x", make([]float32, n)))
	require.NoError(t, w.Close())
	f, err := checkpoint.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.Truncate(path, 4096))
	_, err = f.F32("x")
	requireInput(t, err, path, "cut short while it was read")
	_, err = f.Bytes("x")
	requireInput(t, err, path, "cut short while it was read")
}

func TestReadingAndClosingAtOnceIsSafe(t *testing.T) {
	const n = 1 << 16
	raw := make([]byte, n)
	f := reopen(t, checkpoint.TensorInfo{Name: "x", Dtype: checkpoint.U8, Shape: []int64{n}}, raw)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				got, err := f.I32("x")
				if !errors.Is(err, os.ErrClosed) && (err != nil || len(got) != n) {
					t.Errorf("%d numbers and %v, expected %d or a closed file", len(got), err, n)
				}
			}
		})
	}
	wg.Go(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}
