package monitor

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Sample is how everything was at one moment; a line of metrics.jsonl. Nobody changes it once it was handed out.
type Sample struct {
	Type    string    `json:"type"` // "telemetry"
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // since the monitor began
	Stage   string    `json:"stage"`
	Step    int64     `json:"step"`
	Joules  float64   `json:"joules,omitempty"` // that the devices drew since they are watched
	Host    Host      `json:"host"`
	Devices []Device  `json:"devices,omitempty"`
}

// Notice is a message of the monitor, each of which comes once; a line of metrics.jsonl.
type Notice struct {
	Type    string    `json:"type"` // "warning"
	At      time.Time `json:"at"`
	Stage   string    `json:"stage"`
	Step    int64     `json:"step"`
	Device  string    `json:"device,omitempty"` // "GPU 0"
	Cause   string    `json:"cause"`            // one of the Cause constants
	Message string    `json:"message"`          // a sentence
}

// Causes of notices.
const (
	CauseDriver     = "driver"     // there is none, or it does not answer
	CausePermission = "permission" // a device or a figure that this user may not ask for
	CauseMIG        = "mig"
	CauseLost       = "lost"
	CauseThrottling = "throttling"
	CauseECC        = "ecc"
	CauseMemory     = "memory" // close to the limit
	CauseGarbage    = "garbage"
	CauseRecord     = "record" // metrics.jsonl cannot be written
)

// Host is the machine beside the devices.
type Host struct{ values values }

// Get returns a figure, and whether the system tells it.
func (h Host) Get(f HostFigure) (float64, bool) { return h.values.get(int(f)) }

// MarshalJSON writes the figures that are told.
func (h Host) MarshalJSON() ([]byte, error) { return h.values.spliced([]byte("{}"), hostTable), nil }

// Device is one GPU of the run.
type Device struct {
	Index    int    // in the order of the driver
	UUID     string // "GPU-…"
	Name     string
	MIG      bool     // divided
	Lost     bool     // it can be asked no more, and nothing is told of it
	Throttle []string // why its clocks are held down: names of Reasons
	values   values
}

// Get returns a figure, and whether the driver tells it.
func (d Device) Get(f Figure) (float64, bool) { return d.values.get(int(f)) }

// MarshalJSON writes what the device is and the figures that are told.
func (d Device) MarshalJSON() ([]byte, error) {
	object, err := json.Marshal(struct {
		Index    int      `json:"index"`
		UUID     string   `json:"uuid"`
		Name     string   `json:"name"`
		MIG      bool     `json:"mig,omitempty"`
		Lost     bool     `json:"lost,omitempty"`
		Throttle []string `json:"throttle,omitempty"`
	}{d.Index, d.UUID, d.Name, d.MIG, d.Lost, d.Throttle})
	if err != nil {
		return nil, err
	}
	return d.values.spliced(object, deviceTable), nil
}

// label is the device in a sentence.
func (d *Device) label() string { return fmt.Sprintf("GPU %d", d.Index) }

// Phrase is the devices in a few words for a progress line: "GPU 97 %, 612 W, 71 °C, 61.2 of 80.0 GB". Of several it is the mean
// utilisation, the sum of the power, the highest temperature and the memory of the fullest. Empty without devices.
func (s *Sample) Phrase() string {
	if len(s.Devices) == 0 {
		return ""
	}
	there := 0
	busy, told := 0.0, 0
	watts, heat := 0.0, 0.0
	used, total := 0.0, 0.0
	for _, d := range s.Devices {
		if d.Lost {
			continue
		}
		there++
		if x, ok := d.Get(Utilization); ok {
			busy, told = busy+x, told+1
		}
		if x, ok := d.Get(Power); ok {
			watts += x
		}
		if x, ok := d.Get(Temperature); ok {
			heat = max(heat, x)
		}
		u, one := d.Get(MemoryUsed)
		t, other := d.Get(MemoryTotal)
		if one && other && t > 0 && (total == 0 || u/t > used/total) {
			used, total = u, t
		}
	}
	phrase := "GPU"
	if n := len(s.Devices); n > 1 {
		phrase = fmt.Sprintf("%d GPUs", n)
	}
	if there == 0 {
		return phrase + " lost"
	}
	var parts []string
	if told > 0 {
		phrase += fmt.Sprintf(" %.0f %%", 100*busy/float64(told))
	}
	if watts > 0 {
		parts = append(parts, fmt.Sprintf("%.0f W", watts))
	}
	if heat > 0 {
		parts = append(parts, fmt.Sprintf("%.0f °C", heat))
	}
	if total > 0 {
		parts = append(parts, fmt.Sprintf("%.1f of %.1f GB", used/1e9, total/1e9))
	}
	return strings.Join(append([]string{phrase}, parts...), ", ")
}
