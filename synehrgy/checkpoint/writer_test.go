package checkpoint_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

func TestTheSameModelIsTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	tensors := []checkpoint.TensorInfo{
		{Name: "b<&>", Dtype: checkpoint.F32, Shape: []int64{2, 3}}, {Name: "none", Dtype: checkpoint.F32, Shape: []int64{0}},
		{Name: "a", Dtype: checkpoint.U8, Shape: []int64{3}}, {Name: "scalar", Dtype: checkpoint.Bool}}
	metadata := map[string]string{"step": "7", "format": "pt", "config": "{}", "z": "\u2028 ü"}
	var first []byte
	for range 20 { // a map is walked in another order every time
		path := filepath.Join(dir, "m.safetensors")
		w, err := checkpoint.Create(path, tensors, metadata)
		require.NoError(t, err)
		require.NoError(t, w.F32("b<&>", []float32{1, 2, 3, 4}))
		require.NoError(t, w.F32("b<&>", []float32{5, float32(math.Inf(-1))}), "a tensor may come in parts")
		require.NoError(t, w.F32("none", nil))
		require.NoError(t, w.Bytes("a", []byte{7, 8, 9}))
		require.NoFileExists(t, path)
		require.NoError(t, w.Bytes("scalar", []byte{1}))
		require.NoError(t, w.Close())
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		if first == nil {
			first = got
		}
		require.Equal(t, first, got)
		require.NoError(t, os.Remove(path))
	}
	path := write(t, first)
	f, err := checkpoint.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, metadata, f.Metadata())
	require.Equal(t, int64(28), f.Tensors()[0].Bytes()+f.Tensors()[2].Bytes()+f.Tensors()[3].Bytes())
	got, err := f.F32("b<&>")
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5, float32(math.Inf(-1))}, got)
	require.Zero(t, (len(first)-28)%8, "the data begin at a multiple of eight")
	require.Contains(t, string(first[:len(first)-28]), `"b<&>"`, "no HTML escapes")
}

func TestWhatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		tensors []checkpoint.TensorInfo
		words   string
	}{
		"twice":       {[]checkpoint.TensorInfo{{"a", "U8", nil}, {"a", "U8", nil}}, "there twice"},
		"reserved":    {[]checkpoint.TensorInfo{{"__metadata__", "U8", nil}}, "reserved"},
		"not UTF-8":   {[]checkpoint.TensorInfo{{"\xff", "U8", nil}}, "not UTF-8"},
		"dtype":       {[]checkpoint.TensorInfo{{"a", "F8", nil}}, "unknown element type"},
		"negative":    {[]checkpoint.TensorInfo{{"a", "U8", []int64{-1}}}, "dimension -1"},
		"overflow":    {[]checkpoint.TensorInfo{{"a", "F64", []int64{1 << 61}}}, "more bytes than can be counted"},
		"sum of all":  {[]checkpoint.TensorInfo{{"a", "U8", []int64{1 << 62}}, {"b", "U8", []int64{1 << 62}}}, "more bytes than can be counted"},
		"not aligned": {[]checkpoint.TensorInfo{{"a", "U8", []int64{3}}, {"b", "F32", []int64{1}}}, "wider element types go first"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m")
			_, err := checkpoint.Create(path, c.tensors, nil)
			require.ErrorContains(t, err, c.words)
			require.ErrorContains(t, err, path)
			require.Empty(t, names(t, filepath.Dir(path)))
		})
	}
}

func TestAnIncompleteModelGetsNoName(t *testing.T) {
	tensors := []checkpoint.TensorInfo{{"a", checkpoint.F32, []int64{2}}, {"b", checkpoint.I32, []int64{1}}}
	for name, c := range map[string]struct {
		steps func(w *checkpoint.Writer) error
		words string
	}{
		"nothing":       {func(w *checkpoint.Writer) error { return nil }, `tensor "a" lacks 8 bytes`},
		"half a tensor": {func(w *checkpoint.Writer) error { return w.F32("a", []float32{1}) }, `tensor "a" lacks 4 bytes`},
		"one of two":    {func(w *checkpoint.Writer) error { return w.F32("a", []float32{1, 2}) }, `tensor "b" lacks 4 bytes`},
		"too much":      {func(w *checkpoint.Writer) error { return w.F32("a", []float32{1, 2, 3}) }, "room for 8"},
		"order":         {func(w *checkpoint.Writer) error { return w.Bytes("b", make([]byte, 4)) }, `where "a" is due`},
		"type":          {func(w *checkpoint.Writer) error { _ = w.F32("a", []float32{1, 2}); return w.F32("b", []float32{1}) }, "F32 numbers"},
		"after the last": {func(w *checkpoint.Writer) error {
			_ = w.F32("a", []float32{1, 2})
			_ = w.Bytes("b", make([]byte, 4))
			return w.Bytes("c", []byte{1})
		}, "after the last tensor"},
		"discarded early": {func(w *checkpoint.Writer) error {
			w.Discard()
			_ = w.F32("a", []float32{1, 2})
			return w.Bytes("b", make([]byte, 4))
		}, "written to after the end"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m")
			w, err := checkpoint.Create(path, tensors, nil)
			require.NoError(t, err)
			if err = c.steps(w); err == nil {
				err = w.Close()
			}
			w.Discard()
			require.ErrorContains(t, err, c.words)
			require.ErrorContains(t, err, path)
			require.Empty(t, names(t, filepath.Dir(path)))
		})
	}
}
