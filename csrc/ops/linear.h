// Linear layers over packed rows: Y = X W^T + b.
//   forward          y[r,o] = sum_i x[r,i] W[o,i] + b[o], optionally g[r,o] = activation(y[r,o]) in the same pass
//   backward input   dx[r,i] = sum_o dy[r,o] W[o,i]
//   backward weight  dW[o,i] += sum_r dy[r,o] x[r,i]
//   bias backward    db[o] += sum_r dy[r,o], for a range of columns
// A row's bits depend on that row alone, never on the number of rows or threads; sums over rows run in fixed order.
// In int8 W has integers and a scale for each output, x integers and a scale for each row (math/int8.h); forward only.
// W may be stored [out,in] (Linear) or [in,out] (the Conv1D of GPT-2); the packed panels hide which.
#ifndef SYN_OPS_LINEAR_H
#define SYN_OPS_LINEAR_H

#include "ops/precision.h"

namespace syn {

template <class Real>
struct Matrix {
  const Real* data;  // [out, in], or [in, out]
  int32_t out, in;
  bool in_out;                             // stored [in, out]
  const Real* packed = nullptr;            // for forward; the reference backend needs none
  const Real* packed_t = nullptr;          // for backward input
  Precision precision = Precision::kFp32;  // of the products: W is rounded in its panels; in bf16 x or dy has such values
};

template <class Real>
struct PackArgs {
  Matrix<Real> w;
  Real* packed;    // [packed_size(out, in, w.precision)] or null
  Real* packed_t;  // [packed_size(in, out, w.precision)] or null
};

enum class Activation { kNone, kGelu };

template <class Real>
struct LinearForward {
  const Real* x;  // [rows, in]
  Matrix<Real> w;
  const Real* bias;  // [out] or null
  Real* y;           // [rows, out], before the activation
  Real* activated;   // [rows, out] with an activation; y itself when that is not wanted
  int32_t rows;
  Activation activation = Activation::kNone;
  Precision result = Precision::kFp32;  // of y, and of the activation of that y
};

template <class Real>
struct LinearBackwardInput {
  const Real* dy;  // [rows, out]
  Matrix<Real> w;
  Real* dx;  // [rows, in]
  int32_t rows;
  Precision result = Precision::kFp32;  // of dx
};

template <class Real>
struct LinearBackwardWeight {
  const Real* x;   // [rows, in]
  const Real* dy;  // [rows, out]
  Real* dw;        // as W is stored, added to
  int32_t rows, out, in;
  bool in_out;
  Precision precision = Precision::kFp32;  // of x and dy
};

// A range of columns, because of the fused q, k and v: a bias on k shifts every score of a query alike, so the loss does not
// depend on it; its gradient is exactly zero, and AdamW would blow up what rounding leaves of it.
template <class Real>
struct BiasBackward {
  const Real* dy;  // [rows, stride], at the first column of the range
  Real* dbias;     // [columns], added to
  int64_t stride;
  int32_t rows, columns;
};

}  // namespace syn

#endif
