package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// This file holds the program to what it does on the CPU: a training in bf16, step by step, and a generation from what it left.

// job is the size of what is trained and generated.
type job struct {
	simulated int    // patients to train on
	config    string // YAML
	drawn     int    // patients to generate
	slots     [2]int // records decoded together: two numbers that give the same patients
}

func (c *check) job() job {
	if c.emulated() {
		return job{40, "train: {width: 64, layers: 2, heads: 2, batch_tokens: 1024, steps: 3, warmup: 1, eval_every: 3}\n", 4, [2]int{4, 3}}
	}
	return job{400, "train: {width: 128, layers: 3, heads: 4, batch_tokens: 16384, steps: 12, warmup: 2, eval_every: 12}\n", 200, [2]int{64, 7}}
}

// How far a device may be from the CPU in bf16: both round where ops/precision.h says and add in other orders. A draw that falls
// otherwise changes the rest of its record, so that records agree in their statistics alone.
const (
	lossApart  = 2e-3 // of a step or a validation, relative
	normApart  = 5e-2 // of the gradient's norm, relative
	drawsApart = 0.1  // of the bits of a token under model and grammar, relative
)

// at is a path in the folder of the parts.
func (c *check) at(name string) string { return filepath.Join(c.folder, name) }

func (c *check) trainOn(ctx context.Context, device, out string, more ...string) ([]step, error) {
	words := []string{c.program, "train", "--config", c.at("config.yaml"), "--corpus", c.at("corpus"), "--out", c.at(out), "--device", device}
	if _, err := c.execute(ctx, "", append(words, more...)...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(c.at(out), "metrics.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("the training on %s left no metrics: %w", device, err)
	}
	return stepsOf(string(text))
}

// step is a line of metrics: a step of training, or a validation after it. Telemetry, which has lines of its own, is left out.
type step struct {
	Type         string
	Step         int64
	BitsPerToken float64 `json:"bits_per_token"`
	GradNorm     float64 `json:"grad_norm"`
	Skipped      bool
}

func stepsOf(text string) (steps []step, err error) {
	for line := range strings.Lines(text) {
		var s step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, fmt.Errorf("a line of metrics cannot be read: %w", err)
		}
		if s.Type == "train" || s.Type == "validation" {
			steps = append(steps, s)
		}
	}
	return steps, nil
}

func relative(x, from float64) float64 { return math.Abs(x-from) / math.Abs(from) }

// near holds the steps of a device to those of the CPU; it returns how far the losses are apart at most.
func near(device, cpu []step) (apart float64, err error) {
	if len(device) != len(cpu) || len(cpu) == 0 {
		return 0, fmt.Errorf("%d lines of metrics on the device, %d on the CPU", len(device), len(cpu))
	}
	for i, d := range device {
		want := cpu[i]
		loss := relative(d.BitsPerToken, want.BitsPerToken)
		apart = max(apart, loss)
		switch {
		case d.Type != want.Type || d.Step != want.Step || d.Skipped != want.Skipped:
			return apart, fmt.Errorf("line %d of the metrics is %+v on the device, %+v on the CPU", i+1, d, want)
		case !(loss <= lossApart):
			return apart, fmt.Errorf("%s at step %d: %.6g bits per token on the device, %.6g on the CPU in bf16", d.Type, d.Step, d.BitsPerToken, want.BitsPerToken)
		case d.Type == "train" && !(relative(d.GradNorm, want.GradNorm) <= normApart):
			return apart, fmt.Errorf("step %d: a gradient of norm %.6g on the device, %.6g on the CPU in bf16", d.Step, d.GradNorm, want.GradNorm)
		}
	}
	return apart, nil
}

