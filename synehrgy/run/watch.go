package run

import (
	"net"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
)

// This file has a run watched: telemetry beside its stages, in metrics.jsonl, in the progress line and for Prometheus.

// MonitorConfig says how a run is watched. It changes no result.
type MonitorConfig struct {
	Interval      float64 `yaml:"interval" json:"interval"`             // seconds from sample to sample; 0: no telemetry
	MetricsAddr   string  `yaml:"metrics_addr" json:"metrics_addr"`     // HOST:PORT for Prometheus; empty: none
	MetricsPublic bool    `yaml:"metrics_public" json:"metrics_public"` // it may be an address that other machines reach
}

func (c *MonitorConfig) validate() error {
	switch {
	case c.Interval != 0 && !(c.Interval >= 0.01 && c.Interval <= 3600):
		return fault.Usagef("monitor.interval is %g seconds, expected 0.01 to 3600, or 0 for no telemetry", c.Interval)
	case c.Interval == 0 && c.MetricsAddr != "":
		return fault.Usagef("monitor.metrics_addr is %q while monitor.interval is 0, expected an interval: there is nothing to serve without telemetry", c.MetricsAddr)
	}
	return nil
}

// watch begins to watch what is done until stop is called. folder is where the run writes.
func (e *Environment) watch(folder string) (stop func(), err error) {
	c := e.Config.Monitor
	if c.Interval == 0 {
		return func() {}, nil
	}
	var listener net.Listener
	if c.MetricsAddr != "" {
		if listener, err = monitor.Listen(c.MetricsAddr, c.MetricsPublic); err != nil {
			return nil, err
		}
	}
	m := monitor.Start(monitor.Options{Interval: time.Duration(c.Interval * float64(time.Second)), Folder: folder, Log: e.Logger})
	closeServer := func() {}
	if listener != nil {
		server := m.Serve(listener)
		e.Logger.Info("metrics are served", "address", server.Address())
		closeServer = func() {
			if err := server.Close(); err != nil {
				e.Logger.Debug("the metrics server did not end in order", "error", err)
			}
		}
	}
	inner := e.Observer
	e.monitor, e.Observer = m, watched{inner, m}
	e.watchDevice()
	return func() {
		closeServer()
		m.Close()
		e.monitor, e.Observer = nil, inner
	}, nil
}

// watchDevice adds the GPU to what is watched, once it is open: the core computes on the first that CUDA sees. Where there is no
// GPU in the run, no driver is asked for.
func (e *Environment) watchDevice() {
	if e.device != nil && e.device.Backend() == engine.CUDA {
		e.monitor.Watch(monitor.Visible(), 1)
	}
}

// meter begins to count the energy of the GPU; the function that it returns tells the joules since then, 0 where nobody knows.
func (e *Environment) meter() func() float64 {
	if e.device == nil || e.device.Backend() != engine.CUDA {
		return func() float64 { return 0 }
	}
	before := e.monitor.Measure().Joules
	return func() float64 { return e.monitor.Measure().Joules - before }
}

// watched is an Observer that tells the monitor, and a person how the devices are.
type watched struct {
	Observer
	monitor *monitor.Monitor
}

func (w watched) Stage(name string) {
	w.monitor.Stage(name)
	w.Observer.Stage(name)
}

func (w watched) Step(done, total int64, note string) {
	w.monitor.Step(done, total)
	if phrase := w.monitor.Phrase(); phrase != "" {
		note += ", " + phrase
	}
	w.Observer.Step(done, total, note)
}

// follower is the sink of a training on its own: telemetry joins its metrics with the first line, so that a training that is
// refused leaves no file.
type follower struct {
	*monitor.Recorder
	monitor *monitor.Monitor
}

func (f *follower) Line(v any) error {
	if err := f.Recorder.Line(v); err != nil {
		return err
	}
	f.monitor.Record(f.Recorder)
	return nil
}
