// Attention of new tokens over their caches (ops/attention_decode.h). One task is a row and a key/value head with all the query
// heads that share it; the blocks of keys, then of values, stay in the first levels while those heads read them.
//
//   scores   kKeyBlock keys at a time, a lane a key: s_t = scale sum_c q_c k_ct, kChains sums over every kChains-th c
//   softmax  maximum, exp and sum over whole blocks; lanes past the last key count for nothing
//   sum      o_c = sum_t w_t v_tc in ascending t, a lane a column
//
// Under a window the blocks of keys before it are not read; of the first one that is, the lanes before it have no weight.
//
// Determinism: one thread a task, orders fixed by the position alone. Memory traffic: the cache of the record once, which is what
// bounds this op: asking for blocks ahead of time changes nothing. Tasks are taken as threads come free, so that records of
// different lengths keep all of them busy.
#include "cpu/decode.h"
#include "cpu/simd.h"
#include "ops/attention.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kVectors = kKeyBlock / kLanes;
constexpr int32_t kChains = 4;       // sums that need not wait for each other
constexpr int kMostVectors = 12;     // sums that the registers hold
constexpr int32_t kValueBlock = 64;  // values that are added for one query head before the next

// A head in the numbers of the cache.
template <class Element>
void copy_head(const float* from, int32_t head_dim, Element* to) {
  int32_t c = 0;
  for (; c + kLanes <= head_dim; c += kLanes) store(to + c, load(from + c));
  if constexpr (kLanes > 8) {
    if (c < head_dim) store_part(to + c, first_lanes(head_dim - c), load_part(from + c, first_lanes(head_dim - c)));
  }
}

// The new key and value into their block.
template <class Element>
void append(const float* k, const float* v, int32_t at, int32_t head_dim, Element* keys, Element* values) {
  Element row[kMaxHeadDim];
  copy_head(k, head_dim, row);
  for (int32_t c = 0; c < head_dim; ++c) keys[c * kKeyBlock + at] = row[c];
  copy_head(v, head_dim, values + at * head_dim);
}

// Scores of one block of keys [head_dim][kKeyBlock] for one query.
template <class Element>
void score_block(const float* q, const Element* keys, int32_t head_dim, float scale, float* score) {
  Vec sum[kChains][kVectors];
  for (int32_t j = 0; j < kChains; ++j)
    for (int32_t i = 0; i < kVectors; ++i) sum[j][i] = zero();
  for (int32_t c = 0; c < head_dim; c += kChains)
    for (int32_t j = 0; j < kChains; ++j) {
      const Vec x = all(q[c + j]);
      for (int32_t i = 0; i < kVectors; ++i) sum[j][i] = fma(x, load(keys + (c + j) * kKeyBlock + i * kLanes), sum[j][i]);
    }
  for (int32_t i = 0; i < kVectors; ++i)
    store(score + i * kLanes, ((sum[0][i] + sum[1][i]) + (sum[2][i] + sum[3][i])) * all(scale));
}

// Turns score[0..count) into exp(score - max) over their sum.
void softmax(float* score, int32_t count) {
  Vec top = all(score[0]);
  for (int32_t t = 0; t < count; t += kLanes) {
    const Mask inside = first_lanes(count - t);
    top = max(top, choose(inside, load(score + t), top));
  }
  const Vec limit = all(max_lanes(top));
  Vec sum = zero();
  for (int32_t t = 0; t < count; t += kLanes) {
    const Mask inside = first_lanes(count - t);
    const Vec w = choose(inside, exp(load(score + t) - limit), zero());
    store(score + t, w);
    sum = sum + w;
  }
  const Vec scale = all(1.0f / sum_lanes(sum));
  for (int32_t t = 0; t < count; t += kLanes) store(score + t, load(score + t) * scale);
}

// out[0 .. N kLanes) += sum over t of w[t] values[t][0 .. N kLanes).
template <int N, class Element>
void add_columns(const float* w, const Element* values, int32_t count, int32_t head_dim, float* out) {
  Vec sum[N];
  for (int i = 0; i < N; ++i) sum[i] = load(out + i * kLanes);
  for (int32_t t = 0; t < count; ++t) {
    const Vec x = all(w[t]);
    for (int i = 0; i < N; ++i) sum[i] = fma(x, load(values + t * head_dim + i * kLanes), sum[i]);
  }
  for (int i = 0; i < N; ++i) store(out + i * kLanes, sum[i]);
}

