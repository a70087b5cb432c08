package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// stopAt trains until a step and cancels there with a cause of its own.
func stopAt(t *testing.T, o Options, step int64) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	asked := errors.New("somebody pressed Ctrl-C")
	o.Progress = func(p Progress) {
		if p.Step == step {
			cancel(asked)
		}
	}
	result, err := Run(ctx, o)
	require.ErrorIs(t, err, asked)
	require.Equal(t, step, result.Steps, "the step at hand was not finished, or another begun")
	s, found, err := readState(filepath.Join(o.Folder, LastFolder))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, step, s.Step, "the checkpoint is not that of the last step")
}

// TestResumeIsBitwise holds that 20 steps are 7 steps, a stop, 6 more, a stop, and the rest: every byte of both folders, for
// stops in the middle of an epoch, of the warm-up and at a validation.
func TestResumeIsBitwise(t *testing.T) {
	for _, backend := range []engine.Backend{engine.CPU, engine.Ref} {
		t.Run(string(backend), func(t *testing.T) {
			o := Options{Config: tiny(), Device: open(t, backend, 2), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30)))}
			o.Folder = t.TempDir()
			whole, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.EqualValues(t, 20, whole.Steps)
			straight := o.Folder
			for _, stops := range [][]int64{{10}, {3, 13}, {5}} {
				sink := &lines{}
				o.Folder, o.Resume, o.Metrics = t.TempDir(), false, sink
				for _, step := range stops {
					stopAt(t, o, step)
					o.Resume = true
				}
				parts, err := Run(t.Context(), o)
				require.NoError(t, err)
				require.Equal(t, whole.Tokens, parts.Tokens)
				require.Equal(t, whole.Best, parts.Best)
				same(t, straight, o.Folder)
				require.Len(t, sink.steps, 20)
				var validated []int64
				for _, v := range sink.validations {
					validated = append(validated, v.Step)
				}
				require.Equal(t, []int64{5, 10, 15, 20}, validated, "a validation that was interrupted is done again, the others are not")
			}
		})
	}
}

// TestMuonResumesBitwise holds the same of Muon, whose checkpoints are smaller: of the matrices of a layer there is one moment.
func TestMuonResumesBitwise(t *testing.T) {
	for _, backend := range []engine.Backend{engine.CPU, engine.Ref} {
		t.Run(string(backend), func(t *testing.T) {
			o := Options{Config: tiny(), Device: open(t, backend, 2), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30)))}
			o.Config.Steps, o.Config.Optimizer, o.Folder = 8, engine.Muon, t.TempDir()
			_, err := Run(t.Context(), o)
			require.NoError(t, err)
			straight := o.Folder
			o.Folder = t.TempDir()
			stopAt(t, o, 5)
			o.Resume = true
			_, err = Run(t.Context(), o)
			require.NoError(t, err)
			same(t, straight, o.Folder)

			f, err := checkpoint.Open(filepath.Join(straight, LastFolder, tensorsFile))
			require.NoError(t, err)
			defer f.Close()
			for name, second := range map[string]bool{"transformer.h.0.attn.c_attn.weight": false, "transformer.wte.weight": true} {
				_, first := f.Tensor("moment1." + name)
				require.True(t, first, name)
				_, has := f.Tensor("moment2." + name)
				require.Equal(t, second, has, name)
			}

			muon, adamw := weights(t, filepath.Join(straight, LastFolder)), o
			adamw.Config.Optimizer, adamw.Folder, adamw.Resume = engine.AdamW, t.TempDir(), false
			_, err = Run(t.Context(), adamw)
			require.NoError(t, err)
			require.NotEqual(t, weights(t, filepath.Join(adamw.Folder, LastFolder)), muon)
			_, less, err := Estimate(o)
			require.NoError(t, err)
			_, more, err := Estimate(adamw)
			require.NoError(t, err)
			require.Less(t, less.Moments, more.Moments)
		})
	}
}

// TestAStateWithoutAnOptimizerIsOfAdamW holds that runs go on which began when there was no other.
func TestAStateWithoutAnOptimizerIsOfAdamW(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, stateFile), []byte(`{"format":1,"config":{}}`), 0o600))
	s, found, err := readState(folder)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, engine.AdamW, s.Config.Optimizer)
}

