package checkpoint_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
)

// golden lists the files of that pattern under $SYNEHRGY_GOLDEN, by default ../shared/golden beside the repository.
func golden(t *testing.T, pattern string) []string {
	t.Helper()
	root, chosen := os.LookupEnv("SYNEHRGY_GOLDEN")
	if !chosen {
		root = filepath.Join("..", "..", "..", "shared", "golden")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", pattern))
	require.NoError(t, err)
	if len(files) == 0 && chosen {
		t.Fatalf("SYNEHRGY_GOLDEN is %s, which holds no */%s", root, pattern)
	}
	if len(files) == 0 {
		t.Skipf("no golden files: %s is missing (set SYNEHRGY_GOLDEN)", root)
	}
	return files
}

// name is the last two parts of a path.
func name(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}

func TestGoldenFilesSurviveARoundTrip(t *testing.T) {
	for _, path := range golden(t, "*.safetensors") {
		t.Run(name(path), func(t *testing.T) {
			f, err := checkpoint.Open(path)
			require.NoError(t, err)
			defer f.Close()
			require.NotEmpty(t, f.Tensors())
			for _, info := range f.Tensors() {
				if info.Dtype == checkpoint.I32 {
					_, err := f.I32(info.Name)
					require.NoError(t, err)
					continue
				}
				values, err := f.F64(info.Name)
				require.NoError(t, err)
				for i, x := range values {
					require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%s, element %d", info.Name, i)
				}
			}
			copied, err := rewrite(f, filepath.Join(t.TempDir(), "copy.safetensors"))
			require.NoError(t, err)
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			got, err := os.ReadFile(copied)
			require.NoError(t, err)
			require.True(t, string(want) == string(got), "the whole file, header included, is byte for byte what the Python package wrote")
		})
	}
}

func TestGoldenConfigsSurviveARoundTrip(t *testing.T) {
	for _, path := range golden(t, "config.json") {
		t.Run(name(path), func(t *testing.T) {
			want, err := checkpoint.ReadConfig(path)
			require.NoError(t, err)
			copied := filepath.Join(t.TempDir(), "config.json")
			require.NoError(t, checkpoint.WriteConfig(copied, want))
			got, err := checkpoint.ReadConfig(copied)
			require.NoError(t, err)
			require.Equal(t, want, got)

			f, err := checkpoint.Open(filepath.Join(filepath.Dir(path), "model.safetensors"))
			require.NoError(t, err)
			defer f.Close()
			table := "transformer.wte.weight"
			if got.Family == checkpoint.Llama {
				table = "model.embed_tokens.weight"
			}
			info, ok := f.Tensor(table)
			require.True(t, ok)
			require.Equal(t, []int64{int64(got.Vocab), int64(got.Width)}, info.Shape, "the config speaks of these weights")
		})
	}
}
