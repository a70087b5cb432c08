// The compiled grammar of a vocabulary, copied from the caller and checked as if a stranger had sent it.
#ifndef SYN_MODEL_GRAMMAR_H
#define SYN_MODEL_GRAMMAR_H

#include <cstdint>
#include <vector>

#include "math/grammar.h"
#include "synehrgy.h"

namespace syn {

// The arrays of syn_grammar_create as they were passed; any may be null.
struct GrammarArrays {
  const uint16_t* token_class;
  const int32_t* token_order;
  const uint8_t* class_rule;
  const uint8_t* class_role;
  const int16_t* next;
  const uint8_t* forget;
  const uint16_t* distance;
  const int32_t* chunk_token;
  const int64_t* elapsed_edges;
  const int32_t* knot_start;
  const int64_t* knots;
  const int8_t* decimals;
};

// The runs of a grammar (math/grammar.h), from the other tables.
std::vector<GrammarRun> grammar_runs(const GrammarTables& tables);

class Grammar {
 public:
  // Throws SYN_INVALID_ARGUMENT for missing arrays and impossible sizes, SYN_FORMAT for tables that contradict themselves: an
  // index out of range, knots that do not ascend, a state without a way to the end.
  Grammar(const syn_grammar_params& params, const GrammarArrays& arrays);

  // Views of the copies.
  GrammarTables tables() const;

  // The first token of a chunk that begins in a state, -1 where none may.
  int32_t chunk_token(int32_t state) const { return state < 0 ? -1 : chunk_token_[static_cast<size_t>(state)]; }
  // The tokens of a chunk header that tell the visit (counted from 1) and the minutes since it began.
  int32_t visit_token(int64_t visit) const;
  int32_t elapsed_token(int64_t minutes) const;
  // The role of a token's class; RoleMark (0) where it has none.
  uint8_t role(int32_t token) const;

 private:
  void check_tokens() const;
  void check_classes() const;
  void check_numbers() const;
  void check_chunks() const;
  void check_ways_out() const;

  syn_grammar_params p_;
  std::vector<uint16_t> token_class_;
  std::vector<int32_t> token_order_;
  std::vector<uint8_t> class_rule_, class_role_;
  std::vector<int16_t> next_;
  std::vector<uint8_t> forget_;
  std::vector<uint16_t> distance_;
  std::vector<int32_t> chunk_token_;
  std::vector<int64_t> elapsed_edges_;
  std::vector<int32_t> knot_start_;
  std::vector<int64_t> knots_;
  std::vector<int8_t> decimals_;
  std::vector<GrammarRun> runs_;
};

}  // namespace syn

#endif
