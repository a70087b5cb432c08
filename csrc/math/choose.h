// The last steps of a draw, shared by every backend: which token the bits name, what is reported, what the record remembers.
#ifndef SYN_MATH_CHOOSE_H
#define SYN_MATH_CHOOSE_H

#include "math/dequantise.h"
#include "math/exp2.h"
#include "math/philox.h"
#include "math/radix.h"
#include "ops/sample.h"

namespace syn {

// Sums of masses of the whole row (of a measured draw) and of its legal part at temperature 1, each relative to its own largest
// logit.
struct SampleMasses {
  float max_all, max_legal;
  uint64_t all, legal;
};

// A point in [0, total) for the token draw.
SYN_HD uint64_t sample_point(const SampleSettings& s, const SampleDraw& d, uint64_t total) {
  return high64(bits64(draw_words(s.seed, Purpose::kToken, static_cast<uint64_t>(d.patient), d.position, 0)), total);
}

// log p and removed mass of a drawn token with logit z (cleaned, at temperature 1).
SYN_HD void report_draw(const SampleMasses& m, float z, SampleDraw& d) {
  const double z_masked = static_cast<double>(z) - static_cast<double>(m.max_legal);
  d.logp_masked = z_masked - log_mass(m.legal);
  d.logp_model = d.removed = 0.0;
  if (!d.measured) return;
  const double z_model = static_cast<double>(z) - static_cast<double>(m.max_all);
  d.logp_model = z_model - log_mass(m.all);
  const double scale = exp_nonpositive(static_cast<double>(m.max_legal) - static_cast<double>(m.max_all));
  const double share = scale * (static_cast<double>(m.legal) / static_cast<double>(m.all));
  d.removed = share < 1.0 ? fused(share, -1.0, 1.0) : 0.0;
}

// Settles the draw on a token: its number, and what the record remembers.
SYN_HD void settle_draw(const GrammarTables& g, const SampleSettings& s, int32_t token, SampleDraw& d) {
  const int32_t from = g.knot_start[token];
  const uint64_t x = bits64(draw_words(s.seed, Purpose::kDequantise, static_cast<uint64_t>(d.patient), d.position, 0));
  d.token = token;
  d.number = dequantise(g.knots + from, g.knot_start[token + 1] - from, x);
  take(g, d.memory, token);
}

SYN_HD void settle_way_out(const GrammarTables& g, const SampleSettings& s, int32_t token, SampleDraw& d) {
  d.status = kNoLegalLogit;
  d.logp_model = d.logp_masked = 0.0;
  d.removed = d.measured ? 1.0 : 0.0;
  settle_draw(g, s, token, d);
}

// How near to the end a token leads; without the mask only the end itself counts.
SYN_HD uint32_t way_out_rank(const GrammarTables& g, const SampleSettings& s, const GrammarMemory& m, int32_t token) {
  if (!s.mask) return says_end(g, token) ? 0 : 1;
  return g.distance[next_state(g, m.state, g.token_class[token])];
}

}  // namespace syn

#endif
