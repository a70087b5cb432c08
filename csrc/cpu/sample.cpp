// Sampling on a CPU: ops/sample.h with radix selection in the place of sorting, over blocks that the compiler vectorises.
//
//   collect   the logits of the open runs of the grammar, cleaned, in ascending id
//   measure   where it is asked for, maximum and masses of the whole row
//   select    the threshold key of a filter in four passes of 256 bins (counts for top-k, masses for top-p), most significant
//   byte
//             first; equal keys are kept from the lowest id up. Before top-k, what cannot be in it is dropped in one pass
//   draw      prefix sums in ascending id
//
// Determinism: same bits as ref; only integers are summed, so blocks and widths do not matter. Memory traffic per row: the runs
// of the grammar, 4 bytes of logits and 16 of scratch a legal token; a measured row 8 V bytes of logits.
#include "ops/sample.h"

#include "cpu/decode.h"
#include "math/choose.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kBlock = 64;

// The legal tokens of a row in ascending id, after the filters the kept ones.
struct Scratch {
  float* z;        // [n] of the legal tokens, cleaned, then at the temperature
  int32_t* token;  // [n]
  uint64_t* mass;  // [n]
};

Scratch carve(void* memory, int32_t vocab) {
  const size_t padded = (static_cast<size_t>(vocab) + kBlock - 1) / kBlock * kBlock;
  Scratch s;
  s.mass = static_cast<uint64_t*>(memory);
  s.z = reinterpret_cast<float*>(s.mass + padded);
  s.token = reinterpret_cast<int32_t*>(s.z + padded);
  return s;
}

// The largest of clean(z[0..n)).
float maximum(const float* z, int32_t n) {
  float lanes[kBlock];
  for (int32_t j = 0; j < kBlock; ++j) lanes[j] = kLowest;
  int32_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (int32_t j = 0; j < kBlock; ++j) {
      const float x = clean(z[i + j]);
      lanes[j] = x > lanes[j] ? x : lanes[j];
    }
  }
  float max = kLowest;
  for (; i < n; ++i) max = clean(z[i]) > max ? clean(z[i]) : max;
  for (int32_t j = 0; j < kBlock; ++j) max = lanes[j] > max ? lanes[j] : max;
  return max;
}

// Sum of the masses of clean(z[0..n)).
uint64_t sum_masses(const float* z, int32_t n, float max) {
  uint64_t sum = 0;
  int32_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    uint64_t block = 0;
    for (int32_t j = 0; j < kBlock; ++j) block += mass(clean(z[i + j]), max);
    sum += block;
  }
  for (; i < n; ++i) sum += mass(clean(z[i]), max);
  return sum;
}

// As sum_masses of clean numbers, padded with -inf to whole blocks, and keeps them.
uint64_t fill_masses(const float* z, int32_t n, float max, uint64_t* to) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < n; i += kBlock) {
    for (int32_t j = 0; j < kBlock; ++j) to[i + j] = mass(z[i + j], max);
    for (int32_t j = 0; j < kBlock; ++j) sum += to[i + j];
  }
  return sum;
}

void pad(float* z, int32_t n) {
  for (; n % kBlock != 0; ++n) z[n] = kLowest;
}

// Appends the tokens [begin, end) to the n collected ones.
int32_t append(const float* logits, int32_t begin, int32_t end, Scratch& x, int32_t n) {
  const int32_t count = end - begin;
  for (int32_t i = 0; i < count; ++i) x.token[n + i] = begin + i;
  for (int32_t i = 0; i < count; ++i) x.z[n + i] = clean(logits[begin + i]);
  return n + count;
}

