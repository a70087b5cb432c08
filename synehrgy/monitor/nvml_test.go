//go:build cgo && linux

package monitor

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/monitor/nvmltest"
)

// This file has the real go-nvml open the fake driver of nvmltest, one scenario a test.

const healthy = `
device 0 GPU-11111111-2222-3333-4444-555555555555 NVIDIA H100 80GB HBM3
0 utilization 97 100
0 utilization.memory 41
0 memory.total 85899345920
0 memory.reserved 500000000
0 memory.used 61200000000
0 process 60000000000
0 power 612000 650000
0 power.limit 700000
0 energy 1000000 1000650 1001300
0 temperature 71
0 clock.sm 1980
0 clock.memory 2619
0 reasons 1
0 pcie.sent 1000 2000
0 pcie.received 5000 8000
0 nvlink.sent 10 20
0 nvlink.received 10 40
0 ecc.corrected 0
0 ecc.uncorrected 0
`

func TestAHealthyDeviceTellsEverything(t *testing.T) {
	m, c := watched(t, healthy, nil, 1, 3)
	require.Empty(t, c.messages())
	d := c.samples[0].Devices[0]
	require.Equal(t, "GPU-11111111-2222-3333-4444-555555555555", d.UUID)
	require.Equal(t, "NVIDIA H100 80GB HBM3", d.Name)
	for f, want := range map[Figure]float64{
		Utilization: 0.97, MemoryUtilization: 0.41, MemoryTotal: 85899345920, MemoryUsed: 61700000000, ProcessMemory: 60000000000,
		Power: 612, PowerLimit: 700, Energy: 1000, Temperature: 71, SMClock: 1980e6, MemoryClock: 2619e6, ECCCorrected: 0, ECCUncorrected: 0,
	} {
		require.Equal(t, want, told(t, d, f), deviceTable[f].key)
	}
	absent(t, d, PCIeSent, PCIeReceived, NVLinkSent, NVLinkReceived) // rates need two samples
	next := c.samples[1].Devices[0]
	require.Greater(t, told(t, next, PCIeReceived), told(t, next, PCIeSent))
	require.Greater(t, told(t, next, NVLinkSent), told(t, next, PCIeSent), "NVLink counts in KiB")
	require.Greater(t, told(t, next, NVLinkReceived), told(t, next, NVLinkSent))
	require.Equal(t, 1.0, told(t, next, Utilization))
	require.Empty(t, d.Throttle, "an idle device is not throttled")
	require.Equal(t, 0.0, c.samples[0].Joules)
	require.InDelta(t, 1.3, c.samples[2].Joules, 1e-9)
	require.Equal(t, "train", c.samples[1].Stage)
	require.Equal(t, int64(7), c.samples[1].Step)
	require.Equal(t, "GPU 100 %, 650 W, 71 °C, 61.7 of 85.9 GB", m.Phrase())
}

func TestTwoDevicesAndTheFirstOfThem(t *testing.T) {
	two := healthy + `
device 1 GPU-99999999-2222-3333-4444-555555555555 NVIDIA H100 80GB HBM3
1 utilization 50
1 power 300000
1 temperature 80
`
	m, c := watched(t, two, nil, 2, 2)
	require.Empty(t, c.messages())
	require.Len(t, c.samples[0].Devices, 2)
	require.Equal(t, 1, c.samples[0].Devices[1].Index)
	absent(t, c.samples[0].Devices[1], MemoryTotal, ProcessMemory, SMClock, Energy)
	require.Equal(t, "2 GPUs 75 %, 950 W, 80 °C, 61.7 of 85.9 GB", m.Phrase())
	m.Close()
	for _, wanted := range [][]string{{"1"}, {"GPU-9999"}, {"1", "0"}} { // as CUDA_VISIBLE_DEVICES has them
		_, c = watched(t, two, wanted, 1, 2)
		require.Len(t, c.samples[0].Devices, 1)
		require.Equal(t, "GPU-99999999-2222-3333-4444-555555555555", c.samples[0].Devices[0].UUID)
	}
}

