// The precision in which a network is computed, and what bf16 means here, for every backend alike.
//
//   kFp32  nothing is rounded beyond the backend's own numbers
//   kBf16  every operand of a matrix product and of attention has a bf16 value: nearest even, magnitudes below 2^-126 become 0,
//          NaN stays NaN. That is
//            weights                       when they are packed; the masters stay as they are
//            forward                       outputs of norms; q, k and v (after the rotation); attention weights before they meet
//                                          v; attention's output; the input of the activation and its output
//            backward                      the gradient of the logits; of a branch that was added to the residual stream; of
//                                          attention's output; of the scores; of q, k and v (after the rotation back); of the
//                                          input of the activation
//            Muon                          the matrix that becomes orthogonal, its square and the polynomial (ops/muon.h)
//          Products are summed in the backend's number. In it remain: embeddings, the residual stream and its gradient, what a
//          product adds to them, statistics of norms, softmax and its sums, lse, loss, gradients of weights, moments, masters.
//   kInt8  weights by channel and rows of activations as 8-bit integers; of decoding only
//
// An op that rounds has a field `precision`, that of its operands, or `result`, that of what it stores for a later op.
#ifndef SYN_OPS_PRECISION_H
#define SYN_OPS_PRECISION_H

#include <cstdint>

#include "math/bits.h"

namespace syn {

enum class Precision : int32_t { kFp32 = 0, kBf16 = 1, kInt8 = 2 };

SYN_HD float round_bf16(float x) {
  const uint32_t bits = bits_of(x), magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return x;                             // NaN
  if (magnitude < 0x00800000u) return float_of(bits & 0x80000000u);  // below 2^-126
  return float_of((bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u);
}

SYN_HD double round_bf16(double x) {
  const uint64_t bits = bits_of(x), sign = bits & (uint64_t{1} << 63), magnitude = bits ^ sign;
  if (magnitude > uint64_t{0x7FF} << 52) return x;                     // NaN
  if (magnitude < uint64_t{1023 - 126} << 52) return double_of(sign);  // below 2^-126
  const uint64_t rounded = (magnitude + ((uint64_t{1} << 44) - 1) + (magnitude >> 45 & 1u)) & ~((uint64_t{1} << 45) - 1);
  const uint64_t infinity = uint64_t{0x7FF} << 52;
  return double_of(sign | (rounded >= uint64_t{1023 + 128} << 52 ? infinity : rounded));
}

template <class Real>
SYN_HD Real rounded_to(Precision p, Real x) {
  return p == Precision::kBf16 ? round_bf16(x) : x;
}

}  // namespace syn

#endif
