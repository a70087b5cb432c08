package engine

import (
	"context"
	"math"
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// NoNumber stands beside a token that means no number.
const NoNumber = math.MinInt64

// GeneratorOptions is how records are drawn. A record depends on the weights, the grammar, Seed, its patient and the
// settings below Slots, never on Slots or threads.
type GeneratorOptions struct {
	Slots       int    // records decoded together
	MaxTokens   int    // of one record over all its chunks; there the grammar's shortest way out is taken
	Seed        uint64 //
	Temperature float64
	TopK        int       // 0: off
	TopP        float64   // 1: off
	MinP        float64   // 0: off
	Unmasked    bool      // draw without the grammar, only to measure what it removes
	ReportMass  bool      // measure what the grammar removes on every draw, not on one in 16; what is drawn is the same
	Precision   Precision // of the linear layers: FP32 or INT8; BF16 on a GPU; "": the backend's own
	Cache       Precision // of keys and values between steps: FP16, or "": the backend's own, which is all that a GPU has
}

func (o *GeneratorOptions) core(b Backend) (bindings.GeneratorParams, error) {
	precision, err := o.Precision.core(b)
	if b.GPU() {
		precision = bindings.GeneratorParamsInit().Precision // for the core a GPU has no choice
	}
	cache := bindings.CacheOwn
	if o.Cache == FP16 {
		cache = bindings.CacheFP16
	} else if o.Cache != "" && err == nil {
		err = fault.Usagef("the cache is %q, expected %q, or nothing for the backend's own", o.Cache, FP16)
	}
	return bindings.GeneratorParams{
		Slots: clamp32(o.Slots), MaxTokens: int64(o.MaxTokens), Seed: o.Seed, Temperature: float32(o.Temperature),
		TopK: clamp32(o.TopK), TopP: float32(o.TopP), MinP: float32(o.MinP), Mask: !o.Unmasked,
		ReportMass: o.ReportMass, Precision: precision, Cache: cache,
	}, err
}

// EstimateGeneration is what a generator with a model of that shape will take, weights included; on a GPU also the tables of the
// grammar, unless it is nil. It is an ErrOutOfMemory where a GPU has less free.
func (d *Device) EstimateGeneration(config checkpoint.Config, g *Grammar, o GeneratorOptions) (Memory, error) {
	if err := config.Validate(); err != nil {
		return Memory{}, err
	}
	params, err := o.core(d.backend)
	if err != nil {
		return Memory{}, err
	}
	raw, err := d.lock("device")
	if err != nil {
		return Memory{}, err
	}
	defer runtime.KeepAlive(d)
	defer d.mu.Unlock()
	var grammar bindings.Grammar
	if g != nil {
		if grammar, err = g.lock("grammar"); err != nil {
			return Memory{}, err
		}
		defer runtime.KeepAlive(g)
		defer g.mu.Unlock()
	}
	return bindings.GeneratorEstimate(raw, coreConfig(&config, Fresh{}), grammar, params)
}

// Generator draws records.
type Generator struct {
	handle[bindings.Generator]
	model *Model
}

// NewGenerator makes a generator of the weights of m.
func NewGenerator(m *Model, g *Grammar, o GeneratorOptions) (*Generator, error) {
	params, err := o.core(m.device.backend)
	if err != nil {
		return nil, err
	}
	model, err := m.lock("model")
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(m)
	defer m.mu.Unlock()
	grammar, err := g.lock("grammar")
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(g)
	defer g.mu.Unlock()
	m.weights.RLock()
	defer m.weights.RUnlock()
	raw, err := bindings.GeneratorCreate(model, grammar, params)
	if err != nil {
		return nil, err
	}
	out := &Generator{model: m}
	own(out, &out.handle, raw, bindings.GeneratorDestroy)
	return out, nil
}

// Submit queues patients first .. first+count-1.
func (g *Generator) Submit(first, count int64) error {
	raw, err := g.lock("generator")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(g)
	defer g.mu.Unlock()
	return bindings.GeneratorSubmit(raw, first, count)
}

// GeneratorStats is what one Run did and what is left.
type GeneratorStats = bindings.GeneratorStats

// Run decodes until maxSteps steps are done, nothing is left to do, or half of the room for finished records is full. After
// a cancellation it can be called again and goes on.
func (g *Generator) Run(ctx context.Context, maxSteps int64) (stats GeneratorStats, err error) {
	raw, err := g.lock("generator")
	if err != nil {
		return GeneratorStats{}, err
	}
	defer runtime.KeepAlive(g)
	defer g.mu.Unlock()
	g.model.weights.RLock()
	defer g.model.weights.RUnlock()
	err = watched(ctx, raw, bindings.GeneratorCancel, func() (err error) {
		stats, err = bindings.GeneratorRun(raw, maxSteps)
		return err
	})
	return stats, err
}

// Record is one finished record. Tokens runs from the start token to the end; Numbers[i] is the number of Tokens[i] in units
// of 10^-decimals, NoNumber where it stands for none.
type Record struct {
	Patient    int64
	Tokens     []int32
	Numbers    []int64
	Closed     bool // the length limit closed it
	Chunks     int
	MaskedMass float64 // mean probability over its measured draws that the grammar removed
	Measured   int64   // how many they are
}

// Take moves one finished record into r, whose slices it uses again when they are long enough. Records come in the order in
// which they finish; ok is false when none is ready.
func (g *Generator) Take(r *Record) (ok bool, err error) {
	raw, err := g.lock("generator")
	if err != nil {
		return false, err
	}
	defer runtime.KeepAlive(g)
	defer g.mu.Unlock()
	tokens, numbers := r.Tokens[:cap(r.Tokens)], r.Numbers[:cap(r.Numbers)]
	room := min(len(tokens), len(numbers))
	got, err := bindings.GeneratorTake(raw, tokens[:room], numbers[:room])
	if got.Tokens > int64(room) { // too small: the record stayed
		tokens, numbers = make([]int32, got.Tokens), make([]int64, got.Tokens)
		got, err = bindings.GeneratorTake(raw, tokens, numbers)
	}
	if err != nil {
		return false, err
	}
	r.Patient, r.Closed, r.Chunks = got.Patient, got.Closed, int(got.Chunks)
	r.MaskedMass, r.Measured = got.MaskedMass, got.Measured
	r.Tokens, r.Numbers = tokens[:got.Tokens], numbers[:got.Tokens]
	return got.Tokens > 0, nil
}
