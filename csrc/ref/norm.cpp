// LayerNorm and RMSNorm with the residual addition, as ops/norm.h defines them.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {

template <class Real>
void norm_forward(Exec&, const NormForward<Real>& a) {
  for (int32_t r = 0; r < a.rows; ++r) {
    const int64_t at = int64_t{r} * a.width;
    const Real* s = a.x + at;
    if (a.branch) {
      for (int32_t c = 0; c < a.width; ++c)
        a.sum[at + c] = a.x[at + c] + a.branch[at + c] * static_cast<Real>(dropout_factor(a.drop, static_cast<uint32_t>(r),
                                                                                          static_cast<uint32_t>(c)));
      s = a.sum + at;
    }
    Real mean = 0, square = 0;
    for (int32_t c = 0; a.bias && c < a.width; ++c) mean += s[c] / a.width;
    for (int32_t c = 0; c < a.width; ++c) square += (s[c] - mean) * (s[c] - mean) / a.width;
    const Real rstd = 1 / std::sqrt(square + a.eps);
    for (int32_t c = 0; c < a.width; ++c)
      a.y[at + c] = rounded_to(a.result, (s[c] - mean) * rstd * a.weight[c] + (a.bias ? a.bias[c] : 0));
    if (a.mean) a.mean[r] = mean;
    if (a.rstd) a.rstd[r] = rstd;
  }
}

template <class Real>
void norm_backward(Exec&, const NormBackward<Real>& a) {
  for (int32_t r = 0; r < a.rows; ++r) {
    const int64_t at = int64_t{r} * a.width;
    const Real mean = a.mean ? a.mean[r] : 0, rstd = a.rstd[r];
    Real sum_g = 0, sum_gn = 0;
    for (int32_t c = 0; c < a.width; ++c) {
      const Real n = (a.s[at + c] - mean) * rstd, dy = a.dy[at + c], g = dy * a.weight[c];
      if (a.mean) sum_g += g / a.width;
      sum_gn += g * n / a.width;
      a.dweight[c] += dy * n;
      if (a.dbias) a.dbias[c] += dy;
    }
    for (int32_t c = 0; c < a.width; ++c) {
      const Real n = (a.s[at + c] - mean) * rstd;
      a.ds[at + c] += rstd * (a.dy[at + c] * a.weight[c] - sum_g - n * sum_gn);
      if (a.dbranch)
        a.dbranch[at + c] = rounded_to(a.result, a.ds[at + c] * static_cast<Real>(dropout_factor(a.drop, static_cast<uint32_t>(r),
                                                                                                 static_cast<uint32_t>(c))));
    }
  }
}

template void norm_forward(Exec&, const NormForward<double>&);
template void norm_forward(Exec&, const NormForward<float>&);
template void norm_backward(Exec&, const NormBackward<double>&);
template void norm_backward(Exec&, const NormBackward<float>&);

}  // namespace syn::ref
