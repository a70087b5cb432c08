package monitor

import "math"

// This file is the small interface between the monitor and a driver of devices; nvml.go is the one implementation.

// driver asks the devices of a run. One goroutine at a time uses it.
type driver interface {
	devices() []identity
	read(device int) reading // of devices()[device]
	close()
}

// identity is what a device is called.
type identity struct {
	index      int
	uuid, name string
	mig        bool
}

// reading is what a driver says of a device, before anybody has asked whether it can be true.
type reading struct {
	values    values
	counters  [counters]float64 // bytes that went through PCIeSent, PCIeReceived, NVLinkSent, NVLinkReceived so far; NaN is not told
	reasons   uint64            // bits of why the clocks are held down; see Reasons
	throttled bool              // reasons is told
	lost      string            // why the device can be asked no more; empty while it can
	troubles  []trouble
}

const counters = 4 // figures from PCIeSent on that may be told as counters

// trouble is something to tell of a device, or of the driver.
type trouble struct {
	cause   string // one of the Cause constants
	key     string // two troubles of one cause and key are the same
	message string // the rest of a sentence that begins with the device
}

func newReading() reading {
	r := reading{values: newValues(deviceTable)}
	for i := range r.counters {
		r.counters[i] = math.NaN()
	}
	return r
}

// knows tells whether the driver has said a figure, or the counter that it is the rate of.
func (r *reading) knows(f Figure) bool {
	if i := int(f - PCIeSent); i >= 0 && i < counters && !math.IsNaN(r.counters[i]) {
		return true
	}
	return !math.IsNaN(r.values[f])
}

// set takes a figure where the driver had an answer.
func (r *reading) set(f Figure, x float64, answered bool) {
	if answered {
		r.values[f] = x
	}
}
