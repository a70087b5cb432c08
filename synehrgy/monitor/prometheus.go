package monitor

import (
	"strconv"
	"strings"
)

// This file writes the newest sample in the text format of Prometheus, version 0.0.4.

const textFormat = "text/plain; version=0.0.4; charset=utf-8"

// page is a text under construction.
type page struct{ text []byte }

// family begins the samples of one name.
func (p *page) family(name, kind, help string) {
	p.text = append(p.text, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

// sample adds one; labels is empty or `name="value",…`.
func (p *page) sample(name, labels string, x float64) {
	p.text = append(p.text, name...)
	if labels != "" {
		p.text = append(append(append(p.text, '{'), labels...), '}')
	}
	p.text = append(p.text, ' ')
	p.text = append(strconv.AppendFloat(p.text, x, 'g', -1, 64), '\n')
}

// single adds a family of one sample.
func (p *page) single(name, kind, help, labels string, x float64) {
	p.family(name, kind, help)
	p.sample(name, labels, x)
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(name, value string) string { return name + `="` + escape.Replace(value) + `"` }

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// metrics is the page for Prometheus.
func (m *Monitor) metrics() []byte {
	p := &page{text: make([]byte, 0, 8192)}
	m.mu.Lock()
	stage, step, steps := m.stage, m.step, m.steps
	counts := map[string]int{}
	for _, n := range m.notices {
		counts[n.Cause]++
	}
	m.mu.Unlock()
	p.single("synehrgy_stage_info", "gauge", "1, with the stage at work as label.", label("stage", stage), 1)
	p.single("synehrgy_stage_done", "gauge", "Steps, patients or what else the stage counts, done so far.", "", float64(step))
	p.single("synehrgy_stage_goal", "gauge", "How many there are to do.", "", float64(steps))
	p.family("synehrgy_warnings_total", "counter", "Warnings of telemetry by cause.")
	for _, cause := range []string{CauseDriver, CausePermission, CauseMIG, CauseLost, CauseThrottling, CauseECC, CauseMemory, CauseGarbage, CauseRecord} {
		p.sample("synehrgy_warnings_total", label("cause", cause), float64(counts[cause]))
	}
	s, ok := m.Latest()
	if !ok {
		return p.text
	}
	p.single("synehrgy_sample_timestamp_seconds", "gauge", "When the newest sample was taken, in seconds since 1970.", "", float64(s.At.UnixMilli())/1000)
	for i, about := range hostTable {
		if x, told := s.Host.values.get(i); told {
			p.single("synehrgy_host_"+about.key, "gauge", about.help, "", x)
		}
	}
	p.devices(s)
	return p.text
}

func (p *page) devices(s Sample) {
	if len(s.Devices) == 0 {
		return
	}
	labels := make([]string, len(s.Devices))
	for i, d := range s.Devices {
		labels[i] = label("gpu", strconv.Itoa(d.Index)) + "," + label("uuid", d.UUID) + "," + label("name", d.Name)
	}
	p.single("synehrgy_gpu_joules_total", "counter", "Energy that all devices drew since the run watches them.", "", s.Joules)
	p.family("synehrgy_gpu_up", "gauge", "1, 0 for a device that can be asked no more.")
	for i, d := range s.Devices {
		p.sample("synehrgy_gpu_up", labels[i], flag(!d.Lost))
	}
	for f, about := range deviceTable {
		name, kind := "synehrgy_gpu_"+about.key, "gauge"
		if about.counter {
			name, kind = name+"_total", "counter"
		}
		begun := false
		for i, d := range s.Devices {
			x, told := d.values.get(f)
			if !told {
				continue
			}
			if !begun {
				p.family(name, kind, about.help)
				begun = true
			}
			p.sample(name, labels[i], x)
		}
	}
	p.family("synehrgy_gpu_throttled", "gauge", "1 while the clocks are held down for the reason of the label.")
	for i, d := range s.Devices {
		if d.Lost {
			continue
		}
		for _, reason := range Reasons {
			on := strings.Contains(","+strings.Join(d.Throttle, ",")+",", ","+reason.Name+",")
			p.sample("synehrgy_gpu_throttled", labels[i]+","+label("reason", reason.Name), flag(on))
		}
	}
}
