// Output matrix and cross entropy in one op, over chunks of kXentRows rows, so that the logits of a batch never exist at once:
//   z = x W^T;  lse = log sum_v exp(z_v);  nll = lse - sum_k q_k z_k  (q: the target, or up to 7 soft ones that sum to 1)
//   in place z <- softmax(z) - q;  dx = z W;  dW += z^T x
// In the precision of w, z <- softmax(z) - q is rounded. Rows without a target give 0 and no gradient. Sums are not divided by
// the number of targets.
#ifndef SYN_OPS_XENT_H
#define SYN_OPS_XENT_H

#include "ops/linear.h"

namespace syn {

constexpr int32_t kXentRows = 512;
constexpr int32_t kSoftTaps = 7;

template <class Real>
struct XentArgs {
  const Real* x;              // [rows, width]
  Matrix<Real> w;             // [V, width]
  const int32_t* target;      // [rows], -1: none
  const int32_t* soft_row;    // [rows] or null; >= 0: row of the soft table in the place of target
  const int32_t* soft_index;  // [soft rows, kSoftTaps]
  const float* soft_weight;   // [soft rows, kSoftTaps]
  Real* logits;               // [min(rows, kXentRows), V] workspace
  double* nll;                // [rows]
  Real* dx;                   // [rows, width], or null: no gradients
  Real* dw;                   // [V, width], added to, or null
  int32_t rows;
};

}  // namespace syn

#endif
