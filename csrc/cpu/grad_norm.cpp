// Sum of squares (ops/grad_norm.h): float squares summed in lanes over 64 elements, those sums in double. One pass.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {
constexpr int64_t kRun = 256;  // elements summed in float
}

void grad_norm(Exec& exec, const GradNormArgs<float>& a) {
  const int64_t blocks = grad_blocks(a.count);
  exec.pool.each(blocks, [&](int64_t block, int) {
    const int64_t begin = block * kGradBlock, end = begin + kGradBlock < a.count ? begin + kGradBlock : a.count;
    double total = 0;
    for (int64_t run = begin; run < end; run += kRun) {
      Vec sum = zero();
      each_vector(end - run < kRun ? end - run : kRun, [&](int64_t i, auto part) {
        const Vec g = load(a.gradient + run + i, part);
        sum = fma(g, g, sum);
      });
      total += static_cast<double>(sum_lanes(sum));
    }
    a.partial[block] = total;
  });
  *a.sum = 0;
  for (int64_t block = 0; block < blocks; ++block) *a.sum += a.partial[block];
}

}  // namespace syn::cpu::SYN_CPU_NS
