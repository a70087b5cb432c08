// What the attention kernels share: tiles of q, k, v and their gradients in shared memory, and the fragments of the tensor core.
//
// A tile holds rows of one head in D columns, the smallest of 32, 64, 96 and 128 that head_dim fits into: the columns behind the
// head are zeros, which add nothing to a product, and are never stored. 16 bytes of padding lie behind every row: then the eight
// rows of an ldmatrix phase lie in different banks. A warp owns 16 rows of a product. In the layout of its sums (C), lane l holds
// columns 2(l mod 4) and the next of rows l/4 and l/4 + 8; two neighbouring C tiles of 8 columns are the A operand of one step of
// 16.
#ifndef SYN_CUDA_ATTENTION_TILES_H
#define SYN_CUDA_ATTENTION_TILES_H

#include <type_traits>

#include "cuda/quad.h"
#include "ops/attention.h"

namespace syn::cuda {

constexpr int kTileRows = 64;  // queries or keys of a block, 16 a warp
constexpr int kAttentionThreads = 128;
constexpr int kMinHeadDim = 16;
constexpr float kLog2E = 1.44269504f, kLn2 = 0.69314718f;

template <int D, int Rows>
struct Tile {
  static constexpr int kStride = D + 8;
  static constexpr int kElements = Rows * kStride;
  static constexpr int kBytes = (2 * kElements + 127) / 128 * 128;
};

// The i-th of the 16-byte pieces of a tile, 32 of which a warp moves at once: eight rows of 64 bytes, whole sectors of memory, a
// column of eight pieces for each eight lanes, which then meet different banks.
template <int D>
struct Piece {
  __device__ __forceinline__ explicit Piece(int i) {
    constexpr int kAcross = D / 32;
    row = i / 32 / kAcross * 8 + (i & 7);
    column = i / 32 % kAcross * 32 + (i >> 3 & 3) * 8;
  }
  int row, column;
};

// Rows [first, first + Rows) of a segment into a tile; zeros from row `length` and from column head_dim on. from: the segment's
// first row.
template <int D, int Rows>
__device__ __forceinline__ void load_tile(bf16* tile, const bf16* from, int64_t stride, int first, int length, int head_dim) {
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < Rows * (D / 8); i += kAttentionThreads) {
    const Piece<D> p(i);
    const bool in = first + p.row < length && p.column < head_dim;
    gpu::cp_async16(tile + p.row * Tile<D, 1>::kStride + p.column, in ? from + (first + p.row) * stride + p.column : from, in);
  }
}

// 16 rows from row0, columns k0 .. k0+15, as an A operand.
template <int D>
__device__ __forceinline__ void rows_as_a(uint32_t (&a)[4], const bf16* tile, int row0, int k0) {
  const int l = gpu::lane();
  gpu::ldmatrix_x4(a, tile + (row0 + (l & 15)) * Tile<D, 1>::kStride + k0 + (l >> 4) * 8);
}
// The same as B operands of a product with the rows' transpose: b[0], b[1] for rows n0 .. n0+7, b[2], b[3] for the next eight.
template <int D>
__device__ __forceinline__ void rows_as_columns(uint32_t (&b)[4], const bf16* tile, int n0, int k0) {
  const int l = gpu::lane();
  gpu::ldmatrix_x4(b, tile + (n0 + (l & 7) + (l >> 4) * 8) * Tile<D, 1>::kStride + k0 + (l >> 3 & 1) * 8);
}
// Rows k0 .. k0+15 as B operands of a product with the rows themselves: b[0], b[1] for columns n0 .. n0+7, b[2], b[3] behind.
template <int D>
__device__ __forceinline__ void rows_as_b(uint32_t (&b)[4], const bf16* tile, int k0, int n0) {
  const int l = gpu::lane();
  gpu::ldmatrix_x4_trans(b, tile + (k0 + (l & 7) + (l >> 3 & 1) * 8) * Tile<D, 1>::kStride + n0 + (l >> 4) * 8);
}

// c[n] = rows row0 .. row0+15 of x times the transpose of rows 8n .. 8n+7 of y.
template <int D, int N>
__device__ __forceinline__ void multiply_transposed(float (&c)[N][4], const bf16* x, int row0, const bf16* y) {
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) c[n][e] = 0;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t a[4];
    rows_as_a<D>(a, x, row0, k);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t b[4];
      rows_as_columns<D>(b, y, n * 8, k);
      gpu::mma_bf16(c[n], a, b[0], b[1]);
      gpu::mma_bf16(c[n + 1], a, b[2], b[3]);
    }
  }
}

