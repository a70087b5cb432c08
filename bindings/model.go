//go:build cgo

package bindings

/*
#cgo noescape syn_model_config_init
#cgo nocallback syn_model_config_init
#cgo noescape syn_model_create
#cgo nocallback syn_model_create
#cgo nocallback syn_model_destroy
#cgo nocallback syn_model_tensors
#cgo noescape syn_model_tensor
#cgo nocallback syn_model_tensor
#cgo noescape syn_model_read
#cgo nocallback syn_model_read
#cgo noescape syn_model_write
#cgo nocallback syn_model_write

#include "synehrgy.h"
*/
import "C"

import "unsafe"

// Model is a syn_model. The zero value is no model.
type Model struct{ p *C.syn_model }

// ModelConfigInit is the published shape with a vocabulary of 0.
func ModelConfigInit() ModelConfig {
	var c C.syn_model_config
	C.syn_model_config_init(&c)
	return ModelConfig{
		Family: int32(c.family), Vocab: int32(c.vocab), Width: int32(c.width), Layers: int32(c.layers), Heads: int32(c.heads),
		KVHeads: int32(c.kv_heads), HeadDim: int32(c.head_dim), FFN: int32(c.ffn), Context: int32(c.context), Tied: int32(c.tied),
		NormEps: float32(c.norm_eps), RopeTheta: float32(c.rope_theta), Dropout: float32(c.dropout), InitStd: float32(c.init_std),
		Window: int32(c.window),
	}
}

func (m *ModelConfig) c() C.syn_model_config {
	var c C.syn_model_config
	C.syn_model_config_init(&c)
	c.family, c.vocab, c.width, c.layers = C.int32_t(m.Family), C.int32_t(m.Vocab), C.int32_t(m.Width), C.int32_t(m.Layers)
	c.heads, c.kv_heads, c.head_dim = C.int32_t(m.Heads), C.int32_t(m.KVHeads), C.int32_t(m.HeadDim)
	c.ffn, c.context, c.tied = C.int32_t(m.FFN), C.int32_t(m.Context), C.int32_t(m.Tied)
	c.norm_eps, c.rope_theta = C.float(m.NormEps), C.float(m.RopeTheta)
	c.dropout, c.init_std, c.window = C.float(m.Dropout), C.float(m.InitStd), C.int32_t(m.Window)
	return c
}

// ModelCreate makes a model with fresh weights; ModelDestroy frees it.
func ModelCreate(d Device, config ModelConfig, seed uint64) (Model, error) {
	c, e := config.c(), newError()
	var m Model
	if rc := C.syn_model_create(d.p, &c, C.uint64_t(seed), &m.p, &e); rc != C.SYN_OK {
		return Model{}, failure("syn_model_create", rc, e)
	}
	return m, nil
}

// ModelDestroy frees a model.
func ModelDestroy(m Model) { C.syn_model_destroy(m.p) }

// ModelTensors is the number of tensors.
func ModelTensors(m Model) int { return int(C.syn_model_tensors(m.p)) }

// ModelTensor describes tensor index.
func ModelTensor(m Model, index int) (Tensor, error) {
	e := newError()
	t := C.syn_tensor{size: C.sizeof_syn_tensor}
	if rc := C.syn_model_tensor(m.p, C.int32_t(index), &t, &e); rc != C.SYN_OK {
		return Tensor{}, failure("syn_model_tensor", rc, e)
	}
	out := Tensor{Name: C.GoString(&t.name[0]), Count: int64(t.count), Decay: t.decay != 0, Hidden: t.hidden != 0}
	for i := range int(t.rank) {
		out.Shape = append(out.Shape, int64(t.shape[i]))
	}
	return out, nil
}

// ModelRead copies tensor index out of the model; to has its Count elements.
func ModelRead[F Float](m Model, index int, to []F) error {
	e := newError()
	rc := C.syn_model_read(m.p, C.int32_t(index), dtype[F](), unsafe.Pointer(data(to)), C.int64_t(len(to)), &e)
	if rc != C.SYN_OK {
		return failure("syn_model_read", rc, e)
	}
	return nil
}

// ModelWrite copies tensor index into the model; from has its Count elements.
func ModelWrite[F Float](m Model, index int, from []F) error {
	e := newError()
	rc := C.syn_model_write(m.p, C.int32_t(index), dtype[F](), unsafe.Pointer(data(from)), C.int64_t(len(from)), &e)
	if rc != C.SYN_OK {
		return failure("syn_model_write", rc, e)
	}
	return nil
}
