// Dropout in place. One pass over x; bits independent of the threads, which take blocks of rows.
#include "cpu/dropout.h"

#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int32_t kRows = 32;
}

void dropout(Exec& exec, const DropoutArgs<float>& a) {
  if (!a.drop.on()) return;
  exec.pool.each((a.rows + kRows - 1) / kRows, [&](int64_t block, int) {
    const int32_t begin = static_cast<int32_t>(block) * kRows, end = begin + kRows < a.rows ? begin + kRows : a.rows;
    for (int32_t r = begin; r < end; ++r) {
      float* row = a.x + int64_t{r} * a.width;
      dropout_row(a.drop, static_cast<uint32_t>(r), row, row, a.width, AsItIs{});
    }
  });
}

}  // namespace syn::cpu::SYN_CPU_NS
