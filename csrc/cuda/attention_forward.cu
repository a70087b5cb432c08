// Causal attention over packed segments (ops/attention.h), bf16 with fp32 sums: a block takes 64 queries of a head, a warp 16 of
// them; keys and values come in double-buffered tiles of 64 by cp.async. Softmax runs online in base 2 with an integer maximum,
// so that rescaling is exact and the weights are rounded the same whatever the order of the tiles. Traffic: q and out once, k and
// v once for every 64 queries of which one sees them; scores never leave the registers.
#include <cfloat>

#include "cuda/attention_tiles.h"

namespace syn::cuda {
namespace {

struct Args {
  const bf16* qkv;
  const int32_t* offsets;
  bf16* out;
  float* lse;
  int rows, heads, kv_heads, head_dim, reach;
  float scale_log2;
  Mask drop;
};

// The online softmax of rows l/4 and l/4 + 8 of a warp: integer maxima and sums of weights. The maximum before the first key is a
// number, as the first tile may hold none that a row sees.
struct Softmax {
  float max[2] = {-FLT_MAX, -FLT_MAX}, sum[2] = {0, 0};
};

// Scores of a tile become weights; out is rescaled to the new maxima. Keys from `length` on, behind the query and out of its
// reach are masked.
template <int D>
__device__ __forceinline__ void weigh(float (&s)[kTileRows / 8][4], float (&out)[D / 8][4], Softmax& soft, float scale_log2,
                                      int query0, int key0, int length, int reach) {
  constexpr int N = kTileRows / 8;
  const int l = gpu::lane(), g = l >> 2, t = l & 3;
  float top[2] = {soft.max[0], soft.max[1]};
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int query = query0 + g + (e >> 1) * 8, key = key0 + n * 8 + 2 * t + (e & 1);
      s[n][e] = key < length && query - key < reach && key <= query ? s[n][e] * scale_log2 : -INFINITY;
      top[e >> 1] = fmaxf(top[e >> 1], s[n][e]);
    }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    top[i] = fmaxf(top[i], __shfl_xor_sync(0xffffffffu, top[i], 1));
    top[i] = ceilf(fmaxf(top[i], __shfl_xor_sync(0xffffffffu, top[i], 2)));
    const float rescale = gpu::ex2(soft.max[i] - top[i]);
    soft.max[i] = top[i];
    soft.sum[i] *= rescale;
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
      out[d][2 * i] *= rescale;
      out[d][2 * i + 1] *= rescale;
    }
  }
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      s[n][e] = gpu::ex2(s[n][e] - soft.max[e >> 1]);
      soft.sum[e >> 1] += s[n][e];
    }
}

// The weights of a warp's rows after dropout, rounded and packed. query: of the warp's first row, in the batch.
template <int N>
__device__ __forceinline__ void round_weights(const Mask& drop, const float (&s)[N][4], int query, int key0,
                                              uint32_t (&p)[N][2]) {
  const int l = gpu::lane();
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float f[2] = {1, 1};
      const int row = query + (l >> 2) + i * 8, key = key0 + n * 8 + 2 * (l & 3);
      if (drop.threshold) mask_pair(drop, static_cast<uint32_t>(row), static_cast<uint32_t>(key), f);
      p[n][i] = gpu::pack_bf16_normal(s[n][2 * i] * f[0], s[n][2 * i + 1] * f[1]);
    }
}

// lse of a warp's rows, and what their sums of values must be multiplied by. first: the warp's first row in its segment.
__device__ __forceinline__ void finish_rows(const Softmax& soft, float* lse, int first, int length, float (&inverse)[2]) {
  const int l = gpu::lane();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum = soft.sum[i];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    inverse[i] = 1 / sum;
    const int row = first + (l >> 2) + i * 8;
    if (row < length && (l & 3) == 0) lse[row] = (soft.max[i] + log2f(sum)) * kLn2;
  }
}

