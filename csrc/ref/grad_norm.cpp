// Sum of squares, as ops/grad_norm.h defines it.
#include "ref/ops.h"

namespace syn::ref {

template <class Real>
void grad_norm(Exec&, const GradNormArgs<Real>& a) {
  *a.sum = 0;
  for (int64_t i = 0; i < a.count; ++i) *a.sum += a.gradient[i] * a.gradient[i];
}

template void grad_norm(Exec&, const GradNormArgs<double>&);
template void grad_norm(Exec&, const GradNormArgs<float>&);

}  // namespace syn::ref
