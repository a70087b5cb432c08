// Blocks that work on rows of a matrix: blockDim.x threads, whole warps, share a row, a quad of columns each or several;
// blockDim.y rows are worked on at a time. Sums over a row run in a fixed order: butterflies in each warp, then the warps in
// order.
#ifndef SYN_CUDA_ROWS_H
#define SYN_CUDA_ROWS_H

#include "cuda/quad.h"

namespace syn::cuda {

constexpr int kRowThreads = 256;  // of a block
constexpr int kRowWarps = kRowThreads / 32;
constexpr int kWidestRow = 4 * 4 * kRowThreads;  // four quads a thread

// How a width is shared out.
struct RowShape {
  int quads, pieces, threads, groups;  // quads of a row; a thread's share; threads a row; rows at a time

  explicit RowShape(int32_t width) : quads(width / 4) {
    pieces = quads <= kRowThreads ? 1 : quads <= 2 * kRowThreads ? 2 : 4;
    threads = ((quads + pieces - 1) / pieces + 31) / 32 * 32;
    groups = kRowThreads / threads;
  }
  dim3 block() const { return dim3(static_cast<unsigned>(threads), static_cast<unsigned>(groups)); }
};

inline bool good_row(int32_t width) { return width > 0 && width % 4 == 0 && width <= kWidestRow; }

// Sum over the rows of partial sums [blocks, stride] that the blocks of a first pass left, in order.
__device__ __forceinline__ float sum_partials(const float* partial, int blocks, int64_t stride, int column) {
  float total = 0;
  for (int b = 0; b < blocks; ++b) total += partial[b * stride + column];
  return total;
}

// Sums over the threads of a row. Two buffers in turn, so that one barrier a sum is enough.
struct RowSum {
  float* buffer;  // [2, kRowWarps] shared
  int turn = 0;

  __device__ explicit RowSum(float* shared) : buffer(shared) {}

  __device__ __forceinline__ float operator()(float x) {
#pragma unroll
    for (int o = 16; o; o >>= 1) x += __shfl_xor_sync(0xffffffffu, x, o);
    const int warps = static_cast<int>(blockDim.x) / 32;
    if (warps == 1) return x;
    float* const sums = buffer + turn * kRowWarps + static_cast<int>(threadIdx.y) * warps;
    turn ^= 1;
    if (gpu::lane() == 0) sums[threadIdx.x / 32] = x;
    __syncthreads();
    x = sums[0];
    for (int w = 1; w < warps; ++w) x += sums[w];
    return x;
  }
};

}  // namespace syn::cuda

#endif
