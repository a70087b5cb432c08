package monitor

import (
	"fmt"
	"math"
	"time"
)

// This file makes a Device of what the driver said: rates from counters, joules from what the driver counts, nothing that
// cannot be true, and what is worth a warning.

// Reasons are the bits of why the clocks of a device are held down, in the order of the driver, as metrics.jsonl and Prometheus
// name them. An idle device and clocks that somebody set are no throttling and not among them.
var Reasons = []struct {
	Name string
	bit  uint64
	text string
}{
	{"power_cap", 1 << 2, "it draws as much power as it may"},
	{"hardware_slowdown", 1 << 3, "the hardware slows it down for its temperature or its power"},
	{"software_thermal", 1 << 5, "it is too hot"},
	{"hardware_thermal", 1 << 6, "it is so hot that the hardware halves its clocks or more"},
	{"power_brake", 1 << 7, "the power supply asks for less"},
	{"board_limit", 1 << 9, "the board allows no more"},
	{"reliability", 1 << 10, "the voltage allows no more"},
}

// nearFull is the share of its memory from which on a device is said to be close to the limit.
const nearFull = 0.95

// track follows one device from sample to sample.
type track struct {
	device   Device // what does not change
	at       time.Time
	counters [counters]float64
	highest  values  // of the figures that only grow
	watts    float64 // at the last sample
	counted  float64 // joules by the counter of the driver when it was last told
	joules   float64 // since the first sample
	seen     bool
	ecc      float64 // corrected errors at the first sample
}

func newTrack(id identity) *track {
	t := &track{device: Device{Index: id.index, UUID: id.uuid, Name: id.name, MIG: id.mig}, highest: newValues(deviceTable)}
	for i := range t.counters {
		t.counters[i] = math.NaN()
	}
	t.watts, t.counted, t.ecc = math.NaN(), math.NaN(), math.NaN()
	return t
}

// accept turns a reading into a Device and what there is to say about it.
func (t *track) accept(at time.Time, r reading) (Device, []trouble) {
	d := t.device
	d.values = newValues(deviceTable)
	troubles := r.troubles
	if r.lost != "" {
		d.Lost = true
		return d, append(troubles, trouble{CauseLost, "", fmt.Sprintf("can be watched no more: %s; the run goes on without its telemetry", r.lost)})
	}
	copy(d.values, r.values)
	t.rates(at, &r, d.values)
	if nonsense := t.filter(at, d.values); nonsense != "" {
		troubles = append(troubles, trouble{CauseGarbage, "", "tells what cannot be true (" + nonsense + "); such figures are left out"})
	}
	t.energy(at, d.values)
	if r.throttled {
		for _, reason := range Reasons {
			if r.reasons&reason.bit != 0 {
				d.Throttle = append(d.Throttle, reason.Name)
				troubles = append(troubles, trouble{CauseThrottling, reason.Name, "is throttled: " + reason.text + figures(d)})
			}
		}
	}
	troubles = append(troubles, t.errors(d.values)...)
	if used, total := d.values[MemoryUsed], d.values[MemoryTotal]; used >= nearFull*total && total > 0 {
		troubles = append(troubles, trouble{CauseMemory, "", fmt.Sprintf(
			"has %.1f of its %.1f GB of memory in use, which is close to the limit; a smaller train.batch_tokens, train.recompute or a smaller generate.slots takes less",
			used/1e9, total/1e9)})
	}
	t.at, t.seen = at, true
	return d, troubles
}

// rates makes bytes per second of counters; a counter that fell has begun anew, and there is no rate.
func (t *track) rates(at time.Time, r *reading, v values) {
	seconds := at.Sub(t.at).Seconds()
	for i, now := range r.counters {
		if grown := now - t.counters[i]; t.seen && seconds > 0 && grown >= 0 {
			v[int(PCIeSent)+i] = math.Round(grown / seconds)
		}
		t.counters[i] = now
	}
}

// filter leaves out what cannot be true and names the first of it. A counter that fell is left out once and counts from there.
func (t *track) filter(at time.Time, v values) string {
	nonsense := ""
	could := deviceTable[Power].most * (at.Sub(t.at).Seconds() + 1) // joules since the last sample; the driver counts them in steps
	refuse := func(f Figure, expected string) {
		if nonsense == "" {
			nonsense = fmt.Sprintf("%s of %.6g, expected %s", deviceTable[f].key, v[f], expected)
		}
		v[f] = math.NaN()
	}
	for i, x := range v {
		f := Figure(i)
		switch about := deviceTable[f]; {
		case math.IsNaN(x):
		case x < 0 || x > about.most:
			refuse(f, fmt.Sprintf("0 to %.6g", about.most))
		case about.counter && x < t.highest[f]:
			refuse(f, fmt.Sprintf("%.6g or more, as before", t.highest[f]))
			t.highest[f] = x
			if f == Energy {
				t.counted = math.NaN()
			}
		case f == Energy && t.seen && x-t.highest[f] > could:
			refuse(f, fmt.Sprintf("at most %.6g more than the %.6g before", could, t.highest[f]))
		case about.counter:
			t.highest[f] = x
		}
	}
	if v[MemoryUsed] > v[MemoryTotal] {
		refuse(MemoryUsed, fmt.Sprintf("at most the %.6g that there are", v[MemoryTotal]))
	}
	if v[ProcessMemory] > v[MemoryTotal] {
		refuse(ProcessMemory, fmt.Sprintf("at most the %.6g that there are", v[MemoryTotal]))
	}
	return nonsense
}

// energy adds up joules: from the counter of the driver, or where it has none from power and time. It runs before t.at is moved.
func (t *track) energy(at time.Time, v values) {
	now := v[Energy]
	switch {
	case !t.seen:
	case !math.IsNaN(now) && !math.IsNaN(t.counted):
		t.joules += now - t.counted
	case math.IsNaN(now) && math.IsNaN(t.counted) && !math.IsNaN(v[Power]) && !math.IsNaN(t.watts):
		t.joules += (v[Power] + t.watts) / 2 * at.Sub(t.at).Seconds()
	}
	t.watts = v[Power]
	if !math.IsNaN(now) {
		t.counted = now
	}
}

// errors warns of memory errors: of those that were not corrected always, of those that were when they grow in number.
func (t *track) errors(v values) []trouble {
	var out []trouble
	if n := v[ECCUncorrected]; n > 0 {
		out = append(out, trouble{CauseECC, "uncorrected", fmt.Sprintf(
			"had %.0f memory errors (ECC) that were not corrected since its driver was loaded; do not trust results of it, and have it looked at", n)})
	}
	n := v[ECCCorrected]
	if math.IsNaN(t.ecc) {
		t.ecc = n
	}
	if n > t.ecc {
		out = append(out, trouble{CauseECC, "corrected", fmt.Sprintf("corrected %.0f memory errors (ECC) since the run began; results are right, the device may be failing", n-t.ecc)})
	}
	return out
}

// figures are the temperature and the power of a device, for the warning that it is throttled.
func figures(d Device) string {
	text := ""
	if x, ok := d.Get(Temperature); ok {
		text += fmt.Sprintf(", %.0f °C", x)
	}
	if x, ok := d.Get(Power); ok {
		text += fmt.Sprintf(", %.0f W", x)
		if most, ok := d.Get(PowerLimit); ok {
			text += fmt.Sprintf(" of %.0f", most)
		}
	}
	return text
}
