// LayerNorm and RMSNorm with the residual addition fused (ops/norm.h). Forward reads x and the branch once and writes the sum and
// y; the row stays in the first level between its passes. Backward reads dy, s and ds, writes ds (and the branch's gradient), and
// sums the gradients of weight and bias per block of kNormRows rows, then over the blocks in order.
#include "cpu/dropout.h"
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace syn::cpu::SYN_CPU_NS {
namespace {

constexpr int32_t kForwardRows = 16;  // of a task

float row_sum(const float* x, int32_t n) {
  Vec sum = zero();
  each_vector(n, [&](int64_t i, auto part) { sum = sum + load(x + i, part); });
  return sum_lanes(sum);
}

float row_square(const float* x, float mean, int32_t n) {
  Vec sum = zero();
  each_vector(n, [&](int64_t i, auto part) {
    const Vec d = keep(part, load(x + i, part) - all(mean), zero());
    sum = fma(d, d, sum);
  });
  return sum_lanes(sum);
}

template <class Round>
void forward_row(const NormForward<float>& a, int32_t r, Round round) {
  const int64_t at = int64_t{r} * a.width;
  const float* s = a.x + at;
  if (a.branch) {
    float* sum = a.sum + at;
    if (a.drop.on()) {
      // The branch first, through y, which is written below anyway: sum may be x itself.
      dropout_row(a.drop, static_cast<uint32_t>(r), a.branch + at, a.y + at, a.width, AsItIs{});
      each_vector(a.width, [&](int64_t i, auto part) { store(sum + i, part, load(s + i, part) + load(a.y + at + i, part)); });
    } else {
      each_vector(a.width,
                  [&](int64_t i, auto part) { store(sum + i, part, load(s + i, part) + load(a.branch + at + i, part)); });
    }
    s = sum;
  }
  const float n = static_cast<float>(a.width);
  const float mean = a.bias ? row_sum(s, a.width) / n : 0;
  const float rstd = 1 / __builtin_sqrtf(row_square(s, mean, a.width) / n + a.eps);
  float* y = a.y + at;
  each_vector(a.width, [&](int64_t i, auto part) {
    const Vec normed = (load(s + i, part) - all(mean)) * all(rstd);
    const Vec w = load(a.weight + i, part);
    store(y + i, part, round(a.bias ? fma(normed, w, load(a.bias + i, part)) : normed * w));
  });
  if (a.mean) a.mean[r] = mean;
  if (a.rstd) a.rstd[r] = rstd;
}

template <class Round>
void backward_row(const NormBackward<float>& a, int32_t r, float* dweight, float* dbias, Round round) {
  const int64_t at = int64_t{r} * a.width;
  const Vec mean = all(a.mean ? a.mean[r] : 0), rstd = all(a.rstd[r]);
  Vec sum_g = zero(), sum_gn = zero();
  each_vector(a.width, [&](int64_t i, auto part) {
    const Vec dy = load(a.dy + at + i, part), normed = (load(a.s + at + i, part) - mean) * rstd;
    const Vec g = dy * load(a.weight + i, part);
    sum_g = sum_g + g;
    sum_gn = fma(g, keep(part, normed, zero()), sum_gn);
    store(dweight + i, part, fma(dy, normed, load(dweight + i, part)));
    store(dbias + i, part, load(dbias + i, part) + dy);
  });
  const float n = static_cast<float>(a.width);
  const Vec mean_g = all(a.mean ? sum_lanes(sum_g) / n : 0), mean_gn = all(sum_lanes(sum_gn) / n);
  float* ds = a.ds + at;
  each_vector(a.width, [&](int64_t i, auto part) {
    const Vec normed = (load(a.s + at + i, part) - mean) * rstd;
    const Vec g = load(a.dy + at + i, part) * load(a.weight + i, part);
    store(ds + i, part, fma(rstd, g - mean_g - normed * mean_gn, load(ds + i, part)));
  });
  if (!a.dbranch) return;
  float* dbranch = a.dbranch + at;
  if (a.drop.on()) {
    dropout_row(a.drop, static_cast<uint32_t>(r), ds, dbranch, a.width, round);
  } else {
    each_vector(a.width, [&](int64_t i, auto part) { store(dbranch + i, part, round(load(ds + i, part))); });
  }
}

}  // namespace

void norm_forward(Exec& exec, const NormForward<float>& a) {
  exec.pool.each((a.rows + kForwardRows - 1) / kForwardRows, [&](int64_t block, int) {
    const int32_t begin = static_cast<int32_t>(block) * kForwardRows;
    const int32_t end = begin + kForwardRows < a.rows ? begin + kForwardRows : a.rows;
    rounding_to(a.result, [&](auto round) {
      for (int32_t r = begin; r < end; ++r) forward_row(a, r, round);
    });
  });
}

void norm_backward(Exec& exec, const NormBackward<float>& a) {
  const int32_t blocks = (a.rows + kNormRows - 1) / kNormRows;
  exec.pool.each(blocks, [&](int64_t block, int) {
    float* partial = a.partial + block * 2 * a.width;
    for (int32_t i = 0; i < 2 * a.width; ++i) partial[i] = 0;
    const int32_t begin = static_cast<int32_t>(block) * kNormRows, end = begin + kNormRows < a.rows ? begin + kNormRows : a.rows;
    rounding_to(a.result, [&](auto round) {
      for (int32_t r = begin; r < end; ++r) backward_row(a, r, partial, partial + a.width, round);
    });
  });
  for (int32_t block = 0; block < blocks; ++block) {
    const float* partial = a.partial + int64_t{block} * 2 * a.width;
    add_to(a.dweight, partial, a.width);
    if (a.dbias) add_to(a.dbias, partial + a.width, a.width);
  }
}

}  // namespace syn::cpu::SYN_CPU_NS
