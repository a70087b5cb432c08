// Numbers as 8-bit integers with one scale for a row: q = round(x 127 / m), m the largest magnitude of the row, x ~ q m /
// 127. Rounding is to nearest even, so q lies in [-127, 127]. Rows of nothing but numbers below 2^-100 are rows of zeros; a
// row with an infinity or a NaN has no integers and the scale NaN, which makes NaN of every result it has a part in.
#ifndef SYN_MATH_INT8_H
#define SYN_MATH_INT8_H

#include <cstdint>

#include "math/bits.h"
#include "math/inline.h"

namespace syn {

// Terms of a product whose sum, at most 127 x 127 each, is sure to fit 32 bits.
constexpr int32_t kInt8Terms = 131072;

template <class Real>
struct Int8Scale {
  Real scale;    // of one step of the integers
  Real inverse;  // what a number is multiplied by before it is rounded
};

// most: the largest magnitude of the row; +inf where the row has an infinity or a NaN.
template <class Real>
SYN_HD Int8Scale<Real> int8_scale(Real most) {
  if (most == static_cast<Real>(__builtin_inf())) return {static_cast<Real>(__builtin_nan("")), 0};
  if (most < static_cast<Real>(0x1p-100)) return {0, 0};
  return {most / 127, 127 / most};
}

}  // namespace syn

#endif