func TestWithoutADriverThereIsOneMessage(t *testing.T) {
	_, c := follow(t, filepath.Join(t.TempDir(), "libnvidia-ml.so.1"), nil, 1, 3)
	require.Len(t, c.messages(), 1)
	require.Contains(t, c.messages()[0], "there is no telemetry of the GPU: there is no driver library: ")
	require.Contains(t, c.messages()[0], "No such file or directory; the run goes on without")
	require.Equal(t, CauseDriver, c.notices[0].Cause)
	require.Empty(t, c.samples[2].Devices)

	_, c = watched(t, "init 9", nil, 1, 3)
	require.Equal(t, []string{"there is no telemetry of the GPU: the NVIDIA driver is not loaded; the run goes on without"}, c.messages())
	_, c = watched(t, "init 18", nil, 1, 2)
	require.Contains(t, c.messages()[0], "of different versions")
	_, c = watched(t, "devices 0", nil, 1, 2)
	require.Equal(t, []string{"there is no telemetry of the GPU: it lists 0 devices and none that this run may use; the run goes on without"}, c.messages())
	_, c = watched(t, "devices 5000", nil, 1, 2)
	require.Contains(t, c.messages()[0], "it lists 5000 devices, expected at most 64")
}

func TestALibraryThatIsNoDriverIsNotCalled(t *testing.T) {
	_, c := follow(t, "libm.so.6", nil, 1, 2)
	require.Len(t, c.messages(), 1)
	require.Contains(t, c.messages()[0], "libm.so.6 is no management library of NVIDIA, or of a driver that is too old: it has no nvmlInit_v2")
}

func TestWithoutPermissionThereIsOneMessage(t *testing.T) {
	_, c := watched(t, "init 4", nil, 1, 3)
	require.Equal(t, []string{"there is no telemetry of the GPU: this user may not talk to the NVIDIA driver; the run goes on without"}, c.messages())

	_, c = watched(t, healthy+"0 handle !4\n", nil, 1, 3)
	require.Equal(t, []string{"device 0 cannot be watched: this user may not talk to the NVIDIA driver"}, c.messages())
	require.Equal(t, CausePermission, c.notices[0].Cause)

	_, c = watched(t, strings.Replace(healthy, "0 process 60000000000", "0 process !4", 1), nil, 1, 3)
	require.Equal(t, []string{"GPU 0 does not tell this user everything (the memory of this process); that is left out"}, c.messages())
	absent(t, c.samples[1].Devices[0], ProcessMemory)
	told(t, c.samples[1].Devices[0], Power)
}

func TestADividedDevice(t *testing.T) {
	_, c := watched(t, `
device 0 GPU-11111111-2222-3333-4444-555555555555 NVIDIA A100-SXM4-40GB
0 mig 1
0 power 200000
0 memory.total 42949672960
0 memory.used 1000000000
`, nil, 1, 3)
	require.Equal(t, []string{"GPU 0 is divided (MIG); its driver does not tell how busy one part is, and other figures are those of the whole"}, c.messages())
	d := c.samples[2].Devices[0]
	require.True(t, d.MIG)
	absent(t, d, Utilization)
	require.Equal(t, 200.0, told(t, d, Power))
}

func TestADeviceThatFallsOffTheBus(t *testing.T) {
	two := healthy + "device 1 GPU-99999999-2222-3333-4444-555555555555 NVIDIA H100 80GB HBM3\n1 utilization 50\nunplug 0 2\n"
	m, c := watched(t, two, nil, 2, 5)
	require.Equal(t, []string{"GPU 0 can be watched no more: it fell off the bus; the run goes on without its telemetry"}, c.messages())
	require.Equal(t, CauseLost, c.notices[0].Cause)
	require.False(t, c.samples[1].Devices[0].Lost)
	for _, s := range c.samples[2:] {
		require.True(t, s.Devices[0].Lost)
		absent(t, s.Devices[0], Power, MemoryUsed, Utilization)
		require.Equal(t, 0.5, told(t, s.Devices[1], Utilization), "the other device goes on")
	}
	require.InDelta(t, 0.65, c.samples[4].Joules, 1e-9, "what it drew is not forgotten")
	require.Equal(t, "2 GPUs 50 %", m.Phrase())
	m.Close()
	m, _ = watched(t, healthy+"unplug 0 1\n", nil, 1, 3)
	require.Equal(t, "GPU lost", m.Phrase())
}

func TestThrottlingIsSaidOnceForEachCause(t *testing.T) {
	_, c := watched(t, strings.Replace(healthy, "0 reasons 1", "0 reasons 0 4 4 0x60 0x64 0", 1), nil, 1, 6)
	require.Equal(t, []string{
		"GPU 0 is throttled: it draws as much power as it may, 71 °C, 650 W of 700",
		"GPU 0 is throttled: it is too hot, 71 °C, 650 W of 700",
		"GPU 0 is throttled: it is so hot that the hardware halves its clocks or more, 71 °C, 650 W of 700",
	}, c.messages())
	require.Empty(t, c.samples[0].Devices[0].Throttle)
	require.Equal(t, []string{"power_cap"}, c.samples[1].Devices[0].Throttle)
	require.Equal(t, []string{"power_cap", "software_thermal", "hardware_thermal"}, c.samples[4].Devices[0].Throttle)
	require.Empty(t, c.samples[5].Devices[0].Throttle)
}

