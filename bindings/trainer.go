//go:build cgo

package bindings

/*
#cgo noescape syn_trainer_params_init
#cgo nocallback syn_trainer_params_init
#cgo noescape syn_trainer_estimate
#cgo nocallback syn_trainer_estimate
#cgo noescape syn_trainer_create
#cgo nocallback syn_trainer_create
#cgo nocallback syn_trainer_destroy
#cgo nocallback syn_trainer_cancel
#cgo noescape syn_trainer_soft_targets
#cgo nocallback syn_trainer_soft_targets
#cgo noescape syn_trainer_accumulate
#cgo nocallback syn_trainer_accumulate
#cgo noescape syn_trainer_losses
#cgo nocallback syn_trainer_losses
#cgo noescape syn_trainer_apply
#cgo nocallback syn_trainer_apply
#cgo noescape syn_trainer_score
#cgo nocallback syn_trainer_score
#cgo noescape syn_trainer_logits
#cgo nocallback syn_trainer_logits
#cgo noescape syn_trainer_read
#cgo nocallback syn_trainer_read
#cgo noescape syn_trainer_write
#cgo nocallback syn_trainer_write
#cgo nocallback syn_trainer_step
#cgo noescape syn_trainer_profile
#cgo nocallback syn_trainer_profile
#cgo nocallback syn_trainer_profile_ops
#cgo noescape syn_trainer_profile_op
#cgo nocallback syn_trainer_profile_op
#cgo noescape syn_trainer_set_step
#cgo nocallback syn_trainer_set_step

#include "synehrgy.h"
*/
import "C"

import "unsafe"

// Trainer is a syn_trainer. The zero value is no trainer.
type Trainer struct{ p *C.syn_trainer }

// TrainerParamsInit is the defaults of the core.
func TrainerParamsInit() TrainerParams {
	var p C.syn_trainer_params
	C.syn_trainer_params_init(&p)
	return TrainerParams{
		MaxSegments: int32(p.max_segments), MaxTokens: int64(p.max_tokens), Seed: uint64(p.seed),
		Beta1: float64(p.beta1), Beta2: float64(p.beta2), Epsilon: float64(p.epsilon), WeightDecay: float64(p.weight_decay),
		Clip: float64(p.clip), Inference: p.inference != 0, Recompute: p.recompute != 0, Precision: int32(p.precision),
		Optimizer: int32(p.optimizer),
	}
}

func (t *TrainerParams) c() C.syn_trainer_params {
	var p C.syn_trainer_params
	C.syn_trainer_params_init(&p)
	p.max_segments, p.max_tokens, p.seed = C.int32_t(t.MaxSegments), C.int64_t(t.MaxTokens), C.uint64_t(t.Seed)
	p.beta1, p.beta2, p.epsilon = C.double(t.Beta1), C.double(t.Beta2), C.double(t.Epsilon)
	p.weight_decay, p.clip, p.inference = C.double(t.WeightDecay), C.double(t.Clip), flag(t.Inference)
	p.recompute, p.precision, p.optimizer = flag(t.Recompute), C.int32_t(t.Precision), C.int32_t(t.Optimizer)
	return p
}

// TrainerEstimate is what a trainer of that shape will take, before anything is allocated. On a GPU, more than is free is an Error
// with OutOfMemory.
func TrainerEstimate(d Device, config ModelConfig, params TrainerParams) (Memory, error) {
	c, p, e := config.c(), params.c(), newError()
	m := C.syn_memory{size: C.sizeof_syn_memory}
	if rc := C.syn_trainer_estimate(d.p, &c, &p, &m, &e); rc != C.SYN_OK {
		return Memory{}, failure("syn_trainer_estimate", rc, e)
	}
	return memory(&m), nil
}

func memory(m *C.syn_memory) Memory {
	return Memory{
		Parameters: int64(m.parameters), Gradients: int64(m.gradients), Moments: int64(m.moments), Activations: int64(m.activations),
		Workspace: int64(m.workspace), KVCache: int64(m.kv_cache), Total: int64(m.total),
	}
}

