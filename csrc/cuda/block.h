// Collectives of a whole one-dimensional block, in a fixed order: butterflies in each warp, then the warps in order. Every thread
// calls them. scratch: a shared word a warp, which may be used again after the call.
#ifndef SYN_CUDA_BLOCK_H
#define SYN_CUDA_BLOCK_H

#include "cuda/gpu.h"

namespace syn::cuda {

struct Add {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Largest {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Smallest {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

template <class T, class F>
__device__ __forceinline__ T block_reduce(T x, T* scratch, F f) {
#pragma unroll
  for (int o = 16; o; o >>= 1) x = f(x, __shfl_xor_sync(0xffffffffu, x, o));
  if (gpu::lane() == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  T all = scratch[0];
  for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w) all = f(all, scratch[w]);
  __syncthreads();
  return all;
}

// Inclusive prefix sum over the lanes of a warp.
template <class T>
__device__ __forceinline__ T warp_scan(T x) {
#pragma unroll
  for (int o = 1; o < 32; o <<= 1) {
    const T below = __shfl_up_sync(0xffffffffu, x, o);
    if (gpu::lane() >= o) x += below;
  }
  return x;
}

// Inclusive prefix sum over the threads of a block.
template <class T>
__device__ __forceinline__ T block_scan(T x, T* scratch) {
  x = warp_scan(x);
  if (gpu::lane() == 31) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  for (int w = 0; w < static_cast<int>(threadIdx.x) / 32; ++w) x += scratch[w];
  __syncthreads();
  return x;
}

}  // namespace syn::cuda

#endif
