// Normalisation with the residual addition fused in front:
//   s = x + dropout(branch)                      (branch null: s = x)
//   LayerNorm  y = (s - mean(s)) rstd w + b,     rstd = 1 / sqrt(var(s) + eps), biased variance
//   RMSNorm    y = s rstd w,                     rstd = 1 / sqrt(mean(s^2) + eps)             (bias null)
// Backward, with n = (s - mean) rstd and g = dy w:
//   ds += rstd (g - mean(g) - n mean(g n))       (RMSNorm without the mean(g) term)
//   dw += sum over rows of dy n,  db += sum over rows of dy;  dbranch = dropout(ds)
// The sums over rows run in fixed blocks of kNormRows rows, then over blocks in order, whatever the number of threads.
#ifndef SYN_OPS_NORM_H
#define SYN_OPS_NORM_H

#include "ops/dropout.h"
#include "ops/precision.h"

namespace syn {

constexpr int32_t kNormRows = 64;

template <class Real>
struct NormForward {
  const Real* x;       // [rows, width]
  const Real* branch;  // [rows, width] or null
  Real* sum;           // [rows, width] s; unused without a branch; may be x
  const Real* weight;  // [width]
  const Real* bias;    // [width], or null: RMSNorm
  Real* y;             // [rows, width]
  Real* mean;          // [rows], LayerNorm; null: not wanted
  Real* rstd;          // [rows]; null: not wanted
  int32_t rows, width;
  Real eps;
  Dropout drop;                         // of the branch
  Precision result = Precision::kFp32;  // of y
};

template <class Real>
struct NormBackward {
  const Real* dy;      // [rows, width]
  const Real* s;       // [rows, width]
  const Real* weight;  // [width]
  const Real* mean;    // [rows], or null: RMSNorm
  const Real* rstd;    // [rows]
  Real* ds;            // [rows, width], added to
  Real* dbranch;       // [rows, width] dropout(ds), or null
  Real* dweight;       // [width], added to
  Real* dbias;         // [width], added to, or null: RMSNorm
  Real* partial;       // [norm_partial(rows, width)] workspace
  int32_t rows, width;
  Dropout drop;
  Precision result = Precision::kFp32;  // of dbranch
};

inline int64_t norm_partial(int64_t rows, int64_t width) { return (rows + kNormRows - 1) / kNormRows * 2 * width; }

}  // namespace syn

#endif
