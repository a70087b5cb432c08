// Random grammars, logits and filters for the tests of the sampler: everything that a row can meet, drawn from Philox.
#ifndef SYN_TESTS_SAMPLE_ROWS_H
#define SYN_TESTS_SAMPLE_ROWS_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/machine.h"
#include "math/bits.h"
#include "math/dequantise.h"
#include "math/exp2.h"
#include "math/philox.h"
#include "model/grammar.h"
#include "ops/decode_table.h"
#include "ops/sample.h"

namespace syn::tests {

class Chance {
 public:
  explicit Chance(uint64_t seed) : seed_(seed) {}
  uint32_t word() { return draw_words(seed_, Purpose::kSubsample, 0, 0, count_++).w[0]; }
  int32_t below(int32_t n) { return static_cast<int32_t>((uint64_t{word()} * static_cast<uint32_t>(n)) >> 32); }
  double unit() { return uniform(word()); }
  bool often(double p) { return unit() < p; }

 private:
  uint64_t seed_;
  uint32_t count_ = 0;
};

// A grammar with random tables; every class leads somewhere from about half of the states.
struct RandomGrammar {
  int32_t vocab, states, classes;
  std::vector<uint16_t> token_class, distance;
  std::vector<int32_t> order, knot_start;
  std::vector<uint8_t> rule, role, forget;
  std::vector<int16_t> next;
  std::vector<int64_t> knots;
  std::vector<GrammarRun> runs;

  RandomGrammar(Chance& c, int32_t vocab_) : vocab(vocab_), states(2 + c.below(6)), classes(1 + c.below(7)) {
    knot_start.push_back(0);
    for (int32_t t = 0; t < vocab; ++t) {
      token_class.push_back(c.often(0.1) ? kNoClass : static_cast<uint16_t>(c.below(classes)));
      order.push_back(c.below(20));
      int64_t knot = c.below(2000) - 1000;
      for (int32_t k = c.below(5); k > 0; --k) knots.push_back(knot += c.below(50));
      knot_start.push_back(static_cast<int32_t>(knots.size()));
    }
    for (int32_t i = 0; i < classes; ++i) {
      rule.push_back(static_cast<uint8_t>(c.below(3)));
      role.push_back(static_cast<uint8_t>(c.below(9)));
    }
    for (int32_t i = 0; i < states * classes; ++i) {
      next.push_back(c.often(0.5) ? int16_t{-1} : static_cast<int16_t>(c.below(states)));
      forget.push_back(static_cast<uint8_t>(c.below(4)));
    }
    for (int32_t i = 0; i < states; ++i) distance.push_back(static_cast<uint16_t>(c.below(9)));
    runs = grammar_runs(tables());
  }

  GrammarTables tables() const {
    return {vocab,
            states,
            classes,
            0,
            states - 1,
            0,
            token_class.data(),
            order.data(),
            rule.data(),
            role.data(),
            next.data(),
            forget.data(),
            distance.data(),
            knot_start.data(),
            knots.data(),
            runs.data(),
            static_cast<int32_t>(runs.size())};
  }
};

// Logits on a coarse grid (ties), of any spread, with -inf, +inf and NaN among them.
inline void random_logits(Chance& c, std::vector<float>& z) {
  const double spread = std::ldexp(1.0, c.below(9) - 2), grid = c.often(0.5) ? 0.25 : 1e-6;
  const double broken = c.often(0.3) ? 0.3 : c.often(0.05) ? 1.0 : 0.0;
  for (float& x : z) {
    x = static_cast<float>(std::round((c.unit() - 0.5) * spread / grid) * grid);
    if (!c.often(broken)) continue;
    const float odd[] = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), -0.0f,
                         std::numeric_limits<float>::infinity(), std::numeric_limits<float>::lowest()};
    x = odd[c.often(0.8) ? c.below(2) : c.below(5)];
  }
}

inline SampleSettings random_settings(Chance& c) {
  SampleSettings s{};
  s.seed = (uint64_t{c.word()} << 32) | c.word();
  s.temperature = c.often(0.5) ? 1.0f : static_cast<float>(std::exp(4 * c.unit() - 2));
  s.top_k = c.often(0.3) ? 1 + c.below(40) : 0;
  s.top_p = c.often(0.3) ? static_cast<float>(c.unit()) : 1.0f;
  s.min_p = c.often(0.3) ? static_cast<float>(c.unit() * c.unit()) : 0.0f;
  s.mask = c.often(0.85);
  return s;
}

// The samplers of the host that this machine runs.
inline std::vector<SampleFunction> host_samplers() {
  std::vector<SampleFunction> out = {ref::decode_table().sample};
  if (machine_isa() >= Isa::kAvx2) out.push_back(cpu::avx2::decode_table().sample);
  if (machine_isa() >= Isa::kAvx512) out.push_back(cpu::avx512::decode_table().sample);
  return out;
}

// One row's draw by a sampler of the host.
inline void draw_on_host(SampleFunction sample, const GrammarTables& tables, const SampleSettings& settings, const float* logits,
                         SampleDraw& d) {
  alignas(64) static std::byte scratch[1 << 14];
  if (sample_scratch_bytes(tables.vocab) > sizeof scratch) throw std::runtime_error("too many tokens for this scratch");
  sample(tables, settings, logits, d, scratch);
}

// Every field that a draw sets; the double reports by their bits.
inline std::vector<uint64_t> draw_fields(const SampleDraw& d) {
  std::vector<uint64_t> out = {static_cast<uint64_t>(d.status)};
  if (d.status == kNothingLegal) return out;
  for (const int64_t x : {int64_t{d.token}, d.number, int64_t{d.memory.state}, int64_t{d.memory.last_order}})
    out.push_back(static_cast<uint64_t>(x));
  for (const double x : {d.logp_model, d.logp_masked, d.removed}) out.push_back(bits_of(x));
  return out;
}

}  // namespace syn::tests

#endif
