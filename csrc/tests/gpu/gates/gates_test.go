package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/page"
)

const said = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN3syn4cuda39_GLOBAL__N__a655d02c_7_norm_cu_331451be17norm_forward_rowsILi4EEEvNS0_11NormForwardENS0_4MaskEi' for 'sm_80'
ptxas info    : Function properties for _ZN3syn4cuda39_GLOBAL__N__a655d02c_7_norm_cu_331451be17norm_forward_rowsILi4EEEvNS0_11NormForwardENS0_4MaskEi
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 53 registers, used 1 barriers, 492 bytes cmem[0]
ptxas info    : Compiling entry function '_ZN3syn4cuda39_GLOBAL__N__a655d02c_7_norm_cu_331451be4pageILi64ELi8EEEvNS0_4MaskE' for 'sm_90a'
    8 bytes stack frame, 12 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 48 registers
`

func TestParse(t *testing.T) {
	kernels, err := parse("norm", said)
	require.NoError(t, err)
	require.Equal(t, []kernel{
		{source: "norm", name: "norm_forward_rows", instance: "norm_forward_rows<4>", arch: "80", registers: 53},
		{source: "norm", name: "page", instance: "page<64, 8>", arch: "90a", registers: 48, stack: 8, spill: 16},
	}, kernels)
	_, err = parse("norm", said[:300])
	require.Error(t, err)
}

func TestASpillIsAFailure(t *testing.T) {
	kernels, err := parse("norm", said)
	require.NoError(t, err)
	require.NoError(t, check(kernels[:1], []string{"80"}))
	require.ErrorContains(t, check(kernels[1:], []string{"90a"}), "16 spilled")
	require.ErrorContains(t, check(kernels[:1], []string{"80", "90"}), "not compiled for sm_90")
}

func TestMachineCodeIsJudged(t *testing.T) {
	line := func(op string) string { return "        /*0010*/                   " + op + " R1, R2 ;  /* 0x0 */\n" }
	n, err := judge("norm", "80", line("FADD")+line("@!P0 MUFU.EX2"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for source, code := range map[string]string{
		"xent":              line("DFMA"),
		"norm":              line("@P1 STL.64"),
		"embedding":         line("REDG.E.ADD.F32.FTZ.RN"),
		"attention_forward": line("FADD"),
		"sample":            "",
	} {
		_, err := judge(source, "80", code)
		require.Error(t, err, source)
	}
	_, err = judge("adamw", "80", line("DFMA"))
	require.NoError(t, err)
}

func TestTheTableMustBeTrue(t *testing.T) {
	kernels, err := parse("norm", said)
	require.NoError(t, err)
	docs := filepath.Join(t.TempDir(), "cuda.md")
	require.NoError(t, os.WriteFile(docs, []byte("before\n"+page.Begin("gates")+"old\n"+page.End("gates")+"after\n"), 0o600))
	require.ErrorContains(t, table(docs, kernels, false), "norm_forward_rows")
	require.NoError(t, table(docs, kernels, true))
	require.NoError(t, table(docs, kernels, false))
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	require.Contains(t, string(text), "| `norm_forward_rows` | 1 | 53 | 0 | 0 | 0 |\n")
	require.Contains(t, string(text), "after\n")
	require.Error(t, table(filepath.Join(t.TempDir(), "none"), kernels, false))
}
