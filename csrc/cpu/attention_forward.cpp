// Causal attention over packed segments, forward (ops/attention.h): for each (segment, head, block of kTile queries) the blocks
// of keys that one of them sees in ascending order, with the running maximum m and sum l of the online softmax in base 2:
//   m' = max(m, s),  o = o 2^(m-m') + 2^(s-m') v,  l = l 2^(m-m') + sum 2^(s-m');  out = o / l,  lse = (m + log2 l) ln 2
// In bf16 m' is rounded up to an integer and the weights 2^(s-m') are rounded to bf16 before they meet v.
// Determinism: a task is one thread's and its order is fixed. Memory traffic: q and out once, k and v once per block of queries,
// from the caches; the scores never leave the first level.
#include "cpu/attention_tiles.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

struct Running {
  alignas(64) float top[kTile];
  alignas(64) float sum[kTile];
  alignas(64) float shrink[kTile];
  alignas(64) float out[kTile * kMaxHeadDim];
};

// No score: a running maximum before the first key, also of a query that sees none of the first tile.
constexpr float kLowest = -__FLT_MAX__;

// Keys after the query do not count, nor those before its window. ahead: positions from the tile's first key to its first query.
void mask(float* tile, int32_t ahead, int32_t window) {
  for (int32_t k = 0; k < kTile; ++k) {
    for (int32_t q = 0; q < k - ahead; ++q) tile[k * kTile + q] = -__builtin_inff();
    for (int32_t q = end_of_window(window, ahead, k); q < kTile; ++q) tile[k * kTile + q] = -__builtin_inff();
  }
}

// Scores become weights 2^(s - m'), rounded after they have been summed; top and sum move on.
template <class Round>
void soften(float* tile, Running& run, bool whole_top, Round round) {
  for (int32_t q = 0; q < kTile; q += kLanes) {
    const Vec before = load(run.top + q);
    Vec top = before;
    for (int32_t k = 0; k < kTile; ++k) top = max(load(tile + k * kTile + q), top);
    if (whole_top) top = ceiling(top);
    Vec sum = zero();
    for (int32_t k = 0; k < kTile; ++k) {
      const Vec p = exp2(load(tile + k * kTile + q) - top);
      store(tile + k * kTile + q, round(p));
      sum = sum + p;
    }
    const Vec shrink = exp2(before - top);
    store(run.top + q, top);
    store(run.shrink + q, shrink);
    store(run.sum + q, fma(load(run.sum + q), shrink, sum));
  }
}

template <class Round>
void drop_tile(const Dropout& drop, uint32_t row, int32_t key, float* tile, Round round) {
  const Vec scale = all(static_cast<float>(drop.scale));
  Mask kept[4];
  for (int32_t k = 0; k < kTile; k += 4)
    for (int32_t q = 0; q < kTile; q += kLanes) {
      dropout_columns(drop, row + static_cast<uint32_t>(q), static_cast<uint32_t>(key + k) / 4, kept);
      for (int32_t i = 0; i < 4; ++i) {
        float* p = tile + (k + i) * kTile + q;
        store(p, choose(kept[i], round(load(p) * scale), zero()));
      }
    }
}

void shrink_rows(Running& run, int32_t dim) {
  for (int32_t q = 0; q < kTile; ++q)
    for (int32_t i = 0; i < dim; i += 8) {
      float* o = run.out + q * dim + i;
      _mm256_storeu_ps(o, _mm256_mul_ps(_mm256_loadu_ps(o), _mm256_set1_ps(run.shrink[q])));
    }
}

void finish(const AttentionForward<float>& a, const Running& run, int32_t head, int64_t row, int32_t rows) {
  for (int32_t q = 0; q < rows; ++q) {
    float* out = a.out + ((row + q) * a.heads + head) * a.head_dim;
    const float by = 1 / run.sum[q];
    rounding_to(a.precision, [&](auto round) {
      each_vector(a.head_dim,
                  [&](int64_t i, auto part) { store(out + i, part, round(load(run.out + q * a.head_dim + i, part) * all(by))); });
    });
    a.lse[int64_t{head} * a.segments.rows + row + q] = run.top[q] / kLog2E + __builtin_logf(run.sum[q]);
  }
}

void query_block(const AttentionForward<float>& a, int32_t segment, int32_t head, int32_t block) {
  alignas(64) float queries[kMaxHeadDim * kTile], pad_k[kTile * kMaxHeadDim], pad_v[kTile * kMaxHeadDim], tile[kTile * kTile];
  Running run;
  const HeadColumns c = head_columns(a, head);
  const Dropout drop = dropout_of_head(a.drop, head);
  const bool whole_top = a.precision == Precision::kBf16;
  const int64_t begin = a.segments.offsets[segment], row = begin + int64_t{block} * kTile;
  const int32_t left = static_cast<int32_t>(a.segments.offsets[segment + 1] - row), dim = a.head_dim;
  transpose(whole_rows(a.qkv + row * c.stride + c.q, c.stride, left, dim, pad_k), dim, a.scale * kLog2E, queries);
  for (int32_t q = 0; q < kTile; ++q) {
    run.top[q] = kLowest;
    run.sum[q] = 0;
  }
  for (int32_t i = 0; i < kTile * dim; ++i) run.out[i] = 0;
  const int32_t first = first_key_block(a.window, block);
  for (int32_t kb = first; kb <= block; ++kb) {
    const float* keys = a.qkv + (begin + int64_t{kb} * kTile) * c.stride;
    const int32_t there = kb < block ? kTile : left;
    const Rows k = whole_rows(keys + c.k, c.stride, there, dim, pad_k), v = whole_rows(keys + c.v, c.stride, there, dim, pad_v);
    tile_scores(k, queries, dim, tile);
    mask(tile, (block - kb) * kTile, a.window);
    rounding_to(a.precision, [&](auto round) {
      if (drop.on()) {
        soften(tile, run, whole_top, AsItIs{});
        drop_tile(drop, static_cast<uint32_t>(row), kb * kTile, tile, round);
      } else {
        soften(tile, run, whole_top, round);
      }
    });
    if (kb > first) shrink_rows(run, dim);
    add_over_keys(tile, v, dim, run.out);
  }
  finish(a, run, head, row, left < kTile ? left : kTile);
}

}  // namespace

void attention_forward(Exec& exec, const AttentionForward<float>& a) {
  const int32_t most = most_blocks(a.segments);
  const int64_t each = int64_t{a.segments.count} * a.heads;
  exec.pool.each(most * each, [&](int64_t task, int) {
    const int32_t block = most - 1 - static_cast<int32_t>(task / each);  // the longest rows first
    const int32_t segment = static_cast<int32_t>(task % each) / a.heads, head = static_cast<int32_t>(task % each) % a.heads;
    if (block < blocks_of(a.segments, segment)) query_block(a, segment, head, block);
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
