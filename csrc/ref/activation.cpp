// GELU and SwiGLU, as ops/activation.h defines them.
#include <cmath>

#include "ref/ops.h"

namespace syn::ref {
namespace {

const double kTwiceRoot = 2 * std::sqrt(2 / 3.14159265358979323846);

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

void gelu_forward(Exec&, const GeluForward<double>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double x = a.x[i];
    a.y[i] = x * sigmoid(kTwiceRoot * (x + 0.044715 * x * x * x));
  }
}

void gelu_backward(Exec&, const GeluBackward<double>& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    const double x = a.x[i], s = sigmoid(kTwiceRoot * (x + 0.044715 * x * x * x));
    a.dx[i] = a.dy[i] * (s + x * s * (1 - s) * kTwiceRoot * (1 + 3 * 0.044715 * x * x));
  }
}

void swiglu_forward(Exec&, const SwigluForward<double>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.ffn; ++c) {
      const double gate = a.gate_up[2 * r * a.ffn + c], up = a.gate_up[(2 * r + 1) * a.ffn + c];
      a.y[r * a.ffn + c] = gate * sigmoid(gate) * up;
    }
}

void swiglu_backward(Exec&, const SwigluBackward<double>& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int32_t c = 0; c < a.ffn; ++c) {
      const int64_t g = 2 * r * a.ffn + c, u = g + a.ffn;
      const double gate = a.gate_up[g], up = a.gate_up[u], dy = a.dy[r * a.ffn + c], s = sigmoid(gate);
      a.dgate_up[g] = dy * up * s * (1 + gate * (1 - s));
      a.dgate_up[u] = dy * gate * s;
    }
}

}  // namespace syn::ref
