// gpucheck tries the GPU backend on a device: the tests of the kernels, the same under the tools of compute-sanitizer, a training and
// a generation beside those of the CPU, and the time of each op, of a training and of a generation. `./dev gpu-check` builds what it
// runs and calls it. It writes gpu-report.json and gpu-report.md when all is done, or nothing.
//
//	gpucheck [-device cuda|hostgpu] [-tests PROGRAM] [-program bin/synehrgy] [-toolkit DIR] [-out DIR]     in the root of the tree
//	gpucheck -look ...      only whether there is a device
//
// Exit codes:
//
//	0  every part passed                            1  a part failed, or the report could not be written
//	2  usage                                        3  no part failed, one that is promised could not be run
//	4  there is no device; the sentence says why, nothing is written
//	130  interrupted; nothing is written
//
// With -device hostgpu the emulation stands in the device's place, so that the command itself can be tested where there is none: small
// inputs, no sanitizers, and no times in the report, whose first line says what it is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitPassed      = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotRun      = 3
	exitNoDevice    = 4
	exitInterrupted = 130
)

func main() {
	c := newCheck()
	look := flag.Bool("look", false, "only say whether there is a device")
	out := flag.String("out", ".", "folder of gpu-report.json and gpu-report.md")
	flag.StringVar(&c.device, "device", "cuda", "cuda, or hostgpu for the emulation")
	flag.StringVar(&c.tests, "tests", "build/cpu/csrc/tests/gpu/syn_gpu_device_tests", "the tests of the kernels, built for the device")
	flag.StringVar(&c.program, "program", "bin/synehrgy", "the program")
	flag.StringVar(&c.toolkit, "toolkit", "", "folder of the CUDA toolkit: nvcc, compute-sanitizer")
	flag.StringVar(&c.python, "python", "", "a Python for PyTorch's times, .venv-peers/bin/python where that is")
	flag.Parse()
	if flag.NArg() > 0 || (c.device != "cuda" && c.device != emulation) {
		fmt.Fprintf(os.Stderr, "gpucheck: device %q, expected cuda or %s, and no arguments\n", c.device, emulation)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(c.command(ctx, *look, *out))
}

// command does the whole, says what came of it, and returns the exit code.
func (c *check) command(ctx context.Context, look bool, out string) int {
	fail := func(code int, err error) int {
		fmt.Fprintln(c.log, "gpu-check:", err)
		return code
	}
	about, err := c.find(ctx)
	var none noDevice
	switch {
	case errors.As(err, &none):
		return fail(exitNoDevice, err)
	case err != nil:
		return fail(exitFailed, err)
	case look:
		fmt.Fprintln(c.log, "gpu-check:", about.Device)
		return exitPassed
	}
	r, err := c.run(ctx, about)
	if ctx.Err() != nil {
		return fail(exitInterrupted, errors.New("interrupted; nothing is written"))
	}
	if err == nil {
		err = r.write(out)
	}
	if err != nil {
		return fail(exitFailed, err)
	}
	fmt.Fprintln(c.log, "gpu-check:", r.verdict())
	return r.exitCode()
}
