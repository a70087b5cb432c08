// Linear layers as triple loops, as ops/linear.h defines them. Nothing is packed.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

int64_t at(int32_t o, int32_t i, int32_t out, int32_t in, bool in_out) {
  return in_out ? int64_t{i} * out + o : int64_t{o} * in + i;
}

// A weight as it enters a product.
template <class Real>
Real value(const Matrix<Real>& w, int32_t o, int32_t i) {
  return rounded_to(w.precision, w.data[at(o, i, w.out, w.in, w.in_out)]);
}

}  // namespace

int64_t packed_size(int32_t, int32_t, Precision) { return 0; }
template <class Real>
void pack(Exec&, const PackArgs<Real>&) {}

template <class Real>
void linear_forward(Exec& exec, const LinearForward<Real>& a) {
  if (a.w.precision == Precision::kInt8) return linear_forward_int8(exec, a);
  const Matrix<Real>& w = a.w;
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t o = 0; o < w.out; ++o) {
      Real sum = 0;
      for (int32_t i = 0; i < w.in; ++i) sum += a.x[r * w.in + i] * value(w, o, i);
      a.y[r * w.out + o] = rounded_to(a.result, sum + (a.bias ? a.bias[o] : 0));
    }
  if (a.activation == Activation::kGelu) gelu_forward<Real>(exec, {a.y, a.activated, int64_t{a.rows} * w.out, a.result});
}

template <class Real>
void linear_backward_input(Exec&, const LinearBackwardInput<Real>& a) {
  const Matrix<Real>& w = a.w;
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t i = 0; i < w.in; ++i) {
      Real sum = 0;
      for (int32_t o = 0; o < w.out; ++o) sum += a.dy[r * w.out + o] * value(w, o, i);
      a.dx[r * w.in + i] = rounded_to(a.result, sum);
    }
}

template <class Real>
void linear_backward_weight(Exec&, const LinearBackwardWeight<Real>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t o = 0; o < a.out; ++o) {
      const Real dy = a.dy[r * a.out + o];
      for (int32_t i = 0; i < a.in; ++i) a.dw[at(o, i, a.out, a.in, a.in_out)] += dy * a.x[r * a.in + i];
    }
}

template <class Real>
void bias_backward(Exec&, const BiasBackward<Real>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.columns; ++c) a.dbias[c] += a.dy[r * a.stride + c];
}

template void pack(Exec&, const PackArgs<double>&);
template void pack(Exec&, const PackArgs<float>&);
template void linear_forward(Exec&, const LinearForward<double>&);
template void linear_forward(Exec&, const LinearForward<float>&);
template void linear_backward_input(Exec&, const LinearBackwardInput<double>&);
template void linear_backward_input(Exec&, const LinearBackwardInput<float>&);
template void linear_backward_weight(Exec&, const LinearBackwardWeight<double>&);
template void linear_backward_weight(Exec&, const LinearBackwardWeight<float>&);
template void bias_backward(Exec&, const BiasBackward<double>&);
template void bias_backward(Exec&, const BiasBackward<float>&);

}  // namespace syn::ref