// TestAKilledRunGoesOnBitForBit kills a child in the middle of training with a signal that it cannot see.
func TestAKilledRunGoesOnBitForBit(t *testing.T) {
	source := newCorpus(t, cohort(t, 30))
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, source), Folder: t.TempDir()}
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	straight := o.Folder
	for _, step := range []int64{2, 10, 15} { // before the first checkpoint, between two, at a validation
		o.Folder = t.TempDir()
		task, err := json.Marshal(doomed{Corpus: source, Folder: o.Folder, Config: o.Config, KillAt: step})
		require.NoError(t, err)
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+string(task))
		child.Stderr = os.Stderr
		var exit *exec.ExitError
		require.ErrorAs(t, child.Run(), &exit)
		require.Equal(t, "signal: killed", exit.String())
		o.Resume = true
		_, err = Run(t.Context(), o)
		require.NoError(t, err)
		same(t, straight, o.Folder)
	}
}

// TestPrecisionAndRecomputeReachTheCore holds that bf16 is another training and recomputation the same one in less memory.
func TestPrecisionAndRecomputeReachTheCore(t *testing.T) {
	c := openCorpus(t, newCorpus(t, cohort(t, 30)))
	train := func(change func(*Config)) (string, int64) {
		o := Options{Config: tiny(), Device: open(t, engine.CPU, 2), Corpus: c, Folder: t.TempDir()}
		o.Config.Steps, o.Config.Layers = 4, 2 // of the last layer everything is kept
		change(&o.Config)
		_, memory, err := Estimate(o)
		require.NoError(t, err)
		_, err = Run(t.Context(), o)
		require.NoError(t, err)
		return filepath.Join(o.Folder, BestFolder), memory.Activations
	}
	plain, kept := train(func(*Config) {})
	again, least := train(func(c *Config) { c.Recompute = true })
	bf16, _ := train(func(c *Config) { c.Precision = engine.BF16 })
	muon, _ := train(func(c *Config) { c.Optimizer = engine.Muon })
	require.Equal(t, weights(t, plain), weights(t, again))
	require.Less(t, least, kept)
	require.NotEqual(t, weights(t, plain), weights(t, bf16))
	require.NotEqual(t, weights(t, plain), weights(t, muon))
}

// TestAWindowReachesTheCoreAndTheCheckpoint holds that it makes another training, and that one as long as the records makes none.
func TestAWindowReachesTheCoreAndTheCheckpoint(t *testing.T) {
	c := openCorpus(t, newCorpus(t, cohort(t, 30)))
	train := func(window int) string {
		o := Options{Config: tiny(), Device: open(t, engine.CPU, 2), Corpus: c, Folder: t.TempDir()}
		o.Config.Family, o.Config.Steps, o.Config.Window = checkpoint.Llama, 4, window
		_, err := Run(t.Context(), o)
		require.NoError(t, err)
		return filepath.Join(o.Folder, BestFolder)
	}
	plain, narrow, whole := train(0), train(8), train(192)
	require.Equal(t, weights(t, plain), weights(t, whole))
	require.NotEqual(t, weights(t, plain), weights(t, narrow))
	config, err := checkpoint.ReadConfig(filepath.Join(narrow, engine.ConfigFile))
	require.NoError(t, err)
	require.Equal(t, checkpoint.Llama, config.Family)
	require.Equal(t, 8, config.Window)
}

func TestThreadsDoNotChangeTheWeights(t *testing.T) {
	c := openCorpus(t, newCorpus(t, cohort(t, 30)))
	var first string
	for threads := 1; threads <= 3; threads++ {
		o := Options{Config: tiny(), Device: open(t, engine.CPU, threads), Corpus: c, Folder: t.TempDir()}
		o.Config.Steps = 6
		_, err := Run(t.Context(), o)
		require.NoError(t, err)
		if first == "" {
			first = o.Folder
		}
		same(t, first, o.Folder)
	}
}

// TestTrainingLearns holds that the model leaves the uniform distribution and its own first steps behind, in fewer bits on
// patients it was not trained on.
func TestTrainingLearns(t *testing.T) {
	for _, optimizer := range []engine.Optimizer{engine.AdamW, engine.Muon} {
		t.Run(string(optimizer), func(t *testing.T) { learns(t, optimizer) })
	}
}