// The same for those that have not been said.
int32_t append_unseen(const GrammarMemory& m, const float* logits, int32_t begin, int32_t end, Scratch& x, int32_t n) {
  for (int32_t at = begin; at < end;) {
    const int32_t stop = (at | 63) + 1 < end ? (at | 63) + 1 : end;
    const uint64_t seen = m.seen[at >> 6];
    if (seen == 0) {
      n = append(logits, at, stop, x, n);
    } else {
      for (int32_t t = at; t < stop; ++t) {
        x.token[n] = t;
        x.z[n] = clean(logits[t]);
        n += !((seen >> (t & 63)) & 1);
      }
    }
    at = stop;
  }
  return n;
}

// Collects the legal tokens; returns how many.
int32_t collect(const GrammarTables& g, const SampleSettings& s, const float* logits, const SampleDraw& d, Scratch& x) {
  if (!s.mask) return append(logits, 0, g.vocab, x, 0);
  const int32_t room = legal_room(g, d.memory, d.room);
  int32_t n = 0;
  for (int32_t i = 0; i < g.runs; ++i) {
    const GrammarRun& r = g.run[i];
    if (!run_open(g, d.memory, r, room)) continue;
    const bool unique = g.class_rule[r.token_class] == kRuleUnique;
    n = unique ? append_unseen(d.memory, logits, r.begin, r.end, x, n) : append(logits, r.begin, r.end, x, n);
  }
  return n;
}

int32_t way_out(const GrammarTables& g, const SampleSettings& s, const GrammarMemory& m, const Scratch& x, int32_t n) {
  int32_t best = x.token[0];
  for (int32_t i = 1; i < n; ++i) {
    if (way_out_rank(g, s, m, x.token[i]) < way_out_rank(g, s, m, best)) best = x.token[i];
  }
  return best;
}

// A filter's cut: everything above key, and the first `ties` tokens that have it.
struct Cut {
  uint32_t key;
  int64_t ties;
};

// The key at which the weights, summed from the largest key down, reach need. weigh(i) is the weight of the i-th token;
// equal keys weigh the same, and need is at most the whole sum.
template <class Weigh>
Cut select(const Scratch& x, int32_t n, uint64_t need, Weigh weigh) {
  uint32_t prefix = 0;
  for (int32_t shift = 24; shift >= 0; shift -= 8) {
    uint64_t bins[256] = {};
    const uint32_t above = shift == 24 ? 0 : ~0u << (shift + 8);
    for (int32_t i = 0; i < n; ++i) {
      const uint32_t key = radix_key(x.z[i]);
      if ((key & above) != prefix) continue;
      bins[(key >> shift) & 255] += weigh(i);
    }
    uint32_t bin = 255;
    while (bins[bin] < need) need -= bins[bin--];
    prefix |= bin << shift;
  }
  uint64_t one = 1;
  for (int32_t i = 0; i < n; ++i) {
    if (radix_key(x.z[i]) == prefix) one = weigh(i);
  }
  return {prefix, static_cast<int64_t>((need + one - 1) / one)};
}

int32_t apply(const Cut& cut, Scratch& x, int32_t n) {
  int64_t ties = cut.ties;
  int32_t kept = 0;
  for (int32_t i = 0; i < n; ++i) {
    const uint32_t key = radix_key(x.z[i]);
    const bool keep = key > cut.key || (key == cut.key && ties-- > 0);
    x.token[kept] = x.token[i];
    x.z[kept] = x.z[i];
    x.mass[kept] = x.mass[i];
    kept += keep;
  }
  return kept;
}

