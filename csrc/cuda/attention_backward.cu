// Gradient of attention (ops/attention.h) in two passes that each own what they write, so nothing is added by atomics:
//   delta   delta_i = do_i . o_i
//   keys    a block takes 64 keys of a key/value head, and in order the heads of its group and tiles of 32 queries: S and dP are
//   formed
//           transposed, keys by queries, so that P and dS are already the left operands of dV += P dO and dK += dS Q
//   queries a block takes 64 queries of a head and in order tiles of 32 keys: dQ += dS K
// Weights are recomputed from lse. Tiles that lie wholly outside the window are not loaded. Traffic: each pass reads its 64 rows
// once and the others once for every 64 rows that they meet.
#include "cuda/attention_tiles.h"

namespace syn::cuda {
namespace {

constexpr int kStep = 32;  // rows of a tile of the other side
constexpr int N = kStep / 8;

struct Args {
  const bf16 *qkv, *out, *dout;
  const float* lse;
  float* delta;
  const int32_t* offsets;
  Tensor dqkv;
  int rows, heads, kv_heads, head_dim, reach;
  float scale;
  Mask drop;
};

// 64 rows of a head a block, 16 a warp.
__global__ void __launch_bounds__(kAttentionThreads, 1) attention_backward_delta(Args a) {
  const int first = static_cast<int>(blockIdx.x) * kTileRows + static_cast<int>(threadIdx.x) / 32 * 16;
  const int head = static_cast<int>(blockIdx.y), l = gpu::lane();
  for (int row = first; row < min(first + 16, a.rows); ++row) {
    const int64_t quads = (int64_t{row} * a.heads + head) * (a.head_dim / 4);
    float sum = 0;
    if (l < a.head_dim / 4) {
      const Quad o = load_quad(a.out, quads + l), dout = load_quad(a.dout, quads + l);
#pragma unroll
      for (int e = 0; e < 4; ++e) sum += o.v[e] * dout.v[e];
    }
#pragma unroll
    for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    if (l == 0) a.delta[int64_t{head} * a.rows + row] = sum;
  }
}

// Weight and score gradient of one pair, from its score and its dP.
struct Pair {
  float weight, ds;
};
__device__ __forceinline__ Pair pair_of(const Args& a, bool in, float s, float dp, float lse_log2, float delta, float factor) {
  const float p = in ? gpu::ex2(s * (a.scale * kLog2E) - lse_log2) : 0;
  return {p * factor, p * (factor * dp - delta) * a.scale};
}

// Where a head's tensors begin for a segment.
struct Place {
  int64_t stride, base, out_stride, out_base;
  __device__ Place(const Args& a, int start)
      : stride(int64_t{a.heads + 2 * a.kv_heads} * a.head_dim),
        base(start * stride),
        out_stride(int64_t{a.heads} * a.head_dim),
        out_base(start * out_stride) {}
};

// ---- pass over keys ---------------------------------------------------------------------------------------------------------

// lse (in base 2) and delta of the queries of a tile, zero from length on.
__device__ __forceinline__ void load_query_numbers(const Args& a, float* to, int head, int start, int first, int length) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kStep) return;
  const bool in = first + i < length;
  const int64_t at = int64_t{head} * a.rows + start + first + i;
  to[i] = in ? a.lse[at] * kLog2E : 0;
  to[kStep + i] = in ? a.delta[at] : 0;
}

// P and dS, transposed (keys by queries) and rounded, from S and dP. key0: of the warp's rows; query0: of the tile.
__device__ __forceinline__ void key_weights(const Args& a, const Mask& drop, const float (&s)[N][4], const float (&dp)[N][4],
                                            const float* numbers, int start, int key0, int query0, int length,
                                            uint32_t (&p)[N][2], uint32_t (&ds)[N][2]) {
  const int l = gpu::lane(), g = l >> 2, t = l & 3;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      Pair x[2];
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int column = n * 8 + 2 * t + e, query = query0 + column, key = key0 + g + 8 * i;
        float f = 1;
        if (drop.threshold) {
          const Words w = draw_words(drop.key, Purpose::kDropout, drop.site, static_cast<uint32_t>(start + query),
                                     static_cast<uint32_t>(key) / 4);
          const uint32_t low = key & 1 ? w.w[1] : w.w[0], high = key & 1 ? w.w[3] : w.w[2];
          f = keep(key & 2 ? high : low, drop.threshold) ? drop.scale : 0;
        }
        x[e] = pair_of(a, key <= query && query - key < a.reach && query < length, s[n][2 * i + e], dp[n][2 * i + e],
                       numbers[column], numbers[kStep + column], f);
      }
      p[n][i] = gpu::pack_bf16_normal(x[0].weight, x[1].weight);
      ds[n][i] = gpu::pack_bf16(x[0].ds, x[1].ds);
    }
}

