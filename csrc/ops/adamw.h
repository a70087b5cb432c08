// AdamW with decoupled decay over a range of the arenas, with g = scale gradient:
//   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  p = p - lr (decay p + (m / c1) / (sqrt(v / c2) + eps)),  gradient = 0
// c1 = 1 - b1^step, c2 = 1 - b2^step. One pass over p, g, m, v; elementwise, so any order gives the same bits.
#ifndef SYN_OPS_ADAMW_H
#define SYN_OPS_ADAMW_H

#include <cstdint>

namespace syn {

template <class Real>
struct AdamwArgs {
  Real* weight;    // [count]
  Real* gradient;  // [count], cleared
  Real* m;         // [count]
  Real* v;         // [count]
  int64_t count;
  double lr, beta1, beta2, epsilon, decay, scale, correction1, correction2;
};

}  // namespace syn

#endif
