// Rotation of the halves of each head, as ops/rope.h defines it.
#include "ref/ops.h"

namespace syn::ref {

template <class Real>
void rope(Exec&, const RopeArgs<Real>& a) {
  const int32_t half = a.head_dim / 2;
  for (int32_t r = 0; r < a.rows; ++r) {
    const Real* turn = a.table + int64_t{a.position[r]} * a.head_dim;
    for (int32_t h = 0; h < a.heads; ++h) {
      Real* x = a.x + r * a.stride + int64_t{h} * a.head_dim;
      for (int32_t i = 0; i < half; ++i) {
        const Real cos = turn[i], sin = a.inverse ? -turn[half + i] : turn[half + i];
        const Real first = x[i], second = x[half + i];
        x[i] = first * cos - second * sin;
        x[half + i] = second * cos + first * sin;
      }
    }
    for (int64_t i = r * a.stride; i < (r + 1) * a.stride; ++i) a.x[i] = rounded_to(a.result, a.x[i]);
  }
}

template void rope(Exec&, const RopeArgs<double>&);
template void rope(Exec&, const RopeArgs<float>&);

}  // namespace syn::ref
