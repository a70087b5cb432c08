package checkpoint_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// FuzzOpen holds the reader to its word: any bytes are either a *fault.Input or tensors that cover the data exactly, all of
// which can be read, and writing them again gives a file with the same tensors.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{})
	f.Add(assemble(`{}`, 0))
	f.Add(assemble(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(assemble(`{"__metadata__":{"k":"v"},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]},"b":{"dtype":"BOOL","shape":[1,0],"data_offsets":[2,2]}}  `, 2))
	f.Add(assemble(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}}`, 12))
	f.Add(assemble(`{"a":{"dtype":"F32","shape":[4611686018427387905,2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := write(t, content)
		file, err := checkpoint.Open(path)
		if err != nil {
			requireInput(t, err, path, "found ")
			return
		}
		defer file.Close()
		total := int64(0)
		for _, info := range file.Tensors() {
			raw, err := file.Bytes(info.Name)
			require.NoError(t, err)
			require.EqualValues(t, info.Bytes(), len(raw))
			total += info.Bytes()
			_, asFloat := file.F64(info.Name)
			_, asInt := file.I32(info.Name)
			for _, err := range []error{asFloat, asInt} {
				var input *fault.Input
				require.True(t, err == nil || errors.As(err, &input), "%v", err)
			}
		}
		require.LessOrEqual(t, total, int64(len(content)))
		copied, err := rewrite(file, filepath.Join(t.TempDir(), "copy"))
		if err != nil {
			require.ErrorContains(t, err, "wider element types go first", "the one thing the writer refuses that the format allows")
			return
		}
		again, err := checkpoint.Open(copied)
		require.NoError(t, err)
		defer again.Close()
		require.Equal(t, file.Tensors(), again.Tensors())
		require.Equal(t, len(file.Metadata()), len(again.Metadata()))
	})
}

// rewrite copies a file tensor by tensor through the writer.
func rewrite(f *checkpoint.File, path string) (string, error) {
	w, err := checkpoint.Create(path, f.Tensors(), f.Metadata())
	if err != nil {
		return "", err
	}
	defer w.Discard()
	for _, info := range f.Tensors() {
		raw, err := f.Bytes(info.Name)
		if err != nil {
			return "", err
		}
		if err := w.Bytes(info.Name, raw); err != nil {
			return "", err
		}
	}
	return path, w.Close()
}

func TestEveryTruncationIsASentence(t *testing.T) {
	whole := assemble(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}`, 11)
	path := write(t, whole)
	for n := range whole {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		_, err := checkpoint.Open(path)
		requireInput(t, err, path, "found ")
	}
}
