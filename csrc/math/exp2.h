// exp and log in double precision to the same bits everywhere, and the exact masses of a softmax.
//
//   exponent  d log2 e = n + f, |f| <= 1/2;  e^d = 2^n P(f), P the Taylor polynomial of 2^f of degree 12 (relative error 2e-16)
//   mass      w = round(2^40 e^(z - max)), an integer; sums of masses are exact, hence independent of order, threads and width
//   logarithm log x = k ln 2 + 2 atanh((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2)
//
// Determinism: every multiplication that meets an addition is an explicit fused one, so a compiler has nothing left to contract
// and libm is never asked. Memory traffic: none.
#ifndef SYN_MATH_EXP2_H
#define SYN_MATH_EXP2_H

#include <cstdint>

#include "math/bits.h"

namespace syn {

constexpr double kLog2E = 1.4426950408889634074;
constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits, so that k * kLn2High is exact
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr int kMassBits = 40;  // the largest mass is 2^40: 2^24 tokens before a sum could overflow

// 2^f for |f| <= 1/2.
SYN_HD double exp2_fraction(double f) {
  double p = 2.5678435993488205e-11;  // ln2^12 / 12!
  p = fused(p, f, 4.4455382718708115e-10);
  p = fused(p, f, 7.0549116208011233e-09);
  p = fused(p, f, 1.0178086009239700e-07);
  p = fused(p, f, 1.3215486790144310e-06);
  p = fused(p, f, 1.5252733804059841e-05);
  p = fused(p, f, 1.5403530393381610e-04);
  p = fused(p, f, 1.3333558146428443e-03);
  p = fused(p, f, 9.6181291076284772e-03);
  p = fused(p, f, 5.5504108664821580e-02);
  p = fused(p, f, 2.4022650695910072e-01);
  p = fused(p, f, 6.9314718055994531e-01);
  return fused(p, f, 1.0);
}

// Adding 1.5 2^52 leaves the nearest integer in the low bits of the sum.
constexpr double kRounder = 0x1.8p52;

// e^d 2^shift as fraction times scale, a power of two: n and f of d, for -700 <= d <= 0.
struct Exponential {
  double fraction, scale;
};

SYN_HD Exponential exponential(double d, int shift) {
  const double t = fused(d, kLog2E, kRounder);
  const double f = fused(d, kLog2E, -(t - kRounder));
  return {exp2_fraction(f), double_of((bits_of(t) + static_cast<uint64_t>(1023 + shift)) << 52)};
}

// e^d for d <= 0; 0 below -700.
SYN_HD double exp_nonpositive(double d) {
  if (d < -700.0) return 0.0;
  const Exponential e = exponential(d, 0);
  return e.fraction * e.scale;
}

// round(2^40 e^(z - max)) for z <= max, both free of NaN, max finite; z = -inf has mass 0.
SYN_HD uint64_t mass(float z, float max) {
  double d = static_cast<double>(z) - static_cast<double>(max);
  d = d > -64.0 ? d : -64.0;  // far below half a unit
  const Exponential e = exponential(d, kMassBits);
  return bits_of(fused(e.fraction, e.scale, 0x1p52)) - bits_of(0x1p52);
}

// Natural logarithm of a positive normal number.
SYN_HD double log_positive(double x) {
  const uint64_t b = bits_of(x);
  const int64_t k = static_cast<int64_t>(b - 0x3FE6A09E667F3BCDull) >> 52;
  const double m = double_of(b - (static_cast<uint64_t>(k) << 52));
  const double s = (m - 1.0) / (m + 1.0);
  const double q = s * s;
  double p = 1.0 / 21;
  p = fused(p, q, 1.0 / 19);
  p = fused(p, q, 1.0 / 17);
  p = fused(p, q, 1.0 / 15);
  p = fused(p, q, 1.0 / 13);
  p = fused(p, q, 1.0 / 11);
  p = fused(p, q, 1.0 / 9);
  p = fused(p, q, 1.0 / 7);
  p = fused(p, q, 1.0 / 5);
  p = fused(p, q, 1.0 / 3);
  p = fused(p, q, 1.0);
  const double kd = static_cast<double>(k);
  return fused(kd, kLn2High, fused(kd, kLn2Low, (s + s) * p));
}

// Logarithm of a sum of masses in units of its largest member: log(sum e^(z - max)).
SYN_HD double log_mass(uint64_t sum) { return log_positive(static_cast<double>(sum) * 0x1p-40); }

}  // namespace syn

#endif