func learns(t *testing.T, optimizer engine.Optimizer) {
	sink := &lines{}
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 2), Corpus: openCorpus(t, newCorpus(t, cohort(t, 60))), Folder: t.TempDir(), Metrics: sink}
	o.Config.Steps, o.Config.EvalEvery, o.Config.Dropout, o.Config.LearningRate = 60, 20, 0, 1e-2
	o.Config.Optimizer = optimizer
	result, err := Run(t.Context(), o)
	require.NoError(t, err)
	uniform := math.Log2(float64(o.Corpus.Vocabulary.Size()))
	require.Less(t, result.Best.BitsPerToken, uniform-2)
	require.Len(t, sink.steps, 60)
	require.InDelta(t, uniform, sink.steps[0].BitsPerToken, 0.5, "fresh weights know nothing")
	require.Less(t, sink.steps[59].BitsPerToken, sink.steps[0].BitsPerToken-2)
	require.Len(t, sink.validations, 3)
	require.Greater(t, sink.validations[0].BitsPerToken, sink.validations[2].BitsPerToken)
	for i, v := range sink.validations {
		require.EqualValues(t, 20*(i+1), v.Step)
	}
	for _, folder := range []string{BestFolder, LastFolder} {
		m, err := engine.LoadModel(o.Device, filepath.Join(o.Folder, folder), engine.Fresh{})
		require.NoError(t, err)
		require.Equal(t, result.Parameters, m.Parameters())
		require.NoError(t, m.Close())
	}
}

// lines is a sink that keeps what it gets and makes sure that it is JSON.
type lines struct {
	steps       []StepLine
	validations []ValidationLine
}

func (l *lines) Line(v any) error {
	switch v := v.(type) {
	case StepLine:
		l.steps = append(l.steps, v)
	case ValidationLine:
		l.validations = append(l.validations, v)
	}
	_, err := json.Marshal(v)
	return err
}

// TestADivergedRunKeepsItsLastGoodCheckpoint makes the weights overflow: decay of 999 a step multiplies them by a million.
func TestADivergedRunKeepsItsLastGoodCheckpoint(t *testing.T) {
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30))), Folder: t.TempDir()}
	o.Config.LearningRate, o.Config.WeightDecay, o.Config.Warmup = 999, 999, 0
	o.Config.EvalEvery, o.Config.SaveEvery, o.Config.Steps = 1000, 1, 100
	result, err := Run(t.Context(), o)
	require.ErrorIs(t, err, ErrDiverged)
	require.ErrorContains(t, err, "step ")
	require.Less(t, result.Steps, int64(100))
	s, found, err := readState(filepath.Join(o.Folder, LastFolder))
	require.NoError(t, err)
	require.True(t, found)
	require.Positive(t, s.Step)
	for name, x := range weights(t, filepath.Join(o.Folder, LastFolder)) {
		for _, w := range x {
			require.False(t, math.IsNaN(float64(w)), name)
		}
	}
}

// TestEarlyStoppingKeepsTheBest trains with a rate at which things get worse.
func TestEarlyStoppingKeepsTheBest(t *testing.T) {
	sink := &lines{}
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 2), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30))), Folder: t.TempDir(), Metrics: sink}
	o.Config.LearningRate, o.Config.Schedule, o.Config.Warmup = 5e-2, Linear, 40
	o.Config.Steps, o.Config.EvalEvery, o.Config.SaveEvery, o.Config.Patience = 400, 5, 0, 2
	result, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, result.StoppedEarly)
	require.Less(t, result.Steps, int64(400))
	lowest := sink.validations[0]
	for _, v := range sink.validations {
		if v.BitsPerPatient < lowest.BitsPerPatient {
			lowest = v
		}
	}
	require.Equal(t, lowest.Validation, result.Best)
	require.Equal(t, result.Best.Step+2*5, result.Steps, "two validations without a new best")
	require.NotEqual(t, weights(t, filepath.Join(o.Folder, LastFolder)), weights(t, filepath.Join(o.Folder, BestFolder)))

	o.Resume, o.Metrics = true, nil // a run that stopped early has nothing left to do
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, result.Steps, again.Steps)
}

