package tests

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/internal/jsontest"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/meds"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// lossTolerance is how far a loss on the emulation may be from that of the CPU in bf16, relative. Both round the same operands,
// so only the order of sums in fp32 differs, which training carries on: 2e-5 was the most in 20 steps. A rounding that one of
// them has and the other has not, another order of batches or other dropout would be more.
const lossTolerance = 2e-4

const hostGPUConfig = `
token: {context: 512}
train: {width: 64, layers: 2, heads: 2, batch_tokens: 1024, warmup: 5, eval_every: 10}
generate: {max_tokens: 400, slots: 64}
evaluate: {bootstrap: 20}
`

// TestAWholeRunOnTheEmulationOfAGPU does the whole job with the kernels of CUDA: losses are those of the CPU, all patients are
// there and may be what they are, and nobody can take the log for that of a GPU.
func TestAWholeRunOnTheEmulationOfAGPU(t *testing.T) {
	if _, err := os.Stat("../build/lib/libsynehrgy_hostgpu.so"); err != nil {
		t.Skip("no plugin in this tree")
	}
	folder := t.TempDir()
	command := commandsIn(t, folder)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "c.yaml"), []byte(hostGPUConfig), 0o600))
	require.NoError(t, command("simulate", "--patients", "64", "--seed", "7", "--out", "patients").Run())
	whole := func(out string, device ...string) {
		c := command(append([]string{"run", "--format", "meds", "--input", "patients", "--out", out, "--config", "c.yaml", "--steps", "20", "--patients", "64"}, device...)...)
		said, err := c.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	whole("gpu", "--device", "hostgpu")
	whole("cpu", "--device", "cpu", "--precision", "bf16")

	requireSameLosses(t, filepath.Join(folder, "gpu", run.MetricsFile), filepath.Join(folder, "cpu", run.MetricsFile))
	requireEmulationInLog(t, filepath.Join(folder, "gpu"))
	requireLegalPatients(t, filepath.Join(folder, "gpu"), 64)
}

// metricsLine is a line of metrics.jsonl, of a step, of a validation or of telemetry.
type metricsLine struct {
	Type         string
	Step         int
	BitsPerToken float64 `json:"bits_per_token"`
}

func lossLines(t *testing.T, path string) []metricsLine {
	return slices.DeleteFunc(jsontest.Lines[metricsLine](t, path), func(l metricsLine) bool { return l.Type != "train" && l.Type != "validation" })
}

func requireSameLosses(t *testing.T, gpu, cpu string) {
	got, want := lossLines(t, gpu), lossLines(t, cpu)
	require.Len(t, got, 22, "20 steps and two validations")
	require.Len(t, want, len(got))
	worst := 0.0
	for i, g := range got {
		w := want[i]
		require.Equal(t, w.Type, g.Type)
		require.Equal(t, w.Step, g.Step)
		require.InEpsilon(t, w.BitsPerToken, g.BitsPerToken, lossTolerance, "%s of step %d", g.Type, g.Step)
		worst = max(worst, math.Abs(g.BitsPerToken/w.BitsPerToken-1))
	}
	require.Less(t, got[21].BitsPerToken, got[0].BitsPerToken-0.5, "nothing was learned")
	t.Logf("losses differ by at most %.1e, relative", worst)
}

// requireEmulationInLog holds that the first line of the log of a run warns, that every line names the device as an emulation,
// and that the manifest does.
func requireEmulationInLog(t *testing.T, folder string) {
	type line struct{ Level, Device, Message string }
	lines := jsontest.Lines[line](t, filepath.Join(folder, run.LogFile))
	require.Greater(t, len(lines), 10)
	require.Equal(t, "warn", lines[0].Level)
	require.Contains(t, lines[0].Message, "hostgpu emulates a GPU on the processor")
	for _, l := range lines {
		require.Equal(t, "hostgpu, an emulation", l.Device, l.Message)
	}
	manifest, err := run.ReadManifest(filepath.Join(folder, run.ManifestFile))
	require.NoError(t, err)
	require.Equal(t, "hostgpu", manifest.Device.Backend)
	require.Contains(t, manifest.Device.GPU, "an emulation on the processor")
}

// requireLegalPatients holds that the synthetic cohort of a run has so many patients and that each is one that the vocabulary of
// the model can say, word for word under its grammar, and that says the same when it is read again.
func requireLegalPatients(t *testing.T, folder string, patients int) {
	stats := jsonFile[generate.Stats](t, filepath.Join(folder, run.SyntheticDir, "metadata", "generation.json"))
	require.EqualValues(t, patients, stats.Patients)
	require.Zero(t, stats.ParseFailures)
	require.Zero(t, stats.NoLegalLogit)
	require.Positive(t, stats.Events)
	cohort, _, err := meds.Read(t.Context(), filepath.Join(folder, run.SyntheticDir), table.Options{})
	require.NoError(t, err)
	require.Len(t, cohort.Patients, patients)
	vocabulary, err := token.Load(filepath.Join(folder, run.ModelDir, "best", token.FileName))
	require.NoError(t, err)
	machine := vocabulary.Generation().NewMachine()
	for i := range cohort.Patients {
		p := &cohort.Patients[i]
		require.NoError(t, vocabulary.Schema().Check(p), p.ID)
		record, err := vocabulary.Encode(p)
		require.NoError(t, err, p.ID)
		machine.Reset()
		for at, said := range record.Tokens[1:] {
			require.True(t, machine.Step(said), "patient %s, token %d", p.ID, at+1)
		}
		require.True(t, machine.Done(), p.ID)
	}
}

func jsonFile[T any](t *testing.T, path string) (value T) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &value))
	return value
}
