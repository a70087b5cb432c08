// The cosines and sines of RoPE for every position, computed once in double: row p holds cos(p theta^(-2i/D)) for i < D/2, then
// the sines.
#ifndef SYN_MODEL_ROPE_TABLE_H
#define SYN_MODEL_ROPE_TABLE_H

#include <cmath>
#include <cstdint>

namespace syn {

template <class Real>
void fill_rope_table(Real* table /*[context, head_dim]*/, int32_t context, int32_t head_dim, double theta) {
  const int32_t half = head_dim / 2;
  for (int32_t p = 0; p < context; ++p)
    for (int32_t i = 0; i < half; ++i) {
      const double angle = p * std::pow(theta, -2.0 * i / head_dim);
      table[int64_t{p} * head_dim + i] = static_cast<Real>(std::cos(angle));
      table[int64_t{p} * head_dim + half + i] = static_cast<Real>(std::sin(angle));
    }
}

}  // namespace syn

#endif