func TestMemoryErrorsAreSaidOnce(t *testing.T) {
	script := strings.Replace(healthy, "0 ecc.corrected 0", "0 ecc.corrected 3 3 5 9", 1)
	_, c := watched(t, strings.Replace(script, "0 ecc.uncorrected 0", "0 ecc.uncorrected 0 0 0 0 1 2", 1), nil, 1, 6)
	require.Equal(t, []string{
		"GPU 0 corrected 2 memory errors (ECC) since the run began; results are right, the device may be failing",
		"GPU 0 had 1 memory errors (ECC) that were not corrected since its driver was loaded; do not trust results of it, and have it looked at",
	}, c.messages())
	require.Equal(t, 2.0, told(t, c.samples[5].Devices[0], ECCUncorrected))
}

func TestMemoryNearItsLimitIsSaidOnce(t *testing.T) {
	_, c := watched(t, strings.Replace(healthy, "0 memory.used 61200000000", "0 memory.used 61200000000 84000000000 85000000000", 1), nil, 1, 4)
	require.Len(t, c.messages(), 1)
	require.Contains(t, c.messages()[0], "GPU 0 has 84.5 of its 85.9 GB of memory in use, which is close to the limit; a smaller train.batch_tokens")
}

func TestGarbageIsLeftOutAndSaidOnce(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		figure   Figure
		said     string
	}{
		"negative power":            {"0 power 612000 650000", "0 power -5", Power, "power_watts of 4.29497e+06, expected 0 to 10000"},
		"utilisation of 400 %":      {"0 utilization 97 100", "0 utilization 400", Utilization, "utilization_ratio of 4, expected 0 to 1"},
		"energy that falls":         {"0 energy 1000000 1000650 1001300", "0 energy 1000000 999000", Energy, "energy_joules of 999, expected 1000 or more, as before"},
		"more memory than there is": {"0 memory.used 61200000000", "0 memory.used 99000000000", MemoryUsed, "memory_used_bytes of 9.95e+10, expected at most the 8.58993e+10 that there are"},
		"a temperature of 200":      {"0 temperature 71", "0 temperature 200", Temperature, "temperature_celsius of 200, expected 0 to 150"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, healthy, c.old)
			m, got := watched(t, strings.Replace(healthy, c.old, c.new, 1), nil, 1, 4)
			require.Equal(t, []string{"GPU 0 tells what cannot be true (" + c.said + "); such figures are left out"}, got.messages())
			absent(t, got.samples[1].Devices[0], c.figure)
			told(t, got.samples[3].Devices[0], SMClock)
			require.GreaterOrEqual(t, got.samples[3].Joules, 0.0)
			m.Close()
		})
	}
}

func TestADriverThatTakesAnotherStructureIsAskedTheOlderQuestion(t *testing.T) {
	_, c := watched(t, healthy+"0 memory.version 0x3000040\n", nil, 1, 3)
	require.Len(t, c.messages(), 1)
	require.Contains(t, c.messages()[0], "GPU 0 is asked for memory with a structure whose size its driver does not take")
	require.Equal(t, 61200000000.0, told(t, c.samples[2].Devices[0], MemoryUsed), "without what the driver keeps, which only the newer structure has")
}

func TestAnAnswerThatGoNVMLStumblesOverIsSurvived(t *testing.T) {
	_, c := watched(t, healthy+"0 processes 5000\n", nil, 1, 3)
	require.Equal(t, []string{"GPU 0 answers with what cannot be read (the memory of this process); that is left out from now on"}, c.messages())
	absent(t, c.samples[2].Devices[0], ProcessMemory)
	told(t, c.samples[2].Devices[0], Power)
}

func TestADriverThatIsBusyIsAskedAgain(t *testing.T) {
	_, c := watched(t, strings.Replace(healthy, "0 power 612000 650000", "0 power !999 !10 600000", 1), nil, 1, 3)
	require.Equal(t, []string{"GPU 0 does not always answer (power, error 999); what is missing is left out"}, c.messages())
	absent(t, c.samples[1].Devices[0], Power)
	require.Equal(t, 600.0, told(t, c.samples[2].Devices[0], Power))
}

