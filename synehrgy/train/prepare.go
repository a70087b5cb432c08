package train

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file makes a run ready for its first step, or for the step after a checkpoint.

func prepare(o *Options) (*run, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	precision, err := o.Config.Precision.On(o.Device.Backend())
	if err != nil {
		return nil, err
	}
	o.Config.Precision = precision
	r := &run{o: o, state: state{
		Format: stateFormat, Backend: string(o.Device.Backend()), Vocabulary: o.Corpus.Vocabulary.Fingerprint(), saved: -1,
	}}
	config, memory, err := Estimate(*o)
	if err != nil {
		return nil, err
	}
	last := filepath.Join(o.Folder, LastFolder)
	resumed, err := r.find(last)
	if err != nil {
		return nil, err
	}
	r.state.Config = o.Config
	soft, err := r.load()
	if err != nil {
		return nil, err
	}
	if err := r.build(config, memory, soft); err != nil {
		return nil, err
	}
	if resumed {
		if err := r.restore(last); err != nil {
			r.close()
			return nil, err
		}
		o.Log.Info("training goes on", "step", r.state.Step, "of", r.schedule.Total)
	}
	r.clock = newClock()
	return r, nil
}

// shape is the model that the options ask for. Its context is that of the corpus: a longer one would have positions that no
// chunk ever trained, and the generator would use them.
func (o *Options) shape() (checkpoint.Config, error) {
	v, context := o.Corpus.Vocabulary, o.Corpus.Index.Context
	if o.Config.Context != 0 && o.Config.Context != context {
		return checkpoint.Config{}, fault.Usagef("train.context is %d, expected the %d of the corpus, or 0 for as much", o.Config.Context, context)
	}
	return o.Config.Shape(v.Size(), context, v.Generation().StartToken)
}

// find reads the state of a run to be resumed, if there is one.
func (r *run) find(last string) (resumed bool, err error) {
	o := r.o
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return false, fmt.Errorf("%s cannot be written: %w", o.Folder, err)
	}
	for _, folder := range []string{last, filepath.Join(o.Folder, BestFolder)} {
		if err := recoverFolder(folder); err != nil {
			return false, err
		}
	}
	if !o.Resume {
		if exists(last) {
			return false, fault.Usagef("%s holds a run already; resume it or name a new folder", o.Folder)
		}
		return false, nil
	}
	s, found, err := readState(last)
	if err != nil || !found {
		return false, err
	}
	if err := s.compatible(o); err != nil {
		return false, err
	}
	s.saved = s.Step
	if s.Pending { // the validation that was interrupted is due again, and after it another checkpoint
		s.saved = -1
	}
	s.Stopped = s.stop(o.Config.Patience)
	r.state = s
	return true, nil
}

// softTable is the soft targets of a vocabulary; rows is nil where targets stay hard.
type softTable struct {
	index  []int32
	weight []float32
	rows   []int32
}

// load makes the loaders and lays out the run in steps.
func (r *run) load() (soft softTable, err error) {
	c, o := &r.o.Config, r.o
	if c.SoftTargets {
		if soft.index, soft.weight, soft.rows = o.Corpus.Vocabulary.SoftTable(); len(soft.index) == 0 {
			soft.rows = nil // no field has ordered bins
		}
	}
	split := o.Corpus.Split(ehr.Train)
	if split.Len() == 0 {
		return soft, &fault.Input{File: "the corpus", Found: "no record in the split train", Expected: "at least one to train on"}
	}
	options := corpus.LoaderOptions{Seed: c.Seed, Tokens: c.BatchTokens, MaxSegments: segments(split, c.BatchTokens), SoftRow: soft.rows}
	if r.data, err = corpus.NewLoader(split, options); err != nil {
		return soft, err
	}
	if tuning := o.Corpus.Split(ehr.Tuning); tuning.Len() > 0 {
		r.tuning.count = &o.Corpus.Index.Split(ehr.Tuning).Counts
		r.tuning.data, err = corpus.NewLoader(tuning, corpus.LoaderOptions{Tokens: c.BatchTokens, MaxSegments: segments(tuning, c.BatchTokens), Ordered: true})
		if err != nil {
			return soft, err
		}
	}
	return soft, r.plan()
}

// segments is the most chunks of a split that fit into a batch, at least 1.
func segments(s *corpus.Split, tokens int) int {
	shortest := math.MaxInt
	for i := range s.Len() {
		shortest = min(shortest, len(s.Chunk(i).Tokens))
	}
	return max(1, min(tokens/max(shortest, 1), s.Len()))
}

// plan counts the batches of the first epoch and lays out the run in steps. Later epochs are packed in another order and may
// have a batch more or less; a step does not end with an epoch.
func (r *run) plan() error {
	c := &r.o.Config
	batches := 0
	for last := false; !last; batches++ {
		last = r.data.Next().Last
	}
	if err := r.data.Seek(corpus.Cursor{}); err != nil {
		return err
	}
	r.perEpoch = int64((batches + c.Accumulate - 1) / c.Accumulate)
	total := int64(c.Steps)
	if total == 0 {
		total = r.perEpoch * int64(c.Epochs)
	}
	if total > math.MaxInt32 {
		return fault.Usagef("train.epochs asks for %d updates, expected at most %d", total, math.MaxInt32)
	}
	r.schedule = Schedule{Peak: c.LearningRate, Final: c.FinalRate, Warmup: c.Warmup, Total: int(total), Decay: c.Schedule}
	return nil
}

// Estimate is the model that a run would train and the memory it would take, before anything is allocated or written; where a GPU
// has less free, an engine.ErrOutOfMemory.
func Estimate(o Options) (checkpoint.Config, engine.Memory, error) {
	if err := o.Config.Validate(); err != nil {
		return checkpoint.Config{}, engine.Memory{}, err
	}
	config, err := o.shape()
	if err != nil {
		return checkpoint.Config{}, engine.Memory{}, err
	}
	memory, err := o.Device.EstimateTraining(config, o.trainer())
	return config, memory, err
}

// trainer is what a run asks of the engine; a batch of either split must fit.
func (o *Options) trainer() engine.TrainerOptions {
	tokens := o.Config.BatchTokens
	return o.Config.trainer(max(segments(o.Corpus.Split(ehr.Train), tokens), segments(o.Corpus.Split(ehr.Tuning), tokens)))
}

// build makes the model and the trainer.
func (r *run) build(config checkpoint.Config, memory engine.Memory, soft softTable) (err error) {
	c, o := &r.o.Config, r.o
	o.Log.Info("training", "model", config.String(), "steps", r.schedule.Total, "steps_per_epoch", r.perEpoch, "bytes", memory.Total)
	r.model, err = engine.NewModel(o.Device, config, engine.Fresh{Seed: c.Seed, Std: c.InitStd, Dropout: c.Dropout})
	if err != nil {
		return err
	}
	if r.trainer, err = engine.NewTrainer(r.model, o.trainer()); err != nil {
		r.model.Close()
		return err
	}
	if soft.rows != nil {
		if err := r.trainer.SoftTargets(soft.index, soft.weight); err != nil {
			r.close()
			return err
		}
	}
	return nil
}
