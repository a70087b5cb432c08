package symbol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKernel(t *testing.T) {
	for mangled, want := range map[string][2]string{
		"_ZN3syn4cuda12_GLOBAL__N_117norm_forward_rowsILi4EEEvNS0_11NormForwardENS0_4MaskEi": {"norm_forward_rows", "norm_forward_rows<4>"},
		"_ZN3syn4cuda39_GLOBAL__N__a655d02c_7_norm_cu_331451be4pageILi64ELi8EEEvNS0_4MaskE":  {"page", "page<64, 8>"},
		"_ZN3syn4cuda12_GLOBAL__N_19xent_rowsENS0_4XentE":                                    {"xent_rows", "xent_rows"},
	} {
		name, instance, err := Kernel(mangled)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{name, instance})
	}
	_, _, err := Kernel("main")
	require.ErrorContains(t, err, "main")
}