// TrainerCreate makes a trainer of the weights of m; TrainerDestroy frees it.
func TrainerCreate(m Model, params TrainerParams) (Trainer, error) {
	p, e := params.c(), newError()
	var t Trainer
	if rc := C.syn_trainer_create(m.p, &p, &t.p, &e); rc != C.SYN_OK {
		return Trainer{}, failure("syn_trainer_create", rc, e)
	}
	return t, nil
}

// TrainerDestroy frees a trainer.
func TrainerDestroy(t Trainer) { C.syn_trainer_destroy(t.p) }

// TrainerCancel makes the running call return Cancelled; from any goroutine.
func TrainerCancel(t Trainer) { C.syn_trainer_cancel(t.p) }

// TrainerSoftTargets sets the soft table: index and weight are [rows, Taps].
func TrainerSoftTargets(t Trainer, index []int32, weight []float32) error {
	rows := len(index) / Taps
	if len(index) != rows*Taps || len(weight) != len(index) {
		return invalid("syn_trainer_soft_targets", "%d tokens and %d weights, expected %d of each a row", len(index), len(weight), Taps)
	}
	e := newError()
	rc := C.syn_trainer_soft_targets(t.p, (*C.int32_t)(data(index)), (*C.float)(data(weight)), C.int32_t(rows), &e)
	if rc != C.SYN_OK {
		return failure("syn_trainer_soft_targets", rc, e)
	}
	return nil
}

// TrainerAccumulate is forward and backward over one packed batch; softRow may be nil.
func TrainerAccumulate(t Trainer, tokens, targets, softRow, offsets []int32, micro int) (Loss, error) {
	out := C.syn_loss{size: C.sizeof_syn_loss}
	err := accumulate(t, tokens, targets, softRow, offsets, micro, &out)
	return loss(&out), err
}

// TrainerQueue is TrainerAccumulate without its loss, which is left to TrainerLosses.
func TrainerQueue(t Trainer, tokens, targets, softRow, offsets []int32, micro int) error {
	return accumulate(t, tokens, targets, softRow, offsets, micro, nil)
}

func accumulate(t Trainer, tokens, targets, softRow, offsets []int32, micro int, out *C.syn_loss) error {
	const op = "syn_trainer_accumulate"
	if err := checkBatch(op, len(tokens), len(targets), offsets); err != nil {
		return err
	}
	if softRow != nil && len(softRow) != len(tokens) {
		return invalid(op, "%d tokens with %d soft rows", len(tokens), len(softRow))
	}
	e := newError()
	rc := C.syn_trainer_accumulate(t.p, (*C.int32_t)(data(tokens)), (*C.int32_t)(data(targets)), (*C.int32_t)(data(softRow)),
		C.int64_t(len(tokens)), (*C.int32_t)(data(offsets)), C.int32_t(len(offsets)-1), C.int32_t(micro), out, &e)
	if rc != C.SYN_OK {
		return failure(op, rc, e)
	}
	return nil
}

// TrainerLosses is the sum of the losses that TrainerQueue left since the last of these calls.
func TrainerLosses(t Trainer) (Loss, error) {
	e := newError()
	out := C.syn_loss{size: C.sizeof_syn_loss}
	if rc := C.syn_trainer_losses(t.p, &out, &e); rc != C.SYN_OK {
		return Loss{}, failure("syn_trainer_losses", rc, e)
	}
	return loss(&out), nil
}

func loss(l *C.syn_loss) Loss { return Loss{Targets: int64(l.targets), Sum: float64(l.sum)} }

// TrainerApply takes one step with the gradients so far.
func TrainerApply(t Trainer, lr float64) (Update, error) {
	e := newError()
	out := C.syn_update{size: C.sizeof_syn_update}
	if rc := C.syn_trainer_apply(t.p, C.double(lr), &out, &e); rc != C.SYN_OK {
		return Update{}, failure("syn_trainer_apply", rc, e)
	}
	return Update{Skipped: out.skipped != 0, Step: int64(out.step), GradNorm: float64(out.grad_norm)}, nil
}

