// Package train fits a model to the training split of a corpus: packed batches, AdamW or Muon, a learning rate that rises and falls,
// validation on the tuning split, early stopping, and checkpoints from which a run goes on bit for bit.
//
// A run writes two folders: best (the weights with the lowest validation loss) and last (the newest weights with everything
// that going on needs). Each holds model.safetensors and config.json, which transformers loads, and vocabulary.json. What is
// in them depends on the data, the configuration and the backend, and not on threads, time or interruptions.
package train

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
)

// Options says what to train on and where to write.
type Options struct {
	Config Config
	Device *engine.Device
	Corpus *corpus.Corpus // without patients in its tuning split there is no validation, and best is the last
	Folder string         // gets best and last; is made if it is not there
	Resume bool           // go on from last, if there is one; otherwise last must not be there

	Progress func(Progress) // after every step; may be nil
	Metrics  Sink           // may be nil
	Log      *slog.Logger   // may be nil
}

// Sink takes one line of metrics: a StepLine or a ValidationLine, which encode to JSON.
type Sink interface{ Line(v any) error }

// Result is what a run came to.
type Result struct {
	Steps        int64      `json:"steps"`
	Epochs       float64    `json:"epochs"`
	Tokens       int64      `json:"tokens"` // targets trained on, each as often as it was
	Parameters   int64      `json:"parameters"`
	Loss         float64    `json:"loss"`            // of the last step, bits per token
	Best         Validation `json:"best"`            // zero without validation
	Last         Validation `json:"last_validation"` // the newest one
	StoppedEarly bool       `json:"stopped_early"`
	Seconds      float64    `json:"seconds"` // of this process
}

// The folders of a run.
const (
	BestFolder = "best"
	LastFolder = "last"
)

// mostSkips is how many updates in a row may be skipped for gradients that are not finite before the run is given up.
const mostSkips = 8

// ErrDiverged is the error of a run whose loss or gradients are no longer finite. The last good checkpoint stays.
var ErrDiverged = errors.New("training diverged")

// Run trains. When ctx ends it finishes the step at hand, writes the checkpoint and returns what there is with
// context.Cause.
func Run(ctx context.Context, o Options) (Result, error) {
	r, err := prepare(&o)
	if err != nil {
		return Result{}, err
	}
	defer r.close()
	err = r.loop(ctx)
	return r.result(), err
}

// run is one Run at work.
type run struct {
	o        *Options
	model    *engine.Model
	trainer  *engine.Trainer
	schedule Schedule
	perEpoch int64 // steps
	data     *corpus.Loader
	batch    engine.Batch
	tuning   validator
	state    state
	clock    clock
	loss     float64 // of the last step, nats per target
}

// loop takes steps until the run is over.
func (r *run) loop(ctx context.Context) error {
	whole := context.WithoutCancel(ctx) // a step that began is finished
	if r.state.Pending {
		if err := r.boundary(ctx); err != nil {
			return err
		}
	}
	for r.state.Step < int64(r.schedule.Total) && !r.state.Stopped {
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
		update, err := r.step(whole)
		if err != nil {
			return err
		}
		if err := r.report(&update); err != nil {
			return err
		}
		if err := r.boundary(ctx); err != nil {
			return err
		}
		r.clock.resume()
	}
	return r.save() // nothing to do when the boundary of the last step did
}

// interrupted writes the checkpoint of a run that is asked to stop.
func (r *run) interrupted(ctx context.Context) error {
	if err := r.save(); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return context.Cause(ctx)
}

// boundary does what is due after a step: validation, checkpoints.
func (r *run) boundary(ctx context.Context) error {
	s, c := &r.state, &r.o.Config
	every := r.perEpoch
	if c.EvalEvery > 0 {
		every = int64(c.EvalEvery)
	}
	over := s.Step == int64(r.schedule.Total)
	s.Pending = false
	evaluate := s.Step%every == 0 || over
	if evaluate && r.tuning.data != nil {
		if err := r.validate(ctx); err != nil {
			if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
				// The step counts, its validation does not: it will be done again.
				s.Pending = true
				return r.interrupted(ctx)
			}
			return err
		}
	}
	if c.SaveEvery > 0 {
		evaluate = s.Step%int64(c.SaveEvery) == 0 || over || s.Stopped
	}
	if evaluate {
		return r.save()
	}
	return nil
}

// step accumulates and applies one update. It allocates nothing. Its losses are asked for behind the update, so that a GPU is waited
// for once; where they are no numbers the update was skipped, as no gradient is a number then.
func (r *run) step(ctx context.Context) (engine.Update, error) {
	for micro := range r.o.Config.Accumulate {
		view(&r.batch, r.data.Next())
		if err := r.trainer.Queue(ctx, &r.batch, micro); err != nil {
			return engine.Update{}, r.atStep(err)
		}
	}
	update, err := r.trainer.Apply(r.schedule.Rate(r.state.Step))
	if err != nil {
		return engine.Update{}, r.atStep(err)
	}
	loss, err := r.trainer.Losses()
	if err != nil {
		return engine.Update{}, r.atStep(err)
	}
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return engine.Update{}, r.atStep(fmt.Errorf("%w: the loss is not a finite number", ErrDiverged))
	}
	r.state.Step++
	r.state.Targets += loss.Targets
	r.loss = loss.Sum / float64(max(loss.Targets, 1))
	r.clock.step(loss.Targets)
	if !update.Skipped {
		r.state.Skips = 0
		return update, nil
	}
	if r.state.Skips++; r.state.Skips >= mostSkips {
		return update, fmt.Errorf("step %d: %w: %d updates in a row had gradients that are not finite", r.state.Step, ErrDiverged, r.state.Skips)
	}
	return update, nil
}

func (r *run) atStep(err error) error { return fmt.Errorf("step %d: %w", r.state.Step+1, err) }

// view makes b the batch of a loader, whose memory it shares.
func view(b *engine.Batch, of *corpus.Batch) {
	*b = engine.Batch{Tokens: of.Tokens, Targets: of.Targets, SoftRow: of.SoftRow, Offsets: of.Offsets}
}

func (r *run) result() Result {
	return Result{
		Steps: r.state.Step, Epochs: float64(r.state.Step) / float64(max(r.perEpoch, 1)), Tokens: r.state.Targets,
		Parameters: r.model.Parameters(), Loss: r.loss / math.Ln2, Best: r.state.Best, Last: r.state.Last,
		StoppedEarly: r.state.Stopped, Seconds: time.Since(r.clock.began).Seconds(),
	}
}

func (r *run) close() {
	r.trainer.Close()
	r.model.Close()
}
