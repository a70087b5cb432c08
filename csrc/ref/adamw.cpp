// One AdamW step, as ops/adamw.h defines it.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {

void adamw(Exec&, const AdamwArgs<double>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double g = a.scale * a.gradient[i];
    const double m = a.m[i] = a.beta1 * a.m[i] + (1 - a.beta1) * g;
    const double v = a.v[i] = a.beta2 * a.v[i] + (1 - a.beta2) * g * g;
    a.weight[i] -= a.lr * (a.decay * a.weight[i] + (m / a.correction1) / (std::sqrt(v / a.correction2) + a.epsilon));
    a.gradient[i] = 0;
  }
}

}  // namespace syn::ref
