// Numbers of 16 bits (binary16 of IEEE 754) as a store of wider ones: 11 bits of mantissa, magnitudes from 2^-24 to 65504.
#ifndef SYN_MATH_HALF_H
#define SYN_MATH_HALF_H

#include <cmath>
#include <cstdint>

namespace syn {

struct half {
  uint16_t bits;
};

constexpr int kHalfMantissa = 10, kHalfBias = 15;  // bits behind the point; of the exponent
constexpr double kMostHalf = 65504;

// Nearest even, with subnormals; a magnitude above 65504 becomes 65504, so that no finite number becomes an infinity. NaN stays NaN.
inline half to_half(double x) {
  const int sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return {static_cast<uint16_t>(sign | 0x7E00)};
  const double magnitude = std::fabs(x) < kMostHalf ? std::fabs(x) : kMostHalf;
  constexpr int kLeast = 1 - kHalfBias;  // exponent of the smallest normal number, and of the step of all below
  int exponent = magnitude > 0 ? std::ilogb(magnitude) : kLeast;
  if (exponent < kLeast) exponent = kLeast;
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, kHalfMantissa - exponent)));
  // Steps of 2^(exponent - 10) count on from the numbers with a smaller exponent, also where rounding reached the next one.
  return {static_cast<uint16_t>(sign | (steps + ((exponent - kLeast) << kHalfMantissa)))};
}

inline double from_half(half h) {
  const int exponent = h.bits >> kHalfMantissa & 0x1F, mantissa = h.bits & 0x3FF;
  double magnitude = std::ldexp(exponent > 0 ? 0x400 + mantissa : mantissa, (exponent > 0 ? exponent : 1) - kHalfBias - kHalfMantissa);
  if (exponent == 0x1F) magnitude = mantissa > 0 ? NAN : INFINITY;
  return h.bits & 0x8000 ? -magnitude : magnitude;
}

}  // namespace syn

#endif
