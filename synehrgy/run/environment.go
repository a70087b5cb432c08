package run

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
	"github.com/synehrgy/synehrgy-go/synehrgy/source"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
)

// Observer is told how far the work is. Calls may come from any goroutine.
type Observer interface {
	Stage(name string)
	Step(done, total int64, note string)
}

// Environment is what every stage works in.
type Environment struct {
	Config   Config
	Logger   *slog.Logger
	Observer Observer
	Version  string // of the program

	device  *engine.Device   // opened by the first stage that computes
	monitor *monitor.Monitor // while a run is watched
}

// NewEnvironment checks that the GPU that was asked for is there; another device is opened by the first stage that needs it. Where
// it is an emulation, the first line of the log says so and every other names it.
func NewEnvironment(config Config, logger *slog.Logger, observer Observer, version string) (*Environment, error) {
	e := &Environment{Config: config, Logger: logger, Observer: observer, Version: version}
	if !engine.Backend(config.Device).GPU() {
		return e, nil
	}
	if _, err := e.Device(); err != nil {
		return nil, err
	}
	if config.Device == string(engine.HostGPU) {
		e.Logger = logger.With("device", "hostgpu, an emulation")
		e.Logger.Warn("hostgpu emulates a GPU on the processor, for tests: it is slow, and its times say nothing about a GPU")
	}
	return e, nil
}

// Close frees the device.
func (e *Environment) Close() error {
	if e.device == nil {
		return nil
	}
	return e.device.Close()
}

// Device is the device of the configuration. "auto" is a GPU where there is one, else the processor; why it is not a GPU is
// logged once. Precisions that the configuration leaves open become those of the device.
func (e *Environment) Device() (*engine.Device, error) {
	if e.device != nil {
		return e.device, nil
	}
	device, err := e.open()
	if err != nil {
		return nil, err
	}
	config, err := withPrecisions(e.Config, device.Backend())
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	e.device, e.Config = device, config
	e.watchDevice()
	return device, nil
}

func (e *Environment) open() (*engine.Device, error) {
	if e.Config.Device != "auto" {
		backend, err := engine.ParseBackend(e.Config.Device)
		if err != nil {
			return nil, err
		}
		return engine.OpenDevice(backend, e.Config.Threads)
	}
	why := "a precision was asked for that a GPU does not compute in"
	if _, err := withPrecisions(e.Config, engine.CUDA); err == nil {
		device, err := engine.OpenDevice(engine.CUDA, e.Config.Threads)
		if err == nil {
			return device, nil
		}
		why = err.Error()
		var core *engine.Error
		if errors.As(err, &core) {
			why = core.Msg
		}
	}
	device, err := engine.OpenDevice(engine.CPU, e.Config.Threads)
	if err != nil {
		return nil, err
	}
	if about, err := engine.Describe(); err == nil {
		e.Logger.Debug("device", "backend", "cpu", "isa", about.CPU.ISA, "threads", device.Threads(), "why_not_cuda", why)
	}
	return device, nil
}

// withPrecisions is a configuration with the precisions of a backend where it leaves them open; what the backend has not is a
// *fault.Usage.
func withPrecisions(c Config, b engine.Backend) (Config, error) {
	var err error
	if c.Train.Precision, err = c.Train.Precision.On(b); err != nil {
		return c, fmt.Errorf("train.%w", err)
	}
	if c.Generate.Precision, err = c.Generate.Precision.On(b); err != nil {
		return c, fmt.Errorf("generate.%w", err)
	}
	if b.GPU() && c.Generate.KVCache != "" {
		return c, fault.Usagef("generate.kv_cache is %q, but the device %s caches in %q alone", c.Generate.KVCache, b, engine.BF16)
	}
	return c, nil
}

func (e *Environment) tableOptions() table.Options {
	return table.Options{Threads: e.Config.Threads, MemoryLimit: e.Config.Prepare.MemoryLimit, Logger: e.Logger}
}

// fact is one line of what a stage has to tell.
type fact struct {
	Name  string
	Value any
}

// facts is what a stage tells: for people as lines, for programs as a map.
type facts []fact

// Facts is the facts by name.
func (f facts) Facts() map[string]any {
	out := make(map[string]any, len(f))
	for _, x := range f {
		out[x.Name] = x.Value
	}
	return out
}

// Lines is the facts for people, in order.
func (f facts) Lines() []string {
	width := 0
	for _, x := range f {
		width = max(width, len(x.Name))
	}
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = fmt.Sprintf("%-*s  %s", width, x.Name, show(x.Value))
	}
	return lines
}

func show(value any) string {
	switch v := value.(type) {
	case float64:
		return fmt.Sprintf("%.4g", v)
	case time.Duration:
		return v.Round(time.Millisecond).String()
	}
	return fmt.Sprint(value)
}

// Simulated is the format of the built-in cohort, which needs no input.
const Simulated = "simulate"

// FormatList is the formats of prepare and run, for a help text.
func FormatList() string {
	return strings.Join(source.Formats(), ", ")
}

// oneOf is a usage error that names the nearest of the known words.
func oneOf(what, word string, known []string) error {
	return fault.Usagef("%s %q is unknown; the nearest known one is %q", what, word, fault.Nearest(word, known))
}