template <int D>
__global__ void __launch_bounds__(kAttentionThreads, 1) attention_backward_keys(Args a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  constexpr int kStage = Tile<D, kStep>::kElements;
  bf16* const k_tile = shared.take<bf16>(Tile<D, kTileRows>::kElements);
  bf16* const v_tile = shared.take<bf16>(Tile<D, kTileRows>::kElements);
  bf16* const q_tile = shared.take<bf16>(2 * kStage);
  bf16* const dout_tile = shared.take<bf16>(2 * kStage);
  float* const numbers = shared.take<float>(2 * 2 * kStep);

  const int start = a.offsets[blockIdx.z], length = a.offsets[blockIdx.z + 1] - start;
  const int key0 = static_cast<int>(blockIdx.x) * kTileRows, kv = static_cast<int>(blockIdx.y);
  if (key0 >= length) return;
  const int group = a.heads / a.kv_heads, width = a.head_dim, warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const Place at(a, start);
  const int64_t k_column = int64_t{a.heads + kv} * width, v_column = int64_t{a.heads + a.kv_heads + kv} * width;
  load_tile<D, kTileRows>(k_tile, a.qkv + at.base + k_column, at.stride, key0, length, width);
  load_tile<D, kTileRows>(v_tile, a.qkv + at.base + v_column, at.stride, key0, length, width);

  // Step i: head i / tiles of the group, and tile i mod tiles of the queries from key0 to the last that sees one of the keys.
  const int last = key0 + kTileRows - 1, end = last + min(length - last, a.reach);
  const int tiles = (end - key0 + kStep - 1) / kStep, steps = group * tiles;
  const auto fetch = [&](int i) {
    const int head = kv * group + i / tiles, first = key0 + i % tiles * kStep, stage = i & 1;
    load_tile<D, kStep>(q_tile + stage * kStage, a.qkv + at.base + int64_t{head} * width, at.stride, first, length, width);
    load_tile<D, kStep>(dout_tile + stage * kStage, a.dout + at.out_base + int64_t{head} * width, at.out_stride, first, length,
                        width);
    load_query_numbers(a, numbers + stage * 2 * kStep, head, start, first, length);
  };
  fetch(0);
  gpu::cp_async_commit();

  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  for (int i = 0; i < steps; ++i) {
    if (i + 1 < steps) fetch(i + 1);
    gpu::cp_async_commit();
    gpu::cp_async_wait<1>();
    __syncthreads();  // the tile is there
    const bf16 *q = q_tile + (i & 1) * kStage, *dout = dout_tile + (i & 1) * kStage;
    Mask drop = a.drop;
    drop.site += static_cast<uint32_t>(kv * group + i / tiles);
    float s[N][4], dp[N][4];
    multiply_transposed<D, N>(s, k_tile, warp_row, q);
    multiply_transposed<D, N>(dp, v_tile, warp_row, dout);
    uint32_t p[N][2], ds[N][2];
    key_weights(a, drop, s, dp, numbers + (i & 1) * 2 * kStep, start, key0 + warp_row, key0 + i % tiles * kStep, length, p, ds);
    multiply_add<D, N>(dv, p, dout);
    multiply_add<D, N>(dk, ds, q);
    __syncthreads();  // everyone is done with the stage before it is filled again
  }
  gpu::cp_async_wait<0>();
  const float one[2] = {1, 1};
  store_rows<D>(dk, one, k_tile, warp_row, a.dqkv, at.base + k_column, at.stride, key0, length, width);
  store_rows<D>(dv, one, v_tile, warp_row, a.dqkv, at.base + v_column, at.stride, key0, length, width);
}

// ---- pass over queries ------------------------------------------------------------------------------------------------------

// lse (in base 2) and delta of rows l/4 and l/4 + 8 of a warp, zero from length on.
struct QueryNumbers {
  float lse[2], delta[2];

  __device__ __forceinline__ QueryNumbers(const Args& a, int head, int start, int first, int length) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = first + (gpu::lane() >> 2) + 8 * i;
      const int64_t at = int64_t{head} * a.rows + start + row;
      lse[i] = row < length ? a.lse[at] * kLog2E : 0;
      delta[i] = row < length ? a.delta[at] : 0;
    }
  }
};

// dS of a warp's queries, rounded, from S and dP. query0: of the warp's rows; key0: of the tile.
__device__ __forceinline__ void query_weights(const Args& a, const Mask& drop, const float (&s)[N][4], const float (&dp)[N][4],
                                              const QueryNumbers& numbers, int start, int query0, int key0, int length,
                                              uint32_t (&ds)[N][2]) {
  const int l = gpu::lane();
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int query = query0 + (l >> 2) + 8 * i, key = key0 + n * 8 + 2 * (l & 3);
      float f[2] = {1, 1};
      if (drop.threshold) mask_pair(drop, static_cast<uint32_t>(start + query), static_cast<uint32_t>(key), f);
      Pair x[2];
#pragma unroll
      for (int e = 0; e < 2; ++e)
        x[e] = pair_of(a, key + e <= query && query - key - e < a.reach && query < length, s[n][2 * i + e], dp[n][2 * i + e],
                       numbers.lse[i], numbers.delta[i], f[e]);
      ds[n][i] = gpu::pack_bf16(x[0].ds, x[1].ds);
    }
}

