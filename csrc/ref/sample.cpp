// Sampling, the oracle: the definition of ops/sample.h step by step over vectors, with sorting in the place of selection.
// Determinism: same bits as every other backend. Memory traffic: unmeasured, O(V log V).
#include "ops/sample.h"

#include <algorithm>
#include <vector>

#include "math/choose.h"
#include "ref/decode.h"

namespace syn::ref {
namespace {

struct Candidate {
  int32_t token;
  float raw, z;  // cleaned logit; the same at the temperature
};

std::vector<Candidate> candidates(const GrammarTables& g, const SampleSettings& s, const float* logits, const SampleDraw& d,
                                  int32_t room) {
  std::vector<Candidate> out;
  for (int32_t t = 0; t < g.vocab; ++t) {
    if (s.mask && !legal(g, d.memory, t, room)) continue;
    out.push_back({t, clean(logits[t]), tempered(logits[t], s.temperature)});
  }
  return out;
}

uint64_t sum_of_masses(const std::vector<Candidate>& of, float max) {
  uint64_t sum = 0;
  for (const Candidate& c : of) sum += mass(c.z, max);
  return sum;
}

// Keeps the candidates that the filters leave; sorted by falling z, ties by rising id.
void filter(std::vector<Candidate>& c, const SampleSettings& s) {
  std::stable_sort(c.begin(), c.end(), [](const Candidate& a, const Candidate& b) { return a.z > b.z; });
  const float max = c[0].z;
  if (s.top_k > 0 && c.size() > static_cast<size_t>(s.top_k)) c.resize(static_cast<size_t>(s.top_k));
  if (s.top_p < 1) {
    const uint64_t need = share(fraction64(s.top_p), sum_of_masses(c, max));
    uint64_t sum = 0;
    size_t keep = 0;
    while (sum < need) sum += mass(c[keep++].z, max);
    c.resize(keep);
  }
  if (s.min_p > 0) {
    const uint64_t need = s.min_p < 1 ? share(fraction64(s.min_p), mass(max, max)) : mass(max, max);
    c.erase(std::remove_if(c.begin(), c.end(), [&](const Candidate& x) { return mass(x.z, max) < need; }), c.end());
  }
  std::sort(c.begin(), c.end(), [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
}

SampleMasses masses(int32_t vocab, const float* logits, bool measured, const std::vector<Candidate>& legal_set) {
  SampleMasses m{kLowest, kLowest, 0, 0};
  for (const Candidate& c : legal_set) m.max_legal = std::max(m.max_legal, c.raw);
  for (const Candidate& c : legal_set) m.legal += mass(c.raw, m.max_legal);
  for (int32_t t = 0; measured && t < vocab; ++t) m.max_all = std::max(m.max_all, clean(logits[t]));
  for (int32_t t = 0; measured && t < vocab; ++t) m.all += mass(clean(logits[t]), m.max_all);
  return m;
}

}  // namespace

void sample(const GrammarTables& g, const SampleSettings& s, const float* logits, SampleDraw& d, void*) {
  std::vector<Candidate> c = candidates(g, s, logits, d, d.room);
  if (c.empty() && d.room != kUnlimited) c = candidates(g, s, logits, d, kUnlimited);
  d.status = c.empty() ? kNothingLegal : kSampled;
  if (c.empty()) return;
  const auto finite = [](const Candidate& x) { return x.z > kLowest; };
  if (std::none_of(c.begin(), c.end(), finite)) {
    const auto nearer = [&](const Candidate& a, const Candidate& b) {
      return way_out_rank(g, s, d.memory, a.token) < way_out_rank(g, s, d.memory, b.token);
    };
    return settle_way_out(g, s, std::min_element(c.begin(), c.end(), nearer)->token, d);
  }
  const SampleMasses m = masses(g.vocab, logits, d.measured, c);
  c.erase(std::remove_if(c.begin(), c.end(), [&](const Candidate& x) { return !finite(x); }), c.end());
  filter(c, s);
  const float max = std::max_element(c.begin(), c.end(), [](auto& a, auto& b) { return a.z < b.z; })->z;
  const uint64_t point = sample_point(s, d, sum_of_masses(c, max));
  uint64_t prefix = 0;
  size_t i = 0;
  while ((prefix += mass(c[i].z, max)) <= point) ++i;
  report_draw(m, c[i].raw, d);
  settle_draw(g, s, c[i].token, d);
}

}  // namespace syn::ref
