// Rotary positions in place (ops/rope.h): q and k once over, the table from cache; a row is rounded while it is in the first
// level. Elementwise, so the threads cannot matter.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int32_t kRows = 64;
}

void rope(Exec& exec, const RopeArgs<float>& a) {
  const int32_t half = a.head_dim / 2;
  const Vec sign = all(a.inverse ? -1.0f : 1.0f);
  exec.pool.each((a.rows + kRows - 1) / kRows, [&](int64_t block, int) {
    const int32_t begin = static_cast<int32_t>(block) * kRows, end = begin + kRows < a.rows ? begin + kRows : a.rows;
    for (int32_t r = begin; r < end; ++r) {
      const float* turn = a.table + int64_t{a.position[r]} * a.head_dim;
      for (int32_t h = 0; h < a.heads; ++h) {
        float* x = a.x + r * a.stride + int64_t{h} * a.head_dim;
        each_vector(half, [&](int64_t i, auto part) {
          const Vec cos = load(turn + i, part), sin = load(turn + half + i, part) * sign;
          const Vec first = load(x + i, part), second = load(x + half + i, part);
          store(x + i, part, fma(first, cos, zero() - second * sin));
          store(x + half + i, part, fma(second, cos, first * sin));
        });
      }
      if (a.result == Precision::kBf16) round_row(a.x + r * a.stride, a.stride, ToBf16{});
    }
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
