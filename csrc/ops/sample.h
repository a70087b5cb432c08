// Sampling of one token for each of several records, exact to the bit.
//
//   1. legal set   grammar state and vetoes; near the length limit only what leaves the end within reach (all of it where the
//                  vetoes hold every such token back)
//   2. z           logit / temperature; NaN counts as -inf. No legal token with a finite z: the way out, that is among the legal
//                  tokens the one whose next state is nearest to the end, lowest id first, and a flag
//   3. filters     top-k, then top-p, then min-p, each on what the one before left; exact, ties to the lower id; off by default
//   4. draw        masses w = round(2^40 e^(z - max)) over the kept tokens in ascending id, W their sum,
//                  r = high64(x W) with 64 bits x of Philox(seed, kToken, patient, position); the first token whose prefix sum
//                  exceeds r. e^-27.7 of the likeliest, about 1e-12, is still reachable
//   5. number      from the knots of the token with 64 bits of Philox(seed, kDequantise, patient, position)
//   6. report      log p under model and grammar and, where the draw is measured, under the model alone, at temperature 1 without
//                  filters, and the mass that the grammar removed, from integer masses
//   7. next state  the memory of the record takes the token
//
// Determinism: integers and the arithmetic of csrc/math; the same bits in every backend given the same logits, whatever the slot,
// the number of rows or threads. Memory traffic per row: the logits of the legal tokens once, all of them where the draw is
// measured, the runs of the grammar, 16 bytes of scratch a legal token.
#ifndef SYN_OPS_SAMPLE_H
#define SYN_OPS_SAMPLE_H

#include <cstddef>
#include <cstdint>

#include "math/grammar.h"

namespace syn {

struct SampleSettings {
  uint64_t seed;
  float temperature;  // > 0
  int32_t top_k;      // 0: off
  float top_p;        // 1: off
  float min_p;        // 0: off
  bool mask;          // false: every token is legal, nothing is removed
};

enum SampleStatus : int32_t {
  kSampled = 0,
  kNoLegalLogit = 1,  // the way out was taken; logp_* are 0, removed is 1 where it is measured
  kNothingLegal = 2,  // the vetoes leave no token: the grammar is at fault, nothing else of the draw is set
};

// One record's draw.
struct SampleDraw {
  int64_t patient;       // in, < 2^48
  uint32_t position;     // in, of the token to be drawn in its record
  int32_t room;          // in, how many tokens may follow this one in its record; kUnlimited: any number
  bool measured;         // in: the logits of every token are there, not only those of the legal ones
  GrammarMemory memory;  // in and out
  SampleStatus status;   // out, as all below
  int32_t token;
  int64_t number;  // units of 10^-decimals; kNoNumber where the token stands for none
  double logp_masked;
  double logp_model, removed;  // 0 unless measured
};

// Draws a token. logits [vocab], of which only those of legal tokens are looked at unless the draw is measured; scratch
// sample_scratch_bytes(...) bytes, aligned to 64, not shared between threads.
using SampleFunction = void (*)(const GrammarTables&, const SampleSettings&, const float* logits, SampleDraw&, void* scratch);

// Bytes of scratch for the larger of the two backends.
inline size_t sample_scratch_bytes(int32_t vocab) {
  const size_t padded = (static_cast<size_t>(vocab) + 63) / 64 * 64;
  return padded * (sizeof(float) + sizeof(int32_t) + sizeof(uint64_t));
}

}  // namespace syn

#endif
