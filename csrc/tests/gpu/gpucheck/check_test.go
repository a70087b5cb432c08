package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/cost"
)

// Programs that say what the real ones say of a device; FAKE names what goes wrong.
const (
	fakeProgram = `#!/bin/sh
out=; train=; previous=
for word in "$@"; do
  case $previous in --out) out=$word ;; --device) device=$word ;; esac
  previous=$word
done
[ -z "$out" ] || mkdir -p "$out"
case "$*" in
  *doctor*)
    echo '{"type":"doctor","stamp":"abc","library":{"version":"9.9","backends":["cpu"'"$([ "$FAKE" = none ] || echo ',"cuda"')"'],"cuda":"'"${FAKE_DEVICE:-NVIDIA H200, compute capability 9.0, 139 GiB}"'"}}' ;;
  *"bench "*)
    echo '{"type":"bench","tokens_per_s":1000.5,"tokens":77,"precision":"bf16"}' ;;
  *" generate "*|"generate "*)
    mkdir -p "$out/data" "$out/metadata"
    n=1; case "$*" in *"--slots 7"*) [ "$FAKE" != slots ] || n=2 ;; esac
    echo "$n" >"$out/data/0.parquet"
    bits=8.5; [ "$FAKE$device" != drawncuda ] || bits=3.1
    echo '{"patients":200,"tokens":5000,"parse_failures":0,"no_legal_logit":0,"bits_masked":'$bits'}' >"$out/metadata/generation.json" ;;
  *"train "*)
    mkdir -p "$out/last"
    loss=9.001; [ "$device" = cpu ] || loss=9.002
    [ "$FAKE$device" != losscuda ] || loss=9.1
    echo '{"type":"train","step":1,"bits_per_token":'$loss',"grad_norm":0.9}' >"$out/metrics.jsonl"
    [ "$device" = cpu ] || echo '{"type":"telemetry","stage":"train","step":1}' >>"$out/metrics.jsonl"
    weights=1; [ "$FAKE" != weights ] || weights=$out
    echo "$weights" >"$out/last/model.safetensors" ;;
esac
`
	fakeTests = `#!/bin/sh
case ${1:-} in
  --time=21) echo "bandwidth 1008096000000"; while read -r call; do echo "time $call median=2.5000e-05 least=2.4000e-05"; done; exit 0 ;;
esac
if [ "$FAKE" = cases ]; then
  printf '[  FAILED  ] GpuNorm.right (3 ms)\n[  PASSED  ] 53 tests.\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] GpuNorm.right\n'
  exit 1
fi
echo '[  PASSED  ] 54 tests.'
digest=00ff; [ "$FAKE" != digest ] || digest=$$
echo "digest $(printf %x 0x$digest)"
`
	fakeSanitizer = `#!/bin/sh
tool=$2
shift 6
"$@" || exit $?
echo "========= COMPUTE-SANITIZER"
case $tool in
  racecheck)
    [ "$FAKE" != race ] || { echo "========= Race reported at x"; echo "========= RACECHECK SUMMARY: 3 hazards displayed (3 errors, 0 warnings)"; exit 99; }
    echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)" ;;
  *) echo "========= ERROR SUMMARY: 0 errors" ;;
esac
`
)

// fake is a check whose programs are the fakes, and what it says.
func fake(t *testing.T) (c *check, log *bytes.Buffer) {
	t.Helper()
	folder := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
		return path
	}
	log = &bytes.Buffer{}
	script("toolkit/bin/compute-sanitizer", fakeSanitizer)
	script("toolkit/bin/nvcc", "#!/bin/sh\necho 'Cuda compilation tools, release 13.5, V13.5.37'\n")
	return &check{
		device: "cuda", tests: script("tests", fakeTests), program: script("synehrgy", fakeProgram), toolkit: filepath.Join(folder, "toolkit"),
		python: script("python", "#!/bin/sh\nexit 1\n"), log: log,
	}, log
}

