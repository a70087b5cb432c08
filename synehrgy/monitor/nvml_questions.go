//go:build cgo && linux

package monitor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This file asks one device of NVIDIA everything, question by question. A question that the driver cannot answer is not asked
// again.

// question is one call of the driver.
type question struct {
	what    string   // is asked for, in a sentence
	symbols []string // functions; one of them is called
	known   Figure   // not asked where this figure is known by then; askAlways
	ask     func(n *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return
}

const askAlways Figure = -1

// garbled is the code of an answer on which go-nvml itself stumbles: it believes the counts of the driver.
const garbled nvml.Return = -1

const milli, mega = 1e-3, 1e6 // units of the driver

var questions = []question{
	{"utilisation", []string{"nvmlDeviceGetUtilizationRates"}, askAlways, askUtilization},
	{"memory", []string{"nvmlDeviceGetMemoryInfo_v2"}, askAlways, askMemory},
	{"memory", []string{"nvmlDeviceGetMemoryInfo"}, MemoryTotal, askMemoryPlain},
	{"the memory of this process", []string{
		"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses",
	}, askAlways, askProcess},
	{"power", []string{"nvmlDeviceGetPowerUsage"}, askAlways, askNumber(Power, milli, nvml.Device.GetPowerUsage)},
	{"the limit of power", []string{"nvmlDeviceGetEnforcedPowerLimit"}, askAlways, askNumber(PowerLimit, milli, nvml.Device.GetEnforcedPowerLimit)},
	{"energy", []string{"nvmlDeviceGetTotalEnergyConsumption"}, askAlways, askNumber(Energy, milli, nvml.Device.GetTotalEnergyConsumption)},
	{"temperature", []string{"nvmlDeviceGetTemperature"}, askAlways, askNumber(Temperature, 1, temperature)},
	{"the clock of the multiprocessors", []string{"nvmlDeviceGetClockInfo"}, askAlways, askNumber(SMClock, mega, clock(nvml.CLOCK_SM))},
	{"the clock of the memory", []string{"nvmlDeviceGetClockInfo"}, askAlways, askNumber(MemoryClock, mega, clock(nvml.CLOCK_MEM))},
	{"throttling", []string{"nvmlDeviceGetCurrentClocksEventReasons"}, askAlways, askReasons},
	{"throttling", []string{"nvmlDeviceGetCurrentClocksThrottleReasons"}, askAlways, askReasonsPlain},
	{"PCIe and NVLink", []string{"nvmlDeviceGetFieldValues"}, askAlways, askFields},
	{"PCIe", []string{"nvmlDeviceGetPcieThroughput"}, PCIeSent, askPCIe},
	{"memory errors", []string{"nvmlDeviceGetTotalEccErrors"}, askAlways, askNumber(ECCCorrected, 1, memoryErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED))},
	{"memory errors", []string{"nvmlDeviceGetTotalEccErrors"}, askAlways, askNumber(ECCUncorrected, 1, memoryErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED))},
}

// read asks device i everything that it has answers to.
func (n *nvmlDriver) read(i int) reading {
	d, r := n.opened[i], newReading()
	for k := range questions {
		q := &questions[k]
		if d.lost != "" {
			break
		}
		if d.mute[k] || q.known != askAlways && r.knows(q.known) {
			continue
		}
		if !n.hasAny(q.symbols) {
			d.mute[k] = true
			continue
		}
		n.judge(d, k, n.answer(d, q, &r), &r)
	}
	r.lost = d.lost
	return r
}

// judge draws the conclusions from the code of an answer.
func (n *nvmlDriver) judge(d *nvmlDevice, k int, code nvml.Return, r *reading) {
	what := questions[k].what
	switch code {
	case nvml.SUCCESS:
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_RESET_REQUIRED, nvml.ERROR_GPU_NOT_FOUND, nvml.ERROR_UNINITIALIZED, nvml.ERROR_DRIVER_NOT_LOADED:
		d.lost = nvmlWhy(code)
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_NOT_FOUND, nvml.ERROR_NO_DATA,
		nvml.ERROR_DEPRECATED, nvml.ERROR_VGPU_ECC_NOT_SUPPORTED:
		d.mute[k] = true
	case nvml.ERROR_NO_PERMISSION:
		d.mute[k] = true
		r.troubles = append(r.troubles, trouble{CausePermission, "", "does not tell this user everything (" + what + "); that is left out"})
	case nvml.ERROR_ARGUMENT_VERSION_MISMATCH:
		d.mute[k] = true
		r.troubles = append(r.troubles, trouble{CauseGarbage, "version", "is asked for " + what + " with a structure whose size its driver does not take; the older question is used where there is one"})
	case garbled:
		d.mute[k] = true
		r.troubles = append(r.troubles, trouble{CauseGarbage, "garbled", "answers with what cannot be read (" + what + "); that is left out from now on"})
	default: // busy, timeout, unknown: it may answer next time
		r.troubles = append(r.troubles, trouble{CauseDriver, "", fmt.Sprintf("does not always answer (%s, error %d); what is missing is left out", what, int(code))})
	}
}

