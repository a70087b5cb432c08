//go:build cgo && linux

package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// served is a server of m at an address of its own.
func served(t *testing.T, m *Monitor) *Server {
	t.Helper()
	listener, err := Listen("127.0.0.1:0", false)
	require.NoError(t, err)
	s := m.Serve(listener)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// get asks without keeping the connection.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestTheAddressIsLoopbackAndFree(t *testing.T) {
	taken, err := Listen("127.0.0.1:0", false)
	require.NoError(t, err)
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String(): "the metrics address " + taken.Addr().String() + " is in use by another program; take another port",
		"0.0.0.0:9400":        "the metrics address 0.0.0.0:9400 is open to other machines; take a loopback address such as 127.0.0.1:9400, or say --metrics-public",
		":9400":               "the metrics address :9400 is open to other machines; take a loopback address such as 127.0.0.1:9400, or say --metrics-public",
		"9400":                `the metrics address is "9400", expected HOST:PORT such as 127.0.0.1:9400`,
		"127.0.0.1:http-x":    `the metrics address is "127.0.0.1:http-x", expected HOST:PORT such as 127.0.0.1:9400`,
		"127.0.0.1:70000":     `the metrics address is "127.0.0.1:70000", expected HOST:PORT such as 127.0.0.1:9400`,
	} {
		_, err := Listen(address, false)
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage, address)
		require.EqualError(t, err, want)
	}
	open, err := Listen("0.0.0.0:0", true)
	require.NoError(t, err)
	require.NoError(t, open.Close())
}

func TestHealthAndReadiness(t *testing.T) {
	m := Start(Options{Interval: time.Hour})
	defer m.Close()
	m.Measure()
	s := served(t, m)
	at := "http://" + s.Address()
	code, text := get(t, at+"/healthz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", text)
	code, text = get(t, at+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "no stage has begun\n", text)
	m.Stage("train")
	code, _ = get(t, at+"/readyz")
	require.Equal(t, http.StatusOK, code)
	code, _ = get(t, at+"/anything")
	require.Equal(t, http.StatusNotFound, code)
	response, err := http.Post(at+"/metrics", "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	http.DefaultClient.CloseIdleConnections()

	m.began = time.Now().Add(-time.Hour)
	m.o.Interval = time.Second
	m.latest = &Sample{At: m.began}
	require.EqualError(t, m.healthy(), "no sample for 1h0m0s; the driver may hang")
}

func TestThePageOfMetrics(t *testing.T) {
	m, _ := watched(t, strings.Replace(healthy, "0 reasons 1", "0 reasons 4", 1)+"device 1 GPU-2 a \"name\"\n1 utilization 50\nunplug 1 0\n", nil, 2, 2)
	page := string(m.metrics())
	first := `gpu="0",uuid="GPU-11111111-2222-3333-4444-555555555555",name="NVIDIA H100 80GB HBM3"`
	for _, line := range []string{
		`synehrgy_stage_info{stage="train"} 1`, `synehrgy_stage_done 7`, `synehrgy_stage_goal 100`,
		`synehrgy_warnings_total{cause="throttling"} 1`, `synehrgy_warnings_total{cause="lost"} 1`, `synehrgy_warnings_total{cause="ecc"} 0`,
		`# TYPE synehrgy_gpu_power_watts gauge`, `synehrgy_gpu_power_watts{` + first + `} 650`,
		`# TYPE synehrgy_gpu_energy_joules_total counter`, `synehrgy_gpu_up{` + first + `} 1`,
		`synehrgy_gpu_up{gpu="1",uuid="GPU-2",name="a \"name\""} 0`,
		`synehrgy_gpu_throttled{` + first + `,reason="power_cap"} 1`, `synehrgy_gpu_throttled{` + first + `,reason="reliability"} 0`,
	} {
		require.Contains(t, strings.Split(page, "\n"), line)
	}
	require.Contains(t, page, "\nsynehrgy_host_rss_bytes ")
	require.True(t, strings.HasSuffix(page, "\n"))

	s := served(t, m)
	var times []time.Duration
	for range 21 {
		began := time.Now()
		code, _ := get(t, "http://"+s.Address()+"/metrics")
		times = append(times, time.Since(began))
		require.Equal(t, http.StatusOK, code)
	}
	slices.Sort(times)
	t.Logf("an answer takes %s, the median of %d with a new connection each", times[10], len(times))
	require.Less(t, times[10], 5*time.Millisecond)
}

// TestPrometheusScrapes has the real Prometheus take the page and answer a query about it.
func TestPrometheusScrapes(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	require.NoError(t, err, "Prometheus is missing: ./dev test installs it, or apt-get install prometheus")
	m, _ := watched(t, healthy, nil, 1, 2)
	s := served(t, m)
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: synehrgy
    static_configs: [{targets: ["%s"]}]
`, s.Address())), 0o600))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var log strings.Builder
	server := exec.CommandContext(ctx, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	server.Stdout, server.Stderr = &log, &log
	require.NoError(t, server.Start())
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()

	require.Equal(t, "650", query(t, ctx, address, "synehrgy_gpu_power_watts"))
	require.Equal(t, "1", query(t, ctx, address, `up{job="synehrgy"}`))
	require.Equal(t, "train", query(t, ctx, address, `synehrgy_stage_info`, "stage"))
	require.Equal(t, "NVIDIA H100 80GB HBM3", query(t, ctx, address, `synehrgy_gpu_energy_joules_total > 1000`, "name"))
	require.Equal(t, "0", query(t, ctx, address, `sum(synehrgy_gpu_throttled)`))
}

// query waits for the one answer to a query: its value, or one of its labels.
func query(t *testing.T, ctx context.Context, address, expression string, names ...string) string {
	t.Helper()
	for {
		require.NoError(t, ctx.Err(), "%s has no answer", expression)
		time.Sleep(100 * time.Millisecond)
		response, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(expression))
		if err != nil {
			continue // it is not up yet
		}
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		http.DefaultClient.CloseIdleConnections()
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string `json:"metric"`
					Value  [2]any            `json:"value"`
				} `json:"result"`
			} `json:"data"`
		}
		if json.Unmarshal(text, &answer) != nil || len(answer.Data.Result) == 0 {
			continue
		}
		require.Len(t, answer.Data.Result, 1)
		if len(names) > 0 {
			return answer.Data.Result[0].Metric[names[0]]
		}
		return fmt.Sprint(answer.Data.Result[0].Value[1])
	}
}
