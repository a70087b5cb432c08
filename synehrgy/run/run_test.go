package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/evaluate"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/monitor"
	"github.com/synehrgy/synehrgy-go/synehrgy/report"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if live := engine.Live(); code == 0 && live != 0 {
		println("objects of the core that nobody freed:", live)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// silent is an Observer that calls back at the beginning of a stage.
type silent struct{ stage func(string) }

func (s silent) Stage(name string) {
	if s.stage != nil {
		s.stage(name)
	}
}
func (silent) Step(int64, int64, string) {}

func tinyConfig() Config {
	c := DefaultConfig()
	c.Train.Width, c.Train.Layers, c.Train.Heads, c.Train.Epochs = 32, 1, 2, 1
	c.Evaluate.Bootstrap = 20
	return c
}

func environment(t *testing.T, config Config, observer Observer) *Environment {
	t.Helper()
	e, err := NewEnvironment(config, slog.New(slog.DiscardHandler), observer, "test")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func all(t *testing.T, ctx context.Context, config Config, o AllOptions, observer Observer) error {
	t.Helper()
	d, err := OpenDirectory(o.Out, o.Resume)
	require.NoError(t, err)
	defer d.Close()
	_, err = All(ctx, environment(t, config, observer), d, o)
	return err
}

// TestAutoTakesTheProcessorAndSaysOnceWhy holds where there is no GPU, and where a precision rules one out.
func TestAutoTakesTheProcessorAndSaysOnceWhy(t *testing.T) {
	if d, err := engine.OpenDevice(engine.CUDA, 1); err == nil {
		require.NoError(t, d.Close())
		t.Skip("this machine has a CUDA device")
	}
	for precision, why := range map[engine.Precision]string{"": "there is no CUDA", engine.FP32: "a precision was asked for"} {
		var log bytes.Buffer
		config := tinyConfig()
		config.Train.Precision = precision
		e, err := NewEnvironment(config, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), silent{}, "test")
		require.NoError(t, err)
		for range 2 {
			d, err := e.Device()
			require.NoError(t, err)
			require.Equal(t, engine.CPU, d.Backend())
		}
		require.Equal(t, engine.FP32, e.Config.Train.Precision)
		require.Equal(t, engine.FP32, e.Config.Generate.Precision)
		require.Equal(t, 1, strings.Count(log.String(), "why_not_cuda"))
		require.Contains(t, log.String(), why)
		require.NoError(t, e.Close())
	}
}

func TestTwoRunsDoNotShareADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	first, err := OpenDirectory(path, false)
	require.NoError(t, err)
	_, err = OpenDirectory(path, false)
	require.ErrorContains(t, err, "another run works in "+path)
	require.NoError(t, first.Close())
	again, err := OpenDirectory(path, false)
	require.NoError(t, err, "a run that ended before its manifest left nothing that matters")
	require.NoError(t, again.Close())
}

// TestARunCutOffAtAnyStageEndsTheSame cancels a run at the beginning of each stage in turn, continues it, and compares every
// file that must not depend on time with those of a run that was left alone.
func TestARunCutOffAtAnyStageEndsTheSame(t *testing.T) {
	o := AllOptions{Format: Simulated, Simulate: 40, Out: filepath.Join(t.TempDir(), "whole")}
	require.NoError(t, all(t, t.Context(), tinyConfig(), o, silent{}))
	whole := outputs(t, o.Out)
	require.Greater(t, len(whole), 12)
	for _, stage := range []string{"tokenize", "train", "generate", "evaluate", "report"} {
		t.Run(stage, func(t *testing.T) {
			o := o
			o.Out = filepath.Join(t.TempDir(), "cut")
			ctx, cancel := context.WithCancelCause(t.Context())
			err := all(t, ctx, tinyConfig(), o, silent{func(name string) {
				if name == stage {
					cancel(errors.New("stopped"))
				}
			}})
			if stage != "report" { // the last stage is over before anybody asks
				require.Error(t, err)
			}
			o.Resume = true
			require.NoError(t, all(t, t.Context(), tinyConfig(), o, silent{}))
			require.Equal(t, whole, outputs(t, o.Out))
		})
	}
}

