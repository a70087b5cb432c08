// GELU and SwiGLU, as ops/activation.h defines them.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

template <class Real>
Real sigmoid(Real x) {
  return 1 / (1 + std::exp(-x));
}

// 2 sqrt(2 / pi) and the factor of the cube
template <class Real>
constexpr Real kOuter = static_cast<Real>(1.5957691216057307118);
template <class Real>
constexpr Real kCube = static_cast<Real>(0.044715);

template <class Real>
Real gate_of(Real x) {
  return sigmoid(kOuter<Real> * (x + kCube<Real> * x * x * x));
}

}  // namespace

template <class Real>
void gelu_forward(Exec&, const GeluForward<Real>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const Real x = a.x[i];
    a.y[i] = rounded_to(a.result, x * gate_of(x));
  }
}

template <class Real>
void gelu_backward(Exec&, const GeluBackward<Real>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const Real x = a.x[i], s = gate_of(x);
    a.dx[i] = rounded_to(a.result, a.dy[i] * (s + x * s * (1 - s) * kOuter<Real> * (1 + 3 * kCube<Real> * x * x)));
  }
}

template <class Real>
void swiglu_forward(Exec&, const SwigluForward<Real>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.ffn; ++c) {
      const Real gate = a.gate_up[2 * r * a.ffn + c], up = a.gate_up[(2 * r + 1) * a.ffn + c];
      a.y[r * a.ffn + c] = rounded_to(a.result, gate * sigmoid(gate) * up);
    }
}

template <class Real>
void swiglu_backward(Exec&, const SwigluBackward<Real>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.ffn; ++c) {
      const int64_t g = 2 * r * a.ffn + c, u = g + a.ffn;
      const Real gate = a.gate_up[g], up = a.gate_up[u], dy = a.dy[r * a.ffn + c], s = sigmoid(gate);
      a.dgate_up[g] = rounded_to(a.result, dy * up * s * (1 + gate * (1 - s)));
      a.dgate_up[u] = rounded_to(a.result, dy * gate * s);
    }
}

template void gelu_forward(Exec&, const GeluForward<double>&);
template void gelu_forward(Exec&, const GeluForward<float>&);
template void gelu_backward(Exec&, const GeluBackward<double>&);
template void gelu_backward(Exec&, const GeluBackward<float>&);
template void swiglu_forward(Exec&, const SwigluForward<double>&);
template void swiglu_forward(Exec&, const SwigluForward<float>&);
template void swiglu_backward(Exec&, const SwigluBackward<double>&);
template void swiglu_backward(Exec&, const SwigluBackward<float>&);

}  // namespace syn::ref
