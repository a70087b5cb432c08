// The only header by which a kernel reaches the machine. One meaning, two implementations: CUDA with inline PTX for nvcc, the
// emulation of tests/gpu/hostgpu for a host compiler. Every PTX instruction, every shared array and every launch goes through it,
// so what an execution on the host does not verify is this file's device half, and that runs in tests/gpu/ptxsim.
//
//   mma_bf16        d += a b, m16n8k16: a row-major, b column-major, bf16 with fp32 sums
//   ldmatrix_x4     four 8x8 tiles of 16-bit elements, lane 8j+i names row i of tile j; _trans transposes each
//   cp_async16      16 bytes from global to shared memory, or zeros; commit closes a group, wait<N> leaves N groups in flight
//   pack_bf16       two numbers rounded as ops/precision.h says, the first in the low half; pack_bf16_normal for numbers that are
//   0
//                   or not below 2^-126 in magnitude, one instruction for both
//   ex2             2^x, zero where the result would be below 2^-126
#ifndef SYN_CUDA_GPU_H
#define SYN_CUDA_GPU_H

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define GPU_LAUNCH(kernel, grid, block, shared, stream, ...) \
  (kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__), cudaGetLastError())
#define GPU_DYN_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

namespace gpu {

// Cuts the block's dynamic shared memory into pieces, each at a multiple of 128 bytes.
struct Smem {
  unsigned char* next;
  __device__ explicit Smem(unsigned char* base) : next(base) {}
  template <class T>
  __device__ __forceinline__ T* take(int n) {
    T* piece = reinterpret_cast<T*>(next);
    next += (static_cast<size_t>(n) * sizeof(T) + 127) & ~size_t{127};
    return piece;
  }
};

__device__ __forceinline__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }
__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x & 31); }

__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void cp_async16(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
// Multiplying by one with flush to zero is what makes the magnitudes below 2^-126 zero before they are rounded.
__device__ __forceinline__ float flushed(float x) {
  float y;
  asm("mul.ftz.f32 %0,%1,0f3F800000;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ uint32_t pack_bf16_normal(float low, float high) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) { return pack_bf16_normal(flushed(low), flushed(high)); }
__device__ __forceinline__ float ex2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0,%1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace gpu

#else
#include "tests/gpu/hostgpu/gpu_host.h"
#endif

#endif
