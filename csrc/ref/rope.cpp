// Rotation of the halves of each head, as ops/rope.h defines it.
#include "ref/ops.h"

namespace syn::ref {

void rope(Exec&, const RopeArgs<double>& a) {
  const int32_t half = a.head_dim / 2;
  for (int32_t r = 0; r < a.rows; ++r) {
    const double* turn = a.table + int64_t{a.position[r]} * a.head_dim;
    for (int32_t h = 0; h < a.heads; ++h) {
      double* x = a.x + r * a.stride + int64_t{h} * a.head_dim;
      for (int32_t i = 0; i < half; ++i) {
        const double cos = turn[i], sin = a.inverse ? -turn[half + i] : turn[half + i];
        const double first = x[i], second = x[half + i];
        x[i] = first * cos - second * sin;
        x[half + i] = second * cos + first * sin;
      }
    }
  }
}

}  // namespace syn::ref