template <int D>
__global__ void __launch_bounds__(kAttentionThreads, 1) attention_forward_tiles(Args a) {
  constexpr int N = kTileRows / 8;
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  bf16* const q_tile = shared.take<bf16>(Tile<D, kTileRows>::kElements);
  bf16* const k_tile = shared.take<bf16>(2 * Tile<D, kTileRows>::kElements);
  bf16* const v_tile = shared.take<bf16>(2 * Tile<D, kTileRows>::kElements);

  const int start = a.offsets[blockIdx.z], length = a.offsets[blockIdx.z + 1] - start;
  const int query0 = static_cast<int>(blockIdx.x) * kTileRows, head = static_cast<int>(blockIdx.y);
  if (query0 >= length) return;  // the whole block leaves together
  const int kv = head / (a.heads / a.kv_heads), warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int64_t stride = int64_t{a.heads + 2 * a.kv_heads} * a.head_dim, base = start * stride;
  const bf16* const q = a.qkv + base + head * a.head_dim;
  const bf16* const k = a.qkv + base + (a.heads + kv) * a.head_dim;
  const bf16* const v = a.qkv + base + (a.heads + a.kv_heads + kv) * a.head_dim;
  const int tiles = (min(query0 + kTileRows, length) + kTileRows - 1) / kTileRows;
  const int first_tile = first_key(a.reach, query0) / kTileRows;

  load_tile<D, kTileRows>(q_tile, q, stride, query0, length, a.head_dim);
  const auto fetch = [&](int j) {
    const int stage = (j & 1) * Tile<D, kTileRows>::kElements;
    load_tile<D, kTileRows>(k_tile + stage, k, stride, j * kTileRows, length, a.head_dim);
    load_tile<D, kTileRows>(v_tile + stage, v, stride, j * kTileRows, length, a.head_dim);
  };
  fetch(first_tile);
  gpu::cp_async_commit();

  Mask drop = a.drop;
  drop.site += static_cast<uint32_t>(head);
  Softmax soft;
  float out[D / 8][4] = {};
  for (int j = first_tile; j < tiles; ++j) {
    if (j + 1 < tiles) fetch(j + 1);
    gpu::cp_async_commit();
    gpu::cp_async_wait<1>();
    __syncthreads();  // the tile is there
    const int stage = (j & 1) * Tile<D, kTileRows>::kElements;
    float s[N][4];
    multiply_transposed<D, N>(s, q_tile, warp_row, k_tile + stage);
    weigh<D>(s, out, soft, a.scale_log2, query0 + warp_row, j * kTileRows, length, a.reach);
    uint32_t p[N][2];
    round_weights(drop, s, start + query0 + warp_row, j * kTileRows, p);
    multiply_add<D, N>(out, p, v_tile + stage);
    __syncthreads();  // everyone is done with the stage before it is filled again
  }
  gpu::cp_async_wait<0>();

  float inverse[2];
  finish_rows(soft, a.lse + int64_t{head} * a.rows + start, query0 + warp_row, length, inverse);
  const int64_t out_stride = int64_t{a.heads} * a.head_dim;
  store_rows<D>(out, inverse, q_tile, warp_row, Tensor{a.out, Precision::kBf16}, start * out_stride + head * a.head_dim,
                out_stride, query0, length, a.head_dim);
}

template <int D>
int run(Stream stream, const AttentionForward& a) {
  constexpr int kShared = Tile<D, kTileRows>::kBytes + 2 * Tile<D, 2 * kTileRows>::kBytes;
  const auto kernel = attention_forward_tiles<D>;
  const int e = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (e) return e;
  const Args args{a.qkv,      a.segments.offsets, a.out,            a.lse,        a.segments.rows, a.heads, a.kv_heads,
                  a.head_dim, reach_of(a.window), a.scale * kLog2E, Mask(a.drop)};
  const dim3 grid(static_cast<unsigned>((a.longest + kTileRows - 1) / kTileRows), static_cast<unsigned>(a.heads),
                  static_cast<unsigned>(a.segments.count));
  return GPU_LAUNCH(kernel, grid, dim3(kAttentionThreads), kShared, stream, args);
}

}  // namespace

int attention_forward(Stream stream, const AttentionForward& a) {
  if (!good_attention(a.segments, a.longest, a.heads, a.kv_heads, a.head_dim, a.window)) return kInvalid;
  if (a.segments.count == 0 || a.longest == 0) return 0;
  return on_tiles(a.head_dim, [&](auto columns) { return run<columns>(stream, a); });
}

}  // namespace syn::cuda
