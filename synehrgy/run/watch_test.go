package run

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/internal/jsontest"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
)

// TestARunIsWatched: telemetry of the host stands in metrics.jsonl beside the losses and is served while the run works; on the
// processor no device is told of and nothing is warned of.
func TestARunIsWatched(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	config := tinyConfig()
	config.Monitor.Interval, config.Monitor.MetricsAddr = 0.01, free.Addr().String()
	require.NoError(t, free.Close())
	page := ""
	o := AllOptions{Format: Simulated, Simulate: 40, Out: filepath.Join(t.TempDir(), "run")}
	require.NoError(t, all(t, t.Context(), config, o, silent{func(name string) {
		if name != "evaluate" {
			return
		}
		response, err := http.Get("http://" + config.Monitor.MetricsAddr + "/metrics")
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		page = string(text)
	}}))
	http.DefaultClient.CloseIdleConnections()
	require.Contains(t, page, `synehrgy_stage_info{stage="evaluate"} 1`)
	require.NotContains(t, page, "synehrgy_gpu_")
	lines := jsontest.Lines[map[string]any](t, filepath.Join(o.Out, MetricsFile))
	stages, steps := map[any]int{}, 0
	for _, line := range lines {
		switch line["type"] {
		case "telemetry":
			stages[line["stage"]]++
			require.NotContains(t, line, "devices")
			require.NotContains(t, line, "joules")
			require.Contains(t, line["host"], "rss_bytes")
		case "train":
			steps++
		case "warning":
			require.Fail(t, "a warning", "%v", line)
		}
	}
	require.Positive(t, stages["train"])
	require.Positive(t, steps)
	_, err = http.Get("http://" + config.Monitor.MetricsAddr + "/metrics")
	require.Error(t, err, "the server ends with the run")

	// Other telemetry does not make another run of it.
	config.Monitor = MonitorConfig{}
	o.Resume = true
	require.NoError(t, all(t, t.Context(), config, o, silent{}))
	require.Len(t, jsontest.Lines[map[string]any](t, filepath.Join(o.Out, MetricsFile)), len(lines), "an interval of 0 turns telemetry off")
}

func TestTelemetryThatMakesNoSenseIsUsage(t *testing.T) {
	for want, c := range map[string]MonitorConfig{
		"monitor.interval is -1 seconds":    {Interval: -1},
		"monitor.interval is 0.001 seconds": {Interval: 0.001},
		"there is nothing to serve":         {MetricsAddr: "127.0.0.1:9400"},
		"monitor.interval is 1e+06 seconds": {Interval: 1e6},
	} {
		config := DefaultConfig()
		config.Monitor = c
		var usage *fault.Usage
		require.ErrorAs(t, config.Validate(), &usage)
		require.ErrorContains(t, config.Validate(), want)
	}
	taken, err := monitor.Listen("127.0.0.1:0", false)
	require.NoError(t, err)
	defer taken.Close()
	config := tinyConfig()
	config.Monitor.MetricsAddr = taken.Addr().String()
	out := filepath.Join(t.TempDir(), "model")
	_, err = Train(t.Context(), environment(t, config, silent{}), "absent", out, false)
	require.ErrorContains(t, err, "is in use by another program")
	require.NoDirExists(t, out)
}
