// The host half of cuda/gpu.h: the same names, computed by the emulation.
#ifndef HOSTGPU_GPU_HOST_H
#define HOSTGPU_GPU_HOST_H

#include <cstring>
#include <functional>
#include <tuple>
#include <vector>

#include "intrinsics.h"
#include "ops/precision.h"
#include "runtime_api.h"

namespace hostgpu {

using Bytes = std::vector<unsigned char>;

// Checks a launch and queues it. body runs one thread; parameters are what the PTX of the kernel would read.
cudaError_t launch(dim3 grid, dim3 block, size_t shared, cudaStream_t, const void* kernel, const char* name,
                   std::function<void()> body, Bytes parameters);

// Converts the arguments to the kernel's own parameter types, once for the closure and once for the parameter block (natural
// alignment, in order).
template <class... P, class... A>
cudaError_t launch_with(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, void (*kernel)(P...), const char* name,
                        const A&... a) {
  const std::tuple<P...> arguments{a...};
  Bytes bytes;
  std::apply(
      [&](const auto&... v) {
        const auto put = [&](const void* p, size_t size, size_t align) {
          const size_t at = (bytes.size() + align - 1) / align * align;
          bytes.resize(at + size);
          std::memcpy(bytes.data() + at, p, size);
        };
        (put(&v, sizeof v, alignof(decltype(v))), ...);
      },
      arguments);
  return launch(
      grid, block, shared, stream, reinterpret_cast<const void*>(kernel), name, [=] { std::apply(kernel, arguments); },
      static_cast<Bytes&&>(bytes));
}

}  // namespace hostgpu

#define GPU_LAUNCH(kernel, grid, block, shared, stream, ...) \
  ::hostgpu::launch_with((grid), (block), (shared), (stream), (kernel), #kernel, __VA_ARGS__)
#define GPU_DYN_SHARED(name) unsigned char* name = nullptr

namespace gpu {

struct Smem {
  explicit Smem(unsigned char*) {}
  template <class T>
  T* take(int n, HOSTGPU_SITE) {
    return static_cast<T*>(hostgpu::take_shared(static_cast<size_t>(n) * sizeof(T), site));
  }
};

inline int lane() { return hostgpu::lane(); }

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, HOSTGPU_SITE) {
  uint32_t in[10] = {a[0], a[1], a[2], a[3], b0, b1, 0, 0, 0, 0};
  __builtin_memcpy(in + 6, d, 16);
  auto* r = hostgpu::arrive(0xffffffffu, hostgpu::Op::kMma, in, 10, hostgpu::mma_m16n8k16_bf16, 0, false, site);
  __builtin_memcpy(d, r->out[lane()], 16);
  hostgpu::leave(r);
}

inline void load_matrix(uint32_t (&out)[4], const void* row, int transposed, hostgpu::Site site) {
  const uintptr_t p = reinterpret_cast<uintptr_t>(row);
  if (p & 15) hostgpu::fail(site, "ldmatrix row address is not 16-byte aligned");
  const uint32_t* q = static_cast<const uint32_t*>(row);  // an instrumented read, by the lane that names the row
  const uint32_t in[6] = {q[0], q[1], q[2], q[3], static_cast<uint32_t>(p), static_cast<uint32_t>(p >> 32)};
  auto* r = hostgpu::arrive(0xffffffffu, hostgpu::Op::kLoadMatrix, in, 6, hostgpu::load_matrix_x4, transposed, false, site);
  for (int i = 0; i < 4; ++i) out[i] = r->out[lane()][i];
  hostgpu::leave(r);
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, HOSTGPU_SITE) { load_matrix(r, row, 0, site); }
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, HOSTGPU_SITE) { load_matrix(r, row, 1, site); }

// Strict both ways: the destination becomes NaN when the copy is issued, which catches a reader that has not waited and a stage
// that is refilled while others still read it, and gets its data at the wait, not before.
inline void cp_async16(void* to, const void* from, bool valid, HOSTGPU_SITE) {
  const uintptr_t addresses = reinterpret_cast<uintptr_t>(to) | (valid ? reinterpret_cast<uintptr_t>(from) : 0);
  if (addresses & 15) hostgpu::fail(site, "cp.async address is not 16-byte aligned");
  uint64_t* d = static_cast<uint64_t*>(to);
  d[0] = d[1] = ~uint64_t{0};
  hostgpu::push_copy(to, valid ? from : nullptr, site);
}
inline void cp_async_commit() { hostgpu::commit_copies(); }
template <int N>
inline void cp_async_wait() {
  hostgpu::Copy* copies;
  const int n = hostgpu::ready_copies(N, &copies);
  for (int i = 0; i < n; ++i) {
    uint64_t* d = static_cast<uint64_t*>(copies[i].to);
    const uint64_t* s = static_cast<const uint64_t*>(copies[i].from);
    d[0] = s ? s[0] : 0;
    d[1] = s ? s[1] : 0;
  }
  hostgpu::drop_copies(n);
}

inline uint32_t bf16_bits(float x) {
  const uint32_t magnitude = __float_as_uint(x) & 0x7FFFFFFFu;
  return magnitude > 0x7F800000u ? 0x7FFFu : __float_as_uint(syn::round_bf16(x)) >> 16;  // the device's NaN
}
inline uint32_t pack_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }
inline uint32_t pack_bf16_normal(float low, float high) { return pack_bf16(low, high); }
inline float ex2(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;
}

}  // namespace gpu

#endif
