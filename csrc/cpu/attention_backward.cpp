// Causal attention over packed segments, backward (ops/attention.h). The weights of a tile are computed again from lse, then
//   dv += p^T do,  dp = do v^T,  ds = p (dp - delta) scale,  dk += ds^T q,  dq += ds k
// Two ways through the tiles, with the same bits: dk and dv of a block of keys sum over its heads and blocks of queries in
// ascending order, dq of a block of queries over its blocks of keys in ascending order.
//   two passes   over blocks of keys for dk and dv, over blocks of queries for dq: many tasks, seven products a tile
//   one pass     a task is a whole segment and key/value head: five products a tile, when there are tasks enough
// Tiles that lie wholly outside the window are left out.
// Memory traffic: q, k, v and dout from the caches for every tile of their row or column; the tiles stay in the first level.
#include "cpu/attention_tiles.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

// The queries of a tile: their rows and dout's, both also transposed, and what the softmax left.
struct Queries {
  alignas(64) float pad_q[kTile * kMaxHeadDim], pad_dout[kTile * kMaxHeadDim];
  alignas(64) float q_t[kMaxHeadDim * kTile], dout_t[kMaxHeadDim * kTile];
  alignas(64) float lse[kTile], delta[kTile];
  Rows q, dout;
  int32_t rows;  // that exist
};

struct Keys {
  alignas(64) float pad_k[kTile * kMaxHeadDim], pad_v[kTile * kMaxHeadDim];
  Rows k, v;
  int32_t rows;
};

// A head of a segment.
struct Place {
  const AttentionBackward<float>& a;
  int32_t segment, head;
  HeadColumns c;
  int64_t begin, end;
};

void load_queries(const Place& p, int32_t block, Queries& out) {
  const AttentionBackward<float>& a = p.a;
  const int32_t dim = a.head_dim;
  const int64_t row = p.begin + int64_t{block} * kTile, out_ld = int64_t{a.heads} * dim;
  const int32_t left = static_cast<int32_t>(p.end - row);
  out.rows = left < kTile ? left : kTile;
  out.q = whole_rows(a.qkv + row * p.c.stride + p.c.q, p.c.stride, left, dim, out.pad_q);
  out.dout = whole_rows(a.dout + row * out_ld + int64_t{p.head} * dim, out_ld, left, dim, out.pad_dout);
  transpose(out.q, dim, a.scale * kLog2E, out.q_t);
  transpose(out.dout, dim, 1, out.dout_t);
  const int64_t at = int64_t{p.head} * a.segments.rows + row;
  for (int32_t q = 0; q < kTile; ++q) {
    out.lse[q] = q < out.rows ? a.lse[at + q] * kLog2E : __builtin_inff();  // 2^(s - inf) = 0: a query that is not there
    out.delta[q] = q < out.rows ? a.delta[at + q] : 0;
  }
}

void load_keys(const Place& p, int32_t block, Keys& out) {
  const int64_t row = p.begin + int64_t{block} * kTile;
  const int32_t left = static_cast<int32_t>(p.end - row);
  const float* x = p.a.qkv + row * p.c.stride;
  out.rows = left < kTile ? left : kTile;
  out.k = whole_rows(x + p.c.k, p.c.stride, left, p.a.head_dim, out.pad_k);
  out.v = whole_rows(x + p.c.v, p.c.stride, left, p.a.head_dim, out.pad_v);
}

