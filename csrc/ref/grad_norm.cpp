// Sum of squares, as ops/grad_norm.h defines it.
#include "ref/ops.h"

namespace syn::ref {

void grad_norm(Exec&, const GradNormArgs<double>& a) {
  *a.sum = 0;
  for (int64_t i = 0; i < a.count; ++i) *a.sum += a.gradient[i] * a.gradient[i];
}

}  // namespace syn::ref
