// The CUDA intrinsics that kernels call: barriers, fences, shuffles, votes, integer atomics, and what maths C++ lacks. An
// intrinsic that is not here does not compile, so none is emulated by accident.
#ifndef HOSTGPU_INTRINSICS_H
#define HOSTGPU_INTRINSICS_H

#include <cmath>

#include "collectives.h"

inline void __syncthreads(HOSTGPU_SITE) { hostgpu::block_barrier(0, hostgpu::Vote::kNone, site); }
inline int __syncthreads_or(int p, HOSTGPU_SITE) { return hostgpu::block_barrier(p, hostgpu::Vote::kOr, site); }
inline int __syncthreads_and(int p, HOSTGPU_SITE) { return hostgpu::block_barrier(p, hostgpu::Vote::kAnd, site); }
inline int __syncthreads_count(int p, HOSTGPU_SITE) { return hostgpu::block_barrier(p, hostgpu::Vote::kCount, site); }

inline void __syncwarp(unsigned mask = 0xffffffffu, HOSTGPU_SITE) {
  hostgpu::leave(hostgpu::arrive(mask, hostgpu::Op::kSync, nullptr, 0, nullptr, 0, true, site));
}

namespace hostgpu {

template <class T>
inline T shuffle(uint32_t mask, T v, int source, Site site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "32- or 64-bit values");
  uint32_t words[2] = {0, 0};
  __builtin_memcpy(words, &v, sizeof(T));
  Rendezvous* r = arrive(mask, Op::kShuffle, words, sizeof(T) / 4, nullptr, 0, false, site);
  if (!((r->arrived >> source) & 1)) fail(site, "shfl reads lane %d, which is not in mask %08x or has exited", source, mask);
  words[0] = r->in[source][0];
  words[1] = r->in[source][1];
  leave(r);
  T out;
  __builtin_memcpy(&out, words, sizeof(T));
  return out;
}

template <class T, class F>
inline T reduce(uint32_t mask, T v, F f, Site site) {
  static_assert(sizeof(T) == 4, "32-bit values");
  uint32_t word;
  __builtin_memcpy(&word, &v, 4);
  Rendezvous* r = arrive(mask, Op::kReduce, &word, 1, nullptr, 0, false, site);
  T all{};
  bool first = true;
  for (int i = 0; i < 32; ++i) {
    if (!((r->arrived >> i) & 1)) continue;
    T x;
    __builtin_memcpy(&x, &r->in[i][0], 4);
    all = first ? x : f(all, x);
    first = false;
  }
  leave(r);
  return all;
}

}  // namespace hostgpu

template <class T>
inline T __shfl_sync(unsigned mask, T v, int source, HOSTGPU_SITE) {
  return hostgpu::shuffle(mask, v, source & 31, site);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T v, int x, HOSTGPU_SITE) {
  return hostgpu::shuffle(mask, v, (hostgpu::lane() ^ x) & 31, site);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T v, int d, HOSTGPU_SITE) {
  const int l = hostgpu::lane();
  return hostgpu::shuffle(mask, v, l + d > 31 ? l : l + d, site);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T v, int d, HOSTGPU_SITE) {
  const int l = hostgpu::lane();
  return hostgpu::shuffle(mask, v, l < d ? l : l - d, site);
}

inline unsigned __ballot_sync(unsigned mask, int p, HOSTGPU_SITE) {
  const uint32_t word = p != 0;
  hostgpu::Rendezvous* r = hostgpu::arrive(mask, hostgpu::Op::kVote, &word, 1, nullptr, 0, false, site);
  uint32_t bits = 0;
  for (int i = 0; i < 32; ++i)
    if ((r->arrived >> i) & 1) bits |= r->in[i][0] << i;
  hostgpu::leave(r);
  return bits;
}
inline int __any_sync(unsigned mask, int p, HOSTGPU_SITE) { return __ballot_sync(mask, p, site) != 0; }
inline int __all_sync(unsigned mask, int p, HOSTGPU_SITE) { return __ballot_sync(mask, !p, site) == 0; }
template <class T>
inline T __reduce_add_sync(unsigned mask, T v, HOSTGPU_SITE) {
  return hostgpu::reduce(mask, v, [](T a, T b) { return static_cast<T>(a + b); }, site);
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(static_cast<int>(x)); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }

// Relaxed, as on the device. No atomics on floats: their sums would depend on the order.
template <class T>
inline T hostgpu_atomic_add(T* p, T v) {
  hostgpu::before_atomic(p);
  return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
inline int atomicAdd(int* p, int v) { return hostgpu_atomic_add(p, v); }
inline unsigned atomicAdd(unsigned* p, unsigned v) { return hostgpu_atomic_add(p, v); }
inline unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) { return hostgpu_atomic_add(p, v); }

// One more, or 0 where most is reached.
inline unsigned atomicInc(unsigned* p, unsigned most) {
  hostgpu::before_atomic(p);
  unsigned old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(p, &old, old >= most ? 0 : old + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
inline void __threadfence() { hostgpu::fence(); }

inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
inline float __fmul_rn(float a, float b) { return a * b; }  // never part of a fused operation, as nothing here is
inline float __uint_as_float(unsigned i) { return __builtin_bit_cast(float, i); }
inline unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
template <class T>
inline T __ldg(const T* p) {
  return *p;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

#endif
