// Reading a number as its bits and back, and the wide product: what C++17 and CUDA spell differently.
#ifndef SYN_MATH_BITS_H
#define SYN_MATH_BITS_H

#include <cstdint>

#include "math/inline.h"

namespace syn {

#if defined(__CUDA_ARCH__)
SYN_HD uint64_t bits_of(double x) { return static_cast<uint64_t>(__double_as_longlong(x)); }
SYN_HD double double_of(uint64_t b) { return __longlong_as_double(static_cast<long long>(b)); }
SYN_HD uint32_t bits_of(float x) { return __float_as_uint(x); }
SYN_HD float float_of(uint32_t b) { return __uint_as_float(b); }
SYN_HD uint64_t high64(uint64_t a, uint64_t b) { return __umul64hi(a, b); }
SYN_HD double fused(double a, double b, double c) { return __fma_rn(a, b, c); }
#else
SYN_HD uint64_t bits_of(double x) { return __builtin_bit_cast(uint64_t, x); }
SYN_HD double double_of(uint64_t b) { return __builtin_bit_cast(double, b); }
SYN_HD uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
SYN_HD float float_of(uint32_t b) { return __builtin_bit_cast(float, b); }
// Upper half of the 128-bit product a b.
SYN_HD uint64_t high64(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(a) * b) >> 64);
}
// a b + c, rounded once. On a machine without the instruction the C library does it in software, to the same bits.
SYN_HD double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

}  // namespace syn

#endif
