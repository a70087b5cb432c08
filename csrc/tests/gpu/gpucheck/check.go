package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// This file is what the parts share: where the programs are, how a command is run and told of, and what the machine is.

// emulation is the device that is none: the kernels on the processor (csrc/tests/gpu/hostgpu).
const emulation = "hostgpu"

// check is one run of the command: where its programs are.
type check struct {
	device  string // "cuda", or emulation
	tests   string // the test program of the device
	program string // bin/synehrgy
	toolkit string // folder; empty: none is known
	python  string // that may have PyTorch
	log     io.Writer
	folder  string // of what the parts leave, removed at the end
	found   machine
}

func newCheck() check { return check{log: os.Stderr} }

func (c *check) emulated() bool { return c.device == emulation }

// noDevice is the sentence of the library for why there is none.
type noDevice struct{ sentence string }

func (e noDevice) Error() string { return e.sentence }

// cannot is the reason for which a part was not run.
type cannot struct{ reason string }

func (e cannot) Error() string { return e.reason }

// said is what a command wrote.
type said struct{ out, err string }

// last is the end of it, for a sentence about what went wrong.
func (s said) last() string {
	text := strings.TrimSpace(s.out + "\n" + s.err)
	const most = 600
	if len(text) > most {
		text = "… " + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}

// longest is how long one command may take: the tests under a tool that slows a device down a hundredfold.
const longest = time.Hour

// execute runs a command, given a text on its standard input; it fails where the command does, in a sentence.
func (c *check) execute(ctx context.Context, input string, words ...string) (said, error) {
	ctx, stop := context.WithTimeout(ctx, longest)
	defer stop()
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	var out, trouble bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &trouble
	command.WaitDelay = time.Second
	err := command.Run()
	s := said{out.String(), trouble.String()}
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, s.last())
	}
	return s, err
}

// object runs the program with --json; it returns the last object of the given type that it says.
func (c *check) object(ctx context.Context, into any, kind string, words ...string) error {
	s, err := c.execute(ctx, "", append([]string{c.program, "--json"}, words...)...)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(s.out), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		var is struct{ Type string }
		if json.Unmarshal([]byte(line), &is) == nil && is.Type == kind {
			return json.Unmarshal([]byte(line), into)
		}
	}
	return fmt.Errorf("%s %s says no object of type %q: %s", c.program, strings.Join(words, " "), kind, s.last())
}

var release = regexp.MustCompile(`release [0-9.]+, V[0-9.]+`)

// find says what there is to try. Without a device it returns a noDevice.
func (c *check) find(ctx context.Context) (machine, error) {
	var about struct {
		Library struct {
			Version       string
			Backends      []string
			CUDA, HostGPU string
		}
		Stamp string
	}
	if err := c.object(ctx, &about, "doctor", "doctor"); err != nil {
		return machine{}, err
	}
	m := machine{Device: about.Library.CUDA, Library: about.Library.Version + ", stamp " + about.Stamp}
	if c.emulated() {
		m.Device = about.Library.HostGPU
	}
	if !slices.Contains(about.Library.Backends, c.device) {
		return m, noDevice{m.Device}
	}
	m.Toolkit = "none is known"
	if nvcc := c.tool("bin/nvcc", "nvcc"); nvcc != "" {
		s, err := c.execute(ctx, "", nvcc, "--version")
		if err != nil {
			return m, err
		}
		m.Toolkit = "nvcc " + release.FindString(s.out)
	}
	if !c.emulated() {
		if s, err := c.execute(ctx, "", "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"); err == nil {
			m.Driver, _, _ = strings.Cut(strings.TrimSpace(s.out), "\n")
		}
	}
	return m, nil
}

// tool is the path of a program of the toolkit, or else of the system; empty: there is none.
func (c *check) tool(inToolkit, name string) string {
	if c.toolkit != "" {
		path := filepath.Join(c.toolkit, inToolkit)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// run tries every part, whatever became of the others.
func (c *check) run(ctx context.Context, about machine) (r *report, err error) {
	began := time.Now()
	c.found = about
	r = &report{Emulation: c.emulated(), machine: about, Taken: began.UTC().Format(time.RFC3339)}
	if c.folder, err = os.MkdirTemp("", "gpu-check"); err != nil {
		return nil, fmt.Errorf("no folder for what the parts leave: %w", err)
	}
	defer os.RemoveAll(c.folder)
	for _, p := range c.parts(r) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Parts = append(r.Parts, c.try(ctx, p))
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// promise is a part before it is tried. try returns what was counted, or an error; a cannot where the part could not be run.
type promise struct {
	name     string
	optional bool
	try      func(context.Context) (string, error)
}

func (c *check) try(ctx context.Context, p promise) part {
	began := time.Now()
	detail, err := p.try(ctx)
	done := part{Name: p.name, Outcome: passed, Detail: detail, Optional: p.optional, Seconds: time.Since(began).Seconds()}
	var why cannot
	switch {
	case errors.As(err, &why):
		done.Outcome, done.Detail = notRun, why.reason
	case err != nil:
		done.Outcome, done.Detail = failed, err.Error()
	}
	fmt.Fprintf(c.log, "gpu-check: %s: %s, %s (%.0f s)\n", p.name, done.Outcome, cell(done.Detail), done.Seconds)
	return done
}

// parts is what the command promises, in order. Times go into the report.
func (c *check) parts(r *report) []promise {
	list := []promise{{name: "tests", try: c.testTwice}}
	for _, tool := range sanitizers {
		list = append(list, promise{name: tool, try: func(ctx context.Context) (string, error) { return c.sanitize(ctx, tool) }})
	}
	times := func(f func(context.Context, *report) (string, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return f(ctx, r) }
	}
	return append(list,
		promise{name: "training", try: c.train},
		promise{name: "generation", try: c.generate},
		promise{name: "op times", try: times(c.timeOps)},
		promise{name: "training speed", try: times(c.timeTraining)},
		promise{name: "generation speed", try: times(c.timeGeneration)},
		promise{name: "PyTorch", optional: true, try: times(c.timeTorch)},
	)
}