// p and ds of a tile, rows are keys: on entry the scores and dp.
template <class Round>
void tile_gradients(const Place& place, const Queries& queries, int32_t qb, int32_t kb, float* p, float* ds, Round round) {
  const AttentionBackward<float>& a = place.a;
  const Dropout drop = dropout_of_head(a.drop, place.head);
  const Vec scale = all(a.scale), kept_scale = all(static_cast<float>(drop.scale));
  const uint32_t row = static_cast<uint32_t>(place.begin + int64_t{qb} * kTile);
  const int32_t ahead = (qb - kb) * kTile;
  const bool cut = !inside_window(a.window, ahead);
  Mask kept[4];
  for (int32_t first = 0; first < kTile; first += 4)
    for (int32_t q = 0; q < kTile; q += kLanes) {
      const Vec lse = load(queries.lse + q), delta = load(queries.delta + q);
      if (drop.on()) dropout_columns(drop, row + static_cast<uint32_t>(q), static_cast<uint32_t>(kb * kTile + first) / 4, kept);
      for (int32_t k = first; k < first + 4; ++k) {
        const int32_t i = k * kTile + q;
        Vec weight = exp2(load(p + i) - lse);
        if (kb == qb && q < k) weight = choose(first_lanes(k - q < kLanes ? k - q : kLanes), zero(), weight);
        if (cut) {
          const int32_t seen = end_of_window(a.window, ahead, k) - q;
          weight = choose(first_lanes(seen > 0 ? seen : 0), weight, zero());
        }
        Vec dp = load(ds + i), dropped = weight;
        if (drop.on()) {
          dp = choose(kept[k - first], dp * kept_scale, zero());
          dropped = choose(kept[k - first], weight * kept_scale, zero());
        }
        store(p + i, round(dropped));
        store(ds + i, round(weight * (dp - delta) * scale));
      }
    }
}

void tile(const Place& place, const Queries& queries, const Keys& keys, int32_t qb, int32_t kb, float* p, float* ds) {
  tile_scores(keys.k, queries.q_t, place.a.head_dim, p);
  tile_scores(keys.v, queries.dout_t, place.a.head_dim, ds);
  rounding_to(place.a.precision, [&](auto round) { tile_gradients(place, queries, qb, kb, p, ds, round); });
}

void clear(float* x, int32_t n) {
  for (int32_t i = 0; i < n; ++i) x[i] = 0;
}

void copy_rows(const float* from, int64_t from_ld, float* to, int64_t to_ld, int32_t rows, int32_t dim,
               Precision result = Precision::kFp32) {
  rounding_to(result, [&](auto round) {
    for (int32_t r = 0; r < rows; ++r)
      each_vector(dim, [&](int64_t i, auto part) { store(to + r * to_ld + i, part, round(load(from + r * from_ld + i, part))); });
  });
}

Place place_of(const AttentionBackward<float>& a, int32_t segment, int32_t head) {
  return {a, segment, head, head_columns(a, head), a.segments.offsets[segment], a.segments.offsets[segment + 1]};
}

// dk and dv of a block of keys; with_dq also adds the block's share of dq in memory, for the one-pass way.
void key_block(const AttentionBackward<float>& a, int32_t segment, int32_t kv_head, int32_t kb, bool with_dq) {
  alignas(64) float dk[kTile * kMaxHeadDim], dv[kTile * kMaxHeadDim], dq[kTile * kMaxHeadDim], p[kTile * kTile],
      ds[kTile * kTile];
  Queries queries;
  Keys keys;
  const int32_t group = a.heads / a.kv_heads, dim = a.head_dim;
  const int32_t end = end_of_query_blocks(a.window, kb, blocks_of(a.segments, segment));
  clear(dk, kTile * dim);
  clear(dv, kTile * dim);
  Place place = place_of(a, segment, kv_head * group);
  load_keys(place, kb, keys);
  for (int32_t g = 0; g < group; ++g) {
    place.head = kv_head * group + g;
    place.c = head_columns(a, place.head);
    for (int32_t qb = kb; qb < end; ++qb) {
      load_queries(place, qb, queries);
      tile(place, queries, keys, qb, kb, p, ds);
      add_over_queries(p, queries.dout, dim, dv);
      add_over_queries(ds, queries.q, dim, dk);
      if (!with_dq) continue;
      float* to = a.dqkv + (place.begin + int64_t{qb} * kTile) * place.c.stride + place.c.q;
      clear(dq, kTile * dim);
      if (kb > first_key_block(a.window, qb)) copy_rows(to, place.c.stride, dq, dim, queries.rows, dim);
      add_over_keys(ds, keys.k, place.a.head_dim, dq);
      const Precision result = qb == kb ? a.result : Precision::kFp32;  // a query's own block of keys is its last
      copy_rows(dq, dim, to, place.c.stride, queries.rows, dim, result);
    }
  }
  float* to = a.dqkv + (place.begin + int64_t{kb} * kTile) * place.c.stride;
  copy_rows(dk, dim, to + place.c.k, place.c.stride, keys.rows, dim, a.result);
  copy_rows(dv, dim, to + place.c.v, place.c.stride, keys.rows, dim, a.result);
}

