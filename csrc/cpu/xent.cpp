// Output matrix and cross entropy (ops/xent.h) in chunks of kXentRows rows: a product writes the logits of a chunk, one pass per
// row turns them into nll and gradient in place, two products take the gradient on. The logits of a chunk are read from the
// caches; each row is one thread's, each product's sums run in fixed order.
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kRows = 8;  // of a task

float row_max(const float* z, int32_t n) {
  const Vec lowest = all(-__builtin_inff());
  Vec top = lowest;
  each_vector(n, [&](int64_t i, auto part) { top = max(keep(part, load(z + i, part), lowest), top); });
  return max_lanes(top);
}

// z <- exp(z - top); returns the sum.
float exponentials(float* z, float top, int32_t n) {
  Vec sum = zero();
  each_vector(n, [&](int64_t i, auto part) {
    const Vec e = exp(load(z + i, part) - all(top));
    store(z + i, part, e);
    sum = sum + keep(part, e, zero());
  });
  return sum_lanes(sum);
}

void scale_row(float* z, float by, int32_t n, Precision precision) {
  rounding_to(precision, [&](auto round) {
    each_vector(n, [&](int64_t i, auto part) { store(z + i, part, round(load(z + i, part) * all(by))); });
  });
}

// nll of row r from its logits z, which become their gradient.
double classify(const XentArgs<float>& a, int32_t r, float* z) {
  const int32_t vocab = a.w.out, soft = a.soft_row ? a.soft_row[r] : -1;
  if (soft < 0 && a.target[r] < 0) {
    for (int32_t v = 0; v < vocab; ++v) z[v] = 0;
    return 0;
  }
  const float top = row_max(z, vocab);
  const int32_t* index = soft >= 0 ? a.soft_index + int64_t{soft} * kSoftTaps : a.target + r;
  const int32_t taps = soft >= 0 ? kSoftTaps : 1;
  const float one = 1, *weight = soft >= 0 ? a.soft_weight + int64_t{soft} * kSoftTaps : &one;
  double below = 0;  // how far the targets' mean logit lies below the largest
  for (int32_t k = 0; k < taps; ++k)
    below += static_cast<double>(weight[k]) * (static_cast<double>(top) - static_cast<double>(z[index[k]]));
  const float sum = exponentials(z, top, vocab);
  for (int32_t k = 0; k < taps; ++k) z[index[k]] -= weight[k] * sum;
  scale_row(z, 1 / sum, vocab, a.w.precision);
  return below + __builtin_log(static_cast<double>(sum));
}

}  // namespace

void xent(Exec& exec, const XentArgs<float>& a) {
  const int32_t vocab = a.w.out, width = a.w.in;
  for (int32_t begin = 0; begin < a.rows; begin += kXentRows) {
    exec.poll();
    const int32_t rows = a.rows - begin < kXentRows ? a.rows - begin : kXentRows;
    const float* x = a.x + int64_t{begin} * width;
    gemm_run(exec.pool, {x, a.w.packed, a.logits, nullptr, nullptr, rows, vocab, width, width, vocab, a.w.precision});
    exec.pool.each((rows + kRows - 1) / kRows, [&](int64_t task, int) {
      for (int32_t r = static_cast<int32_t>(task) * kRows; r < rows && r < static_cast<int32_t>(task + 1) * kRows; ++r)
        a.nll[begin + r] = classify(a, begin + r, a.logits + int64_t{r} * vocab);
    });
    if (a.dx)
      gemm_run(exec.pool,
               {a.logits, a.w.packed_t, a.dx + int64_t{begin} * width, nullptr, nullptr, rows, width, vocab, vocab, width,
                a.w.precision});
    if (a.dw) gemm_outer(exec.pool, {a.logits, x, a.dw, rows, vocab, width, a.w.precision});
  }
}

}  // namespace syn::cpu::SYN_CPU_NS
