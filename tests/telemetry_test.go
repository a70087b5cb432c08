package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/internal/jsontest"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor/nvmltest"
)

// TestARunOnAGPUIsWatched trains with --device cuda, where the plugin is the emulation under the name of the real one and the
// driver's library is the one that follows a script, found under its own name as the driver's would be.
func TestARunOnAGPUIsWatched(t *testing.T) {
	emulation, err := filepath.Abs(filepath.Join("..", "build", "lib", "libsynehrgy_hostgpu.so"))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.Symlink(emulation, filepath.Join(folder, "libsynehrgy_cuda.so")))
	require.NoError(t, nvmltest.Compile(filepath.Join(folder, nvmltest.Name)))
	config := filepath.Join(folder, "tiny.yaml")
	require.NoError(t, os.WriteFile(config, []byte("monitor: {interval: 0.02}\ntrain: {width: 32, layers: 1, heads: 2, steps: 2}\n"), 0o600))
	broken := t.TempDir() // what is found there under that name is no library, whatever the machine has
	require.NoError(t, os.WriteFile(filepath.Join(broken, nvmltest.Name), nil, 0o600))
	cohort, corpus := filepath.Join(folder, "cohort"), filepath.Join(folder, "corpus")
	done := func(arguments ...string) string {
		code, stderr := program(t, nil, arguments...)
		require.Zero(t, code, stderr)
		return stderr
	}
	done("simulate", "--patients", "40", "--out", cohort)
	done("tokenize", "--cohort", cohort, "--out", corpus)
	t.Setenv("SYNEHRGY_BACKEND_DIR", folder)
	const driver = `
device 0 GPU-11111111-2222-3333-4444-555555555555 NVIDIA H100 80GB HBM3
0 utilization 97
0 memory.total 85899345920
0 memory.used 61200000000
0 power 612000
0 energy 1000000 1001000 1003000
0 temperature 71
`
	for name, c := range map[string]struct {
		library string // the folder of the driver's library
		script  string
		said    []string
		unsaid  string
		devices bool
	}{
		"healthy":   {folder, driver, []string{"GPU 97 %, 612 W, 71 °C, 61.2 of 85.9 GB"}, "cause", true},
		"unplugged": {folder, driver + "unplug 0 2\n", []string{"GPU 0 can be watched no more: it fell off the bus", "GPU lost"}, "GPU 97 %", true},
		"no driver": {broken, "", []string{"there is no telemetry of the GPU: there is no driver library: "}, "GPU 97 %", false},
	} {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "script")
			require.NoError(t, os.WriteFile(script, []byte(c.script), 0o600))
			t.Setenv(nvmltest.Script, script)
			t.Setenv("LD_LIBRARY_PATH", c.library)
			model := filepath.Join(t.TempDir(), "model")
			stderr := done("train", "--corpus", corpus, "--out", model, "--device", "cuda", "--config", config)
			for _, said := range c.said {
				require.Equal(t, 1, strings.Count(stderr, said), "%q in %s", said, stderr)
			}
			require.NotContains(t, stderr, c.unsaid)
			type sample struct {
				Type    string           `json:"type"`
				Stage   string           `json:"stage"`
				Joules  float64          `json:"joules"`
				Devices []map[string]any `json:"devices"`
			}
			devices := 0
			for _, sample := range jsontest.Lines[sample](t, filepath.Join(model, "metrics.jsonl")) {
				if sample.Type == "telemetry" && len(sample.Devices) > 0 {
					devices++
					require.Equal(t, "train", sample.Stage)
					require.LessOrEqual(t, sample.Joules, 3.0)
				}
			}
			require.Equal(t, c.devices, devices > 0)
		})
	}
}
