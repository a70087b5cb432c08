// The cosines and sines of RoPE for every position: row p holds cos(p theta^(-2i/D)) for i < D/2, then the sines. Frequencies and
// angles are rounded to float as transformers rounds them, on every backend: at position 1,000 an exact angle would differ by
// 1e-5, and a checkpoint should mean the same there and here.
#ifndef SYN_MODEL_ROPE_TABLE_H
#define SYN_MODEL_ROPE_TABLE_H

#include <cmath>
#include <cstdint>

namespace syn {

template <class Real>
void fill_rope_table(Real* table /*[context, head_dim]*/, int32_t context, int32_t head_dim, float theta) {
  const int32_t half = head_dim / 2;
  for (int32_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const float frequency = 1.0f / static_cast<float>(std::pow(static_cast<double>(theta), static_cast<double>(exponent)));
    for (int32_t p = 0; p < context; ++p) {
      const float angle = static_cast<float>(p) * frequency;
      table[int64_t{p} * head_dim + i] = static_cast<Real>(static_cast<float>(std::cos(static_cast<double>(angle))));
      table[int64_t{p} * head_dim + half + i] = static_cast<Real>(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
}

}  // namespace syn

#endif
