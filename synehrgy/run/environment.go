package run

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
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

	device *engine.Device // opened by the first stage that computes
}

// NewEnvironment checks that the device that was asked for is there; it is opened by the first stage that needs it.
func NewEnvironment(config Config, logger *slog.Logger, observer Observer, version string) (*Environment, error) {
	e := &Environment{Config: config, Logger: logger, Observer: observer, Version: version}
	if config.Device == "cuda" {
		if _, err := e.Device(); err != nil {
			return nil, err
		}
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

// Device is the device of the configuration. "auto" is the processor; why it is not a GPU is logged once.
func (e *Environment) Device() (*engine.Device, error) {
	if e.device != nil {
		return e.device, nil
	}
	backend := engine.CPU
	if e.Config.Device != "auto" {
		var err error
		if backend, err = engine.ParseBackend(e.Config.Device); err != nil {
			return nil, err
		}
	}
	device, err := engine.OpenDevice(backend, e.Config.Threads)
	if err != nil {
		return nil, err
	}
	if e.Config.Device == "auto" {
		if about, err := engine.Describe(); err == nil {
			e.Logger.Debug("device", "backend", "cpu", "isa", about.CPU.ISA, "threads", device.Threads(), "why_not_cuda", about.CUDA)
		}
	}
	e.device = device
	return device, nil
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
