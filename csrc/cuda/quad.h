// Four neighbouring elements of a row, the unit in which the elementwise kernels move memory: 16 bytes of float or 8 of bf16, and
// the four that one Philox call of ops/dropout.h decides.
#ifndef SYN_CUDA_QUAD_H
#define SYN_CUDA_QUAD_H

#include "cuda/gpu.h"
#include "cuda/ops.h"

namespace syn::cuda {

struct Quad {
  float v[4];
};

// What a kernel needs of a Dropout: no double.
struct Mask {
  uint64_t key;
  uint32_t site, threshold;
  float scale;

  explicit Mask(const Dropout& d) : key(d.key), site(d.site), threshold(d.threshold), scale(static_cast<float>(d.scale)) {}
};

__device__ __forceinline__ float bf16_number(uint32_t bits) { return __uint_as_float(bits << 16); }

// Rounded as ops/precision.h says.
__device__ __forceinline__ bf16 narrowed(float x) { return {static_cast<uint16_t>(gpu::pack_bf16(x, 0))}; }
__device__ __forceinline__ float rounded(float x) { return bf16_number(gpu::pack_bf16(x, 0)); }

__device__ __forceinline__ Quad load_quad(const float* p, int64_t quad) {
  const float4 x = reinterpret_cast<const float4*>(p)[quad];
  return {{x.x, x.y, x.z, x.w}};
}
__device__ __forceinline__ Quad load_quad(const bf16* p, int64_t quad) {
  const uint2 x = reinterpret_cast<const uint2*>(p)[quad];
  return {{bf16_number(x.x), __uint_as_float(x.x & 0xffff0000u), bf16_number(x.y), __uint_as_float(x.y & 0xffff0000u)}};
}
__device__ __forceinline__ void store_quad(float* p, int64_t quad, const Quad& q) {
  reinterpret_cast<float4*>(p)[quad] = float4{q.v[0], q.v[1], q.v[2], q.v[3]};
}
__device__ __forceinline__ void store_quad(bf16* p, int64_t quad, const Quad& q) {
  reinterpret_cast<uint2*>(p)[quad] = uint2{gpu::pack_bf16(q.v[0], q.v[1]), gpu::pack_bf16(q.v[2], q.v[3])};
}

__device__ __forceinline__ Quad load_quad(const Tensor& t, int64_t quad) {
  return t.precision == Precision::kBf16 ? load_quad(static_cast<const bf16*>(t.data), quad)
                                         : load_quad(static_cast<const float*>(t.data), quad);
}
__device__ __forceinline__ void store_quad(const Tensor& t, int64_t quad, const Quad& q) {
  if (t.precision == Precision::kBf16)
    store_quad(static_cast<bf16*>(t.data), quad, q);
  else
    store_quad(static_cast<float*>(t.data), quad, q);
}

// The factors of dropout on columns 4 quad .. 4 quad + 3 of a row.
__device__ __forceinline__ Quad mask_quad(const Mask& m, uint32_t row, uint32_t quad) {
  if (!m.threshold) return {{1, 1, 1, 1}};
  const Words w = draw_words(m.key, Purpose::kDropout, m.site, row, quad);
  Quad q;
#pragma unroll
  for (int i = 0; i < 4; ++i) q.v[i] = keep(w.w[i], m.threshold) ? m.scale : 0;
  return q;
}

}  // namespace syn::cuda

#endif