template <int D>
__global__ void __launch_bounds__(kAttentionThreads, 1) attention_backward_queries(Args a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  constexpr int kStage = Tile<D, kStep>::kElements;
  bf16* const q_tile = shared.take<bf16>(Tile<D, kTileRows>::kElements);
  bf16* const dout_tile = shared.take<bf16>(Tile<D, kTileRows>::kElements);
  bf16* const k_tile = shared.take<bf16>(2 * kStage);
  bf16* const v_tile = shared.take<bf16>(2 * kStage);

  const int start = a.offsets[blockIdx.z], length = a.offsets[blockIdx.z + 1] - start;
  const int query0 = static_cast<int>(blockIdx.x) * kTileRows, head = static_cast<int>(blockIdx.y);
  if (query0 >= length) return;
  const int kv = head / (a.heads / a.kv_heads), warp_row = static_cast<int>(threadIdx.x) / 32 * 16, width = a.head_dim;
  const Place at(a, start);
  load_tile<D, kTileRows>(q_tile, a.qkv + at.base + int64_t{head} * width, at.stride, query0, length, width);
  load_tile<D, kTileRows>(dout_tile, a.dout + at.out_base + int64_t{head} * width, at.out_stride, query0, length, width);
  const auto fetch = [&](int j) {
    const bf16 *k = a.qkv + at.base + int64_t{a.heads + kv} * width, *v = k + int64_t{a.kv_heads} * width;
    load_tile<D, kStep>(k_tile + (j & 1) * kStage, k, at.stride, j * kStep, length, width);
    load_tile<D, kStep>(v_tile + (j & 1) * kStage, v, at.stride, j * kStep, length, width);
  };
  const int first_tile = first_key(a.reach, query0) / kStep;
  fetch(first_tile);
  gpu::cp_async_commit();

  const QueryNumbers numbers(a, head, start, query0 + warp_row, length);
  Mask drop = a.drop;
  drop.site += static_cast<uint32_t>(head);
  const int tiles = (min(query0 + kTileRows, length) + kStep - 1) / kStep;
  float dq[D / 8][4] = {};
  for (int j = first_tile; j < tiles; ++j) {
    if (j + 1 < tiles) fetch(j + 1);
    gpu::cp_async_commit();
    gpu::cp_async_wait<1>();
    __syncthreads();  // the tile is there
    const bf16 *k = k_tile + (j & 1) * kStage, *v = v_tile + (j & 1) * kStage;
    float s[N][4], dp[N][4];
    multiply_transposed<D, N>(s, q_tile, warp_row, k);
    multiply_transposed<D, N>(dp, dout_tile, warp_row, v);
    uint32_t ds[N][2];
    query_weights(a, drop, s, dp, numbers, start, query0 + warp_row, j * kStep, length, ds);
    multiply_add<D, N>(dq, ds, k);
    __syncthreads();  // everyone is done with the stage before it is filled again
  }
  gpu::cp_async_wait<0>();
  const float one[2] = {1, 1};
  store_rows<D>(dq, one, q_tile, warp_row, a.dqkv, at.base + int64_t{head} * width, at.stride, query0, length, width);
}

template <int D>
int run(Stream stream, const AttentionBackward& a) {
  constexpr int kTiles = 2 * Tile<D, kTileRows>::kBytes + 2 * Tile<D, 2 * kStep>::kBytes, kNumbers = 2 * 2 * kStep * 4;
  const auto keys = attention_backward_keys<D>;
  const auto queries = attention_backward_queries<D>;
  int e = cudaFuncSetAttribute(keys, cudaFuncAttributeMaxDynamicSharedMemorySize, kTiles + kNumbers);
  if (!e) e = cudaFuncSetAttribute(queries, cudaFuncAttributeMaxDynamicSharedMemorySize, kTiles);
  const Args args{a.qkv,   a.out,      a.dout,     a.lse,              a.delta, a.segments.offsets, a.dqkv, a.segments.rows,
                  a.heads, a.kv_heads, a.head_dim, reach_of(a.window), a.scale, Mask(a.drop)};
  const auto count = [](int x) { return static_cast<unsigned>(x); };
  const unsigned tiles = count((a.longest + kTileRows - 1) / kTileRows), segments = count(a.segments.count);
  const dim3 block(kAttentionThreads);
  const dim3 rows((count(a.segments.rows) + kTileRows - 1) / kTileRows, count(a.heads));
  if (!e) e = GPU_LAUNCH(attention_backward_delta, rows, block, 0, stream, args);
  if (!e) e = GPU_LAUNCH(keys, dim3(tiles, count(a.kv_heads), segments), block, kTiles + kNumbers, stream, args);
  if (!e) e = GPU_LAUNCH(queries, dim3(tiles, count(a.heads), segments), block, kTiles, stream, args);
  return e;
}

}  // namespace

int attention_backward(Stream stream, const AttentionBackward& a) {
  if (!good_attention(a.segments, a.longest, a.heads, a.kv_heads, a.head_dim, a.window)) return kInvalid;
  if (a.segments.count == 0 || a.longest == 0) return 0;
  return on_tiles(a.head_dim, [&](auto columns) { return run<columns>(stream, a); });
}

}  // namespace syn::cuda
