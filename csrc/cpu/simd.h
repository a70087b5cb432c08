// Vectors of the register width, one set of names for both instruction sets: the kernels say what they compute, this file with
// which instructions. Everything is forced inline into the namespace of its instruction set. Polynomials and their errors:
//   exp   relative error 2e-7 on [-87, 88]; 0 below, +inf above, NaN stays NaN
#ifndef SYN_CPU_SIMD_H
#define SYN_CPU_SIMD_H

#include <immintrin.h>

#include <cstdint>

#include "cpu/isa.h"
#include "math/half.h"

#define SYN_SIMD static inline __attribute__((always_inline))

namespace syn::cpu::SYN_CPU_NS {

#if defined(__AVX512F__)

using Vec = __m512;
using IntVec = __m512i;
constexpr int kLanes = 16;

SYN_SIMD Vec load(const float* p) { return _mm512_loadu_ps(p); }
SYN_SIMD void store(float* p, Vec a) { _mm512_storeu_ps(p, a); }
SYN_SIMD Vec all(float x) { return _mm512_set1_ps(x); }
SYN_SIMD Vec zero() { return _mm512_setzero_ps(); }
SYN_SIMD Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
SYN_SIMD Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
SYN_SIMD Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
SYN_SIMD Vec root(Vec a) { return _mm512_sqrt_ps(a); }
SYN_SIMD Vec nearest(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
SYN_SIMD Vec power_of_two(Vec n, Vec x) { return _mm512_scalef_ps(x, n); }  // x 2^n
SYN_SIMD __m256i narrowed(Vec a) { return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }  // to halves
using Mask = __mmask16;
SYN_SIMD Mask first_lanes(int n) { return static_cast<Mask>(n >= kLanes ? 0xFFFF : (1u << n) - 1); }
SYN_SIMD Vec load_part(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
SYN_SIMD void store_part(float* p, Mask m, Vec a) { _mm512_mask_storeu_ps(p, m, a); }
SYN_SIMD Vec load(const half* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
SYN_SIMD Vec load_part(const half* p, Mask m) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p)); }
SYN_SIMD void store_narrowed(half* p, __m256i a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
SYN_SIMD void store_narrowed_part(half* p, Mask m, __m256i a) { _mm256_mask_storeu_epi16(p, m, a); }
SYN_SIMD Vec choose(Mask m, Vec yes, Vec no) { return _mm512_mask_blend_ps(m, no, yes); }
SYN_SIMD Mask at_least(IntVec words, uint32_t threshold) {  // of 32 bits each
  return _mm512_cmpge_epu32_mask(words, _mm512_set1_epi32(static_cast<int>(threshold)));
}
SYN_SIMD Mask unordered(Vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
SYN_SIMD Vec ceiling(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
SYN_SIMD Mask below(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
SYN_SIMD Vec swap_pairs(Vec a) { return _mm512_permute_ps(a, 0xB1); }  // lanes 1, 0, 3, 2, …
SYN_SIMD Vec round_bf16(Vec x) {  // the bits of round_bf16(float) of ops/precision.h
  const IntVec bits = _mm512_castps_si512(x), magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
  const IntVec odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const IntVec up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const Mask normal = _mm512_cmpge_epi32_mask(magnitude, _mm512_set1_epi32(0x00800000));
  const IntVec keep = _mm512_mask_blend_epi32(normal, _mm512_set1_epi32(INT32_MIN), _mm512_set1_epi32(-0x10000));
  const IntVec rounded = _mm512_and_si512(_mm512_mask_blend_epi32(normal, bits, up), keep);
  return choose(unordered(x), x, _mm512_castsi512_ps(rounded));
}

#else

using Vec = __m256;
using IntVec = __m256i;
constexpr int kLanes = 8;

SYN_SIMD Vec load(const float* p) { return _mm256_loadu_ps(p); }
SYN_SIMD void store(float* p, Vec a) { _mm256_storeu_ps(p, a); }
SYN_SIMD Vec all(float x) { return _mm256_set1_ps(x); }
SYN_SIMD Vec zero() { return _mm256_setzero_ps(); }
SYN_SIMD Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
SYN_SIMD Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
SYN_SIMD Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
SYN_SIMD Vec root(Vec a) { return _mm256_sqrt_ps(a); }
SYN_SIMD Vec nearest(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
SYN_SIMD Vec power_of_two(Vec n, Vec x) {  // x 2^n in two halves, as 2^128 alone is not a number
  const IntVec i = _mm256_cvtps_epi32(n);
  const IntVec half = _mm256_srai_epi32(i, 1), rest = _mm256_sub_epi32(i, half);
  const IntVec bias = _mm256_set1_epi32(127);
  const Vec a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const Vec b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}
SYN_SIMD __m128i narrowed(Vec a) { return _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }  // to halves
SYN_SIMD Vec load(const half* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
SYN_SIMD void store_narrowed(half* p, __m128i a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a); }
using Mask = __m256i;
SYN_SIMD Mask first_lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
SYN_SIMD Vec load_part(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
SYN_SIMD void store_part(float* p, Mask m, Vec a) { _mm256_maskstore_ps(p, m, a); }
SYN_SIMD Vec choose(Mask m, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m)); }
SYN_SIMD Mask at_least(IntVec words, uint32_t threshold) {
  const IntVec t = _mm256_set1_epi32(static_cast<int>(threshold));
  return _mm256_cmpeq_epi32(_mm256_max_epu32(words, t), words);
}
SYN_SIMD Mask unordered(Vec a) { return _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
SYN_SIMD Vec ceiling(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
SYN_SIMD Mask below(Vec a, Vec b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
SYN_SIMD Vec swap_pairs(Vec a) { return _mm256_permute_ps(a, 0xB1); }
SYN_SIMD Vec round_bf16(Vec x) {  // the bits of round_bf16(float) of ops/precision.h
  const IntVec bits = _mm256_castps_si256(x), magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
  const IntVec odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const IntVec up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const IntVec tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
  const IntVec keep = _mm256_blendv_epi8(_mm256_set1_epi32(-0x10000), _mm256_set1_epi32(INT32_MIN), tiny);
  const IntVec rounded = _mm256_and_si256(_mm256_blendv_epi8(up, bits, tiny), keep);
  return choose(unordered(x), x, _mm256_castsi256_ps(rounded));
}

#endif

// A vector of a row: Whole in its middle, Part (a Mask) at its end. Kernels are written once, for either.
struct Whole {};
SYN_SIMD Vec load(const float* p, Whole) { return load(p); }
SYN_SIMD Vec load(const float* p, Mask m) { return load_part(p, m); }
SYN_SIMD void store(float* p, Whole, Vec a) { store(p, a); }
SYN_SIMD void store(float* p, Mask m, Vec a) { store_part(p, m, a); }
SYN_SIMD Vec keep(Whole, Vec a, Vec) { return a; }  // fill in the lanes beyond the end
SYN_SIMD Vec keep(Mask m, Vec a, Vec fill) { return choose(m, a, fill); }

// The bits of to_half (math/half.h).
SYN_SIMD Vec within_halves(Vec a) { return choose(unordered(a), a, min(max(a, all(-65504.0f)), all(65504.0f))); }
SYN_SIMD void store(half* p, Vec a) { store_narrowed(p, narrowed(within_halves(a))); }
#if defined(__AVX512F__)  // with 8 lanes a head, a multiple of 8, has no part of a register
SYN_SIMD void store_part(half* p, Mask m, Vec a) { store_narrowed_part(p, m, narrowed(within_halves(a))); }
#endif

// Sum and maximum of the lanes, in one fixed order: halves, quarters, ….
SYN_SIMD float sum_lanes(Vec a) {
  float x[kLanes];
  store(x, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  return x[0];
}
SYN_SIMD float max_lanes(Vec a) {
  float x[kLanes];
  store(x, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  return x[0];
}

// 2^x: x = n + f with |f| <= 1/2, then 2^n P(f), P the minimax polynomial of degree 6.
SYN_SIMD Vec exp2(Vec x) {
  const Vec bounded = min(max(x, all(-200.0f)), all(129.0f));
  const Vec n = nearest(bounded);
  const Vec f = bounded - n;
  Vec p = all(1.535336188319500e-4f);
  p = fma(p, f, all(1.339887440266574e-3f));
  p = fma(p, f, all(9.618437357674640e-3f));
  p = fma(p, f, all(5.550332471162809e-2f));
  p = fma(p, f, all(2.402264791363012e-1f));
  p = fma(p, f, all(6.931472028550421e-1f));
  p = fma(p, f, all(1.0f));
  return choose(unordered(x), x, power_of_two(n, p));
}
SYN_SIMD Vec exp(Vec x) {
  // x - n ln 2 in two parts, so that the remainder keeps its bits where x is large
  const Vec bounded = min(max(x, all(-140.0f)), all(89.0f));
  const Vec n = nearest(bounded * all(1.44269504f));
  const Vec r = fma(n, all(2.12194440e-4f), fma(n, all(-0.693359375f), bounded));
  Vec p = all(1.9875691500e-4f);
  p = fma(p, r, all(1.3981999507e-3f));
  p = fma(p, r, all(8.3334519073e-3f));
  p = fma(p, r, all(4.1665795894e-2f));
  p = fma(p, r, all(1.6666665459e-1f));
  p = fma(p, r, all(5.0000001201e-1f));
  p = fma(p * r, r, r) + all(1.0f);
  return choose(unordered(x), x, power_of_two(n, p));
}

}  // namespace syn::cpu::SYN_CPU_NS

#endif
