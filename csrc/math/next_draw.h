// How a record goes on from one draw to the next: one arithmetic for the loop of generation (model/generator.cpp) and for a
// device that takes several steps by itself (cuda/sample.cu).
#ifndef SYN_MATH_NEXT_DRAW_H
#define SYN_MATH_NEXT_DRAW_H

#include "ops/sample.h"

namespace syn {

// Unless every draw is, a draw is measured when (patient + position in the record) is a multiple of this: a sample of the tokens
// that depends on nothing else.
constexpr int64_t kMeasureEvery = 16;
constexpr int64_t kFarthest = 1 << 16;  // no state is farther from the end

struct RecordRules {
  int64_t max_tokens;  // a record has no more
  bool measure_all;    // every draw is measured, not one in kMeasureEvery
};

SYN_HD bool is_measured(const RecordRules& rules, int64_t patient, int64_t position) {
  return rules.measure_all || (patient + position) % kMeasureEvery == 0;
}

// What a draw is asked for beside its memory, given its patient and its position.
SYN_HD void ask(const RecordRules& rules, SampleDraw& d) {
  const int64_t room = rules.max_tokens - int64_t{d.position} - 1;
  d.room = room < kFarthest ? static_cast<int32_t>(room) : kUnlimited;
  d.measured = is_measured(rules, d.patient, int64_t{d.position});
}

// Whether a draw ended its record, be there room for more or not.
SYN_HD bool ends(const GrammarTables& g, const SampleSettings& s, const SampleDraw& d) {
  return s.mask ? d.memory.state == g.done : says_end(g, d.token);
}

}  // namespace syn

#endif
