// LayerNorm and RMSNorm with the residual addition (ops/norm.h), or with the embedding that the residual stream begins with.
//
// Forward: a row is held in registers between its sums. Traffic: x, branch and their sum once, y once; of an embedding one or two
// rows of tables in the place of x and branch.
// Backward, first pass: a block takes kNormRows rows, keeps its part of dweight and dbias in registers, adds it up over its row
// groups in order and writes one row of partial sums; second pass: the partial rows are added in order. Traffic: dy, s and ds
// once, ds and dbranch once, 2 width / kNormRows of partial sums a row.
#include "cuda/rows.h"

namespace syn::cuda {
namespace {

// A quad of the residual stream before the branch. A factor of dropout is not fused with what follows: a later pass reads the
// rounded product, and must find the same statistics.
__device__ __forceinline__ Quad stream_quad(const NormForward& a, const Mask& drop, int row, int q) {
  const int64_t quads = a.width / 4;
  if (a.x) return load_quad(a.x, row * quads + q);
  const EmbeddedRows& from = a.embedded;
  Quad s = load_quad(from.token_table, from.token[row] * quads + q);
  const Quad p = from.position_table ? load_quad(from.position_table, from.position[row] * quads + q) : Quad{};
  const Quad f = mask_quad(drop, static_cast<uint32_t>(row), static_cast<uint32_t>(q));
#pragma unroll
  for (int e = 0; e < 4; ++e) s.v[e] = __fmul_rn(s.v[e] + p.v[e], f.v[e]);
  return s;
}

template <int K>
__global__ void __launch_bounds__(kRowThreads, 1) norm_forward_rows(NormForward a, Mask drop, int quads) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  RowSum sum(shared.take<float>(2 * kRowWarps));
  const int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y), thread = static_cast<int>(threadIdx.x);
  const bool mine = row < a.rows;
  const int64_t base = int64_t{row} * quads;
  const float width = static_cast<float>(a.width);
  Quad s[K];
  float total = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int q = thread + k * static_cast<int>(blockDim.x);
    const bool in = mine && q < quads;
    s[k] = in ? stream_quad(a, drop, row, q) : Quad{};
    if (in && a.branch) {
      const Quad b = load_quad(a.branch, base + q), f = mask_quad(drop, static_cast<uint32_t>(row), static_cast<uint32_t>(q));
#pragma unroll
      for (int e = 0; e < 4; ++e) s[k].v[e] += b.v[e] * f.v[e];
    }
    if (in && (a.branch || !a.x)) store_quad(a.sum, base + q, s[k]);
#pragma unroll
    for (int e = 0; e < 4; ++e) total += s[k].v[e];
  }
  const float mean = a.bias ? sum(total) / width : 0;
  float square = 0;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float d = thread + k * static_cast<int>(blockDim.x) < quads ? s[k].v[e] - mean : 0;
      square += d * d;
    }
  const float rstd = 1 / sqrtf(sum(square) / width + a.eps);
  if (!mine) return;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int q = thread + k * static_cast<int>(blockDim.x);
    if (q >= quads) continue;
    const Quad w = load_quad(a.weight, q), b = a.bias ? load_quad(a.bias, q) : Quad{};
    Quad y;
#pragma unroll
    for (int e = 0; e < 4; ++e) y.v[e] = (s[k].v[e] - mean) * rstd * w.v[e] + b.v[e];
    store_quad(a.y, base + q, y);
  }
  if (thread == 0 && a.mean) a.mean[row] = mean;
  if (thread == 0 && a.rstd) a.rstd[row] = rstd;
}

// What a thread adds up over the rows of its block.
template <int K>
struct Gradients {
  Quad weight[K] = {}, bias[K] = {};
};

// One row: ds, dbranch, and the thread's share of dweight and dbias. Rows past the end take part in the sums only.
template <int K>
__device__ __forceinline__ void backward_row(const NormBackward& a, const Mask& drop, int row, bool mine, int quads,
                                             const Quad (&w)[K], RowSum& sum, Gradients<K>& d) {
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t base = int64_t{row} * quads;
  const float mean = mine && a.mean ? a.mean[row] : 0, rstd = mine ? a.rstd[row] : 0, width = static_cast<float>(a.width);
  Quad n[K], g[K];
  float sum_g = 0, sum_gn = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int q = thread + k * static_cast<int>(blockDim.x);
    const bool in = mine && q < quads;
    const Quad s = in ? load_quad(a.s, base + q) : Quad{{mean, mean, mean, mean}}, dy = in ? load_quad(a.dy, base + q) : Quad{};
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      n[k].v[e] = (s.v[e] - mean) * rstd;
      g[k].v[e] = dy.v[e] * w[k].v[e];
      sum_g += g[k].v[e];
      sum_gn += g[k].v[e] * n[k].v[e];
      d.weight[k].v[e] += dy.v[e] * n[k].v[e];
      d.bias[k].v[e] += dy.v[e];
    }
  }
  const float mean_g = a.mean ? sum(sum_g) / width : 0, mean_gn = sum(sum_gn) / width;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int q = thread + k * static_cast<int>(blockDim.x);
    if (!mine || q >= quads) continue;
    Quad ds = load_quad(a.ds, base + q);
