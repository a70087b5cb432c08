// Order-preserving keys of logits, exact fractions of integer masses.
//   clean   NaN counts as -inf, +inf as the largest finite number: a broken logit may lose, never poison the row
//   key     a < b as numbers <=> key(a) < key(b) as unsigned integers; -0 and +0 share a key
//   share   ceil(p W) in integers, at least 1, for cuts of a distribution that no rounding can move
// Determinism: integer arithmetic and comparisons. Memory traffic: none.
#ifndef SYN_MATH_RADIX_H
#define SYN_MATH_RADIX_H

#include <cstdint>

#include "math/bits.h"

namespace syn {

constexpr float kLowest = -__builtin_huge_valf();
constexpr float kLargest = 0x1.fffffep127f;

SYN_HD float clean(float z) {
  const float low = z >= kLowest ? z : kLowest;  // false for NaN
  return low < kLargest ? low : kLargest;
}

// A logit at a temperature: clean(clean(z) / temperature), a plain IEEE division.
SYN_HD float tempered(float z, float temperature) { return clean(clean(z) / temperature); }

SYN_HD uint32_t radix_key(float z) {
  const uint32_t b = bits_of(z + 0.0f);  // -0 + 0 = +0
  return b ^ ((b >> 31) ? 0xFFFFFFFFu : 0x80000000u);
}

// p in [0,1) as a fraction of 2^64; exact, a float has 24 bits.
SYN_HD uint64_t fraction64(float p) { return static_cast<uint64_t>(static_cast<double>(p) * 0x1p64); }

// Smallest integer >= p W, at least 1.
SYN_HD uint64_t share(uint64_t fraction, uint64_t total) {
  const uint64_t least = high64(fraction, total) + (fraction * total != 0 ? 1 : 0);
  return least > 0 ? least : 1;
}

}  // namespace syn

#endif
