package engine

import (
	"context"
	"runtime"

	"github.com/synehrgy/synehrgy-go/bindings"
	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Precision is that of the operands of matrix products, and of attention while training (csrc/ops/precision.h); sums, masters,
// norms and losses are always those of the backend.
type Precision string

// The precisions. BF16 is what accelerators compute: 8 bits of mantissa; nothing here is faster for it. INT8 is of generation
// alone: weights and rows as integers of 8 bits with a scale each. FP16 is of the cache of generation alone.
const (
	FP32 Precision = "fp32"
	BF16 Precision = "bf16"
	INT8 Precision = "int8"
	FP16 Precision = "fp16"
)

// On is the precision that is meant on a backend: "" is the backend's own, bf16 on a GPU, which has no other, and fp32 elsewhere.
// What a GPU does not compute in is a *fault.Usage.
func (p Precision) On(b Backend) (Precision, error) {
	switch {
	case b.GPU() && p != "" && p != BF16:
		return "", fault.Usagef("precision is %q, but the device %s computes in %q alone", string(p), b, BF16)
	case b.GPU():
		return BF16, nil
	case p == "":
		return FP32, nil
	}
	return p, nil
}

func (p Precision) core(b Backend) (int32, error) {
	p, err := p.On(b)
	if err != nil {
		return 0, err
	}
	switch p {
	case FP32:
		return bindings.FP32, nil
	case BF16:
		return bindings.BF16, nil
	case INT8:
		return bindings.INT8, nil
	}
	return 0, fault.Usagef("precision is %q, expected %q, %q or %q", string(p), FP32, BF16, INT8)
}

// Optimizer is what makes a step of a gradient. Muon is for the matrices of the layers (Tensor.Hidden), whose steps it makes
// orthogonal (csrc/ops/muon.h), with the rate and the decay of AdamW, which steps the rest.
type Optimizer string

// The optimizers.
const (
	AdamW Optimizer = "adamw"
	Muon  Optimizer = "muon"
)

func (o Optimizer) core() (int32, error) {
	switch o {
	case "", AdamW:
		return bindings.OptimizerAdamW, nil
	case Muon:
		return bindings.OptimizerMuon, nil
	}
	return 0, fault.Usagef("optimizer is %q, expected %q or %q", string(o), AdamW, Muon)
}

// TrainerOptions is the size of a batch and the settings of the optimizer.
type TrainerOptions struct {
	MaxSegments int    // records, or chunks of records, in a batch
	MaxTokens   int    // tokens in a batch
	Seed        uint64 // of dropout
	Beta1       float64
	Beta2       float64
	Epsilon     float64
	WeightDecay float64   // decoupled, on tensors of rank 2 and more
	Clip        float64   // largest gradient norm, 0: off
	Inference   bool      // only Score and Logits: neither gradients nor moments are allocated
	Recompute   bool      // less memory for more time: what a layer can make again is not kept; the same bits
	Precision   Precision // "": the backend's own
	Optimizer   Optimizer // "": AdamW
}

func (o *TrainerOptions) core(b Backend) (bindings.TrainerParams, error) {
	p := bindings.TrainerParamsInit()
	precision, err := o.Precision.core(b)
	if err != nil {
		return p, err
	}
	optimizer, err := o.Optimizer.core()
	if err != nil {
		return p, err
	}
	p.Precision, p.Recompute = precision, o.Recompute
	p.MaxSegments, p.MaxTokens, p.Seed, p.Inference = clamp32(o.MaxSegments), int64(o.MaxTokens), o.Seed, o.Inference
	if !o.Inference { // an optimizer has no part in scoring
		p.Optimizer = optimizer
		p.Beta1, p.Beta2, p.Epsilon, p.WeightDecay, p.Clip = o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay, o.Clip
	}
	return p, nil
}

// EstimateTraining is what a trainer of a model of that shape will take, weights included. It is an ErrOutOfMemory where a GPU has
// less free.
func (d *Device) EstimateTraining(config checkpoint.Config, o TrainerOptions) (Memory, error) {
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
	return bindings.TrainerEstimate(raw, coreConfig(&config, Fresh{}), params)
}

// Batch is packed records: segment s is Tokens[Offsets[s]:Offsets[s+1]], positions restart in each, none sees another.
type Batch struct {
	Tokens  []int32 // [T]
	Targets []int32 // [T] the token to predict, -1: none
	SoftRow []int32 // [T] the row of the soft table to predict instead, -1: none; nil: no soft targets
	Offsets []int32 // [segments+1]
}

// Loss is the sum of -log p over the targets of a batch, in nats, and their number.
type Loss = bindings.Loss

// Update is what one step did.
type Update = bindings.Update

// State names what a trainer keeps beside the weights.
type State int32

// The states. The gradient can only be read; it is divided by the number of targets so far. With Muon a hidden tensor has no second
// moment.
const (
	Moment1  State = State(bindings.StateMoment1)
	Moment2  State = State(bindings.StateMoment2)
	Gradient State = State(bindings.StateGradient)
)

// Trainer works out losses and gradients of a model and improves it.
type Trainer struct {
	handle[bindings.Trainer]
	model *Model
}

// NewTrainer makes a trainer of the weights of m.
func NewTrainer(m *Model, o TrainerOptions) (*Trainer, error) {
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
	raw, err := bindings.TrainerCreate(model, params)
	if err != nil {
		return nil, err
	}
	t := &Trainer{model: m}
	own(t, &t.handle, raw, bindings.TrainerDestroy)
	return t, nil
}

// Model is the model that is trained.
func (t *Trainer) Model() *Model { return t.model }

// SoftTargets sets the table that Batch.SoftRow points into: row r stands for the distribution weight[r,0..6] over the
// tokens index[r,0..6].
func (t *Trainer) SoftTargets(index []int32, weight []float32) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerSoftTargets(raw, index, weight)
}