// dq of a block of queries.
void query_block(const AttentionBackward<float>& a, int32_t segment, int32_t head, int32_t qb) {
  alignas(64) float dq[kTile * kMaxHeadDim], p[kTile * kTile], ds[kTile * kTile];
  Queries queries;
  Keys keys;
  const Place place = place_of(a, segment, head);
  clear(dq, kTile * a.head_dim);
  load_queries(place, qb, queries);
  for (int32_t kb = first_key_block(a.window, qb); kb <= qb; ++kb) {
    load_keys(place, kb, keys);
    tile(place, queries, keys, qb, kb, p, ds);
    add_over_keys(ds, keys.k, place.a.head_dim, dq);
  }
  float* to = a.dqkv + (place.begin + int64_t{qb} * kTile) * place.c.stride + place.c.q;
  copy_rows(dq, a.head_dim, to, place.c.stride, queries.rows, a.head_dim, a.result);
}

// delta of every row and head.
void deltas(Pool& pool, const AttentionBackward<float>& a) {
  const int32_t rows = a.segments.rows, dim = a.head_dim;
  pool.each((rows + kTile - 1) / kTile, [&](int64_t block, int) {
    const int32_t begin = static_cast<int32_t>(block) * kTile, end = begin + kTile < rows ? begin + kTile : rows;
    for (int64_t r = begin; r < end; ++r)
      for (int32_t h = 0; h < a.heads; ++h) {
        const float *o = a.out + (r * a.heads + h) * dim, *d = a.dout + (r * a.heads + h) * dim;
        __m256 sum = _mm256_setzero_ps();
        for (int32_t i = 0; i < dim; i += 8) sum = _mm256_fmadd_ps(_mm256_loadu_ps(o + i), _mm256_loadu_ps(d + i), sum);
        alignas(32) float lane[8];
        _mm256_store_ps(lane, sum);
        a.delta[int64_t{h} * rows + r] =
            ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
      }
  });
}

// Whether whole segments make enough even tasks: the longest is at most a third of a thread's share. Costs are blocks times those
// that a block meets.
bool one_pass(const AttentionBackward<float>& a, int threads) {
  int64_t total = 0, longest = 0;
  for (int32_t s = 0; s < a.segments.count; ++s) {
    const int64_t blocks = blocks_of(a.segments, s);
    const int64_t cost = blocks * end_of_query_blocks(a.window, 0, blocks_of(a.segments, s));
    total += cost * a.kv_heads;
    longest = cost > longest ? cost : longest;
  }
  return threads == 1 || longest * 3 * threads <= total;
}

}  // namespace

void attention_backward(Exec& exec, const AttentionBackward<float>& a) {
  deltas(exec.pool, a);
  if (one_pass(a, exec.pool.threads())) {
    exec.pool.each(int64_t{a.segments.count} * a.kv_heads, [&](int64_t task, int) {
      const int32_t segment = static_cast<int32_t>(task / a.kv_heads), head = static_cast<int32_t>(task % a.kv_heads);
      for (int32_t kb = 0; kb < blocks_of(a.segments, segment); ++kb) key_block(a, segment, head, kb, true);
    });
    return;
  }
  const int32_t most = most_blocks(a.segments);
  const int64_t keys = int64_t{a.segments.count} * a.kv_heads, queries = int64_t{a.segments.count} * a.heads;
  exec.pool.each(most * keys, [&](int64_t task, int) {  // a block of keys meets the queries after it: the first ones are longest
    const int32_t kb = static_cast<int32_t>(task / keys), segment = static_cast<int32_t>(task % keys) / a.kv_heads;
    if (kb < blocks_of(a.segments, segment))
      key_block(a, segment, static_cast<int32_t>(task % keys) % a.kv_heads, kb, false);
  });
  exec.pool.each(most * queries, [&](int64_t task, int) {
    const int32_t qb = most - 1 - static_cast<int32_t>(task / queries), segment = static_cast<int32_t>(task % queries) / a.heads;
    if (qb < blocks_of(a.segments, segment))
      query_block(a, segment, static_cast<int32_t>(task % queries) % a.heads, qb);
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
