package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/cost"
)

// This file takes times. Where the emulation is the device they are taken as well, of small things, so that whatever takes them is
// tested, and left out of the report.

const repeats = 21 // calls of an op that are timed

// emulatedCalls stand for the published shape where the emulation is the device.
var emulatedCalls = []cost.Call{
	{Pass: "training", Text: "norm_forward rows=16 width=64 branch=1 statistics=1"},
	{Pass: "training", Text: "xent rows=4 vocab=200"},
	{Pass: "decoding", Text: "attention_decode rows=2 heads=2 kv_heads=2 head_dim=32 position=70 keys=71"},
	{Pass: "decoding", Text: "sample rows=2 vocab=200 legal=400 draw=80"},
}

var (
	bandwidthLine = regexp.MustCompile(`(?m)^bandwidth (\d+)$`)
	timeLine      = regexp.MustCompile(`(?m)^time (\S+) (.*) median=(\S+) least=(\S+)$`)
)

// timeOps times every op of the published shape and relates it to its bound.
func (c *check) timeOps(ctx context.Context, r *report) (string, error) {
	calls, times := cost.Published(), repeats
	if c.emulated() {
		calls, times = emulatedCalls, 2
	}
	var input strings.Builder
	for _, call := range calls {
		input.WriteString(call.Text + "\n")
	}
	s, err := c.execute(ctx, input.String(), c.tests, "--time="+strconv.Itoa(times))
	if err != nil {
		return "", err
	}
	ops, err := opTimes(calls, s.out)
	if err != nil {
		return "", err
	}
	if c.emulated() {
		return fmt.Sprintf("%d calls; times left out, this is an emulation", len(ops)), nil
	}
	limits, from := c.limits(s.out)
	for i := range ops {
		if err := ops[i].bind(limits); err != nil {
			return "", err
		}
	}
	r.Ops, r.Limits = ops, from
	return fmt.Sprintf("%d calls, the table below", len(ops)), nil
}

// opTimes reads what the test program says of the calls.
func opTimes(calls []cost.Call, text string) (ops []opTime, err error) {
	lines := timeLine.FindAllStringSubmatch(text, -1)
	if len(lines) != len(calls) {
		return nil, fmt.Errorf("%d calls were timed, expected %d", len(lines), len(calls))
	}
	for i, line := range lines {
		if line[1]+" "+line[2] != calls[i].Text {
			return nil, fmt.Errorf("the call %q was timed, expected %q", line[1]+" "+line[2], calls[i].Text)
		}
		median, bad := strconv.ParseFloat(line[3], 64)
		least, worse := strconv.ParseFloat(line[4], 64)
		if bad != nil || worse != nil || !(median > 0) || !(least > 0) {
			return nil, fmt.Errorf("the time of %s is %s, at the least %s, expected seconds above 0", line[1], line[3], line[4])
		}
		ops = append(ops, opTime{Pass: calls[i].Pass, Op: line[1], Sizes: line[2], Seconds: median, Least: least})
	}
	return ops, nil
}

// limits is what the device can do at the most: what is published of it, or else what it reports itself, of which the second
// result says where it is from. The device of no bandwidth is not known.
func (c *check) limits(text string) (cost.Device, string) {
	name, _, _ := strings.Cut(c.found.Device, ", compute capability ")
	if d, known := cost.Named(name); known {
		return d, "at the bandwidth and the peaks that NVIDIA publishes of the " + d.Name
	}
	bandwidth := 0.0
	if m := bandwidthLine.FindStringSubmatch(text); m != nil {
		bandwidth, _ = strconv.ParseFloat(m[1], 64) // the expression matches digits only
	}
	if bandwidth == 0 {
		return cost.Device{}, "which is not known here: nothing published of this device is listed, and it reports no bandwidth"
	}
	return cost.Reported(bandwidth), fmt.Sprintf("at the %.0f GB/s that the device reports; its peaks are not known here, so that no bound is of operations",
		bandwidth/1e9)
}