// TrainerScore writes -log p of every target into nll.
func TrainerScore(t Trainer, tokens, targets, offsets []int32, nll []float64) error {
	const op = "syn_trainer_score"
	if err := checkBatch(op, len(tokens), len(targets), offsets); err != nil {
		return err
	}
	if len(nll) != len(tokens) {
		return invalid(op, "%d tokens with room for %d results", len(tokens), len(nll))
	}
	e := newError()
	rc := C.syn_trainer_score(t.p, (*C.int32_t)(data(tokens)), (*C.int32_t)(data(targets)), C.int64_t(len(tokens)),
		(*C.int32_t)(data(offsets)), C.int32_t(len(offsets)-1), (*C.double)(data(nll)), &e)
	if rc != C.SYN_OK {
		return failure(op, rc, e)
	}
	return nil
}

// TrainerLogits writes the logits of every position, [tokens, vocab].
func TrainerLogits[F Float](t Trainer, tokens, offsets []int32, vocab int, logits []F) error {
	const op = "syn_trainer_logits"
	if err := checkBatch(op, len(tokens), len(tokens), offsets); err != nil {
		return err
	}
	if err := checkMatrix(op, "logits", len(logits), int64(len(tokens)), int64(vocab)); err != nil {
		return err
	}
	e := newError()
	rc := C.syn_trainer_logits(t.p, (*C.int32_t)(data(tokens)), C.int64_t(len(tokens)), (*C.int32_t)(data(offsets)),
		C.int32_t(len(offsets)-1), dtype[F](), unsafe.Pointer(data(logits)), &e)
	if rc != C.SYN_OK {
		return failure(op, rc, e)
	}
	return nil
}

// TrainerRead copies a moment or the gradient of tensor index out of the trainer.
func TrainerRead[F Float](t Trainer, state int32, index int, to []F) error {
	e := newError()
	rc := C.syn_trainer_read(t.p, C.int32_t(state), C.int32_t(index), dtype[F](), unsafe.Pointer(data(to)), C.int64_t(len(to)), &e)
	if rc != C.SYN_OK {
		return failure("syn_trainer_read", rc, e)
	}
	return nil
}

// TrainerWrite copies a moment of tensor index into the trainer.
func TrainerWrite[F Float](t Trainer, state int32, index int, from []F) error {
	e := newError()
	rc := C.syn_trainer_write(t.p, C.int32_t(state), C.int32_t(index), dtype[F](), unsafe.Pointer(data(from)), C.int64_t(len(from)), &e)
	if rc != C.SYN_OK {
		return failure("syn_trainer_write", rc, e)
	}
	return nil
}

// TrainerStep is the number of updates so far.
func TrainerStep(t Trainer) int64 { return int64(C.syn_trainer_step(t.p)) }

// TrainerSetStep sets that number, when a run goes on.
func TrainerSetStep(t Trainer, step int64) error {
	e := newError()
	if rc := C.syn_trainer_set_step(t.p, C.int64_t(step), &e); rc != C.SYN_OK {
		return failure("syn_trainer_set_step", rc, e)
	}
	return nil
}

// TrainerProfile begins, from zero, or ends the timing of every op.
func TrainerProfile(t Trainer, on bool) error {
	e := newError()
	if rc := C.syn_trainer_profile(t.p, flag(on), &e); rc != C.SYN_OK {
		return failure("syn_trainer_profile", rc, e)
	}
	return nil
}

// TrainerProfileOps is what every op took since then, nothing where nothing is timed.
func TrainerProfileOps(t Trainer) ([]OpTime, error) {
	ops := make([]OpTime, C.syn_trainer_profile_ops(t.p))
	for i := range ops {
		e := newError()
		out := C.syn_op_time{size: C.sizeof_syn_op_time}
		if rc := C.syn_trainer_profile_op(t.p, C.int32_t(i), &out, &e); rc != C.SYN_OK {
			return nil, failure("syn_trainer_profile_op", rc, e)
		}
		ops[i] = OpTime{
			Name: C.GoString(&out.name[0]), Calls: int64(out.calls), Seconds: float64(out.seconds), Flop: float64(out.flop), Bytes: float64(out.bytes),
		}
	}
	return ops, nil
}