// The same for the columns that do not fill a register.
template <class Element>
void add_rest(const float* w, const Element* values, int32_t count, int32_t head_dim, int32_t columns, float* out) {
  const Mask inside = first_lanes(columns);
  Vec sum = load_part(out, inside);
  for (int32_t t = 0; t < count; ++t) sum = fma(all(w[t]), load_part(values + t * head_dim, inside), sum);
  store_part(out, inside, sum);
}

// N registers where that many are left, else fewer.
template <int N, class Element>
void add_at_most(int32_t vectors, const float* w, const Element* values, int32_t count, int32_t head_dim, float* out) {
  if constexpr (N > 1) {
    if (vectors < N) return add_at_most<N - 1>(vectors, w, values, count, head_dim, out);
  }
  add_columns<N>(w, values, count, head_dim, out);
}

// Whole rows at a time, as they lie in memory, unless they need more than kMostVectors registers.
template <class Element>
void add_block(const float* w, const Element* values, int32_t count, int32_t head_dim, float* out) {
  const int32_t vectors = head_dim / kLanes, passes = (vectors + kMostVectors - 1) / kMostVectors;
  for (int32_t pass = 0, v = 0, n; pass < passes; ++pass, v += n) {
    n = (vectors - v) / (passes - pass);
    add_at_most<kMostVectors>(n, w, values + v * kLanes, count, head_dim, out + v * kLanes);
  }
  const int32_t c = vectors * kLanes;
  if constexpr (kLanes > 8) {
    if (c < head_dim) add_rest(w, values + c, count, head_dim, head_dim - c, out + c);
  }
}

// The query heads of one key/value head over positions first .. count - 1; q and out are [group, head_dim], score [group,
// positions].
template <class Element>
void attend(const AttentionDecode<float, Element>& a, const float* q, const Element* keys, const Element* values, int32_t first,
            int32_t count, float* score, float* out) {
  const int32_t group = a.heads / a.kv_heads, dim = a.head_dim, begin = first - first % kKeyBlock;
  for (int32_t t = begin; t < count; t += kKeyBlock) {
    const Element* const block = keys + a.at(t);
    for (int32_t g = 0; g < group; ++g) score_block(q + g * dim, block, dim, a.scale, score + g * a.positions + t);
  }
  for (int32_t g = 0; g < group; ++g) {
    float* const own = score + g * a.positions;
    for (int32_t t = begin; t < first; ++t) own[t] = -__builtin_inff();
    softmax(own + begin, count - begin);
    for (int32_t c = 0; c < dim; ++c) out[g * dim + c] = 0;
  }
  for (int32_t t = first, rows; t < count; t += rows) {
    const int32_t left = a.page - t % a.page < count - t ? a.page - t % a.page : count - t;
    rows = left < kValueBlock ? left : kValueBlock;
    const Element* const block = values + a.at(t);
    for (int32_t g = 0; g < group; ++g) add_block(score + g * a.positions + t, block, rows, dim, out + g * dim);
  }
}

template <class Element>
void decode(Exec& exec, const AttentionDecode<float, Element>& a) {
  const int32_t group = a.heads / a.kv_heads, dim = a.head_dim;
  const int64_t width = int64_t{a.heads + 2 * a.kv_heads} * dim;
  exec.pool.each(int64_t{a.rows} * a.kv_heads, [&](int64_t task, int thread) {
    const int64_t r = task / a.kv_heads, h = task % a.kv_heads;
    const float* const q = a.qkv + r * width;
    const float* const k = q + (a.heads + h) * dim;
    Element *const keys = a.keys_of(a.slot[r], h), *const values = a.values_of(a.slot[r], h);
    const int32_t lane = a.position[r] % kKeyBlock;
    const int64_t last = a.at(a.position[r] - lane);
    append(k, k + int64_t{a.kv_heads} * dim, lane, dim, keys + last, values + last);
    attend(a, q + h * group * dim, keys, values, first_key(reach_of(a.window), a.position[r]), a.position[r] + 1,
           a.scores + thread * group * a.positions, a.out + (r * a.heads + h * group) * dim);
  });
}

}  // namespace

void attention_decode(Exec& exec, const AttentionDecode<float>& a) { decode(exec, a); }
void attention_decode_half(Exec& exec, const AttentionDecode<float, half>& a) { decode(exec, a); }

}  // namespace syn::cpu::SYN_CPU_NS