// Accumulate adds the gradients of a batch to those since the last Apply; micro counts the calls since then. After a
// cancellation the gradients are not defined: the step is to be given up.
func (t *Trainer) Accumulate(ctx context.Context, b *Batch, micro int) (loss Loss, err error) {
	err = t.accumulate(ctx, func(raw bindings.Trainer) (err error) {
		loss, err = bindings.TrainerAccumulate(raw, b.Tokens, b.Targets, b.SoftRow, b.Offsets, micro)
		return err
	})
	return loss, err
}

// Queue is Accumulate without its loss, which Losses tells. On a GPU it returns while the device works, so that the next batch is made
// and sent meanwhile; b is free again. What fails on the device then is told by a later call.
func (t *Trainer) Queue(ctx context.Context, b *Batch, micro int) error {
	return t.accumulate(ctx, func(raw bindings.Trainer) error {
		return bindings.TrainerQueue(raw, b.Tokens, b.Targets, b.SoftRow, b.Offsets, micro)
	})
}

func (t *Trainer) accumulate(ctx context.Context, call func(bindings.Trainer) error) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	t.model.weights.RLock()
	defer t.model.weights.RUnlock()
	return watched(ctx, raw, bindings.TrainerCancel, func() error { return call(raw) })
}

// Losses is the sum of the losses that Queue left since the last Losses, in its order. It waits for them.
func (t *Trainer) Losses() (Loss, error) {
	raw, err := t.lock("trainer")
	if err != nil {
		return Loss{}, err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerLosses(raw)
}

// Apply takes one step with the gradients since the last one.
func (t *Trainer) Apply(lr float64) (Update, error) {
	raw, err := t.lock("trainer")
	if err != nil {
		return Update{}, err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	t.model.weights.Lock()
	defer t.model.weights.Unlock()
	return bindings.TrainerApply(raw, lr)
}

// Score writes -log p of every target into nll [T], 0 where there is none. There is no dropout, and soft rows do not count.
func (t *Trainer) Score(ctx context.Context, b *Batch, nll []float64) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	t.model.weights.RLock()
	defer t.model.weights.RUnlock()
	return watched(ctx, raw, bindings.TrainerCancel, func() error {
		return bindings.TrainerScore(raw, b.Tokens, b.Targets, b.Offsets, nll)
	})
}

// Logits writes the logits of every position into logits [T, vocabulary].
func (t *Trainer) Logits(ctx context.Context, b *Batch, logits []float64) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	t.model.weights.RLock()
	defer t.model.weights.RUnlock()
	return watched(ctx, raw, bindings.TrainerCancel, func() error {
		return bindings.TrainerLogits(raw, b.Tokens, b.Offsets, t.model.config.Vocab, logits)
	})
}

// ReadF32 copies a state of tensor index into to, which has its Count elements.
func (t *Trainer) ReadF32(state State, index int, to []float32) error {
	return readState(t, state, index, to)
}

// ReadF64 is ReadF32 in double precision.
func (t *Trainer) ReadF64(state State, index int, to []float64) error {
	return readState(t, state, index, to)
}

// WriteF32 sets a moment of tensor index.
func (t *Trainer) WriteF32(state State, index int, from []float32) error {
	return writeState(t, state, index, from)
}

// WriteF64 is WriteF32 in double precision.
func (t *Trainer) WriteF64(state State, index int, from []float64) error {
	return writeState(t, state, index, from)
}

func readState[F bindings.Float](t *Trainer, state State, index int, to []F) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerRead(raw, int32(state), index, to)
}

func writeState[F bindings.Float](t *Trainer, state State, index int, from []F) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerWrite(raw, int32(state), index, from)
}

// Step is the number of steps taken, 0 after Close.
func (t *Trainer) Step() int64 {
	raw, err := t.lock("trainer")
	if err != nil {
		return 0
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerStep(raw)
}

// SetStep sets that number, which bias correction and dropout depend on, when training goes on from a checkpoint.
func (t *Trainer) SetStep(step int64) error {
	raw, err := t.lock("trainer")
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(t)
	defer t.mu.Unlock()
	return bindings.TrainerSetStep(raw, step)
}