// c += p y: p [16, 8 N] rounded to bf16 and packed in pairs, y its 8 N rows of D columns.
template <int D, int N>
__device__ __forceinline__ void multiply_add(float (&c)[D / 8][4], const uint32_t (&p)[N][2], const bf16* y) {
#pragma unroll
  for (int k = 0; k < N; k += 2) {
    const uint32_t a[4] = {p[k][0], p[k][1], p[k + 1][0], p[k + 1][1]};
#pragma unroll
    for (int d = 0; d < D / 8; d += 2) {
      uint32_t b[4];
      rows_as_b<D>(b, y, k * 8, d * 8);
      gpu::mma_bf16(c[d], a, b[0], b[1]);
      gpu::mma_bf16(c[d + 1], a, b[2], b[3]);
    }
  }
}

// Rows of C tiles, times factor[0] (rows l/4) and factor[1] (8 further down), to rows first.. of a segment below length, columns
// below head_dim. bf16 goes by the warp's own 16 rows of a tile that nobody else uses any more, so that memory is written in
// whole sectors.
template <int D>
__device__ __forceinline__ void store_rows(const float (&c)[D / 8][4], const float (&factor)[2], bf16* tile, int row0,
                                           const Tensor& to, int64_t offset, int64_t stride, int first, int length,
                                           int head_dim) {
  const int l = gpu::lane(), g = l >> 2, t = l & 3;
  if (to.precision == Precision::kFp32) {
    float* const out = static_cast<float*>(to.data) + offset;
#pragma unroll
    for (int d = 0; d < D / 8; ++d)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int row = first + row0 + g + 8 * i;
        if (row >= length || d * 8 >= head_dim) continue;
        *reinterpret_cast<float2*>(out + row * stride + d * 8 + 2 * t) =
            float2{c[d][2 * i] * factor[i], c[d][2 * i + 1] * factor[i]};
      }
    return;
  }
  bf16* const mine = tile + row0 * Tile<D, 1>::kStride;
#pragma unroll
  for (int d = 0; d < D / 8; ++d)
#pragma unroll
    for (int i = 0; i < 2; ++i)
      *reinterpret_cast<uint32_t*>(mine + (g + 8 * i) * Tile<D, 1>::kStride + d * 8 + 2 * t) =
          gpu::pack_bf16(c[d][2 * i] * factor[i], c[d][2 * i + 1] * factor[i]);
  __syncwarp();
  bf16* const out = static_cast<bf16*>(to.data) + offset;
#pragma unroll
  for (int i = l; i < 16 * (D / 8); i += 32) {
    const Piece<D> p(i);
    const int row = first + row0 + p.row;
    if (row < length && p.column < head_dim)
      *reinterpret_cast<uint4*>(out + row * stride + p.column) =
          *reinterpret_cast<const uint4*>(mine + p.row * Tile<D, 1>::kStride + p.column);
  }
}

// The factors of dropout on keys key .. key+1 (key even) of a query.
__device__ __forceinline__ void mask_pair(const Mask& m, uint32_t query, uint32_t key, float (&f)[2]) {
  const Words w = draw_words(m.key, Purpose::kDropout, m.site, query, key / 4);
  f[0] = keep(key & 2 ? w.w[2] : w.w[0], m.threshold) ? m.scale : 0;
  f[1] = keep(key & 2 ? w.w[3] : w.w[1], m.threshold) ? m.scale : 0;
}

inline bool good_attention(const Segments& s, int32_t longest, int32_t heads, int32_t kv_heads, int32_t head_dim,
                           int32_t window) {
  const bool heads_good = heads > 0 && kv_heads > 0 && heads % kv_heads == 0 && heads <= 65535;
  const bool size_good = head_dim >= kMinHeadDim && head_dim <= kMaxHeadDim && head_dim % 8 == 0;
  return heads_good && size_good && s.count >= 0 && s.count <= 65535 && longest >= 0 && window >= 0;
}

// launch(std::integral_constant<int, D>) with the columns D of the tiles that hold heads of head_dim.
template <class Launch>
int on_tiles(int32_t head_dim, Launch&& launch) {
  if (head_dim <= 32) return launch(std::integral_constant<int, 32>{});
  if (head_dim <= 64) return launch(std::integral_constant<int, 64>{});
  if (head_dim <= 96) return launch(std::integral_constant<int, 96>{});
  return launch(std::integral_constant<int, 128>{});
}

}  // namespace syn::cuda

#endif
