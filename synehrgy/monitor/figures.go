package monitor

import (
	"math"
	"strconv"
)

// This file names every figure of telemetry once: what it is called in metrics.jsonl and for Prometheus, and up to where it can
// be true. All are in base units and none is negative.

// Figure is a number that telemetry tells of a device.
type Figure int

// The figures of a device.
const (
	Utilization       Figure = iota // share of the time in which a kernel ran
	MemoryUtilization               // share of the time in which device memory was read or written
	MemoryTotal                     // bytes
	MemoryUsed                      // bytes, by anybody, with what the driver keeps for itself
	ProcessMemory                   // bytes, by this process
	Power                           // watts
	PowerLimit                      // watts
	Energy                          // joules since the driver was loaded
	Temperature                     // degrees Celsius
	SMClock                         // hertz
	MemoryClock                     // hertz
	PCIeSent                        // bytes per second
	PCIeReceived                    // bytes per second
	NVLinkSent                      // bytes per second, over all links
	NVLinkReceived                  // bytes per second, over all links
	ECCCorrected                    // errors since the driver was loaded
	ECCUncorrected                  // errors since the driver was loaded
)

// HostFigure is a number that telemetry tells of the host.
type HostFigure int

// The figures of the host.
const (
	HostCPU       HostFigure = iota // cores that this process keeps busy
	HostSystemCPU                   // share of all cores that are busy, whoever it is
	HostRSS                         // bytes of memory of this process
	DiskRead                        // bytes per second, by this process
	DiskWritten                     // bytes per second, by this process
	DiskFree                        // bytes of the file system of the run
)

// figure is what there is to know about a Figure or a HostFigure.
type figure struct {
	key     string  // in metrics.jsonl; the end of its name for Prometheus
	help    string  // one line
	most    float64 // more than that cannot be true
	counter bool    // it only grows
}

const mostBytes = 1 << 50

var deviceTable = []figure{
	Utilization:       {"utilization_ratio", "Share of the time in which a kernel ran.", 1, false},
	MemoryUtilization: {"memory_utilization_ratio", "Share of the time in which device memory was read or written.", 1, false},
	MemoryTotal:       {"memory_total_bytes", "Memory of the device.", mostBytes, false},
	MemoryUsed:        {"memory_used_bytes", "Memory of the device in use by anybody.", mostBytes, false},
	ProcessMemory:     {"process_memory_bytes", "Memory of the device in use by this process.", mostBytes, false},
	Power:             {"power_watts", "Power that the device draws.", 10_000, false},
	PowerLimit:        {"power_limit_watts", "Power that the device may draw.", 10_000, false},
	Energy:            {"energy_joules", "Energy that the device drew since its driver was loaded.", 1e14, true},
	Temperature:       {"temperature_celsius", "Temperature of the device.", 150, false},
	SMClock:           {"sm_clock_hertz", "Clock of the multiprocessors.", 1e10, false},
	MemoryClock:       {"memory_clock_hertz", "Clock of the device memory.", 1e11, false},
	PCIeSent:          {"pcie_sent_bytes_per_second", "What the device sends over PCIe.", 1e12, false},
	PCIeReceived:      {"pcie_received_bytes_per_second", "What the device receives over PCIe.", 1e12, false},
	NVLinkSent:        {"nvlink_sent_bytes_per_second", "What the device sends over NVLink.", 1e13, false},
	NVLinkReceived:    {"nvlink_received_bytes_per_second", "What the device receives over NVLink.", 1e13, false},
	ECCCorrected:      {"ecc_corrected_errors", "Memory errors that were corrected since the driver was loaded.", 1e12, true},
	ECCUncorrected:    {"ecc_uncorrected_errors", "Memory errors that were not corrected since the driver was loaded.", 1e12, true},
}

var hostTable = []figure{
	HostCPU:       {"cpu_cores", "Cores that this process keeps busy.", 1 << 16, false},
	HostSystemCPU: {"system_cpu_ratio", "Share of all cores of the machine that are busy.", 1, false},
	HostRSS:       {"rss_bytes", "Memory of this process.", mostBytes, false},
	DiskRead:      {"disk_read_bytes_per_second", "What this process reads from disks.", 1e13, false},
	DiskWritten:   {"disk_written_bytes_per_second", "What this process writes to disks.", 1e13, false},
	DiskFree:      {"disk_free_bytes", "Room on the file system of the run.", 1 << 60, false},
}

// values holds a number for each figure of a table; NaN is "not told".
type values []float64

func newValues(table []figure) values {
	v := make(values, len(table))
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}

func (v values) get(i int) (float64, bool) {
	if i < 0 || i >= len(v) || math.IsNaN(v[i]) {
		return 0, false
	}
	return v[i], true
}

// spliced adds the figures that are told to a JSON object.
func (v values) spliced(object []byte, table []figure) []byte {
	out := object[:len(object)-1]
	for i, x := range v {
		if math.IsNaN(x) {
			continue
		}
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), table[i].key...), '"', ':')
		out = strconv.AppendFloat(out, x, 'f', -1, 64)
	}
	return append(out, '}')
}