func reported(t *testing.T, folder string) (r report, page string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "gpu-report.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))
	text, err = os.ReadFile(filepath.Join(folder, "gpu-report.md"))
	require.NoError(t, err)
	return r, string(text)
}

func TestADeviceIsTried(t *testing.T) {
	c, log := fake(t)
	out := t.TempDir()
	require.Equal(t, exitPassed, c.command(t.Context(), false, out), log)
	r, page := reported(t, out)
	require.Equal(t, "nvcc release 13.5, V13.5.37", r.Toolkit)
	require.Len(t, r.Parts, 11)
	require.Equal(t, []string{"PyTorch"}, r.named(notRun, false))
	require.Len(t, r.Ops, len(cost.Published()))
	require.InDelta(t, 44.1088e6/4800e9, r.Ops[0].Bound, 1e-8, "norm_forward on an H200")
	require.Contains(t, page, "| training | `norm_forward` | 25.00 µs | 24.00 µs | 9.19 µs | 37 % |")
	require.Contains(t, page, "NVIDIA publishes of the H200 SXM")
	require.Len(t, r.Rates, 2)
	require.NoDirExists(t, c.folder)
	require.Contains(t, log.String(), "gpu-check: 10 of 11 parts passed; not run: PyTorch\n")
}

func TestADeviceThatIsNotListedIsHeldToWhatItReports(t *testing.T) {
	c, log := fake(t)
	t.Setenv("FAKE_DEVICE", "NVIDIA GeForce RTX 4090, compute capability 8.9, 23.6 GiB")
	out := t.TempDir()
	require.Equal(t, exitPassed, c.command(t.Context(), false, out), log)
	_, page := reported(t, out)
	require.Contains(t, page, "at the 1008 GB/s that the device reports")
	require.NotContains(t, page, "(operations)")
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	for fault, want := range map[string]struct{ part, detail string }{
		"cases":   {"tests", "1 of the cases failed: GpuNorm.right"},
		"digest":  {"tests", "with results of other bits"},
		"race":    {"racecheck", "3 hazards: Race reported at x; RACECHECK SUMMARY: 3 hazards"},
		"loss":    {"training", "train at step 1: 9.1 bits per token on the device, 9.001 on the CPU in bf16"},
		"weights": {"training", "trained twice: model.safetensors has other bytes"},
		"slots":   {"generation", "with 64 and with 7 slots: 0.parquet has other bytes"},
		"drawn":   {"generation", "3.1 bits a token under model and grammar on the device, 8.5 on the CPU"},
	} {
		t.Run(fault, func(t *testing.T) {
			c, log := fake(t)
			t.Setenv("FAKE", fault)
			out := t.TempDir()
			require.Equal(t, exitFailed, c.command(t.Context(), false, out), log)
			r, _ := reported(t, out)
			require.Contains(t, r.named(failed, false), want.part)
			for _, p := range r.Parts {
				if p.Name == want.part {
					require.Contains(t, p.Detail, want.detail)
				}
			}
		})
	}
}

func TestWithoutADeviceNothingIsWritten(t *testing.T) {
	c, log := fake(t)
	t.Setenv("FAKE", "none")
	t.Setenv("FAKE_DEVICE", "there is no CUDA device: the driver works and lists none")
	out := t.TempDir()
	require.Equal(t, exitNoDevice, c.command(t.Context(), false, out))
	require.Equal(t, "gpu-check: there is no CUDA device: the driver works and lists none\n", log.String())
	left, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAnInterruptLeavesNothing(t *testing.T) {
	c, _ := fake(t)
	about, err := c.find(t.Context())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = c.run(ctx, about)
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, c.folder)
}

