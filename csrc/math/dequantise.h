// The number a token stands for: one draw from the quantile function of its bin.
//   K knots at the probabilities 0, 1/(K-1) … 1, straight lines between; u = x / 2^64;
//   value = knot[j] + (knot[j+1] - knot[j]) frac,  j + frac = u (K-1),  rounded to the nearest integer, halves away from zero.
// One knot is an atom. Knots are integers in units of 10^-decimals and ascend, so the value stays inside the bin. All arithmetic
// is on integers up to 128 bits: same bits everywhere, no knot too large. Memory traffic: two knots.
#ifndef SYN_MATH_DEQUANTISE_H
#define SYN_MATH_DEQUANTISE_H

#include <cstdint>

#include "math/bits.h"

namespace syn {

constexpr int64_t kNoNumber = INT64_MIN;

SYN_HD int64_t dequantise(const int64_t* knots, int32_t count, uint64_t x) {
  if (count <= 0) return kNoNumber;
  if (count == 1) return knots[0];
  const uint64_t pieces = static_cast<uint64_t>(count - 1);
  const uint64_t piece = high64(x, pieces);
  const uint64_t fraction = x * pieces;
  const uint64_t from = static_cast<uint64_t>(knots[piece]);
  const uint64_t width = static_cast<uint64_t>(knots[piece + 1]) - from;  // ascending: fits in 64 bits without a sign
  const int64_t whole = static_cast<int64_t>(from + high64(width, fraction));
  const uint64_t rest = width * fraction;
  const uint64_t half = uint64_t{1} << 63;
  const bool up = rest > half || (rest == half && whole >= 0);
  return whole + (up ? 1 : 0);
}

}  // namespace syn

#endif
