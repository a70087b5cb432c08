// What the forward and the backward pass of attention share: tiles of kTile queries by kTile keys, computed transposed (a row per
// key, the queries in the lanes), so that the softmax runs down the columns without a horizontal step. Rows beyond the end of a
// segment are replaced by zeros in a copy: the products have one shape, and no segment's bits depend on its neighbours.
#ifndef SYN_CPU_ATTENTION_TILES_H
#define SYN_CPU_ATTENTION_TILES_H

#include "cpu/dropout.h"
#include "cpu/gemm.h"
#include "cpu/simd.h"
#include "ops/attention.h"

namespace syn::cpu::SYN_CPU_NS {

constexpr int32_t kTile = 64;
constexpr float kLog2E = 1.44269504f;

// kTile rows of head_dim elements, ld apart: in place where they exist, else the zero-padded copy in pad.
struct Rows {
  const float* at;
  int64_t ld;
};

SYN_SIMD Rows whole_rows(const float* x, int64_t ld, int32_t rows, int32_t dim, float* pad) {
  if (rows >= kTile) return {x, ld};
  for (int32_t r = 0; r < kTile; ++r)
    for (int32_t i = 0; i < dim; ++i) pad[r * dim + i] = r < rows ? x[r * ld + i] : 0;
  return {pad, dim};
}

// An 8 x 8 block of x, transposed and scaled, to out with rows kTile apart.
SYN_SIMD void transpose_8(const float* x, int64_t ld, __m256 scale, float* out) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_mul_ps(_mm256_loadu_ps(x + i * ld), scale);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * kTile, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * kTile, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

// out [dim][kTile] = scale x^T
SYN_SIMD void transpose(Rows x, int32_t dim, float scale, float* out) {
  const __m256 s = _mm256_set1_ps(scale);
  for (int32_t i = 0; i < dim; i += 8)
    for (int32_t r = 0; r < kTile; r += 8) transpose_8(x.at + r * x.ld + i, x.ld, s, out + i * kTile + r);
}

// The three products of a tile, whose rows are keys.
// tile[k][q] = sum_d keys[k][d] queries[d][q]
SYN_SIMD void tile_scores(Rows keys, const float* queries, int32_t dim, float* tile) {
  gemm_block({keys.at, keys.ld, 1, queries, kTile, tile, kTile, kTile, kTile, dim, false});
}

// sum[q][dim] += sum_k tile[k][q] keys[k][dim]
SYN_SIMD void add_over_keys(const float* tile, Rows keys, int32_t dim, float* sum) {
  gemm_block({tile, 1, kTile, keys.at, keys.ld, sum, dim, kTile, dim, kTile, true});
}

// sum[k][dim] += sum_q tile[k][q] queries[q][dim]
SYN_SIMD void add_over_queries(const float* tile, Rows queries, int32_t dim, float* sum) {
  gemm_block({tile, kTile, 1, queries.at, queries.ld, sum, dim, kTile, dim, kTile, true});
}

// Columns of q, k and v of a head in a fused row.
struct HeadColumns {
  int64_t stride, q, k, v;
};

template <class Args>
SYN_SIMD HeadColumns head_columns(const Args& a, int32_t head) {
  const int64_t d = a.head_dim, kv = head / (a.heads / a.kv_heads);
  return {(a.heads + 2 * int64_t{a.kv_heads}) * d, head * d, (a.heads + kv) * d, (a.heads + a.kv_heads + kv) * d};
}

SYN_SIMD Dropout dropout_of_head(const Dropout& d, int32_t head) {
  Dropout out = d;
  out.site += static_cast<uint32_t>(head);
  return out;
}

SYN_SIMD int32_t blocks_of(const Segments& s, int32_t segment) {
  return (s.offsets[segment + 1] - s.offsets[segment] + kTile - 1) / kTile;
}

// The blocks of a segment that a block of queries meets under a window, and those of queries that meet a block of keys: what lies
// wholly outside the window is not computed.
SYN_SIMD int32_t first_key_block(int32_t window, int32_t query_block) {
  return first_key(reach_of(window), query_block * kTile) / kTile;
}
SYN_SIMD int32_t end_of_query_blocks(int32_t window, int32_t key_block, int32_t blocks) {
  const int32_t last = key_block * kTile + kTile - 1, left = blocks * kTile - 1 - last, reach = reach_of(window);
  return (last + (left < reach ? left : reach - 1)) / kTile + 1;  // the last query that sees the last key
}

// Whether every query of a tile sees all its keys but later ones. ahead: positions from the tile's first key to its first query.
SYN_SIMD bool inside_window(int32_t window, int32_t ahead) { return ahead + kTile - 1 < reach_of(window); }

// Where the queries of a tile that are too late for its key k begin; kTile: nowhere.
SYN_SIMD int32_t end_of_window(int32_t window, int32_t ahead, int32_t k) {
  if (inside_window(window, ahead)) return kTile;
  const int32_t end = window - ahead + k;
  return end < 0 ? 0 : end < kTile ? end : kTile;
}

SYN_SIMD int32_t most_blocks(const Segments& s) {
  int32_t most = 0;
  for (int32_t i = 0; i < s.count; ++i) most = blocks_of(s, i) > most ? blocks_of(s, i) : most;
  return most;
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