// train: the steps of the device are those of the CPU in bf16, and have the same bits when they are made again.
func (c *check) train(ctx context.Context) (string, error) {
	j := c.job()
	if err := os.WriteFile(c.at("config.yaml"), []byte(j.config), 0o600); err != nil {
		return "", err
	}
	for _, words := range [][]string{
		{c.program, "simulate", "--patients", strconv.Itoa(j.simulated), "--seed", "1", "--out", c.at("cohort")},
		{c.program, "tokenize", "--cohort", c.at("cohort"), "--out", c.at("corpus")},
	} {
		if _, err := c.execute(ctx, "", words...); err != nil {
			return "", err
		}
	}
	cpu, err := c.trainOn(ctx, "cpu", "model-cpu", "--precision", "bf16")
	if err != nil {
		return "", err
	}
	device, err := c.trainOn(ctx, c.device, "model")
	if err != nil {
		return "", err
	}
	apart, err := near(device, cpu)
	if err != nil {
		return "", err
	}
	if _, err := c.trainOn(ctx, c.device, "model-again"); err != nil {
		return "", err
	}
	if err := sameFile(c.at("model/last/model.safetensors"), c.at("model-again/last/model.safetensors")); err != nil {
		return "", fmt.Errorf("trained twice: %w", err)
	}
	return fmt.Sprintf("%d steps and validations, losses at most %.2g %% from the CPU's in bf16; trained again, the same weights bit for bit",
		len(device), 100*apart), nil
}

// sameFile compares the bytes of two files.
func sameFile(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return fmt.Errorf("%s has other bytes", filepath.Base(a))
	}
	return nil
}

// drawn is what a generation says of itself.
type drawn struct {
	Patients      int64
	Tokens        int64
	ParseFailures int64   `json:"parse_failures"`
	NoLegalLogit  int64   `json:"no_legal_logit"`
	BitsMasked    float64 `json:"bits_masked"`
}

func (c *check) drawOn(ctx context.Context, device string, slots int, out string) (d drawn, err error) {
	_, err = c.execute(ctx, "", c.program, "generate", "--model", c.at("model"), "--patients", strconv.Itoa(c.job().drawn), "--seed", "1",
		"--slots", strconv.Itoa(slots), "--device", device, "--out", c.at(out))
	if err != nil {
		return d, err
	}
	text, err := os.ReadFile(filepath.Join(c.at(out), "metadata", "generation.json"))
	if err != nil {
		return d, fmt.Errorf("the generation on %s left no account of itself: %w", device, err)
	}
	return d, json.Unmarshal(text, &d)
}

// generate: every record parses, the number of slots changes no patient, and the draws are as likely as those of the CPU.
func (c *check) generate(ctx context.Context) (string, error) {
	if _, err := os.Stat(c.at("model/last")); err != nil {
		return "", cannot{"the training left no model to generate from"}
	}
	j := c.job()
	cpu, err := c.drawOn(ctx, "cpu", j.slots[0], "drawn-cpu")
	if err != nil {
		return "", err
	}
	device, err := c.drawOn(ctx, c.device, j.slots[0], "drawn")
	if err != nil {
		return "", err
	}
	if _, err := c.drawOn(ctx, c.device, j.slots[1], "drawn-again"); err != nil {
		return "", err
	}
	switch apart := relative(device.BitsMasked, cpu.BitsMasked); {
	case device.Patients != int64(j.drawn) || device.Tokens == 0:
		return "", fmt.Errorf("%d patients of %d tokens were generated, %d patients were asked for", device.Patients, device.Tokens, j.drawn)
	case device.ParseFailures > 0 || device.NoLegalLogit > 0:
		return "", fmt.Errorf("%d records do not parse, %d draws found no legal token", device.ParseFailures, device.NoLegalLogit)
	case !(apart <= drawsApart):
		return "", fmt.Errorf("%.4g bits a token under model and grammar on the device, %.4g on the CPU", device.BitsMasked, cpu.BitsMasked)
	}
	if err := sameFolder(c.at("drawn/data"), c.at("drawn-again/data")); err != nil {
		return "", fmt.Errorf("with %d and with %d slots: %w", j.slots[0], j.slots[1], err)
	}
	return fmt.Sprintf("%d patients, %d tokens, all records parse; %.4g bits a token, %.4g on the CPU; with %d and with %d slots the same bytes",
		device.Patients, device.Tokens, device.BitsMasked, cpu.BitsMasked, j.slots[0], j.slots[1]), nil
}

// sameFolder compares every file below a, where there must be one, with that below b.
func sameFolder(a, b string) error {
	files := 0
	err := filepath.WalkDir(a, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		below, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		return sameFile(path, filepath.Join(b, below))
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("%s holds no file", a)
	}
	return err
}
