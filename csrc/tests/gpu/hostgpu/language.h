// CUDA C++ for a host compiler: keywords, vector types and the coordinates of the thread that runs. Everything else of the
// emulation stands on this file; a kernel gets it through cuda/gpu.h when nvcc is not the compiler.
#ifndef HOSTGPU_LANGUAGE_H
#define HOSTGPU_LANGUAGE_H

#include <cstddef>
#include <cstdint>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct alignas(4) uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

// One OS thread runs the fibers of one block at a time, so thread-local storage is enough: the runtime rewrites threadIdx at
// every switch.
extern __thread uint3 threadIdx, blockIdx, hostgpu_block_dim, hostgpu_grid_dim;
#define blockDim hostgpu_block_dim
#define gridDim hostgpu_grid_dim

namespace hostgpu {

// Where a collective was called, by default arguments: messages name the line of the kernel.
struct Site {
  const char* file;
  int line;
};
#define HOSTGPU_SITE ::hostgpu::Site site = {__builtin_FILE(), __builtin_LINE()}

// Ends the block of the calling thread: the launch fails with this sentence, and the process goes on.
[[noreturn]] void fail(Site, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace hostgpu

#endif
