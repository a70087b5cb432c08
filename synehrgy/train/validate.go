package train

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
)

// This file measures a model on the tuning split and keeps the best one.

// Validation is the loss on the tuning split: the sum of -log2 p of every token of every record, divided by the number of
// tokens, of events and of patients. Bits per token depend on the tokenizer, those per event less, those per patient on the
// patients alone.
type Validation struct {
	Step           int64   `json:"step"`
	BitsPerToken   float64 `json:"bits_per_token"`
	BitsPerEvent   float64 `json:"bits_per_event"`
	BitsPerPatient float64 `json:"bits_per_patient"`
}

// validator holds the memory of a validation from one to the next.
type validator struct {
	data  *corpus.Loader // nil: no validation
	count *corpus.Counts
	batch engine.Batch
	nll   []float64
}

// measure is the loss of a trainer's model on the split, summed in the order of the cohort.
func (v *validator) measure(ctx context.Context, t *engine.Trainer) (bits float64, targets int64, err error) {
	if err := v.data.Seek(corpus.Cursor{}); err != nil {
		return 0, 0, err
	}
	nats := 0.0
	for last := false; !last; {
		b := v.data.Next()
		last = b.Last
		view(&v.batch, b)
		v.nll = slices.Grow(v.nll[:0], len(b.Tokens))[:len(b.Tokens)]
		if err := t.Score(ctx, &v.batch, v.nll); err != nil {
			return 0, 0, err
		}
		for _, x := range v.nll { // 0 where there is no target
			nats += x
		}
		targets += int64(b.Count)
	}
	return nats / math.Ln2, targets, nil
}

// validate measures, notes a new best and decides whether to go on.
func (r *run) validate(ctx context.Context) error {
	bits, targets, err := r.tuning.measure(ctx, r.trainer)
	if err != nil {
		return fmt.Errorf("validation after step %d: %w", r.state.Step, err)
	}
	if math.IsNaN(bits) || math.IsInf(bits, 0) {
		return fmt.Errorf("step %d: %w: the validation loss is not a finite number", r.state.Step, ErrDiverged)
	}
	s := &r.state
	s.Last = Validation{
		Step: s.Step, BitsPerToken: bits / float64(max(targets, 1)), BitsPerEvent: bits / float64(max(r.tuning.count.EncodedEvents, 1)),
		BitsPerPatient: bits / float64(max(r.tuning.count.Patients-r.tuning.count.EmptyPatients, 1)),
	}
	best := s.Best.Step == 0 || s.Last.BitsPerPatient < s.Best.BitsPerPatient
	if best {
		s.Best, s.Stale = s.Last, 0
		if err := replaceFolder(filepath.Join(r.o.Folder, BestFolder), r.writeModel); err != nil {
			return err
		}
	} else {
		s.Stale++
	}
	s.Stopped = s.stop(r.o.Config.Patience)
	r.o.Log.Info("validation", "step", s.Step, "bits_per_token", s.Last.BitsPerToken, "bits_per_event", s.Last.BitsPerEvent, "best", best)
	return r.line(ValidationLine{Type: "validation", Validation: s.Last, Best: best, Stale: s.Stale, Stopped: s.Stopped})
}

// stop tells whether so many validations without a new best are enough.
func (s *state) stop(patience int) bool { return patience > 0 && s.Stale >= patience }
