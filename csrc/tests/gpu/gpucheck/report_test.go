package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func madeUp() *report {
	return &report{
		machine: machine{
			Device: "NVIDIA H100 80GB HBM3, compute capability 9.0, 79.6 GiB, driver 13.0, runtime 13.5, cuBLASLt 13.10.0", Driver: "580.65",
			Toolkit: "nvcc release 13.5, V13.5.37", Library: "0.1.0, stamp 830a2af8",
		},
		Taken: "2031-02-03T04:05:06Z", Seconds: 100,
		Parts: []part{
			{Name: "tests", Outcome: passed, Detail: "54 cases, twice with the same bits", Seconds: 12},
			{Name: "memcheck", Outcome: passed, Detail: "54 cases, 0 errors"},
			{Name: "op times", Outcome: passed, Detail: "3 calls"},
			{Name: "PyTorch", Outcome: notRun, Optional: true, Detail: "not | found\nhere"},
		},
		Limits: "at the bandwidth and the peaks that NVIDIA publishes of the H100 SXM",
		Ops: []opTime{
			{Pass: "training", Op: "norm_forward", Sizes: "rows=8192 width=384", Seconds: 20e-6, Least: 19.5e-6, Bound: 13.17e-6},
			{Pass: "training", Op: "attention_backward", Sizes: "rows=8192", Seconds: 163e-6, Least: 160e-6, Bound: 16.3e-6, ByOperations: true},
			{Pass: "decoding", Op: "sample", Sizes: "rows=256", Seconds: 5e-6, Least: 4e-6},
		},
		Rates: []rate{{"training, packed records", 1234567.8, "synehrgy bench train --device cuda"}},
	}
}

const madeUpPage = `# GPU check

3 of 4 parts passed; not run: PyTorch.

| | |
|---|---|
| device | NVIDIA H100 80GB HBM3, compute capability 9.0, 79.6 GiB, driver 13.0, runtime 13.5, cuBLASLt 13.10.0 |
| driver | 580.65 |
| toolkit | nvcc release 13.5, V13.5.37 |
| library | 0.1.0, stamp 830a2af8 |
| begun | 2031-02-03T04:05:06Z |

## Parts

| part | outcome | what was counted, or why not |
|---|---|---|
| tests | passed | 54 cases, twice with the same bits |
| memcheck | passed | 54 cases, 0 errors |
| op times | passed | 3 calls |
| PyTorch | not run | not \| found here |

## Time of each op

The median of 21 calls at the published shape (docs/cuda.md), each on cold caches, between two events. The bound is the time for the least that the mathematics needs, at the bandwidth and the peaks that NVIDIA publishes of the H100 SXM; share is bound / time.

| pass | op | time | least | bound | share | sizes |
|---|---|---|---|---|---|---|
| training | ¬norm_forward¬ | 20.00 µs | 19.50 µs | 13.17 µs | 66 % | rows=8192 width=384 |
| training | ¬attention_backward¬ | 163.00 µs | 160.00 µs | 16.30 µs (operations) | 10 % | rows=8192 |
| decoding | ¬sample¬ | 5.00 µs | 4.00 µs | – | – | rows=256 |

## Tokens a second

| what | tokens/s | command |
|---|---|---|
| training, packed records | 1234568 | ¬synehrgy bench train --device cuda¬ |
`

func TestThePage(t *testing.T) {
	r := madeUp()
	require.Equal(t, strings.ReplaceAll(madeUpPage, "¬", "`"), r.page())

	r.Emulation, r.Ops, r.Rates, r.Driver = true, nil, nil, ""
	r.Parts[0].Outcome, r.Parts[0].Detail = failed, "2 of the cases failed: A.b, A.c"
	first, rest, _ := strings.Cut(r.page(), "\n")
	require.Equal(t, "# This is an emulation, not a GPU: it tries the flow of `./dev gpu-check`, and its times are left out", first)
	require.Contains(t, rest, "2 of 4 parts passed; failed: tests; not run: PyTorch.")
	require.Contains(t, rest, "| tests | failed | 2 of the cases failed: A.b, A.c |")
	require.Contains(t, rest, "| driver | – |")
	require.NotContains(t, rest, "µs")
	require.NotContains(t, rest, "tokens/s")
}

func TestTheExitCodeSaysWhatCameOfIt(t *testing.T) {
	for want, parts := range map[int][]part{
		exitPassed: {{Outcome: passed}, {Outcome: notRun, Optional: true}},
		exitNotRun: {{Outcome: passed}, {Outcome: notRun}},
		exitFailed: {{Outcome: notRun}, {Outcome: failed, Optional: true}},
	} {
		require.Equal(t, want, (&report{Parts: parts}).exitCode())
	}
}

func TestAReportIsWrittenWhole(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	r := madeUp()
	require.NoError(t, r.write(folder))
	text, err := os.ReadFile(filepath.Join(folder, "gpu-report.json"))
	require.NoError(t, err)
	var again report
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, r, &again)
	page, err := os.ReadFile(filepath.Join(folder, "gpu-report.md"))
	require.NoError(t, err)
	require.Equal(t, r.page(), string(page))

	taken := t.TempDir() // where the page belongs lies a folder
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "gpu-report.md", "x"), 0o700))
	require.ErrorContains(t, r.write(taken), "the report cannot be written")
	left, err := filepath.Glob(filepath.Join(taken, "*.part"))
	require.NoError(t, err)
	require.Empty(t, left)
}
