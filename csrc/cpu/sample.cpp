// Sampling on a CPU: ops/sample.h with radix selection in the place of sorting, over blocks that the compiler vectorises.
//
//   row       one pass cleans the logits and finds their maximum, one sums their masses, one collects the legal tokens
//   select    the threshold key of a filter in four passes of 256 bins (counts for top-k, masses for top-p), most significant
//   byte
//             first; equal keys are kept from the lowest id up
//   draw      prefix sums in ascending id
//
// Determinism: same bits as ref; only integers are summed, so blocks and widths do not matter. Memory traffic per row: 4 V bytes
// of logits, 2 V of classes, 8 V written and read in scratch, 20 bytes a legal token.
#include "ops/sample.h"

#include "cpu/decode.h"
#include "math/choose.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kBlock = 64;

// The legal tokens of a row in ascending id, after the filters the kept ones.
struct Scratch {
  float* row;      // [V] cleaned logits
  float* z;        // [n] of the legal tokens, at the temperature
  int32_t* token;  // [n]
  uint64_t* mass;  // [n]
  uint8_t* open;   // [classes] the class may follow
};

Scratch carve(void* memory, int32_t vocab) {
  const size_t padded = (static_cast<size_t>(vocab) + kBlock - 1) / kBlock * kBlock;
  Scratch s;
  s.mass = static_cast<uint64_t*>(memory);
  s.row = reinterpret_cast<float*>(s.mass + padded);
  s.z = s.row + padded;
  s.token = reinterpret_cast<int32_t*>(s.z + padded);
  s.open = reinterpret_cast<uint8_t*>(s.token + padded);
  return s;
}

// Cleans from[0..n) at a temperature into to, pads to a whole block with -inf and returns the maximum.
float clean_row(const float* from, int32_t n, float* to) {
  float lanes[kBlock];
  for (int32_t j = 0; j < kBlock; ++j) lanes[j] = kLowest;
  int32_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (int32_t j = 0; j < kBlock; ++j) {
      const float z = clean(from[i + j]);
      to[i + j] = z;
      lanes[j] = z > lanes[j] ? z : lanes[j];
    }
  }
  for (int32_t j = 0; i < n && j < kBlock; ++j) {
    const float z = i + j < n ? clean(from[i + j]) : kLowest;
    to[i + j] = z;
    lanes[j] = z > lanes[j] ? z : lanes[j];
  }
  float max = kLowest;
  for (int32_t j = 0; j < kBlock; ++j) max = lanes[j] > max ? lanes[j] : max;
  return max;
}

// Sum of the masses of z[0..n), n padded with -inf to whole blocks by the caller.
uint64_t sum_masses(const float* z, int32_t n, float max) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < n; i += kBlock) {
    uint64_t block = 0;
    for (int32_t j = 0; j < kBlock; ++j) block += mass(z[i + j], max);
    sum += block;
  }
  return sum;
}

// As sum_masses, and keeps them.
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

float maximum(const float* z, int32_t n) {
  float max = kLowest;
  for (int32_t i = 0; i < n; ++i) max = z[i] > max ? z[i] : max;
  return max;
}

// Collects the legal tokens with their cleaned logits; returns how many.
int32_t collect(const GrammarTables& g, const SampleSettings& s, const GrammarMemory& m, int32_t room, Scratch& x) {
  int32_t n = 0;
  if (!s.mask) {
    for (; n < g.vocab; ++n) x.token[n] = n, x.z[n] = x.row[n];
    return n;
  }
  for (int32_t c = 0; c < g.classes; ++c) x.open[c] = class_open(g, m.state, static_cast<uint16_t>(c), room);
  for (int32_t t = 0; t < g.vocab; ++t) {
    const uint16_t c = g.token_class[t];
    if (c == kNoClass || !x.open[c] || vetoed(g, m, t, c)) continue;
    x.token[n] = t;
    x.z[n++] = x.row[t];
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

// Leaves the tokens that the filters keep, masses beside them; returns how many.
int32_t filter(const SampleSettings& s, Scratch& x, int32_t n) {
  if (s.top_k > 0 && n > s.top_k) {
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
  SampleMasses m;
  m.max_all = clean_row(logits, g.vocab, x.row);
  int32_t n = collect(g, s, d.memory, d.room, x);
  if (n == 0 && d.room != kUnlimited) n = collect(g, s, d.memory, kUnlimited, x);
  d.status = n == 0 ? kNothingLegal : kSampled;
  if (n == 0) return;
  m.max_legal = maximum(x.z, n);
  const float top = tempered(m.max_legal, s.temperature);
  if (!(top > kLowest)) return settle_way_out(g, s, way_out(g, s, d.memory, x, n), d);

  m.all = sum_masses(x.row, g.vocab, m.max_all);
  pad(x.z, n);
  m.legal = fill_masses(x.z, n, m.max_legal, x.mass);
  if (s.temperature != 1.0f) {
    for (int32_t i = 0; i < n; ++i) x.z[i] = tempered(x.z[i], s.temperature);
    fill_masses(x.z, n, top, x.mass);
  }
  n = filter(s, x, n);
  const int32_t token = choose(s, d, x, n);
  report_draw(m, x.row[token], d);
  settle_draw(g, s, token, d);
}

}  // namespace syn::cpu::SYN_CPU_NS
