// Output matrix and cross entropy, one row at a time, as ops/xent.h defines them.
#include <algorithm>
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

// nll of row r from its logits z, which become their gradient.
template <class Real>
Real classify(const XentArgs<Real>& a, int32_t r, Real* z) {
  const int32_t vocab = a.w.out;
  const int32_t soft = a.soft_row ? a.soft_row[r] : -1;
  if (soft < 0 && a.target[r] < 0) {
    std::fill(z, z + vocab, Real{0});
    return 0;
  }
  const Real top = *std::max_element(z, z + vocab);
  Real sum = 0;
  for (int32_t v = 0; v < vocab; ++v) sum += std::exp(z[v] - top);
  const Real lse = top + std::log(sum);
  Real score = 0;
  for (int32_t k = 0; soft >= 0 && k < kSoftTaps; ++k)
    score += static_cast<Real>(a.soft_weight[int64_t{soft} * kSoftTaps + k]) * z[a.soft_index[int64_t{soft} * kSoftTaps + k]];
  if (soft < 0) score = z[a.target[r]];
  for (int32_t v = 0; v < vocab; ++v) z[v] = std::exp(z[v] - lse);
  for (int32_t k = 0; soft >= 0 && k < kSoftTaps; ++k)
    z[a.soft_index[int64_t{soft} * kSoftTaps + k]] -= static_cast<Real>(a.soft_weight[int64_t{soft} * kSoftTaps + k]);
  if (soft < 0) z[a.target[r]] -= 1;
  for (int32_t v = 0; v < vocab; ++v) z[v] = rounded_to(a.w.precision, z[v]);
  return lse - score;
}

}  // namespace

template <class Real>
void xent(Exec& exec, const XentArgs<Real>& a) {
  for (int32_t r = 0; r < a.rows; ++r) {
    const Real* x = a.x + int64_t{r} * a.w.in;
    linear_forward<Real>(exec, {x, a.w, nullptr, a.logits, nullptr, 1, Activation::kNone});
    a.nll[r] = classify<Real>(a, r, a.logits);
    if (a.dx) linear_backward_input<Real>(exec, {a.logits, a.w, a.dx + int64_t{r} * a.w.in, 1});
    if (a.dw) linear_backward_weight<Real>(exec, {x, a.logits, a.dw, 1, a.w.out, a.w.in, a.w.in_out});
  }
}

template void xent(Exec&, const XentArgs<double>&);
template void xent(Exec&, const XentArgs<float>&);

}  // namespace syn::ref