// outputs is the checksum of every file of a run but those that tell the time.
func outputs(t *testing.T, path string) map[string]string {
	t.Helper()
	all, err := hashTree(path)
	require.NoError(t, err)
	for _, timed := range []string{ManifestFile, MetricsFile, LogFile, ReportFile, PictureFile, lockFile, "synthetic/metadata/" + statsFile} {
		delete(all, timed)
	}
	return all
}

func TestARunIsNotContinuedWithAnotherConfiguration(t *testing.T) {
	o := AllOptions{Format: Simulated, Simulate: 40, Out: filepath.Join(t.TempDir(), "run")}
	ctx, cancel := context.WithCancelCause(t.Context())
	err := all(t, ctx, tinyConfig(), o, silent{func(name string) {
		if name == "tokenize" {
			cancel(errors.New("stopped"))
		}
	}})
	require.Error(t, err)
	o.Resume = true
	for name, change := range map[string]func(*Config, *AllOptions){
		"seed":                func(c *Config, _ *AllOptions) { c.Seed = 2 },
		"train.lr":            func(c *Config, _ *AllOptions) { c.Train.LearningRate = 1 },
		"token.values.bins":   func(c *Config, _ *AllOptions) { c.Token.Values.Bins = 3 },
		"generate.top_k":      func(c *Config, _ *AllOptions) { c.Generate.TopK = 50 },
		"input":               func(_ *Config, o *AllOptions) { o.Simulate = 41 },
		"prepare.train_share": func(c *Config, _ *AllOptions) { c.Prepare.TrainShare = 0.5 },
	} {
		config, options := tinyConfig(), o
		change(&config, &options)
		err := all(t, t.Context(), config, options, silent{})
		var usage *fault.Usage
		require.ErrorAs(t, err, &usage, name)
		require.Contains(t, usage.Message, name)
	}
	config := tinyConfig()
	config.Threads = 1 // changes no result
	require.NoError(t, all(t, t.Context(), config, o, silent{}))
}

func TestTheLeakGateAsksPrivacyAlone(t *testing.T) {
	results := func(verdicts ...evaluate.Verdict) *evaluate.Results { return &evaluate.Results{Verdicts: verdicts} }
	seen := evaluate.Verdict{ID: "control.planted_copies", State: "pass"}
	config := tinyConfig()
	require.NoError(t, gate(results(evaluate.Verdict{ID: "privacy.x", State: "fail"}), config), "no gate was asked for")
	config.Evaluate.Gate.NoLeak = true
	require.NoError(t, gate(results(seen, evaluate.Verdict{ID: "fidelity.codes", State: "fail"}, evaluate.Verdict{ID: "privacy.y", State: "blind"}), config))
	var missed *fault.Quality
	require.ErrorAs(t, gate(results(seen, evaluate.Verdict{ID: "privacy.x", State: "fail"}), config), &missed)
	require.ErrorAs(t, gate(results(evaluate.Verdict{ID: "control.planted_copies", State: "blind"}), config), &missed)
	require.ErrorAs(t, gate(results(), config), &missed)
}

// TestAStepThatWasTakenTwiceCountsOnce: metrics of a run that was killed and went on from an earlier checkpoint.
func TestAStepThatWasTakenTwiceCountsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	f, err := os.Create(path)
	require.NoError(t, err)
	line := func(kind string, step int, bits float64) {
		require.NoError(t, json.NewEncoder(f).Encode(map[string]any{"type": kind, "step": step, "bits_per_token": bits}))
	}
	line("train", 1, 9)
	line("train", 2, 8)
	line("validation", 2, 8.5)
	line("train", 3, 7)
	_, err = io.WriteString(f, `{"type":"train","st`) // the process was killed here
	require.NoError(t, err)
	require.NoError(t, f.Close())
	resumed := monitor.NewRecorder(path)
	require.NoError(t, resumed.Line(map[string]any{"type": "train", "step": 2, "bits_per_token": 8.1}))
	require.NoError(t, resumed.Line(map[string]any{"type": "train", "step": 3, "bits_per_token": 7.1}))
	require.NoError(t, resumed.Close())
	curves, err := readCurves(path)
	require.NoError(t, err)
	require.Equal(t, []report.LossPoint{{Step: 1, BitsPerToken: 9}, {Step: 2, BitsPerToken: 8.1}, {Step: 3, BitsPerToken: 7.1}}, curves.Train)
	require.Equal(t, []report.LossPoint{{Step: 2, BitsPerToken: 8.5}}, curves.Validation)
}
