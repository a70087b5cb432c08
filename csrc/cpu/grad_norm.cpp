// Sum of squares (ops/grad_norm.h), each block as sum_of_squares of cpu/elementwise.h has it. One pass.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {

void grad_norm(Exec& exec, const GradNormArgs<float>& a) {
  const int64_t blocks = grad_blocks(a.count);
  exec.pool.each(blocks, [&](int64_t block, int) {
    const int64_t begin = block * kGradBlock, end = begin + kGradBlock < a.count ? begin + kGradBlock : a.count;
    a.partial[block] = sum_of_squares(a.gradient + begin, end - begin);
  });
  *a.sum = 0;
  for (int64_t block = 0; block < blocks; ++block) *a.sum += a.partial[block];
}

}  // namespace syn::cpu::SYN_CPU_NS
