// Launches of one thread a quad, for kernels that go through memory once and sum nothing.
#ifndef SYN_CUDA_QUADS_H
#define SYN_CUDA_QUADS_H

#include "cuda/quad.h"

namespace syn::cuda {

constexpr int kQuadThreads = 256;
constexpr int64_t kMostBlocks = 0x7fffffff;

__device__ __forceinline__ int64_t quad_of_thread() { return int64_t{blockIdx.x} * kQuadThreads + threadIdx.x; }

inline int64_t quad_blocks(int64_t quads) { return (quads + kQuadThreads - 1) / kQuadThreads; }

// Whether a launch over rows of width elements is possible.
inline bool good_quads(int64_t rows, int64_t width) {
  return rows >= 0 && width > 0 && width % 4 == 0 && quad_blocks(rows * (width / 4)) <= kMostBlocks;
}

}  // namespace syn::cuda

#endif