func TestADriverThatHangsHoldsUpNothing(t *testing.T) {
	m, _ := watched(t, strings.Replace(healthy, "0 power 612000 650000", "0 power 612000 650000 ~3000 600000", 1), nil, 1, 2)
	before, _ := m.Latest()
	began := time.Now()
	s := m.Measure()
	require.Less(t, time.Since(began), 2900*time.Millisecond)
	require.Equal(t, before.At, s.At, "the newest sample there is")
	require.Equal(t, "the driver has not answered for 2s; telemetry waits for it, the run does not", m.Notices()[0].Message)
	began = time.Now()
	m.Stage("generate")
	m.Step(1, 2)
	require.NotEmpty(t, m.metrics())
	require.NotEmpty(t, m.Phrase())
	require.Less(t, time.Since(began), time.Second)
	s = m.Measure() // it answers again
	require.Equal(t, 600.0, told(t, s.Devices[0], Power))
	require.Len(t, m.Notices(), 2, "the silence, and the answer that timed out")
}

// TestAnOldDriver runs in a process of its own, because a program stays with the functions that it called once. A driver of 2020
// lacks functions, and a call of one would end the process.
func TestAnOldDriver(t *testing.T) {
	path := os.Getenv(oldDriver)
	if path == "" {
		path := filepath.Join(t.TempDir(), nvmltest.Name)
		require.NoError(t, nvmltest.Compile(path, "-DOLD_DRIVER"))
		child := exec.Command(os.Args[0], "-test.run=^TestAnOldDriver$", "-test.v")
		child.Env = append(os.Environ(), oldDriver+"="+path)
		text, err := child.CombinedOutput()
		require.NoError(t, err, "%s", text)
		require.Contains(t, string(text), "--- PASS: TestAnOldDriver")
		return
	}
	script(t, healthy+"0 reasons.old 8\n0 pcie.sent.rate 300\n0 pcie.received.rate 400\n")
	_, c := follow(t, path, nil, 1, 3)
	d := c.samples[0].Devices[0]
	require.Equal(t, 61200000000.0, told(t, d, MemoryUsed))
	require.Equal(t, 300e3, told(t, d, PCIeSent))
	require.Equal(t, 400e3, told(t, d, PCIeReceived))
	require.Equal(t, []string{"hardware_slowdown"}, d.Throttle)
	absent(t, d, NVLinkSent)
	require.Len(t, c.messages(), 1)
}

// TestASampleCostsLessThanHalfAPercentOfASecond is the bound on telemetry at one sample a second, with eight devices.
func TestASampleCostsLessThanHalfAPercentOfASecond(t *testing.T) {
	lines := ""
	for i := range 8 {
		index := string(rune('0' + i))
		lines += strings.ReplaceAll(strings.ReplaceAll(healthy, "device 0 ", "device "+index+" "), "\n0 ", "\n"+index+" ")
	}
	m, c := watched(t, lines, nil, 8, 2)
	require.Len(t, c.samples[1].Devices, 8)
	const rounds = 100
	began := cpuSeconds()
	for range rounds {
		m.Measure()
	}
	each := time.Duration((cpuSeconds() - began) / rounds * float64(time.Second))
	t.Logf("a sample of 8 devices takes %s of processor time, without what a real driver takes", each)
	require.Less(t, each, 5*time.Millisecond)
}

func TestALineOfTelemetry(t *testing.T) {
	_, c := watched(t, strings.Replace(healthy, "0 reasons 1", "0 reasons 4", 1), nil, 1, 2)
	text, err := json.Marshal(c.samples[1])
	require.NoError(t, err)
	var line struct {
		Type    string             `json:"type"`
		Stage   string             `json:"stage"`
		Step    int64              `json:"step"`
		Host    map[string]float64 `json:"host"`
		Devices []map[string]any   `json:"devices"`
	}
	require.NoError(t, json.Unmarshal(text, &line))
	require.Equal(t, "telemetry", line.Type)
	require.Equal(t, "train", line.Stage)
	require.Equal(t, int64(7), line.Step)
	require.Greater(t, line.Host["rss_bytes"], 1e6)
	require.Greater(t, line.Host["disk_free_bytes"], 0.0)
	require.Contains(t, line.Host, "cpu_cores")
	require.Equal(t, 650.0, line.Devices[0]["power_watts"])
	require.Equal(t, []any{"power_cap"}, line.Devices[0]["throttle"])
	require.NotContains(t, line.Devices[0], "lost")
	text, err = json.Marshal(c.notices[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `"device":"GPU 0","cause":"throttling","message":"GPU 0 is throttled: `)
}