// TestValidationIsASumOverTheSplit holds that how the split is packed does not matter, and that the three rates are one sum.
func TestValidationIsASumOverTheSplit(t *testing.T) {
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30)))}
	o.Config.Steps, o.Config.EvalEvery = 1, 1
	var first Validation
	for _, tokens := range []int{256, 1024} {
		o.Folder = t.TempDir()
		o.Config.BatchTokens = tokens
		r, err := prepare(&o)
		require.NoError(t, err)
		require.NoError(t, r.validate(t.Context()))
		v, count := r.state.Last, r.tuning.count
		r.close()
		require.InEpsilon(t, v.BitsPerPatient*float64(count.Patients), v.BitsPerToken*float64(count.Targets), 1e-12)
		require.InEpsilon(t, v.BitsPerPatient*float64(count.Patients), v.BitsPerEvent*float64(count.Events), 1e-12)
		if first == (Validation{}) {
			first = v
		}
		require.InEpsilon(t, first.BitsPerPatient, v.BitsPerPatient, 1e-6)
	}
}

func TestAStepAllocatesNothing(t *testing.T) {
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30))), Folder: t.TempDir()}
	r, err := prepare(&o)
	require.NoError(t, err)
	defer r.close()
	ctx := context.WithoutCancel(t.Context())
	allocs := testing.AllocsPerRun(2*int(r.perEpoch)+1, func() {
		if _, err := r.step(ctx); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, allocs)
}

func TestWhatARunCannotDoIsASentence(t *testing.T) {
	source := newCorpus(t, cohort(t, 30))
	base := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, source), Folder: t.TempDir()}
	base.Config.Steps = 4
	_, err := Run(t.Context(), base)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*Options)
		words  string
	}{
		"a folder with a run":        {func(o *Options) {}, "resume it"},
		"another width":              {func(o *Options) { o.Resume, o.Config.Width = true, 64 }, "train.width"},
		"another seed":               {func(o *Options) { o.Resume, o.Config.Seed = true, 5 }, "train.seed"},
		"another precision":          {func(o *Options) { o.Resume, o.Config.Precision = true, engine.BF16 }, "train.precision is bf16, but the run to be resumed began with fp32"},
		"another optimizer":          {func(o *Options) { o.Resume, o.Config.Optimizer = true, engine.Muon }, "train.optimizer is muon, but the run to be resumed began with adamw"},
		"another backend":            {func(o *Options) { o.Resume, o.Device = true, open(t, engine.Ref, 1) }, "device"},
		"another vocabulary":         {func(o *Options) { o.Resume, o.Corpus = true, openCorpus(t, newCorpus(t, cohort(t, 20))) }, "vocabulary"},
		"a context below the data's": {func(o *Options) { o.Folder, o.Config.Context = t.TempDir(), 100 }, "train.context"},
		"a context above the data's": {func(o *Options) { o.Folder, o.Config.Context = t.TempDir(), 1024 }, "train.context"},
		"a batch below a record":     {func(o *Options) { o.Folder, o.Config.BatchTokens = t.TempDir(), 20 }, "20 tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			o := base
			c.change(&o)
			_, err := Run(t.Context(), o)
			var usage *fault.Usage
			require.ErrorAs(t, err, &usage)
			require.ErrorContains(t, err, c.words)
		})
	}
	t.Run("more steps, with recomputation", func(t *testing.T) {
		o := base
		o.Resume, o.Config.Steps, o.Config.Recompute = true, 6, true
		result, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.EqualValues(t, 6, result.Steps)
	})
}

// TestADamagedCheckpointIsASentence holds that a run does not go on from half a state.
func TestADamagedCheckpointIsASentence(t *testing.T) {
	o := Options{Config: tiny(), Device: open(t, engine.CPU, 1), Corpus: openCorpus(t, newCorpus(t, cohort(t, 30))), Folder: t.TempDir()}
	o.Config.Steps = 2
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	o.Resume = true
	for _, name := range []string{stateFile, tensorsFile, engine.WeightsFile} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(o.Folder, LastFolder, name)
			whole, err := os.ReadFile(path)
			require.NoError(t, err)
			defer os.WriteFile(path, whole, 0o600)
			flipped := bytes.Clone(whole)
			flipped[len(flipped)-9] ^= 1
			for _, damage := range [][]byte{whole[:len(whole)/2], {}, flipped} {
				require.NoError(t, os.WriteFile(path, damage, 0o600))
				_, err := Run(t.Context(), o)
				var input *fault.Input
				require.ErrorAs(t, err, &input)
				require.Equal(t, path, input.File)
			}
			require.NoError(t, os.Remove(path))
			_, err = Run(t.Context(), o)
			var input *fault.Input
			require.ErrorAs(t, err, &input)
		})
	}
}
