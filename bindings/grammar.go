//go:build cgo

package bindings

/*
#cgo noescape syn_grammar_create
#cgo nocallback syn_grammar_create
#cgo nocallback syn_grammar_destroy

#include "synehrgy.h"
*/
import "C"

// Grammar is a syn_grammar. The zero value is no grammar.
type Grammar struct{ p *C.syn_grammar }

// GrammarCreate checks and copies a grammar; GrammarDestroy frees it.
func GrammarCreate(params *GrammarParams) (Grammar, error) {
	if err := Compatible(); err != nil {
		return Grammar{}, err
	}
	if err := checkGrammar(params); err != nil {
		return Grammar{}, err
	}
	p := C.syn_grammar_params{
		size: C.sizeof_syn_grammar_params, vocab: C.int32_t(params.Vocab), states: C.int32_t(params.States),
		classes: C.int32_t(params.Classes), start: C.int32_t(params.Start), done: C.int32_t(params.Done),
		start_token: C.int32_t(params.StartToken), visit_token0: C.int32_t(params.VisitToken0), visits: C.int32_t(params.Visits),
		elapsed_token0: C.int32_t(params.ElapsedToken0), elapsed_edges: C.int32_t(len(params.ElapsedEdges)),
		knots: C.int32_t(len(params.Knots)),
	}
	var g Grammar
	e := newError()
	rc := C.syn_grammar_create(&p, (*C.uint16_t)(data(params.TokenClass)), (*C.int32_t)(data(params.TokenOrder)),
		(*C.uint8_t)(data(params.ClassRule)), (*C.uint8_t)(data(params.ClassRole)), (*C.int16_t)(data(params.Next)),
		(*C.uint8_t)(data(params.Forget)), (*C.uint16_t)(data(params.Distance)), (*C.int32_t)(data(params.ChunkToken)),
		(*C.int64_t)(data(params.ElapsedEdges)), (*C.int32_t)(data(params.KnotStart)), (*C.int64_t)(data(params.Knots)),
		(*C.int8_t)(data(params.Decimals)), &g.p, &e)
	if rc != C.SYN_OK {
		return Grammar{}, failure("syn_grammar_create", rc, e)
	}
	return g, nil
}

// GrammarDestroy frees a grammar.
func GrammarDestroy(g Grammar) { C.syn_grammar_destroy(g.p) }