// Drops tokens that cannot be among the k largest: the k-th largest maximum of kGroups groups of tokens is a bound that k tokens
// reach. Leaves a few more than k of many.
int32_t thin(Scratch& x, int32_t n, int32_t k) {
  constexpr int32_t kGroups = 256, kPiece = 16;
  if (k > kGroups / 2 || n < 2 * kGroups) return n;
  float largest[kGroups];
  for (int32_t j = 0; j < kGroups; ++j) largest[j] = x.z[j];
  int32_t i = kGroups;
  for (; i + kGroups <= n; i += kGroups)
    for (int32_t j = 0; j < kGroups; ++j) largest[j] = x.z[i + j] > largest[j] ? x.z[i + j] : largest[j];
  for (int32_t j = 0; i + j < n; ++j) largest[j] = x.z[i + j] > largest[j] ? x.z[i + j] : largest[j];
  const uint32_t bound =
      select({largest, nullptr, nullptr}, kGroups, static_cast<uint64_t>(k), [](int32_t) { return uint64_t{1}; }).key;
  int32_t kept = 0;
  for (int32_t piece = 0; piece < n; piece += kPiece) {
    bool any = false;  // z is padded to whole pieces
    for (int32_t j = 0; j < kPiece; ++j) any |= radix_key(x.z[piece + j]) >= bound;
    for (int32_t t = piece; any && t < piece + kPiece && t < n; ++t) {
      const bool keep = radix_key(x.z[t]) >= bound;
      x.token[kept] = x.token[t];
      x.z[kept] = x.z[t];
      x.mass[kept] = x.mass[t];
      kept += keep;
    }
  }
  return kept;
}

// Leaves the tokens that the filters keep, masses beside them; returns how many.
int32_t filter(const SampleSettings& s, Scratch& x, int32_t n) {
  if (s.top_k > 0 && n > s.top_k) {
    n = thin(x, n, s.top_k);
    n = apply(select(x, n, static_cast<uint64_t>(s.top_k), [](int32_t) { return uint64_t{1}; }), x, n);
  }
  if (s.top_p < 1) {
    uint64_t total = 0;
    for (int32_t i = 0; i < n; ++i) total += x.mass[i];
    const uint64_t need = share(fraction64(s.top_p), total);
    n = apply(select(x, n, need, [&](int32_t i) { return x.mass[i]; }), x, n);
  }
  if (s.min_p > 0) {
    const uint64_t whole = uint64_t{1} << kMassBits;
    const uint64_t need = s.min_p < 1 ? share(fraction64(s.min_p), whole) : whole;
    int32_t kept = 0;
    for (int32_t i = 0; i < n; ++i) {
      x.token[kept] = x.token[i];
      x.mass[kept] = x.mass[i];
      kept += x.mass[i] >= need;
    }
    n = kept;
  }
  return n;
}

int32_t choose(const SampleSettings& s, const SampleDraw& d, const Scratch& x, int32_t n) {
  uint64_t total = 0;
  for (int32_t i = 0; i < n; ++i) total += x.mass[i];
  const uint64_t point = sample_point(s, d, total);
  uint64_t prefix = 0;
  int32_t i = 0;
  while ((prefix += x.mass[i]) <= point) ++i;
  return x.token[i];
}

}  // namespace

void sample(const GrammarTables& g, const SampleSettings& s, const float* logits, SampleDraw& d, void* scratch) {
  Scratch x = carve(scratch, g.vocab);
  int32_t n = collect(g, s, logits, d, x);
  d.status = n == 0 ? kNothingLegal : kSampled;
  if (n == 0) return;
  SampleMasses m = {};
  m.max_legal = maximum(x.z, n);
  const float top = tempered(m.max_legal, s.temperature);
  if (!(top > kLowest)) return settle_way_out(g, s, way_out(g, s, d.memory, x, n), d);

  pad(x.z, n);
  m.legal = fill_masses(x.z, n, m.max_legal, x.mass);
  if (d.measured) {
    const bool whole = n == g.vocab;
    m.max_all = whole ? m.max_legal : maximum(logits, g.vocab);
    m.all = whole ? m.legal : sum_masses(logits, g.vocab, m.max_all);
  }
  if (s.temperature != 1.0f) {
    for (int32_t i = 0; i < n; ++i) x.z[i] = tempered(x.z[i], s.temperature);
    fill_masses(x.z, n, top, x.mass);
  }
  n = filter(s, x, n);
  const int32_t token = choose(s, d, x, n);
  report_draw(m, clean(logits[token]), d);
  settle_draw(g, s, token, d);
}

}  // namespace syn::cpu::SYN_CPU_NS
