// The linear layer on 8-bit integers (math/int8.h) as a triple loop: a scale for each row of x and for each output of W.
#include <cmath>
#include <vector>

#include "math/int8.h"
#include "ref/ops.h"

namespace syn::ref {
namespace {

// The integers of n numbers `stride` apart; returns their scale.
template <class Real>
Real quantise(const Real* x, int64_t stride, int32_t n, std::vector<int32_t>& q) {
  Real most = 0;
  for (int32_t i = 0; i < n; ++i) {
    const Real size = std::fabs(x[i * stride]);
    if (!(size <= most)) most = std::isfinite(size) ? size : static_cast<Real>(INFINITY);
    if (most == static_cast<Real>(INFINITY)) break;
  }
  const Int8Scale<Real> scale = int8_scale(most);
  q.assign(static_cast<size_t>(n), 0);
  for (int32_t i = 0; i < n && scale.inverse != 0; ++i)
    q[static_cast<size_t>(i)] = static_cast<int32_t>(std::nearbyint(x[i * stride] * scale.inverse));
  return scale.scale;
}

}  // namespace

template <class Real>
void linear_forward_int8(Exec& exec, const LinearForward<Real>& a) {
  const Matrix<Real>& w = a.w;
  std::vector<int32_t> qx, qw;
  for (int32_t o = 0; o < w.out; ++o) {
    const Real w_scale = quantise(w.data + (w.in_out ? o : int64_t{o} * w.in), w.in_out ? w.out : 1, w.in, qw);
    for (int64_t r = 0; r < a.rows; ++r) {
      const Real x_scale = quantise(a.x + r * w.in, 1, w.in, qx);
      int32_t sum = 0;
      for (size_t i = 0; i < qx.size(); ++i) sum += qx[i] * qw[i];
      const Real y = static_cast<Real>(sum) * (x_scale * w_scale);
      a.y[r * w.out + o] = a.bias ? y + a.bias[o] : y;
    }
  }
  if (a.activation == Activation::kGelu) gelu_forward<Real>(exec, {a.y, a.activated, int64_t{a.rows} * w.out});
}

template void linear_forward_int8(Exec&, const LinearForward<double>&);
template void linear_forward_int8(Exec&, const LinearForward<float>&);

}  // namespace syn::ref
