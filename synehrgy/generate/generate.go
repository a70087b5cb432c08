// Package generate draws synthetic patients from a checkpoint: the core decodes records under the grammar of the vocabulary,
// and every record is read back as strictly as a stranger's before it becomes a patient.
//
// Patient i is a function of the weights, the vocabulary, the seed, i and the settings of the draw; neither the number of
// slots or threads nor the other patients asked for have a part in it.
package generate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// Options says what to draw and from what.
type Options struct {
	Config Config
	Model  string // checkpoint folder: config.json, model.safetensors, vocabulary.json
	Device *engine.Device

	First    int64 // index of the first patient
	Patients int64 // how many

	// Emit gets the patients in the order of their indices; the ID of patient i is "s" and i. An error ends the run and is
	// returned as it is.
	Emit func(ehr.Patient) error

	Progress func(Progress) // from time to time; may be nil
	Log      *slog.Logger   // may be nil
}

// Progress is how far a run is.
type Progress struct {
	Done, Patients   int64
	RecordsPerSecond float64
	TokensPerSecond  float64
	Left             time.Duration // at that rate
}

// Stats is what a run drew.
type Stats struct {
	Patients      int64   `json:"patients"` // drawn; those that parse were emitted
	Visits        int64   `json:"visits"`
	Events        int64   `json:"events"`
	Tokens        int64   `json:"tokens"`
	ClosedByLimit int64   `json:"closed_by_limit"` // records that the length limit closed
	Chunked       int64   `json:"chunked"`         // records longer than the context
	ParseFailures int64   `json:"parse_failures"`  // records that the grammar or the schema refuses; without a mask they are expected
	NoLegalLogit  int64   `json:"no_legal_logit"`  // draws where the model had no finite logit for any legal token
	Draws         int64   `json:"draws"`
	Measured      int64   `json:"measured"`    // draws on which the next two were measured
	MaskedMass    float64 `json:"masked_mass"` // mean probability per token that the grammar removed
	BitsModel     float64 `json:"bits_model"`  // mean -log2 p per token under the model
	BitsMasked    float64 `json:"bits_masked"` // the same under model and grammar, over all draws

	Precision     engine.Precision `json:"precision"`
	KVCache       engine.Precision `json:"kv_cache,omitempty"`       // "": the numbers of the device
	PrecisionCost *PrecisionCost   `json:"precision_cost,omitempty"` // of int8, and of a cache in fp16

	Seconds          float64 `json:"seconds"` // loading left out
	RecordsPerSecond float64 `json:"records_per_second"`
	TokensPerSecond  float64 `json:"tokens_per_second"`
}

// ErrRecords is the error of a run in which records did not parse although the grammar was in force.
var ErrRecords = errors.New("generated records do not parse")

// Run draws the patients. When ctx ends it returns context.Cause; what was emitted until then is complete.
func Run(ctx context.Context, o Options) (Stats, error) {
	if err := o.Config.Validate(); err != nil {
		return Stats{}, err
	}
	if err := checkRange(o.First, o.Patients); err != nil {
		return Stats{}, err
	}
	precision, err := precisionOn(o.Device.Backend(), o.Config.Precision)
	if err != nil {
		return Stats{}, err
	}
	o.Config.Precision = precision
	v, err := token.Load(filepath.Join(o.Model, token.FileName))
	if err != nil {
		return Stats{}, err
	}
	grammar, err := engine.NewGrammar(v.Generation())
	if err != nil {
		return Stats{}, fmt.Errorf("the grammar of %s: %w", filepath.Join(o.Model, token.FileName), err)
	}
	defer grammar.Close()
	model, err := open(o.Device, o.Model, v, grammar, o.Config.engine())
	if err != nil {
		return Stats{}, err
	}
	defer model.Close()
	var cost *PrecisionCost
	if o.Config.narrowed() != "" {
		if cost, err = precisionCost(ctx, model, grammar, o.Config); err != nil {
			return Stats{}, err
		}
		if o.Log != nil {
			o.Log.Warn(cost.Of+" is not quite the model as it was trained", "bits_per_token", cost.Change(), "of", cost.BitsFP32, "tokens", cost.Tokens)
		}
	}
	generator, err := engine.NewGenerator(model, grammar, o.Config.engine())
	if err != nil {
		return Stats{}, err
	}
	defer generator.Close()
	r := newRun(&o, v, generator)
	r.stats.Precision, r.stats.KVCache, r.stats.PrecisionCost = o.Config.Precision, o.Config.KVCache, cost
	err = r.draw(ctx)
	return r.finish(), r.verdict(err)
}

