// Attention of new tokens over their caches, the oracle: ops/attention_decode.h as it is written there, one head after the other.
// Determinism: fixed order. Memory traffic: the cache twice.
#include <algorithm>
#include <cmath>

#include "ref/decode.h"

namespace syn::ref {
namespace {

// Where element c of the key at position t lies in its head's blocks.
int64_t key_at(int64_t t, int32_t c, int32_t head_dim) { return (t / kKeyBlock * head_dim + c) * kKeyBlock + t % kKeyBlock; }

void append(const AttentionDecode<double>& a, const double* k, const double* v, double* keys, double* values, int64_t p) {
  for (int32_t c = 0; c < a.head_dim; ++c) {
    keys[key_at(p, c, a.head_dim)] = k[c];
    values[p * a.head_dim + c] = v[c];
  }
}

void attend(const AttentionDecode<double>& a, const double* q, const double* keys, const double* values, int64_t p, double* score,
            double* out) {
  for (int64_t t = 0; t <= p; ++t) {
    double dot = 0;
    for (int32_t c = 0; c < a.head_dim; ++c) dot += q[c] * keys[key_at(t, c, a.head_dim)];
    score[t] = dot * a.scale;
  }
  const double max = *std::max_element(score, score + p + 1);
  double sum = 0;
  for (int64_t t = 0; t <= p; ++t) sum += score[t] = std::exp(score[t] - max);
  for (int32_t c = 0; c < a.head_dim; ++c) {
    double o = 0;
    for (int64_t t = 0; t <= p; ++t) o += score[t] * values[t * a.head_dim + c];
    out[c] = o / sum;
  }
}

}  // namespace

void attention_decode(Exec& exec, const AttentionDecode<double>& a) {
  const int32_t group = a.heads / a.kv_heads;
  const int64_t width = static_cast<int64_t>(a.heads + 2 * a.kv_heads) * a.head_dim;
  exec.pool.each(a.rows, [&](int64_t r, int thread) {
    const double* const q = a.qkv + r * width;
    const double* const k = q + static_cast<int64_t>(a.heads) * a.head_dim;
    const double* const v = k + static_cast<int64_t>(a.kv_heads) * a.head_dim;
    double* const score = a.scores + static_cast<int64_t>(thread) * group * a.positions;
    for (int32_t h = 0; h < a.heads; ++h) {
      const int64_t head = a.slot[r] * a.slot_stride + h / group * a.positions * a.head_dim;
      const int64_t at = static_cast<int64_t>(h / group) * a.head_dim;
      append(a, k + at, v + at, a.keys + head, a.values + head, a.position[r]);
      const int64_t own = static_cast<int64_t>(h) * a.head_dim;
      attend(a, q + own, a.keys + head, a.values + head, a.position[r], score, a.out + r * a.heads * a.head_dim + own);
    }
  });
}

}  // namespace syn::ref
