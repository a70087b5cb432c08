//go:build cgo

package bindings

/*
#cgo noescape syn_generator_params_init
#cgo nocallback syn_generator_params_init
#cgo noescape syn_generator_estimate
#cgo nocallback syn_generator_estimate
#cgo noescape syn_generator_create
#cgo nocallback syn_generator_create
#cgo nocallback syn_generator_destroy
#cgo nocallback syn_generator_cancel
#cgo noescape syn_generator_submit
#cgo nocallback syn_generator_submit
#cgo noescape syn_generator_run
#cgo nocallback syn_generator_run
#cgo noescape syn_generator_take
#cgo nocallback syn_generator_take

#include "synehrgy.h"
*/
import "C"

// Generator is a syn_generator. The zero value is no generator.
type Generator struct{ p *C.syn_generator }

// GeneratorParamsInit is the defaults of the core.
func GeneratorParamsInit() GeneratorParams {
	var p C.syn_generator_params
	C.syn_generator_params_init(&p)
	return GeneratorParams{
		Slots: int32(p.slots), MaxTokens: int64(p.max_tokens), Seed: uint64(p.seed), Temperature: float32(p.temperature),
		TopK: int32(p.top_k), TopP: float32(p.top_p), MinP: float32(p.min_p), Mask: p.mask != 0,
		ReportMass: p.report_mass != 0, Precision: int32(p.precision), Cache: int32(p.cache),
	}
}

func (g *GeneratorParams) c() C.syn_generator_params {
	var p C.syn_generator_params
	C.syn_generator_params_init(&p)
	p.slots, p.max_tokens, p.seed = C.int32_t(g.Slots), C.int64_t(g.MaxTokens), C.uint64_t(g.Seed)
	p.temperature, p.top_k = C.float(g.Temperature), C.int32_t(g.TopK)
	p.top_p, p.min_p, p.mask, p.report_mass = C.float(g.TopP), C.float(g.MinP), flag(g.Mask), flag(g.ReportMass)
	p.precision, p.cache = C.int32_t(g.Precision), C.int32_t(g.Cache)
	return p
}

// GeneratorEstimate is what a generator of that shape will take, before anything is allocated. On a GPU, the zero Grammar leaves
// out its tables, and more than is free is an Error with OutOfMemory.
func GeneratorEstimate(d Device, config ModelConfig, g Grammar, params GeneratorParams) (Memory, error) {
	c, p, e := config.c(), params.c(), newError()
	m := C.syn_memory{size: C.sizeof_syn_memory}
	if rc := C.syn_generator_estimate(d.p, &c, g.p, &p, &m, &e); rc != C.SYN_OK {
		return Memory{}, failure("syn_generator_estimate", rc, e)
	}
	return memory(&m), nil
}

// GeneratorCreate makes a generator; GeneratorDestroy frees it.
func GeneratorCreate(m Model, g Grammar, params GeneratorParams) (Generator, error) {
	p, e := params.c(), newError()
	var out Generator
	if rc := C.syn_generator_create(m.p, g.p, &p, &out.p, &e); rc != C.SYN_OK {
		return Generator{}, failure("syn_generator_create", rc, e)
	}
	return out, nil
}

// GeneratorDestroy frees a generator.
func GeneratorDestroy(g Generator) { C.syn_generator_destroy(g.p) }

// GeneratorCancel makes the running call return Cancelled; from any goroutine.
func GeneratorCancel(g Generator) { C.syn_generator_cancel(g.p) }

// GeneratorSubmit queues patients first .. first+count-1.
func GeneratorSubmit(g Generator, first, count int64) error {
	e := newError()
	if rc := C.syn_generator_submit(g.p, C.int64_t(first), C.int64_t(count), &e); rc != C.SYN_OK {
		return failure("syn_generator_submit", rc, e)
	}
	return nil
}

// GeneratorRun decodes until maxSteps steps are done, nothing is left, or half of the ready ring waits to be taken.
func GeneratorRun(g Generator, maxSteps int64) (GeneratorStats, error) {
	e := newError()
	s := C.syn_generator_stats{size: C.sizeof_syn_generator_stats}
	if rc := C.syn_generator_run(g.p, C.int64_t(maxSteps), &s, &e); rc != C.SYN_OK {
		return GeneratorStats{}, failure("syn_generator_run", rc, e)
	}
	return GeneratorStats{
		Active: int32(s.active), Queued: int64(s.queued), Ready: int64(s.ready), Steps: int64(s.steps), Tokens: int64(s.tokens),
		MaskedMass: float64(s.masked_mass), LogpModel: float64(s.logp_model), LogpMasked: float64(s.logp_masked),
		NoLegalLogit: int64(s.no_legal_logit), Measured: int64(s.measured),
	}, nil
}

// GeneratorTake takes one finished record into tokens and numbers, which have the same length. Record.Tokens is 0 when
// nothing is ready. When the slices are too small the record stays, Record.Tokens tells its length, and the error is
// ErrInvalid.
func GeneratorTake(g Generator, tokens []int32, numbers []int64) (Record, error) {
	const op = "syn_generator_take"
	if len(tokens) != len(numbers) {
		return Record{}, invalid(op, "room for %d tokens and %d numbers", len(tokens), len(numbers))
	}
	e := newError()
	r := C.syn_record{size: C.sizeof_syn_record}
	rc := C.syn_generator_take(g.p, (*C.int32_t)(data(tokens)), (*C.int64_t)(data(numbers)), C.int64_t(len(tokens)), &r, &e)
	out := Record{
		Closed: r.closed != 0, Patient: int64(r.patient), Tokens: int64(r.tokens), Chunks: int32(r.chunks),
		MaskedMass: float64(r.masked_mass), Measured: int64(r.measured),
	}
	if rc != C.SYN_OK {
		return out, failure(op, rc, e)
	}
	return out, nil
}
