// Gradient of a bias, a sum over rows (ops/linear.h): a block adds kBiasRows rows of 128 columns, eight rows at a time, and the
// eight in order; a second launch adds the blocks in order. Traffic: dy once, and columns / kBiasRows floats a row.
#include "cuda/rows.h"

namespace syn::cuda {
namespace {

constexpr int kGroups = 8;  // rows at a time

__global__ void __launch_bounds__(32 * kGroups, 1) bias_backward_rows(BiasBackward a) {
  GPU_DYN_SHARED(raw);
  gpu::Smem shared(raw);
  float* const sums = shared.take<float>(kGroups * 128);
  const int q = static_cast<int>(blockIdx.y) * 32 + static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.x) * kBiasRows, end = min(first + kBiasRows, a.rows);
  const bool in = q < a.columns / 4;
  Quad sum{};
  for (int r = first + group; in && r < end; r += kGroups) {
    const Quad dy = load_quad(a.dy, r * (a.stride / 4) + q);
#pragma unroll
    for (int e = 0; e < 4; ++e) sum.v[e] += dy.v[e];
  }
  store_quad(sums, group * 32 + static_cast<int>(threadIdx.x), sum);
  __syncthreads();
  if (group > 0 || !in) return;
  for (int g = 1; g < kGroups; ++g) {
    const Quad other = load_quad(sums, g * 32 + static_cast<int>(threadIdx.x));
#pragma unroll
    for (int e = 0; e < 4; ++e) sum.v[e] += other.v[e];
  }
  store_quad(a.partial + int64_t{blockIdx.x} * a.columns, q, sum);
}

__global__ void __launch_bounds__(kRowThreads, 1) bias_backward_columns(BiasBackward a, int blocks) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c < a.columns) a.dbias[c] += sum_partials(a.partial, blocks, a.columns, c);
}

}  // namespace

int bias_backward(Stream stream, const BiasBackward& a) {
  const bool good = a.rows >= 0 && a.columns > 0 && a.columns % 4 == 0 && a.stride % 4 == 0 && a.stride >= a.columns;
  if (!good) return kInvalid;
  if (a.rows == 0) return 0;
  const unsigned blocks = static_cast<unsigned>((a.rows + kBiasRows - 1) / kBiasRows);
  const unsigned columns = static_cast<unsigned>((a.columns / 4 + 31) / 32);
  const int e =
      GPU_LAUNCH(bias_backward_rows, dim3(blocks, columns), dim3(32, kGroups), kGroups * 128 * sizeof(float), stream, a);
  const dim3 grid(static_cast<unsigned>((a.columns + kRowThreads - 1) / kRowThreads));
  return e ? e : GPU_LAUNCH(bias_backward_columns, grid, dim3(kRowThreads), 0, stream, a, static_cast<int>(blocks));
}

}  // namespace syn::cuda
