// One AdamW step, as ops/adamw.h defines it.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {

template <class Real>
void adamw(Exec&, const AdamwArgs<Real>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double g = a.scale * a.gradient[i];
    const double m = a.beta1 * a.m[i] + (1 - a.beta1) * g;
    const double v = a.beta2 * a.v[i] + (1 - a.beta2) * g * g;
    const double change = a.decay * a.weight[i] + (m / a.correction1) / (std::sqrt(v / a.correction2) + a.epsilon);
    a.weight[i] = static_cast<Real>(a.weight[i] - a.lr * change);
    a.m[i] = static_cast<Real>(m);
    a.v[i] = static_cast<Real>(v);
    a.gradient[i] = 0;
  }
}

template void adamw(Exec&, const AdamwArgs<double>&);
template void adamw(Exec&, const AdamwArgs<float>&);

}  // namespace syn::ref
