// Attention of new tokens over their caches, the oracle: ops/attention_decode.h as it is written there, one head after the other.
// Determinism: fixed order. Memory traffic: the cache twice.
#include <algorithm>
#include <cmath>

#include "ref/decode.h"

namespace syn::ref {
namespace {

double widened(double x) { return x; }
double widened(half x) { return from_half(x); }
void put(double& to, double x) { to = x; }
void put(half& to, double x) { to = to_half(x); }

// One key/value head of one slot: element c at position t.
template <class Element>
struct Head {
  const AttentionDecode<double, Element>& a;
  Element *keys, *values;

  Element& key(int64_t t, int32_t c) const { return keys[a.at(t - t % kKeyBlock) + c * kKeyBlock + t % kKeyBlock]; }
  Element& value(int64_t t, int32_t c) const { return values[a.at(t) + c]; }
};

template <class Element>
void attend(const Head<Element>& head, const double* q, int64_t p, double* score, double* out) {
  const auto& a = head.a;
  const int64_t first = first_key(reach_of(a.window), static_cast<int32_t>(p));
  for (int64_t t = first; t <= p; ++t) {
    double dot = 0;
    for (int32_t c = 0; c < a.head_dim; ++c) dot += q[c] * widened(head.key(t, c));
    score[t] = dot * a.scale;
  }
  const double max = *std::max_element(score + first, score + p + 1);
  double sum = 0;
  for (int64_t t = first; t <= p; ++t) sum += score[t] = std::exp(score[t] - max);
  for (int32_t c = 0; c < a.head_dim; ++c) {
    double o = 0;
    for (int64_t t = first; t <= p; ++t) o += score[t] * widened(head.value(t, c));
    out[c] = o / sum;
  }
}

template <class Element>
void decode(Exec& exec, const AttentionDecode<double, Element>& a) {
  const int32_t group = a.heads / a.kv_heads;
  const int64_t width = static_cast<int64_t>(a.heads + 2 * a.kv_heads) * a.head_dim;
  exec.pool.each(a.rows, [&](int64_t r, int thread) {
    const double* const q = a.qkv + r * width;
    const double* const k = q + static_cast<int64_t>(a.heads) * a.head_dim;
    const double* const v = k + static_cast<int64_t>(a.kv_heads) * a.head_dim;
    double* const score = a.scores + static_cast<int64_t>(thread) * group * a.positions;
    for (int32_t h = 0; h < a.heads; ++h) {
      const Head<Element> head{a, a.keys_of(a.slot[r], h / group), a.values_of(a.slot[r], h / group)};
      const int64_t at = static_cast<int64_t>(h / group) * a.head_dim, own = static_cast<int64_t>(h) * a.head_dim;
      for (int32_t c = 0; c < a.head_dim; ++c) {
        put(head.key(a.position[r], c), k[at + c]);
        put(head.value(a.position[r], c), v[at + c]);
      }
      attend(head, q + own, a.position[r], score, a.out + r * a.heads * a.head_dim + own);
    }
  });
}

}  // namespace

void attention_decode(Exec& exec, const AttentionDecode<double>& a) { decode(exec, a); }
void attention_decode_half(Exec& exec, const AttentionDecode<double, half>& a) { decode(exec, a); }

}  // namespace syn::ref