// bind gives a call its bound: none where the device is not known.
func (o *opTime) bind(limits cost.Device) error {
	b, err := limits.Bound(o.Op + " " + o.Sizes)
	if err == nil {
		o.Bytes, o.Operations, o.Bound, o.ByOperations = b.Bytes, b.Operations, b.Seconds, b.ByOperations
	}
	return err
}

// bench has the program time a task on the device.
func (c *check) bench(ctx context.Context, r *report, name, task string, sizes, emulated []string) (string, error) {
	if c.emulated() {
		sizes = emulated
	}
	words := append([]string{"bench", task, "--device", c.device}, sizes...)
	var told struct {
		TokensPerSecond float64 `json:"tokens_per_s"`
		Tokens          int64
		Precision       string
	}
	if err := c.object(ctx, &told, "bench", words...); err != nil {
		return "", err
	}
	if !(told.TokensPerSecond > 0) || told.Precision != "bf16" {
		return "", fmt.Errorf("%g tokens/s in %s, expected some in bf16", told.TokensPerSecond, told.Precision)
	}
	if c.emulated() {
		return fmt.Sprintf("%d tokens; times left out, this is an emulation", told.Tokens), nil
	}
	r.Rates = append(r.Rates, rate{name, told.TokensPerSecond, "synehrgy " + strings.Join(words, " ")})
	return fmt.Sprintf("%.0f tokens/s", told.TokensPerSecond), nil
}

func (c *check) timeTraining(ctx context.Context, r *report) (string, error) {
	return c.bench(ctx, r, "training, packed records", "train", []string{"--steps", "30", "--repeats", "5"},
		[]string{"--shape", "demo", "--context", "32", "--batch", "1", "--steps", "1", "--repeats", "1"})
}

func (c *check) timeGeneration(ctx context.Context, r *report) (string, error) {
	return c.bench(ctx, r, "generation, 256 slots", "generate", []string{"--slots", "256", "--length", "256", "--repeats", "5"},
		[]string{"--shape", "demo", "--context", "32", "--slots", "2", "--length", "8", "--repeats", "1"})
}

// torchTasks are the same two on PyTorch: the strongest easy baseline in training, and the generation of transformers.
var torchTasks = []struct {
	name  string
	words []string
}{
	{"PyTorch: training, packed records, compiled", []string{"train", "--layout", "packed", "--compile", "--warmup", "3", "--steps", "30", "--repeats", "5"}},
	{"PyTorch: generation, batch of 256", []string{"generate", "--batch", "256", "--length", "256", "--repeats", "5"}},
}

// timeTorch times what a user would run instead, where it is installed.
func (c *check) timeTorch(ctx context.Context, r *report) (string, error) {
	if c.emulated() {
		return "", cannot{"PyTorch is timed on a GPU, and this is an emulation"}
	}
	python := c.python
	for _, candidate := range []string{".venv-peers/bin/python", "python3"} {
		if _, err := os.Stat(candidate); python == "" && (err == nil || candidate == "python3") {
			python = candidate
		}
	}
	_, err := c.execute(ctx, "", python, "-c", "import torch, transformers; assert torch.cuda.is_available(), 'PyTorch sees no GPU'")
	if err != nil {
		return "", cannot{"PyTorch and transformers for a GPU were not found: " + err.Error()}
	}
	var speeds []string
	for _, task := range torchTasks {
		words := append([]string{python, "tests/peers/torch_gpt2.py"}, append(task.words, "--device", "cuda")...)
		s, err := c.execute(ctx, "", words...)
		if err != nil {
			return "", err
		}
		var told struct {
			TokensPerSecond float64 `json:"tokens_per_s"`
		}
		lines := strings.Split(strings.TrimSpace(s.out), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &told); err != nil || !(told.TokensPerSecond > 0) {
			return "", errors.New("torch_gpt2.py says no speed: " + s.last())
		}
		r.Rates = append(r.Rates, rate{task.name, told.TokensPerSecond, strings.Join(words, " ")})
		speeds = append(speeds, fmt.Sprintf("%.0f", told.TokensPerSecond))
	}
	return strings.Join(speeds, " and ") + " tokens/s", nil
}