func TestWithoutTheSanitizerItsPartsAreNotRun(t *testing.T) {
	c, log := fake(t)
	require.NoError(t, os.Remove(filepath.Join(c.toolkit, "bin/compute-sanitizer")))
	mkdir, err := exec.LookPath("mkdir")
	require.NoError(t, err)
	path := t.TempDir() // what the fakes call, and no compute-sanitizer of this machine
	require.NoError(t, os.Symlink(mkdir, filepath.Join(path, "mkdir")))
	t.Setenv("PATH", path)
	out := t.TempDir()
	require.Equal(t, exitNotRun, c.command(t.Context(), false, out), log)
	r, page := reported(t, out)
	require.Equal(t, append(append([]string{}, sanitizers...), "PyTorch"), r.named(notRun, false))
	require.Contains(t, page, "| memcheck | not run | compute-sanitizer was not found, neither in the toolkit nor on the path |")
}

func TestTimesThatAreNoneAreRefused(t *testing.T) {
	calls := []cost.Call{{Pass: "training", Text: "dropout rows=1 width=4"}}
	ops, err := opTimes(calls, "bandwidth 5\ntime dropout rows=1 width=4 median=2e-6 least=1e-6\n")
	require.NoError(t, err)
	require.Equal(t, []opTime{{Pass: "training", Op: "dropout", Sizes: "rows=1 width=4", Seconds: 2e-6, Least: 1e-6}}, ops)
	for text, want := range map[string]string{
		"": "0 calls were timed, expected 1",
		"time dropout rows=2 width=4 median=2e-6 least=1e-6\n": `"dropout rows=2 width=4" was timed`,
		"time dropout rows=1 width=4 median=0 least=0\n":       "expected seconds above 0",
		"time dropout rows=1 width=4 median=nan least=1\n":     "expected seconds above 0",
	} {
		_, err := opTimes(calls, text)
		require.ErrorContains(t, err, want)
	}
}

// What is built, with the emulation in the device's place: GPUCHECK_ROOT is a tree whose programs are built (check.sh sets it).
func TestTheEmulationIsTried(t *testing.T) {
	root := os.Getenv("GPUCHECK_ROOT")
	if root == "" {
		t.Skip("GPUCHECK_ROOT is not set: ./dev cuda-check does it when it has built the programs")
	}
	var log bytes.Buffer
	c := &check{
		device: emulation, tests: filepath.Join(root, "build/cpu/csrc/tests/gpu/syn_gpu_tests"), program: filepath.Join(root, "bin/synehrgy"),
		log: &log,
	}
	out := t.TempDir()
	require.Equal(t, exitNotRun, c.command(t.Context(), false, out), &log)
	r, page := reported(t, out)
	first, _, _ := strings.Cut(page, "\n")
	require.Contains(t, first, "This is an emulation, not a GPU")
	require.True(t, r.Emulation)
	require.Equal(t, []string{"tests", "training", "generation", "op times", "training speed", "generation speed"}, r.named(passed, false))
	require.Equal(t, sanitizers, r.named(notRun, true))
	require.Empty(t, r.Ops)
	require.Empty(t, r.Rates)
	require.NotContains(t, page, "µs")
	require.NotContains(t, page, "tokens/s")
}

// The sentences of the library, from plugins made for its own tests.
func TestTheSentenceOfTheSituationIsSaid(t *testing.T) {
	root := os.Getenv("GPUCHECK_ROOT")
	if root == "" {
		t.Skip("GPUCHECK_ROOT is not set: ./dev cuda-check does it when it has built the programs")
	}
	for folder, sentence := range map[string]string{
		"no_driver": "there is no CUDA device: ",
		"no_device": "there is no CUDA device: the driver works and lists none",
		"nowhere":   "there is no CUDA plugin: ",
	} {
		t.Setenv("SYNEHRGY_BACKEND_DIR", filepath.Join(root, "build/cpu/csrc/tests/plugins", folder))
		var log bytes.Buffer
		c := &check{device: "cuda", program: filepath.Join(root, "bin/synehrgy"), log: &log}
		out := t.TempDir()
		require.Equal(t, exitNoDevice, c.command(t.Context(), false, out), &log)
		require.Contains(t, log.String(), "gpu-check: "+sentence)
		left, err := os.ReadDir(out)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