// run is one Run at work.
type run struct {
	o         *Options
	generator *engine.Generator
	reader    *reader
	order     *order
	record    engine.Record
	stats     Stats
	mass      float64 // sums over draws, that of bits_masked over all, the others over the measured ones
	nats      [2]float64
	started   time.Time
	reported  time.Time
	submitted int64
}

func newRun(o *Options, v *token.Vocabulary, g *engine.Generator) *run {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	return &run{
		o: o, generator: g, reader: newReader(v), order: newOrder(o.First, o.Config.window()), started: now, reported: now,
		submitted: o.First,
	}
}

// burst is the number of decode steps of one call into the core: short enough to see a cancellation and to keep the slots
// filled, long enough that the calls do not count.
const burst = 64

// draw submits, decodes and takes until every patient was emitted.
func (r *run) draw(ctx context.Context) error {
	end := r.o.First + r.o.Patients
	for r.order.next < end {
		if err := r.submit(end); err != nil {
			return err
		}
		stats, err := r.generator.Run(ctx, burst)
		if err != nil {
			return err
		}
		r.count(&stats)
		taken, err := r.take()
		if err != nil {
			return err
		}
		if taken == 0 && stats.Steps == 0 {
			return fmt.Errorf("patient %d: the core neither decodes nor hands out records", r.order.next)
		}
		r.report(false)
	}
	r.report(true)
	return nil
}

// submit queues patients as far as the window allows: one that takes long must not let the finished ones behind it pile up.
func (r *run) submit(end int64) error {
	last := min(end, r.order.next+r.o.Config.window())
	// In portions of at least a slot each, not patient by patient.
	if last-r.submitted < min(int64(r.o.Config.Slots), end-r.submitted) || last == r.submitted {
		return nil
	}
	if err := r.generator.Submit(r.submitted, last-r.submitted); err != nil {
		return err
	}
	r.submitted = last
	return nil
}

// take empties the ring of finished records.
func (r *run) take() (taken int, err error) {
	for {
		ok, err := r.generator.Take(&r.record)
		if err != nil || !ok {
			return taken, err
		}
		taken++
		if err := r.accept(); err != nil {
			return taken, err
		}
	}
}

// accept reads the record at hand and emits what is now in order.
func (r *run) accept() error {
	rec := &r.record
	r.stats.Patients++
	r.stats.Tokens += int64(len(rec.Tokens))
	if rec.Closed {
		r.stats.ClosedByLimit++
	}
	if rec.Chunks > 1 {
		r.stats.Chunked++
	}
	p, err := r.reader.read(rec.Tokens, rec.Numbers)
	if err != nil {
		r.stats.ParseFailures++
		r.o.Log.Debug("a generated record does not parse", "patient", rec.Patient, "reason", err)
		return r.order.put(rec.Patient, nil, r.emit)
	}
	p.ID = "s" + strconv.FormatInt(rec.Patient, 10)
	return r.order.put(rec.Patient, &p, r.emit)
}

func (r *run) emit(p *ehr.Patient) error {
	r.stats.Visits += int64(len(p.Visits))
	r.stats.Events += int64(p.Events())
	return r.o.Emit(*p)
}

func (r *run) count(s *engine.GeneratorStats) {
	r.stats.Draws += s.Tokens
	r.stats.Measured += s.Measured
	r.mass += s.MaskedMass
	r.nats[0] += s.LogpModel
	r.nats[1] += s.LogpMasked
	r.stats.NoLegalLogit += s.NoLegalLogit
}

// verdict is the error of the run: its own, or that records did not parse.
func (r *run) verdict(err error) error {
	if err == nil && r.stats.ParseFailures > 0 && !r.o.Config.Unmasked {
		return fmt.Errorf("%w: %d of %d, a defect of the sampler or the grammar", ErrRecords, r.stats.ParseFailures, r.stats.Patients)
	}
	return err
}
