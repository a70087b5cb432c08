//go:build cgo && linux

package monitor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This file opens NVIDIA's management library and finds the devices of the run in it; nvml_questions.go asks them.

// nvmlName is the library that the driver brings.
const nvmlName = "libnvidia-ml.so.1"

// nvmlNeeds are the functions that a driver of any age that CUDA 12 runs on has.
var nvmlNeeds = []string{
	"nvmlInit_v2", "nvmlShutdown", "nvmlErrorString", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2",
	"nvmlDeviceGetHandleByUUID", "nvmlDeviceGetName", "nvmlDeviceGetUUID",
}

// mostDevices is more than a machine holds.
const mostDevices = 64

type nvmlDriver struct {
	library nvml.Interface
	has     map[string]bool // functions that were looked for
	opened  []*nvmlDevice
	pid     uint32
}

type nvmlDevice struct {
	identity
	handle nvml.Device
	mute   []bool // of the questions: the driver has no answer
	fields [4]nvml.FieldValue
	lost   string
}

// openNVML opens the library at path (empty: the driver's own) and the first most devices of those that CUDA sees: wanted holds
// the words of CUDA_VISIBLE_DEVICES, nil for all devices. A device that cannot be opened is a trouble; without any that can
// there is an error.
func openNVML(path string, wanted []string, most int) (driver, []trouble, error) {
	if path == "" {
		path = nvmlName
	}
	if err := probe(path); err != nil {
		return nil, nil, err
	}
	n := &nvmlDriver{library: nvml.New(nvml.WithLibraryPath(path)), has: map[string]bool{}, pid: uint32(os.Getpid())}
	if code := n.library.Init(); code != nvml.SUCCESS {
		return nil, nil, errors.New(nvmlWhy(code))
	}
	troubles, err := n.find(wanted, most)
	if err != nil {
		n.close()
		return nil, troubles, err
	}
	return n, troubles, nil
}

// probe looks whether the library is there and has what is called before anything else can be looked for.
func probe(path string) error {
	library := dl.New(path, dl.RTLD_LAZY|dl.RTLD_LOCAL)
	if err := library.Open(); err != nil {
		return fmt.Errorf("there is no driver library: %w", err)
	}
	defer library.Close()
	for _, symbol := range nvmlNeeds {
		if library.Lookup(symbol) != nil {
			return fmt.Errorf("%s is no management library of NVIDIA, or of a driver that is too old: it has no %s", path, symbol)
		}
	}
	return nil
}

// find opens the devices.
func (n *nvmlDriver) find(wanted []string, most int) ([]trouble, error) {
	count, code := n.library.DeviceGetCount()
	if code != nvml.SUCCESS {
		return nil, errors.New(nvmlWhy(code))
	}
	if count < 0 || count > mostDevices {
		return nil, fmt.Errorf("it lists %d devices, expected at most %d", count, mostDevices)
	}
	if wanted == nil {
		for i := range count {
			wanted = append(wanted, strconv.Itoa(i))
		}
	}
	var troubles []trouble
	for _, word := range wanted {
		if len(n.opened) == most {
			break
		}
		index, handle, code := n.handle(word, count)
		if code != nvml.SUCCESS {
			cause := CauseDriver
			if code == nvml.ERROR_NO_PERMISSION {
				cause = CausePermission
			}
			troubles = append(troubles, trouble{cause, word, fmt.Sprintf("device %s cannot be watched: %s", word, nvmlWhy(code))})
			continue
		}
		n.opened = append(n.opened, n.describe(index, handle))
	}
	if len(n.opened) == 0 && len(troubles) == 0 {
		return nil, fmt.Errorf("it lists %d devices and none that this run may use", count)
	}
	return troubles, nil
}

// handle finds the device of a word of CUDA_VISIBLE_DEVICES: an index, or the beginning of a UUID.
func (n *nvmlDriver) handle(word string, count int) (int, nvml.Device, nvml.Return) {
	if index, err := strconv.Atoi(word); err == nil {
		device, code := n.library.DeviceGetHandleByIndex(index)
		return index, device, code
	}
	if strings.HasPrefix(word, "MIG-") {
		device, code := n.library.DeviceGetHandleByUUID(word)
		return 0, device, code
	}
	for index := range count {
		device, code := n.library.DeviceGetHandleByIndex(index)
		if code != nvml.SUCCESS {
			continue
		}
		if uuid, code := device.GetUUID(); code == nvml.SUCCESS && strings.HasPrefix(uuid, word) {
			return index, device, code
		}
	}
	return 0, nil, nvml.ERROR_NOT_FOUND
}

func (n *nvmlDriver) describe(index int, handle nvml.Device) *nvmlDevice {
	d := &nvmlDevice{identity: identity{index: index, name: "unknown"}, handle: handle, mute: make([]bool, len(questions))}
	if name, code := handle.GetName(); code == nvml.SUCCESS {
		d.name = strings.ToValidUTF8(name, "?")
	}
	if uuid, code := handle.GetUUID(); code == nvml.SUCCESS {
		d.uuid = strings.ToValidUTF8(uuid, "?")
	}
	d.mig = strings.HasPrefix(d.uuid, "MIG-")
	if n.hasAny([]string{"nvmlDeviceGetMigMode"}) {
		if mode, _, code := handle.GetMigMode(); code == nvml.SUCCESS && mode == nvml.DEVICE_MIG_ENABLE {
			d.mig = true
		}
	}
	return d
}

// hasAny tells whether the driver has one of the functions. A call of one that it lacks would end the process.
func (n *nvmlDriver) hasAny(symbols []string) bool {
	for _, symbol := range symbols {
		known, asked := n.has[symbol]
		if !asked {
			known = n.library.Extensions().LookupSymbol(symbol) == nil
			n.has[symbol] = known
		}
		if known {
			return true
		}
	}
	return false
}

func (n *nvmlDriver) devices() []identity {
	out := make([]identity, len(n.opened))
	for i, d := range n.opened {
		out[i] = d.identity
	}
	return out
}

func (n *nvmlDriver) close() { n.library.Shutdown() }

// nvmlWhy says a code in words. The library's own words are not asked for: it may be gone by then.
func nvmlWhy(code nvml.Return) string {
	switch code {
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "the NVIDIA driver is not loaded"
	case nvml.ERROR_NO_PERMISSION:
		return "this user may not talk to the NVIDIA driver"
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "there is no driver library"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "the NVIDIA driver and its library are of different versions; a restart of the machine mends that"
	case nvml.ERROR_NOT_FOUND, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_GPU_NOT_FOUND:
		return "the driver knows no such device"
	case nvml.ERROR_INSUFFICIENT_POWER:
		return "a power cable of it is not attached"
	case nvml.ERROR_GPU_IS_LOST:
		return "it fell off the bus"
	case nvml.ERROR_RESET_REQUIRED:
		return "it hangs until it is reset"
	}
	return fmt.Sprintf("the driver answers with error %d", int(code))
}