// answer asks one question, and survives an answer that makes no sense.
func (n *nvmlDriver) answer(d *nvmlDevice, q *question, r *reading) (code nvml.Return) {
	defer func() {
		if recover() != nil {
			code = garbled
		}
	}()
	return q.ask(n, d, r)
}

func askUtilization(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	u, code := d.handle.GetUtilizationRates()
	r.set(Utilization, float64(u.Gpu)/100, code == nvml.SUCCESS)
	r.set(MemoryUtilization, float64(u.Memory)/100, code == nvml.SUCCESS)
	return code
}

func askMemory(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	m, code := d.handle.GetMemoryInfo_v2()
	r.set(MemoryTotal, float64(m.Total), code == nvml.SUCCESS)
	r.set(MemoryUsed, float64(m.Used)+float64(m.Reserved), code == nvml.SUCCESS)
	return code
}

func askMemoryPlain(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	m, code := d.handle.GetMemoryInfo()
	r.set(MemoryTotal, float64(m.Total), code == nvml.SUCCESS)
	r.set(MemoryUsed, float64(m.Used), code == nvml.SUCCESS)
	return code
}

// askProcess finds this process by its id, which in a container is not the one that the driver knows: the figure is absent there.
func askProcess(n *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	all, code := d.handle.GetComputeRunningProcesses()
	if code != nvml.SUCCESS {
		return code
	}
	for _, p := range all {
		if p.Pid == n.pid && p.UsedGpuMemory != math.MaxUint64 { // "not available"
			before, _ := r.values.get(int(ProcessMemory))
			r.values[ProcessMemory] = before + float64(p.UsedGpuMemory)
		}
	}
	return code
}

// askNumber asks for one number, in units of which one is worth unit of ours.
func askNumber[T uint32 | uint64](f Figure, unit float64, of func(nvml.Device) (T, nvml.Return)) func(*nvmlDriver, *nvmlDevice, *reading) nvml.Return {
	return func(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
		x, code := of(d.handle)
		r.set(f, float64(x)*unit, code == nvml.SUCCESS)
		return code
	}
}

func temperature(d nvml.Device) (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) }

// clock is in MHz.
func clock(kind nvml.ClockType) func(nvml.Device) (uint32, nvml.Return) {
	return func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(kind) }
}

// memoryErrors is since the driver was loaded.
func memoryErrors(kind nvml.MemoryErrorType) func(nvml.Device) (uint64, nvml.Return) {
	return func(d nvml.Device) (uint64, nvml.Return) { return d.GetTotalEccErrors(kind, nvml.VOLATILE_ECC) }
}

func askReasons(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	reasons, code := d.handle.GetCurrentClocksEventReasons()
	if code == nvml.SUCCESS {
		r.reasons, r.throttled = reasons, true
	}
	return code
}

// askReasonsPlain asks by the name that drivers before 535 have.
func askReasonsPlain(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	if r.throttled {
		return nvml.SUCCESS
	}
	reasons, code := d.handle.GetCurrentClocksThrottleReasons()
	if code == nvml.SUCCESS {
		r.reasons, r.throttled = reasons, true
	}
	return code
}

// askFields reads the counters of PCIe (bytes) and of NVLink (KiB, over all links), as far as they have 64 bits: one of 32 runs
// over many times a second.
func askFields(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	d.fields = [4]nvml.FieldValue{
		{FieldId: nvml.FI_DEV_PCIE_COUNT_TX_BYTES},
		{FieldId: nvml.FI_DEV_PCIE_COUNT_RX_BYTES},
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, ScopeId: math.MaxUint32},
		{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ScopeId: math.MaxUint32},
	}
	if code := d.handle.GetFieldValues(d.fields[:]); code != nvml.SUCCESS {
		return code
	}
	for i := range d.fields {
		f := &d.fields[i]
		kind := nvml.ValueType(f.ValueType)
		if f.NvmlReturn != uint32(nvml.SUCCESS) || kind != nvml.VALUE_TYPE_UNSIGNED_LONG && kind != nvml.VALUE_TYPE_UNSIGNED_LONG_LONG {
			continue
		}
		r.counters[i] = float64(binary.NativeEndian.Uint64(f.Value[:]))
		if i >= 2 {
			r.counters[i] *= 1024
		}
	}
	return nvml.SUCCESS
}

// askPCIe has the driver count for 20 ms in each direction.
func askPCIe(_ *nvmlDriver, d *nvmlDevice, r *reading) nvml.Return {
	sent, code := d.handle.GetPcieThroughput(nvml.PCIE_UTIL_TX_BYTES)
	if code != nvml.SUCCESS {
		return code
	}
	received, code := d.handle.GetPcieThroughput(nvml.PCIE_UTIL_RX_BYTES)
	r.set(PCIeSent, float64(sent)*1000, code == nvml.SUCCESS) // KB/s
	r.set(PCIeReceived, float64(received)*1000, code == nvml.SUCCESS)
	return code
}
