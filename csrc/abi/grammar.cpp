// Entry points of the grammar.
#include "abi/grammar.h"

syn_status syn_grammar_create(const syn_grammar_params* params, const uint16_t* token_class, const int32_t* token_order,
                              const uint8_t* class_rule, const uint8_t* class_role, const int16_t* next, const uint8_t* forget,
                              const uint16_t* distance, const int32_t* chunk_token, const int64_t* elapsed_edges,
                              const int32_t* knot_start, const int64_t* knots, const int8_t* decimals, syn_grammar** out,
                              syn_error* error) noexcept {
  if (out) *out = nullptr;
  return syn::guard("syn_grammar_create", error, [&] {
    syn::require(params && out, "params and out may not be NULL");
    const syn::GrammarArrays arrays{token_class, token_order, class_rule,    class_role, next,  forget,
                                    distance,    chunk_token, elapsed_edges, knot_start, knots, decimals};
    *out = new syn_grammar(std::make_shared<syn::Grammar>(*params, arrays));
  });
}

void syn_grammar_destroy(syn_grammar* grammar) noexcept {
  if (grammar && grammar->valid()) delete grammar;
}