#pragma unroll
    for (int e = 0; e < 4; ++e) ds.v[e] += rstd * (g[k].v[e] - mean_g - n[k].v[e] * mean_gn);
    store_quad(a.ds, base + q, ds);
    if (!a.dbranch.data) continue;
    const Quad f = mask_quad(drop, static_cast<uint32_t>(row), static_cast<uint32_t>(q));
#pragma unroll
    for (int e = 0; e < 4; ++e) ds.v[e] *= f.v[e];
    store_quad(a.dbranch, base + q, ds);
  }
}

// Adds x up over the row groups of the block, in order, and stores it.
template <int K>
__device__ __forceinline__ void store_partial(const Quad (&x)[K], float* shared, float* to, int quads) {
  const int thread = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y), groups = static_cast<int>(blockDim.y);
  for (int g = 0; g < groups; ++g) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int q = thread + k * static_cast<int>(blockDim.x);
      if (group != g || q >= quads) continue;
      Quad total = x[k];
      if (g > 0) {
        const Quad before = load_quad(shared, q);
#pragma unroll
        for (int e = 0; e < 4; ++e) total.v[e] += before.v[e];
      }
      store_quad(g + 1 < groups ? shared : to, q, total);
    }
    __syncthreads();
  }
}

template <int K>
__global__ void __launch_bounds__(kRowThreads, 1) norm_backward_rows(NormBackward a, Mask drop, int quads) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  RowSum sum(shared.take<float>(2 * kRowWarps));
  float* const between = shared.take<float>(4 * quads);
  Quad w[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int q = static_cast<int>(threadIdx.x + k * blockDim.x);
    w[k] = q < quads ? load_quad(a.weight, q) : Quad{};
  }
  Gradients<K> d;
  const int groups = static_cast<int>(blockDim.y), first = static_cast<int>(blockIdx.x) * kNormRows;
  for (int r = 0; r < kNormRows; r += groups) {
    const int in_block = r + static_cast<int>(threadIdx.y), row = first + in_block;
    backward_row(a, drop, row, in_block < kNormRows && row < a.rows, quads, w, sum, d);
  }
  float* const partial = a.partial + int64_t{blockIdx.x} * 2 * a.width;
  store_partial(d.weight, between, partial, quads);
  store_partial(d.bias, between, partial + a.width, quads);
}

// Adds the partial rows to dweight and dbias, a column a thread.
__global__ void __launch_bounds__(kRowThreads, 1) norm_backward_columns(NormBackward a, int blocks) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int of_weight = a.width, columns = a.dbias ? 2 * a.width : a.width;
  if (c >= columns) return;
  (c < of_weight ? a.dweight : a.dbias - of_weight)[c] += sum_partials(a.partial, blocks, 2 * a.width, c);
}

}  // namespace

int norm_forward(Stream stream, const NormForward& a) {
  if (!good_row(a.width) || a.rows < 0 || (a.branch && !a.x)) return kInvalid;
  if (a.rows == 0) return 0;
  const RowShape s(a.width);
  const auto kernel = s.pieces == 1 ? norm_forward_rows<1> : s.pieces == 2 ? norm_forward_rows<2> : norm_forward_rows<4>;
  const dim3 grid(static_cast<unsigned>((a.rows + s.groups - 1) / s.groups));
  return GPU_LAUNCH(kernel, grid, s.block(), 128, stream, a, Mask(a.drop), s.quads);
}

int norm_backward(Stream stream, const NormBackward& a) {
  if (!good_row(a.width) || a.rows < 0) return kInvalid;
  if (a.rows == 0) return 0;
  const RowShape s(a.width);
  const auto kernel = s.pieces == 1 ? norm_backward_rows<1> : s.pieces == 2 ? norm_backward_rows<2> : norm_backward_rows<4>;
  const int blocks = (a.rows + kNormRows - 1) / kNormRows;
  const size_t shared = 128 + (static_cast<size_t>(a.width) * sizeof(float) + 127) / 128 * 128;
  const int e = GPU_LAUNCH(kernel, dim3(static_cast<unsigned>(blocks)), s.block(), shared, stream, a, Mask(a.drop), s.quads);
  const unsigned columns = static_cast<unsigned>(a.dbias ? 2 * a.width : a.width);
  const dim3 grid((columns + kRowThreads - 1) / kRowThreads);
  return e ? e : GPU_LAUNCH(norm_backward_columns, grid, dim3(kRowThreads), 0, stream, a, blocks);
}

}  // namespace syn::cuda
